//! Measures how long a deployment takes: from the request until the real client has its first answer, beside a bare
//! `docker run` of the same image in the same run, which has no quota, no network of its own and no proxy. Then the same
//! where one runs in advance for whoever comes.
//!
//! Needs a Docker engine with the images (`scripts/images`), `psql` and `redis-cli`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use crate::http::{Connection, Url};
use crate::report::{self, Figure, Target, median};
use crate::server::{Fondaco, admin_with, build};

/// How long one deployment may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two questions of the client.
const PAUSE: Duration = Duration::from_millis(5);
const SECRET: &str = "correct-horse-battery-staple";
/// In one process, so that nothing is left over when the run is cut off; plans cost nothing here.
const SETTINGS: [(&str, &str); 2] =
    [("FONDACO_SERVICES__RELAY", "embedded"), ("FONDACO_SERVICES__PAID", "off")];

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Cargo profile to build the program with
    #[arg(long, default_value = "release")]
    profile: String,
    /// Measure this program instead of building one, for example an older build
    #[arg(long)]
    binary: Option<PathBuf>,
    /// Deployments of each service, after one that warms up
    #[arg(long, default_value_t = 15)]
    rounds: usize,
}

/// A service with its client.
struct Subject {
    name: &'static str,
    slug: &'static str,
    image: &'static str,
    /// What the bare container keeps, in a volume of its own as the image means it.
    bare: &'static [&'static str],
    /// Slowest of twenty, in milliseconds.
    p95: f64,
    ask: fn(&Access) -> Command,
}

/// Where a service is reached, and as whom.
struct Access {
    host: String,
    port: String,
    user: String,
    password: String,
    database: String,
}

const SUBJECTS: [Subject; 2] = [
    Subject {
        name: "PostgreSQL",
        slug: "postgres-managed",
        image: "fondaco/postgres:15",
        bare: &["-v", "/var/lib/postgresql/data"],
        p95: 700.0,
        ask: psql,
    },
    Subject {
        name: "Redis",
        slug: "redis-managed",
        image: "fondaco/valkey:8",
        bare: &["-v", "/data"],
        p95: 500.0,
        ask: redis,
    },
];

fn psql(access: &Access) -> Command {
    let mut command = Command::new("psql");
    command.args(["-XAtq", "-c", "select 1", "-h", &access.host, "-p", &access.port]);
    command.args(["-U", &access.user, "-d", &access.database]);
    command.env("PGPASSWORD", &access.password).env("PGCONNECT_TIMEOUT", "2");
    command
}

fn redis(access: &Access) -> Command {
    let mut command = Command::new("redis-cli");
    command.args(["-h", &access.host, "-p", &access.port, "-e", "dbsize"]);
    command.env("REDISCLI_AUTH", &access.password);
    command
}

/// Builds, measures and prints. Fails the process if a target is missed.
///
/// # Errors
/// If no engine answers, an image is missing, or a deployment never answers.
pub(crate) fn run(root: &Path, options: &Options) -> Result<ExitCode> {
    let binary = match &options.binary {
        Some(binary) => binary.clone(),
        None => build(root, &options.profile)?,
    };
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data");
    let server = Fondaco::start_with(&binary, &data, &SETTINGS)?;
    let token = token(&binary, &data)?;
    let api = Api::of(&server, &token)?;
    let mut figures = Vec::new();
    let rounds = options.rounds.max(1);
    for subject in &SUBJECTS {
        println!("{}", subject.name);
        figures.extend(measure(subject, &api, folder.path(), rounds)?);
    }
    server.stop()?;
    figures.extend(from_the_pool(&binary, &data, &token, rounds)?);
    Ok(if report::print(&figures) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// By turns, so that both meet the same machine.
fn measure(subject: &Subject, api: &Api, folder: &Path, rounds: usize) -> Result<[Figure; 2]> {
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for round in 0..=rounds {
        let took = (deploy(subject, api, round)?, docker_run(subject, folder)?);
        if round > 0 {
            ours.push(took.0.as_secs_f64() * 1e3);
            bare.push(took.1.as_secs_f64() * 1e3);
        }
    }
    let of = |values: &[f64]| (median(values), p95(values));
    let ((our_p50, our_p95), (bare_p50, bare_p95)) = (of(&ours), of(&bare));
    Ok([
        Figure {
            name: format!("{}, first answer p95, ms", subject.name),
            value: our_p95,
            target: Target::AtMost(subject.p95),
            detail: format!("{rounds} deployments; p50 {our_p50:.0}"),
        },
        Figure {
            name: format!("{}, of a bare docker run", subject.name),
            value: our_p50 / bare_p50,
            target: Target::AtMost(1.3),
            detail: format!("p50 {our_p50:.0} of {bare_p50:.0} ms; p95 {our_p95:.0} of {bare_p95:.0} ms"),
        },
    ])
}

/// One of each runs in advance, whenever somebody comes.
fn from_the_pool(binary: &Path, data: &Path, token: &str, rounds: usize) -> Result<Vec<Figure>> {
    let warm = SUBJECTS.map(|subject| format!("{}:free:1", subject.slug)).join(",");
    let settings = [&SETTINGS[..], &[("FONDACO_SERVICES__WARM", warm.as_str())]].concat();
    let server = Fondaco::start_with(binary, data, &settings)?;
    let api = Api::of(&server, token)?;
    let mut figures = Vec::new();
    for subject in &SUBJECTS {
        println!("{} from the warm pool", subject.name);
        let ready = format!("fondaco_warm_ready{{service=\"{}\",plan=\"free\"}}", subject.slug);
        let mut took = Vec::new();
        for round in 0..=rounds {
            for other in &SUBJECTS {
                api.until_is(&ready.replace(subject.slug, other.slug), "1")?;
            }
            let first = deploy(subject, &api, round)?;
            if round > 0 {
                took.push(first.as_secs_f64() * 1e3);
            }
        }
        figures.push(Figure {
            name: format!("{} from the warm pool, first answer p95, ms", subject.name),
            value: p95(&took),
            target: Target::AtMost(150.0),
            detail: format!("{rounds} deployments; p50 {:.0}", median(&took)),
        });
    }
    server.stop()?;
    // What ran in advance goes, so that nothing is left over.
    let server = Fondaco::start_with(binary, data, &SETTINGS)?;
    Api::of(&server, token)?.until_is("fondaco_warm_spares", "0")?;
    server.stop()?;
    Ok(figures)
}

fn p95(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[(sorted.len() * 95).div_ceil(100).saturating_sub(1)]
}

fn deploy(subject: &Subject, api: &Api, round: usize) -> Result<Duration> {
    let wish = json!({
        "serviceId": subject.slug,
        "name": format!("bench-{round}"),
        "config": { "tier": "free", "region": "us-east-1" },
    });
    let began = Instant::now();
    let made = api.send("POST", "/api/deployments", Some(&wish))?;
    let access = Access::of(&made)?;
    let took = until_answered(&(subject.ask)(&access), began);
    let id = made["deploymentId"].as_str().context("a deployment without an id")?;
    api.send("DELETE", &format!("/api/deployments/{id}?now=true"), None)?;
    api.until_gone(id)?;
    took
}

impl Access {
    fn of(made: &Value) -> Result<Self> {
        let text = |name: &str| {
            let value = &made["credentials"][name];
            value.as_str().map(str::to_owned).or_else(|| value.as_u64().map(|number| number.to_string()))
        };
        Ok(Self {
            host: text("host").context("credentials without a host")?,
            port: text("port").context("credentials without a port")?,
            user: text("username").unwrap_or_default(),
            password: text("password").context("credentials without a password")?,
            database: text("database").unwrap_or_default(),
        })
    }
}

/// The same image by hand: limits of memory and processes, and nothing else that a deployment has.
fn docker_run(subject: &Subject, folder: &Path) -> Result<Duration> {
    let secrets = folder.join("secrets");
    fs::create_dir_all(&secrets)?;
    fs::write(secrets.join("password"), SECRET)?;
    let began = Instant::now();
    let mut run = Command::new("docker");
    run.args(["run", "-d", "--rm", "--memory", "256m", "--pids-limit", "100"]).args(subject.bare);
    run.arg("-v").arg(format!("{}:/run/secrets:ro", secrets.display())).arg(subject.image);
    let id = output(&mut run)?;
    let address =
        "{{.NetworkSettings.IPAddress}} {{range $port, $_ := .Config.ExposedPorts}}{{$port}}{{end}}";
    let address = output(Command::new("docker").args(["inspect", "-f", address, &id]))?;
    let (host, port) = address.split_once(' ').context("a container without an address")?;
    let access = Access {
        host: host.to_owned(),
        port: port.trim_end_matches("/tcp").to_owned(),
        user: "app".to_owned(),
        password: SECRET.to_owned(),
        database: "defaultdb".to_owned(),
    };
    let took = until_answered(&(subject.ask)(&access), began);
    output(Command::new("docker").args(["rm", "-f", "-v", &id]))?;
    took
}

fn output(command: &mut Command) -> Result<String> {
    let ran = command.stdin(Stdio::null()).output().with_context(|| format!("{command:?} cannot be run"))?;
    ensure!(ran.status.success(), "{command:?}: {}", String::from_utf8_lossy(&ran.stderr));
    Ok(String::from_utf8(ran.stdout)?.trim().to_owned())
}

/// Asks again and again until there is an answer.
fn until_answered(ask: &Command, began: Instant) -> Result<Duration> {
    loop {
        let mut command = Command::new(ask.get_program());
        command.args(ask.get_args());
        command.envs(ask.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let asked = output(&mut command);
        match asked {
            Ok(_) => return Ok(began.elapsed()),
            Err(error) if began.elapsed() > PATIENCE => bail!("no answer after {PATIENCE:?}: {error}"),
            Err(_) => std::thread::sleep(PAUSE),
        }
    }
}

/// One account's view of the API.
struct Api {
    url: Url,
    token: String,
}

/// A token of somebody who deploys.
fn token(binary: &Path, data: &Path) -> Result<String> {
    let user = ["user", "create", "--username", "bench", "--email", "bench@example.com", "--password-stdin"];
    admin_with(binary, data, &SETTINGS, &user, &format!("{SECRET}\n"))?;
    let printed = admin_with(binary, data, &SETTINGS, &["token", "create", "--user", "bench"], "")?;
    let token = printed.lines().last().context("fondaco admin token create printed no token")?;
    Ok(token.to_owned())
}

impl Api {
    fn of(server: &Fondaco, token: &str) -> Result<Self> {
        Ok(Self { url: Url::parse(server.address("api")?)?, token: token.to_owned() })
    }

    fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value> {
        let text = self.send_for_text(method, path, body)?;
        Ok(serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    fn send_for_text(&self, method: &str, path: &str, body: Option<&Value>) -> Result<String> {
        let authorization = format!("Bearer {}", self.token);
        let headers = [("Authorization", authorization.as_str()), ("Content-Type", "application/json")];
        let body = body.map(Value::to_string).unwrap_or_default();
        let answer = Connection::open(&self.url)?.send(method, path, &headers, body.as_bytes())?;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        ensure!((200..300).contains(&answer.status), "{method} {path}: {} {text}", answer.status);
        Ok(text)
    }

    /// Until a figure of the program has this value.
    fn until_is(&self, figure: &str, value: &str) -> Result<()> {
        let (began, line) = (Instant::now(), format!("{figure} {value}"));
        while began.elapsed() < PATIENCE {
            if self.send_for_text("GET", "/metrics", None)?.lines().any(|known| known == line) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        bail!("{figure} is not {value}")
    }

    /// Until nothing of a deployment is left, so that the next one has the machine for itself.
    fn until_gone(&self, id: &str) -> Result<()> {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            match self.send("GET", &format!("/api/deployments/{id}"), None) {
                Ok(seen) if seen["status"] != "deleted" => std::thread::sleep(Duration::from_millis(20)),
                _ => return Ok(()),
            }
        }
        bail!("the deployment {id} is still there")
    }
}
