//! What a paid order means: tickets are issued, or a ticket that was sold on gets its new owner.

use std::sync::Arc;

use catalog::{Kind, listing};
use identity::AccountId;
use kernel::{Money, Problem, Timestamp};
use orders::{Goods, Handed, Line, Order, OrderError, OrderId};
use store::{Tx, args};
use web::Expected;

use crate::error::TicketError;
use crate::event::{EventId, EventState};
use crate::events::{AboutTicket, TicketCreated, TicketUpdated};
use crate::organise::{changed, find_event};
use crate::owned::{find_ticket, save};
use crate::ticket::{Ticket, TicketId, TicketState};
use crate::{keys, queue, sql};

/// Delivers tickets.
pub(crate) struct Admissions {
    pub(crate) keys: Arc<keys::Keys>,
}

/// What a line sells.
enum Thing {
    Event(EventId),
    Ticket(TicketId),
}

impl Thing {
    fn of(line: &Line) -> Result<Self, TicketError> {
        let subject = line.subject.as_deref().unwrap_or_default();
        if let Ok(event) = subject.parse() {
            return Ok(Self::Event(event));
        }
        subject.parse().map(Self::Ticket).map_err(|_| TicketError::NotFound("ticket"))
    }
}

impl From<TicketError> for OrderError {
    /// A failed database is told as such, so that the transaction can run again.
    fn from(error: TicketError) -> Self {
        match error {
            TicketError::Store(error) => Self::Store(error),
            TicketError::Catalog(error) => Self::Catalog(error),
            error => Self::Goods(Problem::from(error)),
        }
    }
}

impl Goods for Admissions {
    fn kind(&self) -> Kind {
        Kind::Ticket
    }

    fn reserve<'a>(
        &'a self,
        tx: &'a mut Tx,
        now: Timestamp,
        order: &'a Order,
        lines: &'a [Line],
        pass: Option<&'a str>,
    ) -> Handed<'a> {
        Box::pin(async move {
            let mut seen: Option<EventId> = None;
            for line in lines {
                match Thing::of(line)? {
                    Thing::Event(event) if seen.as_ref() == Some(&event) => {}
                    Thing::Event(event) => {
                        self.admit(tx, now, order, &event, pass).await?;
                        seen = Some(event);
                    }
                    Thing::Ticket(ticket) => may_buy(tx, now, &order.buyer, &ticket).await?,
                }
            }
            Ok(())
        })
    }

    fn deliver<'a>(
        &'a self,
        tx: &'a mut Tx,
        now: Timestamp,
        order: &'a Order,
        lines: &'a [Line],
    ) -> Handed<'a> {
        Box::pin(async move {
            for line in lines {
                match Thing::of(line)? {
                    Thing::Event(event) => issue(tx, now, order, line, &event).await?,
                    Thing::Ticket(ticket) => hand_over(tx, now, order, line, &ticket).await?,
                }
            }
            Ok(())
        })
    }

    fn revoke<'a>(
        &'a self,
        tx: &'a mut Tx,
        now: Timestamp,
        order: &'a Order,
        lines: &'a [Line],
    ) -> Handed<'a> {
        Box::pin(async move {
            for line in lines {
                take_back(tx, now, &order.id, line).await?;
            }
            Ok(())
        })
    }
}

impl Admissions {
    /// Whether the event sells now, and the waiting room has let the buyer in.
    async fn admit(
        &self,
        tx: &mut Tx,
        now: Timestamp,
        order: &Order,
        event: &EventId,
        pass: Option<&str>,
    ) -> Result<(), TicketError> {
        let event = find_event(tx, event).await?;
        if !event.is_on_sale(now) {
            return Err(TicketError::NotOnSale);
        }
        if event.text.waiting_room.is_none() {
            return Ok(());
        }
        let account = AccountId::from(&order.placed_by);
        let shown = pass
            .zip(self.keys.known())
            .and_then(|(pass, ring)| queue::read(&ring, pass, &event.id, &account));
        let place = match shown {
            Some(place) => Some(place),
            None => queue::find(tx, &event.id, &account).await?,
        };
        match place {
            Some(place) if place.is_admitted(now) => Ok(()),
            Some(place) if now < place.admitted_at => {
                let wait = place.admitted_at.since(now).as_secs() + 1;
                Err(TicketError::NotAdmitted { seconds: Some(wait) })
            }
            _ => Err(TicketError::NotAdmitted { seconds: None }),
        }
    }
}

/// Nobody buys the own ticket, or one for an event that does not take place or is over.
async fn may_buy(tx: &mut Tx, now: Timestamp, buyer: &AccountId, id: &TicketId) -> Result<(), TicketError> {
    let ticket = find_ticket(tx, id).await?;
    if ticket.state != TicketState::Listed {
        return Err(TicketError::NotOnSale);
    }
    if ticket.owner == *buyer {
        return Err(TicketError::TicketState("your own already"));
    }
    if let Some(event) = &ticket.event {
        let event = find_event(tx, event).await?;
        if event.state_at(now) != EventState::Published {
            return Err(TicketError::EventState(event.state_at(now).as_str()));
        }
    }
    Ok(())
}

/// Issues as many tickets as the line has. What the line says is enough: nothing is read.
async fn issue(
    tx: &mut Tx,
    now: Timestamp,
    order: &Order,
    line: &Line,
    event: &EventId,
) -> Result<(), TicketError> {
    for _ in 0..line.quantity {
        let ticket = Ticket {
            id: TicketId::fresh(),
            event: Some(event.clone()),
            owner: order.buyer.clone(),
            title: line.title.clone(),
            category: line.offer_name.clone(),
            seat: line.unit_label.clone(),
            offer: Some(line.offer.clone()),
            unit: line.unit.clone(),
            order: Some(order.id.clone()),
            line: Some(line.number),
            buyer: Some(order.buyer.clone()),
            price: Money::new(line.unit_price_minor, order.currency),
            state: TicketState::Valid,
            listing: None,
            generation: 1,
            checked_in_at: None,
            checked_in_by: None,
            version: 1,
            created_at: now,
            updated_at: now,
        };
        insert(tx, &ticket).await?;
        let about = AboutTicket::of(&ticket, Some(&line.seller));
        events::append(tx, now, &TicketCreated { about }).await?;
    }
    Ok(())
}

/// Writes a new ticket.
pub(crate) async fn insert(tx: &mut Tx, ticket: &Ticket) -> Result<(), TicketError> {
    let currency = ticket.price.currency.code();
    let row = args![
        ticket.id,
        ticket.event,
        ticket.owner,
        ticket.title,
        ticket.category,
        ticket.seat,
        ticket.offer,
        ticket.unit,
        ticket.order,
        ticket.line,
        ticket.buyer,
        ticket.price.minor,
        currency,
        ticket.state,
        ticket.listing,
        ticket.created_at
    ];
    tx.execute(&sql::INSERT_TICKET, row).await?;
    Ok(())
}

/// A ticket that was sold on gets its new owner; codes of the old one die.
async fn hand_over(
    tx: &mut Tx,
    now: Timestamp,
    order: &Order,
    line: &Line,
    id: &TicketId,
) -> Result<(), TicketError> {
    let ticket = find_ticket(tx, id).await?;
    if ticket.state != TicketState::Listed || ticket.listing.as_ref() != Some(&line.listing) {
        return Err(TicketError::TicketState(ticket.state.as_str()));
    }
    if let (Some(before), Some(number), Some(buyer)) = (&ticket.order, ticket.line, &ticket.buyer) {
        tx.execute(&sql::INSERT_SALE, args![ticket.id, before, number, buyer, now]).await?;
    }
    listing::archive(tx, now, &line.listing, &Expected::Whatever).await?;
    let sold = Ticket {
        owner: order.buyer.clone(),
        order: Some(order.id.clone()),
        line: Some(line.number),
        buyer: Some(order.buyer.clone()),
        price: Money::new(line.unit_price_minor, order.currency),
        state: TicketState::Valid,
        listing: None,
        generation: ticket.generation.saturating_add(1),
        ..ticket.clone()
    };
    update(tx, now, &sold, Some(&ticket.owner)).await
}

/// Takes back what a refunded line had delivered: as many tickets as it says, those first that were given back.
async fn take_back(tx: &mut Tx, now: Timestamp, order: &OrderId, line: &Line) -> Result<(), TicketError> {
    let tickets: Vec<Ticket> = tx.all(&sql::LIST_LINE_TICKETS, args![order, line.number]).await?;
    let thing = Thing::of(line)?;
    for ticket in tickets.into_iter().take(line.quantity as usize) {
        if let (TicketState::Listed, Some(listing)) = (ticket.state, &ticket.listing) {
            listing::archive(tx, now, listing, &Expected::Whatever).await?;
        }
        let gone =
            Ticket { listing: None, generation: ticket.generation.saturating_add(1), ..ticket.clone() };
        let is_cancelled = match &ticket.event {
            Some(event) => find_event(tx, event).await?.state == EventState::Cancelled,
            None => false,
        };
        let gone = match &thing {
            // The sale of one who sold it on is undone: the ticket is that seller's again.
            Thing::Ticket(_) if !is_cancelled => {
                let earlier = args![ticket.id, line.seller];
                let earlier: Option<(OrderId, u32)> = tx.first(&sql::FIND_EARLIER_SALE, earlier).await?;
                let buyer = earlier.as_ref().map(|_| line.seller.clone());
                let (order, line_number) = earlier.unzip();
                let owner = line.seller.clone();
                Ticket { owner, order, line: line_number, buyer, state: TicketState::Valid, ..gone }
            }
            _ => Ticket { state: TicketState::Refunded, ..gone },
        };
        update(tx, now, &gone, Some(&line.seller)).await?;
    }
    Ok(())
}

async fn update(
    tx: &mut Tx,
    now: Timestamp,
    ticket: &Ticket,
    also: Option<&AccountId>,
) -> Result<(), TicketError> {
    changed(save(tx, now, ticket).await?)?;
    let ticket = find_ticket(tx, &ticket.id).await?;
    events::append(tx, now, &TicketUpdated { about: AboutTicket::of(&ticket, also) }).await?;
    Ok(())
}
