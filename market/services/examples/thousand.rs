//! A thousand deployments on an engine in memory: how long until all run, and what a look at one costs meanwhile and after.
//!
//! ```text
//! cargo run --release -p services --example thousand
//! ```
#![allow(clippy::unwrap_used, clippy::print_stdout)]

#[path = "../tests/market/mod.rs"]
mod market;

use std::time::{Duration, Instant};

use identity::Caller;
use kernel::{Clock, Paging};
use market::{Market, migrations};
use services::{DeploymentId, Settings, Status};

const COUNT: usize = 1000;
const OWNERS: usize = 10;

/// The median and the 95th of a hundred looks, in microseconds.
async fn looks(market: &Market, ids: &[(Caller, DeploymentId)]) -> (u128, u128) {
    let mut took = Vec::new();
    for (owner, id) in ids.iter().cycle().step_by(7).take(1000) {
        let began = Instant::now();
        market.services.standing(owner, id).await.unwrap();
        took.push(began.elapsed().as_micros());
    }
    took.sort_unstable();
    (took[took.len() / 2], took[took.len() * 95 / 100])
}

fn resident_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

#[tokio::main]
async fn main() {
    let folder = tempfile::tempdir().unwrap();
    let store = store::testing::sqlite(folder.path(), &migrations()).await;
    // One account has one network, with room for 253: these belong to ten.
    let settings = Settings { free_deployments: u32::MAX, ..Settings::default() };
    let market = Market::at(Clock::system(), store, settings).await;
    let began = Instant::now();
    let mut ids = Vec::new();
    for number in 0..COUNT {
        let owner = market.person(&format!("p{}", number % OWNERS));
        let id = market.deploy(&owner, &format!("d{number}")).await.deployment.id;
        ids.push((owner, id));
    }
    println!("asked for {COUNT} in {:?}", began.elapsed());

    let reconciler = market.reconciler();
    let working = tokio::spawn(async move { reconciler.run().await });
    let began = Instant::now();
    let (p50, p95) = looks(&market, &ids).await;
    println!("a look while they are made: p50 {p50} us, p95 {p95} us");
    loop {
        let mut running = 0;
        for (owner, _) in ids.iter().take(OWNERS) {
            let page = Paging { limit: 1, offset: 0 };
            running += market.services.list(owner, Some(Status::Running), page).await.unwrap().total;
        }
        if running == COUNT as u64 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    println!("all run after {:?}", began.elapsed());
    let (p50, p95) = looks(&market, &ids).await;
    println!("a look when they run: p50 {p50} us, p95 {p95} us; {} MB in memory", resident_mb());
    working.abort();
}
