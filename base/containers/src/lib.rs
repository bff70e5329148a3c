//! What runs in isolation: containers, their networks, and volumes that cannot grow beyond their size.
//!
//! [`Driver`] is the whole of what an engine can do for us. Everything is named by the caller, every
//! operation is idempotent by its name, and what was made carries the installation's label, so that two
//! installations on one engine never touch each other's things.

mod check;
mod container;
pub mod docker;
mod driver;
mod error;
pub mod memory;
mod seen;
mod single;
mod streams;

pub use container::{
    Capability, Container, Labels, Limits, Network, SecretFile, Template, Tmpfs, Volume, VolumeMount,
};
pub use driver::{Answer, Driver, Engine};
pub use error::{EngineError, Kind};
pub use seen::{About, Image, Seen, SeenContainer, SeenNetwork, SeenVolume, State, Usage};
pub use single::Single;
pub use streams::{
    ChangeStream, Exec, Finished, LogLine, LogStream, Logs, Output, OutputStream, Running, Stdin, Stream,
};
