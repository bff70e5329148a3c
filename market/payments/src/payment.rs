//! One attempt to pay: its states, the table of its transitions, and the pure rules on it.

use identity::AccountId;
use kernel::{Money, Timestamp};
use ledger::Account;

use serde::{Deserialize, Serialize};

use crate::method::MethodView;

kernel::id!(
    /// One attempt to pay for something. Its text is also the idempotency key at the gateway.
    PaymentId,
    "payment"
);
store::id_values!(PaymentId);

store::words! {
    /// Where a payment stands.
    ///
    /// `created → submitted → (unknown) → authorised → captured | failed | cancelled`
    #[derive(utoipa::ToSchema)]
    State, "expected the state of a payment" {
        /// Written down; no gateway was asked.
        Created = "created",
        /// Handed to the gateway, or about to be; also while the buyer has to confirm something.
        Submitted = "submitted",
        /// The gateway was asked and nobody knows what it did. The janitor asks again.
        Unknown = "unknown",
        /// The money is reserved at the buyer's bank, and the [`Purpose`](crate::Purpose) decided what becomes of it.
        Authorised = "authorised",
        /// The money is ours.
        Captured = "captured",
        /// Declined, or it never reached the bank. Nothing was taken.
        Failed = "failed",
        /// Called off before anything was taken.
        Cancelled = "cancelled",
    }
}

impl State {
    /// Whether a payment may go from here to `next`. This table is the whole state machine.
    ///
    /// `failed` and `cancelled` lead on to a success that comes late: a bank may have taken money after we had to
    /// believe that it would not, and that money must be seen, so that it is used or given back.
    #[must_use]
    pub const fn may_become(self, next: Self) -> bool {
        use State::{Authorised, Cancelled, Captured, Created, Failed, Submitted, Unknown};
        match self {
            Created => matches!(next, Submitted | Cancelled | Failed),
            Submitted => matches!(next, Unknown | Authorised | Captured | Failed | Cancelled),
            Unknown => matches!(next, Submitted | Authorised | Captured | Failed | Cancelled),
            Authorised => matches!(next, Captured | Failed | Cancelled),
            Failed | Cancelled => matches!(next, Authorised | Captured),
            Captured => false,
        }
    }

    /// Whether its outcome is still open at the gateway.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Created | Self::Submitted | Self::Unknown)
    }
}

/// What is to become of a payment once its outcome is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Take the money once it is reserved.
    #[default]
    Capture,
    /// Call it off: what it was for is gone. What cannot be called off any more is refunded.
    GiveBack,
}

impl Wish {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Capture => "capture",
            Self::GiveBack => "give_back",
        }
    }
}

/// Why a payment failed, for the buyer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Reason {
    /// Stable and machine-readable, in the gateway's words where they are well known: `card_declined`.
    pub code: String,
    /// What happened, that nothing was taken, what to do next.
    pub message: String,
}

impl Reason {
    /// A reason in our own words.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into() }
    }
}

/// What the buyer has to do before the bank decides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "type", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum NextAction {
    /// Go to this page of the bank, and come back.
    Redirect {
        /// An absolute address, or a path of this market for the sandbox bank.
        url: String,
    },
    /// Confirm in the browser with the gateway's own script.
    Browser {
        /// What the script needs. It is never stored: only the answer that made it or asked for it has it.
        #[serde(skip_serializing_if = "Option::is_none")]
        client_secret: Option<String>,
    },
    /// Type in a card: the sandbox's counterpart of [`NextAction::Browser`].
    Card,
}

/// One attempt to pay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    /// Its id.
    pub id: PaymentId,
    /// The name of the [`Purpose`](crate::Purpose): `order`, `top-up`, `invoice`.
    pub purpose: String,
    /// The id of what is paid for.
    pub subject: String,
    /// Who pays.
    pub payer: AccountId,
    /// How much.
    pub amount: Money,
    /// How much was given back, in minor units.
    pub refunded_minor: i64,
    /// How much is about to be given back, in minor units.
    pub refunding_minor: i64,
    /// Where it stands.
    pub state: State,
    /// Which gateway: `sandbox`, `stripe` or `wallet`.
    pub gateway: &'static str,
    /// The gateway's name for it, where it has one of its own.
    pub reference: Option<String>,
    /// The card, as far as people may see it.
    pub method: Option<MethodView>,
    /// Why it failed, or why its money goes back.
    pub failure: Option<Reason>,
    /// What the buyer has to do.
    pub next_action: Option<NextAction>,
    /// What statements and lists call it.
    pub description: String,
    /// Grows with every transition.
    pub version: i64,
    /// When it began.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// What the gateway charges: an outcome code (sandbox) or the gateway's id of a method. Never a card number.
    pub(crate) instrument: String,
    /// What is to become of it.
    pub(crate) wish: Wish,
    /// How often the janitor asked in vain.
    pub(crate) attempts: u32,
}

impl Payment {
    /// The ledger account that its money comes from: debit it at the capture, credit it for a refund. What a
    /// gateway holds for us, or the payer's own balance, which the ledger never lets below zero.
    #[must_use]
    pub fn funds(&self) -> Account {
        match self.gateway {
            WALLET => Account::Wallet(self.payer.clone()),
            gateway => Account::Clearing(gateway),
        }
    }

    /// What was given back.
    #[must_use]
    pub const fn refunded(&self) -> Money {
        Money::new(self.refunded_minor, self.amount.currency)
    }

    /// What can still be given back.
    #[must_use]
    pub fn refundable(&self) -> Money {
        let left = match self.state {
            State::Captured => self.amount.minor - self.refunded_minor - self.refunding_minor,
            _ => 0,
        };
        Money::new(left, self.amount.currency)
    }

    /// Whether its money goes back, because what it was for is gone.
    #[must_use]
    pub fn is_given_back(&self) -> bool {
        self.wish == Wish::GiveBack
    }
}

/// What [`Payment::gateway`] says of payments from the payer's own balance.
pub const WALLET: &str = "wallet";

/// The gateways by name, so that [`Payment::gateway`] costs no allocation and fits the ledger's accounts.
pub(crate) fn gateway_name(text: &str) -> Result<&'static str, String> {
    ["sandbox", "stripe", "wallet"]
        .into_iter()
        .find(|name| *name == text)
        .ok_or_else(|| format!("no gateway: {text}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_read_back() {
        for state in State::ALL {
            assert_eq!(state.as_str().parse::<State>(), Ok(state));
        }
        assert!("paid".parse::<State>().is_err());
    }

    proptest! {
        /// Whatever a gateway says in whatever order: money is taken at most once, what is captured stays captured,
        /// nothing is captured without having been handed to a gateway, and nobody asks after `created` again.
        #[test]
        fn every_path_keeps_the_promises(wanted in proptest::collection::vec(0usize..7, 0..40)) {
            let (mut state, mut captures, mut was_submitted) = (State::Created, 0, false);
            for next in wanted.into_iter().map(|index| State::ALL[index]) {
                if !state.may_become(next) {
                    continue;
                }
                prop_assert_ne!(state, State::Captured);
                prop_assert_ne!(next, State::Created);
                was_submitted |= next == State::Submitted;
                captures += u32::from(next == State::Captured);
                state = next;
            }
            prop_assert!(captures <= 1);
            // A payment that was called off before it was submitted can only succeed late if a gateway knew of it.
            prop_assert!(captures == 0 || was_submitted || !State::Created.may_become(State::Captured));
        }
    }

    #[test]
    fn an_open_payment_can_always_end() {
        for state in State::ALL.into_iter().filter(|state| state.is_open() || *state == State::Authorised) {
            assert!(state.may_become(State::Cancelled) && state.may_become(State::Failed), "{state}");
        }
    }
}
