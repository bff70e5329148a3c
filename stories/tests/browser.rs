//! The pages as people meet them: in the real Chromium, with the demo's data. The scripts in `stories/browser/`
//! do what a person does there, say each thing that they checked, and leave a picture of what failed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;

use serde_json::{Value, json};
use stories::{Market, Started, Workbench};

/// One visitor here opens more pages in a minute than a person does.
const NO_LIMITS: [(&str, &str); 1] = [("FONDACO_LIMITS__RATES", "off")];
/// The password of the demo's user.
const DEMO_PASSWORD: &str = "demo123";

/// Every page, as a stranger, as a user and as an operator, in both colour schemes and at three widths.
#[tokio::test]
async fn every_page_is_accessible() {
    let market = Market::open_demo_with(&NO_LIMITS).await;
    let password = "olga walks to the market";
    let user = ["user", "create", "--username", "olga", "--email", "olga@example.com", "--password-stdin"];
    market.admin(&[&user[..], &["--role", "admin"]].concat(), password);
    let asked = reqwest::Client::new().post(format!("{}-/v1/login", market.npm())).json(&json!({})).send();
    let asked: Value = asked.await.unwrap().json().await.unwrap();
    let given = json!({
        "password": DEMO_PASSWORD, "operator": {"name": "olga", "password": password}, "login": asked["loginUrl"],
        "needed": [
            "/packages/{name}?tab=versions", "/packages/{name}?tab=manage", "/docs/api", "/account/sessions",
            "/account/organisations/{name}/teams/{team}", "/operator/users/{name}", "/operator/audit", "/events/{id}",
            "/market/{id}", "/orders/{id}", "/tickets/{id}", "/wallet", "/sell/events/{id}",
            "/sell/events/{id}/check-in", "/sell/payouts", "/operator/ledger", "/operator/payments/{id}",
        ],
    });
    tell(&market, "accessible", given).await;
}

/// Searching, an account, tokens and an organisation with script turned off.
#[tokio::test]
async fn pages_work_without_script() {
    let market = Market::open_demo_with(&NO_LIMITS).await;
    tell(&market, "without_script", json!({})).await;
}

/// Seats chosen on the plan, paid, opened as tickets, seen by the seller, let in at the door.
#[tokio::test]
async fn a_person_buys_seats_and_comes_to_the_event() {
    let market = Market::open_demo_with(&NO_LIMITS).await;
    tell(&market, "buys", json!({"password": DEMO_PASSWORD, "user": "mira", "script": true})).await;
}

/// The same with script turned off.
#[tokio::test]
async fn a_person_buys_seats_without_script() {
    let market = Market::open_demo_with(&NO_LIMITS).await;
    tell(&market, "buys", json!({"password": DEMO_PASSWORD, "user": "mira", "script": false})).await;
}

/// Signing up and making a token in the browser, publishing with npm, finding and reading it in the browser.
#[tokio::test]
async fn a_person_signs_up_publishes_and_is_found() {
    let market = Market::open_demo_with(&NO_LIMITS).await;
    let bench = market.workbench(None);
    let given = json!({"name": "lantern", "user": "ada", "password": "ada walks to the market"});
    let mut browser = start(&bench, &market, "publishes", given);
    let said = browser.line_with("token: ").await;
    bench.configure(said.strip_prefix("token: "));
    let folder = bench.package("lantern", "1.0.0", json!({}));
    std::fs::write(folder.join("README.md"), HOSTILE_README).unwrap();
    bench.npm(&folder, &["publish"]).await.succeeds();
    browser.answer("Go on?", "published").await;
    browser.finish().await.succeeds();
}

/// A README that is worth reading, and tries everything to run a script or lead away.
const HOSTILE_README: &str = r#"# Lantern of the story

| light | is |
| --- | --- |
| lantern | bright |

```js
lantern.light()
```

<script>globalThis.ran = "a script"; alert(1)</script>
<img src="/nowhere.png" onerror="globalThis.ran = 'onerror'">
<svg onload="globalThis.ran = 'onload'"><script>globalThis.ran = "svg"</script></svg>
<iframe srcdoc="<script>parent.ran = 'srcdoc'</script>"></iframe>
<style>body { display: none }</style>
<form action="/logout" method="post"><button>Click me, the form</button></form>
<a href="javascript:globalThis.ran = 'href'">Click me, the address</a>
<a href="  jAvAsCrIpT:globalThis.ran = 'href'">Click me, with capitals</a>
<b onclick="globalThis.ran = 'onclick'" onmouseover="globalThis.ran = 'onmouseover'">Click me, the handler</b>
<b hx-get="/logout" hx-trigger="load" data-hx-on:click="globalThis.ran = 'htmx'">Click me, the attribute</b>
<details ontoggle="globalThis.ran = 'ontoggle'" open><summary>More</summary>Text</details>
<base href="https://example.com/"><meta http-equiv="refresh" content="0;url=https://example.com/">

[Click me, the link](javascript:globalThis.ran='link') [Click me, the data](data:text/html,<script>alert(1)</script>)
![A foreign picture](https://example.com/tracking.png)
"#;

/// `npm login` in the real browser: npm prints a page and waits; a person signs in there and approves.
#[tokio::test]
async fn npm_web_login_is_approved_in_the_browser() {
    let market = Market::open().await;
    let ada = market.account("ada");
    let bench = market.workbench(None);
    let mut login = bench.start("npm", bench.home(), &["login", "--auth-type=web"]);
    let page = login.line_with("http://").await;
    tell(&market, "web_login", json!({"page": page, "user": ada.name, "password": ada.password})).await;
    login.finish().await.succeeds().says("Logged in on");
    let whoami = bench.npm(bench.home(), &["whoami"]).await.succeeds();
    assert_eq!(whoami.out.trim(), "ada");
}

/// What is not there, not allowed or wrongly filled in.
#[tokio::test]
async fn errors_are_told() {
    let market = Market::open_demo_with(&NO_LIMITS).await;
    tell(&market, "errors", json!({"password": DEMO_PASSWORD})).await;
}

/// A new market prints a link that makes the first operator, once.
#[tokio::test]
async fn the_first_operator_is_set_up() {
    let market = Market::open().await;
    let link = std::fs::read_to_string(market.data().join("setup-link")).unwrap();
    let link = link.trim();
    let log = std::fs::read_to_string(market.data().join("story.log")).unwrap();
    assert!(log.contains(link), "the program printed no set-up link:\n{log}");
    assert!(link.starts_with(&market.address("web")), "{link} leads elsewhere");
    tell(&market, "set_up", json!({"link": link})).await;
}

/// Runs a script to its end.
async fn tell(market: &Market, script: &str, given: Value) {
    let bench = market.workbench(None);
    start(&bench, market, script, given).finish().await.succeeds();
}

/// Starts a script on somebody's machine.
fn start(bench: &Workbench, market: &Market, script: &str, mut given: Value) -> Started {
    // Pictures of what failed stay after the test.
    given["pictures"] = json!(Path::new(env!("CARGO_TARGET_TMPDIR")).join("browser").join(script));
    given["web"] = json!(market.address("web"));
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("browser").join(format!("{script}.mjs"));
    bench.start("node", bench.home(), &[script.to_str().unwrap(), &given.to_string()])
}
