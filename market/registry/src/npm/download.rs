//! Tarballs and attestations.

use axum::body::Body;
use axum::response::Response;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use identity::Caller;
use store::{Tx, args};

use super::Visitor;
use super::answer::{Answer, bytes};
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
            return proxied::tarball(registry, by.now(), method, headers, name, file).await;
        }
        files => files?,
    };
    let package = &files.package;
    if package.access != Access::Public {
        check_reader(registry, &visitor.caller().await?, package).await?;
    }
    let stored = files.by_name.get(file).ok_or(RegistryError::NoPart("file"))?;
    let etag = HeaderValue::from_str(&format!("\"{}\"", stored.sha256));
    let etag = etag.unwrap_or_else(|_| HeaderValue::from_static("\"\""));
    let unchanged = headers.get(header::IF_NONE_MATCH) == Some(&etag);
    let body = if unchanged || method == Method::HEAD {
        Body::empty()
    } else {
        registry.downloads().count(&package.id, &stored.version, visitor.ctx.now);
        let blob = registry.blobs().read(stored.sha256).await.map_err(RegistryError::from)?;
        match blob.bytes() {
            Some(bytes) => Body::from(bytes.clone()),
            None => Body::new(blob.body().await.map_err(RegistryError::from)?),
        }
    };
    let mut response = Response::new(body);
    let cache = if package.access == Access::Public { PUBLIC } else { PRIVATE };
    let answer = response.headers_mut();
    answer.insert(header::ETAG, etag);
    answer.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    if unchanged {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return Ok(response);
    }
    answer.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    answer.insert(header::CONTENT_LENGTH, HeaderValue::from(stored.size_bytes));
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
