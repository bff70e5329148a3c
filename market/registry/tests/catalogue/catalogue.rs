//! A market with a search, its API and its pages, and a visitor.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::{Extension, Router};
use http::{Method, Request};
use http_body_util::BodyExt;
use registry::Settings;
use scraper::{Html, Selector};
use serde_json::{Value, json};
use store::Store;
use tower::ServiceExt;
use web::face::Site;

use crate::bench::{Answer, Bench, document_with, tarball};

pub(crate) struct Catalogue {
    pub(crate) bench: Bench,
    pub(crate) router: Router,
    keeper: tokio::task::JoinHandle<()>,
}

impl Drop for Catalogue {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

impl Catalogue {
    pub(crate) async fn new(store: Store) -> Self {
        let settings = Settings {
            public_url: Some("http://localhost:4873".to_owned()),
            fetch_hosts: vec!["127.0.0.1".to_owned()],
            ..Settings::default()
        };
        let bench = Bench::with(store, settings).await;
        let (search, clock) = (bench.registry.search().clone(), bench.clock.clone());
        let keeper = tokio::spawn(async move {
            search.keep_current(clock).await;
        });
        let routes = registry::page::routes(bench.registry.clone())
            .merge(registry::api::routes(bench.registry.clone()));
        let routes = routes.into_router().layer(Extension(Arc::new(Site::new("Fondaco"))));
        let router = web::Stack::new(web::Surface::Web, bench.clock.clone()).around(routes);
        Self { bench, router, keeper }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header("host", "localhost:8080");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(Body::from(body)).unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str, token: &str) -> Answer {
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str())];
        self.call(Method::GET, path, if token.is_empty() { &[] } else { &headers }, String::new()).await
    }

    pub(crate) async fn page(&self, path: &str, token: &str) -> Html {
        let answer = self.get(path, token).await.expect(200);
        assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
        assert!(answer.header("content-security-policy").contains("script-src 'self'"));
        Html::parse_document(&String::from_utf8(answer.body).unwrap())
    }

    pub(crate) async fn form(&self, path: &str, token: &str, fields: &[(&str, &str)]) -> Answer {
        let body: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let bearer = format!("Bearer {token}");
        let kind = ("content-type", "application/x-www-form-urlencoded");
        let headers = [kind, ("authorization", bearer.as_str())];
        self.call(Method::POST, path, if token.is_empty() { &headers[..1] } else { &headers }, body).await
    }

    pub(crate) async fn post(&self, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
        self.call(Method::POST, path, headers, body.to_string()).await
    }

    /// Publishes a package whose manifest has these members, and waits until it can be found by who published it.
    pub(crate) async fn publish(&self, token: &str, name: &str, version: &str, readme: &str, fields: Value) {
        self.publish_only(token, name, version, readme, fields).await;
        self.settle(token, name, |found| {
            found["results"].as_array().unwrap().iter().any(|one| one["name"] == name)
        })
        .await;
    }

    pub(crate) async fn publish_only(
        &self,
        token: &str,
        name: &str,
        version: &str,
        readme: &str,
        fields: Value,
    ) {
        let own = json!({"name": name, "version": version}).to_string();
        let files = [("package/package.json", own.as_bytes()), ("package/README.md", readme.as_bytes())];
        let document = document_with(name, version, fields, &tarball(&files));
        self.bench.put(&format!("/npm/{}", name.replace('/', "%2f")), token, document).await.expect(201);
    }

    /// Asks the search until its answer is as it should be: the index follows the log a moment later.
    pub(crate) async fn settle(&self, token: &str, q: &str, right: impl Fn(&Value) -> bool) -> Value {
        let path = format!("/api/packages/search?limit=100&q={}", q.replace('&', "%26").replace(' ', "+"));
        for _ in 0..200 {
            let found = self.get(&path, token).await.expect(200).json();
            if right(&found) {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("the search for {q} never became right");
    }

    /// Counts downloads as the tarball route does.
    pub(crate) async fn download(&self, name: &str, version: &str, times: usize) {
        let file = format!("{}-{version}.tgz", name.rsplit('/').next().unwrap());
        for _ in 0..times {
            self.bench.get(&format!("/npm/{name}/-/{file}"), "").await.expect(200);
        }
        self.bench.registry.flush_downloads().await.unwrap();
    }
}

/// The texts of what a selector finds, with single spaces.
pub(crate) fn texts(page: &Html, selector: &str) -> Vec<String> {
    let found = page.select(&Selector::parse(selector).unwrap()).collect::<Vec<_>>();
    found
        .iter()
        .map(|one| one.text().collect::<String>().split_whitespace().collect::<Vec<_>>().join(" "))
        .collect()
}

/// An attribute of each that a selector finds.
pub(crate) fn attributes(page: &Html, selector: &str, name: &str) -> Vec<String> {
    let found = page.select(&Selector::parse(selector).unwrap()).collect::<Vec<_>>();
    found.iter().filter_map(|one| one.value().attr(name).map(str::to_owned)).collect()
}
