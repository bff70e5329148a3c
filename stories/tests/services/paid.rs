//! A plan with a price: bought with a card of the sandbox, deployed, used, not paid any more, paid again.

use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use stories::Market;

use crate::town::{PATIENCE, Town, client, has_engine, uri};

/// A market in which plans cost something.
async fn open() -> Town {
    let settings = [
        ("FONDACO_SERVICES__PORTS", "21600-21650"),
        ("FONDACO_SERVICES__SELLER", "house"),
        ("FONDACO_PAYMENTS__SANDBOX", "true"),
    ];
    let market = Market::open_with(&settings).await;
    market.account("house");
    let token = market.account("ada").token;
    Town { market, token, client: reqwest::Client::new() }
}

/// Asks with a key, and gives the status with the answer.
async fn keyed(town: &Town, path: &str, key: &str, body: &Value) -> (StatusCode, Value) {
    let url = format!("{}{path}", town.market.address("services"));
    let request = town.client.post(url).bearer_auth(&town.token).header("idempotency-key", key).json(body);
    let response = request.send().await.unwrap();
    (response.status(), response.json().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_is_bought_used_lapses_and_goes_on() {
    if !has_engine(&["fondaco/valkey:8"]) {
        return;
    }
    let town = open().await;
    let wish = json!({ "serviceId": "svc-redis", "name": "cache", "config": { "tier": "starter" } });
    let (status, asked) = keyed(&town, "/api/deployments", "first", &wish).await;
    assert_eq!((status, &asked["paymentRequired"]), (StatusCode::ACCEPTED, &json!(true)), "{asked:#}");
    assert_eq!(asked["order"]["total"], 9.0);
    let order = asked["order"]["id"].as_str().unwrap().to_owned();
    assert!(asked["payUrl"].as_str().unwrap().ends_with(&format!("/checkout/{order}")));

    let declined = json!({ "orderId": order, "token": "tok_chargeDeclined" });
    let (status, _) = keyed(&town, "/api/payments", "declined", &declined).await;
    assert_eq!(status, StatusCode::PAYMENT_REQUIRED);
    let list = town.get("/api/deployments").await;
    assert_eq!(list["total"], 0, "nothing is made of what is not paid");

    let pay = json!({ "orderId": order, "token": "tok_visa" });
    let (status, paid) = keyed(&town, "/api/payments", "pay", &pay).await;
    assert!(status.is_success(), "{paid:#}");
    let (status, made) = keyed(&town, "/api/deployments", "first", &wish).await;
    assert_eq!(status, StatusCode::CREATED, "{made:#}");
    let id = made["deploymentId"].as_str().unwrap().to_owned();
    let known = town.is(&id, "running").await;
    assert_eq!((&known["tier"], &known["billing"]["projectedCost"]), (&json!("starter"), &json!(9.0)));
    let ask = |words: &[&str]| {
        let address = uri(&made);
        let mut args = vec!["--no-auth-warning", "-u", address.as_str()];
        args.extend(words);
        client("redis-cli", &args)
    };
    assert_eq!(ask(&["set", "loaves", "7"]).unwrap(), "OK");

    // What it costs is refused to everybody else, and this order carries no second one.
    let second = json!({ "serviceId": "svc-redis", "name": "other", "config": { "tier": "starter" } });
    let (status, other) = keyed(&town, "/api/deployments", "second", &second).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    assert_ne!(other["order"]["id"], json!(order));

    let subscriptions = town.get("/api/billing/subscriptions").await;
    let subscription = subscriptions["subscriptions"][0]["subscriptionId"].as_str().unwrap().to_owned();
    let path = format!("/api/billing/subscriptions/{subscription}/cancel");
    town.ask(Method::POST, &path, Some(json!({ "when": "now" }))).await;
    let lapsed = town.is(&id, "stopped").await;
    assert!(lapsed["reason"].as_str().unwrap().contains("not paid any more"), "{lapsed:#}");
    assert!(ask(&["get", "loaves"]).is_err(), "it serves nobody who does not pay");

    let (status, again) = keyed(&town, &format!("/api/deployments/{id}/start"), "start", &json!({})).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{again:#}");
    let pay = json!({ "orderId": again["order"]["id"], "token": "tok_visa" });
    let (status, _) = keyed(&town, "/api/payments", "pay again", &pay).await;
    assert!(status.is_success());
    town.is(&id, "running").await;
    assert_eq!(ask(&["get", "loaves"]).unwrap(), "7", "what it kept is there");
    town.close().await;
}

/// What was saved is brought back, into the same deployment and into a new one.
#[tokio::test(flavor = "multi_thread")]
async fn redis_is_saved_and_brought_back() {
    if !has_engine(&["fondaco/valkey:8"]) {
        return;
    }
    let town = Town::open(21_850).await;
    let made = town.deploy("svc-redis", "cache").await;
    let id = made["deploymentId"].as_str().unwrap().to_owned();
    town.is(&id, "running").await;
    let ask = |made: &Value, words: &[&str]| {
        let address = uri(made);
        let mut args = vec!["--no-auth-warning", "-u", address.as_str()];
        args.extend(words);
        client("redis-cli", &args)
    };
    ask(&made, &["set", "loaves", "7"]).unwrap();
    ask(&made, &["set", "rolls", "3", "ex", "1000"]).unwrap();
    assert!(ask(&made, &["-e", "debug", "reload"]).is_err(), "that is for backups alone");
    let path = format!("/api/deployments/{id}/backups");
    let backup = town.post(&path).await["backupId"].as_str().unwrap().to_owned();
    let began = Instant::now();
    while town.get(&path).await["backups"][0]["state"] != "done" {
        assert!(began.elapsed() < PATIENCE, "{:#}", town.get(&path).await);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    ask(&made, &["flushall"]).unwrap();
    ask(&made, &["set", "loaves", "0"]).unwrap();
    let restore = json!({ "backupId": backup });
    town.ask(Method::POST, &format!("/api/deployments/{id}/restore"), Some(restore)).await;
    town.is(&id, "running").await;
    assert_eq!(ask(&made, &["get", "loaves"]).unwrap(), "7");
    assert!(ask(&made, &["ttl", "rolls"]).unwrap().parse::<i64>().unwrap() > 0);
    // It is on disk, too.
    town.post(&format!("/api/deployments/{id}/restart")).await;
    town.is(&id, "running").await;
    assert_eq!(ask(&made, &["get", "loaves"]).unwrap(), "7");
    let config = json!({ "tier": "free", "backupId": backup });
    let body = json!({ "serviceId": "svc-redis", "name": "copy", "config": config });
    let copy = town.ask(Method::POST, "/api/deployments", Some(body)).await;
    town.is(copy["deploymentId"].as_str().unwrap(), "running").await;
    assert_eq!(ask(&copy, &["get", "loaves"]).unwrap(), "7");
    town.close().await;
}
