//! Stars, in the three ways that clients ask.

use axum::body::Body;
use http::StatusCode;
use identity::Caller;
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::{Answer, Refusal, json, ok};
use super::body::read;
use crate::registry::Registry;
use crate::{Ecosystem, NpmName, RegistryError};

#[derive(Deserialize)]
struct Starred {
    #[serde(alias = "package")]
    name: String,
}

/// `PUT` and `DELETE /-/user/v1/star`.
pub(super) async fn star(registry: &Registry, by: &Caller, starred: bool, body: Body) -> Answer {
    // pnpm sends the name twice, as `name` and as `package`.
    let wanted: Value = read(body).await?;
    let name = wanted.get("name").or(wanted.get("package")).cloned().unwrap_or_default();
    let wanted: Starred = serde_json::from_value(json!({"name": name}))
        .map_err(|_| Refusal::malformed("Name the package: {\"name\": \"@scope/name\"}."))?;
    let name = parse(&wanted.name)?;
    registry.star(by, Ecosystem::Npm, name.as_str(), starred).await?;
    Ok(ok())
}

/// `GET /-/user/v1/star` and `GET /-/user/{user}/stars`.
pub(super) async fn list(registry: &Registry, by: &Caller, user: &str) -> Answer {
    Ok(json(StatusCode::OK, &json!(registry.stars_of(by, Ecosystem::Npm, user).await?)))
}

/// `GET /-/_view/starredByUser?key="ada"`.
pub(super) async fn by_user(registry: &Registry, by: &Caller, query: Option<&str>) -> Answer {
    let user = key(query)?;
    let names = registry.stars_of(by, Ecosystem::Npm, &user).await?;
    let rows: Vec<Value> = names.iter().map(|name| json!({"id": name, "key": user, "value": name})).collect();
    Ok(json(StatusCode::OK, &json!({"rows": rows})))
}

/// `GET /-/_view/starredByPackage?key="name"`.
pub(super) async fn by_package(registry: &Registry, by: &Caller, query: Option<&str>) -> Answer {
    let name = parse(&key(query)?)?;
    let users = registry.starrers(by, Ecosystem::Npm, name.as_str()).await?;
    let rows: Vec<Value> =
        users.iter().map(|user| json!({"id": name.as_str(), "key": name.as_str(), "value": user})).collect();
    Ok(json(StatusCode::OK, &json!({"rows": rows})))
}

fn parse(name: &str) -> Result<NpmName, Refusal> {
    Ok(NpmName::parse(name).map_err(|error| RegistryError::Malformed(error.to_string()))?)
}

/// The key of a view: a JSON text in the query.
fn key(query: Option<&str>) -> Result<String, Refusal> {
    let mut pairs = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    let text = pairs.find(|(name, _)| name == "key").map(|(_, text)| text.into_owned());
    let text = text.ok_or_else(|| Refusal::malformed("Say whose: ?key=\"name\"."))?;
    Ok(serde_json::from_str(&text).unwrap_or(text))
}
