//! The scans of an event in words, for people at the door.

use identity::Caller;
use store::{Tx, args, json_list};

use crate::check_in::{Guard, Kept};
use crate::error::TicketError;
use crate::owned::views;
use crate::ticket::TicketId;
use crate::{EventId, Tickets, sql};

/// A scan with words for what it was about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    /// The scan.
    pub(super) scan: Kept,
    /// Whom the ticket admits, and whose it is; empty for what is no ticket of this event.
    pub(super) about: String,
}

impl Tickets {
    /// The last scans, and those of tickets that were scanned more than once.
    ///
    /// # Errors
    /// As [`Tickets::scans`].
    pub(super) async fn seen_at_door(
        &self,
        by: &Caller,
        id: &EventId,
    ) -> Result<(Vec<Seen>, Vec<Seen>), TicketError> {
        let (last, conflicts) = self.scans(&Guard::Staff(by.clone()), id).await?;
        let ids = json_list(last.iter().chain(&conflicts).filter_map(|scan| scan.ticket_id.as_ref()));
        let by = by.clone();
        let read = async move |tx: &mut Tx| {
            let tickets = tx.all(&sql::LIST_TICKETS_BY_ID, args![ids]).await?;
            views(tx, &by, tickets).await
        };
        let tickets = self.store.read(read).await?;
        let words = |id: &TicketId| {
            let view = tickets.iter().find(|view| view.ticket.id == *id)?;
            Some(format!("{} \u{b7} {}", view.ticket.admits(), view.owner))
        };
        let seen =
            |scan: Kept| Seen { about: scan.ticket_id.as_ref().and_then(words).unwrap_or_default(), scan };
        Ok((last.into_iter().map(seen).collect(), conflicts.into_iter().map(seen).collect()))
    }
}
