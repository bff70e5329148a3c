//! Somebody who comes from outside, with all rooms of the shop and the middleware around them.

use axum::body::{Body, to_bytes};
use catalog::Catalog;
use http::{HeaderMap, Request, header};
use identity::{Actor, Caller, NewAccount, Role, Roles, Terms};
use kernel::Secret;
use serde_json::Value;
use tower::ServiceExt;
use web::{Stack, Surface};

use super::House;

/// A client of the API and the pages, signed in or not.
pub struct Visitor {
    house: House,
    token: Option<String>,
    actor: Option<Actor>,
}

/// What came back: the status, where it leads, and the body.
pub struct Answer {
    pub status: u16,
    pub to: String,
    pub text: String,
    headers: HeaderMap,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }
}

impl Visitor {
    pub fn stranger(house: &House) -> Self {
        Self { house: house.clone(), token: None, actor: None }
    }

    /// A new account that is signed in.
    pub async fn named(house: &House, name: &str, roles: &[Role]) -> Self {
        let new = NewAccount {
            username: name.to_owned(),
            email: format!("{name}@example.com"),
            password: Secret::new("plum tree 9"),
            display_name: String::new(),
        };
        let terms = Terms { roles: Roles::of(roles), verified: true, easy_password: false };
        house.identity.create_user(&Caller::system(house.clock.now()), new, terms).await.unwrap();
        Self::again(house, name).await
    }

    /// An account that there is, signed in anew.
    pub async fn again(house: &House, name: &str) -> Self {
        let password = Secret::new("plum tree 9");
        let signed_in = house.identity.sign_in(&house.stranger(), name, &password).await.unwrap();
        let token = Some(signed_in.token.secret.expose().to_owned());
        Self { house: house.clone(), token, actor: Some(signed_in.actor) }
    }

    /// The same account inside.
    pub fn caller(&self) -> Caller {
        Caller { ctx: web::Ctx::local(self.house.clock.now()), actor: self.actor.clone() }
    }

    async fn send(&self, method: &str, path: &str, kind: &str, body: String) -> Answer {
        let House { orders, tickets, store, identity, clock, .. } = &self.house;
        let catalog = Catalog::new(store.clone(), identity.clone());
        let routes = orders::routes(orders.clone()).merge(orders::pages(orders.clone()));
        let routes = routes.merge(tickets::routes(tickets.clone())).merge(tickets::pages(tickets.clone()));
        let router = routes.merge(catalog::pages(catalog)).into_router();
        let mut request = Request::builder().method(method).uri(path).header("sec-fetch-site", "same-origin");
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let request = request.header("content-type", kind).body(Body::from(body)).unwrap();
        let stack = Stack::new(Surface::Web, clock.clone());
        let (parts, body) = stack.around(router).oneshot(request).await.unwrap().into_parts();
        let to = parts.headers.get(header::LOCATION).map(|to| to.to_str().unwrap().to_owned());
        let text = String::from_utf8(to_bytes(body, 1 << 20).await.unwrap().to_vec()).unwrap();
        Answer { status: parts.status.as_u16(), to: to.unwrap_or_default(), text, headers: parts.headers }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, "", String::new()).await
    }

    pub async fn json(&self, method: &str, path: &str, body: Value) -> Answer {
        self.send(method, path, "application/json", body.to_string()).await
    }

    /// Sends a form of a page; `fields` is encoded already.
    pub async fn form(&self, path: &str, fields: &str) -> Answer {
        self.send("POST", path, "application/x-www-form-urlencoded", fields.to_owned()).await
    }
}
