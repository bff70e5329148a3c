//! The room itself: what it stands on, its settings, what it keeps in memory.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use blobs::Blobs;
use events::Log;
use identity::Identity;
use kernel::{Clock, Timestamp};
use store::{Store, StoreError, Tx, args};

use crate::documents::{Bases, Documents};
use crate::downloads::Downloads;
use crate::events::OrganisationUpstreamPolicyChanged;
use crate::files::Files;
use crate::npm::tarball::TarballLimits;
use crate::package::{Package, Rev};
use crate::search::Search;
use crate::uplink::{self, Book, Evicted, Uplinks};
use crate::{Ecosystem, RegistryError, sql};

/// How often counted downloads are written.
const FLUSH_EVERY: Duration = Duration::from_secs(5);
/// How long to wait after the event log could not be read.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// What an operator can choose.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The origin under which clients reach the registry, `https://packages.example.com`. Without it each client is
    /// answered with the host that it asked.
    pub public_url: Option<String>,
    /// Where the tarballs of public packages are fetched instead: an address whose paths are those of our `/npm/`.
    pub cdn_url: Option<String>,
    /// How long after its publication a version may be removed by its maintainers; operators always may.
    pub unpublish_window: Duration,
    /// The largest publish document, in bytes.
    pub max_publish_bytes: u64,
    /// The most of it that may be beside the tarball.
    pub max_document_bytes: usize,
    /// What a tarball may hold.
    pub tarball: TarballLimits,
    /// Hosts from which a publish over JSON may fetch tarballs although they are in a private network, or speak no
    /// https. Any other must have a public address, and https.
    pub fetch_hosts: Vec<String>,
    /// How much memory prepared documents may take, in bytes.
    pub cache_bytes: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            public_url: None,
            cdn_url: None,
            unpublish_window: Duration::from_secs(72 * 3600),
            max_publish_bytes: 128 << 20,
            max_document_bytes: 16 << 20,
            tarball: TarballLimits::default(),
            fetch_hosts: Vec::new(),
            cache_bytes: 64 << 20,
        }
    }
}

/// The packages of one market. Cheap to clone.
#[derive(Clone)]
pub struct Registry(Arc<Inner>);

struct Inner {
    store: Store,
    blobs: Blobs,
    identity: Identity,
    settings: Settings,
    documents: Documents,
    files: Files,
    downloads: Downloads,
    search: Search,
    uplinks: OnceLock<Uplinks>,
    policies: Book,
}

impl axum::extract::FromRef<Registry> for Identity {
    fn from_ref(registry: &Registry) -> Self {
        registry.0.identity.clone()
    }
}

impl Registry {
    /// A registry on these stores.
    #[must_use]
    pub fn new(store: Store, blobs: Blobs, identity: Identity, settings: Settings) -> Self {
        let bases = Bases::new(settings.public_url.clone(), settings.cdn_url.clone());
        let documents = Documents::new(settings.cache_bytes, bases);
        let files = Files::new(settings.cache_bytes / 8);
        let search = Search::new(store.clone());
        Self(Arc::new(Inner {
            store,
            blobs,
            identity,
            settings,
            documents,
            files,
            downloads: Downloads::default(),
            search,
            uplinks: OnceLock::new(),
            policies: Book::default(),
        }))
    }

    /// The same registry with upstream registries behind it: they are asked for what is not here.
    ///
    /// # Errors
    /// Which setting cannot be used.
    pub fn with_uplinks(self, settings: &uplink::Settings) -> Result<Self, uplink::SettingsError> {
        let uplinks = Uplinks::new(self.0.store.clone(), self.0.blobs.clone(), settings)?;
        // Once, where the program is put together: a second call has no effect.
        let _ = self.0.uplinks.set(uplinks);
        Ok(self)
    }

    /// The upstream registries, if there are any.
    #[must_use]
    pub fn uplinks(&self) -> Option<&Uplinks> {
        self.0.uplinks.get().filter(|uplinks| !uplinks.is_empty())
    }

    /// The upstream policies of organisations.
    pub(crate) fn policies(&self) -> &Book {
        &self.0.policies
    }

    /// Takes tarballs of uplinks out of the cache until it is within its limit, also those of uplinks that are no
    /// longer configured. Meant to be called every few minutes by one process of many.
    ///
    /// # Errors
    /// [`blobs::refs::RefError`]; what was taken out before is out.
    pub async fn evict_upstream(&self, now: Timestamp) -> Result<Evicted, blobs::refs::RefError> {
        match self.0.uplinks.get() {
            Some(uplinks) => uplinks.evict(now).await,
            None => Ok(Evicted::default()),
        }
    }

    /// What an operator has chosen.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    pub(crate) fn store(&self) -> &Store {
        &self.0.store
    }

    pub(crate) fn blobs(&self) -> &Blobs {
        &self.0.blobs
    }

    pub(crate) fn identity(&self) -> &Identity {
        &self.0.identity
    }

    pub(crate) fn documents(&self) -> &Documents {
        &self.0.documents
    }

    pub(crate) fn files(&self) -> &Files {
        &self.0.files
    }

    pub(crate) fn downloads(&self) -> &Downloads {
        &self.0.downloads
    }

    /// The search over all packages.
    #[must_use]
    pub fn search(&self) -> &Search {
        &self.0.search
    }

    /// Forgets what is in memory of a package once `tx` is durable.
    pub(crate) fn forget_after_commit(&self, tx: &mut Tx, ecosystem: Ecosystem, name: &Arc<str>) {
        let (registry, name) = (self.clone(), Arc::clone(name));
        tx.after_commit(move || {
            registry.0.documents.drop_all(ecosystem, &name);
            registry.0.files.drop_one(ecosystem, &name);
        });
    }

    /// What has to run as long as the program does: writes counted downloads, and forgets what other processes
    /// changed. Ends only with the task that runs it; call [`Registry::flush_downloads`] after that.
    pub async fn run(&self) {
        tokio::join!(
            self.write_downloads(),
            self.follow_changes(),
            self.search().clone().keep_current(Clock::system())
        );
    }

    async fn write_downloads(&self) {
        loop {
            tokio::time::sleep(FLUSH_EVERY).await;
            if let Err(error) = self.flush_downloads().await {
                tracing::warn!(%error, "counted downloads could not be written; they are kept for the next time");
            }
        }
    }

    /// Writes the downloads that were counted since the last time.
    ///
    /// # Errors
    /// [`StoreError`]; nothing is lost then.
    pub async fn flush_downloads(&self) -> Result<(), StoreError> {
        if let Some(uplinks) = self.uplinks() {
            uplinks.write_downloads().await?;
        }
        self.0.downloads.flush(&self.0.store).await
    }

    async fn follow_changes(&self) {
        let log = Log::new(self.0.store.clone());
        let start = loop {
            match log.end().await {
                Ok(position) => break position,
                Err(error) => tracing::warn!(%error, "the event log cannot be read"),
            }
            tokio::time::sleep(RETRY_AFTER).await;
        };
        let mut follower = log.follow(start);
        loop {
            match follower.next().await {
                Ok(batch) => batch.iter().for_each(|event| self.forget_changed(event)),
                Err(error) => {
                    tracing::warn!(%error, "the event log cannot be read");
                    tokio::time::sleep(RETRY_AFTER).await;
                }
            }
        }
    }

    /// Drops what an event of another process makes stale.
    fn forget_changed(&self, event: &events::Event) {
        if event.kind == <OrganisationUpstreamPolicyChanged as events::DomainEvent>::TYPE {
            self.0.policies.forget();
        }
        if !event.kind.starts_with("package.") {
            return;
        }
        let data = event.data();
        let text = |key| data.get(key).and_then(serde_json::Value::as_str);
        if let (Some("npm"), Some(name)) = (text("ecosystem"), text("name")) {
            self.0.documents.drop_before(Ecosystem::Npm, name, event.version);
            self.0.files.drop_before(Ecosystem::Npm, name, event.version);
        }
    }
}

/// Counts a change of what the caller saw: with a stale `rev`, or when somebody else was quicker, nothing happens.
///
/// # Errors
/// [`RegistryError::Stale`].
pub(crate) async fn bump(
    tx: &mut Tx,
    package: &mut Package,
    rev: Option<&str>,
    now: Timestamp,
) -> Result<(), RegistryError> {
    if rev.is_some_and(|rev| rev != package.rev().as_str()) {
        return Err(RegistryError::Stale);
    }
    let row = args![package.id, package.revision, now];
    let (revision,): (i64,) = tx.first(&sql::BUMP_PACKAGE_FROM, row).await?.ok_or(RegistryError::Stale)?;
    package.revision = revision;
    package.updated_at = now;
    Ok(())
}

/// The answer to a change.
pub(crate) fn changed(package: &Package) -> crate::Changed {
    crate::Changed { package: package.id.clone(), rev: Rev::of(&package.id, package.revision) }
}
