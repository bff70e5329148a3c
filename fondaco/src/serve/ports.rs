//! The program's ports.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use anyhow::Context;
use tokio::net::TcpListener;

use crate::config::{Config, Role};
use crate::data::Ready;

/// What one port serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Door {
    Api,
    Services,
    Orchestrator,
    Registry,
    Web,
}

/// The bound ports: bound before anything else is done, so that a taken one is told at once.
pub(super) struct Ports(pub(super) BTreeMap<Door, TcpListener>);

impl Ports {
    pub(super) async fn bind(config: &Config) -> anyhow::Result<Self> {
        let server = &config.server;
        let doors = [
            (Door::Api, Role::Api, server.api_port, "PORT"),
            (Door::Services, Role::Api, server.services_port, "MARKETPLACE_PORT"),
            (Door::Orchestrator, Role::Orchestrator, server.orchestrator_port, "ORCHESTRATOR_PORT"),
            (Door::Registry, Role::Registry, server.registry_port, "REGISTRY_PORT"),
            (Door::Web, Role::Web, server.web_port, "DASHBOARD_PORT"),
        ];
        let mut bound = BTreeMap::new();
        for (door, role, port, variable) in doors {
            if !config.has(role) {
                continue;
            }
            let address = config.address(port);
            let listener = TcpListener::bind(address).await.with_context(|| {
                format!("cannot listen on {address}; stop what uses the port, or set {variable} to another one (0 picks a free one)")
            })?;
            bound.insert(door, listener);
        }
        Ok(Self(bound))
    }

    /// Where a door is reached from this machine.
    pub(super) fn url(&self, door: Door) -> Option<String> {
        let address = self.0.get(&door)?.local_addr().ok()?;
        Some(format!("http://{}", reachable(address)))
    }

    /// Where all doors are.
    pub(super) fn ready(&self) -> Ready {
        Ready {
            pid: std::process::id(),
            api: self.url(Door::Api),
            registry: self.url(Door::Registry),
            web: self.url(Door::Web),
            services: self.url(Door::Services),
            orchestrator: self.url(Door::Orchestrator),
        }
    }
}

/// An address that can be called: a listener on all addresses is called by the loopback one.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}
