//! Many at once. It takes the whole machine, so it runs only when asked for:
//! `cargo nextest run -p stories --test services --run-ignored only --no-capture many::`.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::Value;

use crate::town::{Town, client, docker, has_engine, uri};

const MANY: usize = 60;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes the whole machine for a minute"]
async fn sixty_run_at_once_and_all_answer() {
    if !has_engine(&["fondaco/valkey:8"]) {
        return;
    }
    let more = [("FONDACO_SERVICES__PORTS", "23400-23499"), ("FONDACO_SERVICES__FREE_DEPLOYMENTS", "100")];
    let town = Town::open_with(23_400, &more).await;
    let names: Vec<String> = (0..MANY).map(|number| format!("many-{number}")).collect();
    let began = Instant::now();
    let made: Vec<Value> = join_all(names.iter().map(|name| town.deploy("redis-managed", name))).await;
    let asked = began.elapsed();
    for made in &made {
        town.is(made["deploymentId"].as_str().unwrap(), "running").await;
    }
    let running = began.elapsed();
    for made in &made {
        assert_eq!(client("redis-cli", &["--no-auth-warning", "-u", &uri(made), "ping"]).unwrap(), "PONG");
    }
    let looks = join_all((0..200).map(async |number: usize| {
        let id = made[number % MANY]["deploymentId"].as_str().unwrap();
        tokio::time::sleep(Duration::from_millis(5 * number as u64)).await;
        let asked = Instant::now();
        town.get(&format!("/api/deployments/{id}")).await;
        asked.elapsed()
    }));
    let mut looks = looks.await;
    looks.sort();
    let seen = docker(&["ps", "--quiet", "--filter", "name=fondaco-deploy"]).stdout;
    let seen = String::from_utf8_lossy(&seen).lines().count();
    eprintln!(
        "{MANY} deployments asked for in {asked:.1?}, all running after {running:.1?}; {seen} containers; a look p95 {:.1?}",
        looks[looks.len() * 95 / 100]
    );
    town.close().await;
}
