//! Kills: of the program, and of what it runs.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::town::{PATIENCE, Town, client, docker, has_engine, uri};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_cut_off_in_the_middle_of_a_deployment_comes_true_all_the_same() {
    if !has_engine(&["fondaco/valkey:8"]) {
        return;
    }
    let mut town = Town::open(21_300).await;
    let steady = town.deploy("redis-managed", "steady").await;
    town.is(steady["deploymentId"].as_str().unwrap(), "running").await;
    let ping = |made: &Value| client("redis-cli", &["--no-auth-warning", "-u", &uri(made), "ping"]);
    let mut made = Vec::new();
    for (number, wait) in [0, 20, 40, 80, 120, 180, 250, 350, 500, 700].into_iter().enumerate() {
        made.push(town.deploy("redis-managed", &format!("cut-{number}")).await);
        tokio::time::sleep(Duration::from_millis(wait)).await;
        town.market.crash().await;
        assert_eq!(ping(&steady).unwrap(), "PONG", "what runs goes on serving");
    }
    let began = Instant::now();
    for made in &made {
        town.is(made["deploymentId"].as_str().unwrap(), "running").await;
        assert_eq!(ping(made).unwrap(), "PONG");
    }
    assert!(began.elapsed() < Duration::from_secs(20), "it took {:?}", began.elapsed());
    // Somebody's hand on the engine: one ends in its very first start, one is removed, one is frozen.
    let name = |made: &Value| format!("fondaco-{}", made["deploymentId"].as_str().unwrap());
    let young = town.deploy("redis-managed", "young").await;
    let began = Instant::now();
    while !docker(&["kill", &name(&young)]).status.success() {
        assert!(began.elapsed() < PATIENCE, "it does not start");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    town.is(young["deploymentId"].as_str().unwrap(), "running").await;
    assert_eq!(ping(&young).unwrap(), "PONG");
    docker(&["rm", "--force", &name(&made[0])]);
    docker(&["pause", &name(&made[1])]);
    let began = Instant::now();
    for made in &made[..2] {
        while ping(made).as_deref() != Ok("PONG") {
            assert!(began.elapsed() < Duration::from_secs(15), "it does not come back");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
    town.close().await;
}
