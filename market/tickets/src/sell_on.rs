//! The ticket shop of everybody: listing a ticket, changing its price and title, taking it off sale.

use catalog::{Kind, ListingText, NewListing, NewOffer, Offer, Stock, listing};
use identity::orgs::OrgRole;
use identity::{Action, Caller, Subject};
use kernel::{Money, Timestamp};
use store::Tx;
use web::Expected;

use crate::Tickets;
use crate::error::TicketError;
use crate::event::EventState;
use crate::events::{AboutTicket, TicketCreated, TicketUpdated};
use crate::organise::{changed, find_event};
use crate::owned::{find_ticket, own_ticket, save};
use crate::ticket::{Ticket, TicketId, TicketState};

/// A ticket to be sold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTicket {
    /// What it is for: 1 to 120 characters. An own ticket keeps its title.
    pub title: String,
    /// What it costs: above 0.
    pub price: Money,
    /// The ticket, when it was issued or bought here.
    pub ticket: Option<TicketId>,
}

impl Tickets {
    /// Puts a ticket on sale: one that the caller owns here, or one from elsewhere. Any user may.
    ///
    /// # Errors
    /// [`TicketError::Identity`] for a stranger; [`TicketError::Invalid`]; [`TicketError::NotFound`] for a ticket that is
    /// somebody else's; [`TicketError::TicketState`] when it is for sale or was used; [`TicketError::EventState`].
    pub async fn list_ticket(&self, by: &Caller, new: NewTicket) -> Result<Ticket, TicketError> {
        let by = by.clone();
        let write = async move |tx: &mut Tx| list_in(tx, &by, &new).await;
        self.store.write(write).await
    }

    /// Changes title and price of a ticket that is for sale.
    ///
    /// # Errors
    /// [`TicketError::Locked`] while somebody is buying it; [`TicketError::Stale`]; [`TicketError::TicketState`] when it is
    /// not for sale; [`TicketError::NotFound`] for who does not own it; [`TicketError::Invalid`].
    pub async fn edit_ticket(
        &self,
        by: &Caller,
        id: &TicketId,
        title: Option<String>,
        price: Option<Money>,
        expected: Expected,
    ) -> Result<Ticket, TicketError> {
        let (by, id) = (by.clone(), id.clone());
        let write = async move |tx: &mut Tx| {
            let ticket = own_ticket(tx, &by, &id).await?;
            expected.check(ticket.version)?;
            let offer = unlocked(tx, &ticket).await?;
            let now = by.now();
            let price = price.unwrap_or(ticket.price);
            if price.minor <= 0 || price.currency != ticket.price.currency {
                let detail = format!("Write a price above 0 in {}.", ticket.price.currency);
                return Err(TicketError::field("/price", detail));
            }
            let title = title.as_deref().map_or(ticket.title.as_str(), str::trim).to_owned();
            if title != ticket.title {
                if ticket.event.is_some() {
                    return Err(TicketError::field(
                        "/title",
                        "A ticket of an event keeps the title of the event.",
                    ));
                }
                let text = listing_text(&title, "");
                listing::edit(tx, now, &offer.listing, &text, &Expected::Whatever).await?;
            }
            if price != ticket.price {
                listing::reprice(tx, now, &offer.id, price, &Expected::Whatever).await?;
            }
            told(tx, now, &Ticket { title, price, ..ticket }).await
        };
        self.store.write(write).await
    }

    /// Takes a ticket off sale. One of an event stays its owner's, one from elsewhere is gone from here.
    ///
    /// # Errors
    /// As [`Tickets::edit_ticket`].
    pub async fn unlist_ticket(
        &self,
        by: &Caller,
        id: &TicketId,
        expected: Expected,
    ) -> Result<Ticket, TicketError> {
        let (by, id) = (by.clone(), id.clone());
        let write = async move |tx: &mut Tx| {
            let ticket = own_ticket(tx, &by, &id).await?;
            expected.check(ticket.version)?;
            let offer = unlocked(tx, &ticket).await?;
            listing::archive(tx, by.now(), &offer.listing, &Expected::Whatever).await?;
            let state = if ticket.event.is_some() { TicketState::Valid } else { TicketState::Void };
            told(tx, by.now(), &Ticket { state, listing: None, ..ticket }).await
        };
        self.store.write(write).await
    }
}

/// As [`Tickets::list_ticket`], within a transaction.
pub(crate) async fn list_in(tx: &mut Tx, by: &Caller, new: &NewTicket) -> Result<Ticket, TicketError> {
    let actor = by.may(Action::Resell, &Subject::Market)?;
    if new.price.minor <= 0 {
        return Err(TicketError::field("/price", "Write a price above 0."));
    }
    let now = by.now();
    let Some(id) = &new.ticket else {
        let seller = actor.account_in(None, OrgRole::Member).ok_or(identity::IdentityError::NotSignedIn)?;
        return list_foreign(tx, now, &seller, new).await;
    };
    let ticket = own_ticket(tx, by, id).await?;
    match ticket.state {
        TicketState::Valid => {}
        TicketState::Listed => return Err(TicketError::TicketState("for sale already")),
        state => return Err(TicketError::TicketState(state.as_str())),
    }
    let mut summary = ticket.admits();
    if let Some(event) = &ticket.event {
        let event = find_event(tx, event).await?;
        if event.state_at(now) != EventState::Published {
            return Err(TicketError::EventState(event.state_at(now).as_str()));
        }
        summary = format!("{}, {}, {summary}", event.when(), event.text.place);
    }
    let text = listing_text(&ticket.title, &summary);
    let listing = put_on_sale(tx, now, &ticket.owner, &ticket.id, text, new.price).await?;
    told(tx, now, &Ticket { state: TicketState::Listed, listing: Some(listing), price: new.price, ..ticket })
        .await
}

async fn list_foreign(
    tx: &mut Tx,
    now: Timestamp,
    seller: &identity::AccountId,
    new: &NewTicket,
) -> Result<Ticket, TicketError> {
    let title = new.title.trim();
    if !(1..=120).contains(&title.chars().count()) {
        return Err(TicketError::field("/title", "Write 1 to 120 characters."));
    }
    let id = TicketId::fresh();
    let listing = put_on_sale(tx, now, seller, &id, listing_text(title, ""), new.price).await?;
    let ticket = Ticket {
        id,
        event: None,
        owner: seller.clone(),
        title: title.to_owned(),
        category: String::new(),
        seat: None,
        offer: None,
        unit: None,
        order: None,
        line: None,
        buyer: None,
        price: new.price,
        state: TicketState::Listed,
        listing: Some(listing),
        generation: 1,
        checked_in_at: None,
        checked_in_by: None,
        version: 1,
        created_at: now,
        updated_at: now,
    };
    crate::goods::insert(tx, &ticket).await?;
    events::append(tx, now, &TicketCreated { about: AboutTicket::of(&ticket, None) }).await?;
    Ok(ticket)
}

/// One offer with one piece: whoever orders it first has it.
async fn put_on_sale(
    tx: &mut Tx,
    now: Timestamp,
    seller: &identity::AccountId,
    ticket: &TicketId,
    text: ListingText,
    price: Money,
) -> Result<catalog::ListingId, TicketError> {
    let subject = Some(ticket.as_str().to_owned());
    let new = NewListing { kind: Kind::Ticket, seller: seller.clone(), subject, text };
    let listing = listing::create(tx, now, &new).await?;
    let offer = NewOffer::one_off("Ticket", price, Stock::Counted { capacity: 1 });
    listing::add_offer(tx, now, &listing.id, &offer).await?;
    listing::publish(tx, now, &listing.id, &Expected::Whatever).await?;
    Ok(listing.id)
}

/// The offer of a ticket that is for sale and that nobody is buying.
async fn unlocked(tx: &mut Tx, ticket: &Ticket) -> Result<Offer, TicketError> {
    let (TicketState::Listed, Some(listing)) = (ticket.state, &ticket.listing) else {
        return Err(TicketError::TicketState("not for sale"));
    };
    let offers = listing::offers(tx, std::slice::from_ref(listing)).await?;
    let offer = offers.into_iter().next().ok_or(TicketError::NotFound("offer"))?;
    if offer.held > 0 { Err(TicketError::Locked(offer.held_until)) } else { Ok(offer) }
}

fn listing_text(title: &str, summary: &str) -> ListingText {
    ListingText {
        title: title.to_owned(),
        summary: summary.chars().take(300).collect(),
        description: String::new(),
        category: "events".parse().ok(),
    }
}

async fn told(tx: &mut Tx, now: Timestamp, ticket: &Ticket) -> Result<Ticket, TicketError> {
    changed(save(tx, now, ticket).await?)?;
    let ticket = find_ticket(tx, &ticket.id).await?;
    events::append(tx, now, &TicketUpdated { about: AboutTicket::of(&ticket, None) }).await?;
    Ok(ticket)
}
