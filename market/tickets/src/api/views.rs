//! What answers look like.

use kernel::{Currency, Money, Problem, Timestamp};
use serde::{Deserialize, Serialize};

use crate::browse::EventView;
use crate::event::{Category, EventState, EventText};
use crate::owned::TicketView;
use crate::queue::Place;
use crate::ticket::TicketState;
use crate::{TicketError, WaitingRoom};

/// An amount in a request: major units as the seed has them, or exact minor units.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Price {
    pub(super) price: Option<serde_json::Number>,
    pub(super) minor: Option<i64>,
}

impl Price {
    /// The amount; `/price` is wrong where there is none, or where both say different things.
    pub(super) fn read(&self, currency: Currency) -> Result<Option<Money>, TicketError> {
        let wrong = |_| TicketError::field("/price", "Write an amount such as 19 or 19.50.");
        let major = self.price.as_ref().map(|number| Money::parse(&number.to_string(), currency)).transpose();
        match (major.map_err(wrong)?, self.minor) {
            (Some(major), Some(minor)) if major.minor != minor => {
                Err(TicketError::field("/priceMinor", "This is another amount than the price."))
            }
            (Some(major), _) => Ok(Some(major)),
            (None, minor) => Ok(minor.map(|minor| Money::new(minor, currency))),
        }
    }

    /// As [`Price::read`], where an amount is needed.
    pub(super) fn needed(&self, currency: Currency) -> Result<Money, TicketError> {
        self.read(currency)?.ok_or_else(|| TicketError::field("/price", "Write what it costs."))
    }
}

/// The currency of a request; US dollars where it says none.
pub(super) fn currency(text: Option<&str>) -> Result<Currency, Problem> {
    let Some(text) = text else { return Ok(Currency::USD) };
    text.parse().map_err(|_| TicketError::field("/currency", "Write a code of ISO 4217, such as USD.").into())
}

/// An event.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct EventBody {
    id: String,
    /// Who organises it, by name.
    organiser: String,
    #[serde(flatten)]
    text: EventText,
    state: EventState,
    /// Whether tickets can be bought now.
    on_sale: bool,
    currency: String,
    /// The listing in the catalogue that sells it.
    listing_id: String,
    /// How many tickets are left.
    left: u32,
    categories: Vec<CategoryBody>,
    version: i64,
    #[schema(value_type = String)]
    created_at: Timestamp,
    #[schema(value_type = String)]
    updated_at: Timestamp,
}

impl EventBody {
    pub(super) fn of(view: EventView, now: Timestamp) -> Self {
        let left = view.left();
        let event = view.event;
        Self {
            state: event.state_at(now),
            on_sale: event.is_on_sale(now),
            id: event.id.to_string(),
            organiser: view.organiser,
            currency: event.currency.code().to_owned(),
            listing_id: event.listing.to_string(),
            left,
            categories: view.categories.into_iter().map(CategoryBody::from).collect(),
            version: event.version,
            created_at: event.created_at,
            updated_at: event.updated_at,
            text: event.text,
        }
    }
}

/// A category of tickets.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct CategoryBody {
    /// By which it is ordered.
    offer_id: String,
    name: String,
    /// In major units, for showing; the market's fee is in it.
    price: f64,
    price_minor: i64,
    currency: String,
    /// Whether its tickets have seats: order them by `unitIds`, or take the best by `quantity`.
    has_seats: bool,
    /// Whether it can be bought.
    active: bool,
    capacity: u32,
    /// How many are held by orders that are not paid.
    held: u32,
    sold: u32,
    left: u32,
    version: i64,
}

impl From<Category> for CategoryBody {
    fn from(category: Category) -> Self {
        Self {
            left: category.left(),
            offer_id: category.offer.to_string(),
            name: category.name,
            price: category.price.major_number(),
            price_minor: category.price.minor,
            currency: category.price.currency.code().to_owned(),
            has_seats: category.has_seats,
            active: category.is_active,
            capacity: category.capacity,
            held: category.held,
            sold: category.sold,
            version: category.version,
        }
    }
}

/// A ticket.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct TicketBody {
    id: String,
    title: String,
    /// What it cost, or what it is offered for: in major units, for showing.
    price: f64,
    price_minor: i64,
    currency: String,
    /// Who owns it, by name.
    owner: String,
    user_id: String,
    state: TicketState,
    /// Whether somebody is buying it: price and title stay as they are until then at the latest.
    #[schema(value_type = Option<String>)]
    locked_until: Option<Timestamp>,
    event_id: Option<String>,
    /// The category and the seat.
    category: Option<String>,
    seat: Option<String>,
    /// When the event begins.
    #[schema(value_type = Option<String>)]
    starts_at: Option<Timestamp>,
    /// Only to its owner.
    order_id: Option<String>,
    #[schema(value_type = Option<String>)]
    checked_in_at: Option<Timestamp>,
    version: i64,
    #[schema(value_type = String)]
    created_at: Timestamp,
    #[schema(value_type = String)]
    updated_at: Timestamp,
}

impl From<TicketView> for TicketBody {
    fn from(view: TicketView) -> Self {
        let ticket = view.ticket;
        Self {
            id: ticket.id.to_string(),
            title: ticket.title,
            price: ticket.price.major_number(),
            price_minor: ticket.price.minor,
            currency: ticket.price.currency.code().to_owned(),
            owner: view.owner,
            user_id: ticket.owner.to_string(),
            state: ticket.state,
            locked_until: view.locked_until,
            event_id: ticket.event.map(|event| event.to_string()),
            category: Some(ticket.category).filter(|category| !category.is_empty()),
            seat: ticket.seat,
            starts_at: view.event.map(|event| event.text.starts_at),
            order_id: ticket.order.filter(|_| view.is_own).map(|order| order.to_string()),
            checked_in_at: ticket.checked_in_at,
            version: ticket.version,
            created_at: ticket.created_at,
            updated_at: ticket.updated_at,
        }
    }
}

/// A place in a waiting room.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct PlaceBody {
    /// Counts everybody who came, from 1.
    place: i64,
    /// How many are let in before, at most.
    ahead: u64,
    /// Seconds until it is let in.
    wait_seconds: u64,
    /// `waiting`, `admitted` or `over`.
    state: &'static str,
    #[schema(value_type = String)]
    admitted_at: Timestamp,
    /// Until when it may order then.
    #[schema(value_type = String)]
    expires_at: Timestamp,
    /// Shows the place without being looked up: send it as `pass` when you ask again and when you order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pass: Option<String>,
}

impl PlaceBody {
    pub(super) fn of(
        place: &Place,
        room: Option<&WaitingRoom>,
        now: Timestamp,
        pass: Option<String>,
    ) -> Self {
        let state = match () {
            () if place.is_over(now) => "over",
            () if place.is_admitted(now) => "admitted",
            () => "waiting",
        };
        let wait = place.admitted_at.since(now);
        Self {
            place: place.place,
            ahead: room.map_or(0, |room| place.ahead(now, room)),
            wait_seconds: wait.as_secs() + u64::from(wait.subsec_nanos() > 0),
            state,
            admitted_at: place.admitted_at,
            expires_at: place.expires_at,
            pass,
        }
    }
}
