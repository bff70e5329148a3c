//! The edge cache before a function of the same account, used by `curl`.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::town::{PATIENCE, Town, client, has_engine, uri};

const IMAGES: [&str; 2] = ["fondaco/edge:1", "fondaco/functions:1"];

/// Never the same answer twice; its path says how long it may be kept.
const ORIGIN: &str = r#"
import itertools

count = itertools.count(1)
kept = {"/long": "max-age=600", "/short": "max-age=1", "/fresh": "max-age=1, stale-while-revalidate=60"}

def application(environ, start_response):
    path = environ["PATH_INFO"].removeprefix("/bread")
    body = f"answer {next(count)} of {path} ".ljust(4000, ".").encode()
    start_response("200 OK", [("Content-Type", "text/css"), ("Cache-Control", kept.get(path, "no-store"))])
    return [body]
"#;

/// What came through the edge.
#[derive(Debug)]
struct Reply {
    status: String,
    cache: String,
    body: String,
    head: String,
}

fn get(edge: &str, path: &str, words: &[&str]) -> Reply {
    let url = format!("{edge}{path}");
    let said = client("curl", &[&["-sSi", "--max-time", "20", url.as_str()], words].concat()).unwrap();
    let (head, body) = said.split_once("\r\n\r\n").unwrap_or((said.as_str(), ""));
    let head = head.to_lowercase();
    let status = head.split(' ').nth(1).unwrap_or_default().trim().to_owned();
    let cache =
        head.lines().find_map(|line| line.strip_prefix("x-cache: ")).unwrap_or_default().trim().to_owned();
    Reply { status, cache, body: body.to_owned(), head }
}

fn id(made: &Value) -> String {
    made["deploymentId"].as_str().unwrap().to_owned()
}

fn bearer(made: &Value) -> String {
    format!("Authorization: Bearer {}", made["credentials"]["password"].as_str().unwrap())
}

async fn origin(town: &Town) -> Value {
    let made = town.deploy("functions", "bakery").await;
    town.is(&id(&made), "running").await;
    let url = format!("{}/-/functions/bread", uri(&made));
    let kind = "Content-Type: text/x-python";
    client("curl", &["-sSf", "-X", "PUT", "-H", &bearer(&made), "-H", kind, "--data-binary", ORIGIN, &url])
        .unwrap();
    made
}

#[tokio::test(flavor = "multi_thread")]
async fn the_edge_keeps_what_it_may_purges_and_outlives_its_origin() {
    if !has_engine(&IMAGES) {
        return;
    }
    let town = Town::open(22_300).await;
    let bakery = origin(&town).await;
    let config = json!({ "region": "us-east-1", "origin": "http://bakery:8080/bread" });
    let body = json!({ "serviceId": "cdn-edge", "name": "edge", "config": config });
    let made = town.ask(reqwest::Method::POST, "/api/deployments", Some(body)).await;
    town.is(&id(&made), "running").await;
    let edge = uri(&made);
    let get = |path: &str, words: &[&str]| get(&edge, path, words);

    let first = get("/long", &[]);
    assert_eq!((first.status.as_str(), first.cache.as_str()), ("200", "miss"), "{first:?}");
    let second = get("/long", &[]);
    assert_eq!((second.cache.as_str(), &second.body), ("hit", &first.body));
    assert_ne!(get("/never", &[]).body, get("/never", &[]).body, "what must not be kept is not");
    assert_eq!(get("/long", &["-H", "Authorization: Basic eDp4"]).cache, "bypass");
    let part = get("/long", &["-r", "0-5"]);
    assert_eq!((part.status.as_str(), part.body.as_str()), ("206", "answer"));
    for kind in ["gzip", "br"] {
        let words = ["-H", &format!("Accept-Encoding: {kind}"), "-o", "/dev/null", "-D", "-"];
        let head = get("/long", &words).head;
        assert!(head.contains(&format!("content-encoding: {kind}")), "{head}");
    }

    let purge = |key: &str, what: &str| get("/-/purge", &["-H", key, "-d", what]);
    assert_eq!(purge("Authorization: Bearer wrong", r#"{"everything": true}"#).status, "401");
    assert_eq!(purge(&bearer(&made), r#"{"path": 5}"#).status, "400");
    let short = get("/short", &[]);
    assert_eq!(purge(&bearer(&made), r#"{"path": "/long"}"#).status, "200");
    let third = get("/long", &[]);
    assert!(third.cache == "miss" && third.body != first.body, "{third:?}");
    assert_eq!(purge(&bearer(&made), r#"{"everything": true}"#).status, "200");
    assert_eq!((get("/long", &[]).cache.as_str(), get("/long", &[]).cache.as_str()), ("miss", "hit"));

    let fresh = [get("/fresh", &[]), get("/short", &[])];
    tokio::time::sleep(Duration::from_millis(2100)).await;
    let stale = get("/fresh", &[]);
    assert_eq!((stale.cache.as_str(), &stale.body), ("stale", &fresh[0].body), "the old one at once");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_ne!(get("/fresh", &[]).body, fresh[0].body, "meanwhile the new one was fetched");
    assert_ne!(short.body, fresh[1].body);

    town.post(&format!("/api/deployments/{}/stop", id(&bakery))).await;
    town.is(&id(&bakery), "stopped").await;
    for _ in 0..2 {
        let stale = get("/short", &[]);
        assert_eq!((stale.cache.as_str(), &stale.body), ("stale", &fresh[1].body), "the origin is gone");
        // Until its name is forgotten, too.
        tokio::time::sleep(Duration::from_secs(6)).await;
    }
    assert_eq!(get("/never", &[]).status, "502");
    town.post(&format!("/api/deployments/{}/start", id(&bakery))).await;
    town.is(&id(&bakery), "running").await;
    let began = Instant::now();
    while get("/never", &[]).status != "200" {
        assert!(began.elapsed() < PATIENCE, "the origin is not found again");
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    figures(&town, &made).await;
    town.close().await;
}

/// Waits until the deployment tells what the edge counted.
async fn figures(town: &Town, made: &Value) {
    let began = Instant::now();
    loop {
        let figures = town.get(&format!("/api/deployments/{}", id(made))).await["metrics"].clone();
        if figures["requests"].as_f64() >= Some(10.0) && figures["errors"].as_f64() >= Some(1.0) {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "its requests are not counted: {figures}");
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}
