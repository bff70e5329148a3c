//! Calls: form-encoded, idempotent, with limits on time and size.

use std::time::Duration;

use futures_util::StreamExt;
use kernel::Secret;
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::StripeSettings;
use crate::gateway::GatewayError;

/// The version of the API that this code speaks.
const VERSION: &str = "2024-06-20";
const URL: &str = "https://api.stripe.com";
/// How long one try may take.
const TIMEOUT: Duration = Duration::from_secs(12);
/// How often a call is tried when Stripe says that it may be.
const TRIES: u32 = 3;
/// The pause before the second try; it doubles.
const PAUSE: Duration = Duration::from_millis(250);
/// The longest answer that is read, in bytes.
const MAX_ANSWER: usize = 2 << 20;

/// The fields of a call.
pub(super) type Form = Vec<(String, String)>;

/// Why a call gave nothing.
#[derive(Clone, Debug)]
pub(super) enum CallError {
    /// Stripe said no: nothing was done.
    Refused(Box<Refusal>),
    /// Nobody knows what Stripe did.
    Unknown(String),
}

/// Stripe's own error.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Refusal {
    #[serde(skip)]
    pub(super) status: u16,
    pub(super) code: Option<String>,
    pub(super) decline_code: Option<String>,
    pub(super) message: Option<String>,
    pub(super) payment_intent: Option<super::objects::Intent>,
}

#[derive(Deserialize)]
struct ErrorBody {
    #[serde(default)]
    error: Refusal,
}

/// The client. Cheap to clone.
#[derive(Clone)]
pub(super) struct Client {
    http: reqwest::Client,
    base: String,
    key: Secret,
}

impl Client {
    pub(super) fn new(settings: &StripeSettings) -> Result<Self, GatewayError> {
        let base = settings.url.as_deref().unwrap_or(URL).trim_end_matches('/').to_owned();
        let is_address = url::Url::parse(&base).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
        if !is_address {
            return Err(GatewayError::Unreachable(format!("{base} is no address")));
        }
        let http = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .connect_timeout(Duration::from_secs(5))
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("fondaco/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| GatewayError::Unreachable(error.to_string()))?;
        Ok(Self { http, base, key: settings.key.clone() })
    }

    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, CallError> {
        self.call(Method::GET, path, &Form::new(), None).await
    }

    /// `key` makes it safe to repeat: Stripe answers the first answer again.
    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        form: &Form,
        key: &str,
    ) -> Result<T, CallError> {
        self.call(Method::POST, path, form, Some(key)).await
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        form: &Form,
        key: Option<&str>,
    ) -> Result<T, CallError> {
        let mut pause = PAUSE;
        let mut last = CallError::Unknown("not tried".to_owned());
        for attempt in 0..TRIES {
            if attempt > 0 {
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
            match self.once(method.clone(), path, form, key).await {
                Ok(body) => {
                    return serde_json::from_slice(&body).map_err(|error| {
                        CallError::Unknown(format!("an answer that cannot be read: {error}"))
                    });
                }
                Err(Tried::Final(error)) => return Err(error),
                Err(Tried::Again(error)) => last = error,
            }
        }
        Err(last)
    }

    async fn once(
        &self,
        method: Method,
        path: &str,
        form: &Form,
        key: Option<&str>,
    ) -> Result<Vec<u8>, Tried> {
        let mut request = self
            .http
            .request(method.clone(), format!("{}{path}", self.base))
            .bearer_auth(self.key.expose())
            .header("Stripe-Version", VERSION);
        if method == Method::POST {
            let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
            request = request.header("Content-Type", "application/x-www-form-urlencoded").body(body);
        }
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        let answer = request.send().await.map_err(|error| {
            let known = CallError::Unknown(without_address(error));
            Tried::Again(known)
        })?;
        let status = answer.status();
        let body = read(answer).await.map_err(|error| Tried::Again(CallError::Unknown(error)))?;
        judge(status, body)
    }
}

/// Whether a failed try may be repeated.
enum Tried {
    Again(CallError),
    Final(CallError),
}

fn judge(status: StatusCode, body: Vec<u8>) -> Result<Vec<u8>, Tried> {
    if status.is_success() {
        return Ok(body);
    }
    let refusal = serde_json::from_slice::<ErrorBody>(&body).map(|body| body.error).unwrap_or_default();
    let refusal = Box::new(Refusal { status: status.as_u16(), ..refusal });
    match status.as_u16() {
        // Too many, or another request with this key is at work: nothing was done by this one.
        409 | 429 => Err(Tried::Again(CallError::Unknown(format!("status {status}")))),
        code if code >= 500 => Err(Tried::Again(CallError::Unknown(format!("status {status}")))),
        code if code >= 400 => Err(Tried::Final(CallError::Refused(refusal))),
        _ => Err(Tried::Final(CallError::Unknown(format!("status {status}")))),
    }
}

async fn read(answer: reqwest::Response) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    let mut parts = answer.bytes_stream();
    while let Some(part) = parts.next().await {
        body.extend_from_slice(&part.map_err(without_address)?);
        if body.len() > MAX_ANSWER {
            return Err("an answer that is too long".to_owned());
        }
    }
    Ok(body)
}

/// The text of an error with its causes.
fn without_address(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(next) = cause {
        text = format!("{text}: {next}");
        cause = next.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(status: u16, body: &str) -> &'static str {
        match judge(StatusCode::from_u16(status).unwrap_or_default(), body.as_bytes().to_vec()) {
            Ok(_) => "fine",
            Err(Tried::Again(_)) => "again",
            Err(Tried::Final(CallError::Refused(_))) => "refused",
            Err(Tried::Final(CallError::Unknown(_))) => "unknown",
        }
    }

    #[test]
    fn only_what_may_be_repeated_is() {
        for (status, expected) in [
            (200, "fine"),
            (302, "unknown"),
            (400, "refused"),
            (402, "refused"),
            (404, "refused"),
            (409, "again"),
            (429, "again"),
            (500, "again"),
            (503, "again"),
        ] {
            assert_eq!(judged(status, "no json"), expected, "{status}");
        }
    }
}
