//! What can go wrong in this room, and how people are told.

use std::borrow::Cow;

use kernel::{FieldError, Problem, Timestamp};
use store::StoreError;

use crate::offer::OfferId;

/// Why stock was not moved or a listing not changed. Nothing was changed then.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
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
    /// There is none, or none that the caller may see. The text names the kind.
    #[error("no such {0}")]
    NotFound(&'static str),
    /// Fields are wrong.
    #[error("some fields are wrong")]
    Invalid(Vec<FieldError>),
    /// Fewer are left than were wanted.
    #[error("only {left} of {name} are left")]
    SoldOut {
        /// Of which offer.
        offer: OfferId,
        /// What it is called.
        name: String,
        /// How many are left.
        left: u32,
    },
    /// Somebody else has these units, by label.
    #[error("taken: {}", .0.join(", "))]
    UnitTaken(Vec<String>),
    /// The listing is not published, or the offer was withdrawn.
    #[error("{0} is not on sale")]
    NotOnSale(String),
    /// Units of the offer are in somebody's order.
    #[error("held until {0} at the latest")]
    HeldNow(Timestamp),
    /// What should be settled is not held, or not sold, by this holder.
    #[error("not held by {0}")]
    NotHeld(String),
    /// A listing goes on sale with an offer.
    #[error("the listing has no offer")]
    NoOffer,
    /// As many are held and sold already.
    #[error("{taken} are held or sold")]
    CapacityTaken {
        /// How many.
        taken: u32,
    },
    /// The state does not allow it. The text is the state.
    #[error("the listing is {0}")]
    WrongState(&'static str),
    /// The thing is for sale already.
    #[error("this is listed already")]
    SubjectListed,
    /// A category or unit of this name is there already. The text names the kind.
    #[error("this {0} is there already")]
    Exists(&'static str),
    /// Listings stand in the category.
    #[error("{count} listings are in the category")]
    CategoryUsed {
        /// How many, drafts and archived ones too.
        count: u64,
    },
    /// Another room keeps this listing.
    #[error("tickets are changed with their event")]
    ChangedElsewhere,
}

impl CatalogError {
    /// One wrong field.
    pub fn field(pointer: impl Into<Cow<'static, str>>, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::Invalid(vec![FieldError { pointer: pointer.into(), detail: detail.into() }])
    }
}

impl From<CatalogError> for Problem {
    fn from(error: CatalogError) -> Self {
        match error {
            CatalogError::Store(error) => error.into(),
            CatalogError::Identity(error) => error.into(),
            CatalogError::Stale(error) => error.into(),
            CatalogError::Reused(error) => error.into(),
            CatalogError::NotFound(kind) => Self::not_found(
                "catalog.not_found",
                format!("There is no such {kind}, or it is not yours to see."),
            ),
            CatalogError::Invalid(errors) => {
                let detail = "Some fields need another look. Nothing was changed.";
                Self { errors, ..Self::invalid("catalog.invalid", detail) }
            }
            CatalogError::SoldOut { .. }
            | CatalogError::UnitTaken(_)
            | CatalogError::NotOnSale(_)
            | CatalogError::NotHeld(_) => stock_problem(&error),
            refused => change_problem(&refused),
        }
    }
}

fn stock_problem(error: &CatalogError) -> Problem {
    match error {
        CatalogError::SoldOut { name, left: 0, .. } => Problem::conflict(
            "catalog.sold_out",
            format!("{name} is sold out just now. Nothing was reserved."),
        )
        .next("What others hold comes back when they don't pay in time: try again in a few minutes."),
        CatalogError::SoldOut { name, left, .. } => Problem::conflict(
            "catalog.sold_out",
            format!("Only {left} of {name} are left. Nothing was reserved."),
        )
        .next("Order fewer."),
        CatalogError::UnitTaken(labels) => Problem::conflict(
            "catalog.unit_taken",
            format!("Somebody else was faster: {}. Nothing was reserved.", labels.join(", ")),
        )
        .next("Choose others."),
        CatalogError::NotOnSale(name) => {
            Problem::conflict("catalog.not_on_sale", format!("{name} is not on sale. Nothing was reserved."))
        }
        other => {
            tracing::error!(error = %other, "stock was settled that was not held");
            Problem::conflict("catalog.not_held", "The reservation has ended. Nothing was changed.")
                .next("Order again.")
        }
    }
}

fn change_problem(error: &CatalogError) -> Problem {
    match error {
        CatalogError::HeldNow(until) => Problem::conflict(
            "catalog.offer_held",
            format!(
                "Somebody is buying this offer at its present price, until {until} at the latest. Nothing was changed."
            ),
        )
        .next("Try again after that time, or withdraw the offer and add another one."),
        CatalogError::NoOffer => {
            Problem::conflict("catalog.no_offer", "A listing goes on sale with at least one offer.")
                .next("Add an offer with a price first.")
        }
        CatalogError::CapacityTaken { taken } => Problem::conflict(
            "catalog.capacity_taken",
            format!("{taken} are held or sold already. Nothing was changed."),
        )
        .next(format!("Choose {taken} or more.")),
        CatalogError::WrongState(state) => {
            Problem::conflict("catalog.wrong_state", format!("This is {state}. Nothing was changed."))
        }
        CatalogError::SubjectListed => {
            Problem::conflict("catalog.subject_listed", "This is for sale already. Nothing was changed.")
                .next("Change the listing that there is, or archive it first.")
        }
        CatalogError::Exists(kind) => {
            Problem::conflict("catalog.exists", format!("This {kind} is there already. Nothing was changed."))
        }
        CatalogError::CategoryUsed { count } => Problem::conflict(
            "catalog.category_used",
            format!("{count} listings stand in this category. Nothing was changed."),
        )
        .next("Rename it instead, or let its listings move first."),
        CatalogError::ChangedElsewhere => Problem::conflict(
            "catalog.changed_elsewhere",
            "Tickets are listed and changed with their event. Nothing was changed.",
        )
        .next("Change the event instead."),
        other => Problem::internal("store.failed", other.to_string()),
    }
}

kernel::problems! {
    "catalog.not_found":
        "There is no such listing, offer, unit or category, or it is a draft of somebody else.",
        "Nothing was changed.",
        "Check the id.";
    "catalog.invalid":
        "Some fields are wrong; `errors` names each.",
        "Nothing was changed.",
        "Mend the fields and send them again.";
    "catalog.sold_out":
        "Fewer are left than were wanted.",
        "Nothing was reserved.",
        "Order fewer, or try again in a few minutes: what others hold comes back when they don't pay in time.";
    "catalog.unit_taken":
        "Somebody else holds or bought a unit that was named; the detail says which.",
        "Nothing was reserved or changed.",
        "Choose other units.";
    "catalog.not_on_sale":
        "The listing is not published, or the offer was withdrawn.",
        "Nothing was reserved.",
        "Look for another offer.";
    "catalog.not_held":
        "What should be sold or given back is not held, or not sold, by this order.",
        "Nothing was changed.",
        "Order again.";
    "catalog.offer_held":
        "Somebody is buying the offer at its present price; the detail says until when at the latest.",
        "Nothing was changed.",
        "Try again after that time, or withdraw the offer and add another one.";
    "catalog.no_offer":
        "A listing goes on sale, and stays so, with at least one offer.",
        "Nothing was changed.",
        "Add an offer first, or archive the listing.";
    "catalog.capacity_taken":
        "More are held and sold than the offer would have, or its kind of stock cannot change any more.",
        "Nothing was changed.",
        "Choose at least as many as the detail says.";
    "catalog.wrong_state":
        "The listing is in another state than this needs.",
        "Nothing was changed.",
        "Load it again to see how it stands.";
    "catalog.subject_listed":
        "The thing is for sale already, and once only.",
        "Nothing was changed.",
        "Change the listing that there is, or archive it first.";
    "catalog.exists":
        "A category or a unit of this name is there already.",
        "Nothing was changed.",
        "Choose another name.";
    "catalog.category_used":
        "Listings stand in this category, perhaps drafts or archived ones.",
        "Nothing was changed.",
        "Rename the category instead, or move its listings first.";
    "catalog.changed_elsewhere":
        "Tickets are listed and changed with their event.",
        "Nothing was changed.",
        "Change the event instead.";
}
