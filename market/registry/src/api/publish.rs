//! `POST /api/packages`.

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use identity::Account;
use web::Failure;
use web::idempotency::Key;

use crate::npm::over_json::{self, NewVersion, Published};
use crate::registry::Registry;

/// Publish a version
///
/// The body has the fields below, or is npm's own publish document with the tarball in `_attachments`. The tarball
/// is fetched from a public https address; its `package.json` is the manifest. With an `Idempotency-Key` the same
/// request may be sent again.
#[utoipa::path(post, path = "/api/packages", tag = "packages", request_body = NewVersion,
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible characters")),
    security(("token" = [])), responses(
    (status = 201, description = "It is published.", body = Published),
    (status = 400, description = "The document or the tarball is malformed."),
    (status = 401, description = "Sign in first."),
    (status = 403, description = "The version is there already, or the name belongs to somebody else."),
    (status = 422, description = "A field is wrong, or the key was used with another body."),
    (status = 502, description = "The tarball could not be fetched."),
))]
pub(super) async fn publish(
    State(registry): State<Registry>,
    account: Account,
    key: Key,
    body: Body,
) -> Result<Response, Failure> {
    Ok(over_json::publish(&registry, &account.caller, key, body).await?)
}
