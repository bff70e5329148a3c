//! bun: publishing, installing, and a lockfile that stays valid.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::json;
use stories::lockfile::BUN;
use stories::{Market, Workbench};

/// A market where `lantern` 1.0.0 depends on `@ada/wick` 1.2.0, both published by bun.
async fn with_lantern() -> (Market, Workbench) {
    let market = Market::open().await;
    let ada = market.account("ada");
    let bench = market.workbench(Some(&ada.token));
    let wick = bench.package("@ada/wick", "1.2.0", json!({}));
    bench.bun(&wick, &["publish", "--access", "public"]).await.succeeds().says("+ @ada/wick@1.2.0");
    let lantern = bench.package("lantern", "1.0.0", json!({"dependencies": {"@ada/wick": "^1.0.0"}}));
    bench.bun(&lantern, &["publish"]).await.succeeds().says("+ lantern@1.0.0");
    (market, bench)
}

/// What bun published is installed by npm; the same version again is refused with the reason, or tolerated on request.
#[tokio::test]
async fn bun_publishes() {
    let (market, bench) = with_lantern().await;
    let again = bench.package("lantern", "1.0.0", json!({}));
    bench.bun(&again, &["publish"]).await.fails().says("cannot publish over");
    bench.bun(&again, &["publish", "--tolerate-republish"]).await.succeeds();

    let reader = market.workbench(None);
    let application = reader.application("application", json!({"lantern": "1"}));
    reader.npm(&application, &["install"]).await.succeeds();
    assert_eq!(reader.require(&application, "@ada/wick").await, "@ada/wick@1.2.0");
}

/// A tree is installed; the lockfile holds the integrity and stays as it is, with warm and cold caches.
#[tokio::test]
async fn bun_installs_from_its_lockfile() {
    let (market, seller) = with_lantern().await;
    BUN.installs_from_its_lockfile(&market, &seller).await;
}

/// bun knows who it is, shows a package, and audits a tree.
#[tokio::test]
async fn bun_knows_itself_and_audits() {
    let (_market, bench) = with_lantern().await;
    let application = bench.application("application", json!({"lantern": "1"}));
    bench.bun(&application, &["pm", "whoami"]).await.succeeds().says("ada");
    bench.bun(&application, &["info", "lantern"]).await.succeeds().says("lantern@1.0.0");
    bench.bun(&application, &["install", "--no-frozen-lockfile"]).await.succeeds();
    bench.bun(&application, &["audit"]).await.succeeds().says("No vulnerabilities found");
}

/// A restricted package is installed by its owner and by nobody else.
#[tokio::test]
async fn bun_respects_access() {
    let market = Market::open().await;
    let ada = market.account("ada");
    let owner = market.workbench(Some(&ada.token));
    let folder = owner.package("@ada/secret", "1.0.0", json!({}));
    owner.bun(&folder, &["publish", "--access", "restricted"]).await.succeeds();
    let stranger = market.workbench(None);
    for (bench, may) in [(&owner, true), (&stranger, false)] {
        let application = bench.application("application", json!({"@ada/secret": "1.0.0"}));
        let ran = bench.bun(&application, &["install", "--no-frozen-lockfile"]).await;
        if may {
            ran.succeeds();
            assert_eq!(bench.require(&application, "@ada/secret").await, "@ada/secret@1.0.0");
        } else {
            ran.fails();
        }
    }
}
