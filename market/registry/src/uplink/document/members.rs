//! A JSON object as its raw members, so that foreign JSON is passed on without being built in memory.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Deeper than any manifest; parsers of other languages recurse.
const MAX_DEPTH: usize = 64;

/// The members of an object in their order. Of a name that comes twice the last one counts, as for JavaScript.
#[derive(Debug, Default)]
pub(crate) struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Members<'a> {
    /// `None` when it is no object.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    pub(crate) fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| *value)
    }

    /// A member that is a text.
    pub(crate) fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        text_of(self.get(name)?)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.0.iter().map(|(name, value)| (&**name, *value))
    }

    fn keep_last(&mut self) {
        let mut seen = HashSet::with_capacity(self.0.len());
        let mut is_last: Vec<bool> = self.0.iter().rev().map(|(name, _)| seen.insert(&**name)).collect();
        if is_last.iter().all(|last| *last) {
            return;
        }
        self.0.retain(|_| is_last.pop().unwrap_or(true));
    }
}

/// A text with its escapes resolved; `None` when it is something else.
pub(crate) fn text_of(value: &RawValue) -> Option<Cow<'_, str>> {
    struct Text<'a>(Cow<'a, str>);
    impl<'de> Deserialize<'de> for Text<'de> {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            deserializer.deserialize_str(Borrowing).map(Text)
        }
    }
    serde_json::from_str::<Text<'_>>(value.get()).ok().map(|text| text.0)
}

/// What kind of value it is, by its first character.
pub(crate) fn first(value: &RawValue) -> u8 {
    value.get().bytes().next().unwrap_or(b'n')
}

/// Whether no part of it is nested deeper than is accepted.
pub(crate) fn is_shallow(text: &str) -> bool {
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            _ if in_text => {}
            b'{' | b'[' => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return false;
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    true
}

/// Borrows a text where it has no escapes.
struct Borrowing;

impl<'de> Visitor<'de> for Borrowing {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Borrowing).map(Self)
    }
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Members::default();
                while let Some(Name(name)) = map.next_key()? {
                    members.0.push((name, map.next_value()?));
                }
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                members.keep_last();
                Ok(members)
            }
        }
        deserializer.deserialize_map(Object)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_last_of_two_counts() {
        let members = Members::parse(r#"{"a":1,"b":"x\n","\u0061":[ 2 ]}"#).unwrap();
        let found: Vec<_> = members.iter().map(|(name, value)| (name, value.get())).collect();
        assert_eq!(found, [("b", r#""x\n""#), ("a", "[ 2 ]")]);
        assert_eq!(members.text("b").unwrap(), "x\n");
        assert_eq!(members.text("a"), None);
        for other in ["[]", "3", "", "{", "{\"a\":}"] {
            assert!(Members::parse(other).is_none(), "{other}");
        }
    }

    #[test]
    fn depth_is_counted_outside_of_texts() {
        assert!(is_shallow(&format!("{}\"{}\\\"[\"{}", "[".repeat(64), "{".repeat(99), "]".repeat(64))));
        assert!(!is_shallow(&"[".repeat(65)));
    }
}
