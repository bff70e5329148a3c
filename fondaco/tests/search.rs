//! What the demo shows at once: a search over packages, listings and events, and a subscription in its trial.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use axum::body::Body;
use fondaco::config::Sources;
use fondaco::data::DataDir;
use fondaco::rooms::{Addresses, Rooms};
use fondaco::serve::Surfaces;
use http::{Request, header};
use http_body_util::BodyExt;
use kernel::Secret;
use metrics_exporter_prometheus::PrometheusBuilder;
use tower::ServiceExt;

struct Program {
    surfaces: Surfaces,
    token: String,
    index: tokio::task::JoinHandle<std::convert::Infallible>,
    _folder: tempfile::TempDir,
}

impl Drop for Program {
    fn drop(&mut self) {
        self.index.abort();
    }
}

impl Program {
    /// A market with the demo's data, and its user signed in.
    async fn demo() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().display().to_string();
        let flags = vec![
            ("server.data_dir", "--data-dir", place),
            ("limits.rates", "--rate-limits", "off".to_owned()),
        ];
        let config = Sources { flags, environment: Default::default(), file: None }.load().unwrap().config;
        let data = DataDir::open(folder.path()).unwrap();
        let addresses = Addresses::of(&config);
        let rooms = Rooms::open(&config, &data, &addresses).await.unwrap();
        fondaco::demo::fill(&rooms).await.unwrap();
        let stranger = identity::Caller::stranger(rooms.clock.now());
        let signed_in = rooms.identity.sign_in(&stranger, "demo", &Secret::new("demo123")).await.unwrap();
        let search = rooms.registry.search().clone();
        let index = tokio::spawn(search.clone().keep_current(rooms.clock.clone()));
        let packages = rooms.registry.viewer(&stranger).await.unwrap();
        while search.summary(&packages).await.is_err() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        let metrics = PrometheusBuilder::new().build_recorder().handle();
        let surfaces = Surfaces::new(&config, &rooms, &addresses, &metrics, true);
        let token = signed_in.token.secret.expose().to_owned();
        Self { surfaces, token, index, _folder: folder }
    }

    async fn get(&self, path: &str, token: Option<&str>) -> String {
        let mut request = Request::get(path);
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = request.body(Body::empty()).unwrap();
        let response = self.surfaces.everything().oneshot(request).await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        let body = response.into_body().collect().await.unwrap().to_bytes();
        String::from_utf8_lossy(&body).into_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_finds_packages_listings_and_events() {
    let program = Program::demo().await;
    let router = program.get("/search?q=router", None).await;
    assert!(router.contains("@elide/router") && router.contains("Router workshop, live"));
    assert!(router.contains("id=\"found-listings\"") && !router.contains("id=\"found-events\""));
    let concert = program.get("/search?q=quartets", None).await;
    assert!(concert.contains("id=\"found-events\"") && concert.contains("href=\"/events/event-"));
    assert!(concert.contains("No package fits"));
    for packages_only in ["/search?q=router&license=MIT", "/packages?q=router", "/search?q=zzzzzz", "/search"]
    {
        let page = program.get(packages_only, None).await;
        assert!(!page.contains("found-listings") && !page.contains("found-events"), "{packages_only}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_has_a_subscription_in_its_trial() {
    let program = Program::demo().await;
    let list = program.get("/api/billing/subscriptions", Some(&program.token)).await;
    let list: serde_json::Value = serde_json::from_str(&list).unwrap();
    assert_eq!(list["total"], 1, "{list}");
    assert!(list.to_string().contains("\"trialing\""), "{list}");
    assert!(
        program.get("/billing", Some(&program.token)).await.contains("Help from the people who wrote it")
    );
    let sold = program.get("/sell/subscriptions?org=elide", Some(&program.token)).await;
    assert!(sold.contains("Help from the people who wrote it"));
}
