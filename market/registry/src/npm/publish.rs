//! `PUT /{name}` with a tarball: a new version.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use identity::Caller;

use super::answer::{Answer, Refusal, done};
use super::document::PutDocument;
use super::manifest::{Manifest, TarballDigests, check_tarball_manifest};
use super::provenance;
use super::upload::Tarball;
use crate::package::Access;
use crate::publish::NewRelease;
use crate::registry::Registry;
use crate::version::check_tag;
use crate::{Ecosystem, NpmName, RegistryError};

/// The most tags that one publish sets.
const MAX_TAGS: usize = 20;

pub(super) async fn publish(
    registry: &Registry,
    by: &Caller,
    name: &NpmName,
    document: &PutDocument<'_>,
    tarball: Option<Tarball>,
) -> Answer {
    let actor = by.account()?;
    name.check_new().map_err(|error| {
        RegistryError::Refused(format!("The name \"{name}\" cannot be published: {error}."))
    })?;
    let tarball =
        tarball.ok_or_else(|| Refusal::malformed("The document has no tarball in _attachments."))?;
    let release = release(name, &actor.username, document, tarball).map_err(RegistryError::Malformed)?;
    let changed = registry.publish(by, release).await?;
    Ok(done(StatusCode::CREATED, name.as_str(), &changed))
}

/// Checks all that the client says against what it sent, and prepares what is stored.
pub(super) fn release(
    name: &NpmName,
    publisher: &str,
    document: &PutDocument<'_>,
    tarball: Tarball,
) -> Result<NewRelease, String> {
    let named = [&document.id, &document.name].into_iter().flatten().all(|stated| stated == name.as_str());
    if !named {
        return Err(format!("The document is not about {name}."));
    }
    let mut versions = document.versions.iter().flatten();
    let (Some((version, raw)), None) = (versions.next(), versions.next()) else {
        return Err("The document must have one version.".to_owned());
    };
    let manifest = Manifest::parse(name, version, raw.get())?;
    check_attachment(name, version, document, &tarball)?;
    check_tarball_manifest(&tarball.contents.manifest, name, version)?;
    let sha512 = tarball.file.sha512.unwrap_or([0; 64]);
    let digests = TarballDigests {
        sha1: tarball.file.sha1.map(hex::encode).unwrap_or_default(),
        integrity: format!("sha512-{}", STANDARD.encode(sha512)),
    };
    manifest.stated.check(&digests)?;
    let provenance = document.attachments.iter().find(|(key, _)| key.ends_with(".sigstore"));
    let provenance = match provenance {
        Some((_, attachment)) => Some(provenance::read(attachment, name, version, &sha512)?),
        None => None,
    };
    let readme = tarball.contents.readme.clone().or_else(|| readme(&manifest, document));
    let prepared = manifest.prepare(name, publisher, &tarball.contents, &digests)?;
    Ok(NewRelease {
        ecosystem: Ecosystem::Npm,
        name: name.as_str().into(),
        scope: name.scope().map(str::to_owned),
        access: access(name, document.access.as_deref())?,
        version: version.clone(),
        tags: tags(version, document)?,
        metadata: prepared.metadata,
        abbreviated: prepared.abbreviated,
        dist: prepared.dist,
        head: prepared.head,
        description: prepared.description,
        keywords: prepared.keywords,
        deprecated: prepared.deprecated,
        readme,
        provenance: provenance.map(|provenance| (provenance.predicate_type, provenance.bundle)),
        filename: name.tarball(version),
        file: tarball.file,
    })
}

/// The attachment must be called after the version, with or without the scope.
fn check_attachment(
    name: &NpmName,
    version: &str,
    document: &PutDocument<'_>,
    tarball: &Tarball,
) -> Result<(), String> {
    let file = name.tarball(version);
    if tarball.key != file && tarball.key != format!("{name}-{version}.tgz") {
        return Err(format!("The tarball is called \"{}\", expected \"{file}\".", tarball.key));
    }
    let stated = document.attachments.get(&tarball.key).and_then(|attachment| attachment.length);
    match stated {
        Some(stated) if stated != tarball.file.size_bytes => {
            Err(format!("The tarball has {} bytes, the document says {stated}.", tarball.file.size_bytes))
        }
        _ => Ok(()),
    }
}

fn access(name: &NpmName, stated: Option<&str>) -> Result<Option<Access>, String> {
    match stated {
        None | Some("") => Ok(None),
        Some("public") => Ok(Some(Access::Public)),
        Some("restricted" | "private") if name.scope().is_none() => {
            Err("Only scoped packages can be restricted: call it @scope/name.".to_owned())
        }
        // An organisation's package is then for its members, a person's for its maintainers.
        Some("restricted") => Ok(Some(Access::Organisation)),
        Some("private") => Ok(Some(Access::Private)),
        Some(other) => Err(format!("\"{other}\" is no access: choose public or restricted.")),
    }
}

fn tags(version: &str, document: &PutDocument<'_>) -> Result<Vec<String>, String> {
    if document.dist_tags.len() > MAX_TAGS {
        return Err(format!("Set at most {MAX_TAGS} tags at once."));
    }
    for (tag, target) in &document.dist_tags {
        check_tag(tag)?;
        if target != version {
            return Err(format!("The tag {tag} points to {target}, the version is {version}."));
        }
    }
    let tags: Vec<String> = document.dist_tags.keys().cloned().collect();
    Ok(if tags.is_empty() { vec!["latest".to_owned()] } else { tags })
}

/// What the client sent as README, where the tarball has none.
fn readme(manifest: &Manifest, document: &PutDocument<'_>) -> Option<(String, String)> {
    let outer = document.readme.as_ref().and_then(serde_json::Value::as_str);
    let text = manifest.readme.as_deref().or(outer)?;
    let usable = !text.is_empty() && !text.starts_with("ERROR: No README") && text.len() <= 512 << 10;
    usable.then(|| ("README.md".to_owned(), text.to_owned()))
}
