//! What can go wrong in this room, and how people are told.

use std::borrow::Cow;
use std::str::FromStr;

use identity::IdentityError;
use kernel::{FieldError, Money, Problem};
use store::StoreError;

use crate::payment::{Reason, State};

kernel::problems! {
    "payments.invalid": "Some fields of the request cannot be taken, such as a wrong card number.",
        "Nothing was charged.", "Correct the fields that the answer names and send it again.";
    "payments.missing": "There is no such payment, method or webhook, or it belongs to somebody else.",
        "Nothing was changed.", "Check the id, and that you are signed in as its owner.";
    "payments.wallet_too_low": "The wallet holds less than the price.",
        "Nothing was taken.", "Top the wallet up by what the answer names, or pay by card.";
    "payments.refused": "What was to be paid for is no longer reserved.",
        "Nothing was charged.", "Order it again if there is some left.";
    "payments.refund_too_large": "The refund is larger than what is left of the payment.",
        "Nothing was refunded.", "Refund at most what the answer names.";
    "payments.wrong_state": "The payment is in another state than this needs.",
        "Nothing was changed.", "Read the payment again; its state tells what can be done.";
    "payments.key_reused": "An idempotency key names another payment or refund already.",
        "Nothing was charged.", "Use a fresh key, or repeat the first request exactly.";
    "payments.nothing_to_pay": "The amount is nothing or less.",
        "Nothing was charged.", "Send an amount of at least one minor unit.";
    "payments.no_gateway": "No payment gateway of this market takes this way to pay.",
        "Nothing was charged.", "Choose another way to pay; operators set payments.stripe_key.";
    "payments.card_refused": "The bank refused the card.",
        "Nothing was charged and nothing was saved.", "Use another card, or ask the bank.";
    "payments.gateway_unreachable": "The payment gateway does not answer.",
        "Nothing was changed here.", "Try again in a moment.";
    "payments.failed": "The payment could not be handled, by a fault of the market.",
        "Nothing was changed.", "Tell the operator the request id.";
    "payments.webhooks_off": "The market takes no webhooks of a gateway.",
        "Nothing was kept.", "Set payments.stripe_key and payments.stripe_webhook_secret.";
    "payments.webhook_too_large": "The webhook is larger than any event of a gateway.",
        "Nothing was kept.", "Check what sends it.";
    "payments.webhook_refused": "The webhook's signature or body does not hold.",
        "Nothing was kept.", "Check payments.stripe_webhook_secret and the clock of the machine.";
}

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

/// The id in a path or a form; what is none names nothing that there is.
pub(crate) fn id<T: FromStr>(text: &str, kind: &'static str) -> Result<T, PaymentError> {
    text.parse().map_err(|_| PaymentError::NotFound(kind))
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
        PaymentError::Gateway(reason) => Problem::new(402, "payments.card_refused", reason.message.clone()),
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
