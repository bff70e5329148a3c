//! What must hold for everything at once: every statement prepares on both databases, every route refuses a
//! stranger unless it says that it is public, and the API's description has every path of the API.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;

use axum::body::Body;
use fondaco::config::Sources;
use fondaco::data::DataDir;
use fondaco::rooms::{Addresses, MIGRATIONS, Rooms};
use fondaco::serve::Surfaces;
use http::{Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use metrics_exporter_prometheus::PrometheusBuilder;
use store::{StoreError, Tx, testing};
use tower::ServiceExt;
use web::{Access, Route};

struct Program {
    surfaces: Surfaces,
    rooms: Rooms,
    _folder: tempfile::TempDir,
}

async fn program() -> Program {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().display().to_string();
    let flags =
        vec![("server.data_dir", "--data-dir", place), ("limits.rates", "--rate-limits", "off".to_owned())];
    let sources = Sources { flags, environment: Default::default(), file: None };
    let config = sources.load().unwrap().config;
    let data = DataDir::open(folder.path()).unwrap();
    let addresses = Addresses::of(&config);
    let rooms = Rooms::open(&config, &data, &addresses).await.unwrap();
    let metrics = PrometheusBuilder::new().build_recorder().handle();
    let surfaces = Surfaces::new(&config, &rooms, &addresses, &metrics, false);
    Program { surfaces, rooms, _folder: folder }
}

impl Program {
    /// Sends a request that fits every route's form as far as a stranger can know it.
    async fn knock(&self, route: &Route, token: Option<&str>) -> (StatusCode, String) {
        let path = route
            .path
            .split('/')
            .map(|part| if part.starts_with('{') { "something" } else { part })
            .collect::<Vec<_>>()
            .join("/");
        let mut request = Request::builder().method(route.method.clone()).uri(&path);
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let is_api = path.starts_with("/api/");
        let (kind, body) = match (&route.method, is_api) {
            (&Method::GET | &Method::DELETE, _) => ("", ""),
            (_, true) => ("application/json", "{}"),
            (_, false) => ("application/x-www-form-urlencoded", ""),
        };
        if !kind.is_empty() {
            request = request.header(header::CONTENT_TYPE, kind);
        }
        let response =
            self.surfaces.everything().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
        let status = response.status();
        let to = response.headers().get(header::LOCATION).map(|to| to.to_str().unwrap().to_owned());
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, to.unwrap_or_else(|| String::from_utf8_lossy(&body).into_owned()))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_statement_prepares_on_both_databases() {
    testing::both(MIGRATIONS, async |store| {
        let prepare = async |tx: &mut Tx| {
            let mut wrong = Vec::new();
            for sql in store::SQL.iter().filter(|sql| !sql.module().contains("tests")) {
                if let Err(error) = tx.prepare(sql).await {
                    wrong.push(format!("{}::{}: {error}", sql.module(), sql.name()));
                    break;
                }
            }
            Ok::<_, StoreError>((store::SQL.len(), wrong))
        };
        let (count, wrong) = store.read(prepare).await.unwrap();
        assert!(wrong.is_empty(), "{wrong:#?}");
        assert!(count > 100, "the statements of all rooms are linked in: {count}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_door_is_closed_to_a_stranger() {
    let program = program().await;
    let table = program.surfaces.table();
    assert!(table.len() > 40, "the rooms' routes are all here: {}", table.len());
    let mut open = Vec::new();
    for route in table.iter().filter(|route| route.access != Access::Public) {
        let (status, said) = program.knock(route, None).await;
        let led_to_sign_in = status.is_redirection() && said.starts_with("/login");
        if status != StatusCode::UNAUTHORIZED && !led_to_sign_in {
            open.push(format!("{} {} answered {status}: {:.200}", route.method, route.path, said));
        }
    }
    assert!(open.is_empty(), "{open:#?}");
}

impl Program {
    async fn ada(&self) -> identity::Registered {
        let by = identity::Caller::system(self.rooms.clock.now());
        let new = identity::NewAccount {
            username: "ada".to_owned(),
            email: "ada@example.com".to_owned(),
            password: kernel::Secret::new("correct horse battery staple"),
            display_name: String::new(),
        };
        self.rooms.identity.register(&by, new).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_stops_a_job_and_has_it_tried_again() {
    let program = program().await;
    let ada = program.ada().await;
    let by = identity::Caller::system(program.rooms.clock.now());
    let roles = identity::Roles::of(&[identity::Role::Admin]);
    program.rooms.identity.set_roles(&by, ada.user.clone(), roles).await.unwrap();
    let now = program.rooms.clock.now();
    let enqueue = async move |tx: &mut Tx| {
        let job = jobs::NewJob::new("test.work", &"payload").map_err(|_| StoreError::Closed)?;
        jobs::enqueue(tx, &job, now).await
    };
    let id = program.rooms.store.write(enqueue).await.unwrap();
    let send = async |method: Method, path: String, body: &'static str| {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::AUTHORIZATION, format!("Bearer {}", ada.token.secret.expose()))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let response =
            program.surfaces.everything().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8_lossy(&body).into_owned())
    };
    for (change, state) in [("change=cancel", "Cancelled"), ("change=retry", "Waiting")] {
        let (status, said) = send(Method::POST, format!("/operator/jobs/{id}"), change).await;
        assert_eq!(status, StatusCode::SEE_OTHER, "{said}");
        let (status, page) = send(Method::GET, "/operator/jobs".to_owned(), "").await;
        assert_eq!(status, StatusCode::OK);
        let row = page.split("test.work").nth(1).unwrap().split("</tr>").next().unwrap();
        assert!(row.contains(state), "{row}");
        assert!(!page.contains("payload"), "what a job is about is nobody's business");
    }
    let (status, _) = send(Method::POST, format!("/operator/jobs/{id}"), "change=retry").await;
    assert_eq!(status, StatusCode::CONFLICT, "it waits already");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_does_the_same_over_the_api() {
    let program = program().await;
    let ada = program.ada().await;
    let by = identity::Caller::system(program.rooms.clock.now());
    let roles = identity::Roles::of(&[identity::Role::Admin]);
    program.rooms.identity.set_roles(&by, ada.user.clone(), roles).await.unwrap();
    let now = program.rooms.clock.now();
    let enqueue = async move |tx: &mut Tx| {
        let job = jobs::NewJob::new("test.work", &"payload").map_err(|_| StoreError::Closed)?;
        jobs::enqueue(tx, &job, now).await
    };
    let id = program.rooms.store.write(enqueue).await.unwrap();
    let send = async |method: Method, path: &str| {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::AUTHORIZATION, format!("Bearer {}", ada.token.secret.expose()));
        let response =
            program.surfaces.everything().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice::<serde_json::Value>(&body).unwrap())
    };
    let list = "/api/operator/jobs?kind=test.work&state=";
    assert_eq!(send(Method::GET, &format!("{list}waiting")).await.1["items"][0]["id"], id.as_str());
    let (status, job) = send(Method::POST, &format!("/api/operator/jobs/{id}/cancel")).await;
    assert_eq!((status, &job["state"]), (200, &"cancelled".into()), "{job}");
    assert_eq!(send(Method::GET, &format!("{list}waiting")).await.1["total"], 0);
    let (status, told) = send(Method::POST, &format!("/api/operator/jobs/{id}/cancel")).await;
    assert_eq!((status, &told["code"]), (409, &"jobs.wrong_state".into()));
    let (status, job) = send(Method::POST, &format!("/api/operator/jobs/{id}/retry")).await;
    assert_eq!((status, &job["state"]), (200, &"waiting".into()), "{job}");
    assert!(!job.to_string().contains("payload"), "what a job is about is nobody's business");
    assert_eq!(send(Method::GET, &format!("{list}asleep")).await.0, 422);
    assert_eq!(send(Method::POST, "/api/operator/jobs/something/retry").await.0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_doors_are_closed_to_everybody_else() {
    let program = program().await;
    let ada = program.ada().await;
    for route in program.surfaces.table().iter().filter(|route| route.access == Access::Operator) {
        let (status, said) = program.knock(route, Some(ada.token.secret.expose())).await;
        // A body that cannot be read is refused before anybody asks who sent it; nothing is done either way.
        let unread = status == StatusCode::UNPROCESSABLE_ENTITY && said.contains("request.wrong_field");
        // Who may not see an account is told that there is none.
        let hidden = status == StatusCode::NOT_FOUND && route.path.contains("{id}");
        assert!(
            status == StatusCode::FORBIDDEN || unread || hidden,
            "{} {}: {status} {said:.200}",
            route.method,
            route.path
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_description_has_every_path_of_the_api() {
    let program = program().await;
    let ask = Route { method: Method::GET, path: "/openapi.json", access: Access::Public };
    let (status, text) = program.knock(&ask, None).await;
    assert_eq!(status, StatusCode::OK);
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let mut described = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            assert!(operation["summary"].is_string(), "{method} {path} has no summary");
            described.insert(format!("{} {path}", method.to_uppercase()));
        }
    }
    let served = program.surfaces.table().iter().filter(|route| route.path.starts_with("/api/"));
    // A route that takes names with slashes apart itself stands for several described paths.
    let missing: Vec<_> = served
        .filter(|route| !route.path.contains("{*"))
        .map(|route| format!("{} {}", route.method, route.path))
        .filter(|route| !described.contains(route))
        .collect();
    assert!(missing.is_empty(), "{missing:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_problem_is_explained_on_a_page() {
    let program = program().await;
    let read = async |path: String| {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = program.surfaces.everything().oneshot(request).await.unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8_lossy(&body).into_owned())
    };
    let (_, index) = read("/docs/problems".to_owned()).await;
    assert!(kernel::PROBLEMS.len() > 70, "the rooms' problems are linked in: {}", kernel::PROBLEMS.len());
    for kind in kernel::PROBLEMS.iter() {
        let path = format!("/docs/problems/{}", kind.code);
        assert!(index.contains(&path), "{path}");
        let (status, page) = read(path).await;
        assert_eq!(status, StatusCode::OK, "{}", kind.code);
        for text in [kind.means, kind.safe, kind.next] {
            assert!(text.ends_with('.') && !text.contains('!'), "{}: {text}", kind.code);
            let shown = text.replace('&', "&#38;").replace('\'', "&#39;").replace('"', "&#34;");
            assert!(page.contains(&shown), "{}: {text}", kind.code);
        }
    }
    assert_eq!(read("/docs/problems/no.such_code".to_owned()).await.0, StatusCode::NOT_FOUND);
}
