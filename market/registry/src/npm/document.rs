//! The document that clients PUT: its outline is parsed once, and only what the request means is looked at.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

/// A PUT document as it arrives, without the tarball's bytes; see [`scan`](super::scan).
#[derive(Debug, Deserialize)]
pub struct PutDocument<'a> {
    /// The package's name, twice.
    #[serde(rename = "_id", default)]
    pub id: Option<String>,
    /// The package's name.
    #[serde(default)]
    pub name: Option<String>,
    /// The revision that the client saw.
    #[serde(rename = "_rev", default)]
    pub rev: Option<String>,
    /// `public` or `restricted`.
    #[serde(default)]
    pub access: Option<String>,
    /// What each tag shall point to.
    #[serde(rename = "dist-tags", default)]
    pub dist_tags: BTreeMap<String, String>,
    /// Manifests by version.
    #[serde(borrow, default)]
    pub versions: Option<BTreeMap<String, &'a RawValue>>,
    /// What comes with a publish.
    #[serde(rename = "_attachments", default)]
    pub attachments: BTreeMap<String, Attachment>,
    /// The new list of owners.
    #[serde(default)]
    pub maintainers: Option<Vec<Person>>,
    /// Who starred: only the caller's own entry counts.
    #[serde(default)]
    pub users: Option<BTreeMap<String, bool>>,
    /// yarn and Berry put the README here.
    #[serde(default)]
    pub readme: Option<serde_json::Value>,
}

/// An attachment; `data` is empty for the tarball, which went another way.
#[derive(Debug, Deserialize)]
pub struct Attachment {
    /// Its media type.
    #[serde(default)]
    pub content_type: String,
    /// The text of a provenance bundle.
    #[serde(default)]
    pub data: String,
    /// How long it is said to be.
    #[serde(default)]
    pub length: Option<u64>,
}

/// Somebody in a list of maintainers.
#[derive(Debug, Deserialize)]
pub struct Person {
    /// The username.
    pub name: String,
}

/// What a PUT asks for; judged in this order where a body could mean several things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// A new version.
    Publish,
    /// Changed versions: deprecation, or with a revision in the path the removal of some.
    Versions,
    /// A new list of owners.
    Maintainers,
    /// A star.
    Users,
}

impl<'a> PutDocument<'a> {
    /// Parses the document.
    ///
    /// # Errors
    /// What is wrong with it, for the one who sent it.
    pub fn parse(text: &'a [u8]) -> Result<Self, String> {
        serde_json::from_slice(text).map_err(|error| format!("The document cannot be read: {error}."))
    }

    /// What it asks for, `None` when for nothing that is known.
    #[must_use]
    pub fn meaning(&self) -> Option<Meaning> {
        if !self.attachments.is_empty() {
            return Some(Meaning::Publish);
        }
        let has = [
            (self.versions.is_some(), Meaning::Versions),
            (self.maintainers.is_some(), Meaning::Maintainers),
            (self.users.is_some(), Meaning::Users),
        ];
        has.into_iter().find_map(|(has, meaning)| has.then_some(meaning))
    }

    /// The deprecation text of each version: an empty one takes it back. Versions that do not say are left out.
    ///
    /// # Errors
    /// When a version is no object.
    pub fn deprecations(&self) -> Result<BTreeMap<String, String>, String> {
        #[derive(Deserialize)]
        struct Deprecation {
            deprecated: Option<serde_json::Value>,
        }
        let mut texts = BTreeMap::new();
        for (version, raw) in self.versions.iter().flatten() {
            let parsed: Deprecation =
                serde_json::from_str(raw.get()).map_err(|error| format!("Version {version}: {error}."))?;
            // pnpm takes a deprecation back by leaving it out, npm by an empty text; `false` is old.
            texts.insert(
                version.clone(),
                match parsed.deprecated {
                    Some(serde_json::Value::String(text)) => text,
                    _ => String::new(),
                },
            );
        }
        Ok(texts)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn meaning(text: &str) -> Option<Meaning> {
        PutDocument::parse(text.as_bytes()).unwrap().meaning()
    }

    #[test]
    fn meanings_in_their_order() {
        assert_eq!(
            meaning(r#"{"_attachments":{"a.tgz":{}},"versions":{},"users":{}}"#),
            Some(Meaning::Publish)
        );
        assert_eq!(meaning(r#"{"_attachments":{},"versions":{},"maintainers":[]}"#), Some(Meaning::Versions));
        assert_eq!(meaning(r#"{"maintainers":[{"name":"ada"}],"users":{}}"#), Some(Meaning::Maintainers));
        assert_eq!(meaning(r#"{"users":{"ada":true}}"#), Some(Meaning::Users));
        assert_eq!(meaning("{}"), None);
    }

    #[test]
    fn deprecations_are_texts() {
        let text = r#"{"versions":{"1.0.0":{"deprecated":"no"},"1.0.1":{"deprecated":""},"1.0.2":{},"1.0.3":{"deprecated":false}}}"#;
        let found = PutDocument::parse(text.as_bytes()).unwrap().deprecations().unwrap();
        let expected = [("1.0.0", "no"), ("1.0.1", ""), ("1.0.2", ""), ("1.0.3", "")];
        assert_eq!(found, expected.map(|(v, t)| (v.to_owned(), t.to_owned())).into());
        assert!(PutDocument::parse(b"{\"versions\":3}").is_err());
    }
}
