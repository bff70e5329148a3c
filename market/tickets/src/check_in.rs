//! The door: a ticket lets in once.
//!
//! Every scan is kept under the id that its device gave it, so that sending it again changes nothing. The earliest good
//! scan of a ticket is the one that let it in, however late its device reports it; of two in the same microsecond, that
//! of the device whose name sorts first. So all devices and the server come to the same answer in any order.

use std::time::Duration;

use identity::orgs::OrgRole;
use identity::{Action, Caller, Subject};
use kernel::Timestamp;
use serde::{Deserialize, Serialize};
use store::{Tx, args};

use crate::code::Code;
use crate::devices::Device;
use crate::error::TicketError;
use crate::event::{Event, EventId, EventState};
use crate::events::{AboutTicket, TicketCheckedIn};
use crate::organise::{changed, find_event};
use crate::owned::{find_ticket, save};
use crate::ticket::{Ticket, TicketId, TicketState};
use crate::{Tickets, sql};

/// The most scans of one batch.
const MAX_BATCH: usize = 500;
/// The most tickets of one part of the list for offline devices.
const MAX_DOOR: u32 = 2_000;
/// How far the clock of a device may be ahead.
const CLOCK_AHEAD: Duration = Duration::from_secs(300);

/// Who stands at the door: somebody of the organiser's staff, or a device.
#[derive(Clone, Debug)]
pub enum Guard {
    /// A signed-in account.
    Staff(Caller),
    /// A device with its token, and when it asks.
    Device(Device, Timestamp),
}

impl Guard {
    /// When it asks.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match self {
            Self::Staff(caller) => caller.now(),
            Self::Device(_, now) => *now,
        }
    }

    /// Whether it may scan at this event.
    fn check(&self, event: &Event) -> Result<(), TicketError> {
        let may = match self {
            Self::Staff(by) => {
                by.may(Action::Read, &Subject::Market)?.speaks_for(&event.organiser, OrgRole::Member)
            }
            Self::Device(device, _) => device.event_id == event.id,
        };
        if may { Ok(()) } else { Err(TicketError::NotFound("event")) }
    }
}

store::words! {
    /// What a scan came to.
    #[derive(utoipa::ToSchema)]
    Verdict, "expected a verdict" {
        /// Let in.
        Admitted = "admitted",
        /// Good, but the ticket has let somebody in before.
        Again = "again",
        /// A code of an earlier owner.
        Superseded = "superseded",
        /// For another event.
        OtherEvent = "other_event",
        /// Given back, refunded, or made void.
        NotValid = "not_valid",
        /// The event does not take place.
        Cancelled = "cancelled",
        /// No code of this market.
        Unknown = "unknown",
    }
}

/// A scan as a device tells of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Scan {
    /// What the code says.
    pub code: String,
    /// Which door or device, as staff call it: at most 60 characters. A device's own name goes before.
    #[serde(default)]
    pub device: String,
    /// When it was scanned; now where it is absent.
    #[schema(value_type = Option<String>)]
    pub scanned_at: Option<Timestamp>,
    /// The device's own id of the scan, at most 80 characters: the same again is the same scan.
    pub id: Option<String>,
}

/// What is said of a scan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Said {
    /// What it came to.
    pub verdict: Verdict,
    /// The device's own id of the scan.
    pub id: String,
    /// The ticket, when it is one of this event.
    #[schema(value_type = Option<String>)]
    pub ticket_id: Option<TicketId>,
    /// Category and seat.
    pub admits: Option<String>,
    /// When the ticket let somebody in.
    #[schema(value_type = Option<String>)]
    pub first_at: Option<Timestamp>,
    /// Which device let it in.
    pub first_device: Option<String>,
}

/// A scan as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Kept {
    /// The device, by name.
    pub device: String,
    /// The device's own id of the scan.
    pub id: String,
    /// The ticket, when it is one of this event.
    #[schema(value_type = Option<String>)]
    pub ticket_id: Option<TicketId>,
    /// When it was scanned.
    #[schema(value_type = String)]
    pub scanned_at: Timestamp,
    /// Whether it would have let in, were it the first.
    pub is_good: bool,
    /// What it came to.
    pub verdict: Verdict,
}

store::row!(Kept { device, id, ticket_id, scanned_at, is_good, verdict });

/// A ticket as offline devices know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Expected {
    /// Its id.
    #[schema(value_type = String)]
    pub ticket_id: TicketId,
    /// Codes of any other generation are no good.
    pub generation: u32,
    /// What can be done with it.
    pub state: TicketState,
    /// The category.
    pub category: String,
    /// The seat.
    pub seat: Option<String>,
    /// When it let somebody in.
    #[schema(value_type = Option<String>)]
    pub checked_in_at: Option<Timestamp>,
}

store::row!(Expected { ticket_id, generation, state, category, seat, checked_in_at });

/// What a device needs to scan without a network.
#[derive(Clone, Debug)]
pub struct Door {
    /// The event.
    pub event: Event,
    /// Every public key, by number.
    pub keys: Vec<(u16, [u8; 32])>,
    /// A part of the tickets, by id.
    pub tickets: Vec<Expected>,
    /// The id after which the next part begins.
    pub next: Option<TicketId>,
}

impl Tickets {
    /// Judges scans and lets in. All of a batch are kept, or none.
    ///
    /// # Errors
    /// [`TicketError::NotFound`] for who may not scan there; [`TicketError::Invalid`] for more than 500 scans.
    pub async fn check_in(
        &self,
        guard: &Guard,
        id: &EventId,
        scans: Vec<Scan>,
    ) -> Result<Vec<Said>, TicketError> {
        if scans.len() > MAX_BATCH {
            return Err(TicketError::field("/scans", "Send at most 500 scans at once."));
        }
        let now = guard.now();
        let mut read = Vec::with_capacity(scans.len());
        for mut scan in scans {
            // Without an id of its own every scan is another one.
            scan.id = scan.id.or_else(|| Some(kernel::random_text::<12>()));
            if scan.device.chars().count() > 60
                || scan.id.as_ref().is_some_and(|id| !(1..=80).contains(&id.len()))
            {
                return Err(TicketError::field("/device", "At most 60 characters, and 1 to 80 for the id."));
            }
            let code = match self.keys.verify(&scan.code, now).await {
                Ok(code) => Some(code),
                Err(TicketError::Code(_)) => None,
                Err(error) => return Err(error),
            };
            read.push((scan, code));
        }
        let (guard, id) = (guard.clone(), id.clone());
        let write = async move |tx: &mut Tx| {
            let event = find_event(tx, &id).await?;
            guard.check(&event)?;
            let mut said = Vec::with_capacity(read.len());
            for (scan, code) in &read {
                said.push(judge(tx, &guard, &event, scan, code.as_ref()).await?);
            }
            Ok(said)
        };
        self.store.write(write).await
    }

    /// What a device needs to scan offline, in parts of at most 2,000 tickets.
    ///
    /// # Errors
    /// [`TicketError::NotFound`] for who may not scan there.
    pub async fn door(
        &self,
        guard: &Guard,
        id: &EventId,
        after: Option<TicketId>,
    ) -> Result<Door, TicketError> {
        let ring = self.keys.ring(guard.now()).await?;
        let (guard, id) = (guard.clone(), id.clone());
        let read = async move |tx: &mut Tx| {
            let event = find_event(tx, &id).await?;
            guard.check(&event)?;
            let from = after.as_ref().map_or("", TicketId::as_str);
            let tickets: Vec<Expected> = tx.all(&sql::LIST_DOOR, args![id, from, MAX_DOOR]).await?;
            Ok::<_, TicketError>((event, tickets))
        };
        let (event, tickets) = self.store.read(read).await?;
        let is_full = tickets.len() == MAX_DOOR as usize;
        let next = tickets.last().filter(|_| is_full).map(|ticket| ticket.ticket_id.clone());
        Ok(Door {
            event,
            keys: ring.public.iter().map(|(number, key)| (*number, *key)).collect(),
            tickets,
            next,
        })
    }

    /// The last scans of an event, and all those of tickets that were let in more than once.
    ///
    /// # Errors
    /// [`TicketError::NotFound`] for who may not scan there.
    pub async fn scans(&self, guard: &Guard, id: &EventId) -> Result<(Vec<Kept>, Vec<Kept>), TicketError> {
        let (guard, id) = (guard.clone(), id.clone());
        let read = async move |tx: &mut Tx| {
            guard.check(&find_event(tx, &id).await?)?;
            let last = tx.all(&sql::LIST_SCANS, args![id, 50]).await?;
            Ok((last, tx.all(&sql::LIST_CONFLICTS, args![id]).await?))
        };
        self.store.read(read).await
    }
}

/// Keeps one scan and says what it came to.
async fn judge(
    tx: &mut Tx,
    guard: &Guard,
    event: &Event,
    scan: &Scan,
    code: Option<&Code>,
) -> Result<Said, TicketError> {
    let now = guard.now();
    let device = device_name(guard, scan);
    let scanned_at = scan.scanned_at.filter(|at| *at <= now.after(CLOCK_AHEAD)).unwrap_or(now);
    let id = scan.id.clone().unwrap_or_default();
    let known: Option<Kept> = tx.first(&sql::FIND_SCAN, args![event.id, device, id]).await?;
    if let Some(kept) = known {
        return said(tx, kept).await;
    }
    let ticket = match code.filter(|code| code.event.as_ref() == Some(&event.id)) {
        Some(code) => tx.first::<Ticket>(&sql::FIND_TICKET, args![code.ticket]).await?,
        None => None,
    };
    let verdict = match (code, &ticket) {
        (None, _) | (Some(_), None) if code.is_none_or(|code| code.event.as_ref() == Some(&event.id)) => {
            Verdict::Unknown
        }
        (_, None) => Verdict::OtherEvent,
        _ if event.state_at(now) == EventState::Cancelled => Verdict::Cancelled,
        (Some(code), Some(ticket)) if code.generation != ticket.generation => Verdict::Superseded,
        (_, Some(ticket)) if ticket.state.opens() || ticket.state == TicketState::CheckedIn => {
            Verdict::Admitted
        }
        _ => Verdict::NotValid,
    };
    let is_good = verdict == Verdict::Admitted;
    let kept = Kept {
        device,
        id,
        ticket_id: ticket.as_ref().map(|ticket| ticket.id.clone()),
        scanned_at,
        is_good,
        verdict,
    };
    let row = args![
        event.id,
        kept.device,
        kept.id,
        kept.ticket_id,
        kept.scanned_at,
        now,
        kept.is_good,
        kept.verdict
    ];
    tx.execute(&sql::INSERT_SCAN, row).await?;
    match ticket.filter(|_| is_good) {
        Some(ticket) => {
            let verdict = admit(tx, now, event, ticket, &kept).await?;
            said(tx, Kept { verdict, ..kept }).await
        }
        None => said(tx, kept).await,
    }
}

/// Makes the earliest good scan the one that let the ticket in, and corrects what was said of the one before.
async fn admit(
    tx: &mut Tx,
    now: Timestamp,
    event: &Event,
    ticket: Ticket,
    kept: &Kept,
) -> Result<Verdict, TicketError> {
    let first: Kept = tx.one(&sql::FIND_FIRST_SCAN, args![ticket.id]).await?;
    let is_first = (&first.device, &first.id) == (&kept.device, &kept.id);
    if !is_first {
        tx.execute(&sql::SET_VERDICT, args![event.id, kept.device, kept.id, Verdict::Again]).await?;
        return Ok(Verdict::Again);
    }
    tx.execute(&sql::SET_AGAIN, args![ticket.id, kept.device, kept.id]).await?;
    let was_in = ticket.state == TicketState::CheckedIn;
    if let (TicketState::Listed, Some(listing)) = (ticket.state, &ticket.listing) {
        catalog::listing::archive(tx, now, listing, &web::Expected::Whatever).await?;
    }
    let inside = Ticket {
        state: TicketState::CheckedIn,
        listing: None,
        checked_in_at: Some(kept.scanned_at),
        checked_in_by: Some(kept.device.clone()),
        ..ticket
    };
    changed(save(tx, now, &inside).await?)?;
    if !was_in {
        let ticket = find_ticket(tx, &inside.id).await?;
        let about = AboutTicket::of(&ticket, Some(&event.organiser));
        events::append(tx, now, &TicketCheckedIn { about }).await?;
    }
    Ok(Verdict::Admitted)
}

async fn said(tx: &mut Tx, kept: Kept) -> Result<Said, TicketError> {
    let mut said = Said {
        verdict: kept.verdict,
        id: kept.id,
        ticket_id: kept.ticket_id.clone(),
        admits: None,
        first_at: None,
        first_device: None,
    };
    if let Some(ticket) = &kept.ticket_id {
        let ticket = find_ticket(tx, ticket).await?;
        said.admits = Some(ticket.admits());
        said.first_at = ticket.checked_in_at;
        said.first_device = ticket.checked_in_by;
    }
    Ok(said)
}

fn device_name(guard: &Guard, scan: &Scan) -> String {
    let own = match guard {
        Guard::Device(device, _) => device.name.clone(),
        Guard::Staff(by) => by.actor.as_ref().map_or_else(String::new, |actor| actor.username.to_string()),
    };
    match scan.device.trim() {
        "" => own,
        door if door == own => own,
        door => format!("{own}: {door}"),
    }
}
