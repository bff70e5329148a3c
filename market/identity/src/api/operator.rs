//! What operators do.

use axum::extract::State;
use axum::response::IntoResponse;
use serde::Deserialize;
use store::Tx;
use web::idempotency::{Key, once};
use web::{DONE, Done, Failure, IfMatch, Json, Listed, Part, Path, Query, Tagged, expected_version};

use super::auth::ProfileView;
use super::tokens::id;
use super::{SecretRequest, secret};
use crate::account::UserId;
use crate::audit::{Entry, Filter};
use crate::error::IdentityError;
use crate::operate::UserChange;
use crate::profile;
use crate::register::{NewAccount, Terms, insert};
use crate::role::{Role, Roles};
use crate::sessions::SessionId;
use crate::tokens::TokenId;
use crate::{Account, Identity};

#[derive(Deserialize, utoipa::IntoParams)]
pub(super) struct Search {
    /// Part of a name, a display name or an address.
    #[serde(default)]
    q: String,
}

/// List accounts.
#[utoipa::path(get, path = "/api/operator/users", tag = "operator", params(Search, Part),
    responses((status = 200, description = "The users, newest first.", body = Listed<ProfileView>),
        (status = 401, description = "Nobody is signed in."), (status = 403, description = "No operator.")))]
pub(super) async fn list(
    State(identity): State<Identity>,
    account: Account,
    Query(search): Query<Search>,
    Query(part): Query<Part>,
) -> Result<Json<Listed<ProfileView>>, Failure> {
    let page = identity.users(&account.caller, &search.q, part.checked()?).await?;
    Ok(Json(Listed::page(page)))
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct NewUser {
    username: String,
    email: String,
    #[schema(format = Password)]
    password: String,
    #[serde(default)]
    display_name: String,
    /// Absent for those of a registration.
    roles: Option<Vec<String>>,
}

/// Make an account for somebody.
#[utoipa::path(post, path = "/api/operator/users", tag = "operator", request_body = NewUser,
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key and body: the same answer.")),
    responses((status = 201, description = "The user.", body = ProfileView),
        (status = 401, description = "Nobody is signed in."), (status = 403, description = "No operator."),
        (status = 409, description = "The name is taken."), (status = 422, description = "Some fields are wrong.")))]
pub(super) async fn create(
    State(identity): State<Identity>,
    account: Account,
    key: Key,
    Json(body): Json<NewUser>,
) -> Result<impl IntoResponse, Failure> {
    let by = account.caller;
    let roles = match &body.roles {
        Some(words) => read_roles(words)?,
        None => identity.settings().default_roles,
    };
    let scope = format!("{} POST /api/operator/users", account.actor.user);
    let said_roles = body.roles.map(|words| words.join(" ")).unwrap_or_default();
    let parts = [&*body.username, &body.email, &body.password, &body.display_name, &said_roles];
    let SecretRequest { request, .. } = SecretRequest::new(&identity, key, &scope, &parts);
    let new = NewAccount {
        username: body.username,
        email: body.email,
        password: secret(&body.password),
        display_name: body.display_name,
    };
    let terms = Terms { roles, verified: false, easy_password: false };
    let checked = identity.check_new_user(&by, new, terms).await?;
    let create = async move |tx: &mut Tx| {
        let effect = async |tx: &mut Tx| {
            let user = insert(tx, &by, &checked).await?;
            Ok::<ProfileView, IdentityError>(profile::find(tx, &user).await?.into())
        };
        once(tx, &request, by.now(), 201, effect).await
    };
    Ok(identity.store.write(create).await?)
}

fn read_roles(words: &[String]) -> Result<Roles, IdentityError> {
    let roles: Result<Roles, _> = words.iter().map(|word| word.parse::<Role>()).collect();
    roles.map_err(|error| IdentityError::field("/roles", error.to_string()))
}

/// Read an account.
#[utoipa::path(get, path = "/api/operator/users/{id}", tag = "operator",
    params(("id" = String, Path, description = "The user's id")),
    responses((status = 200, description = "The user.", body = ProfileView,
            headers(("ETag" = String, description = "Its version, for If-Match."))),
        (status = 401, description = "Nobody is signed in."), (status = 403, description = "No operator."),
        (status = 404, description = "No such user.")))]
pub(super) async fn find(
    State(identity): State<Identity>,
    account: Account,
    Path(user): Path<String>,
) -> Result<Tagged<Json<ProfileView>>, Failure> {
    Ok(ProfileView::tagged(identity.user(&account.caller, id::<UserId>(&user, "account")?).await?))
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct UserPatch {
    /// The roles it has afterwards; absent to leave them.
    roles: Option<Vec<String>>,
    /// Whether it may do nothing; absent to leave it.
    disabled: Option<bool>,
    /// The version that was read; a stale one changes nothing.
    version: Option<i64>,
}

/// Change roles, or disable and enable an account.
#[utoipa::path(patch, path = "/api/operator/users/{id}", tag = "operator", request_body = UserPatch,
    params(("id" = String, Path, description = "The user's id"),
        ("If-Match" = Option<String>, Header, description = "The ETag that was read.")),
    responses((status = 200, description = "The user as it is now.", body = ProfileView,
            headers(("ETag" = String, description = "Its version now."))),
        (status = 400, description = "If-Match cannot be read, or is not the version in the body."),
        (status = 401, description = "Nobody is signed in."), (status = 403, description = "No operator."),
        (status = 404, description = "No such user."),
        (status = 409, description = "The last admin, or the version in the body is stale."),
        (status = 412, description = "If-Match is stale.")))]
pub(super) async fn change(
    State(identity): State<Identity>,
    account: Account,
    Path(user): Path<String>,
    if_match: IfMatch,
    Json(body): Json<UserPatch>,
) -> Result<Tagged<Json<ProfileView>>, Failure> {
    let user: UserId = id(&user, "account")?;
    let change = UserChange {
        roles: body.roles.as_deref().map(read_roles).transpose()?,
        disabled: body.disabled,
        expected: expected_version(if_match, body.version)?,
    };
    Ok(ProfileView::tagged(identity.change_user(&account.caller, user, change).await?))
}

/// Revoke somebody's token.
#[utoipa::path(delete, path = "/api/operator/users/{id}/tokens/{token}", tag = "operator",
    params(("id" = String, Path, description = "The user's id"), ("token" = String, Path, description = "The token's id")),
    responses((status = 200, description = "It no longer works.", body = Done),
        (status = 401, description = "Nobody is signed in."), (status = 403, description = "No operator."),
        (status = 404, description = "No such token.")))]
pub(super) async fn revoke_token(
    State(identity): State<Identity>,
    account: Account,
    Path((user, token)): Path<(String, String)>,
) -> Result<Json<Done>, Failure> {
    identity.user(&account.caller, id(&user, "account")?).await?;
    identity.revoke_token(&account.caller, id::<TokenId>(&token, "token")?).await?;
    Ok(DONE)
}

/// End somebody's session.
#[utoipa::path(delete, path = "/api/operator/users/{id}/sessions/{session}", tag = "operator",
    params(("id" = String, Path, description = "The user's id"), ("session" = String, Path, description = "The session's id")),
    responses((status = 200, description = "It has ended.", body = Done),
        (status = 401, description = "Nobody is signed in."), (status = 403, description = "No operator."),
        (status = 404, description = "No such session.")))]
pub(super) async fn end_session(
    State(identity): State<Identity>,
    account: Account,
    Path((user, session)): Path<(String, String)>,
) -> Result<Json<Done>, Failure> {
    identity.user(&account.caller, id(&user, "account")?).await?;
    identity.end_session(&account.caller, id::<SessionId>(&session, "session")?).await?;
    Ok(DONE)
}

/// Read the audit trail.
#[utoipa::path(get, path = "/api/operator/audit", tag = "audit", params(Filter, Part),
    responses((status = 200, description = "The trail, newest first.", body = Listed<Entry>),
        (status = 401, description = "Nobody is signed in."), (status = 403, description = "No operator.")))]
pub(super) async fn audit(
    State(identity): State<Identity>,
    account: Account,
    Query(filter): Query<Filter>,
    Query(part): Query<Part>,
) -> Result<Json<Listed<Entry>>, Failure> {
    let page = identity.audit(&account.caller, filter, part.checked()?).await?;
    Ok(Json(Listed::page(page)))
}
