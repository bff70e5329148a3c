//! Answers in the forms that package clients read.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use kernel::Problem;
use serde_json::json;
use web::Ctx;

use super::accept::Accepted;
use crate::documents::gzip;
use crate::package::Changed;

/// From this size on an answer is compressed for those who can read that.
const MIN_GZIP_BYTES: usize = 1024;

/// Why a request was refused; every error of the rooms becomes one.
#[derive(Debug)]
pub(crate) struct Refusal(pub(crate) Problem);

impl<E: Into<Problem>> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

/// What a handler answers.
pub(crate) type Answer = Result<Response, Refusal>;

impl Refusal {
    /// 400 in the caller's words.
    pub(crate) fn malformed(text: impl Into<String>) -> Self {
        Self(Problem::bad_request("registry.malformed", text.into()))
    }

    /// The answer that npm, yarn, pnpm and bun show: `error` is a text, and says what to do.
    pub(crate) fn into_response(self, ctx: &Ctx) -> Response {
        let Self(problem) = self;
        let mut text = problem.to_string();
        if let Some(next) = &problem.next {
            text = format!("{text} {next}");
        }
        let body =
            json!({"error": text, "message": text, "code": problem.code, "requestId": &*ctx.request_id});
        let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = Response::new(Body::from(body.to_string()));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = problem.retry_after_seconds {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        // With a challenge npm shows its own words; a wrong password is better said in ours.
        if problem.status == 401 && problem.code != "identity.wrong_password" {
            let challenge = problem.challenge.unwrap_or("Bearer realm=\"fondaco\"");
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        response
    }
}

/// A JSON answer that no cache may keep.
pub(crate) fn json(status: StatusCode, body: &serde_json::Value) -> Response {
    bytes(status, serde_json::to_vec(body).unwrap_or_default().into())
}

/// The same for JSON that is written already.
pub(crate) fn bytes(status: StatusCode, body: Bytes) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A JSON answer, in gzip if it is long and the client reads that.
pub(crate) fn packed(asked: &HeaderMap, body: Vec<u8>) -> Response {
    if body.len() >= MIN_GZIP_BYTES
        && Accepted::of(asked).prefers_gzip()
        && let Some(packed) = gzip(&body)
    {
        let mut response = bytes(StatusCode::OK, packed.into());
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        return response;
    }
    bytes(StatusCode::OK, body.into())
}

/// The answer to a change, with all the words that one of the clients waits for.
pub(crate) fn done(status: StatusCode, name: &str, changed: &Changed) -> Response {
    json(status, &json!({"ok": true, "success": true, "id": name, "rev": changed.rev.as_str()}))
}

/// The same for what has no revision.
pub(crate) fn ok() -> Response {
    json(StatusCode::OK, &json!({"ok": true, "success": true}))
}
