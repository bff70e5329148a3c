//! What visitors see: events, seats, the waiting room, tickets that others sell.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use catalog::{Unit, UnitState, Want};
use identity::{Action, Subject, Visit, done};
use kernel::{Paging, Problem};
use orders::{NewOrder, OrderError};
use serde::Deserialize;
use web::face::parts::{Pager, Seat, SeatRow};
use web::face::{self, FormState, Sheet, Shell, Typed, Wrong};
use web::{Failure, Form, Path, Query};

use super::choice::Choice;
use super::{Answer, id};
use crate::browse::EventView;
use crate::error::TicketError;
use crate::event::{Category, EventState};
use crate::owned::TicketView;
use crate::queue::Place;
use crate::{EventId, Tickets, WaitingRoom, zone};

/// How many one page shows.
const ROWS: u32 = 24;
/// The most tickets of one category in one order.
const MOST: u32 = 10;

#[derive(Deserialize)]
pub(super) struct Search {
    #[serde(default)]
    q: String,
    #[serde(default)]
    offset: u32,
}

#[derive(Template)]
#[template(path = "tickets/events.html")]
struct EventsPage {
    shell: Shell,
    q: String,
    events: Vec<EventView>,
    pager: Pager,
}

/// `GET /events`.
pub(super) async fn list(
    State(tickets): State<Tickets>,
    visit: Visit,
    Query(search): Query<Search>,
) -> Answer {
    let paging = Paging { limit: ROWS, offset: search.offset }.checked()?;
    let found = tickets.events(&search.q, visit.caller.now(), paging).await?;
    let query: String = search.q.bytes().take(200).map(encoded).collect();
    let base = format!("/events?q={query}&");
    let shell =
        visit.shell.page("Events", "events").describe("Concerts, talks and matches to come, with tickets.");
    let page = EventsPage {
        shell: shell.with_sheet(Sheet::Market),
        pager: Pager::new(&base, ROWS, search.offset, found.items.len(), found.total),
        q: search.q,
        events: found.items,
    };
    Ok(face::html(&page.shell, &page))
}

fn encoded(byte: u8) -> String {
    if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") }
}

#[derive(Template)]
#[template(path = "tickets/event.html")]
struct EventPage {
    shell: Shell,
    view: EventView,
    when: String,
    until: String,
    /// Why nothing can be bought now; empty where it can.
    closed: String,
    /// How many of each category can be chosen; seats are chosen in the plan.
    choices: Vec<(Category, Vec<u32>)>,
    rows: Vec<SeatRow>,
    tiers: Vec<String>,
    form: FormState,
    /// Whether the visitor chose before and comes back from the sign-in.
    is_kept: bool,
    /// The waiting room, and the visitor's place in it.
    room: Option<WaitingRoom>,
    opens: String,
    place: Option<Place>,
    ahead: u64,
    is_admitted: bool,
    wait: String,
    is_signed_in: bool,
    is_own: bool,
}

/// `GET /events/{id}`.
pub(super) async fn event(
    State(tickets): State<Tickets>,
    visit: Visit,
    Path(event): Path<String>,
    Query(choice): Query<Choice>,
) -> Answer {
    let event = id(&event, "event")?;
    let page = event_page(&tickets, visit, &event, choice, None).await?;
    Ok(face::html(&page.shell, &page))
}

async fn event_page(
    tickets: &Tickets,
    visit: Visit,
    event: &EventId,
    choice: Choice,
    typed: Option<FormState>,
) -> Result<EventPage, Failure> {
    let by = &visit.caller;
    let (view, now) = (tickets.event(by, event).await?, by.now());
    let text = &view.event.text;
    let room = text.waiting_room.filter(|_| view.event.is_on_sale(now));
    let is_signed_in = by.actor.is_some();
    let place = match room {
        Some(_) if is_signed_in => {
            tickets.queue_place(by, event).await?.0.filter(|place| !place.is_over(now))
        }
        _ => None,
    };
    let seats = tickets.seats(by, event).await?;
    let (rows, tiers) = plan(&seats);
    let active = view.categories.iter().filter(|category| category.is_active);
    let most = |category: &Category| (0..=category.left().min(MOST)).collect();
    let choices = active.map(|category| (category.clone(), most(category))).collect();
    let least = identity::orgs::OrgRole::Admin;
    let mut shell = visit.shell.page(format!("{} - Events", text.title), "events").with_sheet(Sheet::Market);
    shell = shell.describe(format!("{}, {}", view.event.when(), text.place));
    Ok(EventPage {
        when: view.event.when(),
        until: zone::words(text.ends_at, &text.zone),
        closed: closed(&view, now),
        choices,
        rows,
        tiers,
        is_kept: !choice.is_empty(),
        form: typed.unwrap_or_else(|| choice.form(&view, &seats)),
        opens: room.map_or_else(String::new, |room| zone::words(room.opens_at, &text.zone)),
        is_admitted: room.is_none() || place.is_some_and(|place| place.is_admitted(now)),
        wait: place.map_or_else(String::new, |place| face::text::distance(place.admitted_at, now)),
        ahead: place.zip(room).map_or(0, |(place, room)| place.ahead(now, &room)),
        room,
        place,
        is_signed_in,
        is_own: visit
            .caller
            .actor
            .as_ref()
            .is_some_and(|actor| actor.speaks_for(&view.event.organiser, least)),
        shell,
        view,
    })
}

/// Why nothing can be bought now, and what to do.
fn closed(view: &EventView, now: kernel::Timestamp) -> String {
    let text = &view.event.text;
    match view.event.state_at(now) {
        EventState::Draft => "This is a draft: only you see it. Publish it to sell tickets.".to_owned(),
        EventState::Cancelled => {
            "This event was cancelled. Whoever bought a ticket gets the money back.".to_owned()
        }
        EventState::Ended => "This event is over.".to_owned(),
        EventState::Published => match text.sale_from {
            Some(from) if now < from => {
                format!("Tickets are on sale from {}.", zone::words(from, &text.zone))
            }
            _ if !view.event.is_on_sale(now) => {
                "The sale has ended. Look whether somebody sells a ticket on.".to_owned()
            }
            _ if view.left() == 0 => {
                "Sold out just now. What others do not pay in time comes back within minutes.".to_owned()
            }
            _ => String::new(),
        },
    }
}

/// Seats as the rows of a plan, and what each colour stands for. Another category is another colour, up to five.
fn plan(all: &[(Category, Vec<Unit>)]) -> (Vec<SeatRow>, Vec<String>) {
    let mut rows: BTreeMap<(usize, i32), (String, Vec<&Unit>)> = BTreeMap::new();
    for (tier, (_, units)) in all.iter().enumerate() {
        for unit in units.iter().filter(|unit| unit.state != UnitState::Withdrawn) {
            let row = rows.entry((tier, unit.y)).or_insert_with(|| (unit.row.clone(), Vec::new()));
            row.1.push(unit);
        }
    }
    let mut edges: BTreeMap<usize, (i32, i32)> = BTreeMap::new();
    for ((tier, _), (_, units)) in &rows {
        for place in units.iter().map(|unit| unit.place) {
            let (first, last) = edges.entry(*tier).or_insert((place, place));
            (*first, *last) = (place.min(*first), place.max(*last));
        }
    }
    let seat_row = |((tier, _), (label, mut units)): ((usize, i32), (String, Vec<&Unit>))| {
        units.sort_by_key(|unit| unit.place);
        let mut seats = Vec::new();
        let (mut next, last) = edges.get(&tier).copied().unwrap_or((1, 1));
        let gap = |from: i32, to: i32| (0..to.saturating_sub(from).clamp(0, 100)).map(|_| Seat::default());
        for unit in units {
            // Aisles and blocked seats are gaps, so that seats of all rows stand below each other.
            seats.extend(gap(next, unit.place));
            next = unit.place.saturating_add(1);
            let is_free = unit.state == UnitState::Available;
            let price = all.get(tier).map_or_else(String::new, |(category, _)| category.price.to_string());
            seats.push(Seat {
                value: format!("{}/{}", unit.offer_id, unit.id),
                label: unit.seat.clone(),
                words: format!("{}, {}", unit.label, if is_free { &price } else { "taken" }),
                tier: u8::try_from(tier % 5 + 1).unwrap_or(1),
                is_free,
                aisle_before: false,
            });
        }
        seats.extend(gap(next, last.saturating_add(1)));
        SeatRow { label, seats }
    };
    let tiers = all.iter().take(5).map(|(category, _)| format!("{}: {}", category.name, category.price));
    (rows.into_iter().map(seat_row).collect(), tiers.collect())
}

/// `POST /events/{id}/order`: holds what was chosen and leads to the checkout. Who is not signed in does that first, and
/// comes back to the same choice.
pub(super) async fn order(
    State(tickets): State<Tickets>,
    visit: Visit,
    Path(event): Path<String>,
    form: Result<Form<Typed>, Failure>,
) -> Answer {
    let Form(typed) = form?;
    let event = id(&event, "event")?;
    let view = tickets.event(&visit.caller, &event).await?;
    let wants = wants(&view, &typed);
    if let (None, Ok(wants)) = (&visit.caller.actor, &wants) {
        return Ok(sign_in_first(&visit, &Choice::of(wants).address(&event)));
    }
    let placed = match wants {
        Ok(items) => {
            let new = NewOrder { items, ..NewOrder::default() };
            tickets.orders.place(&visit.caller, new).await.map_err(Problem::from)
        }
        Err(error) => Err(error.into()),
    };
    match placed {
        Ok(placed) => Ok(Redirect::to(&format!("/checkout/{}", placed.order.id)).into_response()),
        Err(problem) => {
            let (status, form) = Wrong::of(problem, &typed)?.into_parts();
            let page = event_page(&tickets, visit, &event, Choice::default(), Some(form)).await?;
            Ok((status, face::html(&page.shell, &page)).into_response())
        }
    }
}

/// What a form asks for: chosen seats, or numbers of the categories. Seats are named as `offer/unit`.
fn wants(view: &EventView, typed: &Typed) -> Result<Vec<Want>, TicketError> {
    let mut wants: Vec<Want> = Vec::new();
    for seat in typed.all("seat").take(100) {
        let unit =
            seat.split_once('/').and_then(|(offer, unit)| Some((offer.parse().ok()?, unit.parse().ok()?)));
        let (offer, unit) = unit.ok_or_else(|| TicketError::field("/seat", "Choose seats of the plan."))?;
        match wants.iter_mut().find(|want| want.offer == offer) {
            Some(want) => {
                want.quantity = want.quantity.saturating_add(1);
                want.units.push(unit);
            }
            None => wants.push(Want { offer, quantity: 1, units: vec![unit] }),
        }
    }
    for category in &view.categories {
        let count = typed.get(&format!("quantity-{}", category.offer)).trim().parse().unwrap_or(0);
        if count > 0 && wants.iter().all(|want| want.offer != category.offer) {
            wants.push(Want::some(category.offer.clone(), count));
        }
    }
    let is_own = |want: &Want| view.categories.iter().any(|category| category.offer == want.offer);
    if wants.is_empty() || !wants.iter().all(is_own) {
        return Err(TicketError::field("/seat", "Choose how many tickets, or which seats."));
    }
    Ok(wants)
}

/// Leads to the sign-in, and from there to a page where what was meant to be done is one press away.
fn sign_in_first(visit: &Visit, next: &str) -> Response {
    Redirect::to(&visit.shell.sign_in_to(next)).into_response()
}

/// `POST /events/{id}/queue`: takes a place in the waiting room.
pub(super) async fn join(State(tickets): State<Tickets>, visit: Visit, Path(event): Path<String>) -> Answer {
    if visit.caller.actor.is_none() {
        return Ok(sign_in_first(&visit, &format!("/events/{event}")));
    }
    visit.caller.may(Action::Buy, &Subject::Market)?;
    let event: EventId = id(&event, "event")?;
    tickets.join_queue(&visit.caller, &event).await?;
    Ok(Redirect::to(&format!("/events/{event}#wait")).into_response())
}

#[derive(Template)]
#[template(path = "tickets/resale.html")]
struct ResalePage {
    shell: Shell,
    tickets: Vec<TicketView>,
    pager: Pager,
}

/// `GET /resale`: tickets that others sell.
pub(super) async fn resale(
    State(tickets): State<Tickets>,
    visit: Visit,
    Query(search): Query<Search>,
) -> Answer {
    let paging = Paging { limit: ROWS, offset: search.offset }.checked()?;
    let found = tickets.listed(&visit.caller, paging).await?;
    let shell = visit.shell.page("Tickets from others", "resale").describe("Tickets that their owners sell.");
    let page = ResalePage {
        shell: shell.with_sheet(Sheet::Market),
        pager: Pager::new("/resale?", ROWS, search.offset, found.items.len(), found.total),
        tickets: found.items,
    };
    Ok(face::html(&page.shell, &page))
}

#[derive(Template)]
#[template(path = "tickets/offer.html")]
struct OfferPage {
    shell: Shell,
    view: TicketView,
    form: FormState,
}

fn offer_page(visit: Visit, view: TicketView, form: FormState) -> OfferPage {
    let title = format!("{} - Tickets from others", view.ticket.title);
    let shell = visit.shell.page(title, "resale").with_sheet(Sheet::Market);
    OfferPage { shell, view, form }
}

/// `GET /resale/{id}`.
pub(super) async fn one(State(tickets): State<Tickets>, visit: Visit, Path(ticket): Path<String>) -> Answer {
    let view = tickets.ticket(&visit.caller, &id(&ticket, "ticket")?).await?;
    let page = offer_page(visit, view, FormState::default());
    Ok(face::html(&page.shell, &page))
}

/// `POST /resale/{id}`: holds the ticket and leads to the checkout.
pub(super) async fn buy(State(tickets): State<Tickets>, visit: Visit, Path(ticket): Path<String>) -> Answer {
    if visit.caller.actor.is_none() {
        return Ok(sign_in_first(&visit, &format!("/resale/{ticket}")));
    }
    visit.caller.may(Action::Buy, &Subject::Market)?;
    let view = tickets.ticket(&visit.caller, &id(&ticket, "ticket")?).await?;
    let placed: Result<_, OrderError> = async {
        let offer = tickets.offer_of(&view.ticket).await?;
        let new = NewOrder { items: vec![Want::some(offer, 1)], ..NewOrder::default() };
        tickets.orders.place(&visit.caller, new).await
    }
    .await;
    match placed {
        Ok(placed) => Ok(Redirect::to(&format!("/checkout/{}", placed.order.id)).into_response()),
        Err(error) => {
            let (status, form) = Wrong::of(error, &Typed::default())?.into_parts();
            let page = offer_page(visit, view, form);
            let response: Response = face::html(&page.shell, &page);
            Ok((status, response).into_response())
        }
    }
}

/// The answer of forms that did their work.
pub(super) fn led(to: &str, words: &str) -> Response {
    done(to, words)
}
