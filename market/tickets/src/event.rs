//! Events: what people come to, and the rules of their sale.

use catalog::{ListingId, OfferId};
use identity::AccountId;
use kernel::{Currency, FieldError, Money, Timestamp};
use serde::{Deserialize, Serialize};
use store::{FromRow, Row, StoreError};

use crate::zone;

kernel::id!(
    /// One event.
    EventId,
    "event"
);
store::id_values!(EventId);

store::words! {
    /// How far an event is.
    #[derive(utoipa::ToSchema)]
    EventState, "expected the state of an event" {
        /// Only its organiser sees it.
        Draft = "draft",
        /// Everybody sees it.
        Published = "published",
        /// It does not take place; everybody gets the money back.
        Cancelled = "cancelled",
        /// It is over: a published event whose end has come.
        Ended = "ended",
    }
}

/// The waiting room of an event: it lets people in one after another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WaitingRoom {
    /// From when it lets people in; whoever comes earlier waits until then.
    #[schema(value_type = String)]
    pub opens_at: Timestamp,
    /// How many are let in each minute: 1 to 100,000.
    pub per_minute: u32,
    /// For how long somebody who was let in may order: 60 to 86,400 seconds.
    pub stay_seconds: u32,
}

/// What an organiser says of an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EventText {
    /// 1 to 120 characters.
    pub title: String,
    /// Plain text, at most 8,000 characters.
    #[serde(default)]
    pub description: String,
    /// The house or field: 1 to 120 characters.
    pub place: String,
    /// Street and town, at most 300 characters.
    #[serde(default)]
    pub address: String,
    /// The IANA time zone of the place.
    #[schema(example = "Europe/Rome")]
    pub zone: String,
    /// When it begins.
    #[schema(value_type = String)]
    pub starts_at: Timestamp,
    /// When it is over.
    #[schema(value_type = String)]
    pub ends_at: Timestamp,
    /// From when tickets can be bought; at once where it is absent.
    #[schema(value_type = Option<String>)]
    pub sale_from: Option<Timestamp>,
    /// Until when tickets can be bought; until it begins where it is absent.
    #[schema(value_type = Option<String>)]
    pub sale_until: Option<Timestamp>,
    /// Until when tickets can be given back for their price; never where it is absent.
    #[schema(value_type = Option<String>)]
    pub return_until: Option<Timestamp>,
    /// How long tickets are held for a buyer, in seconds: 30 to 86,400; as long as the market usually does where it is
    /// absent.
    pub hold_seconds: Option<u32>,
    /// By how many seconds a buyer can prolong that once; 0 for not at all, the market's usual time where it is absent.
    pub extension_seconds: Option<u32>,
    /// The waiting room, if there is one.
    pub waiting_room: Option<WaitingRoom>,
}

impl EventText {
    /// Every field that is out of bounds.
    #[must_use]
    pub fn wrong(&self) -> Vec<FieldError> {
        let length = |text: &str| text.trim().chars().count();
        let before = |a: Option<Timestamp>, b: Timestamp| a.is_none_or(|a| a <= b);
        let room = self.waiting_room;
        let checks = [
            (!(1..=120).contains(&length(&self.title)), "/title", "Write 1 to 120 characters."),
            (length(&self.description) > 8_000, "/description", "At most 8,000 characters."),
            (!(1..=120).contains(&length(&self.place)), "/place", "Write 1 to 120 characters."),
            (length(&self.address) > 300, "/address", "At most 300 characters."),
            (!zone::is_known(&self.zone), "/zone", "Write an IANA time zone, such as Europe/Rome."),
            (self.ends_at <= self.starts_at, "/endsAt", "Choose an end after the start."),
            (
                !before(self.sale_from, self.sale_until.unwrap_or(self.ends_at)),
                "/saleFrom",
                "The sale begins before it ends.",
            ),
            (
                !before(self.sale_until, self.ends_at),
                "/saleUntil",
                "The sale ends with the event at the latest.",
            ),
            (
                !before(self.return_until, self.ends_at),
                "/returnUntil",
                "Returns end with the event at the latest.",
            ),
            (
                self.hold_seconds.is_some_and(|hold| !(30..=86_400).contains(&hold)),
                "/holdSeconds",
                "30 to 86,400 seconds.",
            ),
            (
                self.extension_seconds.is_some_and(|more| more > 86_400),
                "/extensionSeconds",
                "At most 86,400 seconds.",
            ),
            (
                room.is_some_and(|room| !(1..=100_000).contains(&room.per_minute)),
                "/waitingRoom/perMinute",
                "1 to 100,000 a minute.",
            ),
            (
                room.is_some_and(|room| !(60..=86_400).contains(&room.stay_seconds)),
                "/waitingRoom/staySeconds",
                "60 to 86,400 seconds.",
            ),
        ];
        let bad = checks.into_iter().filter(|(bad, ..)| *bad);
        bad.map(|(_, pointer, detail)| FieldError { pointer: pointer.into(), detail: detail.into() })
            .collect()
    }

    /// What a search in lists looks at.
    pub(crate) fn words(&self) -> String {
        format!("{} {} {}", self.title.trim(), self.place.trim(), self.address.trim()).to_lowercase()
    }
}

/// An event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its id.
    pub id: EventId,
    /// Who organises and sells.
    pub organiser: AccountId,
    /// What its organiser says of it.
    pub text: EventText,
    /// As it stands in the database; see [`Event::state_at`].
    pub state: EventState,
    /// In what its tickets cost.
    pub currency: Currency,
    /// By what its tickets are sold.
    pub listing: ListingId,
    /// Grows with every change.
    pub version: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl Event {
    /// How far it is at `now`.
    #[must_use]
    pub fn state_at(&self, now: Timestamp) -> EventState {
        match self.state {
            EventState::Published if self.text.ends_at <= now => EventState::Ended,
            state => state,
        }
    }

    /// Whether its sale is open at `now`.
    #[must_use]
    pub fn is_on_sale(&self, now: Timestamp) -> bool {
        let until = self.text.sale_until.unwrap_or(self.text.starts_at);
        self.state == EventState::Published
            && self.text.sale_from.is_none_or(|from| from <= now)
            && now < until
    }

    /// Whether tickets can be given back at `now`.
    #[must_use]
    pub fn takes_returns(&self, now: Timestamp) -> bool {
        self.state == EventState::Published && self.text.return_until.is_some_and(|until| now < until)
    }

    /// When it begins, as the place has it.
    #[must_use]
    pub fn when(&self) -> String {
        zone::words(self.text.starts_at, &self.text.zone)
    }
}

impl FromRow for Event {
    fn from_row(row: &Row<'_>) -> Result<Self, StoreError> {
        let currency: String = row.get(15)?;
        let currency = currency.parse().map_err(|_| StoreError::Database("no currency".to_owned()))?;
        let room: (Option<Timestamp>, Option<u32>, Option<u32>) = (row.get(17)?, row.get(18)?, row.get(19)?);
        let waiting_room = match room {
            (Some(opens_at), Some(per_minute), Some(stay_seconds)) => {
                Some(WaitingRoom { opens_at, per_minute, stay_seconds })
            }
            _ => None,
        };
        Ok(Self {
            id: row.get(0)?,
            organiser: row.get(1)?,
            text: EventText {
                title: row.get(2)?,
                description: row.get(3)?,
                place: row.get(4)?,
                address: row.get(5)?,
                zone: row.get(6)?,
                starts_at: row.get(7)?,
                ends_at: row.get(8)?,
                sale_from: row.get(9)?,
                sale_until: row.get(10)?,
                return_until: row.get(11)?,
                hold_seconds: row.get(13)?,
                extension_seconds: row.get(14)?,
                waiting_room,
            },
            state: row.get(12)?,
            currency,
            listing: row.get(16)?,
            version: row.get(20)?,
            created_at: row.get(21)?,
            updated_at: row.get(22)?,
        })
    }
}

/// How many tickets a category has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Admission {
    /// So many, without seats.
    General(u32),
    /// A plan of seats in words, see [`crate::seats`].
    Seats(String),
}

/// A category of tickets to be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCategory {
    /// What it is called: 1 to 80 characters.
    pub name: String,
    /// What one costs.
    pub price: Money,
    /// How many there are.
    pub admission: Admission,
}

/// A category of tickets, as visitors see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Category {
    /// The offer that sells it.
    pub offer: OfferId,
    /// What it is called.
    pub name: String,
    /// What one costs, with the market's fee in it.
    pub price: Money,
    /// Whether its tickets have seats.
    pub has_seats: bool,
    /// Whether it can be bought.
    pub is_active: bool,
    /// How many there are.
    pub capacity: u32,
    /// How many are held by orders that are not paid.
    pub held: u32,
    /// How many are sold.
    pub sold: u32,
    /// Grows with every change.
    pub version: i64,
}

impl Category {
    /// How many can be bought now.
    #[must_use]
    pub const fn left(&self) -> u32 {
        self.capacity.saturating_sub(self.held).saturating_sub(self.sold)
    }
}
