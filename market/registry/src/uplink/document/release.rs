//! One version in a foreign document: what is believed of it, and what of it is passed on.

use std::borrow::Cow;

use kernel::Timestamp;
use nodejs_semver::Version;
use serde_json::value::RawValue;

use super::members::{Members, first, is_shallow};
use super::write::Json;
use crate::NpmName;
use crate::uplink::integrity::Promise;

/// The kinds of JSON that a field may be, as their first characters.
const OBJECT: &[u8] = b"{";
const LIST: &[u8] = b"[";
const TEXT_OR_OBJECT: &[u8] = b"\"{";
const TEXT_OR_LIST: &[u8] = b"\"[";
const LIST_OR_OBJECT: &[u8] = b"[{";
const LIST_OR_BOOL: &[u8] = b"[tf";
const ANY: &[u8] = b"\"[{";
const TRUE: &[u8] = b"t";

/// What installers need of a manifest beside what is written anew; with what a field may be. What is something
/// else is left out: installers trip over it.
const ABBREVIATED: &[(&str, &[u8])] = &[
    ("bundleDependencies", LIST_OR_BOOL),
    ("peerDependenciesMeta", OBJECT),
    ("bin", TEXT_OR_OBJECT),
    ("directories", OBJECT),
    ("engines", LIST_OR_OBJECT),
    ("os", TEXT_OR_LIST),
    ("cpu", TEXT_OR_LIST),
    ("libc", TEXT_OR_LIST),
    ("funding", ANY),
    ("_hasShrinkwrap", TRUE),
];

/// Maps of names to ranges.
const DEPENDENCIES: &[&str] =
    &["dependencies", "optionalDependencies", "devDependencies", "peerDependencies", "acceptDependencies"];

/// What is written anew in every form, or stands elsewhere.
const NOT_PASSED: &[&str] = &[
    "_id",
    "name",
    "version",
    "dist",
    "deprecated",
    "readme",
    "readmeFilename",
    "hasInstallScript",
    "_attachments",
    "_rev",
];

/// What of `dist` is passed on. Attestations are not: their address is the uplink's, and we do not have them.
const DIST: &[(&str, &[u8])] = &[
    ("integrity", b"\""),
    ("shasum", b"\""),
    ("fileCount", b"0123456789"),
    ("unpackedSize", b"0123456789"),
    ("signatures", LIST),
];

/// A version that can be installed.
#[derive(Debug)]
pub(crate) struct Release<'a> {
    pub(crate) key: Cow<'a, str>,
    pub(crate) version: Version,
    pub(crate) published_at: Option<Timestamp>,
    pub(crate) promise: Promise,
    fields: Members<'a>,
    dist: Members<'a>,
}

impl<'a> Release<'a> {
    /// `None` when it is not what its key says, cannot be checked or is nested too deep: such a version is as
    /// if it were not there.
    pub(crate) fn parse(
        name: &NpmName,
        key: &str,
        text: &'a str,
        published_at: Option<Timestamp>,
    ) -> Option<Self> {
        let version = version(key)?;
        if !is_shallow(text) {
            return None;
        }
        let fields = Members::parse(text)?;
        if fields.text("name")? != name.as_str() || fields.text("version")? != key {
            return None;
        }
        let dist = Members::parse(fields.get("dist")?.get())?;
        let promise = Promise::parse(dist.text("integrity").as_deref(), dist.text("shasum").as_deref())?;
        let key = Cow::Owned(key.to_owned());
        Some(Self { key, version, published_at, promise, fields, dist })
    }

    /// Where the uplink says that the tarball is.
    pub(crate) fn address(&self) -> Option<Cow<'a, str>> {
        self.dist.text("tarball")
    }

    pub(crate) fn is_deprecated(&self) -> bool {
        self.deprecated().is_some()
    }

    fn deprecated(&self) -> Option<&'a RawValue> {
        self.fields.get("deprecated").filter(|value| first(value) == b'"' && value.get().len() > 2)
    }

    /// Whether installing runs code of the package, as far as the manifest tells.
    fn has_install_script(&self) -> bool {
        if self.fields.get("hasInstallScript").is_some_and(|value| value.get() == "true") {
            return true;
        }
        let scripts = self.fields.get("scripts").and_then(|scripts| Members::parse(scripts.get()));
        let scripts = scripts.unwrap_or_default();
        ["preinstall", "install", "postinstall"]
            .iter()
            .any(|name| scripts.text(name).is_some_and(|text| !text.is_empty()))
    }

    pub(super) fn write(&self, out: &mut Json, name: &NpmName, base: &str, is_full: bool) {
        out.raw("{\"name\":").text(name.as_str()).raw(",\"version\":").text(&self.key);
        if is_full {
            out.raw(",\"_id\":").text(&format!("{name}@{}", self.key));
            for (field, value) in self.fields.iter().filter(|(field, _)| !NOT_PASSED.contains(field)) {
                out.raw(",").text(field).raw(":").raw(value.get());
            }
        } else {
            self.write_abbreviated(out);
        }
        if let Some(deprecated) = self.deprecated() {
            out.raw(",\"deprecated\":").raw(deprecated.get());
        }
        if self.has_install_script() {
            out.raw(",\"hasInstallScript\":true");
        }
        out.raw(",\"dist\":{\"tarball\":").text(&format!("{base}{name}/-/{}", name.tarball(&self.key)));
        for (field, kinds) in DIST {
            out.member(field, self.dist.get(field).filter(|value| kinds.contains(&first(value))));
        }
        out.raw("}}");
    }

    fn write_abbreviated(&self, out: &mut Json) {
        for field in DEPENDENCIES {
            let Some(ranges) = self.fields.get(field).and_then(|value| Members::parse(value.get())) else {
                continue;
            };
            out.raw(",").text(field).raw(":{");
            let mut separator = "";
            for (dependency, range) in ranges.iter().filter(|(_, range)| first(range) == b'"') {
                out.raw(separator).text(dependency).raw(":").raw(range.get());
                separator = ",";
            }
            out.raw("}");
        }
        for (field, kinds) in ABBREVIATED {
            let other = (*field == "bundleDependencies").then_some("bundledDependencies");
            let value = self.fields.get(field).or_else(|| self.fields.get(other?));
            out.member(field, value.filter(|value| kinds.contains(&first(value))));
        }
    }
}

/// A version that can stand in a file name and an address: what npm's own parser takes, without its leniency
/// for spaces and a leading `v`.
pub(crate) fn version(key: &str) -> Option<Version> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'+');
    if !key.starts_with(|c: char| c.is_ascii_digit()) || !key.bytes().all(is_plain) {
        return None;
    }
    Version::parse(key).ok()
}
