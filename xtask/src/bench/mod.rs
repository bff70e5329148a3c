//! Measures the registry against nginx serving the same bytes, on the same machine in the same run.
//!
//! Everything listens on 127.0.0.1 and lives in a temporary folder. The load generator shares the machine
//! with both servers, so ratios mean more than rates.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::http::{Connection, Url};
use crate::report::{self, Figure, Target, median};
use crate::server::{Fondaco, admin, build};
use nginx::Nginx;
use npm::{noise, publish_document};
use publish::Registry;
use read::{Effort, Subject};

mod nginx;
mod npm;
mod publish;
mod read;
mod wrk;

const SMALL: &str = "bench-small";
const LARGE: &str = "bench-large";
const VERSIONS: &str = "bench-versions";
/// How often the start-up is measured.
const START_UPS: usize = 5;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Cargo profile to build the program with
    #[arg(long, default_value = "release")]
    profile: String,
    /// Measure this program instead of building one, for example an older build
    #[arg(long)]
    binary: Option<PathBuf>,
    /// Rounds per figure; the median counts
    #[arg(long, default_value_t = 14)]
    rounds: usize,
    /// Seconds of load per round and side
    #[arg(long, default_value_t = 1)]
    seconds: u32,
    /// Fresh packages to publish; with the others they make the seeded registry of the start-up figure
    #[arg(long, default_value_t = 3000)]
    packages: usize,
}

/// Builds, measures and prints. Fails the process if a target is missed.
///
/// # Errors
/// If a server does not start, or anything it answers is not what it should be.
pub(crate) fn run(root: &Path, options: &Options) -> Result<ExitCode> {
    let binary = match &options.binary {
        Some(binary) => binary.clone(),
        None => build(root, &options.profile)?,
    };
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data");

    let server = Fondaco::start(&binary, &data)?;
    let mut figures = vec![memory("memory idle, MB", &server, 60.0)?];
    let registry = Registry {
        base: Url::parse(&format!("{}/npm", server.address("registry")?))?,
        token: token(&binary, &data)?,
    };

    println!("publishing");
    publish_subjects(&registry)?;
    figures.push(publish::fresh_packages(&registry, options.packages)?);
    figures.push(publish::many_versions(&registry, VERSIONS)?);

    let effort = Effort { rounds: options.rounds.max(1), seconds: options.seconds };
    figures.extend(reads(&registry, folder.path(), &effort)?);
    figures.push(memory("memory after the load, MB", &server, 150.0)?);
    server.stop()?;

    figures.push(start_up(&binary, &data)?);
    Ok(if report::print(&figures) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// An account that may publish, and its token.
fn token(binary: &Path, data: &Path) -> Result<String> {
    let user = ["user", "create", "--username", "bench", "--email", "bench@example.com"];
    let flags = ["--password-stdin", "--role", "publisher"];
    admin(binary, data, &[&user[..], &flags[..]].concat(), "correct-horse-battery-staple\n")?;
    let printed = admin(binary, data, &["token", "create", "--user", "bench"], "")?;
    printed.lines().last().map(str::to_owned).context("fondaco admin token create printed no token")
}

/// Publishes what the reading side asks for: a small package and one of 5 MB.
fn publish_subjects(registry: &Registry) -> Result<()> {
    let mut connection = Connection::open(&registry.base)?;
    for (name, bytes) in [(SMALL, 1 << 10), (LARGE, 5_000_000)] {
        let document = publish_document(name, "1.0.0", &noise(bytes))?;
        registry.publish(&mut connection, name, &document)?;
    }
    Ok(())
}

fn reads(registry: &Registry, folder: &Path, effort: &Effort) -> Result<Vec<Figure>> {
    let packument = Subject::packument("packument GET, of nginx", registry, SMALL, 0.5);
    let others = [
        Subject::packument("packument with 300 versions, of nginx", registry, VERSIONS, 0.5),
        Subject::tarball("small tarball GET, of nginx", registry, SMALL, 0.5, false)?,
        Subject::tarball("5 MB tarball throughput, of nginx", registry, LARGE, 0.75, true)?,
    ];
    let www = folder.join("www");
    std::fs::create_dir_all(&www)?;
    for subject in others.iter().chain([&packument]) {
        subject.keep(&www)?;
    }
    let nginx = Nginx::start(folder)?;

    println!("reading");
    let mut figures = vec![packument.compare(&nginx, effort)?];
    for subject in &others {
        figures.push(subject.compare(&nginx, effort)?);
    }
    figures.push(packument.compare_unchanged(&nginx, effort)?);
    figures.push(packument.compare_token(&registry.token, effort)?);
    Ok(figures)
}

fn memory(name: &str, server: &Fondaco, at_most: f64) -> Result<Figure> {
    std::thread::sleep(Duration::from_secs(1)); // what ran is over, and its memory given back
    let value = server.memory_bytes()? as f64 / 1e6;
    Ok(Figure {
        name: name.to_owned(),
        value,
        target: Target::AtMost(at_most),
        detail: "resident".to_owned(),
    })
}

/// How long the registry with all that was published takes from its start until it is ready.
fn start_up(binary: &Path, data: &Path) -> Result<Figure> {
    let mut seconds = Vec::new();
    for _ in 0..START_UPS {
        let server = Fondaco::start(binary, data)?;
        seconds.push(server.start_up.as_secs_f64());
        server.stop()?;
    }
    Ok(Figure {
        name: "start-up of the seeded registry, s".to_owned(),
        value: median(&seconds),
        target: Target::AtMost(0.2),
        detail: format!("median of {}", seconds.len()),
    })
}
