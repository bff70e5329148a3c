//! What can go wrong in this room, and how people are told.

use std::borrow::Cow;

use identity::IdentityError;
use kernel::{FieldError, Money, MoneyError, Problem};
use ledger::LedgerError;
use payments::{PaymentError, Reason};
use store::StoreError;

/// Why a use case did not do what was asked. Nothing was changed then.
#[derive(Debug, thiserror::Error)]
pub enum WalletError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Who asks may not, or nobody is signed in.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The books refused.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The payment was refused.
    #[error(transparent)]
    Payment(#[from] PaymentError),
    /// Fields of the request are wrong.
    #[error("some fields are wrong")]
    Invalid(Vec<FieldError>),
    /// There is no such thing, or it is somebody else's. The text names the kind.
    #[error("no such {0}")]
    NotFound(&'static str),
    /// The wallet would hold more than it may.
    #[error("at most {room} more fits")]
    TooFull {
        /// How much it can still take.
        room: Money,
        /// The most that it may hold.
        most: Money,
    },
    /// Less than that is left in the wallet.
    #[error("only {available} is left")]
    Spent {
        /// What can be given back.
        available: Money,
    },
    /// The bank said no; the words are for people. The top-up is kept as failed.
    #[error("{}", .0.message)]
    Declined(Reason),
    /// It changed since the caller saw it.
    #[error(transparent)]
    Stale(#[from] web::Stale),
    /// An `Idempotency-Key` came again with another body.
    #[error(transparent)]
    Reused(#[from] web::idempotency::Reused),
    /// Amounts that do not add up.
    #[error(transparent)]
    Money(#[from] MoneyError),
}

impl WalletError {
    /// One wrong field.
    pub(crate) fn field(pointer: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::Invalid(vec![FieldError { pointer: pointer.into(), detail: detail.into() }])
    }
}

/// A payment's transition that this room refuses is undone and tried again.
impl From<WalletError> for PaymentError {
    fn from(error: WalletError) -> Self {
        match error {
            WalletError::Payment(error) => error,
            WalletError::Store(error) => error.into(),
            WalletError::Ledger(error) => error.into(),
            other => Self::Purpose(other.into()),
        }
    }
}

impl From<WalletError> for Problem {
    fn from(error: WalletError) -> Self {
        match error {
            WalletError::Store(error) => error.into(),
            WalletError::Identity(error) => error.into(),
            WalletError::Ledger(error) => error.into(),
            WalletError::Payment(error) => error.into(),
            WalletError::Reused(error) => error.into(),
            WalletError::Stale(error) => error.into(),
            WalletError::Invalid(errors) => {
                let detail = "Some fields need another look. Nothing was charged or changed.";
                Self { errors, ..Self::invalid("wallet.invalid", detail) }
            }
            WalletError::NotFound(kind) => Self::not_found(
                "wallet.not_found",
                format!("There is no such {kind}, or it is not yours to see."),
            ),
            WalletError::TooFull { room, most } => Self::conflict(
                "wallet.too_full",
                format!(
                    "A wallet holds at most {most}, so this one can take {room} more. Nothing was charged."
                ),
            )
            .next("Top up by less, or spend some of the balance first."),
            WalletError::Spent { available } => Self::conflict(
                "wallet.spent",
                format!(
                    "Only {available} is left in the wallet, so no more than that can be given back. Nothing was refunded."
                ),
            ),
            WalletError::Declined(reason) => Self::new(402, "wallet.declined", reason.message)
                .next("Try another card. The balance is as it was."),
            WalletError::Money(_) => {
                Self::invalid("wallet.too_much", "The amount is too large. Nothing was charged.")
            }
        }
    }
}

kernel::problems! {
    "wallet.invalid":
        "Some fields are wrong; `errors` names each.",
        "Nothing was charged or changed.",
        "Mend the fields and send them again.";
    "wallet.not_found":
        "There is no such wallet, rule or top-up, or it belongs to somebody else.",
        "Nothing was done.",
        "Use your own wallet, or that of an organisation which you administer.";
    "wallet.too_full":
        "With what is on its way the wallet would hold more than the market allows (wallet.max_balance).",
        "Nothing was charged.",
        "Top up by less, or spend some of the balance first.";
    "wallet.spent":
        "A top-up is given back only as far as it is still in the wallet and not reserved.",
        "Nothing was refunded.",
        "Ask for at most what is available.";
    "wallet.declined":
        "The bank declined the card of a top-up.",
        "Nothing was taken; the balance is as it was.",
        "Try another card, or ask the bank.";
    "wallet.too_much":
        "The amount is larger than any amount may be.",
        "Nothing was charged.",
        "Use a smaller amount.";
}
