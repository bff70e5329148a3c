//! `/-/package/{name}/dist-tags`.

use std::collections::BTreeMap;

use axum::body::Body;
use http::{HeaderMap, StatusCode};
use identity::Caller;

use super::answer::{Answer, Refusal, done, packed};
use super::upload::small;
use crate::registry::Registry;
use crate::tags::TagChange;
use crate::{Ecosystem, NpmName};

/// The most bytes of a body: a version, or a map of tags.
const MAX_BODY: usize = 64 << 10;

pub(super) async fn list(registry: &Registry, by: &Caller, headers: &HeaderMap, name: &NpmName) -> Answer {
    let tags = registry.tags(by, Ecosystem::Npm, name.as_str()).await?;
    Ok(packed(headers, serde_json::to_vec(&tags).unwrap_or_default()))
}

/// The body is one version as a JSON text.
pub(super) async fn set(registry: &Registry, by: &Caller, name: &NpmName, tag: String, body: Body) -> Answer {
    by.account()?;
    let version: String = read(body, "Send the version as a JSON text: \"1.0.0\".").await?;
    change(registry, by, name, TagChange::Set(BTreeMap::from([(tag, version)]))).await
}

/// The body is a map of tags to versions.
pub(super) async fn set_many(
    registry: &Registry,
    by: &Caller,
    name: &NpmName,
    replace: bool,
    body: Body,
) -> Answer {
    by.account()?;
    let tags = read(body, "Send the tags as a JSON object: {\"next\": \"1.0.0\"}.").await?;
    let tags = if replace { TagChange::Replace(tags) } else { TagChange::Set(tags) };
    change(registry, by, name, tags).await
}

pub(super) async fn remove(registry: &Registry, by: &Caller, name: &NpmName, tag: String) -> Answer {
    change(registry, by, name, TagChange::Remove(tag)).await
}

async fn change(registry: &Registry, by: &Caller, name: &NpmName, change: TagChange) -> Answer {
    let changed = registry.change_tags(by, Ecosystem::Npm, name.as_str(), change).await?;
    Ok(done(StatusCode::OK, name.as_str(), &changed))
}

async fn read<T: serde::de::DeserializeOwned>(body: Body, hint: &'static str) -> Result<T, Refusal> {
    let text = small(body, MAX_BODY).await?;
    serde_json::from_slice(&text).map_err(|_| Refusal::malformed(hint))
}
