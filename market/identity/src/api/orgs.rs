//! Organisations, members and teams.

use axum::extract::State;
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use store::Tx;
use web::idempotency::{Key, Request, once};
use web::{DONE, Done, Failure, IfMatch, Json, Listed, Path, Tagged, expected_version};

use crate::error::IdentityError;
use crate::orgs::{Member, Organisation, Team, create_org_in, create_team_in};
use crate::{Account, Identity};

/// List the own organisations.
#[utoipa::path(get, path = "/api/organisations", tag = "organisations",
    responses((status = 200, description = "The organisations one belongs to.", body = Listed<Organisation>),
        (status = 401, description = "Nobody is signed in.")))]
pub(super) async fn list(
    State(identity): State<Identity>,
    account: Account,
) -> Result<Json<Listed<Organisation>>, Failure> {
    Ok(Json(Listed::whole(identity.orgs(&account.caller).await?)))
}

#[derive(Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct NewOrganisation {
    /// The scope of its packages, without `@`.
    name: String,
    #[serde(default)]
    display_name: String,
}

/// Make an organisation.
#[utoipa::path(post, path = "/api/organisations", tag = "organisations", request_body = NewOrganisation,
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key and body: the same answer.")),
    responses((status = 201, description = "The organisation; the caller owns it.", body = Organisation),
        (status = 401, description = "Nobody is signed in."), (status = 409, description = "The name is taken."),
        (status = 422, description = "Some fields are wrong.")))]
pub(super) async fn create(
    State(identity): State<Identity>,
    account: Account,
    key: Key,
    Json(body): Json<NewOrganisation>,
) -> Result<impl IntoResponse, Failure> {
    let request = Request::new(key, format!("{} POST /api/organisations", account.actor.user), &body);
    let (by, room) = (account.caller, identity.clone());
    let create = async move |tx: &mut Tx| {
        let effect = async |tx: &mut Tx| create_org_in(tx, &room, &by, &body.name, &body.display_name).await;
        once::<_, IdentityError>(tx, &request, by.now(), 201, effect).await
    };
    Ok(identity.store.write(create).await?)
}

/// Read an organisation.
#[utoipa::path(get, path = "/api/organisations/{org}", tag = "organisations",
    params(("org" = String, Path, description = "The organisation's name")),
    responses((status = 200, description = "The organisation.", body = Organisation,
            headers(("ETag" = String, description = "Its version, for If-Match."))),
        (status = 401, description = "Nobody is signed in."), (status = 404, description = "None that one belongs to.")))]
pub(super) async fn find(
    State(identity): State<Identity>,
    account: Account,
    Path(org): Path<String>,
) -> Result<Tagged<Json<Organisation>>, Failure> {
    let org = identity.org(&account.caller, &org).await?;
    Ok(Tagged(org.version, Json(org)))
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct OrganisationPatch {
    /// What people call it.
    display_name: String,
    /// The version that was read; a stale one changes nothing.
    version: Option<i64>,
}

/// Change an organisation.
#[utoipa::path(patch, path = "/api/organisations/{org}", tag = "organisations", request_body = OrganisationPatch,
    params(("org" = String, Path, description = "The organisation's name"),
        ("If-Match" = Option<String>, Header, description = "The ETag that was read.")),
    responses((status = 200, description = "The organisation as it is now.", body = Organisation,
            headers(("ETag" = String, description = "Its version now."))),
        (status = 400, description = "If-Match cannot be read, or is not the version in the body."),
        (status = 401, description = "Nobody is signed in."), (status = 403, description = "Not an admin of it."),
        (status = 404, description = "None that one belongs to."),
        (status = 409, description = "The version in the body is stale."), (status = 412, description = "If-Match is stale."),
        (status = 422, description = "Some fields are wrong.")))]
pub(super) async fn change(
    State(identity): State<Identity>,
    account: Account,
    Path(org): Path<String>,
    if_match: IfMatch,
    Json(body): Json<OrganisationPatch>,
) -> Result<Tagged<Json<Organisation>>, Failure> {
    let expected = expected_version(if_match, body.version)?;
    let org = identity.change_org(&account.caller, &org, &body.display_name, expected).await?;
    Ok(Tagged(org.version, Json(org)))
}

/// List members.
#[utoipa::path(get, path = "/api/organisations/{org}/members", tag = "organisations",
    params(("org" = String, Path, description = "The organisation's name")),
    responses((status = 200, description = "Its members.", body = Listed<Member>),
        (status = 401, description = "Nobody is signed in."), (status = 404, description = "None that one belongs to.")))]
pub(super) async fn members(
    State(identity): State<Identity>,
    account: Account,
    Path(org): Path<String>,
) -> Result<Json<Listed<Member>>, Failure> {
    Ok(Json(Listed::whole(identity.members(&account.caller, &org).await?)))
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RoleBody {
    /// `owner`, `admin` or `member`.
    role: String,
}

/// Add a member or change its role.
#[utoipa::path(put, path = "/api/organisations/{org}/members/{username}", tag = "organisations", request_body = RoleBody,
    params(("org" = String, Path, description = "The organisation's name"), ("username" = String, Path, description = "Whom")),
    responses((status = 200, description = "The member as it is now.", body = Member),
        (status = 401, description = "Nobody is signed in."), (status = 403, description = "Not an admin of it."),
        (status = 404, description = "No such organisation or account."), (status = 409, description = "The last owner.")))]
pub(super) async fn set_member(
    State(identity): State<Identity>,
    account: Account,
    Path((org, username)): Path<(String, String)>,
    Json(body): Json<RoleBody>,
) -> Result<Json<Member>, Failure> {
    let role = body.role.parse().map_err(|detail: &str| IdentityError::field("/role", detail.to_owned()))?;
    Ok(Json(identity.set_member(&account.caller, &org, &username, role).await?))
}

/// Remove a member.
#[utoipa::path(delete, path = "/api/organisations/{org}/members/{username}", tag = "organisations",
    params(("org" = String, Path, description = "The organisation's name"), ("username" = String, Path, description = "Whom")),
    responses((status = 200, description = "No member any more.", body = Done),
        (status = 401, description = "Nobody is signed in."), (status = 403, description = "Not an admin of it."),
        (status = 404, description = "No such member."), (status = 409, description = "The last owner.")))]
pub(super) async fn remove_member(
    State(identity): State<Identity>,
    account: Account,
    Path((org, username)): Path<(String, String)>,
) -> Result<Json<Done>, Failure> {
    identity.remove_member(&account.caller, &org, &username).await?;
    Ok(DONE)
}

/// List teams.
#[utoipa::path(get, path = "/api/organisations/{org}/teams", tag = "organisations",
    params(("org" = String, Path, description = "The organisation's name")),
    responses((status = 200, description = "Its teams.", body = Listed<Team>),
        (status = 401, description = "Nobody is signed in."), (status = 404, description = "None that one belongs to.")))]
pub(super) async fn teams(
    State(identity): State<Identity>,
    account: Account,
    Path(org): Path<String>,
) -> Result<Json<Listed<Team>>, Failure> {
    Ok(Json(Listed::whole(identity.teams(&account.caller, &org).await?)))
}

#[derive(Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewTeam {
    name: String,
    #[serde(default)]
    description: String,
}

/// Make a team.
#[utoipa::path(post, path = "/api/organisations/{org}/teams", tag = "organisations", request_body = NewTeam,
    params(("org" = String, Path, description = "The organisation's name"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key and body: the same answer.")),
    responses((status = 201, description = "The team.", body = Team), (status = 401, description = "Nobody is signed in."),
        (status = 403, description = "Not an admin of it."), (status = 404, description = "None that one belongs to."),
        (status = 409, description = "There is such a team.")))]
pub(super) async fn create_team(
    State(identity): State<Identity>,
    account: Account,
    Path(org): Path<String>,
    key: Key,
    Json(body): Json<NewTeam>,
) -> Result<impl IntoResponse, Failure> {
    let scope = format!("{} POST /api/organisations/{org}/teams", account.actor.user);
    let request = Request::new(key, scope, &body);
    let by = account.caller;
    let create = async move |tx: &mut Tx| {
        let effect = async |tx: &mut Tx| create_team_in(tx, &by, &org, &body.name, &body.description).await;
        once::<_, IdentityError>(tx, &request, by.now(), 201, effect).await
    };
    Ok(identity.store.write(create).await?)
}

/// Delete a team.
#[utoipa::path(delete, path = "/api/organisations/{org}/teams/{team}", tag = "organisations",
    params(("org" = String, Path, description = "The organisation's name"), ("team" = String, Path, description = "The team's name")),
    responses((status = 200, description = "The team and its grants are gone.", body = Done),
        (status = 401, description = "Nobody is signed in."), (status = 403, description = "Not an admin of it."),
        (status = 404, description = "No such team.")))]
pub(super) async fn delete_team(
    State(identity): State<Identity>,
    account: Account,
    Path((org, team)): Path<(String, String)>,
) -> Result<Json<Done>, Failure> {
    identity.delete_team(&account.caller, &org, &team).await?;
    Ok(DONE)
}

/// List the members of a team.
#[utoipa::path(get, path = "/api/organisations/{org}/teams/{team}/members", tag = "organisations",
    params(("org" = String, Path, description = "The organisation's name"), ("team" = String, Path, description = "The team's name")),
    responses((status = 200, description = "The team's members.", body = Listed<Member>),
        (status = 401, description = "Nobody is signed in."), (status = 404, description = "No such team.")))]
pub(super) async fn team_members(
    State(identity): State<Identity>,
    account: Account,
    Path((org, team)): Path<(String, String)>,
) -> Result<Json<Listed<Member>>, Failure> {
    Ok(Json(Listed::whole(identity.team_members(&account.caller, &org, &team).await?)))
}

/// Add a member to a team.
#[utoipa::path(put, path = "/api/organisations/{org}/teams/{team}/members/{username}", tag = "organisations",
    params(("org" = String, Path, description = "The organisation's name"), ("team" = String, Path, description = "The team's name"),
        ("username" = String, Path, description = "A member of the organisation")),
    responses((status = 200, description = "Belongs to the team.", body = Done),
        (status = 401, description = "Nobody is signed in."), (status = 403, description = "Not an admin of it."),
        (status = 404, description = "No such team, or no member of the organisation.")))]
pub(super) async fn add_team_member(
    State(identity): State<Identity>,
    account: Account,
    Path((org, team, username)): Path<(String, String, String)>,
) -> Result<Json<Done>, Failure> {
    identity.add_team_member(&account.caller, &org, &team, &username).await?;
    Ok(DONE)
}

/// Remove a member from a team.
#[utoipa::path(delete, path = "/api/organisations/{org}/teams/{team}/members/{username}", tag = "organisations",
    params(("org" = String, Path, description = "The organisation's name"), ("team" = String, Path, description = "The team's name"),
        ("username" = String, Path, description = "A member of the team")),
    responses((status = 200, description = "Does not belong to the team.", body = Done),
        (status = 401, description = "Nobody is signed in."), (status = 403, description = "Not an admin of it."),
        (status = 404, description = "No such team or member.")))]
pub(super) async fn remove_team_member(
    State(identity): State<Identity>,
    account: Account,
    Path((org, team, username)): Path<(String, String, String)>,
) -> Result<Json<Done>, Failure> {
    identity.remove_team_member(&account.caller, &org, &team, &username).await?;
    Ok(DONE)
}
