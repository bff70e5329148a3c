//! `GET /api/packages/{name}` and what is below it.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use identity::Caller;
use kernel::{Problem, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use web::{Failure, Path, Query};

use super::etag;
use crate::documents::Mount;
use crate::registry::Registry;
use crate::show::{Manifest, Shown};
use crate::{Ecosystem, NpmName, RegistryError};

/// For which kind of client.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// `npm` where absent.
    ecosystem: Option<String>,
}

/// What a path below `/api/packages/` asks for.
#[derive(Debug, PartialEq, Eq)]
enum Wanted<'p> {
    Details(&'p str),
    Versions(&'p str),
    Download(&'p str, &'p str),
}

/// A name is one segment, or two where it begins with `@`; encoded slashes are decoded before.
fn wanted(path: &str) -> Option<Wanted<'_>> {
    let slashes = if path.starts_with('@') { 2 } else { 1 };
    let end = path.match_indices('/').nth(slashes - 1).map_or(path.len(), |(at, _)| at);
    let (name, rest) = path.split_at(end);
    match rest.strip_prefix('/') {
        None => Some(Wanted::Details(name)),
        Some("versions") => Some(Wanted::Versions(name)),
        Some(rest) => rest.strip_suffix("/download").map(|version| Wanted::Download(name, version)),
    }
}

/// Answers every path below `/api/packages/`.
pub(super) async fn read(
    State(registry): State<Registry>,
    by: Caller,
    headers: HeaderMap,
    Path(path): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    let ecosystem = ecosystem(asked.ecosystem.as_deref())?;
    let nothing = || Problem::not_found("request.no_such_path", "There is nothing at this address.");
    match wanted(&path).ok_or_else(nothing)? {
        Wanted::Details(name) => details(&registry, &by, &headers, ecosystem, name).await,
        Wanted::Versions(name) => versions(&registry, &by, &headers, ecosystem, name).await,
        Wanted::Download(name, version) => download(&registry, &by, &headers, ecosystem, name, version).await,
    }
}

/// The ecosystem of this name; npm where none is named.
pub(super) fn ecosystem(name: Option<&str>) -> Result<Ecosystem, Problem> {
    match name {
        None | Some("" | "npm") => Ok(Ecosystem::Npm),
        Some(_) => Err(Problem::invalid("registry.no_ecosystem", "There are no packages of this kind here.")
            .field("/ecosystem", "Choose npm.")),
    }
}

/// A package.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Details {
    id: String,
    name: String,
    ecosystem: &'static str,
    description: String,
    /// The usernames of those who may publish it.
    maintainers: Vec<String>,
    license: String,
    /// How often it was fetched, ever.
    downloads: u64,
    stars: u64,
    /// Null while it is not known.
    score: Option<Score>,
    /// `public`, `private` or `organisation`.
    access: &'static str,
    /// The version of the tag `latest`.
    latest: Option<String>,
    dist_tags: BTreeMap<String, String>,
    keywords: Vec<String>,
    homepage: Option<String>,
    repository: Option<String>,
    /// Why the latest version should not be used any more.
    deprecated: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    versions: Vec<Version>,
}

/// The score with its parts, each from 0 to 1.
#[derive(Serialize, ToSchema)]
pub(super) struct Score {
    quality: f64,
    popularity: f64,
    maintenance: f64,
    overall: f64,
}

/// One version.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Version {
    version: String,
    #[schema(value_type = String, format = DateTime)]
    published_at: Timestamp,
    published_by: String,
    size_bytes: u64,
    downloads: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    deprecated: Option<String>,
}

/// Get a package
///
/// The name of a scoped package may stand with or without an encoded slash. A private package is there for those
/// alone who may read it.
#[utoipa::path(get, path = "/api/packages/{name}", tag = "packages",
    params(("name" = String, Path, description = "`name` or `@scope/name`"), Asked), responses(
    (status = 200, description = "The package with all its versions, the newest first.", body = Details),
    (status = 304, description = "The caller has it already (`If-None-Match`)."),
    (status = 404, description = "There is none of this name that the caller may see."),
))]
pub(super) async fn details(
    registry: &Registry,
    by: &Caller,
    headers: &HeaderMap,
    ecosystem: Ecosystem,
    name: &str,
) -> Result<Response, Failure> {
    let shown = registry.show(by, ecosystem, name).await?;
    let manifest = match &shown.package.latest {
        Some(latest) => registry.manifest(&shown.package, latest).await?,
        None => Manifest::default(),
    };
    etag::json(headers, &whole(shown, manifest))
}

fn whole(shown: Shown, manifest: Manifest) -> Details {
    let deprecated = shown.release(None).ok().and_then(|release| release.deprecated.clone());
    Details {
        downloads: shown.downloads(),
        versions: lines(&shown),
        id: shown.package.id.to_string(),
        name: shown.package.name.to_string(),
        ecosystem: shown.package.ecosystem.as_str(),
        description: manifest.description,
        maintainers: shown.maintainers.into_iter().map(|(username, _)| username).collect(),
        license: manifest.licence,
        stars: shown.stars,
        score: None,
        access: shown.package.access.as_str(),
        latest: shown.package.latest,
        dist_tags: shown.tags,
        keywords: manifest.keywords,
        homepage: manifest.homepage,
        repository: manifest.repository,
        deprecated,
        created_at: shown.package.created_at,
        updated_at: shown.package.updated_at,
    }
}

fn lines(shown: &Shown) -> Vec<Version> {
    let line = |release: &crate::show::ReleaseLine| Version {
        version: release.version.clone(),
        published_at: release.published_at,
        published_by: release.published_by.clone(),
        size_bytes: release.size_bytes,
        downloads: release.downloads,
        deprecated: release.deprecated.clone(),
    };
    shown.releases.iter().map(line).collect()
}

/// All versions of a package.
#[derive(Serialize, ToSchema)]
pub(super) struct Versions {
    versions: Vec<Version>,
    total: u64,
}

/// List the versions of a package
#[utoipa::path(get, path = "/api/packages/{name}/versions", tag = "packages",
    params(("name" = String, Path, description = "`name` or `@scope/name`"), Asked), responses(
    (status = 200, description = "All versions, the newest first.", body = Versions),
    (status = 404, description = "There is no package of this name that the caller may see."),
))]
pub(super) async fn versions(
    registry: &Registry,
    by: &Caller,
    headers: &HeaderMap,
    ecosystem: Ecosystem,
    name: &str,
) -> Result<Response, Failure> {
    let shown = registry.show(by, ecosystem, name).await?;
    let versions = lines(&shown);
    etag::json(headers, &Versions { total: versions.len() as u64, versions })
}

/// Download a package
///
/// Leads to the tarball. For a private package send the same token there.
#[utoipa::path(get, path = "/api/packages/{name}/{version}/download", tag = "packages",
    params(("name" = String, Path, description = "`name` or `@scope/name`"),
        ("version" = String, Path, description = "A version, or a tag such as `latest`"), Asked), responses(
    (status = 302, description = "`Location` is the address of the tarball."),
    (status = 404, description = "There is no such package or version that the caller may see."),
))]
pub(super) async fn download(
    registry: &Registry,
    by: &Caller,
    headers: &HeaderMap,
    ecosystem: Ecosystem,
    name: &str,
    version: &str,
) -> Result<Response, Failure> {
    let shown = registry.show(by, ecosystem, name).await?;
    let release = shown.release(Some(version))?;
    let base = registry.documents().bases.of(headers.get(header::HOST), Mount::Npm);
    let npm =
        NpmName::parse(&shown.package.name).map_err(|error| RegistryError::Malformed(error.to_string()))?;
    let file = npm.tarball(&release.version);
    let address = format!("{}{}/-/{file}", base.tarballs(shown.package.access), shown.package.name);
    let no_address =
        |_| Problem::internal("registry.no_address", "The address of the tarball cannot be written.");
    let location = HeaderValue::from_str(&address).map_err(no_address)?;
    Ok((StatusCode::FOUND, [(header::LOCATION, location)]).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_end_where_they_should() {
        assert_eq!(wanted("a"), Some(Wanted::Details("a")));
        assert_eq!(wanted("@s/a"), Some(Wanted::Details("@s/a")));
        assert_eq!(wanted("a/versions"), Some(Wanted::Versions("a")));
        assert_eq!(wanted("@s/a/versions"), Some(Wanted::Versions("@s/a")));
        assert_eq!(wanted("@s/a/1.0.0/download"), Some(Wanted::Download("@s/a", "1.0.0")));
        assert_eq!(wanted("versions/1.0.0/download"), Some(Wanted::Download("versions", "1.0.0")));
        assert_eq!(wanted("a/b"), None);
        assert_eq!(wanted("a/b/c/d"), None);
    }
}
