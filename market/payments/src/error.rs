//! What can go wrong in this room, and how people are told.

use std::borrow::Cow;

use identity::IdentityError;
use kernel::{FieldError, Money, Problem};
use store::StoreError;

use crate::payment::{Reason, State};

/// Why a use case did not do what was asked. Nothing was changed then.
#[derive(Debug, thiserror::Error)]
pub enum PaymentError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Who asks may not.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The ledger refused.
    #[error(transparent)]
    Ledger(#[from] ledger::LedgerError),
    /// Fields of the request are wrong.
    #[error("some fields are wrong")]
    Invalid(Vec<FieldError>),
    /// There is no such thing, or none that the caller may see. The text names the kind.
    #[error("no such {0}")]
    NotFound(&'static str),
    /// The key named another payment of the same payer, or another refund, before.
    #[error("the key is used for something else")]
    KeyReused,
    /// The wallet holds too little.
    #[error("the wallet lacks {missing}")]
    WalletTooLow {
        /// How much is missing.
        missing: Money,
    },
    /// What was to be paid for is gone.
    #[error("refused: {}", .0.message)]
    Refused(Reason),
    /// Nothing, or less than nothing, cannot be paid or given back.
    #[error("the amount must be more than nothing")]
    NothingToPay,
    /// The refund is larger than what is left of the capture.
    #[error("at most {left} can be given back")]
    TooMuch {
        /// What can still be given back.
        left: Money,
    },
    /// The payment is in another state than this needs.
    #[error("the payment is {0}")]
    WrongState(State),
    /// No gateway takes this way to pay.
    #[error("no gateway is set up for this")]
    NoGateway,
    /// The gateway refused; the words are for the buyer.
    #[error("{}", .0.message)]
    Gateway(Reason),
    /// The gateway does not answer.
    #[error("the gateway does not answer")]
    Unreachable,
    /// No room said that it serves payments of this purpose.
    #[error("nobody serves the purpose {0}")]
    NoPurpose(String),
    /// An `Idempotency-Key` came again with another body.
    #[error(transparent)]
    Reused(#[from] web::idempotency::Reused),
    /// A room above refused.
    #[error("{0}")]
    Purpose(Problem),
}

impl PaymentError {
    /// One wrong field.
    pub fn field(pointer: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::Invalid(vec![FieldError { pointer: pointer.into(), detail: detail.into() }])
    }
}

impl From<PaymentError> for Problem {
    fn from(error: PaymentError) -> Self {
        match error {
            PaymentError::Store(error) => error.into(),
            PaymentError::Identity(error) => error.into(),
            PaymentError::Ledger(error) => error.into(),
            PaymentError::Reused(error) => error.into(),
            PaymentError::Purpose(problem) => problem,
            PaymentError::Invalid(errors) => {
                let mut problem = Self::invalid(
                    "payments.invalid",
                    "Some of this cannot be taken. Nothing was charged; correct the fields and send it again.",
                );
                problem.errors = errors;
                problem
            }
            PaymentError::NotFound(kind) => {
                Self::not_found("payments.missing", format!("There is no such {kind} that you may see."))
            }
            PaymentError::WalletTooLow { missing } => Self::new(
                402,
                "payments.wallet_too_low",
                format!("The wallet lacks {missing}. Nothing was taken."),
            )
            .next("Top the wallet up by at least that, or pay by card."),
            PaymentError::Refused(reason) => {
                Self::conflict("payments.refused", format!("{} Nothing was charged.", reason.message))
            }
            PaymentError::TooMuch { left } => Self::conflict(
                "payments.refund_too_large",
                format!("At most {left} of this payment can still be given back. Nothing was refunded."),
            ),
            PaymentError::WrongState(state) => Self::conflict(
                "payments.wrong_state",
                format!("The payment is {state}, so this cannot be done. Nothing was changed."),
            ),
            other => technical(&other),
        }
    }
}

/// The rest: keys and gateways.
fn technical(error: &PaymentError) -> Problem {
    match error {
        PaymentError::KeyReused => Problem::invalid(
            "payments.key_reused",
            "This key named something else before. Nothing was charged.",
        )
        .next("Use a fresh key for a new payment, or ask for the old one again with what it was for."),
        PaymentError::NothingToPay => {
            Problem::invalid("payments.nothing_to_pay", "The amount must be more than nothing.")
        }
        PaymentError::NoGateway => Problem::conflict(
            "payments.no_gateway",
            "This market takes no payments of this kind. Nothing was charged.",
        )
        .next("Choose another way to pay. Operators set up a gateway with payments.stripe_key."),
        PaymentError::Gateway(reason) => {
            Problem::new(402, format!("payments.{}", reason.code), reason.message.clone())
        }
        PaymentError::Unreachable => Problem::unavailable(
            "payments.gateway_unreachable",
            "The payment gateway does not answer. Nothing was changed here.",
        )
        .next("Try again in a moment.")
        .retry_after(5),
        other => {
            tracing::error!(error = %other, "a payment could not be handled");
            Problem::internal("payments.failed", "This payment cannot be handled now. Nothing was changed.")
        }
    }
}
