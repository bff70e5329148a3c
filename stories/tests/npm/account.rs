//! The account: signing in both ways, tokens, who one is; and the questions that need no package of one's own.

use std::time::Duration;

use serde_json::json;
use stories::{Account, Market, Ran, Visitor, Workbench};

/// `npm login --auth-type=legacy`: name and password become a token that works, and that `npm logout` ends.
#[tokio::test]
async fn legacy_login_and_logout() {
    let market = Market::open().await;
    let ada = market.account("ada");
    let bench = market.workbench(None);
    bench.npm(bench.home(), &["whoami"]).await.fails().says("ENEEDAUTH");
    sign_in(&bench, &ada).await;
    assert_eq!(whoami(&bench).await, "ada");
    let folder = bench.package("lantern", "1.0.0", json!({}));
    bench.npm(&folder, &["publish"]).await.succeeds();

    let token = saved_token(&bench);
    assert_ne!(token, ada.token, "a login makes a token of its own");
    bench.npm(bench.home(), &["logout"]).await.succeeds();
    bench.configure(Some(&token));
    bench.npm(bench.home(), &["whoami"]).await.fails().says("E401");
    bench.configure(Some(&ada.token));
    assert_eq!(whoami(&bench).await, "ada");
}

/// A wrong password and an unknown name are refused in the same words.
#[tokio::test]
async fn a_wrong_password_is_refused_without_a_hint() {
    let market = Market::open().await;
    let ada = market.account("ada");
    let bench = market.workbench(None);
    let mut errors = Vec::new();
    for (name, password) in [("ada", "not her password"), ("nobody", &ada.password)] {
        let refused = legacy_login(&bench, name, password).await.fails().says("E401");
        let lines = refused.err.lines().filter(|line| line.contains("401"));
        errors.push(lines.collect::<String>().replace(name, ""));
    }
    assert_eq!(errors[0], errors[1]);
    bench.npm(bench.home(), &["whoami"]).await.fails();
}

/// `npm login` in the browser: npm prints a page and waits; a person signs in there and approves; npm has a token.
#[tokio::test]
async fn web_login_waits_for_the_browser() {
    let market = Market::open().await;
    let ada = market.account("ada");
    let bench = market.workbench(None);
    let mut login = bench.start("npm", bench.home(), &["login", "--auth-type=web"]);
    let page = login.line_with("http://").await;

    let mut visitor = Visitor::open(&page).await;
    visitor.submit("password", &[("username", &ada.name), ("password", &ada.password)]).await;
    visitor.submit("approve", &[("approve", "yes")]).await;

    login.finish().await.succeeds().says("Logged in on");
    assert_eq!(whoami(&bench).await, "ada");
    assert_ne!(saved_token(&bench), ada.token);
}

/// A login page that nobody approves gives no token, however often it is asked for one.
#[tokio::test]
async fn web_login_gives_nothing_before_the_approval() {
    let market = Market::open().await;
    let client = reqwest::Client::new();
    let asked = client.post(format!("{}-/v1/login", market.npm())).json(&json!({})).send().await.unwrap();
    let asked: serde_json::Value = asked.json().await.unwrap();
    for _ in 0..2 {
        let answer = client.get(asked["doneUrl"].as_str().unwrap()).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 202);
        let wait: u64 = answer.headers()["retry-after"].to_str().unwrap().parse().unwrap();
        assert!(wait >= 1, "npm asks again without any pause when told to wait for {wait} s");
        assert!(!answer.text().await.unwrap().contains("elk_"));
    }
}

/// Tokens are made with the password, listed without showing them, and dead once revoked.
#[tokio::test]
async fn tokens_are_made_listed_and_revoked() {
    let market = Market::open().await;
    let ada = market.account("ada");
    let bench = market.workbench(None);
    sign_in(&bench, &ada).await;
    let home = bench.home();
    let create = ["token", "create", "--name=robot", "--expires=30", "--json", "--password", &ada.password];
    let made = bench.npm(home, &create).await.succeeds().json();
    let token = made["token"].as_str().unwrap();
    assert!(token.starts_with("elk_"), "{token}");

    let robot = market.workbench(Some(token));
    assert_eq!(whoami(&robot).await, "ada");
    let list = bench.npm(home, &["token", "list"]).await.succeeds().says("robot").omits(token);
    // npm masks whatever looks like a UUID: a key of that form could not be revoked by what is shown.
    list.omits("***");
    let listed = bench.npm(home, &["token", "list", "--json"]).await.succeeds().json();
    let entry = listed.as_array().unwrap().iter().find(|entry| entry["name"] == "robot").unwrap();
    bench
        .npm(home, &["token", "revoke", entry["key"].as_str().unwrap()])
        .await
        .succeeds()
        .says("Removed 1 token");
    robot.npm(robot.home(), &["whoami"]).await.fails().says("E401");
    assert_eq!(whoami(&bench).await, "ada");

    let wrong = ["token", "create", "--name=other", "--password", "not her password"];
    bench.npm(home, &wrong).await.fails();
    bench.npm(home, &["token", "list"]).await.succeeds().omits("other");
}

/// A read-only token installs, and publishes nothing.
#[tokio::test]
async fn a_read_only_token_publishes_nothing() {
    let market = Market::open().await;
    let ada = market.account("ada");
    let bench = market.workbench(None);
    sign_in(&bench, &ada).await;
    let folder = bench.package("@ada/secret", "1.0.0", json!({}));
    bench.npm(&folder, &["publish", "--access", "restricted"]).await.succeeds();
    let create =
        ["token", "create", "--name=reader", "--packages-all", "--packages-and-scopes-permission=read-only"];
    let made =
        bench.npm(bench.home(), &[&create[..], &["--json", "--password", &ada.password]].concat()).await;
    let made = made.succeeds().json();

    let reader = market.workbench(made["token"].as_str());
    let application = reader.folder("application");
    reader.npm(&application, &["install", "@ada/secret"]).await.succeeds();
    let folder = reader.package("@ada/secret", "1.1.0", json!({}));
    reader.npm(&folder, &["publish"]).await.fails().says("E403");
}

/// The profile of the signed-in account.
#[tokio::test]
async fn the_profile_is_shown() {
    let market = Market::open().await;
    let ada = market.account("ada");
    let bench = market.workbench(Some(&ada.token));
    let profile = bench.npm(bench.home(), &["profile", "get", "--json"]).await.succeeds().json();
    assert_eq!(profile["name"], "ada");
    assert_eq!(profile["email"], "ada@example.com");
}

/// A search by a word of the description, by a keyword and by a name with a slip finds the package.
#[tokio::test]
async fn search_finds_packages() {
    let market = Market::open().await;
    let ada = market.account("ada");
    let bench = market.workbench(Some(&ada.token));
    let about = json!({"description": "Light for dark alleys", "keywords": ["oil"]});
    let folder = bench.package("lantern", "1.0.0", about);
    bench.npm(&folder, &["publish"]).await.succeeds();

    let reader = market.workbench(None);
    for word in ["lantern", "alleys", "oil"] {
        let found = search(&reader, word).await;
        assert_eq!(found[0]["name"], "lantern", "{word}: {found}");
        assert_eq!(found[0]["version"], "1.0.0");
        assert_eq!(found[0]["publisher"]["username"], "ada");
        assert_eq!(found[0]["links"]["npm"], format!("{}/packages/lantern", market.address("web")));
    }
    reader
        .npm(reader.home(), &["search", "lantern"])
        .await
        .succeeds()
        .says("Light for dark alleys")
        .says("ada");
    let nothing = reader.npm(reader.home(), &["search", "submarine"]).await.succeeds();
    nothing.says("No matches found");
}

/// The audit of a tree without known vulnerabilities says so, and fails nothing.
#[tokio::test]
async fn audit_finds_nothing_in_a_sound_tree() {
    let market = Market::open().await;
    let ada = market.account("ada");
    let bench = market.workbench(Some(&ada.token));
    let folder = bench.package("lantern", "1.0.0", json!({}));
    bench.npm(&folder, &["publish"]).await.succeeds();
    let application = bench.application("application", json!({"lantern": "1"}));
    bench.npm(&application, &["install"]).await.succeeds().says("found 0 vulnerabilities");
    bench.npm(&application, &["audit"]).await.succeeds().says("found 0 vulnerabilities");
}

/// The registry answers a ping at its full address and at the bare origin of its port.
#[tokio::test]
async fn ping_is_answered() {
    let market = Market::open().await;
    let bench = market.workbench(None);
    bench.npm(bench.home(), &["ping"]).await.succeeds().says("PONG");
    let origin = format!("--registry={}", market.address("registry"));
    bench.npm(bench.home(), &["ping", &origin]).await.succeeds().says("PONG");
}

async fn legacy_login(bench: &Workbench, name: &str, password: &str) -> Ran {
    let mut login = bench.start("npm", bench.home(), &["login", "--auth-type=legacy"]);
    login.answer("Username:", name).await;
    login.answer("Password:", password).await;
    login.finish().await
}

/// Signs in as this account by name and password.
async fn sign_in(bench: &Workbench, account: &Account) {
    legacy_login(bench, &account.name, &account.password).await.succeeds().says("Logged in on");
}

async fn whoami(bench: &Workbench) -> String {
    bench.npm(bench.home(), &["whoami"]).await.succeeds().out.trim().to_owned()
}

/// The token that npm wrote into its configuration.
fn saved_token(bench: &Workbench) -> String {
    let npmrc = std::fs::read_to_string(bench.home().join(".npmrc")).unwrap();
    let line = npmrc.lines().find(|line| line.contains(":_authToken=")).expect("no token in .npmrc");
    line.split_once(":_authToken=").unwrap().1.trim_matches('"').to_owned()
}

/// Searches until the package is in the index, which follows a publish within seconds.
async fn search(bench: &Workbench, word: &str) -> serde_json::Value {
    for _ in 0..20 {
        let found =
            bench.npm(bench.home(), &["search", word, "--json", "--prefer-online"]).await.succeeds().json();
        if found.as_array().is_some_and(|list| !list.is_empty()) {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    panic!("nothing found for {word:?}");
}
