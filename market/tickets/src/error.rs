//! What can go wrong in this room, and how people are told.

use std::borrow::Cow;
use std::str::FromStr;

use catalog::CatalogError;
use kernel::{FieldError, Problem, Timestamp};
use store::StoreError;

use crate::code::CodeError;

/// Why a use case did not do what was asked. Nothing was changed then.
#[derive(Debug, thiserror::Error)]
pub enum TicketError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The account may not, or is not known.
    #[error(transparent)]
    Identity(#[from] identity::IdentityError),
    /// It changed since the caller saw it.
    #[error(transparent)]
    Stale(#[from] web::Stale),
    /// An `Idempotency-Key` came again with another body.
    #[error(transparent)]
    Reused(#[from] web::idempotency::Reused),
    /// The catalogue refused.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// The order cannot be placed or refunded.
    #[error(transparent)]
    Order(#[from] orders::OrderError),
    /// The document cannot be made.
    #[error(transparent)]
    Pdf(#[from] pdf::PdfError),
    /// Work for later cannot be enqueued.
    #[error(transparent)]
    Job(#[from] jobs::JobError),
    /// The signing key does not open.
    #[error(transparent)]
    Vault(#[from] vault::VaultError),
    /// A text is no code of a ticket of ours.
    #[error(transparent)]
    Code(#[from] CodeError),
    /// Fields are wrong.
    #[error("some fields are wrong")]
    Invalid(Vec<FieldError>),
    /// There is none, or none that the caller may see. The text names the kind.
    #[error("no such {0}")]
    NotFound(&'static str),
    /// Somebody is buying it.
    #[error("held until {0} at the latest")]
    Locked(Timestamp),
    /// The event's state does not allow it. The text is the state.
    #[error("the event is {0}")]
    EventState(&'static str),
    /// The ticket's state does not allow it. The text is the state.
    #[error("the ticket is {0}")]
    TicketState(&'static str),
    /// The organiser takes no returns, or none any more.
    #[error("tickets of this event cannot be given back")]
    NoReturns,
    /// It was bought from an earlier owner, who was paid for it.
    #[error("this ticket was bought from an earlier owner")]
    Resold,
    /// A ticket from elsewhere has nothing to scan or to give back.
    #[error("this ticket was not issued here")]
    Elsewhere,
    /// The link was used, is too old, or the ticket changed hands since.
    #[error("the link is spent")]
    ClaimSpent,
    /// The waiting room has not let the caller in.
    #[error("not admitted yet")]
    NotAdmitted {
        /// Seconds until it will; none for who has not joined it.
        seconds: Option<u64>,
    },
    /// The event has no waiting room.
    #[error("there is no waiting room")]
    NoWaitingRoom,
    /// The sale has not begun, or is over.
    #[error("tickets are not on sale now")]
    NotOnSale,
}

impl TicketError {
    /// One wrong field.
    pub fn field(pointer: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::Invalid(vec![FieldError { pointer: pointer.into(), detail: detail.into() }])
    }
}

/// The id in a path or a form; what is none names nothing that there is.
pub(crate) fn id<T: FromStr>(text: &str, kind: &'static str) -> Result<T, TicketError> {
    text.parse().map_err(|_| TicketError::NotFound(kind))
}

impl From<TicketError> for Problem {
    fn from(error: TicketError) -> Self {
        match error {
            TicketError::Store(error) => error.into(),
            TicketError::Identity(error) => error.into(),
            TicketError::Stale(error) => error.into(),
            TicketError::Reused(error) => error.into(),
            TicketError::Catalog(CatalogError::HeldNow(until)) => TicketError::Locked(until).into(),
            TicketError::Catalog(error) => error.into(),
            TicketError::Order(error) => error.into(),
            TicketError::Pdf(error) => error.into(),
            TicketError::Job(error) => error.into(),
            TicketError::Vault(error) => {
                tracing::error!(%error, "the key of the ticket codes does not open");
                Self::unavailable(
                    "tickets.no_key",
                    "Ticket codes cannot be made just now. Nothing was changed.",
                )
                .next("Ask the operator to put the earlier encryption key back.")
            }
            TicketError::Invalid(errors) => {
                let detail = "Some fields need another look. Nothing was changed.";
                Self { errors, ..Self::invalid("tickets.invalid", detail) }
            }
            TicketError::NotFound(kind) => Self::not_found(
                "tickets.not_found",
                format!("There is no such {kind}, or it is not yours to see."),
            ),
            TicketError::Code(_) => code_problem(),
            refused => refusal(&refused),
        }
    }
}

fn code_problem() -> Problem {
    Problem::invalid(
        "tickets.bad_code",
        "This is no code of a ticket, or it was not made here. Nobody was let in.",
    )
    .field("/code", "Scan it again, or paste all of it.")
}

fn refusal(error: &TicketError) -> Problem {
    match error {
        TicketError::Locked(until) => Problem::conflict(
            "tickets.locked",
            format!("Somebody is buying this ticket, until {until} at the latest. Its price and title stay as they are."),
        )
        .next("Try again after that time."),
        TicketError::EventState(state) => {
            Problem::conflict("tickets.event_state", format!("The event is {state}. Nothing was changed."))
        }
        TicketError::TicketState(state) => {
            Problem::conflict("tickets.ticket_state", format!("The ticket is {state}. Nothing was changed."))
        }
        TicketError::NoReturns => {
            Problem::conflict("tickets.no_returns", "Tickets of this event cannot be given back now. You keep yours.")
                .next("Sell it on, or give it to somebody else.")
        }
        TicketError::Resold => Problem::conflict(
            "tickets.resold",
            "This ticket was bought from an earlier owner, who was paid for it, and not from the organiser. You keep it.",
        )
        .next("Sell it on, or give it to somebody else."),
        TicketError::Elsewhere => Problem::conflict(
            "tickets.elsewhere",
            "This ticket was not issued by this market. Nothing was changed.",
        )
        .next("Sell it on instead."),
        TicketError::ClaimSpent => {
            Problem::gone("tickets.claim_spent", "This link was used before, is too old, or the ticket has another owner.")
                .next("Ask who sent it for a new one.")
        }
        TicketError::NotAdmitted { seconds: Some(seconds) } => Problem::too_many(
            "tickets.waiting",
            "It is not your turn yet. Nothing was reserved; you keep your place.",
        )
        .next("Wait in the waiting room of the event.")
        .retry_after(*seconds),
        TicketError::NotAdmitted { seconds: None } => {
            Problem::forbidden("tickets.not_queued", "Tickets of this event are sold by a waiting room. Nothing was reserved.")
                .next("Take a place in it first, on the page of the event or by POST /api/events/{id}/queue.")
        }
        TicketError::NoWaitingRoom => {
            Problem::conflict("tickets.no_waiting_room", "This event has no waiting room: order right away.")
        }
        TicketError::NotOnSale => {
            Problem::conflict("tickets.not_on_sale", "Tickets are not on sale at this time. Nothing was reserved.")
                .next("See the page of the event for when they are.")
        }
        other => Problem::internal("tickets.failed", other.to_string()),
    }
}

kernel::problems! {
    "tickets.no_key": "The key that signs ticket codes was sealed with an encryption key that is not configured.",
        "Nothing was changed; tickets stay valid.", "The operator puts the earlier encryption key back behind the new one.";
    "tickets.invalid": "Some fields are out of bounds; `errors` names each.", "Nothing was changed.",
        "Correct the named fields and send the request again.";
    "tickets.not_found": "There is no such event, ticket or device, or it is not the caller's to see.", "Nothing was changed.",
        "Check the id, or sign in with the account that owns it.";
    "tickets.bad_code": "The text is no signed code of a ticket of this market.", "Nobody was let in.",
        "Scan it again, or paste the whole text.";
    "tickets.locked": "The ticket is in somebody's order that can still be paid.", "Price and title stay as they are.",
        "Try again when the hold has ended.";
    "tickets.event_state": "The event is in a state in which this cannot be done.", "Nothing was changed.",
        "Read the event again to see its state.";
    "tickets.ticket_state": "The ticket is in a state in which this cannot be done.", "Nothing was changed.",
        "Read the ticket again to see its state.";
    "tickets.no_returns": "The organiser takes no tickets back, or not any more.", "The ticket stays yours.",
        "Sell it on, or give it to somebody else.";
    "tickets.resold": "An earlier owner sold the ticket on and was paid for it, so that the organiser has nothing to pay back.",
        "The ticket stays yours.", "Sell it on, or give it to somebody else.";
    "tickets.elsewhere": "The ticket was listed by its owner and not issued by an event of this market.", "Nothing was changed.",
        "Sell it on instead.";
    "tickets.claim_spent": "The link to a ticket was used, is too old, or the ticket has another owner.", "Nothing was changed.",
        "Ask the sender for a new link.";
    "tickets.waiting": "The waiting room has not let this account in yet.", "Nothing was reserved; the place is kept.",
        "Ask again after `Retry-After` seconds.";
    "tickets.not_queued": "The event is sold by a waiting room in which this account has no place.", "Nothing was reserved.",
        "Take a place by POST /api/events/{id}/queue.";
    "tickets.no_waiting_room": "The event has no waiting room.", "Nothing was changed.", "Order right away.";
    "tickets.not_on_sale": "The sale of the event has not begun or is over, or the event is cancelled.", "Nothing was reserved.",
        "See the event for its sale times.";
    "tickets.failed": "Something went wrong that has no name of its own.", "Nothing was changed.",
        "Try again; if it stays, send the operator the request id.";
}
