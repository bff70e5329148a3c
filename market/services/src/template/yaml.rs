//! YAML as a tree that knows its lines, within limits: the bytes may be anybody's.
//!
//! Anchors, aliases and tags are refused: templates need none, and an alias is how a small file becomes a huge one.

use saphyr_parser::{Event, Parser, ScalarStyle};
use serde_json::Value;

/// The largest template, in bytes.
pub(crate) const MAX_BYTES: usize = 128 << 10;
/// How deep lists and tables may lie within each other.
const MAX_DEPTH: usize = 16;

/// A value and where it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    /// From 1.
    pub(crate) line: usize,
    pub(crate) kind: Kind,
}

/// What a value is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A text; numbers and flags are texts without quotes.
    Text {
        text: String,
        plain: bool,
    },
    List(Vec<Node>),
    /// Keys in their order, each once.
    Table(Vec<(Key, Node)>),
}

/// A key and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) line: usize,
    pub(crate) name: String,
}

/// Something wrong in a template.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Flaw {
    /// The line, from 1; 0 where it is no line's fault.
    pub line: usize,
    /// What is wrong, and what to write instead.
    pub words: String,
}

impl Flaw {
    pub(crate) fn new(line: usize, words: impl Into<String>) -> Self {
        Self { line, words: words.into() }
    }
}

impl std::fmt::Display for Flaw {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}: {}", self.line, self.words)
    }
}

/// Lists and tables that are not closed yet.
enum Open {
    List(usize, Vec<Node>),
    Table(usize, Vec<(Key, Node)>, Option<Key>),
}

/// Reads the one document of a text.
///
/// # Errors
/// The first place where it is no YAML, or none that templates may use.
pub(crate) fn parse(text: &str) -> Result<Node, Flaw> {
    if text.len() > MAX_BYTES {
        return Err(Flaw::new(0, "a template has at most 128 kB"));
    }
    let mut open: Vec<Open> = Vec::new();
    let mut root = None;
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| Flaw::new(error.marker().line(), error.info()))?;
        let line = span.start.line();
        if open.len() > MAX_DEPTH {
            return Err(Flaw::new(line, "lists and tables lie too deep within each other"));
        }
        let done = match event {
            Event::Alias(_) => return Err(Flaw::new(line, "aliases (*name) are not used in templates")),
            Event::Scalar(_, _, anchor, tag) if anchor > 0 || tag.is_some() => return Err(marked(line)),
            Event::SequenceStart(anchor, tag) | Event::MappingStart(anchor, tag)
                if anchor > 0 || tag.is_some() =>
            {
                return Err(marked(line));
            }
            Event::Scalar(text, style, ..) => {
                let plain = style == ScalarStyle::Plain;
                Node { line, kind: Kind::Text { text: text.into_owned(), plain } }
            }
            Event::SequenceStart(..) => {
                open.push(Open::List(line, Vec::new()));
                continue;
            }
            Event::MappingStart(..) => {
                open.push(Open::Table(line, Vec::new(), None));
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(Open::List(line, items)) => Node { line, kind: Kind::List(items) },
                Some(Open::Table(line, entries, _)) => Node { line, kind: Kind::Table(entries) },
                None => continue,
            },
            _ => continue,
        };
        match open.last_mut() {
            None if root.is_some() => return Err(Flaw::new(line, "a template is one document")),
            None => root = Some(done),
            Some(Open::List(_, items)) => items.push(done),
            Some(Open::Table(_, entries, key)) => put(entries, key, done)?,
        }
    }
    root.ok_or_else(|| Flaw::new(1, "there is nothing in it"))
}

fn marked(line: usize) -> Flaw {
    Flaw::new(line, "anchors (&name) and tags (!name) are not used in templates")
}

/// A node inside a table is a key, or the value of the key before it.
fn put(entries: &mut Vec<(Key, Node)>, key: &mut Option<Key>, node: Node) -> Result<(), Flaw> {
    if let Some(key) = key.take() {
        entries.push((key, node));
        return Ok(());
    }
    let Kind::Text { text, .. } = node.kind else {
        return Err(Flaw::new(node.line, "a key is a text"));
    };
    if entries.iter().any(|(known, _)| known.name == text) {
        return Err(Flaw::new(node.line, format!("`{text}` stands here twice")));
    }
    *key = Some(Key { line: node.line, name: text });
    Ok(())
}

/// The same as JSON: words without quotes are null, flags and numbers where YAML 1.2 says so (core schema).
pub(crate) fn to_json(node: &Node) -> Value {
    match &node.kind {
        Kind::List(items) => Value::Array(items.iter().map(to_json).collect()),
        Kind::Table(entries) => {
            Value::Object(entries.iter().map(|(key, node)| (key.name.clone(), to_json(node))).collect())
        }
        Kind::Text { text, plain: false } => Value::from(text.as_str()),
        Kind::Text { text, plain: true } => match text.as_str() {
            "" | "~" | "null" | "Null" | "NULL" => Value::Null,
            "true" | "True" | "TRUE" => Value::Bool(true),
            "false" | "False" | "FALSE" => Value::Bool(false),
            // JSON's own grammar of numbers, so that `007` and `1_000` stay texts.
            text => {
                serde_json::from_str(text).ok().filter(Value::is_number).unwrap_or_else(|| Value::from(text))
            }
        },
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines_are_known() {
        let node = parse("# hello\na: 1\nb:\n  - x\n  - 'y'\n").unwrap();
        let Kind::Table(entries) = node.kind else { unreachable!() };
        assert_eq!((entries[0].0.line, entries[1].0.line, entries[1].1.line), (2, 3, 4));
        let Kind::List(items) = &entries[1].1.kind else { unreachable!() };
        assert_eq!(items[1], Node { line: 5, kind: Kind::Text { text: "y".into(), plain: false } });
    }

    #[test]
    fn what_could_grow_or_mislead_is_refused() {
        for text in ["a: &x 1", "a: *x", "a: !!str 1", "", "a: 1\na: 2", "[a]: 1", "a: 1\n---\nb: 2"] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse(&"[".repeat(100)).is_err());
        assert!(parse(&" ".repeat(MAX_BYTES + 1)).is_err());
        assert_eq!(parse("a: 1\na: 2").unwrap_err().to_string(), "line 2: `a` stands here twice");
    }

    #[test]
    fn json_is_read_as_itself() {
        let text = r#"{"a": [1, -2.5, true, null, "1", "x: y"], "b": {}}"#;
        let json: Value = serde_json::from_str(text).unwrap();
        assert_eq!(to_json(&parse(text).unwrap()), json);
        assert_eq!(to_json(&parse("[007, '5', yes]").unwrap()), serde_json::json!(["007", "5", "yes"]));
    }

    proptest! {
        #[test]
        fn foreign_bytes_do_no_harm(text in "(?s)[ \\-:\\[\\]{}&*!|>'\"%@`#,?\n\tab1é\\PC]{0,200}") {
            let _ = parse(&text);
        }
    }
}
