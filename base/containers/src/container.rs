//! What is asked of an engine: descriptions of containers, networks and volumes.

use std::collections::BTreeMap;
use std::fmt;

use kernel::Secret;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Labels by their names. An engine shows them as `fondaco.label.NAME`.
pub type Labels = BTreeMap<String, String>;

/// A container as it shall be. It never gets new privileges, all capabilities but the named are dropped, it
/// sees no folder of the host but its volumes, and the engine does not restart it by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Container {
    /// Its name on the engine: lower-case letters, digits, dashes, at most 63 (RFC 1123 label).
    pub name: String,
    /// The caller's labels.
    pub labels: Labels,
    /// The image it is made from, which must be there: a reference or an id. Use the id of [`crate::Image`]
    /// where a rebuilt image shall not slip in unseen.
    pub image: String,
    /// Arguments instead of the image's own; the image's entry point stays.
    pub argv: Option<Vec<String>>,
    /// Environment. Everybody who may inspect containers reads it: never put secrets here.
    pub env: Vec<(String, String)>,
    /// The user (`name`, `uid` or `uid:gid`) instead of the image's own.
    pub user: Option<String>,
    /// The name of the network that it is made in; [`crate::Driver::join`] brings it into others.
    #[serde(skip)]
    pub network: String,
    /// Under which names others in that network reach it, beside its own: of the same form as its name.
    #[serde(skip)]
    pub aliases: Vec<String>,
    /// Whether that network leads outside, so that this machine's resolver may be asked for names.
    pub outside: bool,
    /// Its volumes and where they appear.
    pub mounts: Vec<VolumeMount>,
    /// Folders in memory, empty at each start. They count against the memory limit.
    pub tmpfs: Vec<Tmpfs>,
    /// Whether nothing but volumes and `tmpfs` can be written.
    pub read_only_root: bool,
    /// What it may use at most.
    pub limits: Limits,
    /// Capabilities it keeps.
    pub capabilities: Vec<Capability>,
    /// The signal that asks it to end, such as `SIGINT`; without it the image's own, or `SIGTERM`.
    pub stop_signal: Option<String>,
}

impl Container {
    /// The SHA-256 of everything that stands in this description but its network and aliases, which are no part of what
    /// runs, in hexadecimal. Two containers with the same name and fingerprint are the same.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        // Nothing in it can fail to become JSON: text keys, no maps but those of labels.
        let text = serde_json::to_vec(self).unwrap_or_default();
        hex::encode(Sha256::digest(text))
    }
}

/// Limits of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Thousandths of a processor.
    pub cpu_millis: u32,
    /// Memory in bytes, swap included.
    pub memory_bytes: u64,
    /// Processes and threads.
    pub pids: u32,
}

/// What a container may keep of the powers of root (capabilities(7)). Others cannot be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Capability {
    /// Change owners of files.
    Chown,
    /// Read and write any file of its own.
    DacOverride,
    /// Act as the owner of any file of its own.
    Fowner,
    /// Become another user.
    Setuid,
    /// Become another group.
    Setgid,
    /// Listen on ports below 1024.
    NetBindService,
}

impl Capability {
    /// The name as engines know it, such as `NET_BIND_SERVICE`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Chown => "CHOWN",
            Self::DacOverride => "DAC_OVERRIDE",
            Self::Fowner => "FOWNER",
            Self::Setuid => "SETUID",
            Self::Setgid => "SETGID",
            Self::NetBindService => "NET_BIND_SERVICE",
        }
    }
}

/// A volume in a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VolumeMount {
    /// The volume's name.
    pub volume: String,
    /// The absolute path where the container finds it.
    pub path: String,
}

/// A folder in memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tmpfs {
    /// Its absolute path. Everybody in the container may write there (mode 1777), unless the image has a folder there with
    /// another mode, which stays.
    pub path: String,
    /// Its size in bytes.
    pub size_bytes: u64,
}

/// A secret that becomes the read-only file `/run/secrets/<name>` in the container.
#[derive(Clone)]
pub struct SecretFile {
    /// Its name: lower-case letters, digits, `-`, `_`, `.`; at most 63.
    pub name: String,
    /// What stands in the file, without a newline at its end.
    pub content: Secret,
}

impl fmt::Debug for SecretFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretFile").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A network whose containers reach each other, by their names too, but no other network and not this machine; this
/// machine reaches each of them by its address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// Its name on the engine, of the same form as a container's.
    pub name: String,
    /// The caller's labels.
    pub labels: Labels,
    /// Its addresses. Two networks of one machine cannot overlap. A /28 has room for 13 containers.
    pub subnet: ipnet::Ipv4Net,
    /// Whether it leads to the internet. Private and link-local addresses stay closed, as far as the packet filter of
    /// this machine can be set ([`crate::About::shielded`] says whether). Not to be changed of one that is there.
    pub outside: bool,
}

/// A folder that outlives containers and cannot grow beyond its size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    /// Its name, of the same form as a container's.
    pub name: String,
    /// The caller's labels.
    pub labels: Labels,
    /// Its size in bytes, at least 16 MB. It can be asked to grow, never to shrink.
    pub size_bytes: u64,
    /// What it has at first, with owners and modes; without it it is empty and belongs to root.
    pub template: Option<Template>,
}

/// A folder of an image that a new volume is filled from. An empty folder also serves: it has the owner that
/// the image's program needs.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Template {
    /// The image, by reference or id.
    pub image: String,
    /// The absolute path of the folder in it.
    pub path: String,
}
