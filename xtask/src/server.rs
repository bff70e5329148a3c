//! The program under measurement, as a child process.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

/// How long the program may take until it is ready, and until it has ended.
const PATIENCE: Duration = Duration::from_secs(30);

const PORTS: &[&str] = &["PORT", "MARKETPLACE_PORT", "ORCHESTRATOR_PORT", "REGISTRY_PORT", "DASHBOARD_PORT"];

/// Builds the program with a cargo profile and tells where it is.
///
/// # Errors
/// If cargo fails; its messages have then been shown.
pub(crate) fn build(root: &Path, profile: &str) -> Result<PathBuf> {
    let built = Command::new(env!("CARGO"))
        .args(["build", "--locked", "--package", "fondaco", "--bin", "fondaco", "--profile", profile])
        .arg("--message-format=json-render-diagnostics")
        .current_dir(root)
        .stderr(Stdio::inherit())
        .output()?;
    ensure!(built.status.success(), "the program does not build");

    let messages = built.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let mut paths = messages.filter_map(|line| {
        let message: serde_json::Value = serde_json::from_slice(line).ok()?;
        message.get("executable")?.as_str().map(PathBuf::from)
    });
    paths.next_back().context("cargo built no program")
}

/// A running program; it is ended when this is dropped.
pub(crate) struct Fondaco {
    child: Child,
    addresses: serde_json::Value,
    /// From the start of the process until it said that it is ready.
    pub(crate) start_up: Duration,
}

impl Fondaco {
    /// Starts `fondaco serve` on free ports without rate limits, and waits until it is ready.
    ///
    /// # Errors
    /// If it ends or is not ready in time; the message has the end of its log.
    pub(crate) fn start(binary: &Path, data: &Path) -> Result<Self> {
        Self::start_with(binary, data, &[])
    }

    /// The same with these variables of the environment.
    ///
    /// # Errors
    /// As [`Fondaco::start`].
    pub(crate) fn start_with(binary: &Path, data: &Path, settings: &[(&str, &str)]) -> Result<Self> {
        std::fs::create_dir_all(data)?;
        let ready = data.join("ready.json");
        let _ = std::fs::remove_file(&ready); // of an earlier run
        let log_path = data.join("server.log");
        let log = std::fs::File::create(&log_path)?;

        let mut command = Command::new(binary);
        command.args(["serve", "--rate-limits", "off", "--data-dir"]).arg(data);
        command.envs(PORTS.iter().map(|port| (*port, "0"))).envs(settings.iter().copied());
        let began = Instant::now();
        let child = command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?;
        let mut server = Self { child, addresses: serde_json::Value::Null, start_up: Duration::ZERO };

        while began.elapsed() < PATIENCE {
            if let Some(addresses) = read_json(&ready) {
                server.start_up = began.elapsed();
                server.addresses = addresses;
                return Ok(server);
            }
            if let Some(status) = server.child.try_wait()? {
                bail!("the program ended with {status}; its log:\n{}", tail(&log_path));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        bail!("the program was not ready after {PATIENCE:?}; its log:\n{}", tail(&log_path))
    }

    /// The address of a surface, such as `registry`, without a slash at its end.
    pub(crate) fn address(&self, surface: &str) -> Result<&str> {
        let address = self.addresses.get(surface).and_then(serde_json::Value::as_str);
        Ok(address.with_context(|| format!("ready.json has no address for {surface}"))?.trim_end_matches('/'))
    }

    /// The memory that the process holds, in bytes.
    pub(crate) fn memory_bytes(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS line")?;
        let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
        Ok(kilobytes * 1024)
    }

    /// Asks the process to end and waits until it has.
    ///
    /// # Errors
    /// If it does not end in time or not with code 0.
    pub(crate) fn stop(mut self) -> Result<()> {
        self.terminate();
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if let Some(status) = self.child.try_wait()? {
                ensure!(status.success(), "the program ended with {status} after SIGTERM");
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        bail!("the program did not end within {PATIENCE:?} of SIGTERM")
    }

    /// Ends the process without a word, as a power cut would.
    ///
    /// # Errors
    /// If it has ended before.
    pub(crate) fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Sends SIGTERM: by `kill`, since the standard library only knows SIGKILL.
    fn terminate(&self) {
        let _ = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
    }
}

impl Drop for Fondaco {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs `fondaco admin …` on a data folder with text as its input, and returns what it printed.
///
/// # Errors
/// If the command fails; the message has what it said.
pub(crate) fn admin(binary: &Path, data: &Path, arguments: &[&str], input: &str) -> Result<String> {
    admin_with(binary, data, &[], arguments, input)
}

/// The same with these variables of the environment.
///
/// # Errors
/// As [`admin`].
pub(crate) fn admin_with(
    binary: &Path,
    data: &Path,
    settings: &[(&str, &str)],
    arguments: &[&str],
    input: &str,
) -> Result<String> {
    let mut child = Command::new(binary)
        .envs(settings.iter().copied())
        .arg("admin")
        .args(arguments)
        .arg("--data-dir")
        .arg(data)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes())?;
    }
    let done = child.wait_with_output()?;
    let said = String::from_utf8_lossy(&done.stderr);
    ensure!(done.status.success(), "fondaco admin {} failed: {said}", arguments.join(" "));
    Ok(String::from_utf8(done.stdout)?.trim().to_owned())
}

fn read_json(path: &Path) -> Option<serde_json::Value> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

fn tail(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}
