//! What happens around every handler.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::num::NonZeroU32;
use std::sync::Arc;

use axum::response::{Html, IntoResponse};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use kernel::{Clock, Problem};
use serde::Deserialize;
use tower::ServiceExt;
use web::{Access, Ctx, Failure, Json, Limits, Quota, Routes, Stack, Surface};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Greeting {
    name: String,
}

fn stack() -> Stack {
    Stack::new(Surface::Web, Clock::system())
}

fn app(stack: Stack) -> axum::Router {
    let routes = Routes::<()>::new()
        .get("/ok", Access::Public, async || "fine")
        .get("/gone", Access::Public, async || -> Result<(), Failure> {
            Err(Problem::gone("thing.gone", "It was here.").next("Look elsewhere.").into())
        })
        .get("/panic", Access::Public, async || -> &'static str { panic!("on purpose") })
        .get("/id", Access::Public, async |ctx: Ctx| ctx.request_id.to_string())
        .post("/greet", Access::Account, async |Json(greeting): Json<Greeting>| greeting.name);
    assert_eq!(routes.table().len(), 5);
    stack.around(routes.into_router())
}

async fn send(app: &axum::Router, request: http::request::Builder, body: &str) -> (Response<()>, String) {
    let request: Request<axum::body::Body> = request.body(body.to_owned().into()).unwrap();
    let (parts, body) = app.clone().oneshot(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (Response::from_parts(parts, ()), String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn a_problem_is_told_in_the_form_of_rfc_9457() {
    let (answer, body) =
        send(&app(stack()), Request::get("/gone").header("x-request-id", "trace-123"), "").await;
    assert_eq!(answer.status(), StatusCode::GONE);
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    assert_eq!(answer.headers()["x-request-id"], "trace-123");
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        body,
        serde_json::json!({"type": "/docs/problems/thing.gone", "title": "Gone", "status": 410,
            "detail": "It was here.", "code": "thing.gone", "next": "Look elsewhere.", "requestId": "trace-123"})
    );
}

#[tokio::test]
async fn a_browser_gets_a_page_and_a_program_does_not() {
    let mut stack = stack();
    stack.problem_page = Some(Arc::new(|problem, _, _| {
        (StatusCode::GONE, Html(format!("<h1>{}</h1>", problem.title()))).into_response()
    }));
    let app = app(stack);
    let (answer, body) = send(&app, Request::get("/gone").header("accept", "text/html,*/*"), "").await;
    assert_eq!((answer.status(), body.as_str()), (StatusCode::GONE, "<h1>Gone</h1>"));
    let (_, body) = send(&app, Request::get("/gone").header("accept", "*/*"), "").await;
    assert!(body.starts_with('{'));
}

#[tokio::test]
async fn a_panic_is_a_500_and_the_next_request_is_served() {
    let app = app(stack());
    let (answer, body) = send(&app, Request::get("/panic"), "").await;
    assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert!(body.contains("request.panicked") && !body.contains("on purpose"));
    assert_eq!(send(&app, Request::get("/ok"), "").await.1, "fine");
}

#[tokio::test]
async fn bodies_that_do_not_fit_name_what_is_wrong() {
    let app = app(stack());
    let greet = || Request::post("/greet").header("content-type", "application/json");
    assert_eq!(send(&app, greet(), r#"{"name":"Ada"}"#).await.1, "Ada");
    for (body, status, word) in [
        (r#"{"name":"Ada","age":3}"#, 422, "age"),
        (r#"{"name":3}"#, 422, "string"),
        (r#"{"name":"#, 400, "JSON"),
        (&format!(r#"{{"name":"{}"}}"#, "x".repeat(2 << 20)), 413, "large"),
    ] {
        let (answer, text) = send(&app, greet(), body).await;
        assert_eq!(answer.status(), status, "{text}");
        assert!(text.contains(word), "{text}");
    }
    assert_eq!(send(&app, Request::post("/greet"), "{}").await.0.status(), 415);
}

#[tokio::test]
async fn forms_of_other_sites_are_refused() {
    let foreign = Request::post("/greet")
        .header("content-type", "application/json")
        .header("cookie", "fondaco_session=abc")
        .header("sec-fetch-site", "cross-site");
    assert_eq!(send(&app(stack()), foreign, r#"{"name":"Ada"}"#).await.0.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn too_many_requests_are_told_when_to_come_back() {
    let mut stack = stack();
    let two = NonZeroU32::new(2).unwrap();
    stack.limits = Limits::per_client(Quota { per_minute: two, burst: two });
    let app = app(stack);
    let (first, _) = send(&app, Request::get("/ok"), "").await;
    assert_eq!(first.headers()["ratelimit-policy"], "\"default\";q=2;w=60");
    assert!(first.headers()["ratelimit"].to_str().unwrap().contains("r=1"));
    send(&app, Request::get("/ok"), "").await;
    let (third, body) = send(&app, Request::get("/ok"), "").await;
    assert_eq!(third.status(), StatusCode::TOO_MANY_REQUESTS, "{body}");
    let wait: u64 = third.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=31).contains(&wait), "{wait}");
}

#[tokio::test]
async fn only_listed_origins_may_call_from_a_script() {
    let mut stack = stack();
    stack.cors_origins = vec!["https://shop.example.com".parse().unwrap()];
    let app = app(stack);
    let ask = |origin| Request::get("/ok").header("origin", origin);
    let (listed, _) = send(&app, ask("https://shop.example.com"), "").await;
    assert_eq!(listed.headers()["access-control-allow-origin"], "https://shop.example.com");
    let (other, _) = send(&app, ask("https://evil.example.com"), "").await;
    assert!(!other.headers().contains_key("access-control-allow-origin"));
    let preflight = Request::options("/greet")
        .header("origin", "https://shop.example.com")
        .header("access-control-request-method", "POST");
    assert_eq!(send(&app, preflight, "").await.0.status(), StatusCode::NO_CONTENT);
}
