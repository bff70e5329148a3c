//! Disputes: the buyer's bank takes money back and decides later for whom.

use kernel::{Money, Timestamp};

use crate::payment::PaymentId;

kernel::id!(
    /// One dispute of a payment.
    DisputeId,
    "dispute"
);
store::id_values!(DisputeId);

store::words! {
    /// Where a dispute stands: `opened → won | lost`.
    #[derive(utoipa::ToSchema)]
    DisputeState, "expected the state of a dispute" {
        /// The bank took the amount and asks for evidence.
        Opened = "opened",
        /// The amount came back to us.
        Won = "won",
        /// The amount stays with the buyer.
        Lost = "lost",
    }
}

impl DisputeState {
    /// Whether a dispute may go from here to `next`.
    #[must_use]
    pub const fn may_become(self, next: Self) -> bool {
        matches!((self, next), (Self::Opened, Self::Won | Self::Lost))
    }
}

/// A dispute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dispute {
    /// Its id.
    pub id: DisputeId,
    /// Of which payment.
    pub payment: PaymentId,
    /// How much of it.
    pub amount: Money,
    /// Where it stands.
    pub state: DisputeState,
    /// Why, in the gateway's words: `fraudulent`, `product_not_received`.
    pub reason: String,
    /// The gateway's name for it.
    pub reference: String,
    /// Grows with every transition.
    pub version: i64,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}
