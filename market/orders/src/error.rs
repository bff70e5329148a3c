//! What can go wrong in this room, and how people are told.

use std::borrow::Cow;
use std::str::FromStr;

use catalog::CatalogError;
use identity::IdentityError;
use kernel::{Currency, FieldError, Money, Problem};
use ledger::LedgerError;
use payments::PaymentError;
use store::StoreError;

use crate::order::State;

/// Why a use case did not do what was asked. Nothing was changed then.
#[derive(Debug, thiserror::Error)]
pub enum OrderError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Who asks may not.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The catalog refused.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// The payments refused.
    #[error(transparent)]
    Payment(#[from] PaymentError),
    /// The ledger refused.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Amounts that do not add up.
    #[error(transparent)]
    Money(#[from] kernel::MoneyError),
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
    /// The order is in another state than this needs.
    #[error("the order is {0}")]
    WrongState(State),
    /// The time to pay is over.
    #[error("the hold has ended")]
    HoldEnded,
    /// More time was taken before, or the seller allows none.
    #[error("the hold cannot be extended")]
    NoMoreTime,
    /// An attempt to pay is under way.
    #[error("a payment of this order is under way")]
    PaymentInFlight,
    /// A cart is paid in one currency.
    #[error("{0} and {1} in one order")]
    MixedCurrencies(Currency, Currency),
    /// The promo code cannot be used, for this reason.
    #[error("the code cannot be used: {0}")]
    Promo(&'static str),
    /// A code of this name is there already.
    #[error("this code is there already")]
    PromoExists,
    /// The refund is larger than what is left.
    #[error("at most {left} can be refunded")]
    RefundTooLarge {
        /// What can still be refunded.
        left: Money,
    },
    /// The room that delivers refuses.
    #[error("{0}")]
    Goods(Problem),
}

impl OrderError {
    /// One wrong field.
    pub fn field(pointer: impl Into<Cow<'static, str>>, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::Invalid(vec![FieldError { pointer: pointer.into(), detail: detail.into() }])
    }
}

/// The id in a path or a form; what is none names nothing that there is.
pub(crate) fn id<T: FromStr>(text: &str, kind: &'static str) -> Result<T, OrderError> {
    text.parse().map_err(|_| OrderError::NotFound(kind))
}

impl From<OrderError> for Problem {
    fn from(error: OrderError) -> Self {
        match error {
            OrderError::Store(error) => error.into(),
            OrderError::Identity(error) => error.into(),
            OrderError::Catalog(error) => error.into(),
            OrderError::Payment(error) => error.into(),
            OrderError::Ledger(error) => error.into(),
            OrderError::Stale(error) => error.into(),
            OrderError::Reused(error) => error.into(),
            OrderError::Goods(problem) => problem,
            OrderError::Money(error) => Self::invalid(
                "orders.amount",
                format!("This cannot be added up: {error}. Nothing was changed."),
            ),
            OrderError::Invalid(errors) => {
                let detail = "Some fields need another look. Nothing was changed.";
                Self { errors, ..Self::invalid("orders.invalid", detail) }
            }
            OrderError::NotFound(kind) => Self::not_found(
                "orders.missing",
                format!("There is no such {kind}, or it is not yours to see."),
            ),
            refused => refusal(&refused),
        }
    }
}

/// What the state of the order does not allow.
fn refusal(error: &OrderError) -> Problem {
    match error {
        OrderError::WrongState(state) => Problem::conflict(
            "orders.wrong_state",
            format!(
                "The order is {}, so this cannot be done. Nothing was changed.",
                state.as_str().replace('_', " ")
            ),
        ),
        OrderError::HoldEnded => Problem::conflict(
            "orders.hold_ended",
            "The time to pay is over, and what was held is back on sale. Nothing was charged.",
        )
        .next("Order again; it may still be there."),
        OrderError::NoMoreTime => Problem::conflict(
            "orders.no_more_time",
            "More time can be taken once, and only where the seller allows it. The deadline stays as it is.",
        ),
        OrderError::PaymentInFlight => Problem::conflict(
            "orders.payment_in_flight",
            "A payment of this order is under way. Nothing was charged twice.",
        )
        .next("Wait for it: look at the order in a moment.")
        .retry_after(2),
        OrderError::MixedCurrencies(one, other) => Problem::invalid(
            "orders.mixed_currencies",
            format!("What costs {one} and what costs {other} cannot be in one order. Nothing was reserved."),
        )
        .next("Order them one after the other."),
        OrderError::Promo(why) => {
            Problem::invalid("orders.promo_refused", format!("{why} Nothing was reserved."))
                .field("/promo", *why)
                .next("Leave the code out, or use another.")
        }
        OrderError::PromoExists => Problem::conflict(
            "orders.promo_exists",
            "There is a code of this name already. Nothing was changed.",
        )
        .field("/code", "Choose another code."),
        OrderError::RefundTooLarge { left } => Problem::conflict(
            "orders.refund_too_large",
            format!("At most {left} can still be refunded. Nothing was refunded."),
        ),
        other => {
            tracing::error!(error = %other, "an order could not be handled");
            Problem::internal("orders.failed", "This cannot be done now. Nothing was changed.")
        }
    }
}

/// So that an order's part in a payment's transaction can fail it.
impl From<OrderError> for PaymentError {
    fn from(error: OrderError) -> Self {
        match error {
            OrderError::Store(error) => error.into(),
            OrderError::Payment(error) => error,
            OrderError::Ledger(error) => error.into(),
            other => Self::Purpose(other.into()),
        }
    }
}

kernel::problems! {
    "orders.amount":
        "The amounts of this order cannot be added up, because they are too large or of several currencies.",
        "Nothing was changed.",
        "Order less at once.";
    "orders.invalid":
        "Fields are missing or out of bounds; each is named with what to write.",
        "Nothing was changed.",
        "Mend the named fields and send it again.";
    "orders.missing":
        "There is no such order, code or rule, or you may not see it.",
        "Nothing was changed.",
        "Check the id, and with which account you are signed in.";
    "orders.wrong_state":
        "What was asked does not fit the state of the order: only what is pending can be paid or cancelled, only what was paid can be refunded.",
        "Nothing was changed.",
        "Read the order again and look at its state.";
    "orders.hold_ended":
        "The order was not paid before its deadline.",
        "Nothing was charged. What was held is back on sale.",
        "Order again.";
    "orders.no_more_time":
        "The deadline was moved once before, or the seller allows no more time.",
        "The order stays as it is.",
        "Pay before the deadline, or order again.";
    "orders.payment_in_flight":
        "A payment of the order was begun and has not ended.",
        "Nothing is charged twice.",
        "Wait a moment and read the order or the payment again.";
    "orders.mixed_currencies":
        "An order is paid in one currency.",
        "Nothing was reserved.",
        "Make one order for each currency.";
    "orders.promo_refused":
        "The promo code is unknown, over, used up, or for other things.",
        "Nothing was reserved.",
        "Leave the code out, or use another.";
    "orders.promo_exists":
        "A promo code of this name was made before.",
        "Nothing was changed.",
        "Choose another code.";
    "orders.refund_too_large":
        "The refund is larger than what was paid and not refunded yet, or is on its way back.",
        "Nothing was refunded.",
        "Read the order and refund at most what is left.";
    "orders.failed":
        "Something went wrong inside the program: a fault of ours.",
        "Nothing was changed.",
        "Try again in a moment. Tell the operator the request id.";
}
