//! What a service is: one YAML file, read once, without a rule of its own elsewhere in the code.

mod builtin;
mod fields;
mod fill;
mod read;
mod run;
mod setting;
mod yaml;

use std::time::Duration;

use containers::{Capability, Tmpfs};
use kernel::Currency;
use regex::bytes::Regex;
use serde::{Deserialize, Serialize};

pub use builtin::Catalogue;
pub use fill::Text;
pub(crate) use run::probe_path;
pub(crate) use setting::MASK;
pub use setting::{Chosen, Setting, SettingKind};
pub use yaml::Flaw;

use crate::ServiceId;

store::words! {
    /// Which part of the catalogue a service stands in.
    #[derive(Default, utoipa::ToSchema)]
    Category, "expected database, ml, api, storage or compute" {
        /// Databases.
        #[default]
        Database = "database",
        /// Models that answer.
        Ml = "ml",
        /// Gateways.
        Api = "api",
        /// Objects and files.
        Storage = "storage",
        /// Code that runs.
        Compute = "compute",
    }
}

/// A service as its file describes it.
#[derive(Clone, Debug)]
pub struct Template {
    /// The SHA-256 of the file, in hexadecimal: deployments stay with the very text they were made from.
    pub digest: String,
    /// The file.
    pub source: String,
    /// `svc-postgres`.
    pub id: ServiceId,
    /// `postgres-managed`, as in addresses.
    pub slug: String,
    /// What people call it.
    pub name: String,
    /// Where it stands in the catalogue.
    pub category: Category,
    /// In one sentence.
    pub summary: String,
    /// In Markdown.
    pub description: String,
    /// The name of its icon.
    pub icon: String,
    /// Versions of the software within.
    pub versions: Vec<String>,
    /// Where it can run.
    pub regions: Vec<String>,
    /// What is promised.
    pub sla: Sla,
    /// What it costs, by size. The first is the usual one.
    pub plans: Vec<Plan>,
    /// What is chosen besides.
    pub settings: Vec<Setting>,
    /// Who sells it: the name of an account; as the market is set where absent.
    pub seller: Option<String>,
    /// How it is run.
    pub recipe: Recipe,
}

/// What is promised of a service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sla {
    /// Thousandths of a percent of time: 99,900 are 99.9 %.
    pub uptime: u32,
    /// Milliseconds.
    pub response_ms: u32,
    /// `24/7`.
    pub support: String,
}

/// One size of a service with its price. Deployments keep the plan they were made with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// `starter`.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// What it costs.
    pub pricing: Pricing,
    /// What the price is in.
    pub currency: Currency,
    /// Thousandths of a processor.
    pub cpu_millis: u32,
    /// Bytes of memory.
    pub memory_bytes: u64,
    /// Bytes on disk; zero where the service keeps nothing.
    pub disk_bytes: u64,
    /// Processes and threads.
    pub pids: u32,
    /// What stands in the list of its features.
    pub features: Vec<String>,
}

#[cfg(test)]
impl Default for Plan {
    fn default() -> Self {
        Self {
            id: String::new(),
            name: String::new(),
            pricing: Pricing::Free,
            currency: Currency::USD,
            cpu_millis: 0,
            memory_bytes: 0,
            disk_bytes: 0,
            pids: 0,
            features: Vec::new(),
        }
    }
}

/// What a plan costs, in minor units of its currency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pricing {
    /// Nothing.
    #[default]
    Free,
    /// So much for each month that it is there.
    Subscription {
        /// For a month.
        month_minor: i64,
    },
    /// So much for the time that it runs.
    Usage {
        /// For a thousand hours, so that small prices stay whole numbers.
        thousand_hours_minor: i64,
    },
}

impl Pricing {
    /// The word of the public contract.
    #[must_use]
    pub const fn model(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Subscription { .. } => "subscription",
            Self::Usage { .. } => "usage",
        }
    }
}

/// Something that the template says, or that is chosen in one of its settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Given<T> {
    /// The same for every deployment.
    Here(T),
    /// The value of this setting.
    Chosen(String),
}

/// How a service is run, watched, saved.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// The image.
    pub image: Given<String>,
    /// What is told where the image is missing: how to get it.
    pub image_from: String,
    /// The port in the container, and how it is called.
    pub port: Port,
    /// Arguments instead of the image's own.
    pub command: Option<Given<Vec<Text>>>,
    /// Environment; never secrets.
    pub env: Given<Vec<(String, Text)>>,
    /// The user instead of the image's own.
    pub user: Option<String>,
    /// Whether nothing but its volume and `tmpfs` can be written.
    pub read_only_root: bool,
    /// Folders in memory.
    pub tmpfs: Vec<Tmpfs>,
    /// What it keeps.
    pub volume: Option<VolumeRecipe>,
    /// What it keeps of the powers of root.
    pub capabilities: Vec<Capability>,
    /// What its users sign in with, in the order in which it is shown.
    pub credentials: Vec<(String, Rule)>,
    /// Files below `/run/secrets`.
    pub secrets: Vec<(String, Text)>,
    /// The address that programs connect to.
    pub uri: Text,
    /// A command that a person can try.
    pub example: Text,
    /// When it serves.
    pub health: Health,
    /// Its own figures.
    pub metrics: Option<Metrics>,
    /// The signal that ends it.
    pub stop_signal: Option<String>,
    /// How long it may take to end.
    pub stop_grace: Duration,
    /// How it is saved and brought back.
    pub backup: Option<BackupRecipe>,
    /// How it is told a new password.
    pub rotate: Option<Command>,
}

/// A port of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// `postgres`.
    pub name: String,
    /// The number.
    pub number: Given<u16>,
    /// `tcp` or `http`.
    pub protocol: String,
}

impl Default for Port {
    fn default() -> Self {
        Self { name: String::new(), number: Given::Here(0), protocol: String::new() }
    }
}

impl Recipe {
    /// The image of a deployment; empty where it was to be chosen and was not.
    #[must_use]
    pub fn image(&self, chosen: &Chosen) -> String {
        match &self.image {
            Given::Here(image) => image.clone(),
            Given::Chosen(setting) => chosen.text(setting).unwrap_or_default(),
        }
    }

    /// The port in the container; 0 where it was to be chosen and was not.
    #[must_use]
    pub fn port(&self, chosen: &Chosen) -> u16 {
        match &self.port.number {
            Given::Here(number) => *number,
            Given::Chosen(setting) => {
                let number = chosen.get(setting).and_then(serde_json::Value::as_u64);
                number.and_then(|number| u16::try_from(number).ok()).unwrap_or(0)
            }
        }
    }
}

/// What a service keeps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VolumeRecipe {
    /// Where it is in the container.
    pub path: String,
    /// The folder of the image that a new one is filled from.
    pub template: Option<String>,
}

/// Where a credential comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// The same for every deployment.
    Fixed(String),
    /// A prefix and random letters: not secret.
    Name {
        /// What stands before them.
        prefix: String,
    },
    /// Random letters and digits: secret.
    Password {
        /// How many.
        length: usize,
    },
}

impl Default for Rule {
    fn default() -> Self {
        Self::Fixed(String::new())
    }
}

impl Rule {
    /// Whether nobody may see it who need not.
    #[must_use]
    pub const fn is_secret(&self) -> bool {
        matches!(self, Self::Password { .. })
    }
}

/// When a service is said to serve, and how often it is asked.
#[derive(Clone, Debug, Default)]
pub struct Health {
    /// What is asked.
    pub probe: Probe,
    /// How often, while it runs.
    pub interval: Duration,
    /// How long it may take to start.
    pub start_timeout: Duration,
}

/// What a probe says and expects.
#[derive(Clone, Debug, Default)]
pub enum Probe {
    /// A connection is accepted.
    #[default]
    Tcp,
    /// Bytes are sent and answered, over one connection.
    Talk(Vec<Exchange>),
    /// `GET` of a path is answered with a status below 400; where it is chosen and nothing was, as [`Probe::Tcp`].
    Http(Given<String>),
    /// A command in the container ends well.
    Exec(Command),
}

/// One question of a talk and its answer.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// What is sent; nothing where the other side speaks first.
    pub send: Vec<u8>,
    /// What the answer must look like.
    pub expect: Regex,
}

/// A command in the container.
#[derive(Clone, Debug, Default)]
pub struct Command {
    /// Program and arguments; never secrets, since engines show them.
    pub argv: Vec<Text>,
    /// What it reads; secrets may stand here.
    pub stdin: Option<Text>,
    /// Which user runs it, where not the container's.
    pub user: Option<String>,
}

/// Where a service tells its own figures.
#[derive(Clone, Debug)]
pub enum MetricSource {
    /// A command in the container: lines of `name value`, `name:value` or `name=value`.
    Exec(Command),
    /// `GET` of a path at its port: the text of Prometheus, or one flat JSON object.
    Http {
        /// The path.
        path: String,
        /// What stands behind `Authorization: Bearer`.
        bearer: Option<Text>,
    },
}

impl Default for MetricSource {
    fn default() -> Self {
        Self::Exec(Command::default())
    }
}

/// A service's own figures.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    /// Where they are told.
    pub source: MetricSource,
    /// How often.
    pub every: Duration,
    /// Which of them are kept.
    pub fields: Vec<MetricField>,
}

/// One figure.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MetricField {
    /// What it is called here: `connections`, `requests`, `errors`, `avgResponseMs` or any other name.
    pub name: String,
    /// What the service calls it.
    pub from: String,
    /// Whether it only ever grows.
    pub counter: bool,
}

/// How a service is saved and brought back.
#[derive(Clone, Debug, Default)]
pub struct BackupRecipe {
    /// Writes everything to its standard output.
    pub dump: Command,
    /// Reads it again, into an empty or a used one.
    pub restore: Command,
    /// Ends well when what was restored is whole.
    pub verify: Command,
}

impl Template {
    /// Reads a file.
    ///
    /// # Errors
    /// Everything that is wrong with it, by line.
    pub fn parse(source: &str) -> Result<Self, Vec<Flaw>> {
        read::template(source)
    }

    /// The plan of this id.
    #[must_use]
    pub fn plan(&self, id: &str) -> Option<&Plan> {
        self.plans.iter().find(|plan| plan.id == id)
    }
}
