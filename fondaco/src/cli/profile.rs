//! Which server to talk to, and as whom: flags, environment, and the sign-ins kept in a private file.

use std::collections::BTreeMap;
use std::path::PathBuf;

use kernel::Secret;
use serde::Deserialize;
use url::Url;

use super::args::Global;
use super::failure::Failure;
use crate::data::replace;

/// The profile where nobody chose one.
const DEFAULT_PROFILE: &str = "default";
/// Where a server listens that was started with the defaults.
const DEFAULT_SERVER: &str = "http://localhost:8080";

/// A server, and who we are there.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    /// Without a slash at the end.
    pub(crate) server: String,
    /// The npm registry, with a slash at the end.
    pub(crate) registry: String,
    pub(crate) token: Option<Secret>,
    /// Where the token came from, for people.
    pub(crate) token_from: &'static str,
}

/// One stored sign-in.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Stored {
    pub(crate) server: String,
    pub(crate) registry: String,
    pub(crate) username: String,
    pub(crate) token: Secret,
}

/// The file of sign-ins.
#[derive(Debug, Default, Deserialize)]
#[serde(transparent)]
pub(crate) struct Credentials(BTreeMap<String, Stored>);

/// `$FONDACO_CONFIG_DIR`, or `fondaco` in the folder that the XDG specification names.
fn config_folder() -> Result<PathBuf, Failure> {
    let folder = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = folder("FONDACO_CONFIG_DIR")
        .or_else(|| folder("XDG_CONFIG_HOME").map(|path| path.join("fondaco")))
        .or_else(|| folder("HOME").map(|path| path.join(".config/fondaco")));
    base.ok_or_else(|| Failure::local("No place for sign-ins", "Neither FONDACO_CONFIG_DIR nor HOME is set."))
}

/// The file with the name of the profile that `fondaco profile use` chose.
fn choice() -> Result<PathBuf, Failure> {
    Ok(config_folder()?.join("profile"))
}

/// The profile by `--profile`, `FONDACO_PROFILE`, what `fondaco profile use` chose, or the default.
///
/// # Errors
/// When the choice cannot be read.
pub(crate) fn profile_in_use(global: &Global) -> Result<String, Failure> {
    if let Some(profile) = global.profile.as_ref().filter(|profile| !profile.is_empty()) {
        return Ok(profile.clone());
    }
    let path = choice()?;
    match std::fs::read_to_string(&path) {
        Ok(name) if !name.trim().is_empty() => Ok(name.trim().to_owned()),
        Ok(_) => Ok(DEFAULT_PROFILE.to_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(DEFAULT_PROFILE.to_owned()),
        Err(error) => {
            let detail = format!("{}: {error}.", path.display());
            Err(Failure::local("The choice of a profile cannot be read", detail))
        }
    }
}

/// Remembers which profile is used where none is named.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn choose(name: &str) -> Result<(), Failure> {
    let path = choice()?;
    crate::data::DataDir::open(path.parent().unwrap_or(&path))?;
    Ok(replace(&path, &format!("{name}\n"))?)
}

impl Credentials {
    fn path() -> Result<PathBuf, Failure> {
        Ok(config_folder()?.join("credentials.toml"))
    }

    /// Reads the file; empty where there is none.
    pub(crate) fn load() -> Result<Self, Failure> {
        let path = Self::path()?;
        match std::fs::read_to_string(&path) {
            Ok(text) => toml::from_str(&text).map_err(|error| {
                Failure::local(
                    "The stored sign-ins are damaged",
                    format!("{}: {}", path.display(), error.message()),
                )
                .next(format!("rm {} && fondaco login", path.display()))
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(Failure::local(
                "The stored sign-ins cannot be read",
                format!("{}: {error}.", path.display()),
            )),
        }
    }

    pub(crate) fn get(&self, profile: &str) -> Option<&Stored> {
        self.0.get(profile)
    }

    /// All of them, by the names of their profiles.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&str, &Stored)> {
        self.0.iter().map(|(name, stored)| (name.as_str(), stored))
    }

    /// Keeps a sign-in.
    pub(crate) fn set(mut self, profile: &str, stored: Stored) -> Result<PathBuf, Failure> {
        self.0.insert(profile.to_owned(), stored);
        self.save()
    }

    /// Forgets a sign-in.
    pub(crate) fn remove(mut self, profile: &str) -> Result<(), Failure> {
        self.0.remove(profile);
        self.save().map(|_| ())
    }

    fn save(&self) -> Result<PathBuf, Failure> {
        let mut table = toml::Table::new();
        for (name, stored) in &self.0 {
            let fields = [
                ("server", stored.server.as_str()),
                ("registry", &stored.registry),
                ("username", &stored.username),
                ("token", stored.token.expose()),
            ];
            let fields = fields.map(|(key, value)| (key.to_owned(), toml::Value::String(value.to_owned())));
            table.insert(name.clone(), toml::Value::Table(fields.into_iter().collect()));
        }
        let path = Self::path()?;
        crate::data::DataDir::open(path.parent().unwrap_or(&path))?;
        replace(&path, &table.to_string())?;
        Ok(path)
    }
}

impl Session {
    /// By `--server`, `FONDACO_SERVER`, `FONDACO_URL`, the stored sign-in, the seed's variables, or the default; a
    /// stored token is used only with the server that gave it.
    ///
    /// # Errors
    /// When an address is none, or the stored sign-ins cannot be read.
    pub(crate) fn find(global: &Global) -> Result<Self, Failure> {
        let credentials = Credentials::load()?;
        let stored = credentials.get(&profile_in_use(global)?);
        let read = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let asked = global.server.clone().or_else(|| read("FONDACO_SERVER")).or_else(|| read("FONDACO_URL"));
        let (server, registry) = match (asked, stored, read("ELIDE_API_URL"), read("ELIDE_REGISTRY_URL")) {
            (Some(server), ..) => (server, None),
            (None, Some(stored), ..) => (stored.server.clone(), Some(stored.registry.clone())),
            (None, None, None, None) => (DEFAULT_SERVER.to_owned(), None),
            (None, None, api, registry) => {
                let registry = registry.map(|registry| format!("{}/npm/", npm_origin(&registry)));
                (api.unwrap_or_else(|| DEFAULT_SERVER.to_owned()), registry)
            }
        };
        let server = origin(&server)?;
        let registry = registry.unwrap_or_else(|| format!("{server}/npm/"));
        let stored = stored.filter(|stored| stored.server == server);
        let environment = read("FONDACO_TOKEN").map(Secret::new);
        let token_from = if environment.is_some() { "FONDACO_TOKEN" } else { "the stored sign-in" };
        Ok(Self {
            token: environment.or_else(|| stored.map(|stored| stored.token.clone())),
            token_from,
            server,
            registry,
        })
    }

    /// The address of a path of the API.
    pub(crate) fn api(&self, path: &str) -> String {
        format!("{}{path}", self.server)
    }

    /// The address of a path of the npm registry, without a slash at its start.
    pub(crate) fn npm(&self, path: &str) -> String {
        format!("{}{path}", self.registry)
    }
}

/// The seed's variable names the registry with or without its path.
fn npm_origin(registry: &str) -> &str {
    let registry = registry.trim_end_matches('/');
    registry.strip_suffix("/npm").unwrap_or(registry)
}

/// An address as it was typed, checked, and without a slash at the end.
fn origin(text: &str) -> Result<String, Failure> {
    let wrong =
        || Failure::usage(format!("`{text}` is no server: write https://host or http://localhost:8080."));
    let full = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
    let url = Url::parse(&full).map_err(|_| wrong())?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() || url.query().is_some() {
        return Err(wrong());
    }
    Ok(full.trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn servers_as_people_type_them() {
        assert_eq!(origin("market.example.com").unwrap(), "https://market.example.com");
        assert_eq!(origin("http://localhost:8080/").unwrap(), "http://localhost:8080");
        assert_eq!(origin("https://example.com/market/").unwrap(), "https://example.com/market");
        for wrong in ["", "ftp://x", "http://", "http://x?y"] {
            assert_eq!(origin(wrong).unwrap_err().exit, 2, "{wrong}");
        }
        assert_eq!(npm_origin("http://localhost:4873/npm/"), "http://localhost:4873");
        assert_eq!(npm_origin("http://localhost:4873"), "http://localhost:4873");
    }
}
