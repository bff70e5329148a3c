//! Names: of ecosystems and of packages, and the rules that a new name must keep.

use std::fmt;
use std::sync::Arc;

/// Which kind of client a package is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ecosystem {
    /// JavaScript: npm, yarn, pnpm, bun.
    Npm,
}

impl Ecosystem {
    /// As it stands in rows, URLs and events.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Npm => "npm",
        }
    }
}

impl fmt::Display for Ecosystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl store::ToValue for Ecosystem {
    fn to_value(&self) -> store::Value<'_> {
        store::Value::Text(self.as_str())
    }
}

impl store::FromValue for Ecosystem {
    fn from_value(value: store::Value<'_>) -> Result<Self, String> {
        match value {
            store::Value::Text("npm") => Ok(Self::Npm),
            other => Err(format!("expected an ecosystem, found {other:?}")),
        }
    }
}

/// Why a text is no package name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NameError(&'static str);

/// The name of an npm package: `name` or `@scope/name`. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NpmName(Arc<str>);

/// The longest name, in bytes.
const MAX_LEN: usize = 214;

/// Names of Node's own modules, which `require` finds before any package.
const CORE_MODULES: &[&str] = &[
    "assert",
    "async_hooks",
    "buffer",
    "child_process",
    "cluster",
    "console",
    "constants",
    "crypto",
    "dgram",
    "diagnostics_channel",
    "dns",
    "domain",
    "events",
    "fs",
    "http",
    "http2",
    "https",
    "inspector",
    "module",
    "net",
    "os",
    "path",
    "perf_hooks",
    "process",
    "punycode",
    "querystring",
    "readline",
    "repl",
    "stream",
    "string_decoder",
    "sys",
    "timers",
    "tls",
    "trace_events",
    "tty",
    "url",
    "util",
    "v8",
    "vm",
    "wasi",
    "worker_threads",
    "zlib",
];

impl NpmName {
    /// A name that some package may have, be it an old one: the errors of `validate-npm-package-name`.
    ///
    /// # Errors
    /// [`NameError`] in the words of npm.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let refuse = |reason| Err(NameError(reason));
        if text.is_empty() {
            return refuse("name length must be greater than zero");
        }
        if text.len() > MAX_LEN {
            return refuse("name can no longer contain more than 214 characters");
        }
        if text.starts_with(['.', '_', '-']) {
            return refuse("name cannot start with a period, an underscore or a hyphen");
        }
        if ["node_modules", "favicon.ico"].iter().any(|reserved| text.eq_ignore_ascii_case(reserved)) {
            return refuse("this name is not allowed");
        }
        let (scope, bare) = match text.strip_prefix('@') {
            Some(scoped) => match scoped.split_once('/') {
                Some((scope, bare)) => (Some(scope), bare),
                None => return refuse("a scoped name is written @scope/name"),
            },
            None => (None, text),
        };
        let parts = [scope.unwrap_or("x"), bare];
        if parts.iter().any(|part| part.is_empty() || !part.bytes().all(is_url_friendly)) {
            return refuse("name can only contain URL-friendly characters");
        }
        if parts.iter().any(|part| part.starts_with('.')) {
            return refuse("name cannot start with a period");
        }
        Ok(Self(text.into()))
    }

    /// Whether a *new* package may be called so: the warnings of `validate-npm-package-name` too.
    ///
    /// # Errors
    /// [`NameError`] in the words of npm.
    pub fn check_new(&self) -> Result<(), NameError> {
        if self.0.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(NameError("name can no longer contain capital letters"));
        }
        if self.bare().contains(['~', '\'', '!', '(', ')', '*']) {
            return Err(NameError("name can no longer contain special characters (\"~'!()*\")"));
        }
        if CORE_MODULES.contains(&&*self.0) {
            return Err(NameError("this is a core module name"));
        }
        Ok(())
    }

    /// The whole name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The scope without `@`, if the name has one.
    #[must_use]
    pub fn scope(&self) -> Option<&str> {
        self.0.strip_prefix('@')?.split_once('/').map(|(scope, _)| scope)
    }

    /// The name without its scope.
    #[must_use]
    pub fn bare(&self) -> &str {
        self.0.rsplit_once('/').map_or(&self.0, |(_, bare)| bare)
    }

    /// What the tarball of `version` is called: `name-1.0.0.tgz`, without the scope.
    #[must_use]
    pub fn tarball(&self, version: &str) -> String {
        format!("{}-{version}.tgz", self.bare())
    }

    /// The name as a package URL (purl) writes it in provenance statements: `pkg:npm/%40scope/name@1.0.0`.
    #[must_use]
    pub fn purl(&self, version: &str) -> String {
        format!("pkg:npm/{}@{version}", self.0.replace('@', "%40"))
    }
}

/// What JavaScript's `encodeURIComponent` leaves as it is.
fn is_url_friendly(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&byte)
}

impl fmt::Display for NpmName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl store::ToValue for NpmName {
    fn to_value(&self) -> store::Value<'_> {
        store::Value::Text(&self.0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn names_that_packages_have() {
        for text in ["left-pad", "a", "@scope/name", "example.com", "under_score", "@npm/thingy", "0", "x-"] {
            let name = NpmName::parse(text).unwrap();
            assert!(name.check_new().is_ok(), "{text}");
        }
        let name = NpmName::parse("@scope/name").unwrap();
        assert_eq!((name.scope(), name.bare()), (Some("scope"), "name"));
        assert_eq!(name.tarball("1.0.0"), "name-1.0.0.tgz");
        assert_eq!(name.purl("1.0.0"), "pkg:npm/%40scope/name@1.0.0");
    }

    #[test]
    fn old_names_may_be_read_and_not_made() {
        for text in ["CAPITAL", "crazy!", "http", "@scope/wow(", "Zoo"] {
            assert!(NpmName::parse(text).unwrap().check_new().is_err(), "{text}");
        }
    }

    #[test]
    fn other_texts_are_no_names() {
        let long = "a".repeat(215);
        for text in [
            "",
            ".",
            "..",
            ".start",
            "_start",
            "-",
            "a b",
            " a",
            "a/b",
            "@a",
            "@a/",
            "@/b",
            "@a/b/c",
            "@a/.b",
            "a:b",
            "a%2fb",
            "node_modules",
            "Favicon.ico",
            "ü",
            "a\n",
            "a\0",
            "@.a/b",
            &long,
        ] {
            assert!(NpmName::parse(text).is_err(), "{text}");
        }
    }
}
