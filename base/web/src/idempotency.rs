//! `Idempotency-Key`: the same request twice has one effect and one answer.
//!
//! The answer is stored in the transaction of the effect, so a kill between the two cannot happen. Two
//! requests with one key at once: the database runs them one after the other (or refuses the second, which is
//! then run again), so the second finds the first one's answer.

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderValue, StatusCode, header};
use kernel::{Problem, Timestamp};
use serde::Serialize;
use sha2::{Digest, Sha256};
use store::{StoreError, Tx, args, sql};

use crate::Failure;

sql! {
    FIND_ANSWER = "select fingerprint, status, body from idempotency where scope = $1 and key = $2";
    INSERT_ANSWER = "insert into idempotency (scope, key, fingerprint, status, body, created_at) \
        values ($1, $2, $3, $4, $5, $6)";
    DELETE_OLD_ANSWERS = "delete from idempotency where created_at < $1";
}

/// The header of the request, if there is one: 1 to 255 visible characters.
#[derive(Clone, Debug)]
pub struct Key(pub Option<String>);

impl<S: Sync> FromRequestParts<S> for Key {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let Some(value) = parts.headers.get("idempotency-key") else { return Ok(Self(None)) };
        match value.to_str() {
            Ok(key) if (1..=255).contains(&key.len()) => Ok(Self(Some(key.to_owned()))),
            _ => Err(Failure(Problem::bad_request(
                "idempotency.bad_key",
                "The Idempotency-Key must be 1 to 255 visible ASCII characters.",
            ))),
        }
    }
}

/// Which request this is: who calls what, and with which body.
#[derive(Clone, Debug)]
pub struct Request {
    scope: String,
    key: Option<String>,
    fingerprint: [u8; 32],
}

impl Request {
    /// `scope` names the caller and the operation, so that keys of different callers never meet; `body` is what
    /// must be the same for the answer to be the same.
    #[must_use]
    pub fn new(key: Key, scope: impl Into<String>, body: &impl Serialize) -> Self {
        let body = serde_json::to_vec(body).unwrap_or_default();
        Self { scope: scope.into(), key: key.0, fingerprint: Sha256::digest(&body).into() }
    }
}

/// An answer as it is stored and sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// HTTP status code.
    pub status: u16,
    /// JSON.
    pub body: Vec<u8>,
    /// Whether this is an earlier request's answer.
    pub replayed: bool,
}

impl IntoResponse for Stored {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::OK);
        let kind = (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let mut response = (status, [kind], self.body).into_response();
        if self.replayed {
            response.headers_mut().insert("idempotency-replayed", HeaderValue::from_static("true"));
        }
        response
    }
}

/// Runs `effect` unless this request was answered before, and stores its answer with it. Failures are not
/// stored: a request that changed nothing may be tried again with the same key.
///
/// # Errors
/// What `effect` returned; a 422 [`Problem`] when the key was used with another body.
pub async fn once<T, E>(
    tx: &mut Tx,
    request: &Request,
    now: Timestamp,
    status: u16,
    effect: impl AsyncFnOnce(&mut Tx) -> Result<T, E>,
) -> Result<Stored, E>
where
    T: Serialize,
    E: From<StoreError> + From<Reused>,
{
    if let Some(key) = &request.key {
        let known: Option<([u8; 32], u16, Vec<u8>)> =
            tx.first(&FIND_ANSWER, args![request.scope, key]).await?;
        match known {
            Some((fingerprint, _, _)) if fingerprint != request.fingerprint => return Err(Reused.into()),
            Some((_, status, body)) => return Ok(Stored { status, body, replayed: true }),
            None => {}
        }
    }
    let answer = effect(tx).await?;
    let body = serde_json::to_vec(&answer).map_err(|error| StoreError::Database(error.to_string()))?;
    if let Some(key) = &request.key {
        tx.execute(&INSERT_ANSWER, args![request.scope, key, request.fingerprint, status, body, now]).await?;
    }
    Ok(Stored { status, body, replayed: false })
}

/// Deletes answers stored before `before`; a key is kept for at least a day.
///
/// # Errors
/// [`StoreError`] when the database fails.
pub async fn forget(tx: &mut Tx, before: Timestamp) -> Result<u64, StoreError> {
    tx.execute(&DELETE_OLD_ANSWERS, args![before]).await
}

/// The key was used before for a request with another body.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("this Idempotency-Key was used with another body")]
pub struct Reused;

impl From<Reused> for Problem {
    fn from(_: Reused) -> Self {
        Self::invalid(
            "idempotency.reused",
            "This Idempotency-Key was used before with another body. Nothing was done.",
        )
        .next("Use a fresh key for a new request, or send the very same body again.")
    }
}

kernel::problems! {
    "idempotency.bad_key":
        "The Idempotency-Key header is empty, too long, or has characters that cannot be seen.",
        "Nothing was done.",
        "Send 1 to 255 visible ASCII characters, such as a UUID.";
    "idempotency.reused":
        "The same Idempotency-Key came before, with another body.",
        "Nothing was done now. What the first request did stays.",
        "Use a fresh key for a new request, or send the very same body again to get the first answer.";
}
