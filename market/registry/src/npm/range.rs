//! Which part of a file a client asks for: `Range` and `If-Range` (RFC 9110 sections 14.2 and 13.1.5).

use std::ops::Range;

use http::{HeaderMap, HeaderValue, header};

/// What of a file is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// All of it: nothing else was asked for, or nothing that is understood. Several ranges at once are answered so
    /// too: no package client asks that, and a client must take the whole instead.
    Whole,
    /// These bytes; never empty, and within the file.
    Bytes(Range<u64>),
    /// The range begins behind the end: 416.
    Unsatisfiable,
}

impl Part {
    /// What these headers ask for of a file of `size_bytes` with this strong `etag`.
    pub(super) fn of(headers: &HeaderMap, etag: &HeaderValue, size_bytes: u64) -> Self {
        let Some(range) = headers.get(header::RANGE) else { return Self::Whole };
        // A date never holds: files are sent without one.
        if headers.get(header::IF_RANGE).is_some_and(|has| has != etag) {
            return Self::Whole;
        }
        range.to_str().ok().and_then(|text| Self::parse(text, size_bytes)).unwrap_or(Self::Whole)
    }

    /// `None` when it cannot be understood, and so has to be ignored.
    fn parse(text: &str, size_bytes: u64) -> Option<Self> {
        let (unit, range) = text.split_once('=')?;
        if !unit.trim().eq_ignore_ascii_case("bytes") {
            return None;
        }
        let (first, last) = range.trim().split_once('-')?;
        let wanted = match (number(first)?, number(last)?) {
            (None, None) => return None,
            (None, Some(last_bytes)) => size_bytes.saturating_sub(last_bytes)..size_bytes,
            (Some(first), None) => first..size_bytes,
            (Some(first), Some(last)) if first <= last => first..size_bytes.min(last.saturating_add(1)),
            _ => return None,
        };
        Some(if wanted.is_empty() { Self::Unsatisfiable } else { Self::Bytes(wanted) })
    }
}

/// Digits; `Some(None)` where there are none. What no file is long enough for counts as the largest number.
fn number(text: &str) -> Option<Option<u64>> {
    if text.is_empty() {
        return Some(None);
    }
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| Some(text.parse().unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn part(range: &str, size_bytes: u64) -> Part {
        let headers = HeaderMap::from_iter([(header::RANGE, HeaderValue::from_str(range).unwrap())]);
        Part::of(&headers, &HeaderValue::from_static("\"a\""), size_bytes)
    }

    #[test]
    fn ranges_are_read() {
        for (range, expected) in [
            ("bytes=0-0", 0..1),
            ("bytes=0-", 0..10),
            ("bytes=3-5", 3..6),
            ("Bytes = 3-99999999999999999999999", 3..10),
            ("bytes=-3", 7..10),
            ("bytes=-99", 0..10),
            ("bytes=9-9", 9..10),
        ] {
            assert_eq!(part(range, 10), Part::Bytes(expected), "{range}");
        }
        for range in ["bytes=10-", "bytes=10-12", "bytes=-0", "bytes=99999999999999999999999-"] {
            assert_eq!(part(range, 10), Part::Unsatisfiable, "{range}");
        }
        assert_eq!(part("bytes=0-", 0), Part::Unsatisfiable);
        for range in [
            "bytes=-",
            "bytes=5-3",
            "bytes=0-1,3-4",
            "bytes=a-b",
            "bytes=+1-2",
            "items=0-1",
            "0-1",
            "",
            "bytes=1",
        ] {
            assert_eq!(part(range, 10), Part::Whole, "{range}");
        }
    }

    #[test]
    fn another_file_is_sent_whole() {
        let if_range = |has: &'static str| {
            let headers = HeaderMap::from_iter([
                (header::RANGE, HeaderValue::from_static("bytes=1-")),
                (header::IF_RANGE, HeaderValue::from_static(has)),
            ]);
            Part::of(&headers, &HeaderValue::from_static("\"a\""), 4)
        };
        assert_eq!(if_range("\"a\""), Part::Bytes(1..4));
        for has in ["\"b\"", "W/\"a\"", "Sat, 29 Oct 1994 19:43:31 GMT"] {
            assert_eq!(if_range(has), Part::Whole, "{has}");
        }
    }

    proptest! {
        #[test]
        fn any_part_is_within_the_file(range in "(bytes=)?[0-9]{0,21}-?[0-9]{0,21}|[ -~]{0,30}", size in any::<u64>()) {
            if let Part::Bytes(bytes) = part(&range, size) {
                prop_assert!(bytes.start < bytes.end && bytes.end <= size);
            }
        }

        /// What is asked for within the file is what is sent, however it is asked for.
        #[test]
        fn the_bytes_that_were_asked_for(size in 1..u64::MAX / 2, a in any::<u64>(), b in any::<u64>()) {
            let (first, last) = ((a % size).min(b % size), (a % size).max(b % size));
            prop_assert_eq!(part(&format!("bytes={first}-{last}"), size), Part::Bytes(first..last + 1));
            prop_assert_eq!(part(&format!("bytes={first}-"), size), Part::Bytes(first..size));
            prop_assert_eq!(part(&format!("bytes=-{}", size - first), size), Part::Bytes(first..size));
            prop_assert_eq!(part(&format!("bytes={}-", size + first), size), Part::Unsatisfiable);
        }
    }
}
