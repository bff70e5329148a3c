//! The room, and who may do what in it.

use std::sync::Arc;

use axum::extract::FromRef;
use identity::orgs::OrgRole;
use identity::{AccountId, Action, Caller, Denied, Identity, IdentityError, Subject};
use kernel::{Clock, Currency, Money};
use payments::{Gateway, Payments};
use store::Store;
use tokio::sync::Notify;

use crate::error::PayoutError;

/// How this room is set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The least that is paid out at once, in whole major units of each currency.
    pub minimum: u32,
    /// Where browsers reach the market, without a slash at the end: for the way back from a gateway's page.
    pub public_url: String,
}

/// The room. Cheap to clone.
#[derive(Clone)]
pub struct Payouts {
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) identity: Identity,
    pub(crate) payments: Payments,
    pub(crate) settings: Arc<Settings>,
    /// A payout waits to be submitted.
    pub(crate) waiting: Arc<Notify>,
}

impl FromRef<Payouts> for Identity {
    fn from_ref(payouts: &Payouts) -> Self {
        payouts.identity.clone()
    }
}

impl Payouts {
    /// The room on a migrated store.
    #[must_use]
    pub fn new(
        store: Store,
        clock: Clock,
        identity: Identity,
        payments: Payments,
        settings: Settings,
    ) -> Self {
        Self { store, clock, identity, payments, settings: Arc::new(settings), waiting: Arc::default() }
    }

    /// The account whose sales the caller may see: its own, or that of an organisation where it is an admin.
    pub(crate) fn seller(&self, by: &Caller, org: Option<&str>) -> Result<AccountId, PayoutError> {
        Self::account(by, org, OrgRole::Admin)
    }

    /// The account whose money the caller may send: its own, or that of an organisation that it owns.
    pub(crate) fn owner(&self, by: &Caller, org: Option<&str>) -> Result<AccountId, PayoutError> {
        Self::account(by, org, OrgRole::Owner)
    }

    /// Everybody may sell on what they own, so everybody may have earned something.
    fn account(by: &Caller, org: Option<&str>, least: OrgRole) -> Result<AccountId, PayoutError> {
        let actor = by.may(Action::Resell, &Subject::Market)?;
        let account = actor.account_in(org.filter(|org| !org.is_empty()), least);
        Ok(account.ok_or(IdentityError::Denied(Denied::NotYours))?)
    }

    /// Lets the worker of this process look for payouts at once.
    pub(crate) fn hand_on(&self) {
        self.waiting.notify_one();
    }

    pub(crate) fn gateway(&self) -> Result<Arc<dyn Gateway>, PayoutError> {
        self.payments.default_gateway().ok_or(PayoutError::NoGateway)
    }

    /// The least that is paid out at once.
    #[must_use]
    pub fn minimum(&self, currency: Currency) -> Money {
        major(self.settings.minimum, currency)
    }
}

/// So many whole major units.
pub(crate) fn major(units: u32, currency: Currency) -> Money {
    Money::new(i64::from(units) * 10_i64.pow(currency.places()), currency)
}
