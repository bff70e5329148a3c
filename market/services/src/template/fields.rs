//! Reading a tree into types, noting everything that is wrong instead of ending at the first.
//!
//! What is wrong becomes a flaw and a default: who reads goes on, and the defaults are never used, since a template with
//! flaws is refused as a whole.

use std::cell::RefCell;
use std::time::Duration;

use kernel::{Currency, Money};

use super::fill::Text;
use super::yaml::{Flaw, Key, Kind, Node};

/// What was found wrong so far.
#[derive(Default)]
pub(crate) struct Flaws(RefCell<Vec<Flaw>>);

impl Flaws {
    pub(crate) fn add(&self, line: usize, words: impl Into<String>) {
        self.0.borrow_mut().push(Flaw::new(line, words));
    }

    /// All of them, by line.
    pub(crate) fn into_sorted(self) -> Vec<Flaw> {
        let mut flaws = self.0.into_inner();
        flaws.sort();
        flaws
    }
}

/// The entries of a table, each of which is asked for by name.
pub(crate) struct Fields<'a> {
    flaws: &'a Flaws,
    line: usize,
    entries: &'a [(Key, Node)],
    known: RefCell<Vec<&'static str>>,
}

impl<'a> Fields<'a> {
    pub(crate) fn of(node: &'a Node, flaws: &'a Flaws) -> Self {
        let entries = match &node.kind {
            Kind::Table(entries) => entries.as_slice(),
            _ => {
                flaws.add(node.line, "expected a table of `name: value`");
                &[]
            }
        };
        Self { flaws, line: node.line, entries, known: RefCell::default() }
    }

    pub(crate) const fn line(&self) -> usize {
        self.line
    }

    fn find(&self, name: &'static str) -> Option<&'a Node> {
        self.known.borrow_mut().push(name);
        self.entries.iter().find(|(key, _)| key.name == name).map(|(_, node)| node)
    }

    /// A field that may be absent.
    pub(crate) fn maybe<T>(
        &self,
        name: &'static str,
        read: impl FnOnce(&'a Node, &'a Flaws) -> T,
    ) -> Option<T> {
        self.find(name).map(|node| read(node, self.flaws))
    }

    /// A field that must be there.
    pub(crate) fn need<T: Default>(
        &self,
        name: &'static str,
        read: impl FnOnce(&'a Node, &'a Flaws) -> T,
    ) -> T {
        self.maybe(name, read).unwrap_or_else(|| {
            self.flaws.add(self.line, format!("`{name}` is missing"));
            T::default()
        })
    }

    /// Says which fields there are that nobody asked for.
    pub(crate) fn end(self) {
        let known = self.known.borrow();
        for (key, _) in self.entries.iter().filter(|(key, _)| !known.contains(&key.name.as_str())) {
            let name: String = key.name.chars().take(40).collect();
            self.flaws.add(key.line, format!("`{name}` is not known here; known are: {}", known.join(", ")));
        }
    }
}

/// Reads a text by `read`, which says what it should be.
fn parsed<T: Default>(node: &Node, flaws: &Flaws, read: impl FnOnce(&str) -> Result<T, String>) -> T {
    let Kind::Text { text, .. } = &node.kind else {
        flaws.add(node.line, "expected a text");
        return T::default();
    };
    read(text).unwrap_or_else(|words| {
        flaws.add(node.line, words);
        T::default()
    })
}

/// A text of at most `most` characters.
pub(crate) fn text(most: usize) -> impl Fn(&Node, &Flaws) -> String {
    move |node, flaws| {
        parsed(node, flaws, |text| match text.chars().count() {
            0 => Err("expected a text that is not empty".to_owned()),
            count if count > most => Err(format!("expected at most {most} characters")),
            _ => Ok(text.to_owned()),
        })
    }
}

/// A text that stands for something: what `FromStr` reads.
pub(crate) fn word<T: std::str::FromStr + Default>(words: &'static str) -> impl Fn(&Node, &Flaws) -> T {
    move |node, flaws| parsed(node, flaws, |text| text.parse().map_err(|_| words.to_owned()))
}

/// A name of lower-case letters, digits, dashes and underscores, such as for files, environment and addresses.
pub(crate) fn name(node: &Node, flaws: &Flaws) -> String {
    parsed(node, flaws, |text| {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
        if (1..=60).contains(&text.len()) && text.bytes().all(plain) && text.as_bytes()[0] != b'.' {
            Ok(text.to_owned())
        } else {
            Err("expected 1 to 60 letters, digits, `-`, `_` or `.`".to_owned())
        }
    })
}

/// An absolute path without `..`.
pub(crate) fn path(node: &Node, flaws: &Flaws) -> String {
    parsed(node, flaws, |text| {
        let fine = text.starts_with('/') && text.len() <= 200 && text.split('/').all(|part| part != "..");
        let fine = fine && text.bytes().all(|b| b.is_ascii_graphic() && !b",:\\".contains(&b));
        fine.then(|| text.to_owned()).ok_or_else(|| "expected an absolute path such as /data".to_owned())
    })
}

/// `true` or `false`.
pub(crate) fn flag(node: &Node, flaws: &Flaws) -> bool {
    parsed(node, flaws, |text| text.parse().map_err(|_| "expected true or false".to_owned()))
}

/// A whole number between these bounds.
pub(crate) fn number(least: u32, most: u32) -> impl Fn(&Node, &Flaws) -> u32 {
    move |node, flaws| {
        parsed(node, flaws, |text| match text.parse() {
            Ok(number) if (least..=most).contains(&number) => Ok(number),
            _ => Err(format!("expected a whole number from {least} to {most}")),
        })
    }
}

/// A decimal number with at most three places, in thousandths: `0.5` is 500.
pub(crate) fn thousandths(node: &Node, flaws: &Flaws) -> u32 {
    parsed(node, flaws, |text| {
        let (whole, part) = text.split_once('.').unwrap_or((text, ""));
        let number = format!("{whole}{part:0<3}").parse::<u32>().ok();
        let fine =
            part.len() <= 3 && whole.len() <= 4 && text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        number
            .filter(|_| fine && !whole.is_empty())
            .ok_or_else(|| "expected a number such as 0.5 or 99.95".to_owned())
    })
}

/// A size: `256 MiB`, `10 GB`.
pub(crate) fn size(node: &Node, flaws: &Flaws) -> u64 {
    parsed(node, flaws, |text| {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let factor = match unit.trim() {
            "B" => 1,
            "kB" => 1000,
            "MB" => 1_000_000,
            "GB" => 1_000_000_000,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            _ => 0_u64,
        };
        let size = number.parse().ok().and_then(|number: u64| number.checked_mul(factor));
        size.filter(|size| *size > 0 && *size <= 1 << 50)
            .ok_or_else(|| "expected a size such as 256 MiB or 10 GB".to_owned())
    })
}

/// A time: `500ms`, `5s`, `2m`, `1h`.
pub(crate) fn duration(node: &Node, flaws: &Flaws) -> Duration {
    parsed(node, flaws, |text| {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let factor = match unit {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => 0_u64,
        };
        let millis = number.parse().ok().and_then(|number: u64| number.checked_mul(factor));
        let fine = millis.filter(|millis| (1..=86_400_000).contains(millis));
        fine.map(Duration::from_millis).ok_or_else(|| "expected a time such as 500ms, 5s or 2m".to_owned())
    })
}

/// An amount of money, such as `19` or `0.05`.
pub(crate) fn money(currency: Currency) -> impl Fn(&Node, &Flaws) -> i64 {
    move |node, flaws| {
        parsed(node, flaws, |text| match Money::parse(text, currency) {
            Ok(money) if money.minor > 0 => Ok(money.minor),
            Ok(_) => Err("expected a price above zero; what costs nothing has `pricing: free`".to_owned()),
            Err(error) => Err(error.to_string()),
        })
    }
}

/// A text with `{{names}}`.
pub(crate) fn filled(known: &[&str]) -> impl Fn(&Node, &Flaws) -> Text {
    move |node, flaws| parsed(node, flaws, |text| Text::parse(text, known))
}

/// A list of at most `most` items.
pub(crate) fn list<T>(
    most: usize,
    item: impl Fn(&Node, &Flaws) -> T,
) -> impl FnOnce(&Node, &Flaws) -> Vec<T> {
    move |node, flaws| {
        let Kind::List(items) = &node.kind else {
            flaws.add(node.line, "expected a list");
            return Vec::new();
        };
        if items.len() > most {
            flaws.add(node.line, format!("expected at most {most} items"));
        }
        items.iter().take(most).map(|node| item(node, flaws)).collect()
    }
}

/// A table whose keys are names of its author's choice.
pub(crate) fn named<T>(
    most: usize,
    item: impl Fn(&Node, &Flaws) -> T,
) -> impl FnOnce(&Node, &Flaws) -> Vec<(String, T)> {
    move |node, flaws| {
        let Kind::Table(entries) = &node.kind else {
            flaws.add(node.line, "expected a table of `name: value`");
            return Vec::new();
        };
        if entries.len() > most {
            flaws.add(node.line, format!("expected at most {most} entries"));
        }
        let read = |(key, node): &(Key, Node)| {
            let text = Kind::Text { text: key.name.clone(), plain: true };
            (name(&Node { line: key.line, kind: text }, flaws), item(node, flaws))
        };
        entries.iter().take(most).map(read).collect()
    }
}

/// Bytes written with escapes: `\r`, `\n`, `\t`, `\0`, `\\`, `\x1f`. In YAML they stand in single quotes.
pub(crate) fn bytes(node: &Node, flaws: &Flaws) -> Vec<u8> {
    parsed(node, flaws, |text| {
        unescape(text).ok_or_else(|| "expected \\r, \\n, \\t, \\0, \\\\ or \\x1f".to_owned())
    })
}

fn unescape(text: &str) -> Option<Vec<u8>> {
    let (mut out, mut rest) = (Vec::new(), text.bytes());
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        out.push(match rest.next()? {
            b'r' => b'\r',
            b'n' => b'\n',
            b't' => b'\t',
            b'0' => 0,
            b'\\' => b'\\',
            b'x' => {
                let pair = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&pair).ok()?, 16).ok()?
            }
            _ => return None,
        });
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::template::yaml::parse;

    fn read<T>(value: &str, read: impl FnOnce(&Node, &Flaws) -> T) -> Result<T, String> {
        let (node, flaws) = (parse(value).unwrap(), Flaws::default());
        let value = read(&node, &flaws);
        flaws.into_sorted().first().map_or(Ok(value), |flaw| Err(flaw.to_string()))
    }

    #[test]
    fn units() {
        assert_eq!(read("256 MiB", size), Ok(256 << 20));
        assert_eq!(read("10 GB", size), Ok(10_000_000_000));
        for wrong in ["10", "x", "0 MB", "99999999999999999999 GB", "1 TB"] {
            assert!(read(wrong, size).is_err(), "{wrong}");
        }
        assert_eq!(read("250ms", duration), Ok(Duration::from_millis(250)));
        assert!(read("5", duration).is_err());
        assert_eq!(read("0.5", thousandths), Ok(500));
        assert_eq!(read("99.95", thousandths), Ok(99_950));
        assert!(read("1.2345", thousandths).is_err() && read(".5", thousandths).is_err());
        assert_eq!(read("19.90", money(Currency::USD)), Ok(1990));
        assert!(read("0", money(Currency::USD)).is_err());
    }

    #[test]
    fn bytes_paths_and_names() {
        assert_eq!(read(r"'a\x00\r\n\\'", bytes), Ok(b"a\x00\r\n\\".to_vec()));
        assert!(read(r"'\xg0'", bytes).is_err() && read(r"'\'", bytes).is_err());
        assert!(read("/data", path).is_ok());
        for wrong in ["data", "/a/../b", "/a:b", "'/a b'"] {
            assert!(read(wrong, path).is_err(), "{wrong}");
        }
        assert!(read("../x", name).is_err() && read("a/b", name).is_err() && read("A_1", name).is_ok());
    }

    #[test]
    fn everything_that_is_wrong_is_told_with_its_line() {
        let (node, flaws) = (parse("a: x\nb:\n  c: 1\nd: 2\n").unwrap(), Flaws::default());
        let fields = Fields::of(&node, &flaws);
        fields.need("a", number(1, 9));
        fields.need("b", text(5));
        fields.need("e", flag);
        fields.end();
        let found: Vec<String> = flaws.into_sorted().iter().map(ToString::to_string).collect();
        assert_eq!(
            found,
            [
                "line 1: `e` is missing",
                "line 1: expected a whole number from 1 to 9",
                "line 3: expected a text",
                "line 4: `d` is not known here; known are: a, b, e",
            ]
        );
    }
}
