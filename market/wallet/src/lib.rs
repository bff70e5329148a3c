//! Balances to pay from: topped up by card, by hand or by a rule; alerts; history.
//!
//! The map:
//! * [`Wallets`] is the room; its methods are the use cases. The money itself is in the ledger, in the guarded
//!   account `wallet:…`, which the database keeps from going below zero.
//! * `start.rs` begins a top-up, `purpose.rs` says what the transitions of its payment mean, `refund.rs` takes it back.
//! * `rule.rs` is the pure rule of automatic top-ups; `auto.rs` and `alert.rs` are its and the alert's settings.
//! * `watch.rs` looks at a balance after each spend, by the event log: [`Wallets::run`].

mod alert;
mod api;
mod auto;
mod balance;
mod error;
mod events;
mod history;
mod mails;
mod page;
mod purpose;
mod refund;
mod rule;
mod settings;
mod sql;
mod start;
mod top_up;
mod watch;

use std::sync::Arc;

use ::events::Log;
use axum::extract::FromRef;
use identity::orgs::OrgRole;
use identity::{AccountId, Action, Caller, Identity, Subject};
use kernel::Clock;
use payments::Payments;
use store::{Migrations, Store};

pub use alert::{Alert, AlertChange, AlertId};
pub use api::{openapi, routes};
pub use auto::AutoChange;
pub use balance::{Balances, WalletBalance};
pub use error::WalletError;
pub use history::{Direction, Entry, Filter, History};
pub use page::pages;
pub use rule::{AutoId, AutoTopUp, Idle, Situation, Stopped};
pub use settings::Settings;
pub use start::NewTopUp;
pub use top_up::{Origin, TopUp, TopUpId, TopUpState};

/// This room's tables.
pub const MIGRATIONS: Migrations = store::migrations!("wallet", "0001_wallet.sql");

/// The room. Cheap to clone: every clone shares all of it.
#[derive(Clone)]
pub struct Wallets {
    store: Store,
    clock: Clock,
    identity: Identity,
    payments: Payments,
    log: Log,
    settings: Arc<Settings>,
}

impl Wallets {
    /// The room on a migrated store. It serves payments of the purpose `top-up` from now on.
    #[must_use]
    pub fn new(
        store: Store,
        clock: Clock,
        identity: Identity,
        payments: Payments,
        settings: Settings,
    ) -> Self {
        let log = Log::new(store.clone());
        let room = Self { store, clock, identity, payments, log, settings: Arc::new(settings) };
        room.payments.serve(Arc::new(purpose::ForTopUps::new(Arc::clone(&room.settings))));
        room
    }

    /// How the room is set up.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The account whose wallet is meant: the caller's own, or that of an organisation which they administer.
    fn account(&self, by: &Caller, action: Action, org: Option<&str>) -> Result<AccountId, WalletError> {
        let actor = by.may(action, &Subject::Market)?;
        actor.account_in(org, OrgRole::Admin).ok_or(WalletError::NotFound("wallet"))
    }
}

impl FromRef<Wallets> for Identity {
    fn from_ref(wallets: &Wallets) -> Self {
        wallets.identity.clone()
    }
}
