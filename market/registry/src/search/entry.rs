//! What the index knows of a package.

use std::sync::Arc;

use kernel::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use crate::Ecosystem;
use crate::package::{Access, OwnerKind, PackageId};

/// Longer texts of a manifest are cut: a search result shows no more of them.
const MAX_TEXT_CHARS: usize = 200;
/// Further keywords of a package are not looked for.
const MAX_KEYWORDS: usize = 40;

/// A package as lists and searches show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its id.
    pub id: PackageId,
    /// For which kind of client.
    pub ecosystem: Ecosystem,
    /// Its name.
    pub name: Arc<str>,
    /// What kind of account owns it.
    pub owner_kind: OwnerKind,
    /// The name of the account that owns it.
    pub owner: Box<str>,
    /// Who may read it.
    pub access: Access,
    /// The version of the tag `latest`.
    pub latest: Box<str>,
    /// One line about it.
    pub description: Box<str>,
    /// Its keywords.
    pub keywords: Box<[Box<str>]>,
    /// Its licence as the manifest says it; empty when it does not.
    pub licence: Box<str>,
    /// The author's name; empty when there is none.
    pub author: Box<str>,
    /// The addresses of homepage, repository and bug tracker, as the manifest says them.
    pub links: Links,
    /// Who may write it.
    pub maintainers: Box<[Person]>,
    /// Who published the latest version.
    pub published_by: Box<str>,
    /// When.
    pub published_at: Timestamp,
    /// Why the latest version should not be used any more.
    pub deprecated: Option<Box<str>>,
    /// The names that the latest version depends on.
    pub dependencies: Box<[Box<str>]>,
    /// When it was published first.
    pub created_at: Timestamp,
    /// When it changed last.
    pub updated_at: Timestamp,
}

/// Somebody who may write a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The account's id.
    pub account: Box<str>,
    /// Its name.
    pub username: Box<str>,
}

/// Addresses as a manifest says them: texts of strangers, never a link before they were checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Links {
    /// The homepage.
    pub homepage: Option<Box<str>>,
    /// The repository.
    pub repository: Option<Box<str>>,
    /// Where bugs are told.
    pub bugs: Option<Box<str>>,
}

/// How often a package was fetched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Downloads {
    /// Ever.
    pub total: u64,
    /// In the last 30 days.
    pub month: u64,
    /// In the last 7 days.
    pub week: u64,
}

impl Entry {
    /// The scope of its name, if it has one.
    #[must_use]
    pub fn scope(&self) -> Option<&str> {
        self.name.strip_prefix('@')?.split_once('/').map(|(scope, _)| scope)
    }

    /// Its name without the scope.
    #[must_use]
    pub fn bare(&self) -> &str {
        self.name.rsplit_once('/').map_or(&self.name, |(_, bare)| bare)
    }

    /// Whether its latest version promises nothing yet: below 1.0.0, or a pre-release.
    #[must_use]
    pub fn is_unstable(&self) -> bool {
        self.latest.starts_with("0.") || self.latest.contains('-')
    }
}

/// What is read of a manifest's head (the fields that a package shows of its latest version).
#[derive(Debug, Default, Deserialize)]
pub(super) struct Head {
    #[serde(default)]
    pub(super) keywords: Value,
    #[serde(default)]
    license: Value,
    #[serde(default)]
    author: Value,
    #[serde(default)]
    homepage: Value,
    #[serde(default)]
    repository: Value,
    #[serde(default)]
    bugs: Value,
}

impl Head {
    /// Reads the stored JSON; what is not as it should be is left out.
    pub(super) fn parse(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_default()
    }

    pub(super) fn keywords(&self) -> Box<[Box<str>]> {
        let list = self.keywords.as_array().map(Vec::as_slice).unwrap_or_default();
        list.iter()
            .filter_map(Value::as_str)
            .filter(|word| !word.trim().is_empty())
            .take(MAX_KEYWORDS)
            .map(cut)
            .collect()
    }

    /// A licence is a text, or in old manifests an object.
    pub(super) fn licence(&self) -> Box<str> {
        cut(text_or(&self.license, "type").unwrap_or_default())
    }

    /// An author is an object, or a text such as `Ada Lovelace <ada@example.com> (https://example.com)`.
    pub(super) fn author(&self) -> Box<str> {
        let text = text_or(&self.author, "name").unwrap_or_default();
        cut(text.split(['<', '(']).next().unwrap_or_default().trim())
    }

    pub(super) fn links(&self) -> Links {
        let link = |value| text_or(value, "url").filter(|url| url.len() <= 2000).map(Into::into);
        Links { homepage: link(&self.homepage), repository: link(&self.repository), bugs: link(&self.bugs) }
    }
}

fn text_or<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.as_str().or_else(|| value.get(key)?.as_str())
}

fn cut(text: &str) -> Box<str> {
    text.chars().take(MAX_TEXT_CHARS).collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manifests_are_read_with_patience() {
        let head = Head::parse(
            r#"{"keywords":["a"," ",3,"b"],"license":{"type":"MIT"},"author":"Ada <a@example.com>","homepage":7,
            "repository":{"url":"git+https://example.com/a.git"}}"#,
        );
        assert_eq!(head.keywords().iter().map(|word| &**word).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!((&*head.licence(), &*head.author()), ("MIT", "Ada"));
        assert_eq!(head.links().repository.as_deref(), Some("git+https://example.com/a.git"));
        assert_eq!(head.links().homepage, None);
        assert_eq!(&*Head::parse("{").licence(), "");
    }
}
