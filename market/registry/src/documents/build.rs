//! Puts a package's document together from the pieces that were prepared at publish, without parsing them.

use std::collections::BTreeMap;

use kernel::Timestamp;

use super::base::Base;
use crate::package::Package;

/// What a release brings to a document.
#[derive(Clone, Debug)]
pub(crate) struct Fragment {
    pub(crate) version: String,
    /// A JSON object: the manifest, whole or abbreviated.
    pub(crate) fields: String,
    /// A JSON object: digests and sizes, without the address.
    pub(crate) dist: String,
    pub(crate) deprecated: Option<String>,
    pub(crate) provenance: Option<String>,
    pub(crate) published_at: Timestamp,
}

store::row!(Fragment { version, fields, dist, deprecated, provenance, published_at });

/// What the full form shows beside the releases.
#[derive(Clone, Debug, Default)]
pub(crate) struct Front {
    /// A JSON object: what the package shows of its latest version.
    pub(crate) head: String,
    pub(crate) readme: Option<(String, String)>,
    pub(crate) maintainers: Vec<String>,
    /// Who starred it; only where a client asks in order to write.
    pub(crate) users: Option<Vec<String>>,
}

/// The form that installers ask for.
pub(crate) fn abbreviated(
    package: &Package,
    tags: &BTreeMap<String, String>,
    releases: &[Fragment],
    base: &Base,
) -> Vec<u8> {
    let mut out = Json::with_capacity(releases);
    out.raw("{\"name\":").text(&package.name).raw(",\"dist-tags\":").texts(tags);
    out.raw(",\"versions\":").versions(package, releases, base);
    out.raw(",\"modified\":").text(&package.updated_at.to_string()).raw("}");
    out.0
}

/// The form that has everything.
pub(crate) fn full(
    package: &Package,
    tags: &BTreeMap<String, String>,
    releases: &[Fragment],
    front: &Front,
    base: &Base,
) -> Vec<u8> {
    let mut out = Json::with_capacity(releases);
    out.raw("{\"_id\":").text(&package.name).raw(",\"_rev\":").text(package.rev().as_str());
    out.raw(",\"name\":").text(&package.name).members(&front.head);
    out.raw(",\"dist-tags\":").texts(tags).raw(",\"versions\":").versions(package, releases, base);
    out.raw(",\"time\":{\"created\":").text(&package.created_at.to_string());
    out.raw(",\"modified\":").text(&package.updated_at.to_string());
    for release in releases {
        out.raw(",").text(&release.version).raw(":").text(&release.published_at.to_string());
    }
    out.raw("},\"maintainers\":[");
    for (at, name) in front.maintainers.iter().enumerate() {
        out.raw(if at == 0 { "" } else { "," }).raw("{\"name\":").text(name).raw(",\"email\":\"\"}");
    }
    out.raw("]");
    if let Some((filename, text)) = &front.readme {
        out.raw(",\"readme\":").text(text).raw(",\"readmeFilename\":").text(filename);
    }
    if let Some(users) = &front.users {
        out.raw(",\"users\":{");
        for (at, name) in users.iter().enumerate() {
            out.raw(if at == 0 { "" } else { "," }).text(name).raw(":true");
        }
        out.raw("}");
    }
    out.raw("}");
    out.0
}

/// One version alone.
pub(crate) fn manifest(package: &Package, release: &Fragment, base: &Base) -> Vec<u8> {
    let mut out = Json::with_capacity(std::slice::from_ref(release));
    out.version(package, release, base);
    out.0
}

/// JSON in the making. Numbers of bytes are what matters here, so it is written piece by piece.
struct Json(Vec<u8>);

impl Json {
    fn with_capacity(releases: &[Fragment]) -> Self {
        let bytes: usize =
            releases.iter().map(|release| release.fields.len() + release.dist.len() + 300).sum();
        Self(Vec::with_capacity(bytes + 1024))
    }

    fn raw(&mut self, text: &str) -> &mut Self {
        self.0.extend_from_slice(text.as_bytes());
        self
    }

    /// A JSON text with its quotes.
    fn text(&mut self, text: &str) -> &mut Self {
        // Writing to a vector cannot fail, and a text is always JSON.
        let _ = serde_json::to_writer(&mut self.0, text);
        self
    }

    fn texts(&mut self, texts: &BTreeMap<String, String>) -> &mut Self {
        let _ = serde_json::to_writer(&mut self.0, texts);
        self
    }

    /// The members of a JSON object, each after a comma.
    fn members(&mut self, object: &str) -> &mut Self {
        let inner = inner(object);
        if inner.is_empty() { self } else { self.raw(",").raw(inner) }
    }

    fn versions(&mut self, package: &Package, releases: &[Fragment], base: &Base) -> &mut Self {
        self.raw("{");
        for (at, release) in releases.iter().enumerate() {
            self.raw(if at == 0 { "" } else { "," }).text(&release.version).raw(":");
            self.version(package, release, base);
        }
        self.raw("}")
    }

    fn version(&mut self, package: &Package, release: &Fragment, base: &Base) {
        let bare = package.name.rsplit_once('/').map_or(&*package.name, |(_, bare)| bare);
        self.raw("{").raw(inner(&release.fields));
        if let Some(deprecated) = &release.deprecated {
            self.raw(",\"deprecated\":").text(deprecated);
        }
        self.raw(",\"dist\":{").raw(inner(&release.dist));
        // Names, versions and bases have no character that JSON escapes.
        self.raw(",\"tarball\":\"").raw(base.tarballs(package.access)).raw(&package.name);
        self.raw("/-/").raw(bare).raw("-").raw(&release.version).raw(".tgz\"");
        if let Some(predicate) = &release.provenance {
            self.raw(",\"attestations\":{\"url\":\"").raw(base.url()).raw("-/npm/v1/attestations/");
            self.raw(&package.name).raw("@").raw(&release.version);
            self.raw("\",\"provenance\":{\"predicateType\":").text(predicate).raw("}}");
        }
        self.raw("}}");
    }
}

/// What is between the braces of a JSON object that was written without spaces.
fn inner(object: &str) -> &str {
    object.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::Value;

    use super::*;
    use crate::package::{Access, OwnerKind};
    use crate::{Ecosystem, PackageId};

    fn package() -> Package {
        Package {
            id: "pkg-1".parse::<PackageId>().unwrap(),
            ecosystem: Ecosystem::Npm,
            name: "@s/n".into(),
            owner_kind: OwnerKind::User,
            owner: "ada".to_owned(),
            access: Access::Public,
            revision: 3,
            latest: Some("1.0.1".to_owned()),
            created_at: Timestamp::from_secs(1),
            updated_at: Timestamp::from_secs(2),
            deleted_at: None,
        }
    }

    fn fragment(version: &str) -> Fragment {
        Fragment {
            version: version.to_owned(),
            fields: format!(r#"{{"name":"@s/n","version":"{version}"}}"#),
            dist: r#"{"shasum":"ab"}"#.to_owned(),
            deprecated: None,
            provenance: None,
            published_at: Timestamp::from_secs(1),
        }
    }

    #[test]
    fn both_forms_are_json_of_the_right_shape() {
        let old = Fragment {
            deprecated: Some("use \"1.0.1\"\n".to_owned()),
            provenance: Some("https://slsa.dev/provenance/v1".to_owned()),
            ..fragment("1.0.0")
        };
        let releases = [old, fragment("1.0.1")];
        let tags = BTreeMap::from([("latest".to_owned(), "1.0.1".to_owned())]);
        let front = Front {
            head: r#"{"description":"About","license":"MIT"}"#.to_owned(),
            readme: Some(("README.md".to_owned(), "# \"n\"".to_owned())),
            maintainers: vec!["ada".to_owned(), "bob".to_owned()],
            users: Some(vec!["bob".to_owned()]),
        };
        let base = Base::fixed("http://localhost:4873/npm/");
        let short: Value = serde_json::from_slice(&abbreviated(&package(), &tags, &releases, &base)).unwrap();
        let long: Value = serde_json::from_slice(&full(&package(), &tags, &releases, &front, &base)).unwrap();
        insta::assert_json_snapshot!("abbreviated", short);
        insta::assert_json_snapshot!("full", long);
        let alone: Value = serde_json::from_slice(&manifest(&package(), &releases[0], &base)).unwrap();
        assert_eq!(alone, long["versions"]["1.0.0"]);
    }

    #[test]
    fn a_package_without_anything_is_json_too() {
        let base = Base::fixed("http://localhost:4873/");
        let whole = full(&package(), &BTreeMap::new(), &[], &Front::default(), &base);
        let parsed: Value = serde_json::from_slice(&whole).unwrap();
        assert_eq!(parsed["versions"], serde_json::json!({}));
    }
}
