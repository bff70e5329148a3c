//! Durations and sizes as people write them: `15m`, `7d`, `128MB`.

use std::fmt::Write as _;
use std::time::Duration;

use serde::{Deserialize, Deserializer};

/// Longest first, so that the shortest text is found by trying each in turn.
const SPANS: [(&str, u64); 6] =
    [("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Powers of 1024, as disks and clients of package registries count; `MB` and `MiB` mean the same here.
const SIZES: [(&str, u64); 5] =
    [("TB", 1 << 40), ("GB", 1 << 30), ("MB", 1 << 20), ("KB", 1 << 10), ("B", 1)];

/// Reads a duration: a whole number and a unit (`ms`, `s`, `m`, `h`, `d`, `w`), or several such parts from the
/// largest on (`1h30m`). A bare number counts seconds.
///
/// # Errors
/// What to write instead.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{}` is no duration: write 30s, 15m, 1h30m or 7d", cut(text));
    let text = text.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Ok(Duration::from_secs(seconds));
    }
    let mut rest = text;
    let mut total: u64 = 0;
    let mut smallest = u64::MAX;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let number: u64 = rest[..digits].parse().map_err(|_| wrong())?;
        rest = &rest[digits..];
        let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let unit = SPANS.iter().find(|(name, _)| *name == &rest[..letters]).ok_or_else(wrong)?.1;
        if unit >= smallest {
            return Err(wrong());
        }
        smallest = unit;
        total = number.checked_mul(unit).and_then(|part| total.checked_add(part)).ok_or_else(wrong)?;
        rest = &rest[letters..];
    }
    if smallest == u64::MAX { Err(wrong()) } else { Ok(Duration::from_millis(total)) }
}

/// The shortest text that [`parse_duration`] reads back as the same number of milliseconds.
#[must_use]
pub fn format_duration(duration: Duration) -> String {
    let mut rest = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let mut text = String::new();
    // Weeks are read but not written: 7d is what people expect to see.
    for (name, unit) in &SPANS[1..] {
        if rest >= *unit {
            let _ = write!(text, "{}{name}", rest / unit);
            rest %= unit;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// Reads a size in bytes: `128MB`, `512 KiB`, `1G`, `1048576`. Units are powers of 1024.
///
/// # Errors
/// What to write instead.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{}` is no size: write 512KB, 128MB or 2GB", cut(text));
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..digits].parse().map_err(|_| wrong())?;
    let unit = text[digits..].trim().to_ascii_uppercase().replace('I', "");
    let unit = if unit.is_empty() || unit.ends_with('B') { unit } else { format!("{unit}B") };
    let bytes = match unit.as_str() {
        "" => Some(1),
        unit => SIZES.iter().find(|(name, _)| *name == unit).map(|(_, bytes)| *bytes),
    };
    bytes.and_then(|bytes| number.checked_mul(bytes)).ok_or_else(wrong)
}

/// The shortest exact text that [`parse_size`] reads back.
#[must_use]
pub fn format_size(bytes: u64) -> String {
    let exact = SIZES.iter().find(|(_, unit)| bytes >= *unit && bytes.is_multiple_of(*unit));
    exact.map_or_else(|| "0B".to_owned(), |(name, unit)| format!("{}{name}", bytes / unit))
}

/// A size for people: at most one decimal, `1.4 MB`.
#[must_use]
pub fn round_size(bytes: u64) -> String {
    let (name, unit) = *SIZES.iter().find(|(_, unit)| bytes >= *unit).unwrap_or(&("B", 1));
    let tenths = (bytes.saturating_mul(10).saturating_add(unit / 2)) / unit;
    if unit == 1 || tenths.is_multiple_of(10) {
        format!("{} {name}", tenths / 10)
    } else {
        format!("{}.{} {name}", tenths / 10, tenths % 10)
    }
}

fn cut(text: &str) -> String {
    text.chars().take(40).collect()
}

/// For serde: a duration from its text.
pub(super) fn duration<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    parse_duration(&String::deserialize(from)?).map_err(serde::de::Error::custom)
}

/// For serde: a size from its text.
pub(super) fn size<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    parse_size(&String::deserialize(from)?).map_err(serde::de::Error::custom)
}

/// Numbers of days, each within a month. Lists are read as words, wherever they stand.
pub(super) fn days<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u32>, D::Error> {
    let words: Vec<String> = Vec::deserialize(from)?;
    let number = |word: &String| word.trim().parse().ok().filter(|days| (1..=27).contains(days));
    let days: Option<Vec<u32>> = words.iter().map(number).collect();
    days.ok_or_else(|| serde::de::Error::custom("expected whole numbers of days from 1 to 27"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_as_people_write_them() {
        for (text, seconds) in [
            ("7d", 604_800),
            ("15m", 900),
            ("1h30m", 5_400),
            ("90", 90),
            ("2w", 1_209_600),
            ("0s", 0),
            (" 5s ", 5),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(parse_duration("250ms"), Ok(Duration::from_millis(250)));
        for text in ["", "d", "7", "-1s", "1.5h", "7 days", "30m1h", "1h1h", "99999999999999999999d", "1d é"]
        {
            assert_eq!(parse_duration(text).is_ok(), text == "7", "{text}");
        }
    }

    #[test]
    fn sizes_as_people_write_them() {
        for (text, bytes) in [
            ("128MB", 128 << 20),
            ("512 KiB", 512 << 10),
            ("1G", 1 << 30),
            ("42", 42),
            ("0B", 0),
            ("1tb", 1 << 40),
        ] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for text in ["", "MB", "-1MB", "1.5GB", "1XB", "99999999TB", "1 MB MB"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
        assert_eq!(
            (round_size(1_468_006), round_size(900), round_size(1 << 20)),
            ("1.4 MB".into(), "900 B".into(), "1 MB".into())
        );
    }

    proptest! {
        #[test]
        fn a_written_duration_reads_back(millis in 0..u64::MAX) {
            let duration = Duration::from_millis(millis);
            prop_assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
        }

        #[test]
        fn a_written_size_reads_back(bytes: u64) {
            prop_assert_eq!(parse_size(&format_size(bytes)), Ok(bytes));
        }

        #[test]
        fn no_text_makes_the_parsers_panic(text in ".{0,60}") {
            let _ = (parse_duration(&text), parse_size(&text));
        }
    }
}
