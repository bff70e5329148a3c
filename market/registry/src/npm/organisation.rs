//! Organisations and teams: everything is a use case of `identity`.

use std::collections::BTreeMap;

use axum::body::Body;
use http::StatusCode;
use identity::orgs::OrgRole;
use identity::{Caller, Identity};
use serde::Deserialize;
use serde_json::json;

use super::answer::{Answer, Refusal, json, ok};
use super::body::read;

/// npm's word for a role.
const fn word(role: OrgRole) -> &'static str {
    match role {
        OrgRole::Member => "developer",
        OrgRole::Admin => "admin",
        OrgRole::Owner => "owner",
    }
}

pub(super) async fn members(identity: &Identity, by: &Caller, org: &str) -> Answer {
    let members = identity.members(by, org).await?;
    let words: BTreeMap<_, _> = members.iter().map(|member| (&member.username, word(member.role))).collect();
    Ok(json(StatusCode::OK, &json!(words)))
}

#[derive(Deserialize)]
struct Membership {
    user: String,
    role: Option<String>,
}

pub(super) async fn set_member(identity: &Identity, by: &Caller, org: &str, body: Body) -> Answer {
    let wanted: Membership = read(body).await?;
    let role =
        wanted.role.as_deref().unwrap_or("developer").parse::<OrgRole>().map_err(Refusal::malformed)?;
    let member = identity.set_member(by, org, name(&wanted.user), role).await?;
    let size = identity.members(by, org).await?.len();
    let answer =
        json!({"org": {"name": org, "size": size}, "user": member.username, "role": word(member.role)});
    Ok(json(StatusCode::OK, &answer))
}

pub(super) async fn remove_member(identity: &Identity, by: &Caller, org: &str, body: Body) -> Answer {
    let gone: Membership = read(body).await?;
    identity.remove_member(by, org, name(&gone.user)).await?;
    Ok(ok())
}

pub(super) async fn teams(identity: &Identity, by: &Caller, org: &str) -> Answer {
    let teams = identity.teams(by, org).await?;
    let names: Vec<String> = teams.iter().map(|team| format!("{org}:{}", team.name)).collect();
    Ok(json(StatusCode::OK, &json!(names)))
}

#[derive(Deserialize)]
struct NewTeam {
    name: String,
    #[serde(default)]
    description: Option<String>,
}

pub(super) async fn create_team(identity: &Identity, by: &Caller, org: &str, body: Body) -> Answer {
    let new: NewTeam = read(body).await?;
    let team = identity.create_team(by, org, &new.name, &new.description.unwrap_or_default()).await?;
    Ok(json(StatusCode::CREATED, &json!({"name": team.name, "description": team.description})))
}

pub(super) async fn delete_team(identity: &Identity, by: &Caller, org: &str, team: &str) -> Answer {
    identity.delete_team(by, org, team).await?;
    Ok(ok())
}

pub(super) async fn team_members(identity: &Identity, by: &Caller, org: &str, team: &str) -> Answer {
    let members = identity.team_members(by, org, team).await?;
    let names: Vec<&String> = members.iter().map(|member| &member.username).collect();
    Ok(json(StatusCode::OK, &json!(names)))
}

/// Adds or removes the account that the body names.
pub(super) async fn change_team(
    identity: &Identity,
    by: &Caller,
    org: &str,
    team: &str,
    added: bool,
    body: Body,
) -> Answer {
    let wanted: Membership = read(body).await?;
    if added {
        identity.add_team_member(by, org, team, name(&wanted.user)).await?;
    } else {
        identity.remove_team_member(by, org, team, name(&wanted.user)).await?;
    }
    Ok(ok())
}

/// People write `@ada` as well as `ada`.
fn name(user: &str) -> &str {
    user.trim_start_matches('@')
}
