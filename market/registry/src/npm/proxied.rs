//! What is not here and uplinks have. They are asked only after a local miss.

use axum::body::Body;
use axum::response::Response;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use kernel::Timestamp;

use super::answer::{Answer, packed};
use super::ready::Ready;
use crate::documents::{Base, Form};
use crate::package::Access;
use crate::registry::Registry;
use crate::uplink::{StoredTarball, Tarball};
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
        plain: &document.plain,
        gzip: document.gzip.as_ref(),
        last_modified: document.last_modified.as_ref(),
        cache_control: HeaderValue::from_static("no-cache"),
        vary: HeaderValue::from_static("accept, accept-encoding"),
    };
    Ok(ready.send(headers))
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
    let mut response = match found.ok_or(RegistryError::NotFound)? {
        Tarball::Stored(stored) => self::stored(registry, method, headers, stored).await?,
        Tarball::Arriving { size_bytes, body } => {
            let mut response = Response::new(Body::from_stream(body));
            if let Some(size_bytes) = size_bytes {
                response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(size_bytes));
            }
            response
        }
    };
    if method != Method::HEAD && response.status() == StatusCode::OK {
        uplinks.count_download(name, file, now);
    }
    let answer = response.headers_mut();
    answer.insert(header::CACHE_CONTROL, HeaderValue::from_static(CACHE_FILE));
    answer.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    Ok(response)
}

async fn stored(
    registry: &Registry,
    method: &Method,
    headers: &HeaderMap,
    stored: StoredTarball,
) -> Result<Response, RegistryError> {
    let etag = HeaderValue::from_str(&format!("\"{}\"", stored.sha256));
    let etag = etag.unwrap_or_else(|_| HeaderValue::from_static("\"\""));
    let unchanged = headers.get(header::IF_NONE_MATCH) == Some(&etag);
    let body = if unchanged || method == Method::HEAD {
        Body::empty()
    } else {
        let blob = registry.blobs().read(stored.sha256).await?;
        match blob.bytes() {
            Some(bytes) => Body::from(bytes.clone()),
            None => Body::new(blob.body().await?),
        }
    };
    let mut response = Response::new(body);
    response.headers_mut().insert(header::ETAG, etag);
    if unchanged {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    } else {
        response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(stored.size_bytes));
    }
    Ok(response)
}
