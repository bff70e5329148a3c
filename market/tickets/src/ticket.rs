//! Tickets: who owns them, and what can become of them.

use catalog::{ListingId, OfferId, UnitId};
use identity::AccountId;
use kernel::{Money, Timestamp};
use orders::OrderId;
use store::{FromRow, Row, StoreError};

use crate::event::EventId;

kernel::id!(
    /// One ticket.
    TicketId,
    "ticket"
);
store::id_values!(TicketId);

store::words! {
    /// What can be done with a ticket.
    #[derive(utoipa::ToSchema)]
    TicketState, "expected the state of a ticket" {
        /// It opens the door.
        Valid = "valid",
        /// Its owner sells it on; it still opens the door.
        Listed = "listed",
        /// It has opened the door.
        CheckedIn = "checked_in",
        /// It was given back; the money is on its way.
        Returned = "returned",
        /// The money went back.
        Refunded = "refunded",
        /// Its owner took it off the market, or its organiser made it void.
        Void = "void",
    }
}

impl TicketState {
    /// Whether it would open the door.
    #[must_use]
    pub const fn opens(self) -> bool {
        matches!(self, Self::Valid | Self::Listed)
    }
}

/// A ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// Its id.
    pub id: TicketId,
    /// The event; none for a ticket from elsewhere that somebody sells on.
    pub event: Option<EventId>,
    /// Whose it is.
    pub owner: AccountId,
    /// What it is for.
    pub title: String,
    /// The category of the event; empty for a ticket from elsewhere.
    pub category: String,
    /// What the seat is called; none for general admission.
    pub seat: Option<String>,
    /// By which offer it was first sold.
    pub offer: Option<OfferId>,
    /// Which seat of the catalogue it is.
    pub unit: Option<UnitId>,
    /// The order that paid for it last.
    pub order: Option<OrderId>,
    /// The line of that order.
    pub line: Option<u32>,
    /// Who paid then.
    pub buyer: Option<AccountId>,
    /// What it cost last, or what it is offered for.
    pub price: Money,
    /// What can be done with it.
    pub state: TicketState,
    /// By what its owner sells it on.
    pub listing: Option<ListingId>,
    /// Counts its owners.
    pub generation: u32,
    /// When it opened the door.
    pub checked_in_at: Option<Timestamp>,
    /// Which device let it in.
    pub checked_in_by: Option<String>,
    /// Grows with every change.
    pub version: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl Ticket {
    /// The category and the seat in words.
    #[must_use]
    pub fn admits(&self) -> String {
        match &self.seat {
            // Seats are often called after their part of the house, and so is the category.
            Some(seat) if seat.starts_with(&self.category) => seat.clone(),
            Some(seat) => format!("{}: {seat}", self.category),
            None => self.category.clone(),
        }
    }
}

impl FromRow for Ticket {
    fn from_row(row: &Row<'_>) -> Result<Self, StoreError> {
        let currency: String = row.get(12)?;
        let currency = currency.parse().map_err(|_| StoreError::Database("no currency".to_owned()))?;
        Ok(Self {
            id: row.get(0)?,
            event: row.get(1)?,
            owner: row.get(2)?,
            title: row.get(3)?,
            category: row.get(4)?,
            seat: row.get(5)?,
            offer: row.get(6)?,
            unit: row.get(7)?,
            order: row.get(8)?,
            line: row.get(9)?,
            buyer: row.get(10)?,
            price: Money::new(row.get(11)?, currency),
            state: row.get(13)?,
            listing: row.get(14)?,
            generation: row.get(15)?,
            checked_in_at: row.get(16)?,
            checked_in_by: row.get(17)?,
            version: row.get(18)?,
            created_at: row.get(19)?,
            updated_at: row.get(20)?,
        })
    }
}
