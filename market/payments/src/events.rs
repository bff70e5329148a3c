//! What this room tells the others.

use events::{Audience, DomainEvent};
use identity::AccountId;
use serde::Serialize;

use crate::dispute::{Dispute, DisputeId};
use crate::payment::{Payment, PaymentId, Reason};
use crate::refund::{Refund, RefundId};

macro_rules! tell {
    ($name:ident, $kind:literal, $summary:literal, $subject:ident, $audience:expr) => {
        impl DomainEvent for $name<'_> {
            const TYPE: &'static str = $kind;
            fn subject(&self) -> &str {
                self.$subject.as_str()
            }
            fn version(&self) -> i64 {
                self.version
            }
            fn audience(&self) -> Audience<'_> {
                let audience: fn(&Self) -> Audience<'_> = $audience;
                audience(self)
            }
        }
        events::catalogue! { $name<'static> = $summary; }
    };
}

/// What every event of a payment says.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Told<'a> {
    purpose: &'a str,
    subject: &'a str,
    payer: &'a AccountId,
    amount: f64,
    amount_minor: i64,
    currency: kernel::Currency,
    gateway: &'static str,
}

impl<'a> Told<'a> {
    fn of(payment: &'a Payment) -> Self {
        Self {
            purpose: &payment.purpose,
            subject: &payment.subject,
            payer: &payment.payer,
            amount: payment.amount.major_number(),
            amount_minor: payment.amount.minor,
            currency: payment.amount.currency,
            gateway: payment.gateway,
        }
    }
}

/// Money was taken: the seed's `charge:created`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ChargeCreated<'a> {
    payment_id: &'a PaymentId,
    /// The seed's name for what was paid.
    #[serde(skip_serializing_if = "Option::is_none")]
    order_id: Option<&'a str>,
    #[serde(flatten)]
    told: Told<'a>,
    #[serde(skip)]
    version: i64,
}
tell!(
    ChargeCreated,
    "charge.created",
    "Money was taken for an order, a top-up or an invoice.",
    payment_id,
    |event| { Audience::Accounts(vec![event.told.payer.as_str()]) }
);

impl<'a> ChargeCreated<'a> {
    pub(crate) fn of(payment: &'a Payment) -> Self {
        let order_id = (payment.purpose == "order").then_some(payment.subject.as_str());
        Self { payment_id: &payment.id, order_id, told: Told::of(payment), version: payment.version }
    }
}

/// A payment failed; nothing was taken.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PaymentFailed<'a> {
    payment_id: &'a PaymentId,
    reason: Option<&'a Reason>,
    #[serde(flatten)]
    told: Told<'a>,
    #[serde(skip)]
    version: i64,
}
tell!(PaymentFailed, "payment.failed", "A payment failed; nothing was taken.", payment_id, |event| {
    Audience::Accounts(vec![event.told.payer.as_str()])
});

impl<'a> PaymentFailed<'a> {
    pub(crate) fn of(payment: &'a Payment) -> Self {
        let reason = payment.failure.as_ref();
        Self { payment_id: &payment.id, reason, told: Told::of(payment), version: payment.version }
    }
}

/// A payment was called off, or its reserved money released.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PaymentCancelled<'a> {
    payment_id: &'a PaymentId,
    reason: Option<&'a Reason>,
    #[serde(flatten)]
    told: Told<'a>,
    #[serde(skip)]
    version: i64,
}
tell!(
    PaymentCancelled,
    "payment.cancelled",
    "A payment was called off; nothing was taken.",
    payment_id,
    |event| { Audience::Accounts(vec![event.told.payer.as_str()]) }
);

impl<'a> PaymentCancelled<'a> {
    pub(crate) fn of(payment: &'a Payment) -> Self {
        let reason = payment.failure.as_ref();
        Self { payment_id: &payment.id, reason, told: Told::of(payment), version: payment.version }
    }
}

/// The gateway has not said for hours how a payment stands.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PaymentUnresolved<'a> {
    payment_id: &'a PaymentId,
    attempts: u32,
    state: &'static str,
    #[serde(flatten)]
    told: Told<'a>,
    #[serde(skip)]
    version: i64,
}
tell!(
    PaymentUnresolved,
    "payment.unresolved",
    "A gateway has not said for long how a payment stands; an operator should look.",
    payment_id,
    |_| Audience::Operators
);

impl<'a> PaymentUnresolved<'a> {
    pub(crate) fn of(payment: &'a Payment) -> Self {
        Self {
            payment_id: &payment.id,
            attempts: payment.attempts,
            state: payment.state.as_str(),
            told: Told::of(payment),
            version: payment.version,
        }
    }
}

macro_rules! refund_event {
    ($(#[$meta:meta])* $name:ident, $kind:literal, $summary:literal) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Serialize)]
        #[serde(rename_all = "camelCase")]
        pub(crate) struct $name<'a> {
            refund_id: &'a RefundId,
            payment_id: &'a PaymentId,
            refund_minor: i64,
            reason: &'a str,
            failure: Option<&'a Reason>,
            #[serde(flatten)]
            told: Told<'a>,
            #[serde(skip)]
            version: i64,
        }
        tell!($name, $kind, $summary, refund_id, |event| {
            Audience::Accounts(vec![event.told.payer.as_str()])
        });

        impl<'a> $name<'a> {
            pub(crate) fn of(payment: &'a Payment, refund: &'a Refund) -> Self {
                Self {
                    refund_id: &refund.id,
                    payment_id: &payment.id,
                    refund_minor: refund.amount.minor,
                    reason: &refund.reason,
                    failure: refund.failure.as_ref(),
                    told: Told::of(payment),
                    version: refund.version,
                }
            }
        }
    };
}

refund_event!(
    /// A refund was begun.
    RefundCreated, "refund.created", "A refund was begun; its amount is reserved."
);
refund_event!(
    /// The money is on its way back.
    RefundSettled, "refund.settled", "A refund was paid out."
);
refund_event!(
    /// The gateway refused a refund.
    RefundFailed, "refund.failed", "A gateway refused a refund; the amount can be refunded again."
);

/// A dispute was opened, won or lost.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PaymentDisputed<'a> {
    dispute_id: &'a DisputeId,
    payment_id: &'a PaymentId,
    dispute_minor: i64,
    state: &'static str,
    reason: &'a str,
    #[serde(flatten)]
    told: Told<'a>,
    #[serde(skip)]
    version: i64,
}
tell!(
    PaymentDisputed,
    "payment.disputed",
    "A buyer's bank disputes a payment, or has decided.",
    dispute_id,
    |_| Audience::Operators
);

impl<'a> PaymentDisputed<'a> {
    pub(crate) fn of(payment: &'a Payment, dispute: &'a Dispute) -> Self {
        Self {
            dispute_id: &dispute.id,
            payment_id: &payment.id,
            dispute_minor: dispute.amount.minor,
            state: dispute.state.as_str(),
            reason: &dispute.reason,
            told: Told::of(payment),
            version: dispute.version,
        }
    }
}
