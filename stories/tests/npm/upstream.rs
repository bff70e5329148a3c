//! Upstream packages and the policy of an organisation: its members get what is old enough, others the newest.

use serde_json::{Value, json};
use stories::{Account, Market, Workbench, read_json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// A registry upstream that has one package, `lantern`: 1.0.0 of years ago, and 1.1.0 of this very moment. The
/// tarballs are npm's own.
async fn upstream() -> String {
    let maker = Workbench::new("http://127.0.0.1:9/", None);
    let clock = maker.run("node", maker.home(), &["-p", "new Date().toISOString()"]).await.succeeds();
    let mut document =
        json!({"name": "lantern", "dist-tags": {"latest": "1.1.0"}, "versions": {}, "time": {}});
    let mut files = Vec::new();
    for (version, at) in [("1.0.0", "2020-01-01T00:00:00.000Z"), ("1.1.0", clock.out.trim())] {
        let folder = maker.package("lantern", version, json!({}));
        let packed = maker.npm(&folder, &["pack", "--json"]).await.succeeds().json();
        let file = packed[0]["filename"].as_str().unwrap().to_owned();
        let mut manifest = read_json(&folder.join("package.json"));
        manifest["dist"] = json!({"integrity": packed[0]["integrity"], "shasum": packed[0]["shasum"]});
        document["versions"][version] = manifest;
        document["time"][version] = json!(at);
        let bytes = std::fs::read(folder.join(&file)).unwrap();
        files.push((format!("/lantern/-/{file}"), bytes));
    }
    files.push(("/lantern".to_owned(), document.to_string().into_bytes()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream, files.clone()));
        }
    });
    address
}

async fn answer(mut stream: TcpStream, files: Vec<(String, Vec<u8>)>) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).ok()?;
    let path = head.split(' ').nth(1)?;
    let found = files.iter().find(|(name, _)| name == path);
    let (status, body) = found.map_or(("404 Not Found", &b"{}"[..]), |(_, bytes)| ("200 OK", bytes));
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.ok()?;
    stream.write_all(body).await.ok()
}

/// Sends JSON to the API as the owner of the organisation; what it answers.
async fn api(market: &Market, by: &Account, method: &str, path: &str, body: &Value) -> Value {
    let client = reqwest::Client::new();
    let url = format!("{}/api/organisations{path}", market.address("api"));
    let asked = client.request(method.parse().unwrap(), url).bearer_auth(&by.token).json(body);
    let answer = asked.send().await.unwrap();
    let status = answer.status();
    let said: Value = answer.json().await.unwrap();
    assert!(status.is_success(), "{status}: {said}");
    said
}

/// A member installs what is a week old, an outsider the newest; a lockfile of the outsider does not get the member
/// around it, and an exemption with a reason does.
#[tokio::test]
async fn a_member_gets_what_is_old_enough_and_others_the_newest() {
    let uplinks = json!([{"name": "upstream", "url": upstream().await}]).to_string();
    let market = Market::open_with(&[("FONDACO_REGISTRY__UPLINKS", &uplinks)]).await;
    let (ada, bob, eve) = (market.account("ada"), market.account("bob"), market.account("eve"));
    api(&market, &ada, "POST", "", &json!({"name": "lights"})).await;
    api(&market, &ada, "PUT", "/lights/members/bob", &json!({"role": "member"})).await;
    let policy = json!({"minimumReleaseAgeHours": 168, "version": 0});
    api(&market, &ada, "PUT", "/lights/upstream-policy", &policy).await;

    let outsider = market.workbench(Some(&eve.token));
    let theirs = outsider.application("application", json!({"lantern": "^1.0.0"}));
    outsider.npm(&theirs, &["install"]).await.succeeds();
    assert_eq!(outsider.require(&theirs, "lantern").await, "lantern@1.1.0");

    let member = market.workbench(Some(&bob.token));
    let ours = member.application("application", json!({"lantern": "^1.0.0"}));
    member.npm(&ours, &["install"]).await.succeeds();
    assert_eq!(member.require(&ours, "lantern").await, "lantern@1.0.0");
    member.npm(&ours, &["view", "lantern", "version"]).await.succeeds().says("1.0.0").omits("1.1.0");

    let copied = member.application("copied", json!({"lantern": "^1.0.0"}));
    std::fs::copy(theirs.join("package-lock.json"), copied.join("package-lock.json")).unwrap();
    let refused = member.npm(&copied, &["ci"]).await.fails();
    refused
        .says("E403")
        .says("lantern@1.1.0 is younger than your organisation lights accepts")
        .says("or ask an owner or admin of lights to exempt it");

    let exempt = json!([{"name": "lantern@1.1.0", "reason": "It mends the wick"}]);
    let policy = json!({"minimumReleaseAgeHours": 168, "exempt": exempt, "version": 1});
    api(&market, &ada, "PUT", "/lights/upstream-policy", &policy).await;
    member.npm(&copied, &["ci"]).await.succeeds();
    assert_eq!(member.require(&copied, "lantern").await, "lantern@1.1.0");
}
