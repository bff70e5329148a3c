//! What deployments run on: the engine of this machine, and the way to them from outside.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use containers::Engine;
use containers::docker::Docker;
use services::Doors;
use sha2::{Digest, Sha256};

use crate::config::{Config, Egress, Paid, RelayMode};
use crate::data::DataDir;
use crate::rooms::Addresses;

/// How long a relay goes on that was told nothing: never shorter than this, so that a restart finds it.
const LEAST_IDLE: Duration = Duration::from_secs(60);

/// The engine, which need not answer yet.
///
/// # Errors
/// When its folder cannot be made.
pub async fn open(config: &Config, data: &DataDir) -> anyhow::Result<Engine> {
    let folder = std::path::absolute(config.in_data_dir("engine"))?;
    let settings = containers::docker::Settings {
        socket: config.services.docker_socket.clone(),
        installation: installation(config, data)?,
        state: folder,
        disks: config.services.disks,
    };
    Ok(Arc::new(Docker::open(settings).await?))
}

/// What tells this installation's containers from those of others on the same engine. Two copies of a data folder on one
/// machine are two installations.
fn installation(config: &Config, data: &DataDir) -> anyhow::Result<String> {
    let folder = std::fs::canonicalize(&config.server.data_dir)?;
    let digest = Sha256::new()
        .chain_update(b"fondaco installation ")
        .chain_update(data.secrets()?.jwt_secret.expose())
        .chain_update(folder.as_os_str().as_encoded_bytes())
        .finalize();
    Ok(hex::encode(&digest[..8]))
}

/// How services are set up.
///
/// # Errors
/// When the range of ports or addresses is none, or what shall run in advance is not said as it is read.
pub fn settings(config: &Config, addresses: &Addresses) -> anyhow::Result<services::Settings> {
    let wanted = &config.services;
    let ports = wanted.ports.split_once('-').and_then(|(first, last)| {
        let ports: (u16, u16) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        (ports.0 > 0 && ports.0 <= ports.1).then_some(ports)
    });
    let warm = wanted.warm.iter().map(|text| text.parse().map_err(|why| anyhow!("services.warm: {why}")));
    Ok(services::Settings {
        templates: wanted.templates.clone(),
        host: wanted.host.clone(),
        ports: ports.ok_or_else(|| anyhow!("services.ports is no range such as 20000-29999"))?,
        subnets: wanted.subnets.parse().context("services.subnets is no range such as 10.208.0.0/12")?,
        paid: match wanted.paid {
            Paid::Needed => services::Paid::Needed,
            Paid::Off => services::Paid::Off,
        },
        free_deployments: wanted.free_deployments,
        undo: wanted.undo,
        at_once: wanted.at_once,
        seller: wanted.seller.clone(),
        grace: wanted.grace,
        public_url: addresses.web.trim_end_matches('/').to_owned(),
        market: config.branding.name.clone(),
        hosted_images: wanted.hosted_images.clone(),
        outside: wanted.egress == Egress::Open,
        warm: warm.collect::<anyhow::Result<_>>()?,
    })
}

/// How connections reach deployments.
#[must_use]
pub fn doors(config: &Config) -> Doors {
    let wanted = &config.services;
    let settings = relay::Settings {
        data_dir: config.server.data_dir.clone(),
        listen: wanted.listen,
        idle: wanted.relay_idle.max(LEAST_IDLE),
    };
    let mode = match (wanted.relay, std::env::current_exe()) {
        (RelayMode::Detached, Ok(program)) => relay::Mode::Detached { program },
        _ => relay::Mode::Embedded,
    };
    Doors::Relay(settings, mode)
}
