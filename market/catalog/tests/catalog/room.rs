//! The room with people who call it over HTTP.
#![allow(clippy::unwrap_used, clippy::panic)]

use axum::body::Body;
use catalog::Catalog;
use http::{HeaderMap, Request};
use http_body_util::BodyExt;
use identity::{Caller, Cost, Identity, NewAccount, Role, Roles, Settings, Terms};
use kernel::{Clock, Secret};
use serde_json::Value;
use store::Store;
use tower::ServiceExt;

use crate::market::NOW;

const PASSWORD: &str = "plum tree 9";

pub(crate) struct Room {
    pub(crate) store: Store,
    pub(crate) identity: Identity,
    pub(crate) catalog: Catalog,
    clock: Clock,
}

/// An answer: status, headers, and the body as JSON or as text.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    pub(crate) fn id(&self) -> String {
        self.body["id"].as_str().unwrap_or_else(|| panic!("no id in {}", self.text)).to_owned()
    }

    pub(crate) fn etag(&self) -> &str {
        self.headers["etag"].to_str().unwrap()
    }
}

impl Room {
    pub(crate) fn on(store: Store) -> Self {
        let clock = Clock::fixed(NOW);
        let mut settings = Settings::new("http://localhost:8080", Secret::new("a secret of the tests"));
        settings.password_cost = Cost { memory_kib: 64, passes: 1 };
        let identity = Identity::new(store.clone(), clock.clone(), settings);
        let catalog = Catalog::new(store.clone(), identity.clone());
        Self { store, identity, catalog, clock }
    }

    /// The token of a new account with these roles.
    pub(crate) async fn person(&self, name: &str, roles: &[Role]) -> String {
        let new = NewAccount {
            username: name.to_owned(),
            email: format!("{name}@example.com"),
            password: Secret::new(PASSWORD),
            display_name: String::new(),
        };
        let terms = Terms { roles: Roles::of(roles), verified: true, easy_password: false };
        let (system, stranger) = (Caller::system(NOW), Caller::stranger(NOW));
        self.identity.create_user(&system, new, terms).await.unwrap();
        let signed_in = self.identity.sign_in(&stranger, name, &Secret::new(PASSWORD)).await.unwrap();
        signed_in.token.secret.expose().to_owned()
    }

    pub(crate) async fn seller(&self, name: &str) -> String {
        self.person(name, &[Role::User, Role::Publisher]).await
    }

    /// Who comes with this token.
    pub(crate) async fn caller(&self, token: &str) -> Caller {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
        let ctx = web::Ctx::local(NOW);
        let actor = self.identity.resolve(&headers, &ctx).await.unwrap();
        Caller { ctx, actor }
    }

    /// Calls API or page as a client would, with the middleware around it.
    pub(crate) async fn send(
        &self,
        token: Option<&str>,
        request: http::request::Builder,
        body: Body,
    ) -> Answer {
        let routes = catalog::routes::<Catalog>().with_state::<()>(self.catalog.clone());
        let router = routes.merge(catalog::pages(self.catalog.clone())).into_router();
        let router = web::Stack::new(web::Surface::Web, self.clock.clone()).around(router);
        let request = match token {
            Some(token) => request.header("authorization", format!("Bearer {token}")),
            None => request,
        };
        let (parts, body) = router.oneshot(request.body(body).unwrap()).await.unwrap().into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let body = serde_json::from_slice(&bytes).unwrap_or_default();
        Answer { status: parts.status.as_u16(), headers: parts.headers, body, text }
    }

    /// Calls the API; `call` is `POST /api/listings`.
    pub(crate) async fn api(&self, token: Option<&str>, call: &str, body: Option<Value>) -> Answer {
        self.api_with(token, call, &[], body).await
    }

    pub(crate) async fn api_with(
        &self,
        token: Option<&str>,
        call: &str,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> Answer {
        let (method, path) = call.split_once(' ').unwrap();
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        match body {
            Some(body) => {
                let request = request.header("content-type", "application/json");
                self.send(token, request, Body::from(body.to_string())).await
            }
            None => self.send(token, request, Body::empty()).await,
        }
    }

    pub(crate) async fn get(&self, token: Option<&str>, path: &str) -> Answer {
        self.send(token, Request::builder().uri(path).header("accept", "text/html"), Body::empty()).await
    }

    /// Sends a form of a page of ours.
    pub(crate) async fn form(&self, token: &str, path: &str, fields: &[(&str, &str)]) -> Answer {
        let body: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = Request::builder()
            .method("POST")
            .uri(path)
            .header("accept", "text/html")
            .header("sec-fetch-site", "same-origin")
            .header("content-type", "application/x-www-form-urlencoded");
        self.send(Some(token), request, Body::from(body)).await
    }
}
