//! A ticket on paper and in a calendar.

use identity::Caller;

use crate::Tickets;
use crate::calendar::Entry;
use crate::error::TicketError;
use crate::event::EventState;
use crate::ticket::TicketId;

impl Tickets {
    /// A ticket as PDF, with its code. Only its owner gets it.
    ///
    /// # Errors
    /// As [`Tickets::code`]; [`TicketError::Pdf`].
    pub async fn paper(&self, by: &Caller, id: &TicketId) -> Result<Vec<u8>, TicketError> {
        let (view, code) = self.code(by, id).await?;
        let event = view.event.ok_or(TicketError::Elsewhere)?;
        let mut paper = pdf::Document::new(format!("Ticket: {}", event.text.title), "en")
            .made_at(by.now())
            .foot(format!("Ticket {id}"));
        paper.title(event.text.title.clone());
        paper.field("When", event.when());
        paper.field("Where", format!("{}\n{}", event.text.place, event.text.address));
        paper.field("Admits", view.ticket.admits());
        paper.field("Owner", view.owner);
        paper.field("Price", view.ticket.price.to_string());
        paper.space(12);
        paper.qr(code.as_bytes(), "The code of this ticket, to be scanned at the door", 230)?;
        paper.note("Show this code at the door, on paper or on a screen. It lets one person in once. Whoever has a copy can use it before you: do not share it.");
        Ok(paper.to_bytes()?)
    }

    /// The event of a ticket as a calendar file. Only its owner gets it.
    ///
    /// # Errors
    /// [`TicketError::NotFound`], [`TicketError::Elsewhere`].
    pub async fn calendar(&self, by: &Caller, id: &TicketId) -> Result<String, TicketError> {
        let view = self.ticket(by, id).await?;
        if !view.is_own {
            return Err(TicketError::NotFound("ticket"));
        }
        let event = view.event.ok_or(TicketError::Elsewhere)?;
        let place = [event.text.place.as_str(), event.text.address.as_str()];
        let place = place.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ");
        let link = format!("{}/tickets/{id}", self.identity.settings().public_url);
        let entry = Entry {
            uid: &format!("{id}@fondaco"),
            sequence: event.version,
            title: &event.text.title,
            place: &place,
            description: &format!("{}\n{link}", view.ticket.admits()),
            starts_at: event.text.starts_at,
            ends_at: event.text.ends_at,
            made_at: by.now(),
            is_cancelled: event.state == EventState::Cancelled,
        };
        Ok(entry.to_ics())
    }
}
