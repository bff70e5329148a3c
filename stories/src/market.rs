//! The program under test: found, started, asked for accounts and tokens, and ended as an operator would.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::Workbench;

/// Longer than any start on a busy machine; the program itself is ready in well under a second.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// The program finishes running requests first, and has its own shorter limit for that.
const ENDS_WITHIN: Duration = Duration::from_secs(30);

/// The variable that names a PostgreSQL server whose user may create schemas.
const POSTGRES: &str = "FONDACO_TEST_POSTGRES";

/// A running market on an empty data folder. Ends with SIGTERM when dropped, and the test fails if it did
/// not end cleanly.
pub struct Market {
    data: TempDir,
    server: Option<Child>,
    settings: Vec<(String, String)>,
    has_demo: bool,
    addresses: Value,
}

/// A person of the market, as the operator made them.
pub struct Account {
    /// The sign-in name.
    pub name: String,
    /// The password in clear text.
    pub password: String,
    /// An API token with the rights of its owner.
    pub token: String,
}

impl Market {
    /// Starts the program with its defaults.
    pub async fn open() -> Self {
        Self::open_with(&[]).await
    }

    /// Starts the program with these environment variables on top of its defaults.
    pub async fn open_with(settings: &[(&str, &str)]) -> Self {
        Self::open_as(settings, false).await
    }

    /// As [`Market::open_with`], with the demo's accounts and packages.
    pub async fn open_demo_with(settings: &[(&str, &str)]) -> Self {
        Self::open_as(settings, true).await
    }

    async fn open_as(settings: &[(&str, &str)], has_demo: bool) -> Self {
        let mut market = Self {
            data: tempfile::Builder::new().prefix("fondaco-story-").tempdir().unwrap(),
            server: None,
            settings: settings.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            has_demo,
            addresses: Value::Null,
        };
        market.start().await;
        market
    }

    /// Starts the program on an empty PostgreSQL schema; `None`, said on standard error, where no server is
    /// named by `FONDACO_TEST_POSTGRES` (`scripts/with-postgres` sets it).
    pub async fn open_on_postgres() -> Option<Self> {
        let Ok(url) = std::env::var(POSTGRES) else {
            eprintln!("{POSTGRES} is not set: not tested on PostgreSQL");
            return None;
        };
        // Every test is a process of its own, and the server lives no longer than the run of tests.
        let schema = format!("story_{}", std::process::id());
        let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
        let connection = tokio::spawn(connection);
        client.batch_execute(&format!("create schema {schema}")).await.unwrap();
        drop(client);
        connection.await.unwrap().unwrap();
        let joined = if url.contains('?') { '&' } else { '?' };
        let url = format!("{url}{joined}options=-csearch_path%3D{schema}");
        Some(Self::open_with(&[("DATABASE_URL", &url)]).await)
    }

    /// Kills the program in the middle of whatever it does, as a power cut would, and starts it again.
    pub async fn crash(&mut self) {
        let mut server = self.server.take().unwrap();
        server.kill().unwrap();
        server.wait().unwrap();
        self.start().await;
    }

    /// Ends the program and starts it again on the same data folder and the same ports, as an upgrade does.
    pub async fn restart(&mut self) {
        self.close();
        self.start().await;
    }

    /// Sets an environment variable from the next start on.
    pub fn set(&mut self, name: &str, value: &str) {
        self.settings.retain(|(known, _)| known != name);
        self.settings.push((name.to_owned(), value.to_owned()));
    }

    /// Ends the program with SIGTERM; fails unless it ends with code 0.
    pub fn close(&mut self) {
        let Some(server) = self.server.take() else { return };
        let status = end(server);
        assert!(status.success(), "the program ended with {status} after SIGTERM\n{}", self.log());
    }

    /// Ends the program after a story has failed, and shows its log.
    pub fn give_up(&mut self) {
        if let Some(server) = self.server.take() {
            end(server);
            eprintln!("--- the program's log\n{}", self.log());
        }
    }

    /// The npm registry as clients are told of it, with the slash at the end.
    pub fn npm(&self) -> String {
        format!("{}/npm/", self.address("registry"))
    }

    /// The origin of a listener: `api`, `registry`, `web`, `services` or `orchestrator`.
    pub fn address(&self, listener: &str) -> String {
        self.addresses[listener].as_str().expect(listener).trim_end_matches('/').to_owned()
    }

    /// The folder that holds everything the market keeps.
    pub fn data(&self) -> &Path {
        self.data.path()
    }

    /// Makes an account with a token, by the operator's commands.
    pub fn account(&self, name: &str) -> Account {
        let password = format!("{name} walks to the market");
        let email = format!("{name}@example.com");
        let user = ["user", "create", "--username", name, "--email", &email, "--password-stdin"];
        self.admin(&user, &password);
        let token = self.admin(&["token", "create", "--user", name], "");
        Account { name: name.to_owned(), password, token }
    }

    /// Runs `fondaco admin …` on the data folder and returns what it printed, trimmed.
    pub fn admin(&self, args: &[&str], input: &str) -> String {
        let mut child = self
            .program()
            .envs(self.settings.iter().cloned())
            .arg("admin")
            .args(args)
            .arg("--data-dir")
            .arg(self.data())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "fondaco admin {args:?}: {}\n{said}", output.status);
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// A clean machine of somebody who holds this token, or none.
    pub fn workbench(&self, token: Option<&str>) -> Workbench {
        Workbench::new(&self.npm(), token)
    }

    async fn start(&mut self) {
        let ready = self.data().join("ready.json");
        let _ = std::fs::remove_file(&ready);
        let log = File::options().create(true).append(true).open(self.log_path()).unwrap();
        let mut command = self.program();
        command.arg("serve").arg("--data-dir").arg(self.data());
        if self.has_demo {
            // It deploys services where there is an engine; they would outlive the story.
            command.arg("--demo").env("FONDACO_SERVICES__DOCKER_SOCKET", self.data().join("no-engine"));
        }
        for (listener, variable) in LISTENERS {
            command.env(variable, self.port(listener));
        }
        command.envs(self.settings.iter().cloned());
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        self.server = Some(command.spawn().unwrap());
        self.addresses = self.wait_for(&ready).await;
    }

    async fn wait_for(&mut self, ready: &Path) -> Value {
        let began = Instant::now();
        loop {
            if let Some(addresses) =
                std::fs::read(ready).ok().and_then(|text| serde_json::from_slice(&text).ok())
            {
                return addresses;
            }
            let ended = self.server.as_mut().unwrap().try_wait().unwrap();
            if let Some(status) = ended {
                self.server = None;
                panic!("the program ended with {status} before it was ready\n{}", self.log());
            }
            assert!(began.elapsed() < READY_WITHIN, "no ready.json after {READY_WITHIN:?}\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// The port that the listener had before a restart; 0, any free one, at first.
    fn port(&self, listener: &str) -> String {
        let known = self.addresses[listener].as_str().and_then(|address| address.rsplit(':').next());
        known.unwrap_or("0").trim_end_matches('/').to_owned()
    }

    /// The program with nothing of the test's own environment: a developer's settings must not decide.
    pub fn program(&self) -> Command {
        let mut command = Command::new(binary());
        command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", self.data());
        command
    }

    fn log_path(&self) -> PathBuf {
        self.data().join("story.log")
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap_or_default()
    }
}

impl Drop for Market {
    fn drop(&mut self) {
        if std::thread::panicking() { self.give_up() } else { self.close() }
    }
}

/// The listeners of `ready.json` and the variables of their ports.
const LISTENERS: [(&str, &str); 5] = [
    ("api", "PORT"),
    ("registry", "REGISTRY_PORT"),
    ("web", "DASHBOARD_PORT"),
    ("services", "MARKETPLACE_PORT"),
    ("orchestrator", "ORCHESTRATOR_PORT"),
];

/// `FONDACO_BIN`, or the binary beside the test's own folder: `target/<profile>/fondaco`.
fn binary() -> PathBuf {
    let named = std::env::var_os("FONDACO_BIN").map(PathBuf::from);
    let path = named.unwrap_or_else(|| {
        let test = std::env::current_exe().unwrap();
        test.parent().and_then(Path::parent).unwrap().join("fondaco")
    });
    assert!(
        path.is_file(),
        "{} is missing: run `cargo build -p fondaco` first, or set FONDACO_BIN",
        path.display()
    );
    path
}

/// Sends SIGTERM and waits; kills the program, and fails, when it does not end by itself.
fn end(mut server: Child) -> ExitStatus {
    let pid = server.id().to_string();
    signal("-TERM", &pid);
    let (ended, wait) = mpsc::channel();
    std::thread::spawn(move || ended.send(server.wait()));
    match wait.recv_timeout(ENDS_WITHIN) {
        Ok(status) => status.unwrap(),
        Err(_) => {
            signal("-KILL", &pid);
            wait.recv().unwrap().unwrap()
        }
    }
}

/// Sends a signal to one process, or with a minus before the number to a process group.
pub(crate) fn signal(name: &str, pid: &str) {
    Command::new("kill").args([name, "--", pid]).status().unwrap();
}
