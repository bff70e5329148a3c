//! Services on the real engine, used by their real clients. They run where `FONDACO_TEST_DOCKER` is `required`, which
//! `scripts/test` sets, or where an engine with the images answers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stories::Market;

/// What these stories need of the machine.
const IMAGES: [&str; 3] = ["fondaco/postgres:15", "fondaco/valkey:8", "fondaco/mariadb:10.11"];
/// Longer than any start on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Whether there is an engine with the images.
fn has_engine() -> bool {
    let there = IMAGES.iter().all(|image| docker(&["image", "inspect", image]).status.success());
    let required = std::env::var("FONDACO_TEST_DOCKER").is_ok_and(|word| word == "required");
    assert!(
        there || !required,
        "no engine answers, or an image of {IMAGES:?} is missing: run scripts/images"
    );
    if !there {
        eprintln!("no engine with the images answers: not tested with real services");
    }
    there
}

fn docker(args: &[&str]) -> Output {
    match Command::new("docker").args(args).output() {
        Ok(output) => output,
        Err(_) => Command::new("false").output().unwrap(),
    }
}

/// A market whose deployments are its own.
struct Town {
    market: Market,
    token: String,
    client: reqwest::Client,
}

impl Town {
    async fn open(first_port: u16) -> Self {
        let ports = format!("{first_port}-{}", first_port + 50);
        let settings = [
            ("FONDACO_SERVICES__PORTS", ports.as_str()),
            ("FONDACO_SERVICES__PAID", "off"),
            ("FONDACO_SERVICES__FREE_DEPLOYMENTS", "20"),
        ];
        let market = Market::open_with(&settings).await;
        let token = market.account("ada").token;
        Self { market, token, client: reqwest::Client::new() }
    }

    async fn ask(&self, method: reqwest::Method, path: &str, body: Option<Value>) -> Value {
        let url = format!("{}{path}", self.market.address("services"));
        let request = self.client.request(method, url).bearer_auth(&self.token);
        let request = match &body {
            Some(body) => request.json(body),
            None => request,
        };
        let response = request.send().await.unwrap();
        let status = response.status();
        let text = response.text().await.unwrap();
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    async fn deploy(&self, service: &str, name: &str) -> Value {
        let body = json!({ "serviceId": service, "name": name, "config": { "region": "us-east-1" } });
        self.ask(reqwest::Method::POST, "/api/deployments", Some(body)).await
    }

    async fn get(&self, path: &str) -> Value {
        self.ask(reqwest::Method::GET, path, None).await
    }

    async fn post(&self, path: &str) -> Value {
        self.ask(reqwest::Method::POST, path, None).await
    }

    /// Waits until the deployment has this status.
    async fn is(&self, id: &str, status: &str) -> Value {
        let began = Instant::now();
        loop {
            let found = self.get(&format!("/api/deployments/{id}")).await;
            if found["status"] == status {
                return found;
            }
            assert!(began.elapsed() < PATIENCE, "it is no {status}: {found:#}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Removes everything at once, and sees that nothing is left.
    async fn close(mut self) {
        let list = self.get("/api/deployments").await;
        for known in list["deployments"].as_array().unwrap() {
            let id = known["id"].as_str().unwrap();
            self.ask(reqwest::Method::DELETE, &format!("/api/deployments/{id}?now=true"), None).await;
            self.is(id, "deleted").await;
            for kind in ["container", "network", "volume"] {
                let left = docker(&[kind, "ls", "--quiet", "--filter", &format!("name=fondaco-{id}")]);
                assert!(left.stdout.is_empty(), "a {kind} is left");
            }
        }
        // The network goes with the last of them, just after that is said.
        let account = list["deployments"][0]["account"].as_str().unwrap();
        let began = Instant::now();
        let filter = format!("name=fondaco-{account}");
        while !docker(&["network", "ls", "--quiet", "--filter", &filter]).stdout.is_empty() {
            assert!(began.elapsed() < PATIENCE, "the network is left");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let stop = ["relay", "--stop", "--data-dir"];
        let stop = self.market.program().args(stop).arg(self.market.data()).output().unwrap();
        assert!(stop.status.success(), "{stop:?}");
        self.market.close();
    }
}

/// What a client says, once it says anything at all.
fn client(program: &str, args: &[&str]) -> Result<String, String> {
    let output =
        Command::new(program).args(args).output().unwrap_or_else(|error| panic!("{program}: {error}"));
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if output.status.success() { Ok(out.trim().to_owned()) } else { Err(err.into_owned()) }
}

fn uri(made: &Value) -> String {
    made["credentials"]["connectionString"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn psql_uses_a_database_through_its_whole_life() {
    if !has_engine() {
        return;
    }
    let mut town = Town::open(41_000).await;
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
    if !has_engine() {
        return;
    }
    let town = Town::open(41_100).await;
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
    if !has_engine() {
        return;
    }
    let town = Town::open(41_200).await;
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

#[tokio::test(flavor = "multi_thread")]
async fn what_is_cut_off_in_the_middle_of_a_deployment_comes_true_all_the_same() {
    if !has_engine() {
        return;
    }
    let mut town = Town::open(41_300).await;
    let steady = town.deploy("redis-managed", "steady").await;
    town.is(steady["deploymentId"].as_str().unwrap(), "running").await;
    let ping = |made: &Value| client("redis-cli", &["--no-auth-warning", "-u", &uri(made), "ping"]);
    let mut made = Vec::new();
    for (number, wait) in [0, 40, 120, 250, 500].into_iter().enumerate() {
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
    // Somebody's hand on the engine: one is removed, one is frozen.
    let name = |made: &Value| format!("fondaco-{}", made["deploymentId"].as_str().unwrap());
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
