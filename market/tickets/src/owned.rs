//! Tickets as their owners and their organiser see them.

use identity::orgs::OrgRole;
use identity::{AccountId, Action, Caller, Subject};
use kernel::{Money, Page, Paging, Timestamp};
use store::{StoreError, Tx, args};

use crate::browse::{events_by_id, name_of, own_accounts};
use crate::code::Code;
use crate::error::TicketError;
use crate::event::{Event, EventId};
use crate::organise::own_event;
use crate::ticket::{Ticket, TicketId, TicketState};
use crate::{Tickets, sql};

/// A ticket with what its page shows.
#[derive(Clone, Debug)]
pub struct TicketView {
    /// The ticket.
    pub ticket: Ticket,
    /// Its event, if it was issued by one.
    pub event: Option<Event>,
    /// What its owner is called.
    pub owner: String,
    /// Whether the caller owns it.
    pub is_own: bool,
    /// Whether somebody is buying it, and until when at the latest.
    pub locked_until: Option<Timestamp>,
}

/// How many tickets of an event are in a state, and what they cost together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sales {
    /// The state.
    pub state: TicketState,
    /// How many.
    pub count: u64,
    /// The sum of their prices.
    pub sum: Money,
}

impl Tickets {
    /// The caller's tickets and those of its organisations, the newest first.
    ///
    /// # Errors
    /// [`TicketError::Identity`] for a stranger.
    pub async fn own_tickets(&self, by: &Caller, paging: Paging) -> Result<Page<TicketView>, TicketError> {
        let (by, accounts) = (by.clone(), own_accounts(by)?);
        let read = async move |tx: &mut Tx| {
            let items = tx.all(&sql::LIST_OWN_TICKETS, args![accounts, paging.limit, paging.offset]).await?;
            let (total,): (u64,) = tx.one(&sql::COUNT_OWN_TICKETS, args![accounts]).await?;
            Ok(Page { items: views(tx, &by, items).await?, total })
        };
        self.store.read(read).await
    }

    /// Tickets that their owners sell on, the newest first.
    ///
    /// # Errors
    /// [`TicketError::Store`].
    pub async fn listed(&self, by: &Caller, paging: Paging) -> Result<Page<TicketView>, TicketError> {
        let by = by.clone();
        let read = async move |tx: &mut Tx| {
            let items = tx.all(&sql::LIST_LISTED, args![paging.limit, paging.offset]).await?;
            let (total,): (u64,) = tx.one(&sql::COUNT_LISTED, args![]).await?;
            Ok(Page { items: views(tx, &by, items).await?, total })
        };
        self.store.read(read).await
    }

    /// One ticket: to its owner, and to everybody while it is for sale.
    ///
    /// # Errors
    /// [`TicketError::NotFound`].
    pub async fn ticket(&self, by: &Caller, id: &TicketId) -> Result<TicketView, TicketError> {
        let (by, id) = (by.clone(), id.clone());
        let read = async move |tx: &mut Tx| {
            let ticket = find_ticket(tx, &id).await?;
            let view = views(tx, &by, vec![ticket]).await?.pop();
            let is_seen = |view: &TicketView| view.is_own || view.ticket.state == TicketState::Listed;
            view.filter(is_seen).ok_or(TicketError::NotFound("ticket"))
        };
        self.store.read(read).await
    }

    /// The code of one's own ticket. Every owner gets another one.
    ///
    /// # Errors
    /// [`TicketError::NotFound`] for who does not own it; [`TicketError::TicketState`] when it opens no door any more;
    /// [`TicketError::Elsewhere`], [`TicketError::Vault`].
    pub async fn code(&self, by: &Caller, id: &TicketId) -> Result<(TicketView, String), TicketError> {
        let view = self.ticket(by, id).await?;
        if !view.is_own {
            return Err(TicketError::NotFound("ticket"));
        }
        if !view.ticket.state.opens() && view.ticket.state != TicketState::CheckedIn {
            return Err(TicketError::TicketState(view.ticket.state.as_str()));
        }
        if view.ticket.event.is_none() {
            return Err(TicketError::Elsewhere);
        }
        let ring = self.keys.ring(by.now()).await?;
        let (key, signing) = &ring.signing;
        let Ticket { id, event, generation, .. } = view.ticket.clone();
        let code = Code { key: *key, ticket: id, event, generation }.sign(signing)?;
        Ok((view, code))
    }

    /// The tickets of an event with their owners, for its organiser.
    ///
    /// # Errors
    /// [`TicketError::NotFound`], [`TicketError::Identity`] for who does not organise it.
    pub async fn event_tickets(
        &self,
        by: &Caller,
        id: &EventId,
        paging: Paging,
    ) -> Result<Page<TicketView>, TicketError> {
        let (by, id) = (by.clone(), id.clone());
        let read = async move |tx: &mut Tx| {
            own_event(tx, &by, &id).await?;
            let items = tx.all(&sql::LIST_EVENT_TICKETS, args![id, paging.limit, paging.offset]).await?;
            let (total,): (u64,) = tx.one(&sql::COUNT_EVENT_TICKETS, args![id]).await?;
            Ok(Page { items: views(tx, &by, items).await?, total })
        };
        self.store.read(read).await
    }

    /// How an event sells, for its organiser.
    ///
    /// # Errors
    /// As [`Tickets::event_tickets`].
    pub async fn sales(&self, by: &Caller, id: &EventId) -> Result<Vec<Sales>, TicketError> {
        let (by, id) = (by.clone(), id.clone());
        let read = async move |tx: &mut Tx| {
            let event = own_event(tx, &by, &id).await?;
            let rows: Vec<(TicketState, u64, i64)> = tx.all(&sql::COUNT_STATES, args![id]).await?;
            let sales = rows.into_iter().map(|(state, count, minor)| Sales {
                state,
                count,
                sum: Money::new(minor, event.currency),
            });
            Ok(sales.collect())
        };
        self.store.read(read).await
    }
}

/// The ticket of this id.
pub(crate) async fn find_ticket(tx: &mut Tx, id: &TicketId) -> Result<Ticket, TicketError> {
    tx.first(&sql::FIND_TICKET, args![id]).await?.ok_or(TicketError::NotFound("ticket"))
}

/// The ticket of this id, if the caller owns it. Somebody else's is not there at all.
pub(crate) async fn own_ticket(tx: &mut Tx, by: &Caller, id: &TicketId) -> Result<Ticket, TicketError> {
    let actor = by.may(Action::Resell, &Subject::Market)?;
    let ticket = find_ticket(tx, id).await?;
    if actor.speaks_for(&ticket.owner, OrgRole::Admin) {
        Ok(ticket)
    } else {
        Err(TicketError::NotFound("ticket"))
    }
}

/// Writes what changed; tells whether the ticket was still in the version that was read.
pub(crate) async fn save(tx: &mut Tx, now: Timestamp, ticket: &Ticket) -> Result<u64, StoreError> {
    let currency = ticket.price.currency.code();
    let row = args![
        ticket.id,
        ticket.version,
        ticket.owner,
        ticket.title,
        ticket.order,
        ticket.line,
        ticket.buyer,
        ticket.price.minor,
        currency,
        ticket.state,
        ticket.listing,
        ticket.generation,
        ticket.checked_in_at,
        ticket.checked_in_by,
        now
    ];
    tx.execute(&sql::SET_TICKET, row).await
}

/// Adds events, owners and locks, with one statement for all of each.
pub(crate) async fn views(
    tx: &mut Tx,
    by: &Caller,
    all: Vec<Ticket>,
) -> Result<Vec<TicketView>, TicketError> {
    let owners: Vec<AccountId> = all.iter().map(|ticket| ticket.owner.clone()).collect();
    let names = identity::accounts(tx, &owners).await?;
    let events = events_by_id(tx, all.iter().filter_map(|ticket| ticket.event.as_ref())).await?;
    let listings: Vec<_> = all.iter().filter_map(|ticket| ticket.listing.clone()).collect();
    let offers =
        if listings.is_empty() { Vec::new() } else { catalog::listing::offers(tx, &listings).await? };
    let view = |ticket: Ticket| {
        let event = events.iter().find(|event| Some(&event.id) == ticket.event.as_ref()).cloned();
        let held =
            offers.iter().find(|offer| Some(&offer.listing) == ticket.listing.as_ref() && offer.held > 0);
        let is_own = by.actor.as_ref().is_some_and(|actor| actor.speaks_for(&ticket.owner, OrgRole::Member));
        TicketView {
            owner: name_of(&names, &ticket.owner),
            locked_until: held.map(|offer| offer.held_until),
            event,
            is_own,
            ticket,
        }
    };
    Ok(all.into_iter().map(view).collect())
}

impl Tickets {
    /// The offer by which a ticket is sold on.
    pub(crate) async fn offer_of(&self, ticket: &Ticket) -> Result<catalog::OfferId, TicketError> {
        let listing = ticket.listing.clone().ok_or(TicketError::NotOnSale)?;
        let read = async move |tx: &mut Tx| {
            let offers = catalog::listing::offers(tx, std::slice::from_ref(&listing)).await?;
            offers.into_iter().next().map(|offer| offer.id).ok_or(TicketError::NotOnSale)
        };
        self.store.read(read).await
    }
}
