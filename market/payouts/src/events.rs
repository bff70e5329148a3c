//! What this room tells the others. A payout concerns its seller alone.

use events::{Audience, DomainEvent};
use identity::AccountId;
use kernel::Currency;
use serde::Serialize;

use crate::payout::{Payout, PayoutId};

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Told<'a> {
    payout_id: &'a PayoutId,
    seller: &'a AccountId,
    amount: f64,
    amount_minor: i64,
    currency: Currency,
    gateway: &'a str,
    #[serde(skip)]
    version: i64,
}

impl<'a> Told<'a> {
    fn of(payout: &'a Payout) -> Self {
        Self {
            payout_id: &payout.id,
            seller: &payout.seller,
            amount: payout.amount.major_number(),
            amount_minor: payout.amount.minor,
            currency: payout.amount.currency,
            gateway: &payout.gateway,
            version: payout.version,
        }
    }
}

macro_rules! tell {
    ($name:ident, $kind:literal, $summary:literal) => {
        impl DomainEvent for $name<'_> {
            const TYPE: &'static str = $kind;
            fn subject(&self) -> &str {
                self.told.payout_id.as_str()
            }
            fn version(&self) -> i64 {
                self.told.version
            }
            fn audience(&self) -> Audience<'_> {
                Audience::Accounts(vec![self.told.seller.as_str()])
            }
        }
        events::catalogue! { $name<'static> = $summary; }
    };
}

/// A seller's money left.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PayoutPaid<'a> {
    #[serde(flatten)]
    told: Told<'a>,
    /// The gateway's name of the transfer.
    reference: Option<&'a str>,
}
tell!(PayoutPaid, "payout.paid", "A seller's money was handed to the gateway.");

impl<'a> PayoutPaid<'a> {
    pub(crate) fn of(payout: &'a Payout) -> Self {
        Self { told: Told::of(payout), reference: payout.reference.as_deref() }
    }
}

/// A gateway refused a payout.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PayoutFailed<'a> {
    #[serde(flatten)]
    told: Told<'a>,
    code: &'a str,
    message: &'a str,
}
tell!(PayoutFailed, "payout.failed", "The gateway refused a payout; the money is available again.");

impl<'a> PayoutFailed<'a> {
    pub(crate) fn of(payout: &'a Payout) -> Self {
        let (code, message) =
            payout.failure.as_ref().map_or(("", ""), |(code, message)| (code.as_str(), message.as_str()));
        Self { told: Told::of(payout), code, message }
    }
}
