//! What is shown of a package: the same reading for API and pages.

mod manifest;
mod sources;
mod sql;

use std::collections::{BTreeMap, HashMap};

use identity::Caller;
use kernel::Timestamp;
use store::{Tx, args};

pub use manifest::{Dependency, DependencyKind, Manifest};
pub use sources::Sources;

use crate::access::{self, Standing};
use crate::documents::tags;
use crate::package::{MaintainerRole, Package};
use crate::registry::Registry;
use crate::{Ecosystem, RegistryError};

/// The longest time that downloads are counted out for, in days.
pub const MAX_DAYS: u32 = 366;

/// A package as its page and the API show it.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The package.
    pub package: Package,
    /// What the caller may do with it.
    pub standing: Standing,
    /// What each tag points to.
    pub tags: BTreeMap<String, String>,
    /// Who may write it, beside those of the organisation that owns it.
    pub maintainers: Vec<(String, MaintainerRole)>,
    /// How many accounts starred it.
    pub stars: u64,
    /// Whether the caller did.
    pub starred: bool,
    /// All versions, the one published last first.
    pub releases: Vec<ReleaseLine>,
}

/// A version in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseLine {
    /// The version.
    pub version: String,
    /// When it was published.
    pub published_at: Timestamp,
    /// By whom.
    pub published_by: String,
    /// Why it should not be used any more.
    pub deprecated: Option<String>,
    /// What kind of statement says how it was built.
    pub provenance: Option<String>,
    /// The length of its file.
    pub size_bytes: u64,
    /// How often it was fetched.
    pub downloads: u64,
}

impl Shown {
    /// How often all versions together were fetched.
    #[must_use]
    pub fn downloads(&self) -> u64 {
        self.releases.iter().map(|release| release.downloads).sum()
    }

    /// The version that is meant by a version or a tag; by nothing, the latest.
    ///
    /// # Errors
    /// [`RegistryError::NoVersion`].
    pub fn release(&self, selector: Option<&str>) -> Result<&ReleaseLine, RegistryError> {
        let wanted = selector.or(self.package.latest.as_deref()).unwrap_or("latest");
        let version = self.tags.get(wanted).map_or(wanted, String::as_str);
        let found = self.releases.iter().find(|release| release.version == version);
        found.ok_or_else(|| RegistryError::NoVersion(wanted.chars().take(80).collect()))
    }

    /// The tags that point to a version.
    pub fn tags_of<'a>(&'a self, version: &'a str) -> impl Iterator<Item = &'a str> {
        self.tags.iter().filter(move |(_, target)| *target == version).map(|(tag, _)| tag.as_str())
    }
}

impl Registry {
    /// A package with its versions, for somebody who may read it.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`] also where the caller may not know that it is there.
    pub async fn show(&self, by: &Caller, ecosystem: Ecosystem, name: &str) -> Result<Shown, RegistryError> {
        let (by, name) = (by.clone(), name.to_owned());
        let look = async move |tx: &mut Tx| {
            let package = access::find(tx, &by, ecosystem, &name).await?;
            let standing = access::standing(tx, &by, &package).await?;
            let tags = tags(tx, &package).await?;
            let maintainers = tx.all(&sql::LIST_MAINTAINER_ROLES, args![package.id]).await?;
            let (stars,): (u64,) = tx.one(&sql::COUNT_STARS, args![package.id]).await?;
            let starred = match &by.actor {
                Some(actor) => {
                    tx.first::<(i64,)>(&sql::FIND_STAR, args![package.id, actor.user]).await?.is_some()
                }
                None => false,
            };
            let releases = releases(tx, &package).await?;
            Ok::<_, RegistryError>(Shown { package, standing, tags, maintainers, stars, starred, releases })
        };
        self.store().read(look).await
    }

    /// The package with this id, for somebody who may read it.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`] as [`Registry::show`].
    pub async fn find_by_id(&self, by: &Caller, id: &str) -> Result<Package, RegistryError> {
        let (by, id) = (by.clone(), id.to_owned());
        let look = async move |tx: &mut Tx| {
            let package: Option<Package> = tx.first(&sql::FIND_PACKAGE_BY_ID, args![id]).await?;
            let package =
                package.filter(|package| package.deleted_at.is_none()).ok_or(RegistryError::NotFound)?;
            if access::may_read(tx, &by, &package).await? {
                Ok(package)
            } else {
                Err(RegistryError::NotFound)
            }
        };
        self.store().read(look).await
    }

    /// The manifest of a version that was found with [`Registry::show`].
    ///
    /// # Errors
    /// [`RegistryError::NoVersion`] when it is gone meanwhile.
    pub async fn manifest(&self, package: &Package, version: &str) -> Result<Manifest, RegistryError> {
        let (id, version) = (package.id.clone(), version.to_owned());
        let look = async move |tx: &mut Tx| {
            let row: Option<(String, String)> = tx.first(&sql::FIND_MANIFEST, args![id, version]).await?;
            let (metadata, dist) = row.ok_or_else(|| RegistryError::NoVersion(version.clone()))?;
            Ok::<_, RegistryError>(Manifest::read(&metadata, &dist))
        };
        self.store().read(look).await
    }

    /// How often a package that was found with [`Registry::show`] was fetched on each of the last `days` days up to
    /// today, oldest first, with the days on which nobody did.
    ///
    /// # Errors
    /// [`RegistryError::Store`].
    pub async fn daily_downloads(
        &self,
        package: &Package,
        days: u32,
        now: Timestamp,
    ) -> Result<Vec<(i64, u64)>, RegistryError> {
        let (id, today) = (package.id.clone(), now.day());
        let first = today - i64::from(days.clamp(1, MAX_DAYS)) + 1;
        let look = async move |tx: &mut Tx| tx.all(&crate::sql::SUM_DOWNLOADS, args![id, first, today]).await;
        let counted: Vec<(i64, u64)> = self.store().read::<_, _, store::StoreError>(look).await?;
        let counted: HashMap<i64, u64> = counted.into_iter().collect();
        Ok((first..=today).map(|day| (day, counted.get(&day).copied().unwrap_or(0))).collect())
    }
}

async fn releases(tx: &mut Tx, package: &Package) -> Result<Vec<ReleaseLine>, RegistryError> {
    type Line = (String, Timestamp, String, Option<String>, Option<String>, u64);
    let lines: Vec<Line> = tx.all(&sql::LIST_RELEASE_LINES, args![package.id]).await?;
    let sums: Vec<(String, u64)> = tx.all(&sql::SUM_DOWNLOADS_BY_VERSION, args![package.id]).await?;
    let sums: HashMap<String, u64> = sums.into_iter().collect();
    let line =
        |(version, published_at, published_by, deprecated, provenance, size_bytes): Line| ReleaseLine {
            downloads: sums.get(&version).copied().unwrap_or(0),
            version,
            published_at,
            published_by,
            deprecated,
            provenance,
            size_bytes,
        };
    Ok(lines.into_iter().map(line).collect())
}
