//! What can go wrong in this room, and how people are told.

use std::borrow::Cow;
use std::str::FromStr;

use catalog::CatalogError;
use identity::IdentityError;
use kernel::{FieldError, Money, Problem};
use ledger::LedgerError;
use orders::OrderError;
use payments::PaymentError;
use store::StoreError;

use crate::invoice::Standing;
use crate::subscription::State;

/// Why a use case did not do what was asked. Nothing was changed then.
#[derive(Debug, thiserror::Error)]
pub enum BillingError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Who asks may not.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The catalog refused.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// The orders refused.
    #[error(transparent)]
    Order(#[from] OrderError),
    /// The payments refused.
    #[error(transparent)]
    Payment(#[from] PaymentError),
    /// The ledger refused.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Amounts that do not add up.
    #[error(transparent)]
    Money(#[from] kernel::MoneyError),
    /// The document cannot be made.
    #[error(transparent)]
    Paper(#[from] pdf::PdfError),
    /// It changed since the caller saw it.
    #[error(transparent)]
    Stale(#[from] web::Stale),
    /// An `Idempotency-Key` came again with another body.
    #[error(transparent)]
    Reused(#[from] web::idempotency::Reused),
    /// Fields of the request are wrong.
    #[error("some fields are wrong")]
    Invalid(Vec<FieldError>),
    /// There is no such thing, or none that the caller may see. The text names the kind.
    #[error("no such {0}")]
    NotFound(&'static str),
    /// The subscription is in another state than this needs.
    #[error("the subscription is {0}")]
    WrongState(State),
    /// The invoice is in another state than this needs.
    #[error("the invoice is {0}")]
    NotOpen(Standing),
    /// Somebody else changed it at the same moment.
    #[error("it changed meanwhile")]
    Changed,
    /// A payment is under way.
    #[error("a payment is under way")]
    InFlight,
    /// The plan cannot be chosen, for this reason.
    #[error("the plan cannot be chosen: {0}")]
    Plan(&'static str),
    /// The new plan was not paid, for this reason.
    #[error("the change was not paid: {0}")]
    NotPaid(String),
    /// The refund is larger than what is left.
    #[error("at most {left} can be refunded")]
    RefundTooLarge {
        /// What can still be refunded.
        left: Money,
    },
}

impl BillingError {
    /// One wrong field.
    pub(crate) fn field(pointer: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::Invalid(vec![FieldError { pointer: pointer.into(), detail: detail.into() }])
    }
}

/// The id in a path or a form; what is none names nothing that there is.
pub(crate) fn id<T: FromStr>(text: &str, kind: &'static str) -> Result<T, BillingError> {
    text.parse().map_err(|_| BillingError::NotFound(kind))
}

impl From<BillingError> for Problem {
    fn from(error: BillingError) -> Self {
        match error {
            BillingError::Store(error) => error.into(),
            BillingError::Identity(error) => error.into(),
            BillingError::Catalog(error) => error.into(),
            BillingError::Order(error) => error.into(),
            BillingError::Payment(error) => error.into(),
            BillingError::Ledger(error) => error.into(),
            BillingError::Paper(error) => error.into(),
            BillingError::Stale(error) => error.into(),
            BillingError::Reused(error) => error.into(),
            BillingError::Money(error) => Self::invalid(
                "billing.amount",
                format!("This cannot be added up: {error}. Nothing was changed."),
            ),
            BillingError::Invalid(errors) => {
                let detail = "Some fields need another look. Nothing was changed.";
                Self { errors, ..Self::invalid("billing.invalid", detail) }
            }
            BillingError::NotFound(kind) => Self::not_found(
                "billing.missing",
                format!("There is no such {kind}, or it is not yours to see."),
            ),
            refused => refusal(refused),
        }
    }
}

/// What the state of things does not allow.
fn refusal(error: BillingError) -> Problem {
    match error {
        BillingError::WrongState(state) => Problem::conflict(
            "billing.wrong_state",
            format!(
                "The subscription is {}, so this cannot be done. Nothing was changed.",
                state.as_str().replace('_', " ")
            ),
        ),
        BillingError::NotOpen(state) => Problem::conflict(
            "billing.not_open",
            format!("The invoice is {state}, so this cannot be done. Nothing was charged."),
        ),
        BillingError::Changed => {
            Problem::conflict("billing.changed", "It changed at the same moment. Nothing was changed.")
                .next("Look at it again, then repeat what you wanted.")
        }
        BillingError::InFlight => Problem::conflict(
            "billing.in_flight",
            "A payment of this is under way. Nothing was charged twice.",
        )
        .next("Wait for it: look again in a moment.")
        .retry_after(2),
        BillingError::Plan(why) => {
            Problem::conflict("billing.plan_refused", format!("{why} The plan stays as it is."))
                .field("/offerId", why)
        }
        BillingError::NotPaid(why) => {
            Problem::new(402, "billing.not_paid", format!("{why} The plan stays as it is."))
                .next("Change the card or top up the wallet, then change the plan again.")
        }
        BillingError::RefundTooLarge { left } => Problem::conflict(
            "billing.refund_too_large",
            format!("At most {left} can still be refunded. Nothing was refunded."),
        ),
        other => {
            tracing::error!(error = %other, "billing could not go on");
            Problem::internal("billing.failed", "This cannot be done now. Nothing was changed.")
        }
    }
}

/// So that billing's part in a payment's transaction can fail it.
impl From<BillingError> for PaymentError {
    fn from(error: BillingError) -> Self {
        match error {
            BillingError::Store(error) => error.into(),
            BillingError::Payment(error) => error,
            BillingError::Ledger(error) => error.into(),
            other => Self::Purpose(other.into()),
        }
    }
}

kernel::problems! {
    "billing.amount":
        "Amounts cannot be added up, because they are too large or of several currencies.",
        "Nothing was changed.",
        "Report less at once, or ask the seller for another plan.";
    "billing.invalid":
        "Fields are missing or out of bounds; each is named with what to write.",
        "Nothing was changed.",
        "Mend the named fields and send it again.";
    "billing.missing":
        "There is no such subscription or invoice, or you may not see it.",
        "Nothing was changed.",
        "Check the id, and with which account you are signed in.";
    "billing.wrong_state":
        "What was asked does not fit the state of the subscription: what is over cannot be changed.",
        "Nothing was changed.",
        "Read the subscription again and look at its state.";
    "billing.not_open":
        "The invoice is paid, or is not to be paid any more.",
        "Nothing was charged.",
        "Read the invoice again and look at its state.";
    "billing.changed":
        "The subscription or invoice changed in the same moment.",
        "Nothing was changed by this request.",
        "Read it again and repeat what you wanted.";
    "billing.in_flight":
        "A payment of the invoice was begun and has not ended.",
        "Nothing is charged twice.",
        "Wait a moment and read the invoice again.";
    "billing.plan_refused":
        "The plan is of another listing, of another kind, in another currency, not on sale, or limited in number.",
        "The subscription keeps its plan.",
        "Choose another plan of the same listing.";
    "billing.not_paid":
        "The new plan costs more for the rest of the period, and that could not be charged.",
        "Nothing was charged, and the subscription keeps its plan.",
        "Change the card or top up the wallet, then change the plan again.";
    "billing.refund_too_large":
        "The refund is larger than what was paid and not refunded yet, or is on its way back.",
        "Nothing was refunded.",
        "Refund at most what is left.";
    "billing.usage_early":
        "The record is of a time before the subscription began, or more than five minutes ahead.",
        "The record was not counted.",
        "Send the time at which it was used, in UTC.";
    "billing.usage_late":
        "The record is older than the market accepts.",
        "The record was not counted.",
        "Report usage soon after it happens.";
    "billing.usage_reused":
        "A record of this source and id was counted before, with another content.",
        "The first record stays as it is.",
        "Use a fresh id for each record.";
    "billing.failed":
        "Something went wrong inside the program: a fault of ours.",
        "Nothing was changed.",
        "Try again in a moment. Tell the operator the request id.";
}
