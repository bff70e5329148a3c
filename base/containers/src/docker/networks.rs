//! Networks of their own: their containers are reached from this machine, reach each other, and nothing else but, where
//! that is asked for, the internet.

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use bollard::models::{Ipam, IpamConfig, NetworkCreateRequest};
use sha2::{Digest as _, Sha256};
use tokio::process::Command;

use super::Docker;
use super::error::{failed, found, status};
use super::seen::subnet;
use crate::{EngineError, Kind, Network};

/// What the names of our bridges start with: one rule of the packet filter covers them all.
const BRIDGE: &str = "fdc";
/// How long the rules of the packet filter are believed to be there once they were.
const BELIEVED: Duration = Duration::from_secs(10);
/// Addresses that are not the internet's (RFC 6890): private, shared, link-local with the metadata of clouds, benchmarks,
/// multicast and reserved ones.
const NEAR: [&str; 8] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "224.0.0.0/3",
];

impl Docker {
    /// Whether the rules that close the way to this machine hold. They are looked at now and then, by one at a time, so that
    /// none is set twice.
    ///
    /// # Errors
    /// Why they could not be set, for the operator.
    pub(super) async fn shielded(&self) -> Result<(), String> {
        let _turn = self.making.turn("packet filter").await;
        let known = *self.shielded_at.lock().unwrap_or_else(PoisonError::into_inner);
        if known.is_some_and(|at| at.elapsed() < BELIEVED) {
            return Ok(());
        }
        shield().await?;
        *self.shielded_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        Ok(())
    }

    pub(super) async fn make_network(&self, network: &Network) -> Result<(), EngineError> {
        if self.same_network(network).await? {
            return Ok(());
        }
        // The same bridge name cannot be given twice, so two who make the same network do not end with two of it.
        let bridge = format!("{BRIDGE}{}", self.bridge_suffix(&network.name));
        let masquerade = if network.outside { "true" } else { "false" };
        let options = [
            ("com.docker.network.bridge.name", bridge.as_str()),
            ("com.docker.network.bridge.enable_icc", "true"),
            ("com.docker.network.bridge.enable_ip_masquerade", masquerade),
        ];
        let address = IpamConfig { subnet: Some(network.subnet.to_string()), ..IpamConfig::default() };
        let request = NetworkCreateRequest {
            name: network.name.clone(),
            driver: Some("bridge".to_owned()),
            internal: Some(!network.outside),
            enable_ipv6: Some(false),
            ipam: Some(Ipam { config: Some(vec![address]), ..Ipam::default() }),
            options: Some(options.map(|(key, value)| (key.to_owned(), value.to_owned())).into()),
            labels: Some(self.labels(&network.labels)),
            ..NetworkCreateRequest::default()
        };
        let answer = self.client().await?.create_network(request).await;
        match answer {
            Ok(_) => Ok(()),
            Err(_) if self.same_network(network).await? => Ok(()),
            Err(error) if is_taken(&error) => Err(EngineError::SubnetTaken(network.subnet)),
            Err(error) => Err(failed(error)),
        }
    }

    fn bridge_suffix(&self, name: &str) -> String {
        let digest = Sha256::digest(format!("{}/{name}", self.settings.installation));
        hex::encode(digest).chars().take(12).collect()
    }

    /// Whether it is there as it is wanted.
    async fn same_network(&self, network: &Network) -> Result<bool, EngineError> {
        let name = network.name.as_str();
        let Some(seen) = found(self.client().await?.inspect_network(name, None).await)? else {
            return Ok(false);
        };
        if self.ours(seen.labels.as_ref()).is_none() {
            return Err(EngineError::Refused(format!("the network {name} belongs to somebody else")));
        }
        match subnet(seen.ipam.as_ref()) {
            Some(subnet) if subnet == network.subnet => Ok(true),
            _ => Err(EngineError::Different { kind: Kind::Network, name: name.to_owned() }),
        }
    }

    pub(super) async fn drop_network(&self, name: &str) -> Result<(), EngineError> {
        let seen = found(self.client().await?.inspect_network(name, None).await)?;
        if seen.is_none_or(|seen| self.ours(seen.labels.as_ref()).is_none()) {
            return Ok(());
        }
        found(self.client().await?.remove_network(name).await).map(drop)
    }
}

/// 20.10 answers both with 403 or 500, so the text must say it.
fn is_taken(error: &bollard::errors::Error) -> bool {
    let text = error.to_string();
    status(error).is_some() && (text.contains("overlaps") || text.contains("conflicts with network"))
}

/// A network still leads to this machine by the address of its bridge, and one that leads outside also to what is near.
/// Rules close that for what containers begin; answers to what this machine begins pass. They are the same for all
/// installations. The engine's own rules keep networks apart from each other.
///
/// # Errors
/// Why it could not be set, for the operator.
async fn shield() -> Result<(), String> {
    let any = format!("{BRIDGE}+");
    let rule =
        ["INPUT", "-i", &any, "-m", "conntrack", "!", "--ctstate", "ESTABLISHED,RELATED", "-j", "DROP"];
    ensure(&rule).await?;
    for range in NEAR {
        ensure(&["DOCKER-USER", "-i", &any, "!", "-o", &any, "-d", range, "-j", "DROP"]).await?;
    }
    Ok(())
}

async fn ensure(rule: &[&str]) -> Result<(), String> {
    if iptables("-C", rule).await.is_ok() {
        return Ok(());
    }
    iptables("-I", rule).await
}

async fn iptables(action: &str, rule: &[&str]) -> Result<(), String> {
    // `-w` waits for others that change rules, instead of failing.
    let output = Command::new("iptables").args(["-w", "5", action]).args(rule).output().await;
    match output {
        Err(error) => Err(format!("iptables cannot be run ({error}): install it and run Fondaco as root")),
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            Err(format!("iptables failed: {:.200}", String::from_utf8_lossy(&output.stderr).trim()))
        }
    }
}
