//! Problems as answers.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use kernel::Problem;
use serde::Serialize;

/// A [`Problem`] on its way out: what handlers return as their error.
///
/// The answer is `application/problem+json` (RFC 9457). The middleware adds the request id, and shows it as a
/// page where a browser asked for one; for that the problem also travels in the response's extensions.
#[derive(Debug)]
pub struct Failure(pub Problem);

impl<E: Into<Problem>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [kernel::FieldError],
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
}

/// The answer to a problem, with the request's id where it is known.
pub(crate) fn problem_json(problem: &Problem, request_id: Option<&str>) -> Response {
    let body = Body {
        r#type: format!("/docs/problems/{}", problem.code),
        title: problem.title(),
        status: problem.status,
        detail: &problem.detail,
        code: &problem.code,
        next: problem.next.as_deref(),
        errors: &problem.errors,
        request_id,
    };
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let kind = (header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    let mut response = (status, [kind], serde_json::to_vec(&body).unwrap_or_default()).into_response();
    headers(problem, response.headers_mut());
    response
}

/// The headers that go with a problem, whatever form its body has.
pub(crate) fn headers(problem: &Problem, headers: &mut http::HeaderMap) {
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(seconds) = problem.retry_after_seconds {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if problem.status == 401 {
        let challenge = HeaderValue::from_static(problem.challenge.unwrap_or("Bearer realm=\"fondaco\""));
        headers.insert(header::WWW_AUTHENTICATE, challenge);
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = problem_json(&self.0, None);
        response.extensions_mut().insert(std::sync::Arc::new(self.0));
        response
    }
}
