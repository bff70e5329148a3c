//! A market with an engine, and the real clients of what is deployed in it.

use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stories::Market;

/// Longer than any start on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Whether there is an engine with these images.
pub(crate) fn has_engine(images: &[&str]) -> bool {
    let there = images.iter().all(|image| docker(&["image", "inspect", image]).status.success());
    let required = std::env::var("FONDACO_TEST_DOCKER").is_ok_and(|word| word == "required");
    assert!(
        there || !required,
        "no engine answers, or an image of {images:?} is missing: run scripts/images"
    );
    if !there {
        eprintln!("no engine with the images answers: not tested with real services");
    }
    there
}

pub(crate) fn docker(args: &[&str]) -> Output {
    match Command::new("docker").args(args).output() {
        Ok(output) => output,
        Err(_) => Command::new("false").output().unwrap(),
    }
}

/// A market whose deployments are its own.
pub(crate) struct Town {
    pub(crate) market: Market,
    pub(crate) token: String,
    pub(crate) client: reqwest::Client,
}

impl Town {
    /// With the ports from this one on, which lie below those that the system gives to clients (32768 and more).
    pub(crate) async fn open(first_port: u16) -> Self {
        Self::open_with(first_port, &[]).await
    }

    pub(crate) async fn open_with(first_port: u16, more: &[(&str, &str)]) -> Self {
        let ports = format!("{first_port}-{}", first_port + 50);
        let settings = [
            ("FONDACO_SERVICES__PORTS", ports.as_str()),
            ("FONDACO_SERVICES__PAID", "off"),
            ("FONDACO_SERVICES__FREE_DEPLOYMENTS", "20"),
        ];
        let settings = [&settings[..], more].concat();
        let market = Market::open_with(&settings).await;
        let token = market.account("ada").token;
        Self { market, token, client: reqwest::Client::new() }
    }

    pub(crate) async fn ask(&self, method: reqwest::Method, path: &str, body: Option<Value>) -> Value {
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

    pub(crate) async fn deploy(&self, service: &str, name: &str) -> Value {
        let body = json!({ "serviceId": service, "name": name, "config": { "region": "us-east-1" } });
        self.ask(reqwest::Method::POST, "/api/deployments", Some(body)).await
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        self.ask(reqwest::Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, path: &str) -> Value {
        self.ask(reqwest::Method::POST, path, None).await
    }

    /// Waits until the deployment has this status.
    pub(crate) async fn is(&self, id: &str, status: &str) -> Value {
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
    pub(crate) async fn close(mut self) {
        let list = self.get("/api/deployments?limit=100").await;
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
        let stop = self.stop_relay();
        assert!(stop.status.success(), "{stop:?}");
        self.market.close();
    }

    fn stop_relay(&self) -> Output {
        let stop = ["relay", "--stop", "--data-dir"];
        self.market.program().args(stop).arg(self.market.data()).output().unwrap()
    }
}

impl Drop for Town {
    /// What a story that failed left on the engine, the next would stumble over.
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.market.give_up();
            self.stop_relay();
            sweep(self.market.data());
        }
    }
}

/// Removes the containers and networks of the installation in this folder, and lets go of its disks.
fn sweep(data: &Path) {
    const LABEL: &str = "fondaco.installation";
    let data = data.display().to_string();
    let says =
        format!("{{{{index .Config.Labels \"{LABEL}\"}}}} {{{{range .Mounts}}}}{{{{.Source}}}} {{{{end}}}}");
    let all = docker(&["ps", "--all", "--quiet", "--filter", &format!("label={LABEL}")]).stdout;
    for id in String::from_utf8_lossy(&all).lines() {
        let about = docker(&["inspect", "--format", &says, id]).stdout;
        let about = String::from_utf8_lossy(&about).into_owned();
        let Some((installation, _)) = about.split_once(' ').filter(|(_, mounts)| mounts.contains(&data))
        else {
            continue;
        };
        docker(&["rm", "--force", id]);
        let of_it = format!("label={LABEL}={installation}");
        let networks = docker(&["network", "ls", "--quiet", "--filter", &of_it]).stdout;
        for network in String::from_utf8_lossy(&networks).lines() {
            docker(&["network", "rm", network]);
        }
    }
    let mounts = std::fs::read_to_string("/proc/mounts").unwrap_or_default();
    let own = mounts.lines().filter_map(|line| line.split(' ').nth(1)).filter(|path| path.starts_with(&data));
    for path in own {
        let _ = Command::new("umount").arg(path).output();
    }
}

/// What a client says, once it says anything at all.
pub(crate) fn client(program: &str, args: &[&str]) -> Result<String, String> {
    let output =
        Command::new(program).args(args).output().unwrap_or_else(|error| panic!("{program}: {error}"));
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if output.status.success() { Ok(out.trim().to_owned()) } else { Err(err.into_owned()) }
}

pub(crate) fn uri(made: &Value) -> String {
    made["credentials"]["connectionString"].as_str().unwrap().to_owned()
}
