//! What runs before anybody wants it, and is then somebody's.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::town::{PATIENCE, Town, client, docker, has_engine, uri};

const IMAGES: [&str; 1] = ["fondaco/postgres:15"];

/// A figure that operators see.
async fn figure(town: &Town, name: &str) -> Option<u32> {
    let url = format!("{}/metrics", town.market.address("services"));
    let text = town.client.get(url).send().await.unwrap().text().await.unwrap();
    text.lines().find(|line| line.starts_with(name))?.rsplit(' ').next()?.parse().ok()
}

async fn until(town: &Town, name: &str, count: u32) {
    let began = Instant::now();
    while figure(town, name).await != Some(count) {
        assert!(began.elapsed() < PATIENCE, "{name} is no {count}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_was_ready_is_somebodys_at_once_and_stays_theirs() {
    if !has_engine(&IMAGES) {
        return;
    }
    let mut town = Town::open_with(21_900, &[("FONDACO_SERVICES__WARM", "postgres-managed:free:1")]).await;
    until(&town, "fondaco_warm_ready", 1).await;
    assert_eq!(town.get("/api/deployments").await["deployments"], json!([]), "it is nobody's yet");

    let psql = |uri: &str, sql: &str| client("psql", &[uri, "-XAtqc", sql]);
    let began = Instant::now();
    let made = town.deploy("postgres-managed", "bakery").await;
    while psql(&uri(&made), "select 1").as_deref() != Ok("1") {
        assert!(began.elapsed() < Duration::from_secs(5), "one that was ready answers at once");
    }
    let id = made["deploymentId"].as_str().unwrap().to_owned();
    town.is(&id, "running").await;
    psql(&uri(&made), "create table bread (loaves int); insert into bread values (7)").unwrap();

    // Another one of the account reaches it by its name.
    let other = town.deploy("postgres-managed", "shop").await;
    let other_id = other["deploymentId"].as_str().unwrap().to_owned();
    town.is(&other_id, "running").await;
    let began = Instant::now();
    let finds =
        || docker(&["exec", &format!("fondaco-{other_id}"), "getent", "hosts", "bakery"]).status.success();
    while !finds() {
        assert!(began.elapsed() < PATIENCE, "it is not found by its name");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(psql(&uri(&made), "select loaves from bread").unwrap(), "7");

    // It is stopped, started and made afresh like any other.
    for (deed, status) in [("stop", "stopped"), ("start", "running"), ("restart", "running")] {
        town.post(&format!("/api/deployments/{id}/{deed}")).await;
        town.is(&id, status).await;
    }
    assert_eq!(psql(&uri(&made), "select loaves from bread").unwrap(), "7");
    until(&town, "fondaco_warm_ready", 1).await;

    // Who wants none in advance any more has none left.
    town.market.set("FONDACO_SERVICES__WARM", "");
    town.market.restart().await;
    until(&town, "fondaco_warm_spares", 0).await;
    town.close().await;
}
