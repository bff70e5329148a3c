//! Both yarns, the classic one and Berry: publishing, installing, lockfiles that stay valid.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::json;
use stories::lockfile::{BERRY, YARN};
use stories::{Market, Workbench};

/// A market where `lantern` 1.0.0 depends on `@ada/wick` 1.2.0, both published by npm.
async fn with_lantern() -> (Market, Workbench) {
    let market = Market::open().await;
    let ada = market.account("ada");
    let bench = market.workbench(Some(&ada.token));
    let wick = bench.package("@ada/wick", "1.2.0", json!({}));
    bench.npm(&wick, &["publish", "--access", "public"]).await.succeeds();
    let lantern = bench.package("lantern", "1.0.0", json!({"dependencies": {"@ada/wick": "^1.0.0"}}));
    bench.npm(&lantern, &["publish"]).await.succeeds();
    (market, bench)
}

/// Classic yarn publishes a scoped and an unscoped package; the same version again is refused with the reason.
#[tokio::test]
async fn classic_publishes() {
    let market = Market::open().await;
    let ada = market.account("ada");
    let bench = market.workbench(Some(&ada.token));
    for name in ["lantern", "@ada/lamp"] {
        let folder = bench.package(name, "1.0.0", json!({}));
        let publish = ["publish", "--non-interactive", "--new-version", "1.0.0", "--access", "public"];
        bench.yarn(&folder, &publish).await.succeeds().says("Published");
        bench.yarn(&folder, &publish).await.fails().says("cannot publish over");
    }
    let reader = market.workbench(None);
    let application = reader.application("application", json!({"lantern": "1", "@ada/lamp": "1"}));
    reader.npm(&application, &["install"]).await.succeeds();
    assert_eq!(reader.require(&application, "@ada/lamp").await, "@ada/lamp@1.0.0");
}

/// Classic yarn installs a tree; its lockfile holds the integrity and stays as it is, with warm and cold caches.
#[tokio::test]
async fn classic_installs_from_its_lockfile() {
    let (market, seller) = with_lantern().await;
    YARN.installs_from_its_lockfile(&market, &seller).await;
}

/// Classic yarn shows a package, reads and changes its tags. (Its audit asks a public registry, whatever is configured.)
#[tokio::test]
async fn classic_shows_and_tags() {
    let (_market, bench) = with_lantern().await;
    let home = bench.home();
    bench.yarn(home, &["info", "lantern", "version"]).await.succeeds().says("1.0.0");
    bench.yarn(home, &["tag", "add", "lantern@1.0.0", "stable"]).await.succeeds().says("Created tag");
    bench.yarn(home, &["tag", "list", "lantern"]).await.succeeds().says("stable: 1.0.0");
    bench.yarn(home, &["tag", "remove", "lantern", "stable"]).await.succeeds().says("Deleted tag");
    bench.yarn(home, &["tag", "list", "lantern"]).await.succeeds().omits("stable");
}

/// Classic yarn's `owner add` knows nothing of the present owners; it must not push them out.
#[tokio::test]
async fn classic_owner_add_pushes_nobody_out() {
    let (market, bench) = with_lantern().await;
    let bob = market.account("bob");
    let _ = bench.yarn(bench.home(), &["owner", "add", &bob.name, "lantern"]).await;
    bench.npm(bench.home(), &["owner", "ls", "lantern"]).await.succeeds().says("ada");
    let folder = bench.package("lantern", "1.1.0", json!({}));
    bench.npm(&folder, &["publish"]).await.succeeds();
}

/// Berry publishes a scoped and an unscoped package; the same version again is refused with the reason.
#[tokio::test]
async fn berry_publishes() {
    let market = Market::open().await;
    let ada = market.account("ada");
    let bench = market.workbench(Some(&ada.token));
    for name in ["lantern", "@ada/lamp"] {
        let folder = bench.package(name, "1.0.0", json!({}));
        std::fs::write(folder.join("yarn.lock"), "").unwrap();
        bench.berry(&folder, &["install"]).await.succeeds();
        let publish = ["npm", "publish", "--access", "public"];
        bench.berry(&folder, &publish).await.succeeds().says("Package archive published");
        bench.berry(&folder, &publish).await.fails().says("cannot publish over");
    }
    let reader = market.workbench(None);
    let application = reader.application("application", json!({"lantern": "1", "@ada/lamp": "1"}));
    reader.npm(&application, &["install"]).await.succeeds();
    assert_eq!(reader.require(&application, "@ada/lamp").await, "@ada/lamp@1.0.0");
}

/// Berry installs a tree; the lockfile names no host and stays as it is, with warm and cold caches.
#[tokio::test]
async fn berry_installs_from_its_lockfile() {
    let (market, seller) = with_lantern().await;
    BERRY.installs_from_its_lockfile(&market, &seller).await;
}

/// Berry knows who it is, reads and changes tags, shows a package, and audits a tree.
#[tokio::test]
async fn berry_knows_itself_tags_and_audits() {
    let (_market, bench) = with_lantern().await;
    let application = bench.application("application", json!({"lantern": "^1.0.0"}));
    std::fs::write(application.join("yarn.lock"), "").unwrap();
    bench.berry(&application, &["install"]).await.succeeds();
    bench.berry(&application, &["npm", "whoami"]).await.succeeds().says("ada");
    bench.berry(&application, &["npm", "tag", "add", "lantern@1.0.0", "stable"]).await.succeeds();
    bench.berry(&application, &["npm", "tag", "list", "lantern"]).await.succeeds().says("stable");
    bench.berry(&application, &["npm", "tag", "remove", "lantern", "stable"]).await.succeeds();
    bench.berry(&application, &["npm", "tag", "list", "lantern"]).await.succeeds().omits("stable");
    bench.berry(&application, &["npm", "info", "lantern"]).await.succeeds().says("The lantern of a story");
    bench.berry(&application, &["npm", "audit"]).await.succeeds().says("No audit suggestions");
}

/// A restricted package is installed by its owner with both yarns, and by nobody else.
#[tokio::test]
async fn private_packages_stay_private() {
    let market = Market::open().await;
    let ada = market.account("ada");
    let owner = market.workbench(Some(&ada.token));
    let folder = owner.package("@ada/secret", "1.0.0", json!({}));
    owner.npm(&folder, &["publish", "--access", "restricted"]).await.succeeds();
    let stranger = market.workbench(None);
    for tool in ["yarn", "yarn-berry"] {
        for (bench, may) in [(&owner, true), (&stranger, false)] {
            let application = bench.application(tool, json!({"@ada/secret": "1.0.0"}));
            std::fs::write(application.join("yarn.lock"), "").unwrap();
            let ran = bench.run(tool, &application, &["install"]).await;
            if may {
                ran.succeeds();
                assert_eq!(bench.require(&application, "@ada/secret").await, "@ada/secret@1.0.0");
            } else {
                ran.fails();
            }
        }
    }
}
