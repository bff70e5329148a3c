//! The settings: what there is, where each value comes from, and the whole of them as types.
//!
//! A flag wins over the environment, that over `fondaco.toml`, that over the default. [`KEYS`] is the table of all
//! keys; a section of it is one struct here.

mod example;
mod keys;
mod load;
#[cfg(test)]
mod tests;
mod units;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use kernel::Secret;
use serde::Deserialize;

pub use example::example;
pub use keys::{KEYS, Key, Kind};
pub use load::{ConfigError, Entry, Loaded, Origin, Sources};
pub use units::{format_duration, format_size, parse_duration, parse_size, round_size};

/// All settings of the program.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Listeners and what they answer.
    pub server: Server,
    /// Which database.
    pub database: Database,
    /// Where files are kept.
    pub storage: Storage,
    /// Accounts and tokens.
    pub auth: Auth,
    /// The mail server.
    pub mail: Mail,
    /// The package registries.
    pub registry: Registry,
    /// Telling other programs what happened.
    pub webhooks: Webhooks,
    /// What can be deployed, and on what.
    pub services: Services,
    /// How people pay.
    pub payments: Payments,
    /// Balances to pay from.
    pub wallet: Wallet,
    /// How long orders are held, and what the market takes.
    pub orders: Orders,
    /// When subscriptions are charged again, and how long they go on unpaid.
    pub billing: Billing,
    /// When a sale's money is the seller's.
    pub settlement: Settlement,
    /// How sellers are paid.
    pub payouts: Payouts,
    /// How much a client may ask.
    pub limits: Limits,
    /// The log.
    pub log: Log,
    /// How this instance presents itself.
    pub branding: Branding,
}

/// Listeners and what they answer.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// Where everything is kept that is not kept elsewhere.
    pub data_dir: PathBuf,
    /// The address to listen on.
    pub listen: IpAddr,
    /// Port of the API; 0 picks a free one, as for all ports here.
    pub api_port: u16,
    /// Port of the services API.
    pub services_port: u16,
    /// Port of the orchestrator.
    pub orchestrator_port: u16,
    /// Port of the package registries.
    pub registry_port: u16,
    /// Port of the web interface.
    pub web_port: u16,
    /// What this process does.
    pub roles: Vec<Role>,
    /// Where people reach the web interface.
    pub public_url: Option<String>,
    /// How many proxies in front are trusted.
    pub trusted_hops: usize,
    /// Origins whose scripts may call the API.
    pub cors_origins: Vec<String>,
    /// How long running requests may take to finish.
    #[serde(deserialize_with = "units::duration")]
    pub shutdown_grace: Duration,
}

/// A part of the work that a process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The API and the services API.
    Api,
    /// The package registries.
    Registry,
    /// The web interface.
    Web,
    /// The orchestrator.
    Orchestrator,
    /// Jobs and consumers of events; it listens nowhere.
    Worker,
}

/// Which database.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// The embedded database's file.
    pub path: Option<PathBuf>,
    /// A PostgreSQL server instead.
    pub url: Option<Secret>,
    /// How many connections to PostgreSQL are opened at the most.
    pub connections: usize,
    /// How many threads read from the embedded database.
    pub readers: usize,
}

/// Where files are kept.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Storage {
    /// The folder.
    pub folder: Option<PathBuf>,
    /// A bucket of object storage instead.
    pub bucket: Option<String>,
    /// What goes before every name in the bucket.
    pub prefix: String,
    /// Where the object storage is.
    pub endpoint: Option<String>,
    /// Its region.
    pub region: String,
    /// Whether the bucket stands in the path.
    pub path_style: bool,
    /// Access key.
    pub access_key: Option<Secret>,
    /// Secret key.
    pub secret_key: Option<Secret>,
    /// How much memory small files may take, in bytes.
    #[serde(deserialize_with = "units::size")]
    pub cache: u64,
}

/// Accounts and tokens.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Auth {
    /// What signs short-lived tokens; made at the first start where unset, see [`crate::data::Secrets`].
    pub jwt_secret: Option<Secret>,
    /// What seals secrets in the database; made at the first start where unset.
    pub encryption_keys: Option<Secret>,
    /// How long a signed token is valid.
    #[serde(deserialize_with = "units::duration")]
    pub token_expiry: Duration,
    /// Who may make an account.
    pub registration: Registration,
}

/// Who may make an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Registration {
    /// Everybody.
    Open,
    /// Nobody but the operator.
    Closed,
}

/// The mail server.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mail {
    /// Its host; mail is written to a folder where unset.
    pub smtp_host: Option<String>,
    /// Its port.
    pub smtp_port: u16,
    /// The user to sign in to it as.
    pub smtp_user: Option<String>,
    /// That user's password.
    pub smtp_password: Option<Secret>,
    /// How the connection is encrypted.
    pub smtp_tls: SmtpTls,
    /// A PEM file with the certificate authority of the server, if it is none that the world knows.
    pub smtp_authority_file: Option<PathBuf>,
    /// The sender of every mail.
    pub from: String,
}

/// How the connection to the mail server is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SmtpTls {
    /// By the port, see the example file.
    Auto,
    /// From the first byte on.
    Implicit,
    /// After a plain greeting.
    Starttls,
    /// Not at all.
    Plain,
}

/// The package registries.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registry {
    /// Where package clients reach the registry listener.
    pub public_url: Option<String>,
    /// Where clients load package files from, if that is elsewhere.
    pub cdn_url: Option<String>,
    /// The largest package file, in bytes.
    #[serde(deserialize_with = "units::size")]
    pub max_upload: u64,
    /// How long after its publication a release can be removed by its maintainers.
    #[serde(deserialize_with = "units::duration")]
    pub unpublish_window: Duration,
    /// Names and scopes that are never looked up in an uplink.
    pub local_only: Vec<String>,
    /// If not empty, only these names and scopes are taken from uplinks.
    pub allow: Vec<String>,
    /// Names, scopes and releases that are never taken from uplinks.
    pub block: Vec<String>,
    /// How old a release of an uplink must be to be offered.
    #[serde(deserialize_with = "units::duration")]
    pub minimum_release_age: Duration,
    /// How much room package files of uplinks may take, in bytes.
    #[serde(deserialize_with = "units::size")]
    pub uplink_cache: u64,
    /// Upstream registries, in the order they are asked.
    #[serde(default)]
    pub uplinks: Vec<Uplink>,
}

/// An upstream registry that is proxied and cached.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Uplink {
    /// What it is called in logs and pages.
    pub name: String,
    /// Its address.
    pub url: String,
    /// Which names it is asked for: `@scope`, `name`, `prefix-*`; everything where empty.
    #[serde(default)]
    pub patterns: Vec<String>,
    /// What it wants to see as a bearer token.
    pub token: Option<Secret>,
    /// The file that holds the token, instead of the token itself; read when the settings are loaded.
    pub token_file: Option<PathBuf>,
    /// How long its documents are used without asking again.
    #[serde(default = "uplink_ttl", deserialize_with = "units::duration")]
    pub ttl: Duration,
    /// How long it may take to answer.
    #[serde(default = "uplink_timeout", deserialize_with = "units::duration")]
    pub timeout: Duration,
}

const fn uplink_ttl() -> Duration {
    Duration::from_secs(300)
}

const fn uplink_timeout() -> Duration {
    Duration::from_secs(30)
}

/// Telling other programs what happened.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhooks {
    /// Hosts that may be in a private network.
    pub private_hosts: Vec<String>,
}

/// What can be deployed, and on what.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Services {
    /// The socket of the Docker engine.
    pub docker_socket: PathBuf,
    /// Whether volumes are disks with a hard limit.
    pub disks: bool,
    /// A folder with templates of the operator's.
    pub templates: Option<PathBuf>,
    /// Under which name deployments are reached.
    pub host: String,
    /// The address that their ports are opened at.
    pub listen: IpAddr,
    /// The first and the last port.
    pub ports: String,
    /// From where networks get their addresses.
    pub subnets: String,
    /// Whether plans with a price must be bought.
    pub paid: Paid,
    /// How many deployments of free plans an account may have running.
    pub free_deployments: u32,
    /// How long a removal can be undone.
    #[serde(deserialize_with = "units::duration")]
    pub undo: Duration,
    /// Who sells services where a template does not say.
    pub seller: Option<String>,
    /// How long what is not paid any more is kept.
    #[serde(deserialize_with = "units::duration")]
    pub grace: Duration,
    /// How many deployments are worked on at once.
    pub at_once: usize,
    /// Whether deployments reach the internet.
    pub egress: Egress,
    /// Which images buyers may choose.
    pub hosted_images: Vec<String>,
    /// What runs before anybody wants it.
    pub warm: Vec<String>,
    /// Whether the data plane is a process of its own.
    pub relay: RelayMode,
    /// How long a data plane without deployments goes on.
    #[serde(deserialize_with = "units::duration")]
    pub relay_idle: Duration,
}

/// Whether plans with a price must be bought.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Paid {
    /// They must.
    Needed,
    /// Everybody may have them for nothing.
    Off,
}

/// Whether deployments reach the internet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Egress {
    /// They reach those of their account alone.
    None,
    /// They do.
    Open,
}

/// Whether the data plane is a process of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RelayMode {
    /// One that goes on when the server ends.
    Detached,
    /// A task of the server.
    Embedded,
}

/// How much a client may ask.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Whether there are limits at all.
    pub rates: Switch,
    /// Requests per minute and address to the API.
    pub api_per_minute: u32,
    /// Requests per minute and address to the registries.
    pub registry_per_minute: u32,
    /// Requests per minute and address to the web interface.
    pub web_per_minute: u32,
}

/// When subscriptions are charged again, and how long they go on unpaid.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Billing {
    /// How many days after an invoice was made its payment is tried again.
    #[serde(deserialize_with = "units::days")]
    pub retry_days: Vec<u32>,
    /// For how many days a subscription goes on that is not paid.
    pub grace_days: u32,
    /// Whether who leaves at once gets the unused part back, where the seller did not say.
    pub refund_unused: bool,
    /// How old a usage record may be.
    #[serde(deserialize_with = "units::duration")]
    pub usage_late: Duration,
}

/// When a sale's money is the seller's.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settlement {
    /// How long after a sale its money can be paid out.
    #[serde(deserialize_with = "units::duration")]
    pub maturity: Duration,
}

/// Balances to pay from. Amounts are whole units of each currency.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wallet {
    /// In which there are wallets, the usual one first.
    pub currencies: Vec<kernel::Currency>,
    /// The smallest top-up.
    pub min_top_up: u32,
    /// The largest.
    pub max_top_up: u32,
    /// The most that a wallet may be topped up to.
    pub max_balance: u32,
}

/// How long orders are held, and what the market takes.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Orders {
    /// How long an order is held whose seller did not say, in seconds.
    pub hold_seconds: u32,
    /// By how much that can be prolonged once, in seconds.
    pub extension_seconds: u32,
    /// The market's part where no rule says otherwise, in hundredths of a percent.
    pub fee_basis_points: u32,
}

/// How sellers are paid.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Payouts {
    /// The least that is paid out at once, in whole units of each currency.
    pub minimum: u32,
}

/// How people pay.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Payments {
    /// Whether test cards are taken.
    pub sandbox: bool,
    /// Stripe's secret key.
    pub stripe_key: Option<Secret>,
    /// Stripe's key for browsers.
    pub stripe_publishable_key: Option<String>,
    /// The secrets of the webhook endpoint at Stripe, with a comma between.
    pub stripe_webhook_secret: Option<Secret>,
    /// Where Stripe is, for emulators.
    pub stripe_url: Option<String>,
}

/// On or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Switch {
    /// On.
    On,
    /// Off.
    Off,
}

/// The log.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// Its form.
    pub format: LogFormat,
    /// The least important level written, or a filter per module.
    pub level: String,
}

/// The form of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    Auto,
    /// Lines for people.
    Text,
    /// One JSON object a line.
    Json,
}

/// How this instance presents itself.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Branding {
    /// Its name.
    pub name: String,
}

impl Config {
    /// A file or folder in the data folder.
    #[must_use]
    pub fn in_data_dir(&self, name: &str) -> PathBuf {
        self.server.data_dir.join(name)
    }

    /// Whether this process has a role.
    #[must_use]
    pub fn has(&self, role: Role) -> bool {
        self.server.roles.contains(&role)
    }

    /// An address to listen on with this port.
    #[must_use]
    pub fn address(&self, port: u16) -> SocketAddr {
        SocketAddr::new(self.server.listen, port)
    }

    /// Whether requests are limited.
    #[must_use]
    pub fn has_rate_limits(&self) -> bool {
        self.limits.rates == Switch::On
    }

    /// What to open as the database.
    #[must_use]
    pub fn store(&self) -> store::StoreConfig {
        match &self.database.url {
            Some(url) => {
                store::StoreConfig::Postgres { url: url.clone(), connections: self.database.connections }
            }
            None => store::StoreConfig::Sqlite {
                path: self.database.path.clone().unwrap_or_else(|| self.in_data_dir("fondaco.db")),
                readers: self.database.readers,
            },
        }
    }

    /// What to open as the storage of files.
    #[must_use]
    pub fn blobs(&self) -> blobs::BlobConfig {
        let storage = &self.storage;
        let folder = storage.folder.clone().unwrap_or_else(|| self.in_data_dir("blobs"));
        let s3 = storage.bucket.as_ref().map(|bucket| blobs::S3Config {
            bucket: bucket.clone(),
            prefix: storage.prefix.clone(),
            region: storage.region.clone(),
            endpoint: storage.endpoint.clone(),
            path_style: storage.path_style,
            access_key: storage.access_key.clone(),
            secret_key: storage.secret_key.clone(),
        });
        blobs::BlobConfig { folder, s3, cache_bytes: storage.cache }
    }
}
