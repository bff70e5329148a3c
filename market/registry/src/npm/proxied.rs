//! What is not here and uplinks have. They are asked only after a local miss.

use axum::body::Body;
use axum::response::Response;
use http::{HeaderMap, HeaderValue, Method, header};
use identity::Caller;
use kernel::Timestamp;

use super::answer::{Answer, packed};
use super::file::{File, begins_download};
use super::ready::Ready;
use crate::documents::{Base, Form};
use crate::package::Access;
use crate::registry::Registry;
use crate::uplink::{Binding, Tarball};
use crate::{NpmName, RegistryError};

/// A version's file never changes. Not `public` in the sense of everybody: what an uplink gives us by its token is
/// for those who may come here.
const CACHE_FILE: &str = "max-age=31536000, immutable";
/// The same, for who is signed in: policies of organisations decide over each reader anew.
const CACHE_FILE_PRIVATE: &str = "private, max-age=31536000, immutable";

/// Who reads what is upstream: the policies that bind it, and what caches between us may do with the answer.
pub(super) struct Reader {
    binding: Binding,
    is_signed_in: bool,
    now: Timestamp,
}

impl Reader {
    pub(super) async fn of(registry: &Registry, by: &Caller) -> Result<Self, RegistryError> {
        // Without uplinks nothing is bound by anything.
        let binding = match registry.uplinks() {
            Some(_) => registry.binding(by).await?,
            None => Binding::default(),
        };
        Ok(Self { binding, is_signed_in: by.actor.is_some(), now: by.now() })
    }

    /// Where tarballs are fetched from. A content delivery network does not ask us who reads, so whoever is bound
    /// comes here.
    fn tarballs<'b>(&self, base: &'b Base) -> &'b str {
        base.tarballs(if self.binding.is_free() { Access::Public } else { Access::Private })
    }

    const fn cache_document(&self) -> HeaderValue {
        HeaderValue::from_static(if self.is_signed_in { "private, no-cache" } else { "no-cache" })
    }

    const fn cache_file(&self) -> &'static str {
        if self.is_signed_in { CACHE_FILE_PRIVATE } else { CACHE_FILE }
    }
}

/// `GET /{name}`
pub(super) async fn packument(
    registry: &Registry,
    by: &Caller,
    base: &Base,
    headers: &HeaderMap,
    form: Form,
    name: &NpmName,
) -> Answer {
    let uplinks = registry.uplinks().ok_or(RegistryError::NotFound)?;
    let reader = Reader::of(registry, by).await?;
    let found = uplinks.packument(name, form, reader.tarballs(base), &reader.binding, reader.now).await?;
    let document = found.ok_or(RegistryError::NotFound)?;
    let ready = Ready {
        content_type: &document.content_type,
        encodings: &document.encodings,
        last_modified: document.last_modified.as_ref(),
        cache_control: reader.cache_document(),
        vary: HeaderValue::from_static("accept, accept-encoding, authorization, cookie"),
    };
    Ok(ready.send(headers).await)
}

/// `GET /{name}/{version or tag}`
pub(super) async fn manifest(
    registry: &Registry,
    by: &Caller,
    base: &Base,
    headers: &HeaderMap,
    name: &NpmName,
    selector: &str,
) -> Answer {
    let uplinks = registry.uplinks().ok_or(RegistryError::NotFound)?;
    let reader = Reader::of(registry, by).await?;
    let found =
        uplinks.packument(name, Form::Full, reader.tarballs(base), &reader.binding, reader.now).await?;
    let document = found.ok_or(RegistryError::NotFound)?;
    let manifest =
        document.manifest(selector).ok_or_else(|| RegistryError::NoVersion(selector.to_owned()))?;
    Ok(packed(headers, manifest))
}

/// `GET /{name}/-/{file}`
pub(super) async fn tarball(
    registry: &Registry,
    by: &Caller,
    method: &Method,
    headers: &HeaderMap,
    name: &NpmName,
    file: &str,
) -> Answer {
    let uplinks = registry.uplinks().ok_or(RegistryError::NotFound)?;
    let reader = Reader::of(registry, by).await?;
    let cache_control = reader.cache_file();
    let found = uplinks.tarball(name, file, &reader.binding, reader.now).await?;
    let mut response = match found.ok_or(RegistryError::NotFound)? {
        Tarball::Stored(stored) => {
            let file = File { sha256: stored.sha256, size_bytes: stored.size_bytes, cache_control };
            file.send(registry.blobs(), method, headers).await?
        }
        Tarball::Arriving { size_bytes, body } => {
            arriving(size_bytes, cache_control, Body::from_stream(body))
        }
    };
    if begins_download(method, &response) {
        uplinks.count_download(name, file, reader.now);
    }
    // What a cache keeps of a stranger's answer is for strangers.
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("authorization, cookie"));
    Ok(response)
}

/// What is still on its way from the uplink is given whole, whatever part was asked for.
fn arriving(size_bytes: Option<u64>, cache_control: &'static str, body: Body) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    if let Some(size_bytes) = size_bytes {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(size_bytes));
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache_control));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    response
}
