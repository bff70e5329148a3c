//! A publish over the JSON API: npm's own document, or a few fields with the address of a tarball.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use identity::Caller;
use kernel::Problem;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use store::Tx;
use utoipa::ToSchema;
use web::idempotency::{self, Key, Stored};

use super::document::PutDocument;
use super::publish::release;
use super::upload::{self, Tarball};
use crate::api::fetch;
use crate::publish::{self, NewRelease};
use crate::registry::Registry;
use crate::{NpmName, RegistryError};

/// A new version. The manifest is the `package.json` in the tarball; what is said here beside it must not differ.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct NewVersion {
    /// `name` or `@scope/name`.
    name: String,
    /// The version, strict SemVer.
    version: String,
    /// Where the tarball is: https, at a public address.
    tarball: String,
    /// One line about it, where `package.json` has none.
    description: Option<String>,
    /// The licence, where `package.json` has none.
    license: Option<Value>,
    /// As in `package.json`.
    dependencies: Option<Map<String, Value>>,
    /// Keywords, where `package.json` has none.
    keywords: Option<Vec<String>>,
    /// The tag that points to it: `latest` where absent.
    tag: Option<String>,
    /// `public`, `private` or `restricted`.
    access: Option<String>,
}

/// What was published.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Published {
    /// The package's id.
    id: String,
    name: String,
    version: String,
}

/// Publishes what the body says, once for each key.
///
/// # Errors
/// What is wrong with it, and what [`Registry::publish`] says.
pub(crate) async fn publish(
    registry: &Registry,
    by: &Caller,
    key: Key,
    body: Body,
) -> Result<Response, Problem> {
    let upload = upload::receive(registry, by, None, body).await.map_err(|refusal| refusal.0)?;
    let release = match upload.tarball {
        Some(tarball) => {
            let document = PutDocument::parse(&upload.document).map_err(RegistryError::Malformed)?;
            let name = document.name.as_deref().or(document.id.as_deref()).unwrap_or_default();
            let name = checked(name)?;
            prepared(by, &name, &document, tarball)?
        }
        None => fetched(registry, by, parse(&upload.document)?).await?,
    };
    Ok(store(registry, by, key, &upload.document, release).await?.into_response())
}

async fn store(
    registry: &Registry,
    by: &Caller,
    key: Key,
    document: &[u8],
    release: NewRelease,
) -> Result<Stored, RegistryError> {
    let scope = format!("{} POST /api/packages", by.account()?.user);
    let fingerprint = (String::from_utf8_lossy(document), release.file.sha256.to_string());
    let request = idempotency::Request::new(key, scope, &fingerprint);
    let (store, registry, by) = (registry.store().clone(), registry.clone(), by.clone());
    let write = async move |tx: &mut Tx| {
        let effect = async |tx: &mut Tx| {
            let changed = publish::publish(tx, &registry, &by, &release).await?;
            let (name, version) = (release.name.to_string(), release.version.clone());
            Ok::<_, RegistryError>(Published { id: changed.package.to_string(), name, version })
        };
        idempotency::once(tx, &request, by.now(), 201, effect).await
    };
    store.write(write).await
}

fn parse(document: &[u8]) -> Result<NewVersion, Problem> {
    serde_json::from_slice(document).map_err(|error| {
        Problem::invalid("request.wrong_field", format!("The body cannot be read: {error}.")).next(
            "Send the fields that /openapi.json describes, or npm's publish document with the tarball in it.",
        )
    })
}

fn checked(name: &str) -> Result<NpmName, Problem> {
    let refused = |error: crate::NameError| {
        Problem::invalid("registry.bad_name", "Nothing was published.").field("/name", error.to_string())
    };
    let name = NpmName::parse(name).map_err(refused)?;
    name.check_new().map_err(refused)?;
    Ok(name)
}

fn prepared(
    by: &Caller,
    name: &NpmName,
    document: &PutDocument<'_>,
    tarball: Tarball,
) -> Result<NewRelease, RegistryError> {
    release(name, &by.account()?.username, document, tarball).map_err(RegistryError::Malformed)
}

/// Fetches the tarball and makes npm's document of it.
async fn fetched(registry: &Registry, by: &Caller, new: NewVersion) -> Result<NewRelease, Problem> {
    let name = checked(&new.name)?;
    crate::version::check_version(&new.version).map_err(|error| {
        Problem::invalid("registry.bad_version", "Nothing was published.").field("/version", error)
    })?;
    // Nothing is fetched for somebody who could not publish it.
    registry.check_publish(by, crate::Ecosystem::Npm, name.as_str(), name.scope()).await?;
    let source = fetch::open(&new.tarball, &registry.settings().fetch_hosts).await?;
    let key = name.tarball(&new.version);
    let tarball = upload::receive_tarball(registry, by, &name, key.clone(), source)
        .await
        .map_err(|refusal| refusal.0)?;
    let manifest = manifest(&tarball.contents.manifest, &new)?;
    let tag = new.tag.as_deref().unwrap_or("latest");
    let document = json!({
        "_id": name.as_str(), "name": name.as_str(), "access": new.access, "dist-tags": {tag: new.version},
        "versions": {&new.version: manifest}, "_attachments": {key: {}},
    });
    let document = document.to_string();
    let document = PutDocument::parse(document.as_bytes()).map_err(RegistryError::Malformed)?;
    Ok(prepared(by, &name, &document, tarball)?)
}

/// The tarball's own manifest, with what it lacks out of the request. A manifest that differs from the one in the
/// tarball would show people other dependencies than they install.
fn manifest(own: &[u8], new: &NewVersion) -> Result<Map<String, Value>, Problem> {
    let own = own.strip_prefix(b"\xef\xbb\xbf").unwrap_or(own);
    let mut fields: Map<String, Value> = serde_json::from_slice(own).map_err(|error| {
        Problem::invalid("registry.malformed", format!("The tarball's package.json cannot be read: {error}."))
    })?;
    let empty = Map::new();
    let stated = fields.get("dependencies").and_then(Value::as_object).unwrap_or(&empty);
    if new.dependencies.as_ref().is_some_and(|said| said != stated) {
        return Err(Problem::invalid("registry.other_dependencies", "Nothing was published.").field(
            "/dependencies",
            "The package.json in the tarball has other dependencies: leave them out here.",
        ));
    }
    let lacking = [
        ("description", new.description.clone().map(Value::String)),
        ("license", new.license.clone()),
        ("keywords", new.keywords.as_ref().map(|words| json!(words))),
    ];
    for (key, value) in lacking {
        if let Some(value) = value {
            fields.entry(key).or_insert(value);
        }
    }
    // npm makes the long form of a command's path before it publishes; installers count on that.
    if let Some(Value::String(path)) = fields.get("bin") {
        let command = new.name.rsplit('/').next().unwrap_or_default().to_owned();
        let bin = json!({command: path});
        fields.insert("bin".to_owned(), bin);
    }
    Ok(fields)
}
