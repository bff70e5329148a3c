//! Disputes: the buyer's bank takes money back and decides later for whom.

use kernel::{Money, Timestamp};
use serde::{Deserialize, Serialize};

use crate::payment::PaymentId;

kernel::id!(
    /// One dispute of a payment.
    DisputeId,
    "dispute"
);
store::id_values!(DisputeId);

/// Where a dispute stands: `opened → won | lost`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DisputeState {
    /// The bank took the amount and asks for evidence.
    Opened,
    /// The amount came back to us.
    Won,
    /// The amount stays with the buyer.
    Lost,
}

impl DisputeState {
    /// All states.
    pub const ALL: [Self; 3] = [Self::Opened, Self::Won, Self::Lost];

    /// The word in rows, JSON and pages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Won => "won",
            Self::Lost => "lost",
        }
    }

    /// Whether a dispute may go from here to `next`.
    #[must_use]
    pub const fn may_become(self, next: Self) -> bool {
        matches!((self, next), (Self::Opened, Self::Won | Self::Lost))
    }
}

impl std::str::FromStr for DisputeState {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|state| state.name() == text).ok_or_else(|| format!("no state: {text}"))
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
