//! Publishing: what arrives is what was packed, nothing is overwritten, nothing is lost.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use stories::{Market, Workbench};

use crate::publish;

/// A package that one person publishes is installed and runs at somebody else's, who has no account.
#[tokio::test]
async fn a_published_package_runs_at_a_strangers() {
    let market = Market::open().await;
    let ada = market.account("ada");
    let seller = market.workbench(Some(&ada.token));
    let folder = seller.package("lantern", "1.0.0", json!({}));
    seller.npm(&folder, &["publish"]).await.succeeds().says("+ lantern@1.0.0");

    let buyer = market.workbench(None);
    let application = buyer.folder("application");
    buyer.npm(&application, &["install", "lantern"]).await.succeeds();
    assert_eq!(buyer.require(&application, "lantern").await, "lantern@1.0.0");
}

/// A scoped package published with `--access public` is everybody's; its name keeps its slash everywhere.
#[tokio::test]
async fn a_scoped_package_is_public_on_request() {
    let market = Market::open().await;
    let ada = market.account("ada");
    let seller = market.workbench(Some(&ada.token));
    let folder = seller.package("@ada/lamp", "1.0.0", json!({}));
    seller.npm(&folder, &["publish", "--access", "public"]).await.succeeds().says("+ @ada/lamp@1.0.0");

    let buyer = market.workbench(None);
    let application = buyer.folder("application");
    buyer.npm(&application, &["install", "@ada/lamp@^1"]).await.succeeds();
    assert_eq!(buyer.require(&application, "@ada/lamp").await, "@ada/lamp@1.0.0");
    let lock = stories::read_json(&application.join("package-lock.json"));
    let tarball = format!("{}@ada/lamp/-/lamp-1.0.0.tgz", market.npm());
    assert_eq!(lock["packages"]["node_modules/@ada/lamp"]["resolved"], tarball);
}

/// `--tag` publishes beside `latest`: nobody gets a beta without asking for it.
#[tokio::test]
async fn a_tagged_version_does_not_become_latest() {
    let market = Market::open().await;
    let ada = market.account("ada");
    let seller = market.workbench(Some(&ada.token));
    publish(&seller, "lantern", "1.0.0").await;
    let beta = seller.package("lantern", "2.0.0-beta.1", json!({}));
    seller.npm(&beta, &["publish", "--tag", "next"]).await.succeeds();

    let buyer = market.workbench(None);
    let application = buyer.folder("application");
    buyer.npm(&application, &["install", "lantern"]).await.succeeds();
    assert_eq!(buyer.require(&application, "lantern").await, "lantern@1.0.0");
    buyer.npm(&application, &["install", "lantern@next"]).await.succeeds();
    assert_eq!(buyer.require(&application, "lantern").await, "lantern@2.0.0-beta.1");
}

/// A published version never changes: npm refuses by itself, the registry refuses a forced attempt with a
/// reason a person can read, and what was published is still served.
#[tokio::test]
async fn a_version_is_never_published_twice() {
    let market = Market::open().await;
    let ada = market.account("ada");
    let seller = market.workbench(Some(&ada.token));
    publish(&seller, "lantern", "1.0.0").await;
    let before = seller.npm(seller.home(), &["view", "lantern", "dist.integrity"]).await.succeeds().out;

    let folder = seller.package("lantern", "1.0.0", json!({"description": "another one"}));
    seller.npm(&folder, &["publish"]).await.fails().says("cannot publish over");
    let forced = seller.npm(&folder, &["publish", "--force"]).await.fails();
    forced.says("lantern").says("1.0.0").says("cannot publish over");

    let after = seller.npm(seller.home(), &["view", "lantern", "dist.integrity"]).await.succeeds().out;
    assert_eq!(before, after);
}

/// Without a token, with a wrong one, and into somebody else's package: refused, and nothing is published.
#[tokio::test]
async fn strangers_publish_nothing() {
    let market = Market::open().await;
    let (ada, bob) = (market.account("ada"), market.account("bob"));
    publish(&market.workbench(Some(&ada.token)), "lantern", "1.0.0").await;

    let stranger = market.workbench(None);
    let folder = stranger.package("lantern", "1.1.0", json!({}));
    stranger.npm(&folder, &["publish"]).await.fails().says("logged in");
    stranger.configure(Some("elk_not-a-token"));
    stranger.npm(&folder, &["publish"]).await.fails().says("E401").says("npm login");
    stranger.configure(Some(&bob.token));
    stranger.npm(&folder, &["publish"]).await.fails().says("E403");

    stranger.configure(None);
    let versions = stranger.npm(stranger.home(), &["view", "lantern", "versions", "--json"]).await.succeeds();
    assert_eq!(versions.json(), json!(["1.0.0"]));
}

/// Several versions published at the same moment are all kept: nobody overwrites the other's document.
#[tokio::test]
async fn publishing_at_once_loses_no_version() {
    let market = Market::open().await;
    let ada = market.account("ada");
    let seller = market.workbench(Some(&ada.token));
    publish(&seller, "lantern", "1.0.0").await;

    let versions = ["1.1.0", "1.2.0", "1.3.0", "1.4.0"];
    let running = versions.map(|version| {
        let folder = seller.package("lantern", version, json!({}));
        seller.start("npm", &folder, &["publish", "--tag", &format!("at-{}", version.replace('.', "-"))])
    });
    for publish in running {
        publish.finish().await.succeeds();
    }
    let kept = seller.npm(seller.home(), &["view", "lantern", "versions", "--json"]).await.succeeds().json();
    assert_eq!(kept, json!(["1.0.0", "1.1.0", "1.2.0", "1.3.0", "1.4.0"]));
    let tags = seller.npm(seller.home(), &["view", "lantern", "dist-tags", "--json"]).await.succeeds().json();
    assert_eq!(tags.as_object().unwrap().len(), 5, "{tags}");
}

/// A tarball that is not what its document says is refused, and leaves no trace.
#[tokio::test]
async fn a_publish_with_false_integrity_is_refused() {
    let market = Market::open().await;
    let ada = market.account("ada");
    let seller = market.workbench(Some(&ada.token));
    let mut document = publish_document(&seller, "lantern", "1.0.0").await;
    let integrity = &mut document["versions"]["1.0.0"]["dist"]["integrity"];
    *integrity = json!(format!("sha512-{}", BASE64_STANDARD.encode([7; 64])));

    let answer = put(&market, &ada.token, "lantern", &document).await;
    assert_eq!(answer.0, 400, "{}", answer.1);
    assert!(answer.1["error"].as_str().unwrap().contains("integrity"), "{}", answer.1);
    seller.npm(seller.home(), &["view", "lantern"]).await.fails().says("E404");
}

/// `npm pack` of a published package gives the very bytes; `npm diff` shows what changed between versions.
#[tokio::test]
async fn pack_and_diff_work_on_published_versions() {
    let market = Market::open().await;
    let ada = market.account("ada");
    let seller = market.workbench(Some(&ada.token));
    publish(&seller, "lantern", "1.0.0").await;
    publish(&seller, "lantern", "1.1.0").await;

    let buyer = market.workbench(None);
    let folder = buyer.folder("packed");
    let packed = buyer.npm(&folder, &["pack", "lantern@1.0.0", "--json"]).await.succeeds().json();
    let integrity = buyer.npm(&folder, &["view", "lantern@1.0.0", "dist.integrity"]).await.succeeds();
    assert_eq!(first(&packed)["integrity"], integrity.out.trim());
    assert!(folder.join("lantern-1.0.0.tgz").is_file());

    let diff = buyer.npm(&folder, &["diff", "--diff=lantern@1.0.0", "--diff=lantern@1.1.0"]).await.succeeds();
    diff.says("-module.exports = \"lantern@1.0.0\"").says("+module.exports = \"lantern@1.1.0\"");
}

/// The document that npm would send, with a tarball that npm packed.
async fn publish_document(bench: &Workbench, name: &str, version: &str) -> Value {
    let folder = bench.package(name, version, json!({}));
    let packed = bench.npm(&folder, &["pack", "--json"]).await.succeeds().json();
    let packed = first(&packed);
    let file = packed["filename"].as_str().unwrap();
    let bytes = std::fs::read(folder.join(file)).unwrap();
    let mut manifest = stories::read_json(&folder.join("package.json"));
    manifest["_id"] = json!(format!("{name}@{version}"));
    manifest["dist"] = json!({"integrity": packed["integrity"], "shasum": packed["shasum"]});
    json!({
        "_id": name, "name": name, "dist-tags": {"latest": version}, "versions": {version: manifest}, "access": null,
        "_attachments": {file: {
            "content_type": "application/octet-stream", "data": BASE64_STANDARD.encode(&bytes), "length": bytes.len(),
        }},
    })
}

/// The one entry of what `npm pack --json` prints: a list, or in newer versions an object by name.
fn first(packed: &Value) -> &Value {
    packed.get(0).or_else(|| packed.as_object()?.values().next()).unwrap_or(packed)
}

async fn put(market: &Market, token: &str, name: &str, document: &Value) -> (u16, Value) {
    let request =
        reqwest::Client::new().put(format!("{}{name}", market.npm())).bearer_auth(token).json(document);
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}
