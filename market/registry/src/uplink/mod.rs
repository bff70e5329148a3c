//! Uplinks: upstream registries that are proxied and cached.
//!
//! The map:
//! * [`Settings`] say which uplinks there are and what may be taken from them; there are no defaults.
//! * [`Uplinks::packument`] and [`Uplinks::tarball`] are what the npm protocol asks after a local miss.
//! * `policy` are the rules, `document` reads foreign documents and writes ours, `integrity` checks tarballs.
//! * `organisation` are the policies that organisations add for their members.
//! * `evict` makes room in the cache of tarballs.
//! * `known` decides between what was said before and asking anew, `remote` asks, `fetch` and `tarball` bound and
//!   verify what comes, `flight` lets one ask for many, `breaker` leaves a broken uplink alone, `reach` keeps a
//!   foreign document from sending us into a private network.

mod breaker;
mod document;
mod downloads;
mod error;
mod evict;
mod fetch;
mod flight;
mod integrity;
mod known;
mod organisation;
mod policy;
mod prepare;
mod reach;
mod remote;
mod settings;
mod sql;
mod tarball;

use std::sync::Arc;

use blobs::Blobs;
use kernel::Timestamp;
use store::{Store, StoreError, Tx, args};
use tokio::sync::Semaphore;

use self::downloads::Downloads;
use self::flight::Flights;
use self::known::{Freshness, Known};
use self::policy::{InForce, OnName, Policy};
use self::remote::Remote;
use crate::NpmName;
use crate::documents::Form;

pub(crate) use self::organisation::Book;

pub use self::error::UplinkError;
pub use self::evict::Evicted;
pub use self::organisation::{
    Binding, Exemption, ExemptionDraft, Inspected, PolicyDraft, PolicyError, RefusedRelease, UpstreamPolicy,
};
pub use self::policy::Whose;
pub use self::prepare::Prepared;
pub use self::settings::{Limits, Settings, SettingsError, Upstream};
pub use self::tarball::{StoredTarball, Tarball};

/// The upstream registries of this instance. Cheap to clone.
#[derive(Clone)]
pub struct Uplinks(Arc<Inner>);

struct Inner {
    store: Store,
    blobs: Blobs,
    policy: Policy,
    remotes: Vec<Arc<Remote>>,
    limits: Limits,
    asking: Flights<(Arc<str>, NpmName), Result<Option<Known>, UplinkError>>,
    preparing: Flights<(prepare::Key, blobs::Sha256), prepare::Outcome>,
    fetching: Flights<(Arc<str>, NpmName, String), tarball::Outcome>,
    prepared: prepare::Cache,
    /// The place of the one large document that is worked on.
    large: Arc<Semaphore>,
    downloads: Downloads,
}

impl Uplinks {
    /// Makes ready to ask; nobody is asked yet.
    ///
    /// # Errors
    /// Which setting cannot be used.
    pub fn new(store: Store, blobs: Blobs, settings: &Settings) -> Result<Self, SettingsError> {
        let limits = settings.limits;
        let remote = |upstream| Remote::new(upstream, limits.parallel).map(Arc::new);
        Ok(Self(Arc::new(Inner {
            store,
            blobs,
            policy: Policy::new(settings)?,
            remotes: settings.uplinks.iter().map(remote).collect::<Result<_, _>>()?,
            limits,
            asking: Flights::default(),
            preparing: Flights::default(),
            fetching: Flights::default(),
            prepared: prepare::cache(limits.cache_bytes),
            large: Arc::new(Semaphore::new(1)),
            downloads: Downloads::default(),
        })))
    }

    /// Whether there is nobody to ask.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.remotes.is_empty()
    }

    /// A package's document in the form that a client asks for; `base` is where that client fetches tarballs,
    /// with a slash at its end, and `binding` the policies of its organisations. `None` when no uplink that may be
    /// asked has it.
    ///
    /// # Errors
    /// [`UplinkError`], also when the policies let nothing of the package through.
    pub async fn packument(
        &self,
        name: &NpmName,
        form: Form,
        base: &str,
        binding: &Binding,
        now: Timestamp,
    ) -> Result<Option<Arc<Prepared>>, UplinkError> {
        if !self.may_ask(name, binding).await? {
            return Ok(None);
        }
        let Some(known) = self.find(name, Freshness::Usual, now).await? else { return Ok(None) };
        self.prepared(known, name, form, base, binding, now).await
    }

    /// Whether uplinks may hear of this name. What is here, or was, or is private here, is not asked for; nor is
    /// anything in a scope that belongs to somebody here: else whoever takes that name upstream would be trusted
    /// in place of them.
    async fn may_ask(&self, name: &NpmName, binding: &Binding) -> Result<bool, UplinkError> {
        let verdict = self.0.policy.on_name(name);
        if verdict == OnName::LocalOnly || !self.0.remotes.iter().any(|remote| remote.has(name)) {
            return Ok(false);
        }
        if self.is_local(name).await? {
            return Ok(false);
        }
        let blocked_by = match verdict {
            OnName::Blocked => Some(Whose::Registry),
            OnName::Open | OnName::LocalOnly => binding.on_name(name),
        };
        match blocked_by {
            Some(by) => Err(UplinkError::Blocked { what: name.to_string(), by }),
            None => Ok(true),
        }
    }

    async fn is_local(&self, name: &NpmName) -> Result<bool, StoreError> {
        let name = name.clone();
        self.0.store.read(async move |tx: &mut Tx| sql::is_local(tx, &name).await).await
    }

    /// The registry's own policy and those that bind a reader.
    fn in_force<'p>(&'p self, binding: &'p Binding, now: Timestamp) -> InForce<'p> {
        InForce { registry: &self.0.policy, organisations: binding, now }
    }

    /// How often releases of a package were fetched through uplinks since a day.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn downloads_since(&self, name: &NpmName, since: Timestamp) -> Result<u64, StoreError> {
        self.write_downloads().await?;
        let name = name.clone();
        let read = async move |tx: &mut Tx| tx.one(&sql::SUM_DOWNLOADS, args![name, since.day()]).await;
        let (count,): (u64,) = self.0.store.read(read).await?;
        Ok(count)
    }

    /// Writes the counted downloads. Meant to be called every few seconds, and when the program ends.
    ///
    /// # Errors
    /// [`StoreError`]; nothing is lost then.
    pub async fn write_downloads(&self) -> Result<(), StoreError> {
        self.0.downloads.write(&self.0.store).await
    }
}
