//! What an engine says is there.

use std::net::IpAddr;

use kernel::Timestamp;
use serde::Serialize;

use crate::Labels;

/// The engine and the machine it runs on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct About {
    /// What it is: `docker` or `memory`.
    pub name: String,
    /// Its version, as it says.
    pub version: String,
    /// Processors of the machine.
    pub cpus: u32,
    /// Memory of the machine, in bytes.
    pub memory_bytes: u64,
    /// Whether a volume cannot grow beyond its size, and if not, why: as a sentence for the operator.
    pub hard_quotas: Result<(), String>,
    /// Whether containers cannot reach programs that listen on this machine, and if not, why.
    pub shielded: Result<(), String>,
}

/// An image that is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Image {
    /// Its content's id, such as `sha256:…`: another one after it was built again.
    pub id: String,
    /// What it takes on disk, in bytes, layers shared with others included.
    pub size_bytes: u64,
    /// Its labels.
    pub labels: Labels,
}

/// Everything of this installation, in no particular order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Its containers, running or not.
    pub containers: Vec<SeenContainer>,
    /// Its networks.
    pub networks: Vec<SeenNetwork>,
    /// Its volumes.
    pub volumes: Vec<SeenVolume>,
}

/// A container that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenContainer {
    /// Its name.
    pub name: String,
    /// The caller's labels; the driver's own are left out.
    pub labels: Labels,
    /// [`crate::Container::fingerprint`] of what it was made from.
    pub fingerprint: String,
    /// What it does.
    pub state: State,
    /// The names of the networks it is in, sorted.
    pub networks: Vec<String>,
    /// Where this machine reaches it, while it runs or is paused: in the network that it was made in, if it is in that.
    pub address: Option<IpAddr>,
    /// When it was started last.
    pub started_at: Option<Timestamp>,
}

/// What a container does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Made, but not started yet.
    Created,
    /// Its program runs; whether that serves is for a probe to say.
    Running,
    /// Frozen.
    Paused,
    /// Its program ended.
    Exited {
        /// The exit code; 128 and the number of the signal that killed it.
        code: i64,
        /// Whether the kernel killed it for using more memory than it may.
        out_of_memory: bool,
        /// When.
        at: Option<Timestamp>,
        /// What the engine said when it could not start it.
        error: Option<String>,
    },
    /// Something of the engine's own, such as being removed: look again later.
    Other(String),
}

/// A network that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenNetwork {
    /// Its name.
    pub name: String,
    /// The caller's labels.
    pub labels: Labels,
    /// Its addresses.
    pub subnet: Option<ipnet::Ipv4Net>,
}

/// A volume that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenVolume {
    /// Its name.
    pub name: String,
    /// The caller's labels.
    pub labels: Labels,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// Whether a container that is started now finds it; otherwise `ensure_volume` brings it back, for
    /// instance after this machine was started again.
    pub ready: bool,
}

/// What a running or paused container uses now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// Its name.
    pub name: String,
    /// Processor time since it was started, in microseconds.
    pub cpu_us: u64,
    /// Memory in bytes, without files that could be dropped from the cache.
    pub memory_bytes: u64,
    /// Its memory limit in bytes.
    pub memory_limit: u64,
    /// Bytes it received since it was started.
    pub rx_bytes: u64,
    /// Bytes it sent since it was started.
    pub tx_bytes: u64,
    /// Bytes in use on its volumes.
    pub disk_bytes: u64,
    /// What its volumes hold at most, in bytes; zero where there is no hard limit.
    pub disk_limit: u64,
    /// Processes and threads.
    pub pids: u64,
}
