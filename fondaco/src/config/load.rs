//! From flags, environment, file and defaults to [`Config`], remembering where each value came from.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize as _;
use toml::{Table, Value};

use super::Config;
use super::keys::{KEYS, Key, Kind, UNUSED, find, nearest, web_address};

/// Variables of ours that are no settings of the server.
const OTHER_VARIABLES: &[&str] = &[
    "FONDACO_CONFIG",
    "FONDACO_CONFIG_DIR",
    "FONDACO_PROFILE",
    "FONDACO_SERVER",
    "FONDACO_TOKEN",
    "FONDACO_TOOLS",
    "FONDACO_URL",
];

/// Where settings may come from.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// Keys that flags set: name of the key, the flag, its value.
    pub flags: Vec<(&'static str, &'static str, String)>,
    /// The environment.
    pub environment: BTreeMap<String, String>,
    /// The file to read; without one `./fondaco.toml` and `/etc/fondaco/fondaco.toml` are looked for.
    pub file: Option<PathBuf>,
}

/// Where one value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A flag of the command line.
    Flag(&'static str),
    /// A variable of the environment.
    Variable(String),
    /// A line of the file, from 1.
    File(PathBuf, usize),
    /// Nothing set it.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => write!(f, "flag {flag}"),
            Self::Variable(name) => write!(f, "environment {name}"),
            Self::File(path, line) => write!(f, "{}:{line}", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

/// One key with its value as it may be shown.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The key.
    pub key: &'static Key,
    /// Its value, `hidden` for a secret, `None` if it is unset.
    pub shown: Option<String>,
    /// Where it came from.
    pub origin: Origin,
}

/// The settings and how they came to be.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The settings.
    pub config: Config,
    /// Every key, in the order of the table.
    pub entries: Vec<Entry>,
    /// What the operator should know although it stops nothing.
    pub warnings: Vec<String>,
    /// The file that was read.
    pub file: Option<PathBuf>,
}

/// The settings cannot be used: every reason, so that one attempt shows them all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct ConfigError(pub Vec<String>);

struct Merge {
    values: BTreeMap<&'static str, (Value, Origin)>,
    problems: Vec<String>,
    warnings: Vec<String>,
}

impl Sources {
    /// This process's environment and no flags.
    #[must_use]
    pub fn environment() -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self { environment: std::env::vars_os().filter_map(text).collect(), ..Self::default() }
    }

    /// Reads and merges everything.
    ///
    /// # Errors
    /// [`ConfigError`] with every unknown key, every value that is not of its kind and every file that cannot be
    /// read.
    pub fn load(&self) -> Result<Loaded, ConfigError> {
        let mut merge = Merge { values: BTreeMap::new(), problems: Vec::new(), warnings: Vec::new() };
        merge.defaults();
        let file = self.find_file();
        if let Some(path) = &file {
            merge.file(path);
        }
        merge.environment(&self.environment);
        for (name, flag, value) in &self.flags {
            if let Some(key) = find(name) {
                merge.set(key, value, Origin::Flag(flag));
            }
        }
        merge.finish(file)
    }

    fn find_file(&self) -> Option<PathBuf> {
        let named = self.file.clone().or_else(|| self.environment.get("FONDACO_CONFIG").map(PathBuf::from));
        named.or_else(|| {
            let usual = ["fondaco.toml", "/etc/fondaco/fondaco.toml"];
            usual.into_iter().map(PathBuf::from).find(|path| path.is_file())
        })
    }
}

impl Merge {
    fn defaults(&mut self) {
        for key in KEYS {
            if let Some(default) = key.default {
                self.set(key, default, Origin::Default);
            }
        }
    }

    /// Sets a key from the text of a flag or variable.
    fn set(&mut self, key: &'static Key, text: &str, origin: Origin) {
        match key.kind.parse(text) {
            Ok(value) => {
                self.values.insert(key.name, (value, origin));
            }
            Err(reason) if key.kind == Kind::Secret => self.problems.push(format!("{origin}: {reason}")),
            Err(reason) => self.problems.push(format!("{origin} ({}): {reason}", key.name)),
        }
    }

    fn file(&mut self, path: &Path) {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => return self.problems.push(format!("{} cannot be read: {error}", path.display())),
        };
        let parsed =
            toml::de::DeTable::parse(&text).and_then(|spans| Ok((spans, toml::from_str::<Table>(&text)?)));
        let (spans, table) = match parsed {
            Ok(parsed) => parsed,
            Err(error) => {
                return self.problems.push(format!("{}: {}", path.display(), error.to_string().trim_end()));
            }
        };
        let line = |offset: usize| text[..offset.min(text.len())].matches('\n').count() + 1;
        for (section, content) in spans.get_ref() {
            let here = line(section.span().start);
            let Some(keys) = content.get_ref().as_table() else {
                self.problems.push(unknown_key(path, here, section.get_ref()));
                continue;
            };
            if keys.is_empty() && !is_section(section.get_ref()) {
                self.problems.push(unknown_key(path, here, section.get_ref()));
            }
            for name in keys.keys() {
                let here = line(name.span().start);
                let full = format!("{}.{}", section.get_ref(), name.get_ref());
                let value =
                    table.get(section.get_ref().as_ref()).and_then(|keys| keys.get(name.get_ref().as_ref()));
                self.set_from_file(path, here, &full, value);
            }
        }
    }

    fn set_from_file(&mut self, path: &Path, line: usize, name: &str, value: Option<&Value>) {
        let (Some(key), Some(value)) = (find(name), value) else {
            return self.problems.push(unknown_key(path, line, name));
        };
        if key.default.is_none() && value.as_str() == Some("") {
            return; // how the example file writes that a key is unset
        }
        match key.kind.accept(value.clone()) {
            Ok(value) => {
                self.values.insert(key.name, (value, Origin::File(path.to_owned(), line)));
            }
            Err(reason) => self.problems.push(format!("{}:{line}: {name}: {reason}", path.display())),
        }
    }

    /// A key's own variable wins over its aliases, these over each other in their order. An empty variable counts
    /// as unset: compose files write those.
    fn environment(&mut self, environment: &BTreeMap<String, String>) {
        let read = |name: &str| environment.get(name).filter(|value| !value.is_empty());
        for key in KEYS {
            let own = key.variable();
            for name in std::iter::once(own.as_str()).chain(key.aliases.iter().copied()) {
                if let Some(value) = read(name) {
                    self.set(key, value, Origin::Variable(name.to_owned()));
                    break;
                }
                let file = format!("{name}_FILE");
                if key.kind == Kind::Secret
                    && let Some(path) = read(&file)
                {
                    match read_secret(Path::new(path)) {
                        Ok(value) => self.set(key, &value, Origin::Variable(file)),
                        Err(reason) => self.problems.push(format!("environment {file}: {reason}")),
                    }
                    break;
                }
            }
        }
        for (name, why) in UNUSED {
            if read(name).is_some() {
                self.warnings.push(format!("{name} is set and not used: {why}."));
            }
        }
        for (name, value) in environment {
            if name.starts_with("FONDACO_") && !is_known_variable(name, value) {
                let variables: Vec<String> = KEYS.iter().map(Key::variable).collect();
                let near = nearest(
                    name,
                    variables.iter().map(String::as_str).chain(OTHER_VARIABLES.iter().copied()),
                );
                self.problems.push(format!("environment {name}: no such setting{}", meant(near)));
            }
        }
    }

    fn finish(mut self, file: Option<PathBuf>) -> Result<Loaded, ConfigError> {
        let mut root = Table::new();
        for (name, (value, _)) in &self.values {
            let (section, name) = name.split_once('.').unwrap_or(("", name));
            let section = root.entry(section).or_insert_with(|| Value::Table(Table::new()));
            if let Value::Table(section) = section {
                section.insert(name.to_owned(), value.clone());
            }
        }
        if !self.problems.is_empty() {
            return Err(ConfigError(self.problems));
        }
        let mut config = Config::deserialize(Value::Table(root))
            .map_err(|error| ConfigError(vec![error.message().to_owned()]))?;
        check_together(&mut config, &mut self.problems);
        if !self.problems.is_empty() {
            return Err(ConfigError(self.problems));
        }
        let entries = KEYS.iter().map(|key| {
            let (value, origin) = self.values.remove(key.name).unzip();
            Entry {
                key,
                shown: value.map(|value| shown(key, &value)),
                origin: origin.unwrap_or(Origin::Default),
            }
        });
        let entries = entries.collect();
        Ok(Loaded { config, entries, warnings: self.warnings, file })
    }
}

/// What one key alone cannot tell.
fn check_together(config: &mut Config, problems: &mut Vec<String>) {
    if let Some(url) = &config.database.url
        && !(url.expose().starts_with("postgres://") || url.expose().starts_with("postgresql://"))
    {
        problems.push(
            "database.url: write postgres://user:password@host:5432/name, or use database.path".to_owned(),
        );
    }
    if config.auth.jwt_secret.as_ref().is_some_and(|secret| secret.expose().len() < 32) {
        problems.push(
            "auth.jwt_secret: use at least 32 characters: anybody who guesses it can sign in as anyone"
                .to_owned(),
        );
    }
    let short =
        |keys: &kernel::Secret| keys.expose().split(',').any(|key| (1..32).contains(&key.trim().len()));
    if config.auth.encryption_keys.as_ref().is_some_and(short) {
        problems.push("auth.encryption_keys: use at least 32 characters for each key".to_owned());
    }
    if config.storage.access_key.is_some() != config.storage.secret_key.is_some()
        && config.storage.bucket.is_some()
    {
        problems.push("storage.access_key and storage.secret_key: set both or none".to_owned());
    }
    if config.log.level.parse::<tracing_subscriber::EnvFilter>().is_err() {
        problems.push(
            "log.level: write error, warn, info, debug or trace, or a filter such as info,registry=debug"
                .to_owned(),
        );
    }
    let mut names = std::collections::BTreeSet::new();
    for uplink in &mut config.registry.uplinks {
        if let Err(reason) = web_address(&uplink.url) {
            problems.push(format!("registry.uplinks, {}: {reason}", uplink.name));
        }
        if !names.insert(uplink.name.clone()) {
            problems.push(format!("registry.uplinks: two are called {}", uplink.name));
        }
        if let Some(path) = &uplink.token_file {
            match read_secret(path) {
                Ok(token) => uplink.token = Some(kernel::Secret::new(token)),
                Err(reason) => problems.push(format!("registry.uplinks, {}: {reason}", uplink.name)),
            }
        }
    }
}

fn read_secret(path: &Path) -> Result<String, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() { Err(format!("{} is empty", path.display())) } else { Ok(text.to_owned()) }
}

fn is_section(name: &str) -> bool {
    KEYS.iter().any(|key| key.name.split('.').next() == Some(name))
}

fn unknown_key(path: &Path, line: usize, name: &str) -> String {
    let near = nearest(name, KEYS.iter().map(|key| key.name));
    format!("{}:{line}: there is no setting `{name}`{}", path.display(), meant(near))
}

fn meant(near: Option<&str>) -> String {
    near.map_or_else(|| "; `fondaco check` lists all".to_owned(), |near| format!("; did you mean {near}?"))
}

/// Whether a variable is ours, belongs to the tests, or was put there by Kubernetes for a service that is called
/// fondaco.
fn is_known_variable(name: &str, value: &str) -> bool {
    let ours = |key: &Key| {
        let own = key.variable();
        let by = |known: &str| {
            name == known || (key.kind == Kind::Secret && name.strip_suffix("_FILE") == Some(known))
        };
        by(&own) || key.aliases.iter().any(|alias| by(alias))
    };
    let kubernetes = !name.contains("__")
        && (name.ends_with("_SERVICE_HOST")
            || name.contains("_SERVICE_PORT")
            || (value.contains("://") && name.contains("_PORT"))
            || name.contains("_TCP_"));
    KEYS.iter().any(ours)
        || OTHER_VARIABLES.contains(&name)
        || name.starts_with("FONDACO_TEST_")
        || kubernetes
}

/// A value as `fondaco check` shows it.
fn shown(key: &Key, value: &Value) -> String {
    match (key.kind, value) {
        (Kind::Secret, _) => "hidden".to_owned(),
        (_, Value::String(text)) => text.clone(),
        (Kind::Tables, Value::Array(tables)) => {
            let names = tables.iter().map(|table| {
                let text = |name| table.get(name).and_then(Value::as_str).unwrap_or_default();
                format!("{} {}", text("name"), text("url"))
            });
            names.collect::<Vec<_>>().join(", ")
        }
        (_, Value::Array(items)) => items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "),
        (_, other) => other.to_string(),
    }
}
