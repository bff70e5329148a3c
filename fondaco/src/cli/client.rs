//! Requests to the server, and its problems as failures.

use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;

use super::args::Global;
use super::failure::{Failure, code};
use super::profile::Session;

/// Answers are read up to this many bytes.
pub(crate) const MAX_ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// What stands behind the question mark of an address.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query(Vec<(&'static str, String)>);

impl Query {
    /// Also this.
    pub(crate) fn and(mut self, name: &'static str, value: impl ToString) -> Self {
        self.0.push((name, value.to_string()));
        self
    }

    /// Also this, where it was said.
    pub(crate) fn maybe(self, name: &'static str, value: Option<&(impl ToString + ?Sized)>) -> Self {
        match value {
            Some(value) => self.and(name, value.to_string()),
            None => self,
        }
    }
}

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

    /// Talks as somebody who is signed in.
    ///
    /// # Errors
    /// That there is no token, before anything is sent.
    pub(crate) fn signed_in(global: &Global) -> Result<Self, Failure> {
        let client = Self::new(global)?;
        if client.session.token.is_none() {
            return Err(Failure::sign_in(format!("This needs an account of {}.", client.session.server)));
        }
        Ok(client)
    }

    /// Reads a path of the API.
    ///
    /// # Errors
    /// As [`Client::json`].
    pub(crate) async fn get(&self, path: &str, query: Query) -> Result<Value, Failure> {
        self.json(self.request(Method::GET, &self.address(path, query)?)).await
    }

    /// Sends something to a path of the API. `key` names it: sent again with the same key, it is the same request
    /// and done once.
    ///
    /// # Errors
    /// As [`Client::json`].
    pub(crate) async fn post(&self, path: &str, key: Option<&str>, body: &Value) -> Result<Value, Failure> {
        let key = key.map_or_else(kernel::random_text::<24>, str::to_owned);
        let request = self.request(Method::POST, &self.session.api(path));
        self.json(request.header("idempotency-key", key).json(body)).await
    }

    /// The address of a path of the API.
    ///
    /// # Errors
    /// When the server's address cannot carry a query.
    pub(crate) fn address(&self, path: &str, query: Query) -> Result<String, Failure> {
        if query.0.is_empty() {
            return Ok(self.session.api(path));
        }
        let address = url::Url::parse_with_params(&self.session.api(path), query.0);
        address.map(String::from).map_err(|error| Failure::usage(error.to_string()))
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
    let mut body = Vec::new();
    while let Some(chunk) = next_chunk(&mut response, body.len()).await? {
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The next part of an answer of which `so_far` bytes were read.
///
/// # Errors
/// When the connection ends too early, or the answer grows beyond [`MAX_ANSWER_BYTES`].
pub(crate) async fn next_chunk(response: &mut Response, so_far: usize) -> Result<Option<Bytes>, Failure> {
    let cut = |detail: String| Failure::new(code::LATER, "cli.cut_off", "The answer was cut off", detail);
    let chunk = response.chunk().await.map_err(|error| cut(describe(&error)))?;
    if so_far + chunk.as_ref().map_or(0, Bytes::len) > MAX_ANSWER_BYTES {
        return Err(cut(format!("It has more than {MAX_ANSWER_BYTES} bytes.")));
    }
    Ok(chunk)
}

/// An id as it may stand in a path. What could leave the path is refused here, before it is sent anywhere.
///
/// # Errors
/// A usage failure that says where to find such an id.
pub(crate) fn checked_id<'a>(kind: &str, text: &'a str) -> Result<&'a str, Failure> {
    let is_id = text
        .strip_prefix(kind)
        .and_then(|rest| rest.strip_prefix('-'))
        .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'));
    if is_id {
        return Ok(text);
    }
    let where_to_look = match kind {
        "event" => "fondaco market list --kind ticket",
        "deploy" => "fondaco deployment list",
        "listing" => "fondaco market list",
        "offer" | "unit" => "fondaco market show LISTING",
        "method" => "fondaco wallet methods",
        "delivery" => "fondaco webhook attempts WEBHOOK",
        _ => "",
    };
    let next =
        if where_to_look.is_empty() { format!("fondaco {kind} list") } else { where_to_look.to_owned() };
    let text = super::terminal::plain(text);
    Err(Failure::usage(format!("`{text}` is no id: one looks like {kind}-0193….")).next(next))
}

/// The innermost cause, which says most: `Connection refused (os error 111)`.
fn describe(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_ids_get_into_paths() {
        assert_eq!(checked_id("order", "order-0193abc").unwrap(), "order-0193abc");
        assert_eq!(checked_id("svc", "svc-postgres-17").unwrap(), "svc-postgres-17");
        for wrong in [
            "",
            "order",
            "order-",
            "ticket-1",
            "order-../x",
            "order-1/pay",
            "order-1?x",
            "order-%2f",
            "order-ä",
        ] {
            assert_eq!(checked_id("order", wrong).unwrap_err().exit, 2, "{wrong}");
        }
        let look = checked_id("ticket", "x").unwrap_err().next;
        assert_eq!(look.as_deref(), Some("fondaco ticket list"));
    }
}
