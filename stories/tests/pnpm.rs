//! pnpm: publishing, installing, a lockfile that stays valid, and looking after a package.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::json;
use stories::lockfile::PNPM;
use stories::{Market, Workbench};

const PUBLISH: [&str; 4] = ["publish", "--no-git-checks", "--access", "public"];

/// A market where `lantern` 1.0.0 depends on `@ada/wick` 1.2.0, both published by pnpm.
async fn with_lantern() -> (Market, Workbench) {
    let market = Market::open().await;
    let ada = market.account("ada");
    let bench = market.workbench(Some(&ada.token));
    let wick = bench.package("@ada/wick", "1.2.0", json!({}));
    bench.pnpm(&wick, &PUBLISH).await.succeeds();
    let lantern = bench.package("lantern", "1.0.0", json!({"dependencies": {"@ada/wick": "^1.0.0"}}));
    bench.pnpm(&lantern, &PUBLISH).await.succeeds();
    (market, bench)
}

/// What pnpm published is installed by npm; the same version again is refused with the reason.
#[tokio::test]
async fn pnpm_publishes() {
    let (market, bench) = with_lantern().await;
    let again = bench.package("lantern", "1.0.0", json!({}));
    bench.pnpm(&again, &PUBLISH).await.fails().says("cannot publish over");

    let reader = market.workbench(None);
    let application = reader.application("application", json!({"lantern": "1"}));
    reader.npm(&application, &["install"]).await.succeeds();
    assert_eq!(reader.require(&application, "@ada/wick").await, "@ada/wick@1.2.0");
}

/// A tree is installed; the lockfile holds integrity, names no host, and stays as it is with warm and cold stores,
/// until an update is asked for.
#[tokio::test]
async fn pnpm_installs_from_its_lockfile() {
    let (market, seller) = with_lantern().await;
    let (bench, application) = PNPM.installs_from_its_lockfile(&market, &seller).await;
    bench.pnpm(&application, &["update", "@ada/wick"]).await.succeeds();
    assert_eq!(bench.require(&application, "@ada/wick").await, "@ada/wick@1.3.0");
}

/// pnpm knows who it is, shows and finds a package, changes tags, and audits a tree.
#[tokio::test]
async fn pnpm_knows_itself_tags_and_audits() {
    let (_market, bench) = with_lantern().await;
    let home = bench.home();
    bench.pnpm(home, &["whoami"]).await.succeeds().says("ada");
    bench.pnpm(home, &["view", "lantern"]).await.succeeds().says("lantern@1.0.0");
    bench.pnpm(home, &["dist-tag", "add", "lantern@1.0.0", "stable"]).await.succeeds();
    bench.pnpm(home, &["dist-tag", "ls", "lantern"]).await.succeeds().says("stable: 1.0.0");
    bench.pnpm(home, &["dist-tag", "rm", "lantern", "stable"]).await.succeeds();
    bench.pnpm(home, &["dist-tag", "ls", "lantern"]).await.succeeds().omits("stable");
    bench.pnpm(home, &["ping"]).await.succeeds();

    let application = bench.application("application", json!({"lantern": "1"}));
    bench.pnpm(&application, &["install", "--no-frozen-lockfile"]).await.succeeds();
    bench.pnpm(&application, &["audit"]).await.succeeds().says("No known vulnerabilities found");
}

/// pnpm's own ways to deprecate, to change owners, to star, and to take a version back.
#[tokio::test]
async fn pnpm_looks_after_a_package() {
    let (market, bench) = with_lantern().await;
    market.account("bob");
    let home = bench.home();
    let newer = bench.package("lantern", "1.1.0", json!({}));
    bench.pnpm(&newer, &PUBLISH).await.succeeds();
    bench.pnpm(home, &["deprecate", "lantern@1.0.0", "it smokes"]).await.succeeds();
    bench.npm(home, &["view", "lantern@1.0.0", "deprecated"]).await.succeeds().says("it smokes");
    bench.pnpm(home, &["owner", "add", "lantern", "bob"]).await.succeeds();
    bench.pnpm(home, &["owner", "ls", "lantern"]).await.succeeds().says("ada").says("bob");
    bench.pnpm(home, &["owner", "rm", "lantern", "bob"]).await.succeeds();
    bench.pnpm(home, &["owner", "ls", "lantern"]).await.succeeds().says("ada").omits("bob");
    bench.pnpm(home, &["star", "lantern"]).await.succeeds();
    bench.pnpm(home, &["stars"]).await.succeeds().says("lantern");
    bench.pnpm(home, &["unstar", "lantern"]).await.succeeds();
    bench.pnpm(home, &["unpublish", "lantern@1.1.0"]).await.succeeds();
    let versions = bench.npm(home, &["view", "lantern", "versions", "--json"]).await.succeeds();
    versions.says("1.0.0").omits("1.1.0");
}

/// A restricted package is installed by its owner and by nobody else; what does not match the lockfile, by nobody.
#[tokio::test]
async fn pnpm_respects_access_and_integrity() {
    let market = Market::open().await;
    let ada = market.account("ada");
    let owner = market.workbench(Some(&ada.token));
    let folder = owner.package("@ada/secret", "1.0.0", json!({}));
    owner.pnpm(&folder, &["publish", "--no-git-checks", "--access", "restricted"]).await.succeeds();
    let stranger = market.workbench(None);
    let application = stranger.application("application", json!({"@ada/secret": "1.0.0"}));
    stranger.pnpm(&application, &["install", "--no-frozen-lockfile"]).await.fails();

    let application = owner.application("application", json!({"@ada/secret": "1.0.0"}));
    owner.pnpm(&application, &["install", "--no-frozen-lockfile"]).await.succeeds();
    assert_eq!(owner.require(&application, "@ada/secret").await, "@ada/secret@1.0.0");

    let path = application.join("pnpm-lock.yaml");
    let lock = std::fs::read_to_string(&path).unwrap();
    let integrity = lock.split("integrity: ").nth(1).unwrap().split('}').next().unwrap();
    let other =
        "sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg==";
    std::fs::write(&path, lock.replace(integrity, other)).unwrap();
    owner.clear_caches();
    std::fs::remove_dir_all(application.join("node_modules")).unwrap();
    owner.pnpm(&application, &["install", "--frozen-lockfile"]).await.fails().says("integrity");
    assert!(!application.join("node_modules/@ada/secret/index.js").exists());
}
