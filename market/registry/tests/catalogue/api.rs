#![allow(clippy::unwrap_used, clippy::panic)]
use axum::Router;
use http::Method;
use serde_json::{Value, json};
use store::testing::both;

use crate::bench::{MIGRATIONS, document, found, small_tarball};
use crate::catalogue::Catalogue;

/// Shapes without what differs from run to run.
macro_rules! assert_shape {
    ($name:literal, $value:expr) => {
        let shape: Value = $value;
        insta::with_settings!({ filters => vec![(r#""pkg-[0-9a-f]+""#, r#""pkg-…""#)] }, {
            insta::assert_json_snapshot!($name, shape);
        });
    };
}

#[tokio::test]
async fn shapes_are_those_of_the_contract() {
    both(MIGRATIONS, async |store| {
        let market = Catalogue::new(store).await;
        let ada = market.bench.account("ada").await;
        let fields = json!({"description": "HTTP server and client", "keywords": ["http"], "license": "Apache-2.0",
            "repository": "git+https://example.com/elide/http.git", "homepage": "javascript:alert(1)"});
        market.publish(&ada, "@ada/http", "1.0.0", "", fields.clone()).await;
        market.bench.advance(24);
        market.publish_only(&ada, "@ada/http", "2.0.0", "", fields).await;
        market.download("@ada/http", "2.0.0", 3).await;
        market.bench.registry.star(&crate::bench::caller(&market.bench, &ada).await, registry::Ecosystem::Npm, "@ada/http", true).await.unwrap();

        let details = market.get("/api/packages/@ada/http", "").await.expect(200);
        assert_shape!("details", details.json());
        let same = market.get("/api/packages/@ada%2fhttp?ecosystem=npm", "").await.expect(200);
        assert_eq!(same.body, details.body);
        assert_shape!("versions", market.get("/api/packages/@ada%2Fhttp/versions", "").await.expect(200).json());
        let found = market.settle("", "http", |found| found["total"] == 1).await;
        let mut keys: Vec<_> = found["results"][0].as_object().unwrap().keys().cloned().collect();
        keys.sort();
        assert_eq!(keys, ["description", "downloads", "id", "name", "score", "version"]);
        assert_eq!((found["limit"].clone(), found["offset"].clone()), (json!(100), json!(0)));
        let id = details.json()["id"].as_str().unwrap().to_owned();
        let path = format!("/api/analytics?type=package&id={id}&days=7");
        assert_shape!("analytics", market.get(&path, "").await.expect(200).json());
    })
    .await;
}

#[tokio::test]
async fn a_download_leads_to_the_tarball() {
    both(MIGRATIONS, async |store| {
        let market = Catalogue::new(store).await;
        let ada = market.bench.account("ada").await;
        market.publish(&ada, "@ada/http", "1.0.0", "", json!({})).await;
        for version in ["1.0.0", "latest"] {
            let answer =
                market.get(&format!("/api/packages/@ada/http/{version}/download"), "").await.expect(302);
            let location = answer.header("location").to_owned();
            assert_eq!(location, "http://localhost:4873/npm/@ada/http/-/http-1.0.0.tgz");
            market.bench.get(location.trim_start_matches("http://localhost:4873"), "").await.expect(200);
        }
        let missing = market.get("/api/packages/@ada/http/9.9.9/download", "").await.expect(404).json();
        assert_eq!(missing["code"], "registry.no_version");
    })
    .await;
}

#[tokio::test]
async fn reads_are_not_sent_twice() {
    both(MIGRATIONS, async |store| {
        let market = Catalogue::new(store).await;
        let ada = market.bench.account("ada").await;
        market.publish(&ada, "left-pad", "1.0.0", "", json!({})).await;
        for path in
            ["/api/packages/left-pad", "/api/packages/left-pad/versions", "/api/packages/search?q=left"]
        {
            let first = market.get(path, "").await.expect(200);
            let etag = first.header("etag").to_owned();
            assert!(etag.starts_with('"') && first.header("cache-control") == "private, no-cache");
            let again =
                market.call(Method::GET, path, &[("if-none-match", &etag)], String::new()).await.expect(304);
            assert!(again.body.is_empty());
            market
                .call(Method::GET, path, &[("if-none-match", "\"other\"")], String::new())
                .await
                .expect(200);
        }
    })
    .await;
}

#[tokio::test]
async fn problems_name_the_field() {
    both(MIGRATIONS, async |store| {
        let market = Catalogue::new(store).await;
        for (path, status, pointer) in [
            ("/api/packages/search?limit=101", 422, "/limit"),
            ("/api/packages/search?offset=10001", 422, "/offset"),
            ("/api/analytics?type=service&id=x", 422, "/type"),
            ("/api/analytics?type=package&id=x&days=0", 422, "/days"),
            ("/api/packages/a?ecosystem=basic", 422, "/ecosystem"),
        ] {
            let problem = market.get(path, "").await.expect(status).json();
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{path}");
        }
        for path in [
            "/api/packages/none",
            "/api/packages/none/versions",
            "/api/packages/a/b/c",
            "/api/analytics?type=package&id=pkg-1",
        ] {
            market.get(path, "").await.expect(404);
        }
    })
    .await;
}

#[tokio::test]
async fn strangers_are_refused_and_learn_nothing() {
    both(MIGRATIONS, async |store| {
        let market = Catalogue::new(store).await;
        let (ada, eve) = (market.bench.account("ada").await, market.bench.account("eve").await);
        found(&market.bench, &ada, "acme").await;
        market.publish(&ada, "@acme/secret", "1.0.0", "# Plans", json!({"description": "classified"})).await;
        let id = market.get("/api/packages/@acme/secret", &ada).await.expect(200).json()["id"]
            .as_str()
            .unwrap()
            .to_owned();
        let analytics = format!("/api/analytics?type=package&id={id}");
        for path in [
            "/api/packages/@acme/secret",
            "/api/packages/@acme/secret/versions",
            "/api/packages/@acme/secret/1.0.0/download",
            &analytics,
        ] {
            market.get(path, &ada).await;
            for stranger in ["", eve.as_str()] {
                let problem = market.get(path, stranger).await.expect(404).json();
                assert!(!problem.to_string().contains("classified"), "{path}");
            }
        }
        // The same as for a package that is not there.
        let other = market.get("/api/packages/@acme/nothing", &eve).await.expect(404).json();
        let this = market.get("/api/packages/@acme/secret", &eve).await.expect(404).json();
        assert_eq!(other["detail"], this["detail"]);
        for q in ["secret", "secrte", "classified", "scope:acme", ""] {
            let found = market.get(&format!("/api/packages/search?q={q}"), &eve).await.expect(200).json();
            assert_eq!((found["total"].clone(), found.get("didYouMean")), (json!(0), None), "{q}");
        }
        let body = document("mine", "1.0.0", json!({}));
        let refused = market.post("/api/packages", &[], &body).await.expect(401);
        assert!(refused.header("www-authenticate").starts_with("Bearer"));
    })
    .await;
}

#[tokio::test]
async fn a_publish_document_is_published_once() {
    both(MIGRATIONS, async |store| {
        let market = Catalogue::new(store).await;
        let (ada, eve) = (market.bench.account("ada").await, market.bench.account("eve").await);
        let bearer = format!("Bearer {ada}");
        let headers = [("authorization", bearer.as_str()), ("idempotency-key", "first")];
        let body = document("@ada/tool", "1.0.0", json!({}));
        let first = market.post("/api/packages", &headers, &body).await.expect(201);
        assert_eq!(
            (first.json()["name"].clone(), first.json()["version"].clone()),
            (json!("@ada/tool"), json!("1.0.0"))
        );
        let again = market.post("/api/packages", &headers, &body).await.expect(201);
        assert_eq!((again.header("idempotency-replayed"), &again.body), ("true", &first.body));
        let other = document("@ada/tool", "2.0.0", json!({}));
        market.post("/api/packages", &headers, &other).await.expect(422);
        let twice = market.post("/api/packages", &headers[..1], &body).await.expect(403).json();
        assert_eq!(twice["code"], "registry.version_exists");
        market.get("/api/packages/@ada/tool", "").await.expect(200);

        let foreign = format!("Bearer {eve}");
        let refused =
            market.post("/api/packages", &[("authorization", foreign.as_str())], &other).await.expect(403);
        assert_eq!(refused.json()["code"], "registry.not_yours");
        let bad = market.post("/api/packages", &headers[..1], &json!({"name": "x"})).await.expect(422).json();
        assert_eq!(bad["code"], "request.wrong_field");
    })
    .await;
}

/// A host of tarballs on this machine.
async fn host() -> String {
    let tarball = small_tarball("fetched", "1.0.0");
    let routes = Router::new()
        .route(
            "/fetched.tgz",
            axum::routing::get(move || {
                let tarball = tarball.clone();
                async move { tarball }
            }),
        )
        .route("/moved", axum::routing::get(|| async { axum::response::Redirect::temporary("/fetched.tgz") }))
        .route(
            "/inside",
            axum::routing::get(|| async { axum::response::Redirect::temporary("http://127.0.0.2/x") }),
        )
        .route("/loop", axum::routing::get(|| async { axum::response::Redirect::temporary("/loop") }))
        .route("/text", axum::routing::get(|| async { "no tarball" }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, routes).await });
    format!("http://{address}")
}

#[tokio::test]
async fn a_tarball_is_fetched_from_where_it_may_be() {
    let host = host().await;
    both(MIGRATIONS, async |store| {
        let market = Catalogue::new(store).await;
        let ada = market.bench.account("ada").await;
        let bearer = format!("Bearer {ada}");
        let publish = async |tarball: &str, more: Value| {
            let mut body = json!({"name": "fetched", "version": "1.0.0", "tarball": tarball, "license": "MIT", "description": "From afar"});
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            market.post("/api/packages", &[("authorization", bearer.as_str())], &body).await
        };
        for bad in ["http://example.com/a.tgz", "https://127.0.0.2/a.tgz", "https://169.254.169.254/", "file:///etc/passwd", "nothing"] {
            let problem = publish(bad, json!({})).await.expect(422).json();
            assert_eq!(problem["errors"][0]["pointer"], "/tarball", "{bad}");
        }
        publish(&format!("{host}/inside"), json!({})).await.expect(422);
        publish(&format!("{host}/loop"), json!({})).await.expect(502);
        publish(&format!("{host}/none"), json!({})).await.expect(502);
        publish(&format!("{host}/text"), json!({})).await.expect(400);
        let other = publish(&format!("{host}/fetched.tgz"), json!({"dependencies": {"evil": "1"}})).await.expect(422);
        assert_eq!(other.json()["code"], "registry.other_dependencies");
        let wrong = publish(&format!("{host}/fetched.tgz"), json!({"version": "3.0.0"})).await.expect(400);
        assert_eq!(wrong.json()["code"], "registry.malformed");

        publish(&format!("{host}/moved"), json!({"dependencies": {}})).await.expect(201);
        let details = market.get("/api/packages/fetched", "").await.expect(200).json();
        assert_eq!((details["description"].clone(), details["license"].clone()), (json!("From afar"), json!("MIT")));
    })
    .await;
}

#[test]
fn every_operation_is_described() {
    let document = serde_json::to_value(registry::api::openapi()).unwrap();
    let paths: Vec<_> = document["paths"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(paths.len(), 7, "{paths:?}");
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            assert!(operation["summary"].is_string(), "{method} {path}");
        }
    }
}
