//! Services: what can be deployed, and what is deployed and kept running.
//!
//! The map:
//! * `template/` reads what services there are; `deployment.rs` says what a deployment is.
//! * [`Services`] is the room; `deploy.rs`, `change.rs`, `credentials.rs`, `list.rs` hold the use cases.
//! * `warm.rs` has what runs in advance of who wants it.
//! * `paid/` sells plans with a price, and sees that what runs is paid.
//! * `reconcile/` makes what is wanted true: `plan.rs` decides, the rest carries it out.

mod api;
pub mod backups;
mod change;
mod choose;
mod cost;
mod credentials;
mod deploy;
mod deployment;
mod error;
mod events;
pub mod figures;
mod list;
pub mod logs;
mod page;
mod paid;
mod peers;
mod ports;
pub mod ratings;
mod reconcile;
pub mod schedule;
mod sql;
pub mod template;
mod warm;

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use blobs::Blobs;
use containers::Engine;
use identity::Identity;
use ipnet::Ipv4Net;
use kernel::Clock;
use store::{Migrations, Store};
use tokio::sync::Notify;
use vault::Vault;

pub use api::{openapi, routes};
pub use change::Change;
pub use cost::Cost;
pub use credentials::Shown;
pub use deploy::Made;
pub use deployment::{Credentials, Deployment, NewDeployment, Status, Wanted};
pub use error::{Missing, ServiceError};
pub use list::Happened;
pub use page::pages;
pub use paid::{Scaled, ToPay};
pub use reconcile::{Doors, Reconciler};
pub use template::{Catalogue, Category, Chosen, Given, Plan, Pricing, Setting, SettingKind, Template};
pub use warm::Warm;

kernel::id!(
    /// A service of the catalogue.
    ServiceId,
    "svc"
);
kernel::id!(
    /// A deployment.
    DeploymentId,
    "deploy"
);
kernel::id!(
    /// A backup of a deployment.
    BackupId,
    "backup"
);
store::id_values!(ServiceId, DeploymentId, BackupId);

/// This room's tables.
pub const MIGRATIONS: Migrations = store::migrations!(
    "services",
    "0001_services.sql",
    "0002_settings.sql",
    "0003_paid.sql",
    "0004_ratings.sql",
    "0005_peers.sql",
    "0006_schedules.sql"
);

/// Whether what has a price can be deployed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Paid {
    /// Only by who has bought it.
    #[default]
    Needed,
    /// By everybody: the operator asks nothing for it.
    Off,
}

/// How this room is set up.
#[derive(Clone, Debug)]
pub struct Settings {
    /// A folder with templates of the operator's.
    pub templates: Option<PathBuf>,
    /// The name or address under which deployments are reached. `{id}` in it becomes the deployment's id.
    pub host: String,
    /// The first and the last port of deployments.
    pub ports: (u16, u16),
    /// From where the networks of accounts get their addresses: each one a /24.
    pub subnets: Ipv4Net,
    /// Whether what has a price can be deployed.
    pub paid: Paid,
    /// How many deployments of free plans an account may have running.
    pub free_deployments: u32,
    /// How long a removal can be undone.
    pub undo: Duration,
    /// How many deployments are worked on at once.
    pub at_once: usize,
    /// Who sells where a template does not say: the name of an account; the first administrator where unset.
    pub seller: Option<String>,
    /// How long what is not paid any more is kept before it is deleted.
    pub grace: Duration,
    /// Where browsers reach the market, without a slash at the end.
    pub public_url: String,
    /// What the market is called in mails.
    pub market: String,
    /// Which images buyers may choose where a service lets them: references with `*` for any characters. None where empty.
    pub hosted_images: Vec<String>,
    /// Whether deployments reach the internet.
    pub outside: bool,
    /// What runs in advance; [`Services::check_warm`] says whether it can.
    pub warm: Vec<Warm>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            templates: None,
            host: "127.0.0.1".to_owned(),
            ports: (20_000, 29_999),
            subnets: Ipv4Net::new_assert(Ipv4Addr::new(10, 208, 0, 0), 12),
            paid: Paid::default(),
            free_deployments: 1,
            undo: Duration::from_secs(24 * 3600),
            at_once: 8,
            seller: None,
            grace: Duration::from_secs(7 * 24 * 3600),
            public_url: "http://localhost:8080".to_owned(),
            market: "Fondaco".to_owned(),
            hosted_images: Vec::new(),
            outside: false,
            warm: Vec::new(),
        }
    }
}

/// The room. Cheap to clone.
#[derive(Clone)]
pub struct Services {
    store: Store,
    clock: Clock,
    identity: Identity,
    vault: Vault,
    blobs: Blobs,
    engine: Engine,
    settings: Arc<Settings>,
    catalogue: Catalogue,
    wake: Arc<Wake>,
    till: Option<Arc<paid::Till>>,
    images: Arc<list::Images>,
}

/// Tells the reconciler of this process what was changed, and those who wait that something came true.
#[derive(Default)]
struct Wake {
    changed: std::sync::Mutex<Vec<DeploymentId>>,
    work: Notify,
    done: Notify,
    paid: Notify,
}

impl Services {
    /// The room on a migrated store and an engine, which need not answer yet.
    #[must_use]
    pub fn new(
        store: Store,
        clock: Clock,
        identity: Identity,
        vault: Vault,
        blobs: Blobs,
        engine: Engine,
        settings: Settings,
    ) -> Self {
        let catalogue = Catalogue::load(settings.templates.as_deref());
        for refused in catalogue.refused() {
            let flaws = refused.flaws.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
            tracing::warn!(file = refused.file, flaws, "this is no template of a service, it is left out");
        }
        let settings = Arc::new(settings);
        let (wake, images) = (Arc::default(), Arc::default());
        Self { store, clock, identity, vault, blobs, engine, settings, catalogue, wake, till: None, images }
    }

    /// What can be deployed.
    #[must_use]
    pub const fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// What the engine is that deployments run on.
    ///
    /// # Errors
    /// When none answers.
    pub async fn engine_about(&self) -> Result<containers::About, containers::EngineError> {
        self.engine.about().await
    }

    /// Under which name a deployment is reached.
    #[must_use]
    pub fn host(&self, id: &DeploymentId) -> String {
        self.settings.host.replace("{id}", id.as_str())
    }

    /// Lets the reconciler look at a deployment once this transaction is durable.
    fn wake_after(&self, tx: &mut store::Tx, id: &DeploymentId) {
        let (wake, id) = (Arc::clone(&self.wake), id.clone());
        tx.after_commit(move || {
            wake.changed.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(id);
            wake.work.notify_one();
        });
    }
}

impl axum::extract::FromRef<Services> for Identity {
    fn from_ref(services: &Services) -> Self {
        services.identity.clone()
    }
}
