//! What is configured of uplinks. Nothing here has a default address.

use std::time::Duration;

use kernel::Secret;

/// All uplinks and what may be taken from them.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// In the order they are asked.
    pub uplinks: Vec<Upstream>,
    /// Names and scopes that are never asked for: `name`, `@scope`, `@scope/name`, `prefix-*`.
    pub local_only: Vec<String>,
    /// If not empty, only these are taken: as above, and with a range `name@^1.2`.
    pub allow: Vec<String>,
    /// These are never taken: as above. What is blocked stays blocked when it is allowed too.
    pub block: Vec<String>,
    /// How long ago a release must have been published.
    pub minimum_release_age: Duration,
    /// The bounds of what is accepted.
    pub limits: Limits,
}

/// One upstream registry.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// What it is called in logs, metrics and messages.
    pub name: String,
    /// Its address, `http` or `https`.
    pub url: String,
    /// Which names it is asked for; all where empty.
    pub patterns: Vec<String>,
    /// The bearer token that it, and nobody else, gets to see.
    pub token: Option<Secret>,
    /// How long its documents are used without asking again.
    pub ttl: Duration,
    /// How long it may keep silent.
    pub timeout: Duration,
}

/// The bounds of what is accepted of an uplink.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The largest document as it comes, in bytes.
    pub document_bytes: u64,
    /// The largest document when it is unpacked, in bytes.
    pub decoded_bytes: u64,
    /// The largest tarball, in bytes.
    pub tarball_bytes: u64,
    /// How much room the tarballs that were fetched may take in the file storage, in bytes.
    pub stored_bytes: u64,
    /// How much memory prepared documents may take, in bytes.
    pub cache_bytes: u64,
    /// How many documents are fetched at once from one uplink; and as many tarballs.
    pub parallel: usize,
    /// How long the absence of a package is believed, at most.
    pub absent_ttl: Duration,
    /// After how long a caller gets what was known before rather than wait for news.
    pub patience: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            document_bytes: 64 << 20,
            decoded_bytes: 256 << 20,
            tarball_bytes: 512 << 20,
            stored_bytes: 20 << 30,
            cache_bytes: 24 << 20,
            parallel: 24,
            absent_ttl: Duration::from_secs(60),
            patience: Duration::from_secs(3),
        }
    }
}

/// A setting that cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SettingsError {
    /// The address is none, or of another scheme than `http` and `https`, or has a password in it.
    #[error("the address of the uplink {0} must be http:// or https:// with a host and no user name in it")]
    Address(String),
    /// The token has characters that a header cannot have.
    #[error("the token of the uplink {0} has characters that cannot be sent")]
    Token(String),
    /// An entry of a list is malformed.
    #[error("`{0}` is no name, @scope, prefix-* or name@range")]
    Entry(String),
    /// The machine's certificates cannot be read.
    #[error("connections to uplinks cannot be made: {0}")]
    Client(String),
}
