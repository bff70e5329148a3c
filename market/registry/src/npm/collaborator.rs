//! Who may do what: visibility, access, collaborators, owners, lists of packages, grants to teams.

use std::collections::BTreeMap;

use axum::body::Body;
use http::StatusCode;
use identity::Caller;
use identity::orgs::Grant;
use serde::Deserialize;
use serde_json::json;

use super::answer::{Answer, Refusal, done, json, ok};
use super::body::read;
use crate::owners::OwnerChange;
use crate::package::Access;
use crate::registry::Registry;
use crate::{Ecosystem, NpmName, RegistryError};

const NPM: Ecosystem = Ecosystem::Npm;

pub(super) async fn visibility(registry: &Registry, by: &Caller, name: &NpmName) -> Answer {
    let access = registry.visibility(by, NPM, name.as_str()).await?;
    Ok(json(StatusCode::OK, &json!({"public": access == Access::Public})))
}

#[derive(Deserialize)]
struct AccessChange {
    access: Option<String>,
    publish_requires_tfa: Option<bool>,
}

/// `POST /-/package/{name}/access`.
pub(super) async fn set_access(registry: &Registry, by: &Caller, name: &NpmName, body: Body) -> Answer {
    let change: AccessChange = read(body).await?;
    if change.publish_requires_tfa.is_some() {
        return Err(Refusal::malformed(
            "A second factor is required by the account or by the organisation here, not by the package.",
        ));
    }
    let access = match change.access.as_deref() {
        Some("public") => Access::Public,
        Some("restricted") => Access::Organisation,
        Some("private") => Access::Private,
        _ => return Err(Refusal::malformed("Choose public or restricted as access.")),
    };
    if access != Access::Public && name.scope().is_none() {
        return Err(Refusal::malformed("Only scoped packages can be restricted: call it @scope/name."));
    }
    let changed = registry.set_access(by, NPM, name.as_str(), access).await?;
    Ok(done(StatusCode::OK, name.as_str(), &changed))
}

/// `GET /-/package/{name}/collaborators`.
pub(super) async fn collaborators(registry: &Registry, by: &Caller, name: &NpmName) -> Answer {
    let roles = registry.collaborators(by, NPM, name.as_str()).await?;
    let words: BTreeMap<String, &str> = roles.into_keys().map(|username| (username, "write")).collect();
    Ok(json(StatusCode::OK, &json!(words)))
}

/// `GET /-/package/{name}/owners`.
pub(super) async fn owners(registry: &Registry, by: &Caller, name: &NpmName) -> Answer {
    let owners = registry.owners(by, NPM, name.as_str()).await?;
    let people: Vec<_> = owners.iter().map(|username| json!({"username": username, "email": ""})).collect();
    Ok(json(StatusCode::OK, &json!(people)))
}

#[derive(Deserialize)]
struct NewOwner {
    user: String,
}

/// `PUT /-/package/{name}/owners`.
pub(super) async fn add_owner(registry: &Registry, by: &Caller, name: &NpmName, body: Body) -> Answer {
    let new: NewOwner = read(body).await?;
    change(registry, by, name, OwnerChange::Add(new.user)).await
}

/// `DELETE /-/package/{name}/owners/{user}`.
pub(super) async fn remove_owner(registry: &Registry, by: &Caller, name: &NpmName, user: String) -> Answer {
    change(registry, by, name, OwnerChange::Remove(user)).await
}

async fn change(registry: &Registry, by: &Caller, name: &NpmName, change: OwnerChange) -> Answer {
    let changed = registry.change_owners(by, NPM, name.as_str(), change).await?;
    Ok(done(StatusCode::OK, name.as_str(), &changed))
}

/// `GET /-/user/{user}/package`.
pub(super) async fn of_user(registry: &Registry, by: &Caller, user: &str) -> Answer {
    Ok(list(&registry.packages_of_user(by, NPM, user).await?))
}

/// `GET /-/org/{org}/package`; 404 where there is no such organisation makes npm ask for a user.
pub(super) async fn of_org(registry: &Registry, by: &Caller, org: &str) -> Answer {
    Ok(list(&registry.packages_of_org(by, NPM, org).await?))
}

/// `GET /-/team/{org}/{team}/package`.
pub(super) async fn of_team(registry: &Registry, by: &Caller, org: &str, team: &str) -> Answer {
    Ok(list(&registry.packages_of_team(by, NPM, org, team).await?))
}

fn list(packages: &BTreeMap<String, Grant>) -> axum::response::Response {
    let words: BTreeMap<&String, &str> = packages.iter().map(|(name, grant)| (name, grant.name())).collect();
    json(StatusCode::OK, &json!(words))
}

#[derive(Deserialize)]
struct GrantChange {
    package: String,
    permissions: Option<String>,
}

/// `PUT` and `DELETE /-/team/{org}/{team}/package`.
pub(super) async fn grant(
    registry: &Registry,
    by: &Caller,
    org: &str,
    team: &str,
    granted: bool,
    body: Body,
) -> Answer {
    let change: GrantChange = read(body).await?;
    let name =
        NpmName::parse(&change.package).map_err(|error| RegistryError::Malformed(error.to_string()))?;
    let words = change.permissions.as_deref().unwrap_or("read-only");
    let grant = words.parse::<Grant>().map_err(Refusal::malformed)?;
    registry.grant(by, (org, team), NPM, name.as_str(), granted.then_some(grant)).await?;
    Ok(ok())
}
