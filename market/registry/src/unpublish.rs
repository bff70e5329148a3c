//! Unpublishing: versions are gone for good, and their names are spent.

use std::collections::{BTreeMap, BTreeSet};

use blobs::Sha256;
use identity::{Caller, audit};
use kernel::Timestamp;
use store::{Tx, args};

use crate::access::{Standing, operates, require};
use crate::events::PackageUnpublished;
use crate::package::{Changed, Package};
use crate::publish::about;
use crate::registry::{Registry, bump, changed};
use crate::{Ecosystem, RegistryError, sql, tags};

impl Registry {
    /// Removes the versions that are not in `kept`, and points the tags as the caller says; a tag that is left
    /// without a version goes, and `latest` moves to the version that was published last.
    ///
    /// # Errors
    /// [`RegistryError::Stale`], [`RegistryError::Refused`] for a version that is too old to be removed.
    pub async fn unpublish_others(
        &self,
        by: &Caller,
        ecosystem: Ecosystem,
        name: &str,
        kept: BTreeSet<String>,
        wanted: BTreeMap<String, String>,
        rev: String,
    ) -> Result<Changed, RegistryError> {
        let (registry, by, name) = (self.clone(), by.clone(), name.to_owned());
        let write = async move |tx: &mut Tx| {
            let mut package = require(tx, &by, ecosystem, &name, Standing::Writer).await?;
            bump(tx, &mut package, Some(&rev), by.now()).await?;
            let present = present(tx, &package).await?;
            let gone: Vec<_> =
                present.iter().filter(|(version, _)| !kept.contains(version)).cloned().collect();
            registry.remove_versions(tx, &by, &package, &gone).await?;
            if gone.len() == present.len() {
                tx.execute(&sql::DELETE_PACKAGE, args![package.id, by.now()]).await?;
            } else {
                let left = present.iter().filter(|(version, _)| kept.contains(version));
                let left: Vec<&str> = left.map(|(version, _)| version.as_str()).collect();
                retag(tx, &package, &left, &wanted).await?;
            }
            told(tx, &registry, &by, &package, gone, present.len()).await?;
            Ok::<_, RegistryError>(changed(&package))
        };
        self.store().write(write).await
    }

    /// Removes a package whole. Its name stays with those who have it now.
    ///
    /// # Errors
    /// As [`Registry::unpublish_others`].
    pub async fn unpublish(
        &self,
        by: &Caller,
        ecosystem: Ecosystem,
        name: &str,
        rev: String,
    ) -> Result<Changed, RegistryError> {
        self.unpublish_others(by, ecosystem, name, BTreeSet::new(), BTreeMap::new(), rev).await
    }

    async fn remove_versions(
        &self,
        tx: &mut Tx,
        by: &Caller,
        package: &Package,
        gone: &[(String, Timestamp)],
    ) -> Result<(), RegistryError> {
        let window = self.settings().unpublish_window;
        for (version, published_at) in gone {
            if !operates(by) && by.now().since(*published_at) > window {
                return Err(RegistryError::Refused(format!(
                    "You can no longer unpublish {}@{version}: it was published more than {} hours ago. \
                     Deprecate it instead, or ask the operator.",
                    package.name,
                    window.as_secs() / 3600
                )));
            }
            remove_version(tx, package, version, by.now()).await?;
        }
        Ok(())
    }
}

async fn present(tx: &mut Tx, package: &Package) -> Result<Vec<(String, Timestamp)>, RegistryError> {
    let rows: Vec<(String, Timestamp, Option<String>)> =
        tx.all(&sql::LIST_RELEASE_STATES, args![package.id]).await?;
    Ok(rows.into_iter().map(|(version, published_at, _)| (version, published_at)).collect())
}

/// Empties a version's row and lets go of its file.
async fn remove_version(
    tx: &mut Tx,
    package: &Package,
    version: &str,
    now: Timestamp,
) -> Result<(), RegistryError> {
    let key = args![package.id, version];
    let files: Vec<(Sha256,)> = tx.all(&sql::DELETE_FILES, key).await?;
    for (sha256,) in files {
        blobs::refs::release(tx, sha256, now).await?;
    }
    for statement in [&sql::DELETE_README, &sql::DELETE_ATTESTATION, &sql::DELETE_TAGS_OF] {
        tx.execute(statement, key).await?;
    }
    tx.execute(&sql::UNPUBLISH_RELEASE, args![package.id, version, now]).await?;
    Ok(())
}

/// Sets the tags that the caller wants of those versions that are left, and a `latest` in any case.
async fn retag(
    tx: &mut Tx,
    package: &Package,
    left: &[&str],
    wanted: &BTreeMap<String, String>,
) -> Result<(), RegistryError> {
    let mut tags_now = wanted.clone();
    tags_now.retain(|_, version| left.contains(&version.as_str()));
    let has_latest: Option<(String,)> = tx.first(&sql::FIND_TAG, args![package.id, "latest"]).await?;
    if has_latest.is_none()
        && !tags_now.contains_key("latest")
        && let Some(last) = highest(left)
    {
        tags_now.insert("latest".to_owned(), last.to_owned());
    }
    tags::set(tx, package, &tags_now).await
}

/// The highest stable version; the highest at all when none is stable.
fn highest<'v>(versions: &[&'v str]) -> Option<&'v str> {
    let parsed = versions.iter().filter_map(|text| Some((semver::Version::parse(text).ok()?, *text)));
    parsed.max_by_key(|(version, _)| (version.pre.is_empty(), version.clone())).map(|(_, text)| text)
}

async fn told(
    tx: &mut Tx,
    registry: &Registry,
    by: &Caller,
    package: &Package,
    gone: Vec<(String, Timestamp)>,
    of: usize,
) -> Result<(), RegistryError> {
    let whole = gone.len() == of;
    let versions: Vec<String> = gone.into_iter().map(|(version, _)| version).collect();
    let details = serde_json::json!({"versions": versions, "package": package.id});
    audit::record(tx, by, "package.unpublished", &package.name, audit::Outcome::Done, &details).await?;
    let event = PackageUnpublished { about: about(package, by), versions, whole };
    events::append(tx, by.now(), &event).await?;
    registry.forget_after_commit(tx, package.ecosystem, &package.name);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::highest;

    #[test]
    fn latest_falls_back_to_the_highest_stable_version() {
        assert_eq!(highest(&["1.0.0", "1.10.0", "1.9.0", "2.0.0-beta.1"]), Some("1.10.0"));
        assert_eq!(highest(&["1.0.0-a", "1.0.0-b"]), Some("1.0.0-b"));
        assert_eq!(highest(&[]), None);
    }
}
