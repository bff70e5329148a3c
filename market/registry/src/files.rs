//! Which file is which blob: kept in memory per package, since every download asks for it.

use std::collections::HashMap;
use std::sync::Arc;

use blobs::Sha256;
use store::{Tx, args};

use crate::package::Package;
use crate::registry::Registry;
use crate::{Ecosystem, RegistryError, sql};

/// One file.
#[derive(Clone, Debug)]
pub(crate) struct StoredFile {
    pub(crate) version: Arc<str>,
    pub(crate) sha256: Sha256,
    pub(crate) size_bytes: u64,
}

/// A package with its files.
#[derive(Debug)]
pub(crate) struct PackageFiles {
    pub(crate) package: Package,
    pub(crate) by_name: HashMap<String, StoredFile>,
}

#[derive(Clone)]
struct ByWeight;

impl quick_cache::Weighter<Arc<str>, Arc<PackageFiles>> for ByWeight {
    fn weight(&self, _: &Arc<str>, files: &Arc<PackageFiles>) -> u64 {
        // What a package and a file cost, about.
        500 + 200 * files.by_name.len() as u64
    }
}

/// The packages whose files are known.
pub(crate) struct Files {
    npm: quick_cache::sync::Cache<Arc<str>, Arc<PackageFiles>, ByWeight>,
}

impl Files {
    pub(crate) fn new(max_bytes: u64) -> Self {
        let items = usize::try_from(max_bytes / 1024).unwrap_or(usize::MAX).clamp(64, 65_536);
        Self { npm: quick_cache::sync::Cache::with_weighter(items, max_bytes, ByWeight) }
    }

    fn of(&self, ecosystem: Ecosystem) -> &quick_cache::sync::Cache<Arc<str>, Arc<PackageFiles>, ByWeight> {
        match ecosystem {
            Ecosystem::Npm => &self.npm,
        }
    }

    pub(crate) fn drop_one(&self, ecosystem: Ecosystem, name: &str) {
        self.of(ecosystem).remove(name);
    }

    pub(crate) fn drop_before(&self, ecosystem: Ecosystem, name: &str, revision: i64) {
        let cache = self.of(ecosystem);
        if cache.peek(name).is_none_or(|files| files.package.revision < revision) {
            cache.remove(name);
        }
    }
}

impl Registry {
    /// The files of a package. It says nothing about who may read them.
    pub(crate) async fn package_files(
        &self,
        ecosystem: Ecosystem,
        name: &str,
    ) -> Result<Arc<PackageFiles>, RegistryError> {
        let cache = self.files().of(ecosystem);
        if let Some(files) = cache.get(name) {
            return Ok(files);
        }
        let key: Arc<str> = name.into();
        match cache.get_value_or_guard_async(&key).await {
            Ok(files) => Ok(files),
            Err(place) => {
                let files = Arc::new(self.read_files(ecosystem, key).await?);
                let _ = place.insert(Arc::clone(&files));
                Ok(files)
            }
        }
    }

    async fn read_files(&self, ecosystem: Ecosystem, name: Arc<str>) -> Result<PackageFiles, RegistryError> {
        let read = async move |tx: &mut Tx| {
            let package: Option<Package> = tx.first(&sql::FIND_PACKAGE, args![ecosystem, name]).await?;
            let package =
                package.filter(|package| package.deleted_at.is_none()).ok_or(RegistryError::NotFound)?;
            let rows: Vec<(String, Arc<str>, Sha256, u64)> =
                tx.all(&sql::LIST_FILES, args![package.id]).await?;
            let by_name = rows.into_iter().map(|(filename, version, sha256, size_bytes)| {
                (filename, StoredFile { version, sha256, size_bytes })
            });
            Ok::<_, RegistryError>(PackageFiles { package, by_name: by_name.collect() })
        };
        self.store().read(read).await
    }
}
