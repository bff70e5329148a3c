//! What visitors see: events, categories, seats.

use catalog::{Offer, OfferState, Stock, Unit, listing};
use identity::{AccountId, Caller, PublicAccount};
use kernel::{Page, Paging, Timestamp};
use store::{StoreError, Tx, args, json_list};

use crate::error::TicketError;
use crate::event::{Category, Event, EventId, EventState};
use crate::organise::find_event;
use crate::{Tickets, sql};

/// An event with what a visitor wants to know.
#[derive(Clone, Debug)]
pub struct EventView {
    /// The event.
    pub event: Event,
    /// What its organiser is called.
    pub organiser: String,
    /// The categories of its tickets, in the organiser's order; withdrawn ones too.
    pub categories: Vec<Category>,
}

impl EventView {
    /// The lowest price among what can be bought.
    #[must_use]
    pub fn price_from(&self) -> Option<kernel::Money> {
        self.on_sale().map(|category| category.price).min_by_key(|price| price.minor)
    }

    /// How many tickets are left.
    #[must_use]
    pub fn left(&self) -> u32 {
        self.on_sale().map(Category::left).sum()
    }

    /// How many tickets are sold, of all categories.
    #[must_use]
    pub fn sold(&self) -> u32 {
        self.categories.iter().map(|category| category.sold).sum()
    }

    /// How many tickets are held by orders that are not paid.
    #[must_use]
    pub fn held(&self) -> u32 {
        self.categories.iter().map(|category| category.held).sum()
    }

    fn on_sale(&self) -> impl Iterator<Item = &Category> {
        self.categories.iter().filter(|category| category.is_active)
    }
}

impl Tickets {
    /// Published events that are not over, the next first. `words` stand in title, place or address.
    ///
    /// # Errors
    /// [`TicketError::Store`].
    pub async fn events(
        &self,
        words: &str,
        now: Timestamp,
        paging: Paging,
    ) -> Result<Page<EventView>, TicketError> {
        let pattern = like(words);
        let read = async move |tx: &mut Tx| {
            let items = tx.all(&sql::LIST_EVENTS, args![pattern, now, paging.limit, paging.offset]).await?;
            let (total,): (u64,) = tx.one(&sql::COUNT_EVENTS, args![pattern, now]).await?;
            Ok(Page { items: views(tx, items).await?, total })
        };
        self.store.read(read).await
    }

    /// The caller's own events and those of its organisations, the latest first.
    ///
    /// # Errors
    /// [`TicketError::Identity`] for a stranger.
    pub async fn own_events(&self, by: &Caller, paging: Paging) -> Result<Page<EventView>, TicketError> {
        let accounts = own_accounts(by)?;
        let read = async move |tx: &mut Tx| {
            let items = tx.all(&sql::LIST_OWN_EVENTS, args![accounts, paging.limit, paging.offset]).await?;
            let (total,): (u64,) = tx.one(&sql::COUNT_OWN_EVENTS, args![accounts]).await?;
            Ok(Page { items: views(tx, items).await?, total })
        };
        self.store.read(read).await
    }

    /// One event. A draft is there for its organiser only.
    ///
    /// # Errors
    /// [`TicketError::NotFound`].
    pub async fn event(&self, by: &Caller, id: &EventId) -> Result<EventView, TicketError> {
        let (by, id) = (by.clone(), id.clone());
        let read = async move |tx: &mut Tx| {
            let event = visible_event(tx, &by, &id).await?;
            views(tx, vec![event]).await?.pop().ok_or(TicketError::NotFound("event"))
        };
        self.store.read(read).await
    }

    /// The seats of an event by category, the best first.
    ///
    /// # Errors
    /// [`TicketError::NotFound`].
    pub async fn seats(&self, by: &Caller, id: &EventId) -> Result<Vec<(Category, Vec<Unit>)>, TicketError> {
        let (by, id) = (by.clone(), id.clone());
        let read = async move |tx: &mut Tx| {
            let event = visible_event(tx, &by, &id).await?;
            let mut out = Vec::new();
            for offer in listing::offers(tx, std::slice::from_ref(&event.listing)).await? {
                if offer.stock == Stock::Units && offer.state == OfferState::Active {
                    let all = Paging { limit: crate::seats::MAX_SEATS as u32, offset: 0 };
                    out.push((category(&offer), listing::units(tx, &offer.id, all).await?.items));
                }
            }
            Ok(out)
        };
        self.store.read(read).await
    }
}

/// Every account that the caller belongs to, as a list for a statement.
pub(crate) fn own_accounts(by: &Caller) -> Result<String, TicketError> {
    Ok(json_list(by.account()?.accounts().map(|account| account.to_string())))
}

async fn visible_event(tx: &mut Tx, by: &Caller, id: &EventId) -> Result<Event, TicketError> {
    let event = find_event(tx, id).await?;
    let is_own = || {
        let least = identity::orgs::OrgRole::Member;
        by.actor.as_ref().is_some_and(|actor| actor.speaks_for(&event.organiser, least))
    };
    if event.state == EventState::Draft && !is_own() {
        return Err(TicketError::NotFound("event"));
    }
    Ok(event)
}

/// Adds names and categories, with one statement for all of each.
async fn views(tx: &mut Tx, all: Vec<Event>) -> Result<Vec<EventView>, TicketError> {
    let organisers: Vec<AccountId> = all.iter().map(|event| event.organiser.clone()).collect();
    let names = identity::accounts(tx, &organisers).await?;
    let listings: Vec<_> = all.iter().map(|event| event.listing.clone()).collect();
    let offers = listing::offers(tx, &listings).await?;
    let view = |event: Event| {
        let organiser = name_of(&names, &event.organiser);
        let own = offers.iter().filter(|offer| offer.listing == event.listing);
        let categories = own.map(category).collect();
        EventView { event, organiser, categories }
    };
    Ok(all.into_iter().map(view).collect())
}

/// What an account is called; its id where it is gone.
pub(crate) fn name_of(names: &[PublicAccount], id: &AccountId) -> String {
    let found = names.iter().find(|account| account.id == id.as_str());
    found.map_or_else(|| id.to_string(), |account| account.name.clone())
}

/// An offer as a category of tickets.
pub(crate) fn category(offer: &Offer) -> Category {
    Category {
        offer: offer.id.clone(),
        name: offer.name.clone(),
        price: offer.price,
        has_seats: offer.stock == Stock::Units,
        is_active: offer.state == OfferState::Active,
        capacity: offer.capacity.unwrap_or(0),
        held: offer.held,
        sold: offer.sold,
        version: offer.version,
    }
}

/// A pattern that holds the words; what has a meaning in a pattern loses it.
fn like(words: &str) -> String {
    let mut out = String::from("%");
    for c in words.trim().to_lowercase().chars().take(100) {
        if matches!(c, '%' | '_' | '!') {
            out.push('!');
        }
        out.push(c);
    }
    out.push('%');
    out
}

/// Events by id, for lists of tickets: one statement for all.
pub(crate) async fn events_by_id<'a>(
    tx: &mut Tx,
    ids: impl IntoIterator<Item = &'a EventId>,
) -> Result<Vec<Event>, StoreError> {
    tx.all(&sql::LIST_EVENTS_BY_ID, args![json_list(ids)]).await
}
