//! Changes that are only made to what the caller saw: `ETag`, `If-Match` (RFC 9110, 8.8.3 and 13.1.1), and `version`
//! in a body.
//!
//! Things that change carry a `version`, a number that grows with every change. A read answers with
//! [`Tagged`], whose `ETag` is the version in quotes; a change takes [`IfMatch`] and perhaps a version in its body,
//! joins them by [`expected_version`], and calls [`Expected::check`] in the transaction of the change.

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, header};
use kernel::Problem;

use crate::Failure;

/// The longest `If-Match` that is read, over all its lines, in bytes.
const MAX_BYTES: usize = 2_048;
/// The most tags of one request.
const MAX_TAGS: usize = 32;

/// The `If-Match` header of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum IfMatch {
    /// There is none.
    #[default]
    Absent,
    /// `*`: any version, as long as the thing is there.
    Any,
    /// One of these versions. Weak tags and tags that are no version of ours match nothing and are left out, so the
    /// list may be empty.
    Versions(Vec<i64>),
}

impl IfMatch {
    /// Reads the header.
    ///
    /// # Errors
    /// A 400 [`Problem`] when it is not what RFC 9110 allows, or longer than 2,048 bytes or 32 tags.
    pub fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let lines: Vec<&[u8]> = headers.get_all(header::IF_MATCH).iter().map(HeaderValue::as_bytes).collect();
        if lines.is_empty() {
            return Ok(Self::Absent);
        }
        let wrong = || {
            let detail = "The If-Match header cannot be read. Nothing was changed.";
            Problem::bad_request("request.bad_if_match", detail)
                .next("Send the ETag of the answer that you read, with its quotes: If-Match: \"3\".")
        };
        Self::parse(&lines.join(&b','))
            .filter(|_| lines.iter().map(|line| line.len()).sum::<usize>() <= MAX_BYTES)
            .ok_or_else(wrong)
    }

    /// A list of entity tags, or `*`. Quotes may hold commas, so the text is not simply split at them.
    fn parse(text: &[u8]) -> Option<Self> {
        if text.trim_ascii() == b"*" {
            return Some(Self::Any);
        }
        let (mut versions, mut tags, mut rest) = (Vec::new(), 0, text.trim_ascii());
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix(b",") {
                rest = after.trim_ascii_start();
                continue;
            }
            let weak = rest.strip_prefix(b"W/");
            let opened = weak.unwrap_or(rest).strip_prefix(b"\"")?;
            let end = opened.iter().position(|byte| *byte == b'"')?;
            let (tag, after) = (opened.get(..end)?, opened.get(end + 1..)?.trim_ascii_start());
            let is_well_formed = tag.iter().all(|byte| matches!(byte, 0x21 | 0x23..=0x7E | 0x80..));
            tags += 1;
            if !is_well_formed || tags > MAX_TAGS || !(after.is_empty() || after.starts_with(b",")) {
                return None;
            }
            versions.extend(version(tag).filter(|_| weak.is_none()));
            rest = after;
        }
        (tags > 0).then_some(Self::Versions(versions))
    }
}

/// The version that a tag stands for, if it is written as we write it.
fn version(tag: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(tag).ok()?;
    text.parse().ok().filter(|version: &i64| version.to_string() == text)
}

impl<S: Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        Ok(Self::of(&parts.headers)?)
    }
}

/// Which version a change is meant for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Expected {
    /// Whatever is there: the caller did not say.
    #[default]
    Whatever,
    /// One of these, said by `If-Match`.
    ByHeader(Vec<i64>),
    /// This one, said in the body.
    ByBody(i64),
}

/// Joins what the header and the body say.
///
/// # Errors
/// A 400 [`Problem`] when they name different versions.
pub fn expected_version(if_match: IfMatch, in_body: Option<i64>) -> Result<Expected, Problem> {
    match (if_match, in_body) {
        (IfMatch::Absent | IfMatch::Any, None) => Ok(Expected::Whatever),
        (IfMatch::Absent | IfMatch::Any, Some(version)) => Ok(Expected::ByBody(version)),
        (IfMatch::Versions(versions), None) => Ok(Expected::ByHeader(versions)),
        (IfMatch::Versions(versions), Some(version)) if versions.contains(&version) => {
            Ok(Expected::ByHeader(vec![version]))
        }
        (IfMatch::Versions(_), Some(_)) => Err(Problem::bad_request(
            "request.two_versions",
            "If-Match and the version in the body are not the same. Nothing was changed.",
        )
        .next("Send one of them, or the same in both.")),
    }
}

impl Expected {
    /// The same, for changes that nobody may make blindly.
    ///
    /// # Errors
    /// A 428 [`Problem`] (RFC 6585) when the caller did not say.
    pub fn required(self) -> Result<Self, Problem> {
        match self {
            Self::Whatever => Err(Problem::new(
                428,
                "request.version_missing",
                "This change needs the version that you saw. Nothing was changed.",
            )
            .next("Read it, then send its ETag as If-Match, or its version in the body.")),
            said => Ok(said),
        }
    }

    /// Whether `version`, read in the transaction of the change, is the one that the caller saw.
    ///
    /// # Errors
    /// [`Stale`] when it is another: return it, so that nothing is changed.
    pub fn check(&self, version: i64) -> Result<(), Stale> {
        match self {
            Self::ByHeader(seen) if !seen.contains(&version) => Err(Stale { by_header: true }),
            Self::ByBody(seen) if *seen != version => Err(Stale { by_header: false }),
            _ => Ok(()),
        }
    }
}

/// The thing changed since the caller saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this changed meanwhile")]
pub struct Stale {
    /// Whether the version stood in `If-Match`: that is a 412, one in the body a 409.
    pub by_header: bool,
}

impl From<Stale> for Problem {
    fn from(stale: Stale) -> Self {
        let status = if stale.by_header { 412 } else { 409 };
        let detail = "This changed since you opened it. Your change was not saved.";
        Self::new(status, "request.stale", detail).next("Load it again and repeat your change.")
    }
}

/// An answer with its version as a strong `ETag`: `Tagged(thing.version, Json(thing))`.
#[derive(Clone, Copy, Debug)]
pub struct Tagged<T>(pub i64, pub T);

impl<T: IntoResponse> IntoResponse for Tagged<T> {
    fn into_response(self) -> Response {
        let mut response = self.1.into_response();
        if let Ok(tag) = HeaderValue::from_str(&format!("\"{}\"", self.0)) {
            response.headers_mut().insert(header::ETAG, tag);
        }
        response
    }
}

kernel::problems! {
    "request.bad_if_match":
        "The If-Match header is not a list of entity tags in quotes, nor *.",
        "Nothing was changed.",
        "Send the ETag of the answer that you read, with its quotes.";
    "request.two_versions":
        "If-Match and the version in the body name different versions.",
        "Nothing was changed.",
        "Send one of them, or the same in both.";
    "request.version_missing":
        "This change is only made to the version that you saw, and the request does not name one.",
        "Nothing was changed.",
        "Read the thing, then send its ETag as If-Match.";
    "request.stale":
        "Somebody changed the thing after you read it. The status is 412 when If-Match was stale, 409 when the version in the body was.",
        "Your change was not made; the other one stays.",
        "Read it again and repeat your change.";
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn read(lines: &[&[u8]]) -> Result<IfMatch, Problem> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::IF_MATCH, HeaderValue::from_bytes(line).unwrap());
        }
        IfMatch::of(&headers)
    }

    #[test]
    fn the_header_is_read_as_the_standard_has_it() {
        assert_eq!(read(&[]), Ok(IfMatch::Absent));
        assert_eq!(read(&[b" * "]), Ok(IfMatch::Any));
        for (text, versions) in [
            (&b"\"3\""[..], vec![3]),
            (b"\"3\" ,, \"12\",", vec![3, 12]),
            (b"W/\"3\"", vec![]),
            (b"W/\"3\", \"4\"", vec![4]),
            (b"\"a,b\", \"03\", \"+3\", \"\"", vec![]),
            (b"\"99999999999999999999\"", vec![]),
        ] {
            assert_eq!(read(&[text]), Ok(IfMatch::Versions(versions)), "{}", text.escape_ascii());
        }
        assert_eq!(read(&[b"\"1\"", b"\"2\""]), Ok(IfMatch::Versions(vec![1, 2])));
        let long = format!("\"{}\"", "x".repeat(MAX_BYTES));
        let many = "\"1\",".repeat(MAX_TAGS + 1);
        for wrong in [
            &b""[..],
            b",",
            b"3",
            b"\"3",
            b"3\"",
            b"w/\"3\"",
            b"*, \"3\"",
            b"\"3\"\"4\"",
            b"\"a b\"",
            long.as_bytes(),
            many.as_bytes(),
        ] {
            assert_eq!(read(&[wrong]).unwrap_err().status, 400, "{}", wrong.escape_ascii());
        }
    }

    #[test]
    fn header_and_body_must_agree_and_a_blind_change_can_be_refused() {
        let versions = |list: &[i64]| IfMatch::Versions(list.to_vec());
        assert_eq!(expected_version(IfMatch::Absent, None), Ok(Expected::Whatever));
        assert_eq!(expected_version(IfMatch::Any, Some(2)), Ok(Expected::ByBody(2)));
        assert_eq!(expected_version(versions(&[1, 2]), Some(2)), Ok(Expected::ByHeader(vec![2])));
        assert_eq!(expected_version(versions(&[1]), Some(2)).unwrap_err().status, 400);
        assert_eq!(Expected::Whatever.required().unwrap_err().status, 428);
        assert_eq!(Expected::ByBody(1).required(), Ok(Expected::ByBody(1)));
    }

    #[test]
    fn a_stale_version_is_412_by_header_and_409_by_body() {
        let status = |expected: Expected| expected.check(3).map_err(|stale| Problem::from(stale).status);
        assert_eq!(status(Expected::Whatever), Ok(()));
        assert_eq!(status(Expected::ByHeader(vec![2, 3])), Ok(()));
        assert_eq!(status(Expected::ByHeader(vec![])), Err(412));
        assert_eq!(status(Expected::ByBody(2)), Err(409));
    }

    proptest! {
        #[test]
        fn any_bytes_are_judged_without_panic(bytes in prop::collection::vec(32u8..=255, 0..300)) {
            if let Ok(value) = HeaderValue::from_bytes(&bytes) {
                let mut headers = HeaderMap::new();
                headers.insert(header::IF_MATCH, value);
                let _ = IfMatch::of(&headers);
            }
        }

        #[test]
        fn what_we_wrote_is_read_back(versions in prop::collection::vec(any::<i64>(), 1..MAX_TAGS), gap in "[ ,]{0,3}") {
            let tag = |version: &i64| {
                let response = Tagged(*version, "body").into_response();
                response.headers()[header::ETAG].to_str().unwrap().to_owned()
            };
            let text = versions.iter().map(tag).collect::<Vec<_>>().join(&format!("{gap},{gap}"));
            prop_assert_eq!(read(&[text.as_bytes()]), Ok(IfMatch::Versions(versions)));
        }
    }
}
