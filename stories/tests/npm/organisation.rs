//! Organisations and teams: members, their roles, and what a team may do with a package.

use serde_json::json;
use stories::{Account, Market, Workbench};

/// A market where ada owns the organisation `lights`; her machine, and bob's account.
async fn lights() -> (Market, Workbench, Account) {
    let market = Market::open().await;
    let (ada, bob) = (market.account("ada"), market.account("bob"));
    let asked = reqwest::Client::new()
        .post(format!("{}/api/organisations", market.address("api")))
        .bearer_auth(&ada.token)
        .json(&json!({"name": "lights"}));
    assert_eq!(asked.send().await.unwrap().status().as_u16(), 201);
    let bench = market.workbench(Some(&ada.token));
    (market, bench, bob)
}

/// Members are added with a role, listed, given another one, and removed; a stranger can do none of that.
#[tokio::test]
async fn members_come_and_go() {
    let (market, bench, bob) = lights().await;
    let home = bench.home();
    let stranger = market.workbench(Some(&bob.token));
    stranger.npm(stranger.home(), &["org", "ls", "lights"]).await.fails().says("E404");
    stranger.npm(stranger.home(), &["org", "set", "lights", "bob", "owner"]).await.fails();

    let added = bench.npm(home, &["org", "set", "lights", "bob"]).await.succeeds();
    added.says("Added bob as developer to lights. You now have 2 members in this org.");
    let members = bench.npm(home, &["org", "ls", "lights", "--json"]).await.succeeds();
    assert_eq!(members.json(), json!({"ada": "owner", "bob": "developer"}));
    stranger.npm(stranger.home(), &["org", "set", "lights", "bob", "owner"]).await.fails().says("E403");
    bench.npm(home, &["org", "set", "lights", "@bob", "admin"]).await.succeeds().says("bob as admin");
    bench.npm(home, &["org", "ls", "lights", "bob"]).await.succeeds().says("bob - admin");

    let removed = bench.npm(home, &["org", "rm", "lights", "bob"]).await.succeeds();
    removed.says("Successfully removed bob from lights. You now have 1 member in this org.");
    bench.npm(home, &["org", "ls", "lights"]).await.succeeds().says("ada - owner").omits("bob");
    bench.npm(home, &["org", "set", "lights", "nobody-here"]).await.fails().says("E404");
    bench.npm(home, &["org", "rm", "lights", "ada"]).await.fails();
}

/// Teams are made, filled, listed, emptied and destroyed.
#[tokio::test]
async fn teams_come_and_go() {
    let (_market, bench, _) = lights().await;
    let home = bench.home();
    bench.npm(home, &["org", "set", "lights", "bob"]).await.succeeds();
    bench.npm(home, &["team", "create", "@lights:keepers"]).await.succeeds().says("+@lights:keepers");
    bench.npm(home, &["team", "create", "lights:keepers"]).await.fails().says("E409");
    bench.npm(home, &["team", "ls", "lights"]).await.succeeds().says("@lights:keepers");
    let added = bench.npm(home, &["team", "add", "lights:keepers", "bob"]).await.succeeds();
    added.says("bob added to @lights:keepers");
    let users = bench.npm(home, &["team", "ls", "lights:keepers", "--json"]).await.succeeds();
    assert_eq!(users.json(), json!(["bob"]));
    let removed = bench.npm(home, &["team", "rm", "lights:keepers", "bob"]).await.succeeds();
    removed.says("bob removed from @lights:keepers");
    bench.npm(home, &["team", "ls", "lights:keepers"]).await.succeeds().says("has 0 users");
    bench.npm(home, &["team", "destroy", "lights:keepers"]).await.succeeds().says("-@lights:keepers");
    bench.npm(home, &["team", "ls", "lights"]).await.succeeds().omits("keepers");
    bench.npm(home, &["team", "add", "lights:keepers", "bob"]).await.fails().says("E404");
}

/// A team that may write a package publishes it, one that may read it installs it, and afterwards neither does. The
/// package is restricted; bob is in the organisation for the team only.
#[tokio::test]
async fn a_team_is_granted_a_package() {
    let (market, bench, bob) = lights().await;
    let home = bench.home();
    let lamp = bench.package("@lights/lamp", "1.0.0", json!({}));
    bench.npm(&lamp, &["publish", "--access", "restricted"]).await.succeeds();
    let other = market.workbench(Some(&bob.token));
    other.npm(other.home(), &["view", "@lights/lamp"]).await.fails().says("E404");

    bench.npm(home, &["org", "set", "lights", "bob"]).await.succeeds();
    bench.npm(home, &["team", "create", "lights:keepers"]).await.succeeds();
    bench.npm(home, &["team", "add", "lights:keepers", "bob"]).await.succeeds();
    let newer = other.package("@lights/lamp", "1.1.0", json!({}));
    other.npm(&newer, &["publish"]).await.fails().says("E403");

    bench.npm(home, &["access", "grant", "read-write", "lights:keepers", "@lights/lamp"]).await.succeeds();
    let packages = bench.npm(home, &["access", "list", "packages", "lights:keepers"]).await.succeeds();
    packages.says("@lights/lamp: read-write");
    other.npm(&newer, &["publish"]).await.succeeds();

    bench.npm(home, &["access", "grant", "read-only", "lights:keepers", "@lights/lamp"]).await.succeeds();
    let newest = other.package("@lights/lamp", "1.2.0", json!({}));
    other.npm(&newest, &["publish"]).await.fails().says("E403");
    let application = other.application("application", json!({"@lights/lamp": "1.1.0"}));
    other.npm(&application, &["install"]).await.succeeds();

    bench.npm(home, &["access", "revoke", "lights:keepers", "@lights/lamp"]).await.succeeds();
    let packages = bench.npm(home, &["access", "list", "packages", "lights:keepers"]).await.succeeds();
    packages.omits("@lights/lamp");
    bench.npm(home, &["org", "rm", "lights", "bob"]).await.succeeds();
    other.npm(other.home(), &["view", "@lights/lamp"]).await.fails().says("E404");
}
