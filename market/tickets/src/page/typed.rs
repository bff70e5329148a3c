//! Forms of events: reading what was typed, and filling a form with what is there.

use kernel::Timestamp;
use web::face::{FormState, Typed};

use crate::error::TicketError;
use crate::event::{EventText, WaitingRoom};
use crate::zone;

/// Reads the form of an event. Times are read in its own zone.
pub(super) fn event(typed: &Typed) -> Result<EventText, TicketError> {
    let name = typed.get("zone").trim().to_owned();
    if !zone::is_known(&name) {
        return Err(TicketError::field("/zone", "Write an IANA time zone, such as Europe/Rome."));
    }
    let at = |field: &'static str, pointer: &'static str| -> Result<Option<Timestamp>, TicketError> {
        match typed.get(field).trim() {
            "" => Ok(None),
            text => match zone::from_field(text, &name) {
                Some(at) => Ok(Some(at)),
                None => {
                    Err(TicketError::field(pointer, "Write a date and a time, such as 2026-11-21T19:30."))
                }
            },
        }
    };
    let needed = |at: Option<Timestamp>, pointer| {
        at.ok_or_else(|| TicketError::field(pointer, "Choose a date and a time."))
    };
    let number = |field: &str, pointer: &'static str, or: u32| match typed.get(field).trim() {
        "" => Ok(or),
        text => text.parse().map_err(|_| TicketError::field(pointer, "Write a whole number.")),
    };
    let minutes = |field: &str, pointer: &'static str, or: u32| {
        number(field, pointer, or).map(|minutes: u32| minutes.saturating_mul(60))
    };
    let some_minutes = |field: &str, pointer| match typed.get(field).trim() {
        "" => Ok(None),
        _ => minutes(field, pointer, 0).map(Some),
    };
    let waiting_room = match at("queueFrom", "/queueFrom")? {
        None => None,
        Some(opens_at) => Some(WaitingRoom {
            opens_at,
            per_minute: number("queuePerMinute", "/queuePerMinute", 60)?,
            stay_seconds: minutes("queueStay", "/queueStay", 10)?,
        }),
    };
    Ok(EventText {
        title: typed.get("title").trim().to_owned(),
        description: typed.get("description").replace("\r\n", "\n"),
        place: typed.get("place").trim().to_owned(),
        address: typed.get("address").trim().to_owned(),
        starts_at: needed(at("startsAt", "/startsAt")?, "/startsAt")?,
        ends_at: needed(at("endsAt", "/endsAt")?, "/endsAt")?,
        sale_from: at("saleFrom", "/saleFrom")?,
        sale_until: at("saleUntil", "/saleUntil")?,
        return_until: at("returnUntil", "/returnUntil")?,
        hold_seconds: some_minutes("holdMinutes", "/holdMinutes")?,
        extension_seconds: some_minutes("extensionMinutes", "/extensionMinutes")?,
        waiting_room,
        zone: name,
    })
}

/// A form with what an event says.
pub(super) fn filled(text: &EventText) -> FormState {
    let at = |at: Option<Timestamp>| at.map_or_else(String::new, |at| zone::to_field(at, &text.zone));
    let room = text.waiting_room;
    let number = |number: Option<u32>| number.map_or_else(String::new, |number| number.to_string());
    FormState::with(&[
        ("title", &text.title),
        ("description", &text.description),
        ("place", &text.place),
        ("address", &text.address),
        ("zone", &text.zone),
        ("startsAt", &at(Some(text.starts_at))),
        ("endsAt", &at(Some(text.ends_at))),
        ("saleFrom", &at(text.sale_from)),
        ("saleUntil", &at(text.sale_until)),
        ("returnUntil", &at(text.return_until)),
        ("holdMinutes", &number(text.hold_seconds.map(|seconds| seconds / 60))),
        ("extensionMinutes", &number(text.extension_seconds.map(|seconds| seconds / 60))),
        ("queueFrom", &at(room.map(|room| room.opens_at))),
        ("queuePerMinute", &number(room.map(|room| room.per_minute))),
        ("queueStay", &number(room.map(|room| room.stay_seconds / 60))),
    ])
}
