//! Giving tickets back for their price, and paying everybody back when an event is cancelled.

use std::collections::BTreeMap;

use identity::Caller;
use identity::orgs::OrgRole;
use kernel::Timestamp;
use orders::{NewRefund, OrderError, OrderId, Part, What};
use serde::{Deserialize, Serialize};
use store::{Tx, args};
use web::idempotency::{Key, Request};

use crate::browse::name_of;
use crate::error::TicketError;
use crate::event::{Event, EventId, EventState};
use crate::events::{AboutTicket, TicketUpdated};
use crate::organise::{REFUND_JOB, changed, find_event};
use crate::owned::{find_ticket, own_ticket, save};
use crate::ticket::{Ticket, TicketId, TicketState};
use crate::transfer::{Claim, MAIL_JOB};
use crate::{Tickets, sql};

/// The job that pays back one ticket.
const RETURN_JOB: &str = "tickets.refund-ticket";
/// How many orders are read at once while everybody is paid back.
const BATCH: u32 = 200;

/// What the job is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Return {
    ticket: TicketId,
    order: OrderId,
    line: u32,
}

/// A line of an order that paid for a ticket of an event.
struct Paid {
    order: OrderId,
    line: u32,
}

store::row!(Paid { order, line });

/// Whether a ticket can be given back now, and who gets the money.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WayBack {
    /// The organiser takes it back.
    Open {
        /// Until when.
        until: Timestamp,
        /// What the account is called that paid for it, where that is not its owner: a refund goes to the payment that
        /// paid.
        payer: Option<String>,
    },
    /// The organiser took it back until then.
    Over(Timestamp),
    /// The organiser takes no tickets back.
    Never,
    /// It was bought from an earlier owner, who has the money.
    Resold,
}

impl Tickets {
    /// What its owner can know before giving a ticket back; none for one that cannot be given back as it is now.
    ///
    /// # Errors
    /// [`TicketError::NotFound`] for who does not own it.
    pub async fn way_back(&self, by: &Caller, id: &TicketId) -> Result<Option<WayBack>, TicketError> {
        let (by, id) = (by.clone(), id.clone());
        let read = async move |tx: &mut Tx| {
            let ticket = find_ticket(tx, &id).await?;
            if !by.account()?.speaks_for(&ticket.owner, OrgRole::Member) {
                return Err(TicketError::NotFound("ticket"));
            }
            way_back(tx, by.now(), &ticket).await
        };
        self.store.read(read).await
    }

    /// Gives a ticket back within the time that the organiser allows: it opens no door any more, its place is put on sale
    /// again, and the money goes back in the background, to who paid for it. That need not be its owner: see
    /// [`Tickets::way_back`].
    ///
    /// # Errors
    /// [`TicketError::NoReturns`]; [`TicketError::Resold`] for one that was bought from an earlier owner;
    /// [`TicketError::TicketState`] when it is for sale or was used; [`TicketError::Elsewhere`] for one from elsewhere;
    /// [`TicketError::NotFound`] for who does not own it.
    pub async fn give_back(&self, by: &Caller, id: &TicketId) -> Result<Ticket, TicketError> {
        let (by, id) = (by.clone(), id.clone());
        let write = async move |tx: &mut Tx| {
            let ticket = own_ticket(tx, &by, &id).await?;
            let event = find_event(tx, ticket.event.as_ref().ok_or(TicketError::Elsewhere)?).await?;
            if ticket.state != TicketState::Valid {
                return Err(TicketError::TicketState(ticket.state.as_str()));
            }
            let now = by.now();
            let paid = ticket.order.clone().zip(ticket.line);
            let Some((order, line)) = paid.filter(|_| event.takes_returns(now)) else {
                return Err(TicketError::NoReturns);
            };
            if is_resold(tx, &ticket, &event).await? {
                return Err(TicketError::Resold);
            }
            let work = Return { ticket: ticket.id.clone(), order, line };
            jobs::enqueue(tx, &jobs::NewJob::new(RETURN_JOB, &work)?.unique(ticket.id.as_str()), now).await?;
            let returned = Ticket { state: TicketState::Returned, ..ticket };
            changed(save(tx, now, &returned).await?)?;
            let ticket = find_ticket(tx, &returned.id).await?;
            let about = AboutTicket::of(&ticket, Some(&event.organiser));
            events::append(tx, now, &TicketUpdated { about }).await?;
            Ok(ticket)
        };
        self.store.write(write).await
    }

    /// The background work of this room.
    #[must_use]
    pub fn jobs(&self, runner: jobs::Runner, clock: kernel::Clock) -> jobs::Runner {
        let (one, all, mail) = (self.clone(), self.clone(), self.clone());
        let (clock_one, clock_all) = (clock.clone(), clock.clone());
        let policy = jobs::Policy::default();
        runner
            .register(RETURN_JOB, policy, move |job: jobs::Job| {
                let (room, now) = (one.clone(), clock_one.now());
                async move {
                    let work: Return = job.payload()?;
                    Ok(room.refund_ticket(&work, now).await?)
                }
            })
            .register(REFUND_JOB, policy, move |job: jobs::Job| {
                let (room, now) = (all.clone(), clock_all.now());
                async move {
                    let event: EventId = job.payload()?;
                    Ok(room.refund_event(&event, now).await?)
                }
            })
            .register(MAIL_JOB, policy, move |job: jobs::Job| {
                let (room, now) = (mail.clone(), clock.now());
                async move {
                    let claim: Claim = job.payload()?;
                    room.mail_claim(claim, now).await
                }
            })
    }

    async fn refund_ticket(&self, work: &Return, now: Timestamp) -> Result<(), TicketError> {
        let part = Part { number: work.line, quantity: Some(1), amount_minor: None };
        let key = format!("return-{}", work.ticket);
        self.refund(&work.order, vec![part], &key, "A ticket was given back.", now).await
    }

    /// Refunds every line that paid for a ticket of the event. An order that was done before is answered by its key,
    /// so that a killed run can begin anew.
    pub(crate) async fn refund_event(&self, event: &EventId, now: Timestamp) -> Result<(), TicketError> {
        let (mut after, mut failed) = (String::new(), None);
        loop {
            let (id, from) = (event.clone(), after.clone());
            let read = async move |tx: &mut Tx| tx.all(&sql::LIST_EVENT_ORDERS, args![id, from, BATCH]).await;
            let paid: Vec<Paid> = self.store.read(read).await?;
            let is_last = paid.len() < BATCH as usize;
            let mut orders: BTreeMap<OrderId, Vec<u32>> = BTreeMap::new();
            for row in paid {
                orders.entry(row.order).or_default().push(row.line);
            }
            // The last order of a full batch may have more lines: the next batch begins with it. An order has at most
            // 100 lines, so a batch always ends at least one.
            let last = orders.keys().next_back().cloned();
            for (order, lines) in orders {
                if !is_last && Some(&order) == last.as_ref() && after != order.as_str() {
                    continue;
                }
                let part = |number| Part { number, quantity: None, amount_minor: None };
                let parts = lines.into_iter().map(part).collect();
                let key = format!("cancelled-{event}");
                // One that cannot be refunded now must not keep the others waiting.
                if let Err(error) = self.refund(&order, parts, &key, "The event was cancelled.", now).await {
                    failed = Some(error);
                }
                order.as_str().clone_into(&mut after);
            }
            if is_last {
                return failed.map_or(Ok(()), Err);
            }
        }
    }

    /// Refunds once per key. What is refunded already, or was never paid, needs nothing.
    async fn refund(
        &self,
        order: &OrderId,
        parts: Vec<Part>,
        key: &str,
        reason: &str,
        now: Timestamp,
    ) -> Result<(), TicketError> {
        let by = Caller::system(now);
        let request = Request::new(Key(Some(key.to_owned())), format!("tickets refund {order}"), &reason);
        let new = NewRefund { what: What::Lines(parts), give_back: true, reason: reason.to_owned() };
        match self.orders.refund_once(&by, order, new, request, |plan| plan.id.to_string()).await {
            Ok(_) => Ok(()),
            Err(OrderError::RefundTooLarge { .. }) => Ok(()),
            Err(OrderError::WrongState(state)) if !matches!(state, orders::State::Disputed) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

async fn way_back(tx: &mut Tx, now: Timestamp, ticket: &Ticket) -> Result<Option<WayBack>, TicketError> {
    let Some(event) = ticket.event.as_ref().filter(|_| ticket.state == TicketState::Valid) else {
        return Ok(None);
    };
    let event = find_event(tx, event).await?;
    if event.state_at(now) != EventState::Published {
        return Ok(None);
    }
    let Some(until) = event.text.return_until else { return Ok(Some(WayBack::Never)) };
    if !event.takes_returns(now) {
        return Ok(Some(WayBack::Over(until)));
    }
    if is_resold(tx, ticket, &event).await? {
        return Ok(Some(WayBack::Resold));
    }
    let payer = ticket.buyer.as_ref().filter(|buyer| **buyer != ticket.owner);
    let payer = match payer {
        Some(payer) => Some(name_of(&identity::accounts(tx, std::slice::from_ref(payer)).await?, payer)),
        None => None,
    };
    Ok(Some(WayBack::Open { until, payer }))
}

/// Whether an earlier owner sold the ticket: what was paid last went to that owner, whom the organiser does not pay for,
/// and who agreed to no return.
async fn is_resold(tx: &mut Tx, ticket: &Ticket, event: &Event) -> Result<bool, TicketError> {
    let (Some(order), Some(line)) = (&ticket.order, ticket.line) else { return Ok(false) };
    let paid = orders::find_placed(tx, order).await?;
    let lines = paid.iter().flat_map(|placed| &placed.lines);
    Ok(lines.filter(|paid| paid.number == line).any(|paid| paid.listing != event.listing))
}
