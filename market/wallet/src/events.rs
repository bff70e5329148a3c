//! What this room tells the others.

use events::{Audience, DomainEvent};
use identity::AccountId;
use kernel::{Currency, Money};
use payments::{PaymentId, Reason};
use serde::Serialize;

use crate::alert::{Alert, AlertId};
use crate::rule::{AutoId, AutoTopUp, Stopped};
use crate::top_up::{Origin, TopUp, TopUpId};

macro_rules! tell {
    ($name:ident, $kind:literal, $summary:literal, $subject:ident) => {
        impl DomainEvent for $name<'_> {
            const TYPE: &'static str = $kind;
            fn subject(&self) -> &str {
                self.$subject.as_str()
            }
            fn version(&self) -> i64 {
                self.version
            }
            fn audience(&self) -> Audience<'_> {
                Audience::Accounts(vec![self.account.as_str()])
            }
        }
        events::catalogue! { $name<'static> = $summary; }
    };
}

macro_rules! top_up_event {
    ($(#[$meta:meta])* $name:ident, $kind:literal, $summary:literal) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Serialize)]
        #[serde(rename_all = "camelCase")]
        pub(crate) struct $name<'a> {
            top_up_id: &'a TopUpId,
            account: &'a AccountId,
            payment_id: &'a PaymentId,
            origin: Origin,
            amount: f64,
            amount_minor: i64,
            currency: Currency,
            refunded_minor: i64,
            failure: Option<&'a Reason>,
            #[serde(skip)]
            version: i64,
        }
        tell!($name, $kind, $summary, top_up_id);

        impl<'a> $name<'a> {
            pub(crate) fn of(top_up: &'a TopUp) -> Self {
                Self {
                    top_up_id: &top_up.id,
                    account: &top_up.account,
                    payment_id: &top_up.payment,
                    origin: top_up.origin,
                    amount: top_up.amount.major_number(),
                    amount_minor: top_up.amount.minor,
                    currency: top_up.amount.currency,
                    refunded_minor: top_up.refunded_minor,
                    failure: top_up.failure.as_ref(),
                    version: top_up.version,
                }
            }
        }
    };
}

top_up_event!(
    /// Money is in a wallet.
    ToppedUp, "wallet.topped_up", "A top-up is in the wallet."
);
top_up_event!(
    /// A top-up failed or was called off.
    TopUpFailed, "wallet.top_up_failed", "A top-up failed or was called off; nothing was taken."
);
top_up_event!(
    /// A top-up went back, whole or in part.
    TopUpRefunded, "wallet.top_up_refunded", "A top-up was given back, whole or in part."
);

/// A balance fell below the alert's threshold.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LowBalance<'a> {
    alert_id: &'a AlertId,
    account: &'a AccountId,
    available_minor: i64,
    threshold_minor: i64,
    currency: Currency,
    #[serde(skip)]
    version: i64,
}
tell!(LowBalance, "wallet.low_balance", "A balance fell below the threshold of its alert.", alert_id);

impl<'a> LowBalance<'a> {
    pub(crate) fn of(alert: &'a Alert, available: Money) -> Self {
        Self {
            alert_id: &alert.id,
            account: &alert.account,
            available_minor: available.minor,
            threshold_minor: alert.threshold.minor,
            currency: available.currency,
            version: alert.version,
        }
    }
}

/// A rule was switched off by itself.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AutoStopped<'a> {
    auto_top_up_id: &'a AutoId,
    account: &'a AccountId,
    currency: Currency,
    reason: Option<Stopped>,
    #[serde(skip)]
    version: i64,
}
tell!(
    AutoStopped,
    "wallet.auto_top_up_stopped",
    "An automatic top-up was switched off by itself.",
    auto_top_up_id
);

impl<'a> AutoStopped<'a> {
    pub(crate) fn of(rule: &'a AutoTopUp) -> Self {
        Self {
            auto_top_up_id: &rule.id,
            account: &rule.account,
            currency: rule.currency(),
            reason: rule.reason,
            version: rule.version,
        }
    }
}
