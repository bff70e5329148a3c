//! PUT and DELETE of a package: what is meant is read from the body.

use std::collections::BTreeSet;

use axum::body::Body;
use http::StatusCode;
use identity::Caller;

use super::answer::{Answer, Refusal, done, ok};
use super::document::{Meaning, PutDocument};
use super::{publish, upload};
use crate::owners::OwnerChange;
use crate::registry::{Registry, changed};
use crate::{Ecosystem, NpmName, RegistryError};

/// `PUT /{name}` and `PUT /{name}/-rev/{rev}`.
pub(super) async fn put(
    registry: &Registry,
    by: &Caller,
    name: &NpmName,
    rev: Option<String>,
    body: Body,
) -> Answer {
    by.account()?;
    let received = upload::receive(registry, by, Some(name), body).await?;
    let document = PutDocument::parse(&received.document).map_err(RegistryError::Malformed)?;
    let changed = match (document.meaning(), rev) {
        (Some(Meaning::Publish), None) => {
            return publish::publish(registry, by, name, &document, received.tarball).await;
        }
        (Some(Meaning::Versions), None) => {
            let messages = document.deprecations().map_err(RegistryError::Malformed)?;
            registry.deprecate(by, Ecosystem::Npm, name.as_str(), messages, document.rev.clone()).await?
        }
        (Some(Meaning::Versions), Some(rev)) => keep_versions(registry, by, name, document, rev).await?,
        (Some(Meaning::Maintainers), rev) => {
            let rev = rev.or(document.rev.clone()).ok_or(RegistryError::Stale)?;
            let names = document.maintainers.into_iter().flatten().map(|person| person.name).collect();
            registry.change_owners(by, Ecosystem::Npm, name.as_str(), OwnerChange::Set(names, rev)).await?
        }
        (Some(Meaning::Users), _) => star(registry, by, name, &document).await?,
        (Some(Meaning::Publish), Some(_)) | (None, _) => {
            return Err(Refusal::malformed(
                "The document asks for nothing that is known: it has no _attachments, versions, maintainers or users.",
            ));
        }
    };
    Ok(done(StatusCode::OK, name.as_str(), &changed))
}

/// Only the caller's own key counts.
async fn star(
    registry: &Registry,
    by: &Caller,
    name: &NpmName,
    document: &PutDocument<'_>,
) -> Result<crate::Changed, RegistryError> {
    let username = &by.account()?.username;
    let starred = document.users.iter().flatten().any(|(user, starred)| **user == **username && *starred);
    let package = registry.star(by, Ecosystem::Npm, name.as_str(), starred).await?;
    Ok(changed(&package))
}

/// Removes the versions that the document does not have any more.
async fn keep_versions(
    registry: &Registry,
    by: &Caller,
    name: &NpmName,
    document: PutDocument<'_>,
    rev: String,
) -> Result<crate::Changed, RegistryError> {
    let kept: BTreeSet<String> =
        document.versions.into_iter().flatten().map(|(version, _)| version).collect();
    registry.unpublish_others(by, Ecosystem::Npm, name.as_str(), kept, document.dist_tags, rev).await
}

/// `DELETE /{name}/-rev/{rev}`.
pub(super) async fn delete(registry: &Registry, by: &Caller, name: &NpmName, rev: String) -> Answer {
    registry.unpublish(by, Ecosystem::Npm, name.as_str(), rev).await?;
    Ok(ok())
}

/// `DELETE /{name}/-/{file}/-rev/{rev}`: the second half of unpublishing a version; the first has removed the file.
pub(super) async fn delete_tarball(registry: &Registry, by: &Caller, name: &NpmName, file: &str) -> Answer {
    by.account()?;
    registry.collaborators(by, Ecosystem::Npm, name.as_str()).await?;
    let files = registry.package_files(Ecosystem::Npm, name.as_str()).await?;
    let file = file.rsplit_once('/').map_or(file, |(_, file)| file);
    if files.by_name.contains_key(file) {
        return Err(Refusal::malformed(
            "A tarball is removed with its version: take the version out of the document first.",
        ));
    }
    Ok(ok())
}
