//! The demo's two events: one with general admission, one with a plan of seats. Nothing is sold beforehand.

use std::time::Duration;

use identity::Caller;
use kernel::{Currency, Money, Paging, Secret, Timestamp};
use tickets::{Admission, EventState, EventText, NewCategory};
use web::Expected;

use super::{DemoError, ORGANISATION, USER};
use crate::rooms::Rooms;

/// An event of the demo: how many days from now at which hour (UTC), and its categories.
struct Show {
    title: &'static str,
    description: &'static str,
    place: &'static str,
    address: &'static str,
    zone: &'static str,
    in_days: i64,
    hour: i64,
    hours: u64,
    categories: &'static [(&'static str, i64, Seats)],
}

#[derive(Clone, Copy)]
enum Seats {
    Free(u32),
    Plan(&'static str),
}

const SHOWS: &[Show] = &[
    Show {
        title: "Elide meetup: servers that do not fall over",
        description: "Three talks on timeouts, retries and what to do when the disk is full, then food and time to talk.\n\n\
            Doors open half an hour before. The hall is on the ground floor.",
        place: "Warehouse 12",
        address: "Via del Porto 12, Bologna",
        zone: "Europe/Rome",
        in_days: 21,
        hour: 17,
        hours: 4,
        categories: &[("Admission", 1_900, Seats::Free(120)), ("Student", 900, Seats::Free(30))],
    },
    Show {
        title: "An evening of string quartets",
        description: "Haydn, Ravel and a new piece, with one break.",
        place: "Small Hall",
        address: "Musikplatz 1, Vienna",
        zone: "Europe/Vienna",
        in_days: 35,
        hour: 18,
        hours: 3,
        categories: &[
            ("Stalls", 6_400, Seats::Plan("Stalls rows A-F seats 1-14 aisle after 7 blocked A1-A2, A13-A14")),
            ("Balcony", 3_800, Seats::Plan("Balcony rows 1-3 seats 1-16 aisle after 4, 12")),
        ],
    },
];

/// Makes and publishes the events; goes on where an earlier call was killed.
pub(super) async fn organise_all(rooms: &Rooms) -> Result<(), DemoError> {
    let stranger = Caller::stranger(rooms.clock.now());
    let signed_in = rooms.identity.sign_in(&stranger, USER.0, &Secret::new(USER.1)).await?;
    let by = Caller { ctx: stranger.ctx.clone(), actor: Some(signed_in.actor) };
    for show in SHOWS {
        organise(rooms, &by, show).await.map_err(|error| {
            DemoError::Refused(show.title.to_owned(), kernel::Problem::from(error).detail.into_owned())
        })?;
    }
    rooms.identity.revoke_token_text(&by, signed_in.token.secret.expose()).await?;
    Ok(())
}

async fn organise(rooms: &Rooms, by: &Caller, show: &Show) -> Result<(), tickets::TicketError> {
    let known = rooms.tickets.own_events(by, Paging { limit: 100, offset: 0 }).await?.items;
    let known = known.into_iter().find(|view| view.event.text.title == show.title);
    let (event, categories) = match known {
        Some(view) => (view.event, view.categories),
        None => {
            let text = text(show, by.now());
            (rooms.tickets.create_event(by, Some(ORGANISATION), text, Currency::USD).await?, Vec::new())
        }
    };
    for (name, minor, seats) in show.categories {
        if categories.iter().any(|category| category.name == *name) {
            continue;
        }
        let admission = match seats {
            Seats::Free(count) => Admission::General(*count),
            Seats::Plan(plan) => Admission::Seats((*plan).to_owned()),
        };
        let price = Money::new(*minor, Currency::USD);
        let new = NewCategory { name: (*name).to_owned(), price, admission };
        rooms.tickets.add_category(by, &event.id, new).await?;
    }
    if event.state == EventState::Draft {
        rooms.tickets.publish_event(by, &event.id, Expected::Whatever).await?;
    }
    Ok(())
}

fn text(show: &Show, now: Timestamp) -> EventText {
    let day = Timestamp::from_day(now.day() + show.in_days);
    let starts_at = Timestamp::from_secs(day.secs() + show.hour * 3_600);
    EventText {
        title: show.title.to_owned(),
        description: show.description.to_owned(),
        place: show.place.to_owned(),
        address: show.address.to_owned(),
        zone: show.zone.to_owned(),
        starts_at,
        ends_at: starts_at.after(Duration::from_secs(show.hours * 3_600)),
        sale_from: None,
        sale_until: None,
        return_until: Some(starts_at.before(Duration::from_secs(7 * 86_400))),
        hold_seconds: None,
        extension_seconds: None,
        waiting_room: None,
    }
}
