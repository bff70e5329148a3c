//! Requests to the server, and its problems as failures.

use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;

use super::args::Global;
use super::failure::{Failure, code};
use super::profile::Session;

/// Answers are read up to this many bytes.
const MAX_ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// Talks to one server.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    http: reqwest::Client,
    pub(crate) session: Session,
    verbose: bool,
}

impl Client {
    pub(crate) fn new(global: &Global) -> Result<Self, Failure> {
        Self::with(global, Session::find(global)?)
    }

    pub(crate) fn with(global: &Global, session: Session) -> Result<Self, Failure> {
        let http = reqwest::Client::builder()
            .user_agent(concat!("fondaco/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(global.timeout)
            .read_timeout(global.timeout)
            .build()
            .map_err(|error| Failure::local("No connection can be made", describe(&error)))?;
        Ok(Self { http, session, verbose: global.verbose > 1 })
    }

    /// A request with the token, if there is one.
    pub(crate) fn request(&self, method: Method, address: &str) -> RequestBuilder {
        let request = self.http.request(method, address);
        let bearer = self.session.token.as_ref().map(|token| format!("Bearer {}", token.expose()));
        match bearer.and_then(|bearer| HeaderValue::from_str(&bearer).ok()) {
            Some(mut value) => {
                value.set_sensitive(true);
                request.header(AUTHORIZATION, value)
            }
            None => request,
        }
    }

    /// A request that must not carry a token, such as a sign-in.
    pub(crate) fn anonymous(&self, method: Method, address: &str) -> RequestBuilder {
        self.http.request(method, address)
    }

    /// Sends a request; the status says that it worked.
    ///
    /// # Errors
    /// The server's problem, or that it cannot be reached.
    pub(crate) async fn send(&self, request: RequestBuilder) -> Result<Response, Failure> {
        let response = self.ask(request).await?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status().as_u16();
        let id = response.headers().get("x-request-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
        let body = read(response).await.unwrap_or_default();
        Err(Failure::answered(status, &serde_json::from_slice(&body).unwrap_or(Value::Null), id))
    }

    /// Sends a request; any status is an answer.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub(crate) async fn ask(&self, request: RequestBuilder) -> Result<Response, Failure> {
        let (http, request) = request.build_split();
        let request = request.map_err(|error| Failure::usage(describe(&error)))?;
        let line = format!("{} {}", request.method(), request.url());
        let answer = http.execute(request).await;
        if self.verbose {
            let outcome = answer.as_ref().map_or_else(describe, |answer| answer.status().to_string());
            tracing::info!("{line}: {outcome}");
        }
        answer.map_err(|error| self.unreachable(&error))
    }

    fn unreachable(&self, error: &reqwest::Error) -> Failure {
        let what = if error.is_timeout() { "did not answer in time" } else { "cannot be reached" };
        Failure::new(
            code::LATER,
            "cli.unreachable",
            "The server cannot be reached",
            format!("{} {what}: {}.", self.session.server, describe(error)),
        )
        .next("check the address (--server, FONDACO_SERVER), or start one: fondaco serve")
    }

    /// The JSON of an answer.
    ///
    /// # Errors
    /// As [`Client::send`], or when it is no JSON.
    pub(crate) async fn json(&self, request: RequestBuilder) -> Result<Value, Failure> {
        let response = self.send(request).await?;
        if response.status() == StatusCode::NO_CONTENT {
            return Ok(Value::Null);
        }
        let body = read(response).await?;
        serde_json::from_slice(&body).map_err(|_| {
            Failure::local(
                "The server did not answer as expected",
                format!(
                    "{} answered with something that is no JSON. Is it a fondaco server?",
                    self.session.server
                ),
            )
        })
    }
}

/// Reads an answer up to [`MAX_ANSWER_BYTES`].
async fn read(mut response: Response) -> Result<Vec<u8>, Failure> {
    let cut = |detail: String| Failure::new(code::LATER, "cli.cut_off", "The answer was cut off", detail);
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| cut(describe(&error)))? {
        if body.len() + chunk.len() > MAX_ANSWER_BYTES {
            return Err(cut(format!("It has more than {MAX_ANSWER_BYTES} bytes.")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The innermost cause, which says most: `Connection refused (os error 111)`.
fn describe(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}
