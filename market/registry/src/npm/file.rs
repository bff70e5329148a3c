//! Sends a file that is a blob: whole, a part of it, or that it is still the same.

use axum::body::Body;
use axum::response::Response;
use blobs::{Blobs, Sha256};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde_json::json;

use super::answer::json;
use super::range::Part;
use crate::RegistryError;

/// A file with what its answer says of it.
pub(super) struct File {
    pub(super) sha256: Sha256,
    pub(super) size_bytes: u64,
    pub(super) cache_control: &'static str,
}

impl File {
    /// The answer to `GET` or `HEAD` with these headers.
    pub(super) async fn send(
        &self,
        blobs: &Blobs,
        method: &Method,
        asked: &HeaderMap,
    ) -> Result<Response, RegistryError> {
        let etag = value(&format!("\"{}\"", self.sha256));
        let mut response = Response::default();
        if asked.get(header::IF_NONE_MATCH) == Some(&etag) {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        } else if method == Method::HEAD {
            // A range means something with GET only.
            Self::describe(response.headers_mut(), self.size_bytes);
        } else {
            match Part::of(asked, &etag, self.size_bytes) {
                Part::Whole => {
                    Self::describe(response.headers_mut(), self.size_bytes);
                    *response.body_mut() = self.whole(blobs).await?;
                }
                Part::Bytes(range) => {
                    *response.status_mut() = StatusCode::PARTIAL_CONTENT;
                    Self::describe(response.headers_mut(), range.end - range.start);
                    let place = format!("bytes {}-{}/{}", range.start, range.end - 1, self.size_bytes);
                    response.headers_mut().insert(header::CONTENT_RANGE, value(&place));
                    *response.body_mut() = Body::new(blobs.read_range(self.sha256, range).await?);
                }
                Part::Unsatisfiable => return Ok(self.unsatisfiable()),
            }
        }
        let headers = response.headers_mut();
        headers.insert(header::ETAG, etag);
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(self.cache_control));
        headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        Ok(response)
    }

    fn describe(headers: &mut HeaderMap, length_bytes: u64) {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length_bytes));
    }

    async fn whole(&self, blobs: &Blobs) -> Result<Body, RegistryError> {
        let blob = blobs.read(self.sha256).await?;
        Ok(match blob.bytes() {
            Some(bytes) => Body::from(bytes.clone()),
            None => Body::new(blob.body().await?),
        })
    }

    fn unsatisfiable(&self) -> Response {
        let text = format!("The file has {} bytes; ask for some of them, or for all.", self.size_bytes);
        let mut response = json(StatusCode::RANGE_NOT_SATISFIABLE, &json!({"error": text}));
        let range = value(&format!("bytes */{}", self.size_bytes));
        response.headers_mut().insert(header::CONTENT_RANGE, range);
        response
    }
}

/// Whether an answer begins a download: one that is resumed was counted when it began.
pub(super) fn begins_download(method: &Method, response: &Response) -> bool {
    let starts_at_zero = |place: &HeaderValue| place.as_bytes().starts_with(b"bytes 0-");
    method == Method::GET
        && match response.status() {
            StatusCode::OK => true,
            StatusCode::PARTIAL_CONTENT => {
                response.headers().get(header::CONTENT_RANGE).is_some_and(starts_at_zero)
            }
            _ => false,
        }
}

/// Digits and hexadecimal digits, which every header takes.
fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}
