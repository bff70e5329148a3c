//! Reads that need not be sent again.

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use kernel::Problem;
use serde::Serialize;
use sha2::{Digest, Sha256};
use web::Failure;

/// `body` as JSON with an `ETag` of its content; 304 without a body where the caller has it already.
pub(super) fn json(asked: &HeaderMap, body: &impl Serialize) -> Result<Response, Failure> {
    let unwritable =
        |_| Failure(Problem::internal("registry.unwritable", "The answer could not be written."));
    let body = serde_json::to_vec(body).map_err(unwritable)?;
    let digest = hex::encode(&Sha256::digest(&body)[..12]);
    let etag = format!("\"{digest}\"");
    let known = asked.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let unchanged = known.flat_map(|list| list.split(',')).any(|one| {
        let one = one.trim();
        one == "*" || one.trim_start_matches("W/") == etag
    });
    let mut response = if unchanged {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], body).into_response()
    };
    let headers = response.headers_mut();
    // Private packages are seen by some callers only, so a shared cache must not answer.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    headers.insert(header::VARY, HeaderValue::from_static("authorization, cookie"));
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        headers.insert(header::ETAG, etag);
    }
    Ok(response)
}
