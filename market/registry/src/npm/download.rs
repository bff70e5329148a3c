//! Tarballs and attestations.

use http::{HeaderMap, Method, StatusCode};
use identity::Caller;
use store::{Tx, args};

use super::Visitor;
use super::answer::{Answer, bytes};
use super::file::{File, begins_download};
use super::packument::check_reader;
use super::proxied;
use crate::package::Access;
use crate::registry::Registry;
use crate::{Ecosystem, NpmName, RegistryError, access, sql};

/// A version's file never changes: a version that was published cannot be published again.
const PUBLIC: &str = "public, max-age=31536000, immutable";
const PRIVATE: &str = "private, max-age=31536000, immutable";

/// `GET /{name}/-/{file}`.
pub(super) async fn tarball(
    registry: &Registry,
    visitor: &Visitor<'_>,
    method: &Method,
    headers: &HeaderMap,
    name: &NpmName,
    file: &str,
) -> Answer {
    let files = match registry.package_files(Ecosystem::Npm, name.as_str()).await {
        Err(RegistryError::NotFound) => {
            let by = visitor.caller().await?;
            return proxied::tarball(registry, &by, method, headers, name, file).await;
        }
        files => files?,
    };
    let package = &files.package;
    if package.access != Access::Public {
        check_reader(registry, &visitor.caller().await?, package).await?;
    }
    let stored = files.by_name.get(file).ok_or(RegistryError::NoPart("file"))?;
    let cache_control = if package.access == Access::Public { PUBLIC } else { PRIVATE };
    let sent = File { sha256: stored.sha256, size_bytes: stored.size_bytes, cache_control };
    let response = sent.send(registry.blobs(), method, headers).await?;
    if begins_download(method, &response) {
        registry.downloads().count(&package.id, &stored.version, visitor.ctx.now);
    }
    Ok(response)
}

/// `GET /-/npm/v1/attestations/{name}@{version}`: the bundle as it was published.
pub(super) async fn attestations(registry: &Registry, by: &Caller, name: &NpmName, version: &str) -> Answer {
    let (caller, name, version) = (by.clone(), name.clone(), version.to_owned());
    let look = async move |tx: &mut Tx| {
        let package = access::find(tx, &caller, Ecosystem::Npm, name.as_str()).await?;
        let row: Option<(Option<String>, String)> =
            tx.first(&sql::FIND_ATTESTATION, args![package.id, version]).await?;
        row.ok_or(RegistryError::NoPart("attestation"))
    };
    let (predicate, bundle) = registry.store().read(look).await?;
    let predicate = serde_json::to_string(&predicate.unwrap_or_default()).unwrap_or_default();
    let body = format!("{{\"attestations\":[{{\"predicateType\":{predicate},\"bundle\":{bundle}}}]}}");
    Ok(bytes(StatusCode::OK, body.into()))
}
