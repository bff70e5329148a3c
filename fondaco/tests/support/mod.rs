//! A clean machine with nothing but the program on it.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub(crate) mod demo;

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// Longer than any start on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// A home folder, a data folder, and no environment.
pub(crate) struct Machine {
    pub(crate) home: TempDir,
    environment: Vec<(String, String)>,
}

/// What a command did.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    /// The same, when it ended with code 0.
    #[track_caller]
    pub(crate) fn fine(self) -> Self {
        assert_eq!(self.code, 0, "{}\n{}", self.out, self.err);
        self
    }

    #[track_caller]
    pub(crate) fn fails(self, code: i32, text: &str) -> Self {
        assert_eq!(self.code, code, "{}\n{}", self.out, self.err);
        assert!(self.err.contains(text), "{text}\n in \n{}", self.err);
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}", self.out))
    }
}

impl Machine {
    pub(crate) fn new() -> Self {
        Self { home: tempfile::tempdir().unwrap(), environment: Vec::new() }
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    pub(crate) fn data(&self) -> String {
        self.path("data").display().to_string()
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fondaco"));
        let path = std::env::var_os("PATH").unwrap_or_default();
        command.env_clear().env("PATH", path).env("HOME", self.home.path()).current_dir(self.home.path());
        command.envs(self.environment.iter().cloned());
        command
    }

    pub(crate) fn run<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Ran {
        self.run_with(arguments, "")
    }

    pub(crate) fn run_with<S: AsRef<OsStr>>(&self, arguments: &[S], input: &str) -> Ran {
        let mut child = self
            .command()
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A command that does not read its input may have closed it already.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        Ran {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// `admin …` on the data folder.
    pub(crate) fn admin(&self, arguments: &str, input: &str) -> Ran {
        let data = self.data();
        let mut all = vec!["admin"];
        all.extend(arguments.split_whitespace());
        all.extend(["--data-dir", &data]);
        self.run_with(&all, input)
    }

    pub(crate) fn user(&self, name: &str, roles: &str) {
        let command = format!(
            "user create --username {name} --email {name}@example.com --password-stdin --role {roles}"
        );
        self.admin(&command, PASSWORD).fine();
    }

    pub(crate) fn serve(&self, arguments: &[&str]) -> Server {
        Server::start(self, arguments)
    }
}

/// A running server; ended when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) addresses: Value,
    log: PathBuf,
}

impl Server {
    fn start(machine: &Machine, arguments: &[&str]) -> Self {
        let log = machine.path("server.log");
        let file = std::fs::File::options().create(true).append(true).open(&log).unwrap();
        let mut command = machine.command();
        command.args(["serve", "--data-dir", &machine.data()]).args(arguments);
        for port in ["PORT", "MARKETPLACE_PORT", "ORCHESTRATOR_PORT", "REGISTRY_PORT", "DASHBOARD_PORT"] {
            command.env(port, "0");
        }
        // A demo deploys services where there is an engine; they would outlive the test.
        command.env("FONDACO_SERVICES__DOCKER_SOCKET", machine.path("no-engine"));
        let ready = machine.path("data/ready.json");
        let _ = std::fs::remove_file(&ready);
        let child =
            command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file).spawn().unwrap();
        let mut server = Self { child, addresses: Value::Null, log };
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if let Ok(text) = std::fs::read(&ready) {
                server.addresses =
                    serde_json::from_slice(&text).expect("ready.json is whole at every moment");
                return server;
            }
            if let Some(status) = server.child.try_wait().unwrap() {
                panic!("the server ended with {status}\n{}", server.log());
            }
            wait(Duration::from_millis(5));
        }
        panic!("no ready.json\n{}", server.log());
    }

    pub(crate) fn url(&self, name: &str) -> String {
        self.addresses[name].as_str().unwrap_or_else(|| panic!("no {name} in {}", self.addresses)).to_owned()
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Sends a signal and gives the exit code.
    pub(crate) fn end(mut self, signal: &str) -> Option<i32> {
        self.signal(signal);
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            wait(Duration::from_millis(5));
        }
        panic!("the server did not end\n{}", self.log());
    }

    fn signal(&self, signal: &str) {
        Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[allow(clippy::disallowed_methods)]
pub(crate) fn wait(time: Duration) {
    std::thread::sleep(time);
}

/// What follows the event log comes a moment later.
#[track_caller]
pub(crate) fn eventually(mut holds: impl FnMut() -> bool) {
    for _ in 0..200 {
        if holds() {
            return;
        }
        wait(Duration::from_millis(50));
    }
    panic!("it did not come");
}

/// A folder with a small npm package.
pub(crate) fn package(folder: &Path, name: &str, version: &str) {
    std::fs::create_dir_all(folder).unwrap();
    let manifest = serde_json::json!({"name": name, "version": version, "description": "A small package", "license": "MIT", "main": "index.js"});
    std::fs::write(folder.join("package.json"), manifest.to_string()).unwrap();
    std::fs::write(folder.join("index.js"), "module.exports = 42;\n").unwrap();
    std::fs::write(folder.join("README.md"), "# Small\n").unwrap();
}
