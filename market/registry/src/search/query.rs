//! What is looked for: words, and qualifiers as npm's search has them (`keywords:a,b`, `author:`, `maintainer:`,
//! `scope:`, `is:`, `not:`), with `ecosystem:` and `license:` beside them.

use super::entry::Entry;
use super::words::words;

/// A longer query is cut, in characters.
const MAX_CHARS: usize = 250;
/// Further words are left out.
const MAX_WORDS: usize = 12;
/// Further qualifiers of one kind are left out.
const MAX_QUALIFIERS: usize = 8;

/// A query, taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// The words, in lower case.
    pub(super) words: Vec<String>,
    /// What was typed besides qualifiers, in lower case.
    pub(super) text: String,
    /// The qualifiers as they were typed.
    qualifiers: Vec<String>,
    /// One of each list must be there.
    keywords: Vec<Vec<String>>,
    author: Option<String>,
    maintainer: Option<String>,
    scope: Option<String>,
    /// A licence, compared without regard to case.
    pub licence: Option<String>,
    /// An ecosystem.
    pub ecosystem: Option<String>,
    deprecated: Option<bool>,
    unstable: Option<bool>,
}

impl Query {
    /// Reads what a person typed. Anything is a query; what is no qualifier is looked for as words.
    #[must_use]
    pub fn parse(typed: &str) -> Self {
        let typed: String = typed.chars().take(MAX_CHARS).collect();
        let mut query = Self::default();
        let mut free = Vec::new();
        for part in typed.split_whitespace() {
            match part.split_once(':') {
                Some((key, value))
                    if !value.is_empty() && query.qualify(&key.to_ascii_lowercase(), value) =>
                {
                    query.qualifiers.push(part.to_owned());
                }
                _ => free.push(part),
            }
        }
        query.text = free.join(" ").to_lowercase();
        query.words = words(&query.text).take(MAX_WORDS).collect();
        query
    }

    fn qualify(&mut self, key: &str, value: &str) -> bool {
        let value = value.to_lowercase();
        match (key, value.as_str()) {
            ("keywords" | "keyword", _) if self.keywords.len() < MAX_QUALIFIERS => {
                self.keywords.push(value.split(',').map(str::to_owned).collect());
            }
            ("author", _) => self.author = Some(value),
            ("maintainer", _) => self.maintainer = Some(value),
            ("scope", _) => self.scope = Some(value.trim_start_matches('@').to_owned()),
            ("license" | "licence", _) => self.licence = Some(value),
            ("ecosystem", _) => self.ecosystem = Some(value),
            ("is" | "not", "deprecated") => self.deprecated = Some(key == "is"),
            ("is" | "not", "unstable") => self.unstable = Some(key == "is"),
            _ => return false,
        }
        true
    }

    /// Whether nothing is asked for, so that everything is found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self { text: self.text.clone(), ..Self::default() } && self.words.is_empty()
    }

    /// The same query as text with other words.
    pub(super) fn with_words(&self, words: &[String]) -> String {
        let parts = words.iter().chain(&self.qualifiers).map(String::as_str);
        parts.collect::<Vec<_>>().join(" ")
    }

    /// Whether the qualifiers fit, except those that a person chooses among: licence and ecosystem.
    pub(super) fn admits(&self, entry: &Entry) -> bool {
        let is =
            |wanted: &Option<String>, have: &str| wanted.as_ref().is_none_or(|wanted| same(wanted, have));
        let has_keyword =
            |any: &Vec<String>| any.iter().any(|one| entry.keywords.iter().any(|own| same(one, own)));
        let maintained = |name: &String| entry.maintainers.iter().any(|person| same(name, &person.username));
        is(&self.author, &entry.author)
            && is(&self.scope, entry.scope().unwrap_or_default())
            && self.maintainer.as_ref().is_none_or(maintained)
            && self.keywords.iter().all(has_keyword)
            && self.deprecated.is_none_or(|wanted| wanted == entry.deprecated.is_some())
            && self.unstable.is_none_or(|wanted| wanted == entry.is_unstable())
    }

    /// Whether the licence fits.
    pub(super) fn admits_licence(&self, entry: &Entry) -> bool {
        self.licence.as_ref().is_none_or(|wanted| same(wanted, &entry.licence))
    }

    /// Whether the ecosystem fits.
    pub(super) fn admits_ecosystem(&self, entry: &Entry) -> bool {
        self.ecosystem.as_ref().is_none_or(|wanted| same(wanted, entry.ecosystem.as_str()))
    }
}

/// Whether `have` is `wanted`, which is in lower case already.
fn same(wanted: &str, have: &str) -> bool {
    if have.is_ascii() {
        return have.eq_ignore_ascii_case(wanted);
    }
    have.chars().flat_map(char::to_lowercase).eq(wanted.chars())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn qualifiers_are_told_from_words() {
        let query = Query::parse(
            "Fast keywords:a,B author:Ada left-pad is:deprecated what:ever scope:@elide keywords:",
        );
        assert_eq!(query.words, ["fast", "left", "pad", "what", "ever", "keywords"]);
        assert_eq!(query.keywords, [["a", "b"]]);
        assert_eq!((query.author.as_deref(), query.scope.as_deref()), (Some("ada"), Some("elide")));
        assert_eq!(query.deprecated, Some(true));
        assert_eq!(
            query.with_words(&["faster".to_owned()]),
            "faster keywords:a,B author:Ada is:deprecated scope:@elide"
        );
    }

    #[test]
    fn an_empty_query_finds_everything() {
        assert!(Query::parse("  ").is_empty());
        assert!(Query::parse("!!").is_empty());
        assert!(!Query::parse("license:mit").is_empty());
        assert!(!Query::parse("a").is_empty());
    }
}
