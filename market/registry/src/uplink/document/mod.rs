//! A foreign package document: parsed with suspicion, cut down to what the policy lets through, written anew.

mod members;
mod release;
#[cfg(test)]
mod tests;
mod write;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};

use kernel::Timestamp;
use nodejs_semver::Version;
use serde_json::value::RawValue;

use self::members::{Members, first, is_shallow, text_of};
pub(crate) use self::release::{Release, version};
use self::write::Json;
use super::policy::{InForce, Refused, Whose};
use crate::NpmName;
use crate::documents::Form;

/// What the full form passes on of the package, and what each may be; see docs/npm-protocol.md.
const FRONT: &[(&str, &[u8])] = &[
    ("description", b"\""),
    ("readme", b"\""),
    ("readmeFilename", b"\""),
    ("maintainers", b"["),
    ("keywords", b"[\""),
    ("homepage", b"\""),
    ("repository", b"{\""),
    ("bugs", b"{\""),
    ("license", b"\"{"),
    ("author", b"{\""),
    ("contributors", b"["),
    ("users", b"{"),
];

/// How many tags are looked at; real packages have a few hundred at most.
const MAX_TAGS: usize = 1000;

/// A document of an uplink.
#[derive(Debug)]
pub(crate) struct Foreign<'a> {
    name: NpmName,
    tags: BTreeMap<String, String>,
    releases: Vec<Release<'a>>,
    created_at: Option<Timestamp>,
    modified_at: Option<Timestamp>,
    rev: Option<Cow<'a, str>>,
    front: Vec<(&'static str, &'a RawValue)>,
}

/// What the policies left out of a document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LeftOut {
    pub(crate) blocked: usize,
    pub(crate) withheld: usize,
    /// Whose policy blocked one of them.
    pub(crate) blocked_by: Option<Whose>,
    /// Whose policy withheld the one that becomes old enough first.
    pub(crate) withheld_by: Option<Whose>,
    /// When the first of those that were withheld becomes old enough.
    pub(crate) until: Option<Timestamp>,
}

impl LeftOut {
    fn add(&mut self, refused: Refused) {
        match refused {
            Refused::Blocked(by) => {
                self.blocked += 1;
                self.blocked_by.get_or_insert(by);
            }
            Refused::Withheld { by, until } => {
                self.withheld += 1;
                let is_first = match (self.until, until) {
                    (Some(first), Some(until)) => until < first,
                    (first, until) => first.is_none() && (until.is_some() || self.withheld_by.is_none()),
                };
                if is_first {
                    self.until = until;
                    self.withheld_by = Some(by);
                }
            }
        }
    }
}

impl<'a> Foreign<'a> {
    /// Parses a document; what is wrong inside of it is left out.
    ///
    /// # Errors
    /// When it is no document of this package at all.
    pub(crate) fn parse(name: &NpmName, text: &'a str) -> Result<Self, &'static str> {
        let top = Members::parse(text).ok_or("it is no JSON object")?;
        if top.text("name").as_deref() != Some(name.as_str()) {
            return Err("it is of another package");
        }
        let part = |field: &str| top.get(field).and_then(|value| Members::parse(value.get()));
        // A package of which everything was unpublished has none.
        let versions = part("versions").unwrap_or_default();
        let times: HashMap<String, Timestamp> = part("time")
            .unwrap_or_default()
            .iter()
            .filter_map(|(key, value)| Some((key.to_owned(), text_of_time(value)?)))
            .collect();
        let releases: Vec<_> = versions
            .iter()
            .filter_map(|(key, value)| Release::parse(name, key, value.get(), times.get(key).copied()))
            .collect();
        let tags = part("dist-tags").unwrap_or_default();
        let tags = tags
            .iter()
            .take(MAX_TAGS)
            .filter_map(|(tag, value)| Some((tag.to_owned(), text_of(value)?.into_owned())));
        let is_accepted =
            |value: &RawValue, kinds: &[u8]| kinds.contains(&first(value)) && is_shallow(value.get());
        let front = FRONT.iter().filter_map(|(field, kinds)| {
            Some((*field, top.get(field).filter(|value| is_accepted(value, kinds))?))
        });
        let latest_release = releases.iter().filter_map(|release| release.published_at).max();
        let mut foreign = Self {
            name: name.clone(),
            tags: tags.collect(),
            created_at: times.get("created").copied(),
            modified_at: times.get("modified").copied().or(latest_release),
            rev: top.text("_rev").filter(|rev| is_plain_rev(rev)),
            front: front.collect(),
            releases,
        };
        foreign.settle_tags(&HashMap::new());
        Ok(foreign)
    }

    /// A release that may be fetched, or why it may not.
    pub(crate) fn release(&self, key: &str) -> Option<&Release<'a>> {
        self.releases.iter().find(|release| release.key == key)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.releases.is_empty()
    }

    pub(crate) const fn modified_at(&self) -> Option<Timestamp> {
        self.modified_at
    }

    /// The version that a tag names.
    pub(crate) fn tag(&self, tag: &str) -> Option<&str> {
        self.tags.get(tag).map(String::as_str)
    }

    /// All releases.
    pub(crate) fn releases(&self) -> &[Release<'a>] {
        &self.releases
    }

    /// Leaves out what the policies do not let through, and moves the tags to what remains.
    pub(crate) fn apply(&mut self, rules: InForce<'_>) -> LeftOut {
        let mut left_out = LeftOut::default();
        let mut removed = HashMap::new();
        let name = &self.name;
        self.releases.retain(|release| {
            let Some(refused) = rules.on_release(name, &release.version, release.published_at) else {
                return true;
            };
            left_out.add(refused);
            removed.insert(release.key.clone().into_owned(), release.version.clone());
            false
        });
        self.settle_tags(&removed);
        left_out
    }

    /// Every tag names a version that is there: the one it named, or the newest below it that is left.
    fn settle_tags(&mut self, removed: &HashMap<String, Version>) {
        let releases = &self.releases;
        let keys: HashSet<&str> = releases.iter().map(|release| &*release.key).collect();
        let settle = |tag: &str, key: &str| {
            if keys.contains(key) {
                return Some(key.to_owned());
            }
            let target = removed.get(key);
            let found = match target {
                Some(target) => newest(releases, |version| {
                    version <= target
                        && version.major() == target.major()
                        && (target.is_prerelease() || !version.is_prerelease())
                }),
                None => None,
            };
            // Installers need `latest`; any other tag may be missing.
            let found = found.or_else(|| {
                if tag != "latest" {
                    return None;
                }
                let below = |version: &Version| target.is_none_or(|target| version <= target);
                newest(releases, |version| below(version) && !version.is_prerelease())
                    .or_else(|| newest(releases, |version| !version.is_prerelease()))
                    .or_else(|| newest(releases, |_| true))
            });
            found.map(|release| release.key.clone().into_owned())
        };
        let kept = self.tags.iter().filter_map(|(tag, key)| Some((tag.clone(), settle(tag, key)?)));
        let mut settled: BTreeMap<String, String> = kept.collect();
        if !settled.contains_key("latest")
            && let Some(key) = settle("latest", "")
        {
            settled.insert("latest".to_owned(), key);
        }
        self.tags = settled;
    }

    /// The document as our clients get it; `base` is where they fetch tarballs, with a slash at its end.
    pub(crate) fn write(&self, form: Form, base: &str) -> Vec<u8> {
        let is_full = form == Form::Full;
        let mut out = Json::with_capacity(self.releases.len() * if is_full { 2048 } else { 768 });
        out.raw("{\"name\":").text(self.name.as_str()).raw(",\"dist-tags\":{");
        for (at, (tag, key)) in self.tags.iter().enumerate() {
            out.raw(if at == 0 { "" } else { "," }).text(tag).raw(":").text(key);
        }
        out.raw("},\"versions\":{");
        for (at, release) in self.releases.iter().enumerate() {
            out.raw(if at == 0 { "" } else { "," }).text(&release.key).raw(":");
            release.write(&mut out, &self.name, base, is_full);
        }
        out.raw("}");
        match form {
            Form::Full => self.write_front(&mut out),
            Form::Abbreviated => {
                if let Some(at) = self.modified_at {
                    out.raw(",\"modified\":").text(&at.to_string());
                }
            }
        }
        out.raw("}");
        out.into_bytes()
    }

    fn write_front(&self, out: &mut Json) {
        out.raw(",\"_id\":").text(self.name.as_str());
        if let Some(rev) = &self.rev {
            out.raw(",\"_rev\":").text(rev);
        }
        out.raw(",\"time\":{");
        let named = [("created", self.created_at), ("modified", self.modified_at)];
        let versions = self.releases.iter().map(|release| (&*release.key, release.published_at));
        let mut separator = "";
        for (key, at) in named.into_iter().chain(versions) {
            if let Some(at) = at {
                out.raw(separator).text(key).raw(":").text(&at.to_string());
                separator = ",";
            }
        }
        out.raw("}");
        for (field, value) in &self.front {
            out.member(field, Some(value));
        }
    }
}

/// One version of a written document, by its number or a tag.
pub(crate) fn one_version(document: &str, selector: &str) -> Option<Vec<u8>> {
    let top = Members::parse(document)?;
    let tags = Members::parse(top.get("dist-tags")?.get())?;
    let key = tags.text(selector).unwrap_or(Cow::Borrowed(selector));
    let versions = Members::parse(top.get("versions")?.get())?;
    versions.get(&key).map(|version| version.get().as_bytes().to_vec())
}

/// The newest that fits; one that is deprecated only when there is no other.
fn newest<'r, 'a>(releases: &'r [Release<'a>], fits: impl Fn(&Version) -> bool) -> Option<&'r Release<'a>> {
    let fitting = releases.iter().filter(|release| fits(&release.version));
    fitting.max_by(|one, other| {
        let rank = |release: &Release<'_>| !release.is_deprecated();
        rank(one).cmp(&rank(other)).then_with(|| one.version.cmp(&other.version))
    })
}

fn text_of_time(value: &RawValue) -> Option<Timestamp> {
    text_of(value)?.parse().ok()
}

/// Clients put it into paths as it is.
fn is_plain_rev(rev: &str) -> bool {
    rev.len() <= 100
        && rev.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'))
}
