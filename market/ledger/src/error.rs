//! What can go wrong with the books.

use identity::IdentityError;
use kernel::{MoneyError, Problem};
use store::StoreError;
use thiserror::Error;

use crate::account::NoAccount;

/// Why the ledger refused. After [`LedgerError::AlreadyPosted`], [`LedgerError::NothingReserved`] and
/// [`LedgerError::AlreadyEnded`] the transaction can go on, since nothing was written; others must undo it.
#[derive(Debug, Error)]
pub enum LedgerError {
    /// A journal of this name is in the books: what it tells of happened before.
    #[error("{0} is already in the books")]
    AlreadyPosted(String),
    /// Nothing was ever reserved under this name.
    #[error("nothing is reserved under {0}")]
    NothingReserved(String),
    /// What was reserved under this name has ended.
    #[error("{journal} has ended before")]
    AlreadyEnded {
        /// The name.
        journal: String,
        /// Whether it was settled; else it was given up.
        settled: bool,
    },
    /// A guarded account has less than that.
    #[error("{account} has not enough {currency}")]
    Insufficient {
        /// The account's text.
        account: String,
        /// Its currency.
        currency: String,
    },
    /// The transfers cannot stand in the books as they are: a mistake of the caller.
    #[error("{journal} cannot be posted: {reason}")]
    Malformed {
        /// The name.
        journal: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// The text names no account.
    #[error(transparent)]
    NoAccount(#[from] NoAccount),
    /// Amounts that do not add up.
    #[error(transparent)]
    Money(#[from] MoneyError),
    /// Not allowed.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<LedgerError> for Problem {
    fn from(error: LedgerError) -> Self {
        let text = error.to_string();
        match error {
            LedgerError::AlreadyPosted(_) => Self::conflict("ledger.already_posted", format!("{text}.")),
            LedgerError::NothingReserved(_) => Self::conflict("ledger.nothing_reserved", format!("{text}.")),
            LedgerError::AlreadyEnded { .. } => Self::conflict("ledger.already_ended", format!("{text}.")),
            LedgerError::Insufficient { currency, .. } => Self::conflict(
                "ledger.insufficient",
                format!("The balance in {currency} is too small. Nothing was taken."),
            )
            .next("Top it up, or pay in another way."),
            LedgerError::Malformed { .. } => {
                tracing::error!(error = %text, "a journal was refused");
                Self::internal("ledger.malformed", "This cannot be booked. Nothing was changed.")
            }
            LedgerError::NoAccount(_) => Self::invalid("ledger.no_account", format!("{text}.")),
            LedgerError::Money(error) => Self::invalid("ledger.amount", format!("{error}.")),
            LedgerError::Identity(error) => error.into(),
            LedgerError::Store(error) => error.into(),
        }
    }
}

kernel::problems! {
    "ledger.already_posted":
        "The business event is in the books already.",
        "It was posted once and is not posted again.",
        "Read what came of it the first time.";
    "ledger.nothing_reserved":
        "Nothing is reserved under this name.",
        "Nothing moved.",
        "Read the payment, refund or payout again; it may have another state.";
    "ledger.already_ended":
        "What was reserved has been settled or given up before.",
        "It ended once and does not end again.",
        "Read the payment, refund or payout again.";
    "ledger.insufficient":
        "The balance is smaller than what was to be taken.",
        "Nothing was taken.",
        "Top the balance up, or pay in another way.";
    "ledger.malformed":
        "The program tried to book what cannot stand in the books.",
        "Nothing was changed.",
        "Tell the operator, with the request id.";
    "ledger.no_account":
        "The text names no account of the ledger.",
        "Only reading was tried.",
        "Write tax, clearing:stripe or wallet:user-…, and the currency beside it.";
    "ledger.amount":
        "Amounts do not add up: other currencies, or too large.",
        "Nothing was changed.",
        "Use one currency, and amounts within the bounds.";
}
