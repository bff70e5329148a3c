//! Which port leads where, and what went through it.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use kernel::Timestamp;
use serde::{Deserialize, Serialize};

/// Most routes of one table: every port of the default range.
pub(crate) const MAX_ROUTES: usize = 10_000;
const MAX_NAME: usize = 128;

/// All routes there are to be.
pub type Table = Vec<Route>;

/// One port, and what answers behind it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// The port that clients connect to; each stands once in a table.
    pub listen_port: u16,
    /// Where their connections go. While it is absent new ones wait a little for it, and those there are go on.
    pub target: Option<SocketAddr>,
    /// Whose it is: an opaque name. A port that gets another name is another route, and its connections end.
    pub deployment: String,
    /// How many connections there may be at once; more are reset.
    pub max_connections: u32,
}

/// A port of the table that nobody can connect to, because it could not be opened. Tried again with each table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unbound {
    /// The port.
    pub listen_port: u16,
    /// What the system says, such as that it is in use.
    pub reason: String,
}

/// What a relay has done since it started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// When it started. All counts begin at zero then.
    pub started_at: Timestamp,
    /// Every open port, by number.
    pub routes: Vec<RouteState>,
}

/// What went through one port since the relay started, or since the port was given to this deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteState {
    /// The port.
    pub listen_port: u16,
    /// Whose it is.
    pub deployment: String,
    /// Where it leads now.
    pub target: Option<SocketAddr>,
    /// Connections there are now.
    pub connections: u32,
    /// Connections that were let in, those there are now among them.
    pub connections_total: u64,
    /// Connections that were reset because there were too many.
    pub refused_total: u64,
    /// Connections that were let in, but whose target did not answer.
    pub failed_total: u64,
    /// Bytes from clients to the target.
    pub bytes_in: u64,
    /// Bytes from the target to clients.
    pub bytes_out: u64,
}

/// Why a table is not taken, in words; none of it is applied then.
pub(crate) fn check(table: &[Route]) -> Result<(), String> {
    if table.len() > MAX_ROUTES {
        return Err(format!("a table has at most {MAX_ROUTES} routes, this one has {}", table.len()));
    }
    let mut ports = BTreeSet::new();
    for route in table {
        if route.listen_port == 0 || !ports.insert(route.listen_port) {
            return Err(format!("port {} is no port, or stands twice in the table", route.listen_port));
        }
        if route.deployment.is_empty() || route.deployment.len() > MAX_NAME {
            return Err(format!("the name of port {} has 1 to {MAX_NAME} bytes", route.listen_port));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn route(listen_port: u16, deployment: &str) -> Route {
        Route { listen_port, target: None, deployment: deployment.to_owned(), max_connections: 10 }
    }

    #[test]
    fn a_table_is_taken_whole_or_not_at_all() {
        check(&[]).unwrap();
        check(&[route(1, "a"), route(2, "a")]).unwrap();
        for bad in [
            vec![route(0, "a")],
            vec![route(1, "a"), route(1, "b")],
            vec![route(1, "")],
            vec![route(1, &"a".repeat(MAX_NAME + 1))],
            (0..=10_000).map(|port| route(port + 1, "a")).collect(),
        ] {
            check(&bad).unwrap_err();
        }
    }
}
