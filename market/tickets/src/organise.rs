//! What organisers do: make events, change them, sell categories of tickets, publish, cancel.

use catalog::{Kind, ListingText, NewListing, NewOffer, OfferId, Stock, listing};
use identity::orgs::OrgRole;
use identity::{Action, Caller, Subject};
use kernel::{Currency, Money, Timestamp};
use store::{StoreError, Tx, args};
use web::Expected;

use crate::error::TicketError;
use crate::event::{Admission, Category, Event, EventId, EventState, EventText, NewCategory};
use crate::events::{EventCancelled, EventCreated, EventPublished, EventUpdated};
use crate::{Tickets, browse, seats, sql};

/// The job that pays everybody back.
pub(crate) const REFUND_JOB: &str = "tickets.refund-event";
/// The most pieces of a category without seats.
const MAX_GENERAL: u32 = 1_000_000;

impl Tickets {
    /// Makes an event, a draft, for the caller or an organisation that the caller manages.
    ///
    /// # Errors
    /// [`TicketError::Identity`] for who may not sell, or not for that organisation; [`TicketError::Invalid`].
    pub async fn create_event(
        &self,
        by: &Caller,
        org: Option<&str>,
        text: EventText,
        currency: Currency,
    ) -> Result<Event, TicketError> {
        let (by, org) = (by.clone(), org.map(str::to_owned));
        let write = async move |tx: &mut Tx| create_event_in(tx, &by, org.as_deref(), &text, currency).await;
        self.store.write(write).await
    }

    /// Changes what an event says. Its listing in the catalogue follows.
    ///
    /// # Errors
    /// [`TicketError::EventState`] when it is cancelled; [`TicketError::Stale`], [`TicketError::Invalid`],
    /// [`TicketError::NotFound`], [`TicketError::Identity`].
    pub async fn edit_event(
        &self,
        by: &Caller,
        id: &EventId,
        text: EventText,
        expected: Expected,
    ) -> Result<Event, TicketError> {
        let (by, id) = (by.clone(), id.clone());
        let write = async move |tx: &mut Tx| {
            let event = own_event(tx, &by, &id).await?;
            expected.check(event.version)?;
            check(&text)?;
            if event.state == EventState::Cancelled {
                return Err(TicketError::EventState("cancelled"));
            }
            let now = by.now();
            set_text(tx, now, &event, &text).await?;
            let listing = listing::find(tx, &event.listing).await?;
            listing::edit(tx, now, &listing.id, &listing_text(&text), &Expected::Whatever).await?;
            set_hold(tx, now, &event, &text).await?;
            let event = find_event(tx, &id).await?;
            events::append(tx, now, &EventUpdated { about: (&event).into() }).await?;
            Ok(event)
        };
        self.store.write(write).await
    }

    /// Puts an event on sale.
    ///
    /// # Errors
    /// [`TicketError::EventState`] when it is no draft; [`TicketError::Catalog`] without a category of tickets;
    /// [`TicketError::Stale`], [`TicketError::NotFound`], [`TicketError::Identity`].
    pub async fn publish_event(
        &self,
        by: &Caller,
        id: &EventId,
        expected: Expected,
    ) -> Result<Event, TicketError> {
        let (by, id) = (by.clone(), id.clone());
        let write = async move |tx: &mut Tx| {
            let event = own_event(tx, &by, &id).await?;
            expected.check(event.version)?;
            if event.state != EventState::Draft {
                return Err(TicketError::EventState(event.state.as_str()));
            }
            let now = by.now();
            listing::publish(tx, now, &event.listing, &Expected::Whatever).await?;
            let event = set_state(tx, now, &event, EventState::Published).await?;
            events::append(tx, now, &EventPublished { about: (&event).into() }).await?;
            Ok(event)
        };
        self.store.write(write).await
    }

    /// Cancels an event. Nothing more is sold, and everybody who paid gets the money back, in the background.
    ///
    /// # Errors
    /// [`TicketError::EventState`] when it is cancelled or over; [`TicketError::Stale`], [`TicketError::NotFound`],
    /// [`TicketError::Identity`].
    pub async fn cancel_event(
        &self,
        by: &Caller,
        id: &EventId,
        expected: Expected,
    ) -> Result<Event, TicketError> {
        let (by, id) = (by.clone(), id.clone());
        let write = async move |tx: &mut Tx| {
            let event = own_event(tx, &by, &id).await?;
            expected.check(event.version)?;
            let now = by.now();
            match event.state_at(now) {
                EventState::Cancelled => return Err(TicketError::EventState("cancelled already")),
                EventState::Ended => return Err(TicketError::EventState("over")),
                EventState::Draft | EventState::Published => {}
            }
            listing::archive(tx, now, &event.listing, &Expected::Whatever).await?;
            let event = set_state(tx, now, &event, EventState::Cancelled).await?;
            jobs::enqueue(tx, &jobs::NewJob::new(REFUND_JOB, &event.id)?.unique(event.id.as_str()), now)
                .await?;
            events::append(tx, now, &EventCancelled { about: (&event).into() }).await?;
            Ok(event)
        };
        self.store.write(write).await
    }

    /// Adds a category of tickets: an offer of the event's listing, with as many pieces or with seats.
    ///
    /// # Errors
    /// [`TicketError::Invalid`], [`TicketError::Catalog`], [`TicketError::NotFound`], [`TicketError::Identity`].
    pub async fn add_category(
        &self,
        by: &Caller,
        id: &EventId,
        new: NewCategory,
    ) -> Result<Category, TicketError> {
        let (by, id) = (by.clone(), id.clone());
        let write = async move |tx: &mut Tx| add_category_in(tx, &by, &id, &new).await;
        self.store.write(write).await
    }

    /// Changes the price of a category, and how many there are where it has no seats.
    ///
    /// # Errors
    /// [`TicketError::Locked`] while somebody is buying one and the price would change; [`TicketError::Stale`],
    /// [`TicketError::Catalog`], [`TicketError::NotFound`], [`TicketError::Identity`].
    pub async fn change_category(
        &self,
        by: &Caller,
        id: &EventId,
        offer: &OfferId,
        price: Money,
        capacity: Option<u32>,
        expected: Expected,
    ) -> Result<Category, TicketError> {
        let (by, id, offer) = (by.clone(), id.clone(), offer.clone());
        let write = async move |tx: &mut Tx| {
            let event = own_event(tx, &by, &id).await?;
            let found = offer_of(tx, &event, &offer).await?;
            let stock = match (found.stock, capacity) {
                (Stock::Counted { .. }, Some(capacity)) => Stock::Counted { capacity },
                (stock, _) => stock,
            };
            let pricing = NewOffer::one_off("", price, stock).pricing;
            let new = NewOffer { price, pricing, stock, ..NewOffer::from(&found) };
            let changed = listing::edit_offer(tx, by.now(), &offer, &new, &expected).await?;
            Ok(browse::category(&changed))
        };
        self.store.write(write).await
    }

    /// Takes a category off sale. What is held can still be paid, what is sold stays sold.
    ///
    /// # Errors
    /// [`TicketError::NotFound`], [`TicketError::Identity`].
    pub async fn withdraw_category(
        &self,
        by: &Caller,
        id: &EventId,
        offer: &OfferId,
    ) -> Result<(), TicketError> {
        let (by, id, offer) = (by.clone(), id.clone(), offer.clone());
        let write = async move |tx: &mut Tx| {
            let event = own_event(tx, &by, &id).await?;
            offer_of(tx, &event, &offer).await?;
            listing::withdraw_offer(tx, by.now(), &offer, &Expected::Whatever).await?;
            Ok(())
        };
        self.store.write(write).await
    }
}

/// As [`Tickets::create_event`], within a transaction.
pub(crate) async fn create_event_in(
    tx: &mut Tx,
    by: &Caller,
    org: Option<&str>,
    text: &EventText,
    currency: Currency,
) -> Result<Event, TicketError> {
    let actor = by.may(Action::Sell, &Subject::Market)?;
    let organiser = actor.account_in(org, OrgRole::Admin).ok_or(identity::Denied::NotYours);
    let organiser = organiser.map_err(identity::IdentityError::from)?;
    check(text)?;
    let (id, now) = (EventId::fresh(), by.now());
    let new = NewListing {
        kind: Kind::Ticket,
        seller: organiser.clone(),
        subject: Some(id.as_str().to_owned()),
        text: listing_text(text),
    };
    let listing = listing::create(tx, now, &new).await?;
    let room = text.waiting_room;
    tx.execute(
        &sql::INSERT_EVENT,
        args![
            id,
            organiser,
            text.title.trim(),
            text.description,
            text.place.trim(),
            text.address.trim(),
            text.zone,
            text.starts_at,
            text.ends_at,
            text.sale_from,
            text.sale_until,
            text.return_until,
            text.hold_seconds,
            text.extension_seconds,
            currency.code(),
            listing.id,
            room.map(|room| room.opens_at),
            room.map(|room| room.per_minute),
            room.map(|room| room.stay_seconds),
            text.words(),
            now
        ],
    )
    .await?;
    let event = find_event(tx, &id).await?;
    events::append(tx, now, &EventCreated { about: (&event).into() }).await?;
    Ok(event)
}

async fn add_category_in(
    tx: &mut Tx,
    by: &Caller,
    id: &EventId,
    new: &NewCategory,
) -> Result<Category, TicketError> {
    let event = own_event(tx, by, id).await?;
    if matches!(event.state_at(by.now()), EventState::Cancelled | EventState::Ended) {
        return Err(TicketError::EventState(event.state_at(by.now()).as_str()));
    }
    if new.price.currency != event.currency {
        let detail = format!("Tickets of this event cost {}.", event.currency);
        return Err(TicketError::field("/currency", detail));
    }
    let (stock, units) = match &new.admission {
        Admission::General(count) if !(1..=MAX_GENERAL).contains(count) => {
            return Err(TicketError::field("/capacity", "1 to 1,000,000 tickets."));
        }
        Admission::General(count) => (Stock::Counted { capacity: *count }, Vec::new()),
        Admission::Seats(plan) => {
            let units = seats::seats(plan).map_err(|detail| TicketError::field("/seats", detail))?;
            (Stock::Units, units)
        }
    };
    let offer = NewOffer {
        hold_seconds: event.text.hold_seconds,
        extension_seconds: event.text.extension_seconds,
        ..NewOffer::one_off(new.name.trim(), new.price, stock)
    };
    let offer = listing::add_offer(tx, by.now(), &event.listing, &offer).await?;
    if !units.is_empty() {
        listing::add_units(tx, by.now(), &offer.id, &units).await?;
    }
    let offer = listing::find_offer(tx, &offer.id).await?;
    Ok(browse::category(&offer))
}

fn check(text: &EventText) -> Result<(), TicketError> {
    let wrong = text.wrong();
    if wrong.is_empty() { Ok(()) } else { Err(TicketError::Invalid(wrong)) }
}

/// How the event stands in the catalogue.
fn listing_text(text: &EventText) -> ListingText {
    let when = crate::zone::words(text.starts_at, &text.zone);
    ListingText {
        title: text.title.trim().to_owned(),
        summary: format!("{when}, {}", text.place.trim()).chars().take(300).collect(),
        description: text.description.clone(),
        category: "events".parse().ok(),
    }
}

async fn set_text(tx: &mut Tx, now: Timestamp, event: &Event, text: &EventText) -> Result<(), TicketError> {
    let room = text.waiting_room;
    let rows = tx
        .execute(
            &sql::SET_EVENT,
            args![
                event.id,
                event.version,
                text.title.trim(),
                text.description,
                text.place.trim(),
                text.address.trim(),
                text.zone,
                text.starts_at,
                text.ends_at,
                text.sale_from,
                text.sale_until,
                text.return_until,
                text.hold_seconds,
                text.extension_seconds,
                room.map(|room| room.opens_at),
                room.map(|room| room.per_minute),
                room.map(|room| room.stay_seconds),
                text.words(),
                now
            ],
        )
        .await?;
    changed(rows)
}

/// The offers hold as long as the event says.
async fn set_hold(tx: &mut Tx, now: Timestamp, event: &Event, text: &EventText) -> Result<(), TicketError> {
    let (hold, extension) = (text.hold_seconds, text.extension_seconds);
    for offer in listing::offers(tx, std::slice::from_ref(&event.listing)).await? {
        if (offer.hold_seconds, offer.extension_seconds) != (hold, extension) {
            let new = NewOffer { hold_seconds: hold, extension_seconds: extension, ..NewOffer::from(&offer) };
            listing::edit_offer(tx, now, &offer.id, &new, &Expected::Whatever).await?;
        }
    }
    Ok(())
}

async fn set_state(
    tx: &mut Tx,
    now: Timestamp,
    event: &Event,
    state: EventState,
) -> Result<Event, TicketError> {
    changed(tx.execute(&sql::SET_EVENT_STATE, args![event.id, event.version, state, now]).await?)?;
    find_event(tx, &event.id).await
}

/// What was read in this transaction nobody else can have changed: on PostgreSQL the loser runs again.
pub(crate) fn changed(rows: u64) -> Result<(), TicketError> {
    if rows == 1 { Ok(()) } else { Err(StoreError::Busy.into()) }
}

/// The event of this id, in any state.
pub(crate) async fn find_event(tx: &mut Tx, id: &EventId) -> Result<Event, TicketError> {
    tx.first(&sql::FIND_EVENT, args![id]).await?.ok_or(TicketError::NotFound("event"))
}

/// The event of this id, if the caller may change it. A draft of somebody else is not there at all.
pub(crate) async fn own_event(tx: &mut Tx, by: &Caller, id: &EventId) -> Result<Event, TicketError> {
    let actor = by.may(Action::Sell, &Subject::Market)?;
    let event = find_event(tx, id).await?;
    if actor.speaks_for(&event.organiser, OrgRole::Admin) {
        return Ok(event);
    }
    match event.state {
        EventState::Draft => Err(TicketError::NotFound("event")),
        _ => Err(identity::IdentityError::from(identity::Denied::NotYours).into()),
    }
}

async fn offer_of(tx: &mut Tx, event: &Event, id: &OfferId) -> Result<catalog::Offer, TicketError> {
    let offer = listing::find_offer(tx, id).await?;
    if offer.listing == event.listing { Ok(offer) } else { Err(TicketError::NotFound("category")) }
}
