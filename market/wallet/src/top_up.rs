//! One top-up: its states and what is known of it.

use identity::{AccountId, UserId};
use kernel::{Currency, Money, Timestamp};
use payments::{PaymentId, Reason};

kernel::id!(
    /// One top-up of a wallet.
    TopUpId,
    "topup"
);
store::id_values!(TopUpId);

store::words! {
    /// Where a top-up stands: `pending → paid | failed | cancelled`. A success may come late.
    #[derive(utoipa::ToSchema)]
    TopUpState, "expected the state of a top-up" {
        /// The money is on its way, or the buyer has to do something.
        Pending = "pending",
        /// It is in the wallet.
        Paid = "paid",
        /// The bank declined. Nothing was taken.
        Failed = "failed",
        /// Called off. Nothing was taken, or it went back.
        Cancelled = "cancelled",
    }
}

impl TopUpState {
    /// Whether a top-up may go from here to `next`.
    #[must_use]
    pub const fn may_become(self, next: Self) -> bool {
        match self {
            Self::Pending => !matches!(next, Self::Pending),
            Self::Failed | Self::Cancelled => matches!(next, Self::Paid),
            Self::Paid => false,
        }
    }
}

store::words! {
    /// Who began a top-up.
    #[derive(utoipa::ToSchema)]
    Origin, "expected who began a top-up" {
        /// A person or a program of theirs.
        Manual = "manual",
        /// The account's rule.
        Auto = "auto",
    }
}

/// A top-up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopUp {
    /// Its id.
    pub id: TopUpId,
    /// Whose wallet.
    pub account: AccountId,
    /// How much.
    pub amount: Money,
    /// Who began it.
    pub origin: Origin,
    /// Where it stands.
    pub state: TopUpState,
    /// The payment that brings the money.
    pub payment: PaymentId,
    /// What people see of the card, `visa 4242`; empty where it is given in the browser.
    pub method: String,
    /// Why it failed or was called off.
    pub failure: Option<Reason>,
    /// How much of it was given back, in minor units.
    pub refunded_minor: i64,
    /// Who asked for it, or set the rule that did.
    pub created_by: UserId,
    /// Grows with every change.
    pub version: i64,
    /// When it began.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl TopUp {
    /// In which currency.
    #[must_use]
    pub const fn currency(&self) -> Currency {
        self.amount.currency
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_paid_stays_paid_and_a_success_may_come_late() {
        for state in TopUpState::ALL {
            assert_eq!(state.as_str().parse::<TopUpState>(), Ok(state));
            assert!(!TopUpState::Paid.may_become(state), "{state}");
            assert_eq!(state.may_become(TopUpState::Paid), state != TopUpState::Paid);
            assert!(!state.may_become(TopUpState::Pending), "{state}");
        }
        assert!("done".parse::<TopUpState>().is_err());
    }
}
