//! Takes a publish document apart while it arrives: the tarball's base64 is decoded and handed on at once,
//! all the rest is kept for the JSON parser. So a tarball is never in memory whole, and never twice.
//!
//! The scanner follows strings, braces and brackets only; what it keeps is still parsed strictly, so a document
//! that is no JSON fails there.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The deepest nesting accepted; manifests have about six levels.
const MAX_DEPTH: usize = 64;

/// Why a document cannot be taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScanError {
    /// More than the limit beside the tarball.
    #[error("the document is larger than {0} bytes without its tarball")]
    TooLarge(usize),
    /// Nested too deeply.
    #[error("the document is nested deeper than 64 levels")]
    TooDeep,
    /// A second `.tgz` attachment.
    #[error("the document has more than one tarball")]
    SecondTarball,
    /// The tarball is not base64.
    #[error("the attachment is no base64")]
    Base64,
    /// The document ended in the middle.
    #[error("the document is cut short")]
    CutShort,
}

/// What is left after the tarball was taken out.
#[derive(Debug, PartialEq, Eq)]
pub struct Scanned {
    /// The document with an empty text for the tarball's data.
    pub document: Vec<u8>,
    /// The key of the tarball in `_attachments`, if there was one.
    pub tarball: Option<String>,
}

/// The scanner; give it the document in pieces of any size.
pub struct Scanner {
    max_document_bytes: usize,
    document: Vec<u8>,
    /// For each open level: whether it is an object.
    levels: Vec<bool>,
    /// The raw text of the present key of the three outer levels.
    keys: [Vec<u8>; 3],
    expects_key: bool,
    state: State,
    base64: Base64,
    tarball: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Structure,
    /// In a string that is kept; whether it is a key, and whether a backslash came before.
    Text {
        key: bool,
        escaped: bool,
    },
    /// In the tarball's data.
    Data,
    /// In an escape sequence of the data: what of it has come, at most `u` and three digits.
    DataEscape {
        seen: u8,
        code: u32,
    },
}

impl Scanner {
    /// A scanner that keeps at most `max_document_bytes` beside the tarball.
    #[must_use]
    pub fn new(max_document_bytes: usize) -> Self {
        Self {
            max_document_bytes,
            document: Vec::new(),
            levels: Vec::new(),
            keys: Default::default(),
            expects_key: false,
            state: State::Structure,
            base64: Base64::default(),
            tarball: None,
        }
    }

    /// Takes the next piece; appends what it holds of the tarball to `data`.
    ///
    /// # Errors
    /// [`ScanError`]; the scanner is of no use afterwards.
    pub fn push(&mut self, piece: &[u8], data: &mut Vec<u8>) -> Result<(), ScanError> {
        let mut rest = piece;
        while let Some(&byte) = rest.first() {
            let taken = match self.state {
                State::Structure => {
                    self.structure(byte)?;
                    self.keep(&rest[..1])?
                }
                State::Text { key, escaped } => self.text(rest, key, escaped)?,
                State::Data => self.data(rest, data)?,
                State::DataEscape { seen, code } => self.data_escape(byte, seen, code, data)?,
            };
            rest = rest.get(taken..).unwrap_or_default();
        }
        Ok(())
    }

    /// Ends the document.
    ///
    /// # Errors
    /// [`ScanError::CutShort`] inside of a string or a level.
    pub fn finish(self) -> Result<Scanned, ScanError> {
        if self.state != State::Structure || !self.levels.is_empty() {
            return Err(ScanError::CutShort);
        }
        Ok(Scanned { document: self.document, tarball: self.tarball })
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<usize, ScanError> {
        if self.document.len() + bytes.len() > self.max_document_bytes {
            return Err(ScanError::TooLarge(self.max_document_bytes));
        }
        self.document.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn structure(&mut self, byte: u8) -> Result<(), ScanError> {
        match byte {
            b'{' | b'[' => {
                if self.levels.len() == MAX_DEPTH {
                    return Err(ScanError::TooDeep);
                }
                self.levels.push(byte == b'{');
                self.expects_key = byte == b'{';
            }
            b'}' | b']' => {
                self.levels.pop();
                self.expects_key = false;
            }
            b',' => self.expects_key = self.levels.last() == Some(&true),
            b'"' => self.begin_string()?,
            _ => {}
        }
        Ok(())
    }

    fn begin_string(&mut self) -> Result<(), ScanError> {
        let key = std::mem::take(&mut self.expects_key);
        if key && let Some(text) = self.keys.get_mut(self.levels.len().wrapping_sub(1)) {
            text.clear();
        }
        self.state = State::Text { key, escaped: false };
        if !key && let Some(name) = self.tarball_key() {
            if self.tarball.is_some() {
                return Err(ScanError::SecondTarball);
            }
            self.tarball = Some(name);
            self.state = State::Data;
        }
        Ok(())
    }

    /// The attachment's name when the string that begins here is `_attachments.<name>.tgz.data`.
    fn tarball_key(&self) -> Option<String> {
        if self.levels != [true, true, true] {
            return None;
        }
        let [outer, name, inner] = [0, 1, 2].map(|level| key_text(&self.keys[level]));
        let name = name.filter(|name| name.ends_with(".tgz"))?;
        (outer.as_deref() == Some("_attachments") && inner.as_deref() == Some("data")).then_some(name)
    }

    /// Keeps what `rest` has of a string, up to and with its closing quote or next backslash.
    fn text(&mut self, rest: &[u8], key: bool, escaped: bool) -> Result<usize, ScanError> {
        let found = if escaped { Some(0) } else { rest.iter().position(|byte| matches!(byte, b'"' | b'\\')) };
        let taken = found.map_or(rest.len(), |at| at + 1);
        let quote = !escaped && found.is_some_and(|at| rest[at] == b'"');
        if key && let Some(text) = self.keys.get_mut(self.levels.len().wrapping_sub(1)) {
            text.extend_from_slice(&rest[..taken - usize::from(quote)]);
        }
        let backslash = !escaped && found.is_some_and(|at| rest[at] == b'\\');
        self.state = if quote { State::Structure } else { State::Text { key, escaped: backslash } };
        self.keep(&rest[..taken])
    }

    fn data(&mut self, rest: &[u8], data: &mut Vec<u8>) -> Result<usize, ScanError> {
        let found = rest.iter().position(|byte| matches!(byte, b'"' | b'\\'));
        let end = found.unwrap_or(rest.len());
        self.base64.push(&rest[..end], data)?;
        match found.map(|at| rest[at]) {
            Some(b'"') => {
                self.base64.finish()?;
                self.state = State::Structure;
                self.keep(b"\"")?;
            }
            Some(_) => self.state = State::DataEscape { seen: 0, code: 0 },
            None => return Ok(end),
        }
        Ok(end + 1)
    }

    /// One byte of an escape in base64: `\/` and `\u002b` are the ones that some writers make.
    fn data_escape(&mut self, byte: u8, seen: u8, code: u32, data: &mut Vec<u8>) -> Result<usize, ScanError> {
        let digit = char::from(byte).to_digit(16);
        self.state = match (seen, byte, digit) {
            (0, b'/', _) => {
                self.base64.push(b"/", data)?;
                State::Data
            }
            (0, b'u', _) => State::DataEscape { seen: 1, code: 0 },
            (1..=3, _, Some(digit)) => State::DataEscape { seen: seen + 1, code: code * 16 + digit },
            (4, _, Some(digit)) => {
                let byte = u8::try_from(code * 16 + digit).map_err(|_| ScanError::Base64)?;
                self.base64.push(&[byte], data)?;
                State::Data
            }
            _ => return Err(ScanError::Base64),
        };
        Ok(1)
    }
}

/// The text of a raw key, with its escapes resolved; `None` when they are wrong.
fn key_text(raw: &[u8]) -> Option<String> {
    if !raw.contains(&b'\\') {
        return String::from_utf8(raw.to_vec()).ok();
    }
    let quoted = [b"\"", raw, b"\""].concat();
    serde_json::from_slice(&quoted).ok()
}

/// Decodes base64 in pieces of any size.
#[derive(Default)]
struct Base64 {
    pending: Vec<u8>,
    padded: bool,
}

impl Base64 {
    fn push(&mut self, mut text: &[u8], out: &mut Vec<u8>) -> Result<(), ScanError> {
        if !self.pending.is_empty() {
            let (head, tail) = text.split_at(text.len().min(4 - self.pending.len()));
            self.pending.extend_from_slice(head);
            text = tail;
            if self.pending.len() < 4 {
                return Ok(());
            }
            let group = std::mem::take(&mut self.pending);
            self.decode(&group, out)?;
        }
        let (whole, tail) = text.split_at(text.len() - text.len() % 4);
        self.decode(whole, out)?;
        self.pending.extend_from_slice(tail);
        Ok(())
    }

    fn decode(&mut self, groups: &[u8], out: &mut Vec<u8>) -> Result<(), ScanError> {
        if groups.is_empty() {
            return Ok(());
        }
        if self.padded {
            return Err(ScanError::Base64);
        }
        self.padded = groups.last() == Some(&b'=');
        STANDARD.decode_vec(groups, out).map_err(|_| ScanError::Base64)
    }

    fn finish(&self) -> Result<(), ScanError> {
        if self.pending.is_empty() { Ok(()) } else { Err(ScanError::Base64) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn scan(text: &[u8], cuts: &[usize]) -> Result<(Scanned, Vec<u8>), ScanError> {
        let mut scanner = Scanner::new(1 << 20);
        let mut data = Vec::new();
        let mut rest = text;
        for cut in cuts {
            let (piece, tail) = rest.split_at((*cut).min(rest.len()));
            scanner.push(piece, &mut data)?;
            rest = tail;
        }
        scanner.push(rest, &mut data)?;
        Ok((scanner.finish()?, data))
    }

    #[test]
    fn the_tarball_comes_out_and_the_rest_stays() {
        let text = br#"{"_attachments":{"@s/n-1.0.0.tgz":{"content_type":"x","data":"aGVs\/G8\u003d","length":5}},"a":[{"data":"\""}]}"#;
        let (scanned, data) = scan(text, &[70, 1, 1, 1, 1, 1, 1, 1, 1, 1]).unwrap();
        assert_eq!(data, STANDARD.decode("aGVs/G8=").unwrap());
        assert_eq!(scanned.tarball.as_deref(), Some("@s/n-1.0.0.tgz"));
        let parsed: Value = serde_json::from_slice(&scanned.document).unwrap();
        assert_eq!(
            parsed["_attachments"]["@s/n-1.0.0.tgz"],
            json!({"content_type":"x","data":"","length":5})
        );
    }

    #[test]
    fn escaped_keys_are_the_same_keys() {
        let text = br#"{"\u005fattachments":{"n.t\u0067z":{"d\u0061ta":"aGk="}}}"#;
        assert_eq!(scan(text, &[]).unwrap().1, b"hi");
    }

    #[test]
    fn other_strings_called_data_stay() {
        for text in [
            r#"{"_attachments":{"n.sigstore":{"data":"{}"}}}"#,
            r#"{"x":{"n.tgz":{"data":"{}"}}}"#,
            r#"{"_attachments":[{"n.tgz":{"data":"{}"}}]}"#,
            r#"{"a":{"_attachments":{"n.tgz":{"data":"{}"}}}}"#,
            r#"{"_attachments":{"n.tgz":{"x":{"data":"{}"}}}}"#,
        ] {
            let (scanned, data) = scan(text.as_bytes(), &[]).unwrap();
            assert_eq!(String::from_utf8(scanned.document).unwrap(), text);
            assert!(data.is_empty() && scanned.tarball.is_none(), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        let twice = r#"{"_attachments":{"a.tgz":{"data":""},"b.tgz":{"data":""}}}"#;
        assert_eq!(scan(twice.as_bytes(), &[]), Err(ScanError::SecondTarball));
        for data in ["aGk", "aGk=aGk=", "a*==", "\\n", "aGk=\\u0100", "ü"] {
            let text = format!(r#"{{"_attachments":{{"a.tgz":{{"data":"{data}"}}}}}}"#);
            assert_eq!(scan(text.as_bytes(), &[]), Err(ScanError::Base64), "{data}");
        }
        assert_eq!(scan(&b"[".repeat(65), &[]), Err(ScanError::TooDeep));
        assert_eq!(scan(b"{\"a\":\"", &[]), Err(ScanError::CutShort));
        let mut small = Scanner::new(10);
        assert_eq!(small.push(b"\"0123456789\"", &mut Vec::new()), Err(ScanError::TooLarge(10)));
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let text = prop_oneof![
            "[a-z_\"\\\\/{}\\[\\],:é\u{1f600}\n]{0,8}",
            Just("data".to_owned()),
            Just("_attachments".to_owned()),
            Just("x.tgz".to_owned())
        ];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            text.clone().prop_map(Value::from),
        ];
        leaf.prop_recursive(5, 40, 5, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::vec((text.clone(), inner), 0..5)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_document_is_taken_apart_as_the_parser_would(
            mut document in any_json().prop_filter("an object", Value::is_object),
            tarball in prop::collection::vec(any::<u8>(), 0..200),
            pretty in any::<bool>(),
            cuts in prop::collection::vec(0usize..40, 0..40),
        ) {
            document["_attachments"] = json!({"n-1.tgz": {"data": STANDARD.encode(&tarball), "length": 1}, "o": 1});
            let text = if pretty { serde_json::to_vec_pretty(&document) } else { serde_json::to_vec(&document) };
            let (scanned, data) = scan(&text.unwrap(), &cuts).unwrap();
            document["_attachments"]["n-1.tgz"]["data"] = json!("");
            prop_assert_eq!(data, tarball);
            prop_assert_eq!(serde_json::from_slice::<Value>(&scanned.document).unwrap(), document);
        }

        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..300), cuts in prop::collection::vec(0usize..40, 0..9)) {
            let _ = scan(&bytes, &cuts);
        }

        #[test]
        fn any_broken_document_is_survived(
            text in "[\\{\\}\\[\\]\",:\\\\a]{0,60}(\"_attachments\":\\{\"a.tgz\":\\{\"data\":\"[a-zA-Z0-9=\\\\/u]{0,20})?[\\{\\}\\[\\]\",:\\\\a]{0,20}",
            cuts in prop::collection::vec(0usize..9, 0..30),
        ) {
            let whole = scan(text.as_bytes(), &[]);
            prop_assert_eq!(scan(text.as_bytes(), &cuts), whole, "the cuts must not matter");
        }
    }
}
