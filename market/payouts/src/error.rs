//! What can go wrong with payouts.

use identity::IdentityError;
use kernel::{Currency, Money, MoneyError, Problem};
use ledger::LedgerError;
use payments::GatewayError;
use store::StoreError;
use thiserror::Error;

/// Why nothing was paid out.
#[derive(Debug, Error)]
pub enum PayoutError {
    /// There is less than that.
    #[error("{available} can be paid out now")]
    TooMuch {
        /// What there is.
        available: Money,
    },
    /// Less than the market pays out at once.
    #[error("a payout is at least {minimum}")]
    TooLittle {
        /// The least.
        minimum: Money,
    },
    /// There is nothing to pay out in this currency.
    #[error("there is nothing to pay out in {0}")]
    Nothing(Currency),
    /// Another payout in this currency is under way.
    #[error("a payout in {0} is under way")]
    UnderWay(Currency),
    /// The seller has not told a gateway where to send money to.
    #[error("there is no account to pay out to yet")]
    NotConnected,
    /// The gateway does not pay out to the seller's account yet.
    #[error("the gateway still needs something from you")]
    NotReady,
    /// No gateway is set up that pays out.
    #[error("this market has no gateway that pays out")]
    NoGateway,
    /// No such payout, or it is not the caller's.
    #[error("there is no such payout")]
    NotFound,
    /// Another request changed it at the same time.
    #[error("the payout changed meanwhile")]
    Changed,
    /// A field is wrong.
    #[error("{detail}")]
    Field {
        /// A JSON pointer.
        pointer: &'static str,
        /// What is wrong.
        detail: String,
    },
    /// The gateway.
    #[error(transparent)]
    Gateway(#[from] GatewayError),
    /// Amounts that do not add up.
    #[error(transparent)]
    Money(#[from] MoneyError),
    /// Not allowed.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The books.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A stale version.
    #[error(transparent)]
    Stale(#[from] web::Stale),
    /// The Idempotency-Key was used for something else.
    #[error(transparent)]
    Reused(#[from] web::idempotency::Reused),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<PayoutError> for Problem {
    fn from(error: PayoutError) -> Self {
        let text = error.to_string();
        let words = |end: &str| {
            let mut letters = text.chars();
            let first = letters.next().map(|c| c.to_uppercase().collect::<String>()).unwrap_or_default();
            format!("{first}{}.{end}", letters.as_str())
        };
        match error {
            PayoutError::TooMuch { .. } => {
                Self::invalid("payouts.too_much", words(" Nothing was paid out.")).field("/amount", words(""))
            }
            PayoutError::TooLittle { .. } => {
                Self::invalid("payouts.too_little", words(" Nothing was paid out."))
                    .field("/amount", words(""))
            }
            PayoutError::Nothing(_) => Self::conflict("payouts.nothing", words(""))
                .next("Wait until your sales have matured; the balance says when."),
            PayoutError::UnderWay(_) => {
                Self::conflict("payouts.under_way", words(" Nothing was paid out twice."))
                    .next("Wait until it has ended, then ask again.")
            }
            PayoutError::NotConnected => {
                Self::conflict("payouts.not_connected", words(" Your money is safe."))
                    .next("Set up where to send your money, then ask again.")
            }
            PayoutError::NotReady => Self::conflict("payouts.not_ready", words(" Your money is safe."))
                .next("Go on with the set-up at the gateway, then ask again."),
            PayoutError::NoGateway => Self::unavailable("payouts.no_gateway", words(" Your money is safe."))
                .next("Ask the operator of the market."),
            PayoutError::NotFound => Self::not_found("payouts.not_found", words("")),
            PayoutError::Changed => Self::conflict("payouts.changed", words(" Read it again.")),
            PayoutError::Field { pointer, detail } => {
                Self::invalid("payouts.invalid", "Some fields are wrong. Nothing was changed.")
                    .field(pointer, detail)
            }
            PayoutError::Gateway(GatewayError::NotOffered) => {
                Self::conflict("payouts.not_offered", "The gateway does not offer this. Nothing was changed.")
            }
            PayoutError::Gateway(GatewayError::Refused(reason)) => {
                Self::conflict("payouts.refused", format!("The gateway refused: {}", reason.message))
            }
            PayoutError::Gateway(GatewayError::Unreachable(_)) => Self::unavailable(
                "payouts.gateway_silent",
                "The gateway does not answer. Nothing was changed.",
            )
            .next("Try again in a minute.")
            .retry_after(60),
            PayoutError::Money(error) => Self::invalid("payouts.invalid", "The amount cannot be read.")
                .field("/amount", format!("{error}.")),
            PayoutError::Identity(error) => error.into(),
            PayoutError::Ledger(error) => error.into(),
            PayoutError::Stale(error) => error.into(),
            PayoutError::Reused(error) => error.into(),
            PayoutError::Store(error) => error.into(),
        }
    }
}

kernel::problems! {
    "payouts.too_much":
        "More was asked for than can be paid out: what matures later, is on its way or pays off a debt is not available.",
        "Nothing was paid out.",
        "Read the balance, and ask for at most what is available.";
    "payouts.too_little":
        "The amount is below the least that this market pays out at once.",
        "Nothing was paid out.",
        "Wait for more sales, or ask for more.";
    "payouts.nothing":
        "Nothing is available in this currency.",
        "Nothing was paid out.",
        "Wait until your sales have matured; the balance says when.";
    "payouts.under_way":
        "Another payout in this currency has not ended.",
        "Nothing was paid out twice.",
        "Wait until it has ended, then ask again.";
    "payouts.not_connected":
        "No gateway knows where to send your money.",
        "Your money is safe.",
        "Set it up at /sell/payouts, then ask again.";
    "payouts.not_ready":
        "The gateway wants to know something before it pays out to you.",
        "Your money is safe.",
        "Go on with the set-up at /sell/payouts.";
    "payouts.no_gateway":
        "No gateway is set up that pays out.",
        "Your money is safe.",
        "Ask the operator of the market.";
    "payouts.not_found":
        "There is no such payout, or it is somebody else's.",
        "Nothing was changed.",
        "Read the list of your payouts.";
    "payouts.changed":
        "Another request changed the payout at the same time.",
        "It was changed once.",
        "Read it again.";
    "payouts.invalid":
        "Some fields are wrong; `errors` names each.",
        "Nothing was changed.",
        "Mend the fields and send them again.";
    "payouts.not_offered":
        "The gateway does not offer this.",
        "Nothing was changed.",
        "Ask the operator which gateway pays out.";
    "payouts.refused":
        "The gateway refused; the detail has its words.",
        "Nothing was changed.",
        "Mend what it says, then try again.";
    "payouts.gateway_silent":
        "The gateway does not answer.",
        "Nothing was changed.",
        "Try again in a minute.";
}
