//! Sends a prepared document: the bytes, or that they are still the same.

use axum::body::Body;
use axum::response::Response;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::accept::Accepted;
use crate::documents::{Coding, Encodings};

/// A document with its headers.
pub(super) struct Ready<'d> {
    pub(super) content_type: &'d HeaderValue,
    pub(super) encodings: &'d Encodings,
    pub(super) last_modified: Option<&'d HeaderValue>,
    pub(super) cache_control: HeaderValue,
    pub(super) vary: HeaderValue,
}

impl Ready<'_> {
    /// The answer to a request with these headers.
    pub(super) async fn send(self, asked: &HeaderMap) -> Response {
        let accepted = Accepted::of(asked);
        let etag = self.unchanged(asked, accepted).cloned();
        let mut response = Response::default();
        if etag.is_some() {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        }
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, self.cache_control);
        headers.insert(header::VARY, self.vary);
        if let Some(last_modified) = self.last_modified {
            headers.insert(header::LAST_MODIFIED, last_modified.clone());
        }
        if let Some(etag) = etag {
            headers.insert(header::ETAG, etag);
            return response;
        }
        let wanted = accepted.by_preference().next().unwrap_or(Coding::Identity);
        let (coding, encoded) = self.encodings.get(wanted).await;
        headers.insert(header::ETAG, encoded.etag.clone());
        headers.insert(header::CONTENT_TYPE, self.content_type.clone());
        if let Some(name) = coding.header() {
            headers.insert(header::CONTENT_ENCODING, name);
        }
        *response.body_mut() = Body::from(encoded.bytes.clone());
        response
    }

    /// The ETag of the very bytes that the client has, if nothing changed (RFC 9110 section 13.1.2: a tag wins over a
    /// date). Encodings that it does not take do not count: a cache that several share may hold them for others.
    fn unchanged(&self, asked: &HeaderMap, accepted: Accepted) -> Option<&HeaderValue> {
        let mut acceptable = accepted.by_preference().filter_map(|coding| self.encodings.etag(coding));
        let Some(tags) = asked.get(header::IF_NONE_MATCH) else {
            let since = asked.get(header::IF_MODIFIED_SINCE)?;
            return if Some(since) == self.last_modified { acceptable.next() } else { None };
        };
        let has = |etag: &HeaderValue| {
            tags.as_bytes().split(|byte| *byte == b',').any(|tag| {
                let tag = tag.trim_ascii();
                let tag = tag.strip_prefix(b"W/").unwrap_or(tag);
                tag == b"*" || tag == etag.as_bytes()
            })
        };
        acceptable.find(|etag| has(etag))
    }
}
