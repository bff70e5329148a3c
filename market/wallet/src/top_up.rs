//! One top-up: its states and what is known of it.

use std::fmt;
use std::str::FromStr;

use identity::{AccountId, UserId};
use kernel::{Currency, Money, Timestamp};
use payments::{PaymentId, Reason};
use serde::{Deserialize, Serialize};

kernel::id!(
    /// One top-up of a wallet.
    TopUpId,
    "topup"
);
store::id_values!(TopUpId);

/// Where a top-up stands: `pending → paid | failed | cancelled`. A success may come late.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TopUpState {
    /// The money is on its way, or the buyer has to do something.
    Pending,
    /// It is in the wallet.
    Paid,
    /// The bank declined. Nothing was taken.
    Failed,
    /// Called off. Nothing was taken, or it went back.
    Cancelled,
}

impl TopUpState {
    /// All states.
    pub const ALL: [Self; 4] = [Self::Pending, Self::Paid, Self::Failed, Self::Cancelled];

    /// The word in rows, JSON and pages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Paid => "paid",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

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

impl fmt::Display for TopUpState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for TopUpState {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|state| state.name() == text).ok_or_else(|| format!("no state: {text}"))
    }
}

/// Who began a top-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// A person or a program of theirs.
    Manual,
    /// The account's rule.
    Auto,
}

impl Origin {
    /// The word in rows and JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Auto => "auto",
        }
    }
}

impl FromStr for Origin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Manual, Self::Auto]
            .into_iter()
            .find(|origin| origin.name() == text)
            .ok_or_else(|| format!("no origin: {text}"))
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
            assert_eq!(state.name().parse::<TopUpState>(), Ok(state));
            assert!(!TopUpState::Paid.may_become(state), "{state}");
            assert_eq!(state.may_become(TopUpState::Paid), state != TopUpState::Paid);
            assert!(!state.may_become(TopUpState::Pending), "{state}");
        }
        assert!("done".parse::<TopUpState>().is_err());
    }
}
