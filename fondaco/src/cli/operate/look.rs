//! The checks of `doctor`, one each.

use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use blobs::{Blobs, Sha256};
use kernel::{Clock, Timestamp};
use store::{Store, StoreError};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};

use super::doctor::Finding;
use crate::config::{Config, Loaded, Role, round_size};
use crate::data::DataDir;
use crate::{disk, schema};

/// Less than this is worth a warning.
const LOW_FREE_BYTES: u64 = 1 << 30;
/// Making one write durable should not take longer.
const SLOW_SYNC: Duration = Duration::from_millis(100);
/// No machine that runs this program lives before this time (2026-01-01).
const EARLIEST: Timestamp = Timestamp::from_secs(1_767_225_600);

pub(super) fn settings(loaded: &Loaded) -> Finding {
    let from =
        loaded.file.as_ref().map_or_else(|| "no fondaco.toml".to_owned(), |path| path.display().to_string());
    if loaded.warnings.is_empty() {
        Finding::ok("settings", from)
    } else {
        Finding::warn("settings", loaded.warnings.join(" "), "remove what is not used")
    }
}

pub(super) fn disk(config: &Config, fix: bool) -> Vec<Finding> {
    let folder = &config.server.data_dir;
    if let Err(error) = DataDir::open(folder) {
        return vec![Finding::fail(
            "data folder",
            error.to_string(),
            format!("make {} writable for this user", folder.display()),
        )];
    }
    vec![private(folder, fix), space(folder), sync(folder)]
}

/// The folder holds password hashes and secrets.
fn private(folder: &Path, fix: bool) -> Finding {
    let mode = std::fs::metadata(folder).map(|meta| meta.permissions().mode() & 0o777).unwrap_or_default();
    if mode & 0o077 == 0 {
        return Finding::ok("data folder", folder.display().to_string());
    }
    let command = format!("chmod 700 {}", folder.display());
    if fix && std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700)).is_ok() {
        return Finding::ok("data folder", format!("{}; others could read it, mended", folder.display()));
    }
    Finding::warn(
        "data folder",
        format!("{} can be read by others (mode {mode:o})", folder.display()),
        command,
    )
}

fn space(folder: &Path) -> Finding {
    match disk::free_bytes(folder) {
        Ok(free) if free < disk::LEAST_FREE_BYTES => {
            Finding::fail("disk space", format!("{} free", round_size(free)), "make room on this disk")
        }
        Ok(free) if free < LOW_FREE_BYTES => {
            Finding::warn("disk space", format!("{} free", round_size(free)), "make room on this disk soon")
        }
        Ok(free) => Finding::ok("disk space", format!("{} free", round_size(free))),
        Err(error) => Finding::fail("disk space", error.to_string(), "check the disk"),
    }
}

/// The database is only as durable as this.
fn sync(folder: &Path) -> Finding {
    let began = Instant::now();
    let write = || {
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(b"fondaco doctor")?;
        file.as_file().sync_all()
    };
    match (write(), began.elapsed()) {
        (Ok(()), took) if took > SLOW_SYNC => Finding::warn(
            "disk sync",
            format!("one durable write took {} ms", took.as_millis()),
            "use a faster disk for the data folder: every change waits for this",
        ),
        (Ok(()), took) => Finding::ok(
            "disk sync",
            format!(
                "one durable write took {}.{:02} ms",
                took.as_micros() / 1000,
                took.as_micros() % 1000 / 10
            ),
        ),
        (Err(error), _) => {
            Finding::fail("disk sync", error.to_string(), "check the disk and its permissions")
        }
    }
}

pub(super) fn clock(config: &Config) -> Finding {
    let now = Clock::system().now();
    let newest = std::fs::metadata(config.in_data_dir("fondaco.db")).and_then(|meta| meta.modified()).ok();
    let newest = newest.and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    let newest = newest.and_then(|since| i64::try_from(since.as_micros()).ok()).map(Timestamp::from_micros);
    let fix = "set the clock, and keep it right with NTP: tokens and expiry depend on it";
    if now < EARLIEST {
        return Finding::fail("clock", format!("it says {now}, which is long past"), fix);
    }
    match newest.map(|newest| newest.since(now)) {
        Some(ahead) if ahead > Duration::from_secs(60) => Finding::fail(
            "clock",
            format!("the database was written {} s in the future", ahead.as_secs()),
            fix,
        ),
        _ => Finding::ok("clock", now.to_string()),
    }
}

pub(super) async fn database(config: &Config, fix: bool) -> Finding {
    let store = config.store();
    if let store::StoreConfig::Sqlite { path, .. } = &store
        && !path.exists()
    {
        return Finding::ok("database", "none yet; it is made at the first start");
    }
    let looked = async {
        let store = Store::open(&store).await?;
        let applied = schema::applied(&store).await?;
        let missing = schema::missing(&applied);
        let newer = schema::as_of(&applied).err();
        if fix && !missing.is_empty() && newer.is_none() {
            store.migrate(crate::rooms::MIGRATIONS, Clock::system().now()).await?;
            return Ok((Vec::new(), newer));
        }
        Ok::<_, StoreError>((missing, newer))
    };
    let kind = if config.database.url.is_some() { "PostgreSQL" } else { "SQLite" };
    match looked.await {
        Ok((_, Some(newer))) => Finding::fail(
            "database",
            format!("a newer version wrote it: {newer}"),
            "start that version, or restore an older backup",
        ),
        Ok((missing, None)) if missing.is_empty() => {
            Finding::ok("database", format!("{kind}, with this version's schema"))
        }
        Ok((missing, None)) => Finding::warn(
            "database",
            format!("{kind}, {} migrations are missing", missing.len()),
            "fondaco migrate (the server also does it at its start)",
        ),
        Err(error) => {
            Finding::fail("database", error.to_string(), "check database.url and that the server runs")
        }
    }
}

pub(super) async fn storage(config: &Config) -> Finding {
    let fix = "check storage.* and that the bucket exists";
    let asked = async {
        let blobs = Blobs::open(config.blobs()).await?;
        blobs.exists(Sha256::of(b"fondaco doctor")).await
    };
    match (asked.await, &config.storage.bucket) {
        (Ok(_), Some(bucket)) => Finding::ok("storage", format!("the bucket {bucket} answers")),
        (Ok(_), None) => Finding::ok("storage", config.blobs().folder.display().to_string()),
        (Err(error), _) => Finding::fail("storage", error.to_string(), fix),
    }
}

pub(super) async fn ports(config: &Config, timeout: Duration) -> Vec<Finding> {
    let server = &config.server;
    let all = [
        (Role::Api, server.api_port, "PORT"),
        (Role::Api, server.services_port, "MARKETPLACE_PORT"),
        (Role::Orchestrator, server.orchestrator_port, "ORCHESTRATOR_PORT"),
        (Role::Registry, server.registry_port, "REGISTRY_PORT"),
        (Role::Web, server.web_port, "DASHBOARD_PORT"),
    ];
    let mut findings = Vec::new();
    for (role, port, variable) in all.into_iter().filter(|(role, port, _)| config.has(*role) && *port != 0) {
        let address = config.address(port);
        let name = format!("port {port}");
        findings.push(match TcpListener::bind(address).await {
            Ok(_) => Finding::ok(name, format!("free on {}", address.ip())),
            Err(_) if is_ours(role, address, timeout).await => Finding::ok(name, "a fondaco server answers"),
            Err(error) => Finding::fail(
                name,
                error.to_string(),
                format!("stop what uses it, or set {variable} to another port"),
            ),
        });
    }
    findings
}

pub(super) async fn mail(config: &Config, timeout: Duration) -> Option<Finding> {
    let host = config.mail.smtp_host.as_ref()?;
    let address = (host.as_str(), config.mail.smtp_port);
    let greet = async {
        let mut stream = TcpStream::connect(address).await?;
        if config.mail.smtp_port == 465 {
            return Ok(true); // it waits for our TLS greeting first
        }
        let mut greeting = [0; 3];
        stream.read_exact(&mut greeting).await?;
        Ok::<_, std::io::Error>(&greeting == b"220")
    };
    let place = format!("{host}:{}", config.mail.smtp_port);
    let fix = "check mail.smtp_host, mail.smtp_port and the firewall";
    Some(match tokio::time::timeout(timeout, greet).await {
        Ok(Ok(true)) => Finding::ok("mail", format!("{place} answers")),
        Ok(Ok(false)) => Finding::fail("mail", format!("{place} does not speak SMTP"), fix),
        Ok(Err(error)) => Finding::fail("mail", format!("{place}: {error}"), fix),
        Err(_) => Finding::fail("mail", format!("{place} did not answer in time"), fix),
    })
}

pub(super) async fn addresses(config: &Config, timeout: Duration) -> Vec<Finding> {
    let mut findings = Vec::new();
    let own = [("public_url", &config.server.public_url), ("registry url", &config.registry.public_url)];
    for (name, url) in own {
        if let Some(url) = url {
            let answered = match name {
                "registry url" => {
                    get(&format!("{}/-/ping", url.trim_end_matches('/')), timeout).await.map(|_| ())
                }
                _ => answers(url, timeout).await,
            };
            findings.push(match answered {
                Ok(()) => Finding::ok(name, format!("{url} is answered by a fondaco server")),
                Err(reason) => Finding::warn(
                    name,
                    format!("{url}: {reason}"),
                    "start the server, and check the proxy in front of it",
                ),
            });
        }
    }
    for uplink in &config.registry.uplinks {
        let name = format!("uplink {}", uplink.name);
        findings.push(match get(&uplink.url, timeout).await {
            Ok(_) => Finding::ok(name, format!("{} answers", uplink.url)),
            Err(reason) => Finding::warn(
                name,
                format!("{}: {reason}", uplink.url),
                "check its address; what is cached is served meanwhile",
            ),
        });
    }
    findings
}

/// Whether a fondaco server holds this port. The registries' port speaks their protocols only.
async fn is_ours(role: Role, address: SocketAddr, timeout: Duration) -> bool {
    let origin = format!("http://{address}");
    match role {
        Role::Registry => {
            get(&format!("{origin}/-/ping"), timeout).await.is_ok_and(|text| text.trim() == "{}")
        }
        _ => answers(&origin, timeout).await.is_ok(),
    }
}

/// Whether a fondaco server answers at this address.
async fn answers(url: &str, timeout: Duration) -> Result<(), String> {
    let text = get(&format!("{}/healthz", url.trim_end_matches('/')), timeout).await?;
    if text.trim() == "ok" { Ok(()) } else { Err("something else than a fondaco server answers".to_owned()) }
}

/// The first bytes of an answer, whatever its status.
async fn get(url: &str, timeout: Duration) -> Result<String, String> {
    let explain = |error: reqwest::Error| {
        let mut cause: &dyn std::error::Error = &error;
        while let Some(next) = cause.source() {
            cause = next;
        }
        cause.to_string()
    };
    let http = reqwest::Client::builder().timeout(timeout).build().map_err(explain)?;
    let mut answer = http.get(url).send().await.map_err(explain)?;
    let first = answer.chunk().await.map_err(explain)?.unwrap_or_default();
    Ok(String::from_utf8_lossy(&first[..first.len().min(64)]).into_owned())
}
