//! The real orders, payments and billing around the market of the other tests, with the sandbox as bank.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::panic)]

use std::collections::HashMap;
use std::time::Duration;

use axum::body::Body;
use billing::{Billing, Subscription};
use catalog::Catalog;
use events::{Audience, DomainEvent, Log, Position};
use identity::{Actor, Caller, Identity, NewAccount, Role, Roles, Terms, UserId};
use kernel::{Clock, Paging, Secret};
use orders::{NewRefund, OrderId, Orders, What};
use payments::{NewMethod, Payments, Source};
use services::{DeploymentId, NewDeployment, ServiceError, Services, Settings};
use store::{Migrations, Store, StoreError, Tx, sql};
use tower::ServiceExt as _;
use web::idempotency::Key;

use crate::market::{self, Market, request, wanted};

sql! {
    LIST_MAILS = "select payload from job where kind = 'services.mail' order by id";
}

const PASSWORD: &str = "plum tree 9";

pub fn migrations() -> Vec<Migrations> {
    vec![
        web::MIGRATIONS,
        jobs::MIGRATIONS,
        blobs::MIGRATIONS,
        events::MIGRATIONS,
        identity::MIGRATIONS,
        ledger::MIGRATIONS,
        catalog::MIGRATIONS,
        payments::MIGRATIONS,
        orders::MIGRATIONS,
        billing::MIGRATIONS,
        services::MIGRATIONS,
    ]
}

/// Says how far the log was read.
#[derive(serde::Serialize)]
struct Mark;

impl DomainEvent for Mark {
    const TYPE: &'static str = "test.mark";
    fn subject(&self) -> &str {
        "mark"
    }
    fn version(&self) -> i64 {
        1
    }
    fn audience(&self) -> Audience<'_> {
        Audience::Operators
    }
}

pub struct Bank {
    pub market: Market,
    pub clock: Clock,
    pub identity: Identity,
    people: HashMap<&'static str, UserId>,
    pub services: Services,
    pub catalog: Catalog,
    pub payments: Payments,
    pub orders: Orders,
    pub billing: Billing,
}

impl Bank {
    pub async fn on(store: Store) -> Self {
        let settings = Settings { seller: Some("house".to_owned()), ..Settings::default() };
        let mut market = Market::with(store.clone(), settings).await;
        let clock = market.clock.clone();
        let of = identity::Settings::new("http://localhost:8080", Secret::new("a secret of the tests"));
        let identity = Identity::new(store.clone(), clock.clone(), of);
        let of = payments::Settings::new("http://localhost:8080").with_sandbox();
        let payments = Payments::new(store.clone(), clock.clone(), identity.clone(), of).unwrap();
        let of = orders::Settings::default();
        let orders = Orders::new(store.clone(), clock.clone(), identity.clone(), payments.clone(), of);
        let (s, c, i) = (store.clone(), clock.clone(), identity.clone());
        let of = billing::Settings::new("http://localhost:8080");
        let billing = Billing::new(s, c, i, orders.clone(), payments.clone(), of);
        let catalog = Catalog::new(store.clone(), identity.clone());
        market.services = market.services.sold_by(orders.clone(), billing.clone());
        let services = market.services.clone();
        let mut people = HashMap::new();
        for name in ["house", "ada", "bob"] {
            let new = NewAccount {
                username: name.to_owned(),
                email: format!("{name}@example.com"),
                password: Secret::new(PASSWORD),
                display_name: String::new(),
            };
            let terms = Terms { roles: Roles::of(&[Role::User]), verified: true, easy_password: false };
            let by = Caller::system(clock.now());
            people.insert(name, identity.create_user(&by, new, terms).await.unwrap());
        }
        services.put_on_sale().await.unwrap();
        Self { market, clock, identity, people, services, catalog, payments, orders, billing }
    }

    pub fn person(&self, name: &str) -> Caller {
        let by = market::person(name, self.clock.now());
        let actor = by.actor.map(|actor| Actor { user: self.people[name].clone(), ..actor });
        Caller { actor, ..by }
    }

    /// What the page answers to a form of somebody's: the status and where it leads.
    pub async fn sends(&self, name: &str, path: &str, form: &str) -> (u16, String) {
        let stranger = Caller::stranger(self.clock.now());
        let signed_in = self.identity.sign_in(&stranger, name, &Secret::new(PASSWORD)).await.unwrap();
        let request = http::Request::post(path)
            .header("accept", "text/html")
            .header("content-type", "application/x-www-form-urlencoded")
            .header("authorization", format!("Bearer {}", signed_in.token.secret.expose()));
        let pages = services::pages(self.services.clone()).merge(orders::pages(self.orders.clone()));
        let router = web::Stack::new(web::Surface::Web, self.clock.clone()).around(pages.into_router());
        let answer = router.oneshot(request.body(Body::from(form.to_owned())).unwrap()).await.unwrap();
        let to = answer.headers().get("location").map_or("", |to| to.to_str().unwrap());
        (answer.status().as_u16(), to.to_owned())
    }

    fn operator(&self) -> Caller {
        let by = self.person("house");
        let actor = by.actor.map(|actor| Actor { roles: Roles::of(&[Role::Admin]), ..actor });
        Caller { actor, ..by }
    }

    /// Pays with a saved card of the sandbox.
    pub async fn pay(&self, by: &Caller, order: &OrderId) {
        let mut methods = self.payments.methods(by, None).await.unwrap();
        if methods.is_empty() {
            let card = NewMethod::Token("tok_visa".to_owned());
            self.payments.add_method(by, None, &card, true, Key(None)).await.unwrap();
            methods = self.payments.methods(by, None).await.unwrap();
        }
        let source = Source::Method(methods[0].id.clone());
        self.orders.pay(by, order, source, None).await.unwrap();
        self.clock.advance(Duration::from_secs(5));
        self.payments.sweep().await.unwrap();
        self.follow().await;
    }

    /// A deployment of the paid plan.
    pub async fn deployed(&self, by: &Caller, name: &str) -> (DeploymentId, OrderId) {
        let asked = self.services.deploy(by, paid(name), request()).await.unwrap_err();
        let ServiceError::ToPay(to_pay) = asked else { panic!("{asked:?}") };
        self.pay(by, &to_pay.order).await;
        self.settle().await;
        let list = self.services.list(by, None, Paging::default()).await.unwrap();
        (list.items[0].id.clone(), to_pay.order)
    }

    /// Takes the money back, as an operator.
    pub async fn refund(&self, order: &OrderId) {
        let new = NewRefund { what: What::Whole, give_back: true, reason: "as asked".to_owned() };
        self.orders.refund(&self.operator(), order, new).await.unwrap();
        self.follow().await;
    }

    /// Lets the billing hear what happened.
    pub async fn follow(&self) {
        // On PostgreSQL an event is seen when all older transactions of the whole server are over.
        let now = self.clock.now();
        let mark = async move |tx: &mut Tx| events::append(tx, now, &Mark).await;
        let mark = self.market.store.write(mark).await.unwrap();
        let (log, mut after) = (Log::new(self.market.store.clone()), Position::START);
        for _ in 0..5_000 {
            let some = log.after(after).await.unwrap();
            if some.iter().any(|event| event.id == mark) {
                break;
            }
            match some.last() {
                Some(last) => after = last.position,
                None => tokio::time::sleep(Duration::from_millis(4)).await,
            }
        }
        while self.billing.follow().await.unwrap() > 0 {}
    }

    /// The same by the address of the checkout.
    pub async fn refund_of(&self, checkout: &str) {
        self.clock.advance(Duration::from_secs(5));
        self.payments.sweep().await.unwrap();
        self.refund(&checkout.trim_start_matches("/checkout/").parse().unwrap()).await;
    }

    /// What the orchestrator does beside containers; gives how much that was at first.
    pub async fn settle(&self) -> usize {
        self.follow().await;
        let done = self.services.settle_paid().await.unwrap();
        self.services.tell_usage().await.unwrap();
        done
    }

    /// Lets time go by in which everything that is due is done.
    pub async fn later(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
        for _ in 0..5 {
            self.follow().await;
            self.billing.sweep().await.unwrap();
        }
        self.settle().await;
    }

    pub async fn subscription(&self, by: &Caller) -> Subscription {
        let paging = Paging { limit: 10, offset: 0 };
        let filter = billing::Filter::default();
        self.billing.list(by, billing::Side::Buyer, filter, paging).await.unwrap().items.remove(0)
    }

    /// The subjects of what was written to owners.
    pub async fn mails(&self) -> Vec<String> {
        let list = async |tx: &mut Tx| tx.all::<(String,)>(&LIST_MAILS, &[]).await;
        let mails = self.market.store.read::<_, _, StoreError>(list).await.unwrap();
        let subject = |(payload,): (String,)| {
            let payload: serde_json::Value = serde_json::from_str(&payload).unwrap();
            payload["subject"].as_str().unwrap().to_owned()
        };
        mails.into_iter().map(subject).collect()
    }
}

pub fn paid(name: &str) -> NewDeployment {
    NewDeployment { plan: Some("paid".into()), ..wanted(name) }
}

pub fn metered(name: &str) -> NewDeployment {
    NewDeployment { plan: Some("hourly".into()), ..wanted(name) }
}
