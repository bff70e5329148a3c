//! What is known of a request before anybody looks at it.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, header};
use kernel::{Clock, Timestamp};

/// Who asks from where, and when: set by the middleware for every request.
#[derive(Clone, Debug)]
pub struct Ctx {
    /// The request's id: the caller's `X-Request-Id` if it is well formed, else a fresh one.
    pub request_id: Arc<str>,
    /// The client's address, seen through as many proxies as are trusted.
    pub client: IpAddr,
    /// The client's name for itself, cut to 200 characters.
    pub user_agent: Option<Arc<str>>,
    /// When the request came.
    pub now: Timestamp,
}

impl Ctx {
    /// A context outside of any request: the command line, jobs, tests.
    #[must_use]
    pub fn local(now: Timestamp) -> Self {
        Self { request_id: "local".into(), client: IpAddr::V4(Ipv4Addr::LOCALHOST), user_agent: None, now }
    }

    pub(crate) fn of(headers: &HeaderMap, peer: Option<IpAddr>, trusted_hops: usize, clock: &Clock) -> Self {
        Self {
            request_id: request_id(headers),
            client: client(headers, peer, trusted_hops),
            user_agent: headers.get(header::USER_AGENT).and_then(text).map(|text| cut(text, 200).into()),
            now: clock.now(),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Ctx {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let known = parts.extensions.get::<Self>().cloned();
        Ok(known.unwrap_or_else(|| Self::of(&parts.headers, None, 0, &Clock::system())))
    }
}

fn text(value: &HeaderValue) -> Option<&str> {
    value.to_str().ok()
}

fn cut(text: &str, most: usize) -> &str {
    text.char_indices().nth(most).map_or(text, |(end, _)| &text[..end])
}

fn request_id(headers: &HeaderMap) -> Arc<str> {
    let well_formed = |text: &&str| {
        (8..=64).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
    };
    match headers.get("x-request-id").and_then(text).filter(well_formed) {
        Some(given) => given.into(),
        None => hex::encode(kernel::random_bytes::<12>()).into(),
    }
}

/// The address `trusted_hops` proxies away: the peer itself, or that many entries from the right of
/// `X-Forwarded-For`. Entries further left are the client's own claim.
fn client(headers: &HeaderMap, peer: Option<IpAddr>, trusted_hops: usize) -> IpAddr {
    let peer = peer.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
    if trusted_hops == 0 {
        return peer;
    }
    let forwarded: Vec<&str> =
        headers.get_all("x-forwarded-for").iter().filter_map(text).flat_map(|line| line.split(',')).collect();
    forwarded.iter().rev().nth(trusted_hops - 1).and_then(|entry| entry.trim().parse().ok()).unwrap_or(peer)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_trusted_proxies_are_believed() {
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", HeaderValue::from_static("6.6.6.6, 203.0.113.9"));
        let peer: IpAddr = "192.0.2.1".parse().unwrap();
        assert_eq!(client(&headers, Some(peer), 0), peer);
        assert_eq!(client(&headers, Some(peer), 1), "203.0.113.9".parse::<IpAddr>().unwrap());
        assert_eq!(client(&headers, Some(peer), 3), peer);
    }

    #[test]
    fn request_ids_that_could_break_a_log_line_are_replaced() {
        let mut headers = HeaderMap::new();
        headers.insert("x-request-id", HeaderValue::from_static("trace-0123.abc"));
        assert_eq!(&*request_id(&headers), "trace-0123.abc");
        headers.insert("x-request-id", HeaderValue::from_static("a b\"c<script>"));
        assert_eq!(request_id(&headers).len(), 24);
    }
}
