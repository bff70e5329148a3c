//! Installing: what a lockfile says is what is installed, again and again, and only by those who may.

use serde_json::json;
use stories::lockfile::NPM;
use stories::{Market, Workbench, read_json, write_json};

/// A tree with a dependency is installed, and `npm ci` gives the same from the lockfile with warm and cold
/// caches; the lockfile holds the integrity of each package and is not rewritten.
#[tokio::test]
async fn a_lockfile_stays_valid_with_cold_and_warm_caches() {
    let market = Market::open().await;
    let ada = market.account("ada");
    let seller = market.workbench(Some(&ada.token));
    let wick = seller.package("@ada/wick", "1.2.0", json!({}));
    seller.npm(&wick, &["publish", "--access", "public"]).await.succeeds();
    let lantern = seller.package("lantern", "1.0.0", json!({"dependencies": {"@ada/wick": "^1.0.0"}}));
    seller.npm(&lantern, &["publish"]).await.succeeds();
    NPM.installs_from_its_lockfile(&market, &seller).await;
}

/// What does not match the lockfile's integrity is not installed.
#[tokio::test]
async fn ci_refuses_what_the_lockfile_does_not_say() {
    let market = Market::open().await;
    let ada = market.account("ada");
    let seller = market.workbench(Some(&ada.token));
    let folder = seller.package("lantern", "1.0.0", json!({}));
    seller.npm(&folder, &["publish"]).await.succeeds();

    let buyer = market.workbench(None);
    let application = buyer.application("application", json!({"lantern": "1.0.0"}));
    buyer.npm(&application, &["install", "--package-lock-only"]).await.succeeds();
    let path = application.join("package-lock.json");
    let mut lock = read_json(&path);
    let other =
        "sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg==";
    lock["packages"]["node_modules/lantern"]["integrity"] = json!(other);
    write_json(&path, &lock);

    buyer.npm(&application, &["ci"]).await.fails().says("EINTEGRITY");
    assert!(!application.join("node_modules/lantern/index.js").exists());
}

/// An unchanged packument is not sent again: npm revalidates its cache and is told that nothing changed; a new
/// version is seen at once.
#[tokio::test]
async fn npm_revalidates_and_sees_a_new_version_at_once() {
    let market = Market::open().await;
    let ada = market.account("ada");
    let bench = market.workbench(Some(&ada.token));
    let folder = bench.package("lantern", "1.0.0", json!({}));
    bench.npm(&folder, &["publish"]).await.succeeds();

    let view = ["view", "lantern", "version", "--loglevel=http"];
    bench.npm(bench.home(), &view).await.succeeds();
    bench.npm(bench.home(), &view).await.succeeds().says("1.0.0").says("cache revalidated");

    let reader = market.workbench(None);
    reader.npm(reader.home(), &["install", "--global", "--prefix", "one", "lantern"]).await.succeeds();
    let newer = bench.package("lantern", "1.1.0", json!({}));
    bench.npm(&newer, &["publish"]).await.succeeds();
    let application = reader.folder("application");
    reader.npm(&application, &["install", "lantern"]).await.succeeds();
    assert_eq!(reader.require(&application, "lantern").await, "lantern@1.1.0");
}

/// A restricted package does not exist for strangers, with or without an account; its owner installs it.
#[tokio::test]
async fn a_private_package_does_not_exist_for_strangers() {
    let market = Market::open().await;
    let (ada, bob) = (market.account("ada"), market.account("bob"));
    let owner = market.workbench(Some(&ada.token));
    let folder = owner.package("@ada/secret", "1.0.0", json!({}));
    owner.npm(&folder, &["publish", "--access", "restricted"]).await.succeeds();

    for token in [None, Some(bob.token.as_str())] {
        let stranger = market.workbench(token);
        let application = stranger.folder("application");
        stranger.npm(&application, &["view", "@ada/secret"]).await.fails().says("E404");
        stranger.npm(&application, &["install", "@ada/secret"]).await.fails().says("E404");
        let found = stranger.npm(&application, &["search", "secret", "--json"]).await.succeeds();
        found.omits("@ada/secret");
    }
    let tarball = format!("{}@ada/secret/-/secret-1.0.0.tgz", market.npm());
    assert_eq!(reqwest::get(tarball).await.unwrap().status().as_u16(), 404);

    let application = owner.folder("application");
    owner.npm(&application, &["install", "@ada/secret"]).await.succeeds();
    assert_eq!(owner.require(&application, "@ada/secret").await, "@ada/secret@1.0.0");
}

/// A name or a version that is not there: npm's own words for it, no stack, no server error.
#[tokio::test]
async fn what_is_not_there_is_said_clearly() {
    let market = Market::open().await;
    let ada = market.account("ada");
    let bench = market.workbench(Some(&ada.token));
    let folder = bench.package("lantern", "1.0.0", json!({}));
    bench.npm(&folder, &["publish"]).await.succeeds();

    let application = bench.folder("application");
    bench.npm(&application, &["install", "no-such-thing"]).await.fails().says("E404").says("no-such-thing");
    bench.npm(&application, &["install", "lantern@9"]).await.fails().says("ETARGET");
}

/// A package with a program and an install script is known as such without downloading it, and its program runs.
#[tokio::test]
async fn programs_and_install_scripts_are_declared() {
    let market = Market::open().await;
    let ada = market.account("ada");
    let bench = market.workbench(Some(&ada.token));
    let more = json!({"bin": {"light": "index.js"}, "scripts": {"postinstall": "node index.js"}});
    let folder = bench.package("lantern", "1.0.0", more);
    std::fs::write(folder.join("index.js"), "#!/usr/bin/env node\nconsole.log('it is lit');\n").unwrap();
    bench.npm(&folder, &["publish"]).await.succeeds();

    let application = bench.folder("application");
    bench.npm(&application, &["install", "lantern"]).await.succeeds();
    let lock = read_json(&application.join("package-lock.json"));
    assert_eq!(lock["packages"]["node_modules/lantern"]["hasInstallScript"], true);
    bench.npm(&application, &["exec", "--", "light"]).await.succeeds().says("it is lit");
}

/// The registry is used by whatever address leads to it: another name of the host, or the bare origin of its port.
/// npm sends a token only to the host it has it for, and cuts the registry's path off the tarball's address.
#[tokio::test]
async fn tarballs_are_at_the_address_that_the_client_uses() {
    let market = Market::open().await;
    let ada = market.account("ada");
    let by_name = market.npm().replace("127.0.0.1", "localhost");
    let bare = format!("{}/", market.address("registry"));
    for (registry, version) in [(by_name, "1.0.0"), (bare, "1.1.0")] {
        let bench = Workbench::new(&registry, Some(&ada.token));
        let folder = bench.package("@ada/secret", version, json!({}));
        bench.npm(&folder, &["publish", "--access", "restricted"]).await.succeeds();
        let application = bench.folder("application");
        bench.npm(&application, &["install", "@ada/secret"]).await.succeeds();
        assert_eq!(bench.require(&application, "@ada/secret").await, format!("@ada/secret@{version}"));
        let lock = read_json(&application.join("package-lock.json"));
        let resolved = lock["packages"]["node_modules/@ada/secret"]["resolved"].as_str().unwrap();
        assert!(resolved.starts_with(&format!("{registry}@ada/secret/-/")), "{resolved}");
    }
    let bare = Workbench::new(&format!("{}/", market.address("registry")), Some(&ada.token));
    bare.npm(bare.home(), &["unpublish", "@ada/secret@1.1.0"]).await.succeeds();
    bare.npm(bare.home(), &["view", "@ada/secret", "version"]).await.succeeds().says("1.0.0");
}

/// The npm before this one publishes, installs and audits as well.
#[tokio::test]
async fn an_older_npm_works() {
    let market = Market::open().await;
    let ada = market.account("ada");
    let bench = market.workbench(Some(&ada.token));
    let folder = bench.package("lantern", "1.0.0", json!({}));
    bench.run("npm10", &folder, &["publish"]).await.succeeds();
    bench.run("npm10", &folder, &["publish", "--force"]).await.fails().says("cannot publish over");
    let application = bench.application("application", json!({"lantern": "1"}));
    bench.run("npm10", &application, &["install"]).await.succeeds().says("found 0 vulnerabilities");
    assert_eq!(bench.require(&application, "lantern").await, "lantern@1.0.0");
}
