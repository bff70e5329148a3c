//! Texts with `{{names}}` in them. Names are checked when the template is read, so filling cannot fail later.

use std::fmt;

/// The longest text, in bytes.
const MAX_TEXT: usize = 16 << 10;

/// A text with places to fill.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Text {
    source: String,
    pieces: Vec<Piece>,
}

#[derive(Clone, PartialEq, Eq)]
enum Piece {
    Plain(String),
    Name(String),
}

impl Text {
    /// Takes a text apart. `{{` opens a name, `}}` closes it; a name has lower-case letters, digits, `_` and `.`.
    ///
    /// # Errors
    /// What is wrong, in words: a name that is not closed or not among `known`, a text that is too long.
    pub fn parse(source: &str, known: &[&str]) -> Result<Self, String> {
        if source.len() > MAX_TEXT {
            return Err("a text has at most 16 kB".to_owned());
        }
        let (mut pieces, mut rest) = (Vec::new(), source);
        while let Some((before, after)) = rest.split_once("{{") {
            let Some((name, behind)) = after.split_once("}}") else {
                return Err("`{{` is not closed by `}}`".to_owned());
            };
            let name = name.trim();
            if !known.contains(&name) {
                let name: String = name.chars().take(40).collect();
                return Err(format!("`{{{{{name}}}}}` is not known here; known are: {}", known.join(", ")));
            }
            if !before.is_empty() {
                pieces.push(Piece::Plain(before.to_owned()));
            }
            pieces.push(Piece::Name(name.to_owned()));
            rest = behind;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Plain(rest.to_owned()));
        }
        Ok(Self { source: source.to_owned(), pieces })
    }

    /// Puts values in the places; a name that has none becomes nothing.
    #[must_use]
    pub fn fill<'a>(&self, value: impl Fn(&str) -> Option<&'a str>) -> String {
        let piece = |piece: &Piece| match piece {
            Piece::Plain(text) => text.clone(),
            Piece::Name(name) => value(name).unwrap_or_default().to_owned(),
        };
        self.pieces.iter().map(piece).collect()
    }

    /// The names in it.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Name(name) => Some(name.as_str()),
            Piece::Plain(_) => None,
        })
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.source, f)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn places_are_filled_once() {
        let text = Text::parse("pg://{{ user }}:{{password}}@h", &["user", "password"]).unwrap();
        let value = |name: &str| Some(if name == "user" { "ada" } else { "{{user}}" });
        assert_eq!(text.fill(value), "pg://ada:{{user}}@h");
        assert_eq!(text.names().collect::<Vec<_>>(), ["user", "password"]);
    }

    #[test]
    fn unknown_and_open_names_are_told() {
        assert_eq!(
            Text::parse("{{pasword}}", &["password"]).unwrap_err(),
            "`{{pasword}}` is not known here; known are: password"
        );
        assert!(Text::parse("{{password", &["password"]).is_err());
        assert!(Text::parse("{{}}", &["password"]).is_err());
        assert!(Text::parse("}} is plain", &[]).is_ok());
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(source in "(?s).{0,40}(\\{\\{ ?(a|b)? ?\\}\\})?.{0,40}") {
            if let Ok(text) = Text::parse(&source, &["a"]) {
                prop_assert_eq!(text.fill(|_| Some("{{a}}")), source.replace("{{ a }}", "{{a}}").replace("{{ a}}", "{{a}}").replace("{{a }}", "{{a}}"));
            }
        }
    }
}
