//! A page of another crate: its template extends a layout of this one and uses its parts.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::body::Body;
use http::{Request, StatusCode, header};
use http_body_util::BodyExt;
use kernel::Timestamp;
use tower::ServiceExt;
use web::face::{self, Audience, Place, Shell, SignedIn, Site};

#[derive(Template)]
#[template(path = "tokens.html", config = "tests/askama.toml")]
struct TokensPage {
    shell: Shell,
    count: u64,
    owner: String,
}

fn shell() -> Shell {
    let tokens =
        Place::new("tokens", "API tokens", "/account/tokens", "key-round").for_audience(Audience::SignedIn);
    let site = Site::new("Fondaco").with_console("Account", tokens);
    let mut shell = Shell::new(Arc::new(site), "/account/tokens", Timestamp::from_secs(0));
    shell.account = Some(SignedIn { username: "mira".into(), roles: vec!["publisher".into()] });
    shell.page("API tokens - Account", "tokens").crumb("Account", "/account").crumb("API tokens", "")
}

#[tokio::test]
async fn a_page_of_another_crate_stands_in_the_layout() {
    let page = TokensPage { shell: shell(), count: 1_204, owner: "<mira>".into() };
    let response = face::html(&page.shell, &page);
    assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
    let policy = response.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("script-src 'self';"));
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let body = std::str::from_utf8(&body).unwrap();
    assert!(body.contains("<title>API tokens - Account - Fondaco</title>"));
    assert!(body.contains("1,204 tokens of &#60;mira&#62;"), "{body}");
    assert!(body.contains(r#"href="/account/tokens" aria-current="page""#));
    assert!(!body.contains("<style") && !body.contains("onclick") && !body.contains("/assets/missing"));
}

#[derive(Template)]
#[template(
    source = r#"{% import "parts/market.html" as market %}{% call market::hold(ends_at, now) %}Hold it again{% endcall %}"#,
    ext = "html",
    config = "tests/askama.toml"
)]
struct Hold {
    ends_at: Timestamp,
    now: Timestamp,
}

#[test]
fn a_hold_tells_its_end_without_script_and_what_to_do_when_it_is_over() {
    let now = Timestamp::from_secs(1_763_375_400);
    let draw = |ends_at| Hold { ends_at, now }.render().unwrap();
    let running = draw(now.after(std::time::Duration::from_secs(862)));
    assert!(running.contains(r#"data-hold="862""#) && running.contains(">10:44 UTC</time>"), "{running}");
    assert!(running.contains("Held until") && running.contains("data-hold-over hidden"), "{running}");
    let over = draw(now);
    assert!(over.contains("Hold ended") && !over.contains("hidden>"), "{over}");
    assert!(over.contains("Hold it again"));
}

#[tokio::test]
async fn a_page_loads_the_sheets_that_it_asks_for_and_no_other() {
    let sheet = face::assets::asset("css/market.css");
    let body = async |shell: Shell| {
        let page = TokensPage { shell, count: 0, owner: String::new() };
        let body = face::html(&page.shell, &page).into_body().collect().await.unwrap().to_bytes();
        String::from_utf8(body.to_vec()).unwrap()
    };
    assert!(!body(shell()).await.contains(sheet));
    let twice = shell().with_sheet(face::Sheet::Market).with_sheet(face::Sheet::Market);
    assert_eq!(body(twice).await.matches(sheet).count(), 1);
}

#[tokio::test]
async fn assets_are_kept_for_ever_and_checked_by_etag() {
    let app: Router = face::assets::routes();
    let url = face::assets::asset("css/fondaco.css");
    let get = |etag: Option<&str>| {
        let request = Request::get(url).header(header::ACCEPT_ENCODING, "gzip, br");
        let request = etag.map_or(Request::get(url), |etag| request.header(header::IF_NONE_MATCH, etag));
        app.clone().oneshot(request.body(Body::empty()).unwrap())
    };
    let response = get(None).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert!(response.headers()[header::CACHE_CONTROL].to_str().unwrap().contains("immutable"));
    assert_eq!(response.headers()[header::CONTENT_TYPE], "text/css; charset=utf-8");
    let etag = response.headers()[header::ETAG].to_str().unwrap().to_owned();
    let again = get(Some(&etag)).await.unwrap();
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    assert!(again.into_body().collect().await.unwrap().to_bytes().is_empty());
    let old =
        app.clone().oneshot(Request::get("/assets/css/fondaco.00000000.css").body(Body::empty()).unwrap());
    assert_eq!(old.await.unwrap().status(), StatusCode::NOT_FOUND);
}
