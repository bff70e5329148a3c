//! Why an engine did not do what was asked.

use std::fmt;

/// What a name is the name of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A container.
    Container,
    /// A network.
    Network,
    /// A volume.
    Volume,
    /// An image.
    Image,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Container => "container",
            Self::Network => "network",
            Self::Volume => "volume",
            Self::Image => "image",
        })
    }
}

/// Why an engine did not do what was asked. After any of them the effect may or may not be there: observe,
/// and ask again what is still missing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// No engine answers. Nothing is known about what runs; what runs goes on running.
    #[error("no container engine answers: {0}")]
    Unreachable(String),
    /// There is nothing by this name, or it belongs to somebody else's installation.
    #[error("there is no {kind} named {name}")]
    NotThere {
        /// What was looked for.
        kind: Kind,
        /// The name that was given.
        name: String,
    },
    /// It is there by this name, but was made from another description. Remove it first; volumes are never
    /// touched by that.
    #[error("the {kind} {name} is there, but was made differently")]
    Different {
        /// What is there.
        kind: Kind,
        /// Its name.
        name: String,
    },
    /// The container is there, but does not run (or is paused), so nothing can be executed in it.
    #[error("the container {0} does not run")]
    NotRunning(String),
    /// The addresses of this subnet are taken by something else on this machine. Choose another subnet.
    #[error("the subnet {0} is taken on this machine")]
    SubnetTaken(ipnet::Ipv4Net),
    /// The engine will never do this, however often it is asked: the description is wrong.
    #[error("the container engine refuses: {0}")]
    Refused(String),
    /// It failed this time; the same may work later.
    #[error("the container engine failed: {0}")]
    Failed(String),
}

impl EngineError {
    /// Whether the same call may work later without any change of what is asked.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Failed(_))
    }
}
