//! What the tests of this room stand on: the room on a fresh database with a clock that stands still, and people.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::panic)]

use std::time::Duration;

use identity::{Caller, Cost, Identity, NewAccount, Role, Roles, Settings, Terms, Via};
use kernel::{Clock, Secret, Timestamp};
use store::{Migrations, Store};
use web::Ctx;

pub const START: Timestamp = Timestamp::from_secs(1_800_000_000);
pub const PASSWORD: &str = "plum tree 9";

pub fn migrations() -> [Migrations; 4] {
    [web::MIGRATIONS, jobs::MIGRATIONS, events::MIGRATIONS, identity::MIGRATIONS]
}

pub struct Room {
    pub identity: Identity,
    pub clock: Clock,
    pub store: Store,
}

impl Room {
    pub fn on(store: Store) -> Self {
        Self::with(store, |_| {})
    }

    pub fn with(store: Store, change: impl FnOnce(&mut Settings)) -> Self {
        let clock = Clock::fixed(START);
        let mut settings = Settings::new("https://market.example.com", Secret::new("a secret of the tests"));
        settings.password_cost = Cost { memory_kib: 64, passes: 1 };
        change(&mut settings);
        Self { identity: Identity::new(store.clone(), clock.clone(), settings), clock, store }
    }

    pub fn stranger(&self) -> Caller {
        Caller::stranger(self.clock.now())
    }

    pub fn system(&self) -> Caller {
        Caller::system(self.clock.now())
    }

    pub fn later(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// Registers `name` and answers who that is, signed in with the token of the registration.
    pub async fn person(&self, name: &str) -> Caller {
        let made = self.identity.register(&self.stranger(), account(name)).await.unwrap();
        self.bearer(made.token.secret.expose()).await
    }

    /// Makes an operator, signed in with everything an operator may.
    pub async fn admin(&self, name: &str) -> Caller {
        let roles = Roles::of(&[Role::User, Role::Publisher, Role::Admin]);
        let terms = Terms { roles, verified: true, easy_password: false };
        self.identity.create_user(&self.system(), account(name), terms).await.unwrap();
        let signed_in = self.identity.sign_in(&self.stranger(), name, &Secret::new(PASSWORD)).await.unwrap();
        self.bearer(signed_in.token.secret.expose()).await
    }

    /// Who comes with this token.
    pub async fn bearer(&self, token: &str) -> Caller {
        let actor = self.try_bearer(token).await.unwrap();
        assert!(!matches!(actor.as_ref().unwrap().via, Via::System));
        Caller { ctx: Ctx::local(self.clock.now()), actor }
    }

    pub async fn try_bearer(&self, token: &str) -> Result<Option<identity::Actor>, identity::IdentityError> {
        let mut headers = http::HeaderMap::new();
        headers.insert(http::header::AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
        self.identity.resolve(&headers, &Ctx::local(self.clock.now())).await
    }
}

pub fn account(name: &str) -> NewAccount {
    NewAccount {
        username: name.to_owned(),
        email: format!("{name}@example.com"),
        password: Secret::new(PASSWORD),
        display_name: String::new(),
    }
}

/// A request to the JSON API and its answer: status, headers, JSON body.
pub struct Answer {
    pub status: u16,
    pub headers: http::HeaderMap,
    pub body: serde_json::Value,
}

impl Room {
    /// Calls the API as a client would, with the middleware around it.
    pub async fn call(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        headers: &[(&str, &str)],
        body: Option<serde_json::Value>,
    ) -> Answer {
        use http_body_util::BodyExt;
        use tower::ServiceExt;
        let router = identity::routes().with_state::<()>(self.identity.clone()).into_router();
        let router = web::Stack::new(web::Surface::Api, self.clock.clone()).around(router);
        let mut request = http::Request::builder().method(method).uri(path);
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = match body {
            Some(body) => request
                .header("content-type", "application/json")
                .body(axum::body::Body::from(body.to_string())),
            None => request.body(axum::body::Body::empty()),
        };
        let response = router.oneshot(request.unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let body = serde_json::from_slice(&bytes).unwrap_or_default();
        Answer { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    /// Registers `name` over the API and answers the token.
    pub async fn register(&self, name: &str) -> String {
        let body = serde_json::json!({
            "username": name, "email": format!("{name}@example.com"), "password": PASSWORD
        });
        let answer = self.call("POST", "/api/auth/register", None, &[], Some(body)).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        answer.body["token"].as_str().unwrap().to_owned()
    }

    /// An operator's token.
    pub async fn admin_token(&self, name: &str) -> String {
        self.admin(name).await;
        let signed_in = self.identity.sign_in(&self.stranger(), name, &Secret::new(PASSWORD)).await.unwrap();
        signed_in.token.secret.expose().to_owned()
    }
}
