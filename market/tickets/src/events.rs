//! What this room tells the others.

use events::{Audience, DomainEvent};
use identity::AccountId;
use kernel::Timestamp;
use serde::Serialize;

use crate::event::{Event, EventId, EventState};
use crate::ticket::{Ticket, TicketId, TicketState};

/// What every event of a ticket says.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AboutTicket {
    /// Which.
    pub ticket_id: TicketId,
    /// The event, if it was issued by one.
    pub event_id: Option<EventId>,
    /// Whose it is now.
    pub owner: AccountId,
    /// What it is for.
    pub title: String,
    /// What it costs, in major units, for showing.
    pub price: f64,
    /// What it costs, exactly.
    pub price_minor: i64,
    /// In what.
    pub currency: String,
    /// What can be done with it.
    pub state: TicketState,
    /// The ticket's version after the change.
    pub ticket_version: i64,
    #[serde(skip)]
    also: Option<AccountId>,
}

impl AboutTicket {
    /// About a ticket; `also` is somebody else who is told, such as its former owner or the organiser.
    #[must_use]
    pub fn of(ticket: &Ticket, also: Option<&AccountId>) -> Self {
        Self {
            ticket_id: ticket.id.clone(),
            event_id: ticket.event.clone(),
            owner: ticket.owner.clone(),
            title: ticket.title.clone(),
            price: ticket.price.major_number(),
            price_minor: ticket.price.minor,
            currency: ticket.price.currency.code().to_owned(),
            state: ticket.state,
            ticket_version: ticket.version,
            also: also.cloned(),
        }
    }

    /// What is on sale everybody may know; the rest its owner, and who else it concerns.
    fn audience(&self) -> Audience<'_> {
        if self.state == TicketState::Listed {
            return Audience::Everybody;
        }
        let also = self.also.iter().map(AccountId::as_str);
        Audience::Accounts(std::iter::once(self.owner.as_str()).chain(also).collect())
    }
}

macro_rules! ticket_events {
    ($($(#[$meta:meta])* $name:ident = $kind:literal, $summary:literal;)+) => {$(
        $(#[$meta])*
        #[derive(Clone, Debug, Serialize)]
        pub struct $name {
            /// The ticket.
            #[serde(flatten)]
            pub about: AboutTicket,
        }

        impl DomainEvent for $name {
            const TYPE: &'static str = $kind;
            fn subject(&self) -> &str {
                self.about.ticket_id.as_str()
            }
            fn version(&self) -> i64 {
                self.about.ticket_version
            }
            fn audience(&self) -> Audience<'_> {
                self.about.audience()
            }
        }
        ::events::catalogue! { $name = $summary; }
    )+};
}

ticket_events! {
    /// A ticket is there: issued by an event, or listed by somebody.
    TicketCreated = "ticket.created", "A ticket was issued, or listed for sale.";
    /// A ticket changed: its price, title, owner or state.
    TicketUpdated = "ticket.updated", "A ticket's price, title, owner or state changed.";
    /// A ticket opened the door.
    TicketCheckedIn = "ticket.checked_in", "A ticket was scanned at the door.";
}

/// What every event of an event says.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AboutEvent {
    /// Which.
    pub event_id: EventId,
    /// Who organises it.
    pub organiser: AccountId,
    /// What it is called.
    pub title: String,
    /// Where.
    pub place: String,
    /// When it begins.
    pub starts_at: Timestamp,
    /// How far it is.
    pub state: EventState,
    /// Its version after the change.
    pub event_version: i64,
}

impl From<&Event> for AboutEvent {
    fn from(event: &Event) -> Self {
        Self {
            event_id: event.id.clone(),
            organiser: event.organiser.clone(),
            title: event.text.title.clone(),
            place: event.text.place.clone(),
            starts_at: event.text.starts_at,
            state: event.state,
            event_version: event.version,
        }
    }
}

macro_rules! event_events {
    ($($(#[$meta:meta])* $name:ident = $kind:literal, $summary:literal;)+) => {$(
        $(#[$meta])*
        #[derive(Clone, Debug, Serialize)]
        pub struct $name {
            /// The event.
            #[serde(flatten)]
            pub about: AboutEvent,
        }

        impl DomainEvent for $name {
            const TYPE: &'static str = $kind;
            fn subject(&self) -> &str {
                self.about.event_id.as_str()
            }
            fn version(&self) -> i64 {
                self.about.event_version
            }
            fn audience(&self) -> Audience<'_> {
                match self.about.state {
                    EventState::Draft => Audience::Accounts(vec![self.about.organiser.as_str()]),
                    _ => Audience::Everybody,
                }
            }
        }
        ::events::catalogue! { $name = $summary; }
    )+};
}

event_events! {
    /// An event was made, as a draft.
    EventCreated = "event.created", "An event was made.";
    /// An event's words or times changed.
    EventUpdated = "event.updated", "An event's words, times or sale changed.";
    /// An event went on sale.
    EventPublished = "event.published", "An event was published.";
    /// An event does not take place.
    EventCancelled = "event.cancelled", "An event was cancelled; everybody gets the money back.";
}
