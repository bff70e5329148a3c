//! Looking after a package: tags, deprecation, owners, access, stars, and taking it back.

use serde_json::json;
use stories::{Account, Market, Workbench};

/// A market with `lantern` 1.0.0 and 1.1.0 of ada, and her machine.
async fn lantern() -> (Market, Account, Workbench) {
    let market = Market::open().await;
    let ada = market.account("ada");
    let bench = market.workbench(Some(&ada.token));
    for version in ["1.0.0", "1.1.0"] {
        let folder = bench.package("lantern", version, json!({"homepage": "https://example.com/lantern"}));
        bench.npm(&folder, &["publish"]).await.succeeds();
    }
    (market, ada, bench)
}

/// `npm view` shows everything that a person wants to know before installing.
#[tokio::test]
async fn view_shows_a_package() {
    let (market, _, _) = lantern().await;
    let reader = market.workbench(None);
    let shown = reader.npm(reader.home(), &["view", "lantern"]).await.succeeds();
    let shown = shown.says("lantern@1.1.0").says("MIT").says("versions: 2").says("The lantern of a story");
    let shown = shown.says("https://example.com/lantern").says("latest: 1.1.0").says("ada").says("published");
    shown.says(&format!("{}lantern/-/lantern-1.1.0.tgz", market.npm()));
    let times = reader.npm(reader.home(), &["view", "lantern", "time", "--json"]).await.succeeds().json();
    for key in ["created", "modified", "1.0.0", "1.1.0"] {
        assert!(times[key].as_str().unwrap().ends_with('Z'), "{times}");
    }
    let readme = reader.npm(reader.home(), &["view", "lantern", "readme"]).await.succeeds();
    readme.says("Made for a story.");
    let old = reader.npm(reader.home(), &["view", "lantern@1.0.0", "version"]).await.succeeds();
    assert_eq!(old.out.trim(), "1.0.0");
}

/// Tags are set, listed, used by an install, and removed; `latest` cannot be removed.
#[tokio::test]
async fn dist_tags_are_added_listed_and_removed() {
    let (_market, _, bench) = lantern().await;
    let home = bench.home();
    bench
        .npm(home, &["dist-tag", "add", "lantern@1.0.0", "stable"])
        .await
        .succeeds()
        .says("+stable: lantern@1.0.0");
    let tags = bench.npm(home, &["dist-tag", "ls", "lantern"]).await.succeeds();
    assert_eq!(tags.out.trim(), "latest: 1.1.0\nstable: 1.0.0");
    let application = bench.folder("application");
    bench.npm(&application, &["install", "lantern@stable"]).await.succeeds();
    assert_eq!(bench.require(&application, "lantern").await, "lantern@1.0.0");

    bench.npm(home, &["dist-tag", "rm", "lantern", "stable"]).await.succeeds().says("-stable: lantern@1.0.0");
    bench.npm(home, &["dist-tag", "ls", "lantern"]).await.succeeds().omits("stable");
    bench.npm(home, &["dist-tag", "rm", "lantern", "latest"]).await.fails();
    bench.npm(home, &["dist-tag", "add", "lantern@9.9.9", "stable"]).await.fails();
}

/// A deprecated version warns whoever installs it; undeprecating takes the warning away. Others are not touched.
#[tokio::test]
async fn versions_are_deprecated_and_undeprecated() {
    let (market, _, bench) = lantern().await;
    let home = bench.home();
    bench.npm(home, &["deprecate", "lantern@1.0.0", "it smokes; use 1.1"]).await.succeeds();
    let reader = market.workbench(None);
    let application = reader.folder("application");
    let old = reader.npm(&application, &["install", "lantern@1.0.0"]).await.succeeds();
    old.says("deprecated").says("it smokes; use 1.1");
    let new = reader.npm(&application, &["install", "lantern@1.1.0"]).await.succeeds();
    new.omits("it smokes");

    bench.npm(home, &["undeprecate", "lantern@1.0.0"]).await.succeeds();
    let shown = bench.npm(home, &["view", "lantern@1.0.0", "deprecated"]).await.succeeds();
    assert_eq!(shown.out.trim(), "");
    reader.clear_caches();
    let again = reader.npm(&application, &["install", "lantern@1.0.0"]).await.succeeds();
    again.omits("it smokes");
}

/// One version is taken back: it cannot be installed any more, `latest` moves, the others stay, and its number is
/// never given to other bytes.
#[tokio::test]
async fn one_version_is_unpublished() {
    let (market, _, bench) = lantern().await;
    let home = bench.home();
    bench.npm(home, &["unpublish", "lantern@1.1.0"]).await.succeeds().says("- lantern@1.1.0");

    let reader = market.workbench(None);
    let versions = reader.npm(reader.home(), &["view", "lantern", "versions", "--json"]).await.succeeds();
    assert!(versions.out.contains("1.0.0") && !versions.out.contains("1.1.0"), "{}", versions.out);
    let application = reader.folder("application");
    reader.npm(&application, &["install", "lantern"]).await.succeeds();
    assert_eq!(reader.require(&application, "lantern").await, "lantern@1.0.0");
    reader.npm(&application, &["install", "lantern@1.1.0"]).await.fails().says("ETARGET");
    let tarball = reqwest::get(format!("{}lantern/-/lantern-1.1.0.tgz", market.npm())).await.unwrap();
    assert_eq!(tarball.status().as_u16(), 404);

    let folder = bench.package("lantern", "1.1.0", json!({"description": "other bytes"}));
    bench.npm(&folder, &["publish"]).await.fails().says("E403");
}

/// A whole package is taken back, and is gone for everybody.
#[tokio::test]
async fn a_whole_package_is_unpublished() {
    let (market, _, bench) = lantern().await;
    bench.npm(bench.home(), &["unpublish", "lantern", "--force"]).await.succeeds().says("- lantern");
    let reader = market.workbench(None);
    reader.npm(reader.home(), &["view", "lantern"]).await.fails().says("E404");
    let application = reader.folder("application");
    reader.npm(&application, &["install", "lantern"]).await.fails().says("E404");
}

/// Somebody who does not own a package can neither tag, deprecate nor unpublish it, and is told so.
#[tokio::test]
async fn strangers_change_nothing() {
    let (market, _, bench) = lantern().await;
    let bob = market.account("bob");
    let stranger = market.workbench(Some(&bob.token));
    let home = stranger.home();
    stranger.npm(home, &["dist-tag", "add", "lantern@1.0.0", "mine"]).await.fails().says("E403");
    stranger.npm(home, &["deprecate", "lantern", "mine is better"]).await.fails().says("E403");
    stranger.npm(home, &["unpublish", "lantern@1.0.0"]).await.fails().says("E403");
    stranger.npm(home, &["unpublish", "lantern", "--force"]).await.fails().says("E403");
    stranger.npm(home, &["owner", "add", "bob", "lantern"]).await.fails();

    let versions = bench.npm(bench.home(), &["view", "lantern", "versions", "--json"]).await.succeeds();
    assert_eq!(versions.json(), json!(["1.0.0", "1.1.0"]));
    bench.npm(bench.home(), &["view", "lantern"]).await.succeeds().omits("mine");
}

/// A new owner may publish; a removed one may not any more.
#[tokio::test]
async fn owners_are_added_and_removed() {
    let (market, _, bench) = lantern().await;
    let bob = market.account("bob");
    let other = market.workbench(Some(&bob.token));
    bench.npm(bench.home(), &["owner", "add", "bob", "lantern"]).await.succeeds().says("+ bob (lantern)");
    bench.npm(bench.home(), &["owner", "ls", "lantern"]).await.succeeds().says("ada").says("bob");
    let folder = other.package("lantern", "1.2.0", json!({}));
    other.npm(&folder, &["publish"]).await.succeeds();

    bench.npm(bench.home(), &["owner", "rm", "bob", "lantern"]).await.succeeds().says("- bob (lantern)");
    bench.npm(bench.home(), &["owner", "ls", "lantern"]).await.succeeds().says("ada").omits("bob");
    let folder = other.package("lantern", "1.3.0", json!({}));
    other.npm(&folder, &["publish"]).await.fails().says("E403");
    bench.npm(bench.home(), &["owner", "add", "nobody-here", "lantern"]).await.fails().says("E404");
}

/// Access is shown and changed; a package that becomes private disappears for strangers.
#[tokio::test]
async fn access_is_shown_and_changed() {
    let market = Market::open().await;
    let ada = market.account("ada");
    let bench = market.workbench(Some(&ada.token));
    let folder = bench.package("@ada/lamp", "1.0.0", json!({}));
    bench.npm(&folder, &["publish", "--access", "public"]).await.succeeds();
    let (home, stranger) = (bench.home(), market.workbench(None));

    bench.npm(home, &["access", "get", "status", "@ada/lamp"]).await.succeeds().says("@ada/lamp: public");
    bench
        .npm(home, &["access", "set", "status=private", "@ada/lamp"])
        .await
        .succeeds()
        .says("@ada/lamp: private");
    stranger.npm(stranger.home(), &["view", "@ada/lamp"]).await.fails().says("E404");
    bench
        .npm(home, &["access", "set", "status=public", "@ada/lamp"])
        .await
        .succeeds()
        .says("@ada/lamp: public");
    stranger.npm(stranger.home(), &["view", "@ada/lamp", "version"]).await.succeeds().says("1.0.0");

    bench.npm(home, &["access", "list", "packages", "ada"]).await.succeeds().says("@ada/lamp: read-write");
    bench
        .npm(home, &["access", "list", "collaborators", "@ada/lamp"])
        .await
        .succeeds()
        .says("ada: read-write");
}

/// Anybody with an account marks favourites, lists them and takes the mark away again.
#[tokio::test]
async fn packages_are_starred() {
    let (market, _, _) = lantern().await;
    let bob = market.account("bob");
    let bench = market.workbench(Some(&bob.token));
    bench.npm(bench.home(), &["star", "lantern"]).await.succeeds();
    let stars = bench.npm(bench.home(), &["stars"]).await.succeeds();
    assert_eq!(stars.out.trim(), "lantern");
    bench.npm(bench.home(), &["unstar", "lantern"]).await.succeeds();
    bench.npm(bench.home(), &["stars"]).await.succeeds().omits("lantern\n");
    let owners = bench.npm(bench.home(), &["owner", "ls", "lantern"]).await.succeeds();
    owners.says("ada").omits("bob");
}
