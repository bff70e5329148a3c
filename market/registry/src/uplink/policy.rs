//! What may be taken from uplinks. Pure rules: no clock, no database.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use kernel::Timestamp;
use nodejs_semver::{Range, Version};

use super::organisation::{Binding, UpstreamPolicy};
use super::settings::{Settings, SettingsError};
use crate::NpmName;

/// A name, `@scope`, `@scope/name` or `prefix-*`, with or without `@range`.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    names: Names,
    range: Option<Range>,
}

#[derive(Clone, Debug)]
enum Names {
    Scope(String),
    Prefix(String),
    One(String),
}

impl Entry {
    pub(crate) fn parse(text: &str) -> Result<Self, SettingsError> {
        let wrong = || SettingsError::Entry(text.chars().take(80).collect());
        let trimmed = text.trim();
        // The first character may be the @ of a scope.
        let range_at = trimmed.char_indices().skip(1).find(|(_, c)| *c == '@').map(|(at, _)| at);
        let (names, range) = match range_at {
            Some(at) => (&trimmed[..at], Some(trimmed[at + 1..].trim())),
            None => (trimmed, None),
        };
        let range = match range {
            Some("") => return Err(wrong()),
            Some(range) => Some(Range::parse(range).map_err(|_| wrong())?),
            None => None,
        };
        // Some old names have a star in them; here it means something else.
        let is_plain = |text: &str| !text.contains('*') && NpmName::parse(text).is_ok();
        let names = match names.strip_suffix('*') {
            Some("") => Names::Prefix(String::new()),
            Some(prefix) if is_plain(&format!("{prefix}x")) => Names::Prefix(prefix.to_owned()),
            None if is_plain(names) => Names::One(names.to_owned()),
            None if is_plain(&format!("{names}/x")) => Names::Scope(names.trim_start_matches('@').to_owned()),
            _ => return Err(wrong()),
        };
        Ok(Self { names, range })
    }

    pub(crate) fn list(texts: &[String]) -> Result<Vec<Self>, SettingsError> {
        texts.iter().map(|text| Self::parse(text)).collect()
    }

    /// Whether the name is meant, whatever the version.
    pub(crate) fn names(&self, name: &NpmName) -> bool {
        match &self.names {
            Names::Scope(scope) => name.scope() == Some(scope),
            Names::Prefix(prefix) => name.as_str().starts_with(prefix.as_str()),
            Names::One(one) => name.as_str() == one,
        }
    }

    /// Whether this version of a name that is meant, is meant. Pre-releases count as what they precede too, so
    /// that `<2` has 1.9.0-beta in it.
    fn has(&self, version: &Version) -> bool {
        self.range.as_ref().is_none_or(|range| version.satisfies_with_prerelease(range, true))
    }
}

/// The rules of this instance, or of one organisation.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    local_only: Vec<Entry>,
    allow: Vec<Entry>,
    block: Vec<Entry>,
    minimum_age: Duration,
    /// For these the age does not count.
    exempt: Vec<Entry>,
}

/// Whose rule it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// The registry's as a whole.
    Registry,
    /// That of an organisation that the reader belongs to, by name.
    Organisation(Arc<str>),
}

impl fmt::Display for Whose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registry => f.write_str("this registry"),
            Self::Organisation(name) => write!(f, "your organisation {name}"),
        }
    }
}

/// Why a release is not given to a reader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    Blocked(Whose),
    /// Too young; until then, if its age is known.
    Withheld {
        by: Whose,
        until: Option<Timestamp>,
    },
}

impl Refused {
    /// Of two verdicts the one that lasts longer; the first where they last as long.
    pub(crate) fn stricter(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        let rank = |refused: &Option<Self>| match refused {
            None => (0, None),
            Some(Self::Withheld { until: Some(until), .. }) => (1, Some(*until)),
            Some(Self::Withheld { until: None, .. }) => (2, None),
            Some(Self::Blocked(_)) => (3, None),
        };
        if rank(&other) > rank(&one) { other } else { one }
    }
}

/// All rules that hold for one reader at one moment.
#[derive(Clone, Copy)]
pub(crate) struct InForce<'p> {
    pub(crate) registry: &'p Policy,
    pub(crate) organisations: &'p Binding,
    pub(crate) now: Timestamp,
}

impl InForce<'_> {
    /// Why a release is refused; `published_at` is what the uplink says.
    pub(crate) fn on_release(
        &self,
        name: &NpmName,
        version: &Version,
        published_at: Option<Timestamp>,
    ) -> Option<Refused> {
        let verdict = match self.registry.on_release(name, version, published_at, self.now) {
            OnRelease::Open => None,
            OnRelease::Blocked => Some(Refused::Blocked(Whose::Registry)),
            OnRelease::Withheld(until) => Some(Refused::Withheld { by: Whose::Registry, until }),
        };
        self.organisations.on_release(name, version, published_at, self.now, verdict)
    }
}

/// Whether a package may be asked for at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnName {
    Open,
    /// Never told to an uplink.
    LocalOnly,
    /// On the block list, or not on the allow list.
    Blocked,
}

/// Whether a release may be given out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnRelease {
    Open,
    Blocked,
    /// Too young; until when, if its age is known.
    Withheld(Option<Timestamp>),
}

impl Policy {
    pub(crate) fn new(settings: &Settings) -> Result<Self, SettingsError> {
        Ok(Self {
            local_only: Entry::list(&settings.local_only)?,
            allow: Entry::list(&settings.allow)?,
            block: Entry::list(&settings.block)?,
            minimum_age: settings.minimum_release_age,
            exempt: Vec::new(),
        })
    }

    /// The rules of an organisation.
    pub(crate) fn of_organisation(policy: &UpstreamPolicy) -> Result<Self, SettingsError> {
        let exempt = policy.exempt.iter().map(|exemption| Entry::parse(&exemption.name));
        Ok(Self {
            local_only: Vec::new(),
            allow: Entry::list(&policy.allow)?,
            block: Entry::list(&policy.block)?,
            minimum_age: Duration::from_secs(u64::from(policy.minimum_release_age_hours) * 3600),
            exempt: exempt.collect::<Result<_, _>>()?,
        })
    }

    pub(crate) fn on_name(&self, name: &NpmName) -> OnName {
        let named = |list: &[Entry]| list.iter().any(|entry| entry.names(name));
        let wholly_blocked = self.block.iter().any(|entry| entry.range.is_none() && entry.names(name));
        if named(&self.local_only) {
            OnName::LocalOnly
        } else if wholly_blocked || (!self.allow.is_empty() && !named(&self.allow)) {
            OnName::Blocked
        } else {
            OnName::Open
        }
    }

    /// `published_at` is what the uplink says. A release of unknown age is too young wherever age counts.
    pub(crate) fn on_release(
        &self,
        name: &NpmName,
        version: &Version,
        published_at: Option<Timestamp>,
        now: Timestamp,
    ) -> OnRelease {
        let meant = |list: &[Entry]| list.iter().any(|entry| entry.names(name) && entry.has(version));
        if meant(&self.block) || (!self.allow.is_empty() && !meant(&self.allow)) {
            return OnRelease::Blocked;
        }
        if self.minimum_age.is_zero() || meant(&self.exempt) {
            return OnRelease::Open;
        }
        match published_at.map(|published_at| published_at.after(self.minimum_age)) {
            Some(until) if until <= now => OnRelease::Open,
            until => OnRelease::Withheld(until),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn name(text: &str) -> NpmName {
        NpmName::parse(text).unwrap()
    }

    fn policy(local_only: &[&str], allow: &[&str], block: &[&str], days: u64) -> Policy {
        let list = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let (local_only, allow, block) = (list(local_only), list(allow), list(block));
        let minimum_release_age = Duration::from_secs(days * 86_400);
        Policy::new(&Settings { local_only, allow, block, minimum_release_age, ..Settings::default() })
            .unwrap()
    }

    #[test]
    fn entries_mean_names_scopes_and_prefixes() {
        for (entry, yes, no) in [
            ("left-pad", "left-pad", "left-pad2"),
            ("@acme", "@acme/a", "@acmes/a"),
            ("@acme/a", "@acme/a", "@acme/ab"),
            ("@acme/a-*", "@acme/a-b", "@acme/b-a"),
            ("left-*", "left-pad", "leftpad"),
            ("*", "@any/thing", ""),
            (" a@^1 ", "a", "b"),
        ] {
            let parsed = Entry::parse(entry).unwrap();
            assert!(parsed.names(&name(yes)), "{entry} {yes}");
            assert!(no.is_empty() || !parsed.names(&name(no)), "{entry} {no}");
        }
        for wrong in ["", "@", "a b", "a@", "a@not a range", "a**", "*a", "@a/b/c", "@a/*x"] {
            assert!(Entry::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn local_wins_over_block_and_block_over_allow() {
        let policy = policy(&["@acme"], &["@acme", "a", "b@1"], &["b", "c@1"], 0);
        assert_eq!(policy.on_name(&name("@acme/x")), OnName::LocalOnly);
        assert_eq!(policy.on_name(&name("a")), OnName::Open);
        assert_eq!(policy.on_name(&name("b")), OnName::Blocked);
        assert_eq!(policy.on_name(&name("z")), OnName::Blocked);
    }

    #[test]
    fn ranges_have_prereleases_too() {
        let policy = policy(&[], &[], &["a@<1.2.3", "b@1.0.0 || 2.x"], 0);
        let verdict = |package: &str, version: &str| {
            let version = Version::parse(version).unwrap();
            policy.on_release(&name(package), &version, None, Timestamp::from_secs(0))
        };
        for (package, version) in [("a", "1.2.2"), ("a", "1.0.0-beta.1"), ("b", "2.5.0"), ("b", "1.0.0")] {
            assert_eq!(verdict(package, version), OnRelease::Blocked, "{package}@{version}");
        }
        for (package, version) in [("a", "1.2.3"), ("b", "1.0.1"), ("c", "1.0.0")] {
            assert_eq!(verdict(package, version), OnRelease::Open, "{package}@{version}");
        }
    }

    #[test]
    fn young_releases_and_those_of_unknown_age_are_withheld() {
        let policy = policy(&[], &[], &[], 2);
        let version = Version::parse("1.0.0").unwrap();
        let day = |day| Timestamp::from_day(day);
        let verdict = |published, now| policy.on_release(&name("a"), &version, published, now);
        assert_eq!(verdict(Some(day(10)), day(12)), OnRelease::Open);
        assert_eq!(verdict(Some(day(10)), day(11)), OnRelease::Withheld(Some(day(12))));
        assert_eq!(verdict(Some(day(99)), day(11)), OnRelease::Withheld(Some(day(101))));
        assert_eq!(verdict(None, day(11)), OnRelease::Withheld(None));
    }

    proptest! {
        #[test]
        fn any_entry_is_survived(text in ".{0,40}") {
            let _ = Entry::parse(&text);
        }
    }
}
