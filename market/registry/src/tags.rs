//! Tags: names that point to versions.

use std::collections::BTreeMap;

use identity::{Caller, audit};
use store::{Tx, args};

use crate::access::{self, Standing, require};
use crate::documents::tags;
use crate::events::PackageTagged;
use crate::package::{Changed, Package};
use crate::publish::about;
use crate::registry::{Registry, bump, changed};
use crate::version::check_tag;
use crate::{Ecosystem, RegistryError, sql};

/// What to do with tags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TagChange {
    /// Point these to these versions.
    Set(BTreeMap<String, String>),
    /// That, and remove all others but `latest`.
    Replace(BTreeMap<String, String>),
    /// Remove one.
    Remove(String),
}

impl Registry {
    /// The tags of a package.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`].
    pub async fn tags(
        &self,
        by: &Caller,
        ecosystem: Ecosystem,
        name: &str,
    ) -> Result<BTreeMap<String, String>, RegistryError> {
        let (by, name) = (by.clone(), name.to_owned());
        let look = async move |tx: &mut Tx| {
            let package = access::find(tx, &by, ecosystem, &name).await?;
            Ok::<_, RegistryError>(tags(tx, &package).await?)
        };
        self.store().read(look).await
    }

    /// Changes tags; all or none.
    ///
    /// # Errors
    /// [`RegistryError::NoVersion`] for an unknown version, [`RegistryError::Malformed`] for a tag that is none,
    /// and for `latest` that would be removed.
    pub async fn change_tags(
        &self,
        by: &Caller,
        ecosystem: Ecosystem,
        name: &str,
        change: TagChange,
    ) -> Result<Changed, RegistryError> {
        if let TagChange::Set(tags) | TagChange::Replace(tags) = &change {
            for tag in tags.keys() {
                check_tag(tag).map_err(RegistryError::Malformed)?;
            }
        }
        let (registry, by, name) = (self.clone(), by.clone(), name.to_owned());
        let write = async move |tx: &mut Tx| {
            let mut package = require(tx, &by, ecosystem, &name, Standing::Writer).await?;
            bump(tx, &mut package, None, by.now()).await?;
            apply(tx, &package, &change).await?;
            told(tx, &registry, &by, &package).await?;
            Ok::<_, RegistryError>(changed(&package))
        };
        self.store().write(write).await
    }
}

async fn apply(tx: &mut Tx, package: &Package, change: &TagChange) -> Result<(), RegistryError> {
    match change {
        TagChange::Set(wanted) => set(tx, package, wanted).await,
        TagChange::Replace(wanted) => {
            for tag in tags(tx, package).await?.keys() {
                if tag != "latest" && !wanted.contains_key(tag) {
                    tx.execute(&sql::DELETE_TAG, args![package.id, tag]).await?;
                }
            }
            set(tx, package, wanted).await
        }
        TagChange::Remove(tag) if tag == "latest" => Err(RegistryError::Malformed(
            "The tag latest cannot be removed: point it to another version.".to_owned(),
        )),
        TagChange::Remove(tag) => match tx.execute(&sql::DELETE_TAG, args![package.id, tag]).await? {
            0 => Err(RegistryError::NoPart("tag")),
            _ => Ok(()),
        },
    }
}

/// Points tags to versions that are there.
pub(crate) async fn set(
    tx: &mut Tx,
    package: &Package,
    wanted: &BTreeMap<String, String>,
) -> Result<(), RegistryError> {
    for (tag, version) in wanted {
        let state: Option<(Option<i64>, i64)> =
            tx.first(&sql::FIND_RELEASE_STATE, args![package.id, version]).await?;
        if !matches!(state, Some((None, _))) {
            return Err(RegistryError::NoVersion(version.clone()));
        }
        tx.execute(&sql::SET_TAG, args![package.id, tag, version]).await?;
    }
    if let Some(latest) = wanted.get("latest") {
        tx.execute(&sql::SET_LATEST, args![package.id, latest]).await?;
    }
    Ok(())
}

/// Tells everybody that the tags changed.
async fn told(tx: &mut Tx, registry: &Registry, by: &Caller, package: &Package) -> Result<(), RegistryError> {
    let tags = tags(tx, package).await?;
    let details = serde_json::json!({"tags": tags, "package": package.id});
    audit::record(tx, by, "package.tagged", &package.name, audit::Outcome::Done, &details).await?;
    events::append(tx, by.now(), &PackageTagged { about: about(package, by), tags }).await?;
    registry.forget_after_commit(tx, package.ecosystem, &package.name);
    Ok(())
}
