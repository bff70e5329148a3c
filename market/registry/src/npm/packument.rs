//! Reading packages: packuments and single manifests.

use axum::response::Response;
use http::{HeaderMap, HeaderValue, header};
use identity::Caller;
use store::{Tx, args};

use super::Visitor;
use super::answer::{Answer, packed};
use super::proxied;
use super::ready::Ready;
use crate::access;
use crate::documents::{Base, Document, Form, Fragment, front, full, manifest, tags};
use crate::package::{Access, Package};
use crate::registry::Registry;
use crate::{Ecosystem, NpmName, RegistryError, sql, stars};

const ABBREVIATED: &str = "application/vnd.npm.install-v1+json";

/// `GET /{name}`: bytes from memory, unless the package changed since they were asked for.
pub(super) async fn packument(
    registry: &Registry,
    visitor: &Visitor<'_>,
    base: &Base,
    headers: &HeaderMap,
    name: &NpmName,
) -> Answer {
    let form = wanted_form(headers);
    let document = match registry.document(Ecosystem::Npm, form, base, name.as_str()).await {
        Err(RegistryError::NotFound) => {
            let by = visitor.caller().await?;
            return proxied::packument(registry, &by, base, headers, form, name).await;
        }
        document => document?,
    };
    if document.package.access != Access::Public {
        check_reader(registry, &visitor.caller().await?, &document.package).await?;
    }
    Ok(send(headers, &document).await)
}

/// Whether the caller may read a package that is not public: asked anew each time, so that it counts at once when
/// somebody leaves a team.
pub(super) async fn check_reader(
    registry: &Registry,
    by: &Caller,
    package: &Package,
) -> Result<(), RegistryError> {
    let (by, package) = (by.clone(), package.clone());
    let look = async move |tx: &mut Tx| Ok::<_, RegistryError>(access::may_read(tx, &by, &package).await?);
    if registry.store().read(look).await? { Ok(()) } else { Err(RegistryError::NotFound) }
}

/// The form that the client asks for: the one it names first, and everything when it does not care.
fn wanted_form(headers: &HeaderMap) -> Form {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let abbreviated = accept.split(',').any(|one| {
        let mut parts = one.split(';').map(str::trim);
        parts.next() == Some(ABBREVIATED) && !parts.any(|part| part == "q=0")
    });
    if abbreviated { Form::Abbreviated } else { Form::Full }
}

async fn send(asked: &HeaderMap, document: &Document) -> Response {
    let ready = Ready {
        content_type: &document.content_type,
        encodings: &document.encodings,
        last_modified: Some(&document.last_modified),
        cache_control: document.cache_control.clone(),
        vary: vary(document.package.access),
    };
    ready.send(asked).await
}

/// What the answer depends on beside the address.
fn vary(access: Access) -> HeaderValue {
    HeaderValue::from_static(match access {
        Access::Public => "accept, accept-encoding",
        _ => "accept, accept-encoding, authorization",
    })
}

/// `GET /{name}?write=true`: the full form straight from the database, with who starred it, for a client that is
/// about to send it back changed.
pub(super) async fn packument_to_write(
    registry: &Registry,
    by: &Caller,
    base: &Base,
    headers: &HeaderMap,
    name: &NpmName,
) -> Answer {
    let (caller, name) = (by.clone(), name.clone());
    let look = async move |tx: &mut Tx| {
        let package = access::find(tx, &caller, Ecosystem::Npm, name.as_str()).await?;
        let tags = tags(tx, &package).await?;
        let releases: Vec<Fragment> = tx.all(&sql::LIST_FULL, args![package.id]).await?;
        let mut front = front(tx, &package).await?;
        front.users = Some(stars::starrers(tx, &package.id).await?);
        Ok::<_, RegistryError>((package, tags, releases, front))
    };
    let (package, tags, releases, front) = registry.store().read(look).await?;
    Ok(packed(headers, full(&package, &tags, &releases, &front, base)))
}

/// `GET /{name}/{version or tag}`.
pub(super) async fn one_version(
    registry: &Registry,
    by: &Caller,
    base: &Base,
    headers: &HeaderMap,
    name: &NpmName,
    selector: &str,
) -> Answer {
    let (caller, wanted, key) = (by.clone(), name.clone(), selector.to_owned());
    let look = async move |tx: &mut Tx| {
        let package = access::find(tx, &caller, Ecosystem::Npm, wanted.as_str()).await?;
        let tagged: Option<(String,)> = tx.first(&sql::FIND_TAG, args![package.id, key]).await?;
        let version = tagged.map_or_else(|| key.clone(), |(version,)| version);
        let release: Option<Fragment> = tx.first(&sql::FIND_FULL, args![package.id, version]).await?;
        let release = release.ok_or_else(|| RegistryError::NoVersion(key.clone()))?;
        Ok::<_, RegistryError>((package, release))
    };
    match registry.store().read(look).await {
        Err(RegistryError::NotFound) => proxied::manifest(registry, by, base, headers, name, selector).await,
        found => {
            let (package, release) = found?;
            Ok(packed(headers, manifest(&package, &release, base)))
        }
    }
}
