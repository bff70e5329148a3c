//! What is not here and uplinks have. They are asked only after a local miss.

use axum::body::Body;
use axum::response::Response;
use http::{HeaderMap, HeaderValue, Method, header};
use kernel::Timestamp;

use super::answer::{Answer, packed};
use super::file::{File, begins_download};
use super::ready::Ready;
use crate::documents::{Base, Form};
use crate::package::Access;
use crate::registry::Registry;
use crate::uplink::Tarball;
use crate::{NpmName, RegistryError};

/// A version's file never changes. Not `public` in the sense of everybody: what an uplink gives us by its token is
/// for those who may come here.
const CACHE_FILE: &str = "max-age=31536000, immutable";

/// `GET /{name}`
pub(super) async fn packument(
    registry: &Registry,
    now: Timestamp,
    base: &Base,
    headers: &HeaderMap,
    form: Form,
    name: &NpmName,
) -> Answer {
    let uplinks = registry.uplinks().ok_or(RegistryError::NotFound)?;
    let found = uplinks.packument(name, form, base.tarballs(Access::Public), now).await?;
    let document = found.ok_or(RegistryError::NotFound)?;
    let ready = Ready {
        content_type: &document.content_type,
        encodings: &document.encodings,
        last_modified: document.last_modified.as_ref(),
        cache_control: HeaderValue::from_static("no-cache"),
        vary: HeaderValue::from_static("accept, accept-encoding"),
    };
    Ok(ready.send(headers).await)
}

/// `GET /{name}/{version or tag}`
pub(super) async fn manifest(
    registry: &Registry,
    now: Timestamp,
    base: &Base,
    headers: &HeaderMap,
    name: &NpmName,
    selector: &str,
) -> Answer {
    let uplinks = registry.uplinks().ok_or(RegistryError::NotFound)?;
    let found = uplinks.packument(name, Form::Full, base.tarballs(Access::Public), now).await?;
    let document = found.ok_or(RegistryError::NotFound)?;
    let manifest =
        document.manifest(selector).ok_or_else(|| RegistryError::NoVersion(selector.to_owned()))?;
    Ok(packed(headers, manifest))
}

/// `GET /{name}/-/{file}`
pub(super) async fn tarball(
    registry: &Registry,
    now: Timestamp,
    method: &Method,
    headers: &HeaderMap,
    name: &NpmName,
    file: &str,
) -> Answer {
    let uplinks = registry.uplinks().ok_or(RegistryError::NotFound)?;
    let found = uplinks.tarball(name, file, now).await?;
    let response = match found.ok_or(RegistryError::NotFound)? {
        Tarball::Stored(stored) => {
            let file =
                File { sha256: stored.sha256, size_bytes: stored.size_bytes, cache_control: CACHE_FILE };
            file.send(registry.blobs(), method, headers).await?
        }
        Tarball::Arriving { size_bytes, body } => arriving(size_bytes, Body::from_stream(body)),
    };
    if begins_download(method, &response) {
        uplinks.count_download(name, file, now);
    }
    Ok(response)
}

/// What is still on its way from the uplink is given whole, whatever part was asked for.
fn arriving(size_bytes: Option<u64>, body: Body) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    if let Some(size_bytes) = size_bytes {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(size_bytes));
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(CACHE_FILE));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    response
}
