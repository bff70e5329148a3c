//! Sends a prepared document: the bytes, or that they are still the same.

use axum::body::Body;
use axum::response::Response;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::answer::accepts_gzip;
use crate::documents::Encoded;

/// A document with its headers.
pub(super) struct Ready<'d> {
    pub(super) content_type: &'d HeaderValue,
    pub(super) plain: &'d Encoded,
    pub(super) gzip: Option<&'d Encoded>,
    pub(super) last_modified: Option<&'d HeaderValue>,
    pub(super) cache_control: HeaderValue,
    pub(super) vary: HeaderValue,
}

impl Ready<'_> {
    /// The answer to a request with these headers.
    pub(super) fn send(self, asked: &HeaderMap) -> Response {
        let encoded = self.gzip.filter(|_| accepts_gzip(asked)).unwrap_or(self.plain);
        let gzipped = !std::ptr::eq(encoded, self.plain);
        let unchanged = self.is_unchanged(asked);
        let mut response =
            Response::new(if unchanged { Body::empty() } else { Body::from(encoded.bytes.clone()) });
        let headers = response.headers_mut();
        headers.insert(header::ETAG, encoded.etag.clone());
        headers.insert(header::CACHE_CONTROL, self.cache_control);
        headers.insert(header::VARY, self.vary);
        if let Some(last_modified) = self.last_modified {
            headers.insert(header::LAST_MODIFIED, last_modified.clone());
        }
        if unchanged {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            return response;
        }
        headers.insert(header::CONTENT_TYPE, self.content_type.clone());
        if gzipped {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        response
    }

    /// Whether the client has these very bytes, in any encoding (RFC 9110 section 13.1.2: a tag wins over a date).
    fn is_unchanged(&self, asked: &HeaderMap) -> bool {
        if let Some(tags) = asked.get(header::IF_NONE_MATCH) {
            let known = |tag: &[u8]| {
                let tag = tag.trim_ascii();
                let tag = tag.strip_prefix(b"W/").unwrap_or(tag);
                tag == b"*"
                    || tag == self.plain.etag.as_bytes()
                    || self.gzip.is_some_and(|gzip| tag == gzip.etag.as_bytes())
            };
            return tags.as_bytes().split(|byte| *byte == b',').any(known);
        }
        self.last_modified.is_some() && asked.get(header::IF_MODIFIED_SINCE) == self.last_modified
    }
}
