//! Giving money back: the amount is reserved first, then the gateway is asked.

use kernel::{Money, Timestamp};

use crate::payment::{PaymentId, Reason};

kernel::id!(
    /// One refund of a payment, whole or in part.
    RefundId,
    "refund"
);
store::id_values!(RefundId);

store::words! {
    /// Where a refund stands: `reserved → (unknown) → settled | failed`.
    #[derive(utoipa::ToSchema)]
    RefundState, "expected the state of a refund" {
        /// Reserved: nobody else can give this money back; the gateway has not answered.
        Reserved = "reserved",
        /// The gateway was asked and nobody knows what it did. The janitor asks again.
        Unknown = "unknown",
        /// The gateway gave it back.
        Settled = "settled",
        /// The gateway refused; the amount can be refunded again.
        Failed = "failed",
    }
}

impl RefundState {
    /// Whether a refund may go from here to `next`.
    #[must_use]
    pub const fn may_become(self, next: Self) -> bool {
        match self {
            Self::Reserved => matches!(next, Self::Unknown | Self::Settled | Self::Failed),
            Self::Unknown => matches!(next, Self::Settled | Self::Failed),
            Self::Settled | Self::Failed => false,
        }
    }
}

/// A wish to give money back.
#[derive(Clone, Debug)]
pub struct NewRefund {
    /// Of which payment.
    pub payment: PaymentId,
    /// How much.
    pub amount: Money,
    /// Names this refund among those of the payment: the same key again is the same refund.
    pub key: Option<String>,
    /// Why, for the buyer and the operator.
    pub reason: String,
}

/// A refund.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refund {
    /// Its id; also the idempotency key at the gateway.
    pub id: RefundId,
    /// Of which payment.
    pub payment: PaymentId,
    /// How much.
    pub amount: Money,
    /// Where it stands.
    pub state: RefundState,
    /// Why.
    pub reason: String,
    /// The gateway's name for it.
    pub reference: Option<String>,
    /// Why it failed.
    pub failure: Option<Reason>,
    /// Whether the market itself gives the money back, because a success came too late for what was to be paid.
    /// The [`Purpose`](crate::Purpose) never saw that money and is not told.
    pub is_given_back: bool,
    /// Grows with every transition.
    pub version: i64,
    /// When it was reserved.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    pub(crate) attempts: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refund_ends_once() {
        for end in [RefundState::Settled, RefundState::Failed] {
            assert!(RefundState::ALL.into_iter().all(|next| !end.may_become(next)));
            assert!(RefundState::Reserved.may_become(end) && RefundState::Unknown.may_become(end));
        }
    }
}
