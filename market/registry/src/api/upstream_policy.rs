//! `/api/organisations/{org}/upstream-policy`.

use axum::extract::State;
use identity::Account;
use serde::Deserialize;
use web::{Failure, IfMatch, Json, Path, Tagged, expected_version};

use crate::registry::Registry;
use crate::uplink::{ExemptionDraft, PolicyDraft, UpstreamPolicy};

/// Read an upstream policy
///
/// What an organisation lets its members take from uplinks; its owners and admins read it. The `ETag` is the version.
#[utoipa::path(get, path = "/api/organisations/{org}/upstream-policy", tag = "organisations",
    params(("org" = String, Path, description = "The organisation's name")), security(("token" = [])),
    responses(
    (status = 200, description = "The policy; version 0 where there never was one.", body = UpstreamPolicy),
    (status = 401, description = "Sign in first."),
    (status = 403, description = "Neither an owner nor an admin of it."),
    (status = 404, description = "None that one belongs to."),
))]
pub(super) async fn read(
    State(registry): State<Registry>,
    account: Account,
    Path(org): Path<String>,
) -> Result<Tagged<Json<UpstreamPolicy>>, Failure> {
    let policy = registry.upstream_policy(&account.caller, &org).await?;
    Ok(Tagged(policy.version, Json(policy)))
}

/// A policy with the version that it changes. What is absent is empty.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct PolicyBody {
    /// How many hours ago a release must have been published; at most 87,600.
    minimum_release_age_hours: u32,
    /// If not empty, only these are taken: `name`, `@scope`, `@scope/name`, `prefix-*`, each with or without `@range`.
    allow: Vec<String>,
    /// These are never taken.
    block: Vec<String>,
    /// The age does not count for these.
    exempt: Vec<ExemptionDraft>,
    /// The version that was read; or send `If-Match`.
    version: Option<i64>,
}

/// Set an upstream policy
///
/// The whole policy: what is absent is empty. It holds for the next read of every member, and only tightens what the
/// registry itself lets through. The version that was read stands in the body or in `If-Match`.
#[utoipa::path(put, path = "/api/organisations/{org}/upstream-policy", tag = "organisations", request_body = PolicyBody,
    params(("org" = String, Path, description = "The organisation's name"),
        ("If-Match" = Option<String>, Header, description = "The ETag that was read, instead of `version`.")),
    security(("token" = [])), responses(
    (status = 200, description = "The policy as it is now.", body = UpstreamPolicy),
    (status = 401, description = "Sign in first."),
    (status = 403, description = "Neither an owner nor an admin of it."),
    (status = 404, description = "None that one belongs to."),
    (status = 409, description = "`version` is stale: somebody changed it meanwhile."),
    (status = 412, description = "`If-Match` is stale: somebody changed it meanwhile."),
    (status = 422, description = "Some fields are wrong."),
    (status = 428, description = "Neither `version` nor `If-Match` was sent."),
))]
pub(super) async fn set(
    State(registry): State<Registry>,
    account: Account,
    Path(org): Path<String>,
    if_match: IfMatch,
    Json(body): Json<PolicyBody>,
) -> Result<Tagged<Json<UpstreamPolicy>>, Failure> {
    let PolicyBody { minimum_release_age_hours, allow, block, exempt, version } = body;
    // The use case decides first whether the caller may know of the organisation at all.
    registry.upstream_policy(&account.caller, &org).await?;
    let seen = expected_version(if_match, version)?.required()?;
    let draft = PolicyDraft { minimum_release_age_hours, allow, block, exempt };
    let policy = registry.set_upstream_policy(&account.caller, &org, seen, draft).await?;
    Ok(Tagged(policy.version, Json(policy)))
}
