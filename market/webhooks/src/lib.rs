//! Endpoints that are told what happened: signed by the Standard Webhooks scheme, retried for three days, every attempt
//! readable and every delivery replayable.
//!
//! The map:
//! * [`Webhooks`] is the room; `register.rs` and `deliveries.rs` hold the use cases.
//! * `fan_out.rs` follows the event log and puts deliveries in line; `send.rs` sends what is due.
//! * `address.rs` decides which addresses may be asked at all.

mod address;
mod api;
mod deliveries;
mod endpoint;
mod error;
mod fan_out;
mod page;
mod register;
mod send;
pub mod sign;
mod sql;

use std::sync::Arc;

use events::Log;
use identity::Identity;
use kernel::Clock;
use reach::Reach;
use reqwest::Client;
use store::{Migrations, Store};
use tokio::sync::Notify;
use vault::Vault;

pub use api::{openapi, routes};
pub use deliveries::{Attempt, Delivery, DeliveryState};
pub use endpoint::{Created, Endpoint, EndpointChange, NewEndpoint, Types};
pub use error::WebhookError;
pub use page::pages;

kernel::id!(
    /// An endpoint.
    WebhookId,
    "webhook"
);
kernel::id!(
    /// One event on its way to one endpoint.
    DeliveryId,
    "delivery"
);
store::id_values!(WebhookId, DeliveryId);

/// This room's tables.
pub const MIGRATIONS: Migrations = store::migrations!("webhooks", "0001_webhooks.sql");

/// How this room is set up.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Hosts (names or addresses, as they stand in a URL) that may be in a private network and speak no https.
    pub private_hosts: Vec<String>,
}

/// The room. Cheap to clone.
#[derive(Clone)]
pub struct Webhooks {
    store: Store,
    clock: Clock,
    identity: Identity,
    log: Log,
    vault: Vault,
    reach: Reach,
    client: Client,
    wake: Arc<Notify>,
}

impl Webhooks {
    /// The room on a migrated store.
    ///
    /// # Errors
    /// When no HTTP client can be made, which says the system has no certificates or no memory.
    pub fn new(
        store: Store,
        clock: Clock,
        identity: Identity,
        vault: Vault,
        settings: &Settings,
    ) -> Result<Self, reqwest::Error> {
        let log = Log::new(store.clone());
        let reach = Reach::new(&settings.private_hosts);
        let client = address::client(&reach)?;
        Ok(Self { store, clock, identity, log, vault, reach, client, wake: Arc::default() })
    }
}

impl axum::extract::FromRef<Webhooks> for Identity {
    fn from_ref(webhooks: &Webhooks) -> Self {
        webhooks.identity.clone()
    }
}
