//! Databases, used by their own clients.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::town::{PATIENCE, Town, client, docker, has_engine, uri};

const IMAGES: [&str; 3] = ["fondaco/postgres:15", "fondaco/valkey:8", "fondaco/mariadb:10.11"];

#[tokio::test(flavor = "multi_thread")]
async fn psql_uses_a_database_through_its_whole_life() {
    if !has_engine(&IMAGES) {
        return;
    }
    let mut town = Town::open(21_000).await;
    let made = town.deploy("svc-postgres", "my-database").await;
    let id = made["deploymentId"].as_str().unwrap().to_owned();
    town.is(&id, "running").await;
    let psql = |uri: &str, sql: &str| client("psql", &[uri, "-XAtqc", sql]);
    psql(&uri(&made), "create table bread (loaves int); insert into bread values (7)").unwrap();

    // The way to it goes on while the program is killed and started again.
    town.market.crash().await;
    assert_eq!(psql(&uri(&made), "select loaves from bread").unwrap(), "7");
    let first = docker(&["inspect", "--format", "{{.State.StartedAt}}", &format!("fondaco-{id}")]).stdout;

    // Somebody kills it: it comes back with what it kept.
    docker(&["kill", &format!("fondaco-{id}")]);
    let began = Instant::now();
    while psql(&uri(&made), "select loaves from bread").as_deref() != Ok("7") {
        assert!(began.elapsed() < Duration::from_secs(15), "it does not come back");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let second = docker(&["inspect", "--format", "{{.State.StartedAt}}", &format!("fondaco-{id}")]).stdout;
    assert_ne!(first, second);
    town.is(&id, "running").await;

    let rotated = town.post(&format!("/api/deployments/{id}/rotate")).await;
    let new_uri = rotated["connectionString"].as_str().unwrap();
    assert!(psql(&uri(&made), "select 1").is_err(), "the old password holds no more");
    assert_eq!(psql(new_uri, "select loaves from bread").unwrap(), "7");

    town.post(&format!("/api/deployments/{id}/stop")).await;
    town.is(&id, "stopped").await;
    assert!(psql(new_uri, "select 1").is_err());
    town.post(&format!("/api/deployments/{id}/start")).await;
    town.is(&id, "running").await;
    assert_eq!(psql(new_uri, "select loaves from bread").unwrap(), "7");

    let scale = json!({ "tier": "starter" });
    town.ask(reqwest::Method::POST, &format!("/api/deployments/{id}/scale"), Some(scale)).await;
    town.is(&id, "running").await;
    assert_eq!(psql(new_uri, "select loaves from bread").unwrap(), "7");

    let logs = town.get(&format!("/api/deployments/{id}/logs?search=READY%20to%20accept")).await;
    assert!(!logs["lines"].as_array().unwrap().is_empty(), "{logs}");
    let inspect = docker(&["inspect", &format!("fondaco-{id}")]);
    let inspect = String::from_utf8_lossy(&inspect.stdout).into_owned();
    let password = new_uri.split(':').nth(2).and_then(|rest| rest.split('@').next()).unwrap();
    assert!(!inspect.contains(password), "secrets are in nothing that the engine shows");
    town.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_and_mysql_clients_are_served_and_only_with_their_password() {
    if !has_engine(&IMAGES) {
        return;
    }
    let town = Town::open(21_100).await;
    let (cache, shop) = (town.deploy("redis-managed", "cache").await, town.deploy("svc-mysql", "shop").await);
    for made in [&cache, &shop] {
        town.is(made["deploymentId"].as_str().unwrap(), "running").await;
    }
    let port = |made: &Value| made["credentials"]["port"].as_str().unwrap().to_owned();
    let said = |made: &Value, name: &str| made["credentials"][name].as_str().unwrap().to_owned();
    let redis = |words: &[&str]| {
        let uri = uri(&cache);
        client("redis-cli", &[&["--no-auth-warning", "-u", uri.as_str()], words].concat())
    };
    assert_eq!(redis(&["set", "bread", "7"]).unwrap(), "OK");
    assert_eq!(redis(&["get", "bread"]).unwrap(), "7");
    let stranger = client("redis-cli", &["-p", &port(&cache), "get", "bread"]).unwrap();
    assert!(stranger.contains("NOAUTH"), "{stranger}");
    let mariadb = |password: &str, sql: &str| {
        let (user, database) = (said(&shop, "username"), said(&shop, "database"));
        let password = format!("-p{password}");
        let args = ["-h", "127.0.0.1", "-P", &port(&shop), "-u", &user, &password, "-BNe", sql, &database];
        client("mariadb", &args)
    };
    let password = said(&shop, "password");
    mariadb(&password, "create table bread (loaves int)").unwrap();
    mariadb(&password, "insert into bread values (7)").unwrap();
    assert_eq!(mariadb(&password, "select loaves from bread").unwrap(), "7");
    assert!(mariadb("wrong", "select 1").is_err());
    town.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_comes_back_in_the_same_and_in_a_new_database() {
    if !has_engine(&IMAGES) {
        return;
    }
    let town = Town::open(21_200).await;
    let made = town.deploy("svc-postgres", "bakery").await;
    let id = made["deploymentId"].as_str().unwrap().to_owned();
    town.is(&id, "running").await;
    let psql = |uri: &str, sql: &str| client("psql", &[uri, "-XAtqc", sql]);
    psql(&uri(&made), "create table bread (loaves int); insert into bread values (7)").unwrap();
    let backup = town.post(&format!("/api/deployments/{id}/backups")).await["backupId"].clone();
    let began = Instant::now();
    loop {
        let list = town.get(&format!("/api/deployments/{id}/backups")).await;
        match list["backups"][0]["state"].as_str().unwrap() {
            "done" => break,
            "failed" => panic!("{list:#}"),
            _ => assert!(began.elapsed() < PATIENCE, "{list:#}"),
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    psql(&uri(&made), "update bread set loaves = 0; create table crumbs ()").unwrap();

    let body = json!({ "serviceId": "svc-postgres", "name": "copy", "config": { "backupId": backup } });
    let copy = town.ask(reqwest::Method::POST, "/api/deployments", Some(body)).await;
    town.is(copy["deploymentId"].as_str().unwrap(), "running").await;
    assert_eq!(psql(&uri(&copy), "select loaves from bread").unwrap(), "7");
    psql(&uri(&copy), "insert into bread values (8)").expect("what was restored is the tenant's own");

    let body = json!({ "backupId": backup });
    town.ask(reqwest::Method::POST, &format!("/api/deployments/{id}/restore"), Some(body)).await;
    town.is(&id, "running").await;
    assert_eq!(psql(&uri(&made), "select loaves from bread").unwrap(), "7");
    town.close().await;
}
