//! A market with webhooks, people, and a receiver that answers as it is told.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::panic)]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::IntoResponse;
use events::{Audience, DomainEvent};
use http::{HeaderMap, StatusCode};
use identity::{Actor, Caller, Identity, Role, Roles, Scopes, UserId, Via};
use kernel::{Clock, Paging, Secret, Timestamp};
use serde::Serialize;
use store::{Migrations, Store, Tx};
use tokio::task::JoinHandle;
use vault::Vault;
use web::Ctx;
use web::idempotency::{Key, Request};
use webhooks::{Created, Delivery, NewEndpoint, Settings, WebhookId, Webhooks};

pub fn migrations() -> [Migrations; 5] {
    [web::MIGRATIONS, jobs::MIGRATIONS, events::MIGRATIONS, identity::MIGRATIONS, webhooks::MIGRATIONS]
}

/// What happens in these tests.
#[derive(Serialize)]
pub struct Painted {
    pub wall: String,
    pub coats: i64,
    /// Nobody in particular where absent.
    #[serde(skip)]
    pub whose: Option<UserId>,
}

impl DomainEvent for Painted {
    const TYPE: &'static str = "wall.painted";
    fn subject(&self) -> &str {
        &self.wall
    }
    fn version(&self) -> i64 {
        self.coats
    }
    fn audience(&self) -> Audience<'_> {
        self.whose.as_ref().map_or(Audience::Everybody, |user| Audience::Accounts(vec![user.as_str()]))
    }
}

events::catalogue! { Painted = "A wall got another coat."; }

pub struct Market {
    pub store: Store,
    pub clock: Clock,
    pub webhooks: Webhooks,
}

impl Market {
    /// Receivers of these tests are on this machine.
    pub fn on(store: Store) -> Self {
        Self::with(store, Clock::fixed(Timestamp::from_secs(1_800_000_000)), &["127.0.0.1"])
    }

    fn with(store: Store, clock: Clock, private_hosts: &[&str]) -> Self {
        let settings = identity::Settings::new("http://localhost:8080", Secret::new("a secret of the tests"));
        let identity = Identity::new(store.clone(), clock.clone(), settings);
        let vault = Vault::new(&Secret::new("a key of the tests")).unwrap();
        let settings =
            Settings { private_hosts: private_hosts.iter().map(|host| (*host).to_owned()).collect() };
        let webhooks = Webhooks::new(store.clone(), clock.clone(), identity, vault, &settings).unwrap();
        Self { store, clock, webhooks }
    }

    /// The same market with other settings, as after a restart, or as another process.
    pub fn again(&self, private_hosts: &[&str]) -> Self {
        Self::with(self.store.clone(), self.clock.clone(), private_hosts)
    }

    pub fn person(&self, name: &str, roles: &[Role]) -> Caller {
        let actor = Actor {
            user: format!("user-{name}").parse().unwrap(),
            username: name.into(),
            roles: Roles::of(roles),
            scopes: Scopes::all(),
            via: Via::Password,
            memberships: Arc::new([]),
        };
        Caller { ctx: Ctx::local(self.clock.now()), actor: Some(actor) }
    }

    pub async fn hook(&self, by: &Caller, url: &str) -> Created {
        self.webhooks.create(by, wanted(url, &["wall.painted"]), request()).await.unwrap()
    }

    pub async fn paint(&self, wall: &str, coats: i64, whose: Option<&Caller>) {
        let whose = whose.map(|by| by.account().unwrap().user.clone());
        let (painted, now) = (Painted { wall: wall.to_owned(), coats, whose }, self.clock.now());
        let paint = async move |tx: &mut Tx| events::append(tx, now, &painted).await;
        self.store.write(paint).await.unwrap();
    }

    /// Sends in the background until the answer is dropped.
    pub fn running(&self) -> Running {
        let webhooks = self.webhooks.clone();
        Running(tokio::spawn(async move { webhooks.run().await }))
    }

    pub async fn deliveries(&self, by: &Caller, id: &WebhookId) -> Vec<Delivery> {
        self.webhooks.deliveries(by, id, None, Paging::default()).await.unwrap().items
    }
}

pub struct Running(JoinHandle<()>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}

pub fn wanted(url: &str, events: &[&str]) -> NewEndpoint {
    NewEndpoint {
        url: url.to_owned(),
        events: events.iter().map(|&kind| kind.to_owned()).collect(),
        description: String::new(),
        organisation: None,
        whole_market: false,
    }
}

pub fn request() -> Request {
    Request::new(Key(None), "", &())
}

/// What the receiver got.
#[derive(Clone, Debug)]
pub struct Got {
    pub headers: HeaderMap,
    pub body: String,
}

impl Got {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// Whether the specification's own library signs the same with this secret. (Its check knows only the time of now,
    /// and the clock of these tests stands elsewhere.)
    pub fn is_signed_with(&self, secret: &Secret) -> bool {
        let header = |name: &str| self.headers[name].to_str().unwrap();
        let webhook = standardwebhooks::Webhook::new(secret.expose()).unwrap();
        let (id, at) = (header("webhook-id"), header("webhook-timestamp").parse().unwrap());
        let signed = webhook.sign(id, at, self.body.as_bytes()).unwrap();
        header("webhook-signature").split(' ').any(|one| one == signed)
    }
}

type Script = Arc<Mutex<(VecDeque<u16>, Vec<Got>)>>;

/// Answers with the statuses that it was given, one for each call, then always 200.
pub struct Receiver {
    pub url: String,
    script: Script,
    serving: JoinHandle<()>,
}

impl Receiver {
    pub async fn answering(statuses: &[u16]) -> Self {
        let script: Script = Arc::new(Mutex::new((statuses.iter().copied().collect(), Vec::new())));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hooks", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(script.clone());
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, script, serving }
    }

    pub fn got(&self) -> Vec<Got> {
        self.script.lock().unwrap().1.clone()
    }

    /// Waits until it was called so many times.
    pub async fn called(&self, times: usize) -> Vec<Got> {
        for _ in 0..2000 {
            let got = self.got();
            if got.len() >= times {
                return got;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("called {} times instead of {times}", self.got().len());
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn answer(State(script): State<Script>, headers: HeaderMap, body: String) -> impl IntoResponse {
    let mut script = script.lock().unwrap();
    script.1.push(Got { headers, body });
    let status = script.0.pop_front().unwrap_or(200);
    (StatusCode::from_u16(status).unwrap(), format!("answered {status}"))
}
