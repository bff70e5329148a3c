//! Events, their categories and seats, the waiting room.

use axum::extract::State;
use axum::response::IntoResponse;
use http::StatusCode;
use identity::{Account, Caller};
use kernel::Paging;
use serde::{Deserialize, Serialize};
use store::Tx;
use web::idempotency::{Key, Request, once};
use web::{DONE, Done, Failure, IfMatch, Json, Listed, Part, Path, Query, Tagged, expected_version};

use super::id;
use super::views::{CategoryBody, EventBody, PlaceBody, Price, TicketBody, currency};
use crate::error::TicketError;
use crate::event::{Admission, EventText, NewCategory};
use crate::{EventView, Tickets, organise};

#[derive(Deserialize, utoipa::IntoParams)]
pub(super) struct Search {
    /// Words in title, place or address.
    #[serde(default)]
    q: String,
    /// 1 to 100.
    limit: Option<u32>,
    /// At most 10,000.
    offset: Option<u32>,
}

/// Find events: published and not over, the next first.
#[utoipa::path(get, path = "/api/events", tag = "events", params(Search),
    responses((status = 200, description = "A page of events.", body = Listed<EventBody>)))]
pub(super) async fn list(
    State(tickets): State<Tickets>,
    caller: Caller,
    Query(search): Query<Search>,
) -> Result<Json<Listed<EventBody>>, Failure> {
    let paging = Paging::asked(search.limit, search.offset.unwrap_or_default())?;
    let page = tickets.events(&search.q, caller.now(), paging).await?;
    Ok(Json(Listed::of(page, |view| EventBody::of(view, caller.now()))))
}

#[derive(Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewEvent {
    #[serde(flatten)]
    text: EventText,
    /// The organisation that sells; the caller where it is absent.
    organisation: Option<String>,
    /// In what tickets cost, by ISO 4217; USD where it is absent.
    currency: Option<String>,
}

/// Make an event, a draft.
#[utoipa::path(post, path = "/api/events", tag = "events", request_body = NewEvent,
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key and body: the same answer.")),
    responses((status = 201, description = "The event.", body = EventBody),
        (status = 401, description = "Nobody is signed in."), (status = 403, description = "The account may not sell."),
        (status = 422, description = "Some fields are wrong.")))]
pub(super) async fn create(
    State(tickets): State<Tickets>,
    account: Account,
    key: Key,
    Json(body): Json<NewEvent>,
) -> Result<impl IntoResponse, Failure> {
    let request = Request::new(key, format!("{} POST /api/events", account.actor.user), &body);
    let (by, currency) = (account.caller, currency(body.currency.as_deref())?);
    let create = async move |tx: &mut Tx| {
        let effect = async |tx: &mut Tx| {
            let event =
                organise::create_event_in(tx, &by, body.organisation.as_deref(), &body.text, currency)
                    .await?;
            let organiser = by.account()?.username.to_string();
            let organiser = body.organisation.clone().unwrap_or(organiser);
            Ok(EventBody::of(EventView { event, organiser, categories: Vec::new() }, by.now()))
        };
        once::<_, TicketError>(tx, &request, by.now(), 201, effect).await
    };
    Ok(tickets.store.write(create).await?)
}

/// Read an event.
#[utoipa::path(get, path = "/api/events/{id}", tag = "events", params(("id" = String, Path, description = "The event")),
    responses((status = 200, description = "The event.", body = EventBody,
            headers(("ETag" = String, description = "Its version, for If-Match."))),
        (status = 404, description = "There is none.")))]
pub(super) async fn find(
    State(tickets): State<Tickets>,
    caller: Caller,
    Path(event): Path<String>,
) -> Result<Tagged<Json<EventBody>>, Failure> {
    let view = tickets.event(&caller, &id(&event, "event")?).await?;
    Ok(Tagged(view.event.version, Json(EventBody::of(view, caller.now()))))
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ChangedEvent {
    #[serde(flatten)]
    text: EventText,
    /// The version that was read; a stale one changes nothing.
    version: Option<i64>,
}

/// Change what an event says.
#[utoipa::path(put, path = "/api/events/{id}", tag = "events", request_body = ChangedEvent,
    params(("id" = String, Path, description = "The event"), ("If-Match" = Option<String>, Header, description = "The ETag that was read.")),
    responses((status = 200, description = "The event as it is now.", body = EventBody),
        (status = 401, description = "Nobody is signed in."), (status = 403, description = "It is somebody else's."),
        (status = 404, description = "There is none."), (status = 409, description = "Cancelled, or the version is stale."),
        (status = 412, description = "If-Match is stale."), (status = 422, description = "Some fields are wrong.")))]
pub(super) async fn change(
    State(tickets): State<Tickets>,
    account: Account,
    Path(event): Path<String>,
    if_match: IfMatch,
    Json(body): Json<ChangedEvent>,
) -> Result<Tagged<Json<EventBody>>, Failure> {
    let (event, expected) = (id(&event, "event")?, expected_version(if_match, body.version)?);
    tickets.edit_event(&account.caller, &event, body.text, expected).await?;
    shown(&tickets, &account, &event).await
}

async fn shown(
    tickets: &Tickets,
    account: &Account,
    event: &crate::EventId,
) -> Result<Tagged<Json<EventBody>>, Failure> {
    let view = tickets.event(&account.caller, event).await?;
    Ok(Tagged(view.event.version, Json(EventBody::of(view, account.caller.now()))))
}

/// Put an event on sale.
#[utoipa::path(post, path = "/api/events/{id}/publish", tag = "events",
    params(("id" = String, Path, description = "The event"), ("If-Match" = Option<String>, Header, description = "The ETag that was read.")),
    responses((status = 200, description = "The event as it is now.", body = EventBody),
        (status = 401, description = "Nobody is signed in."), (status = 404, description = "There is none."),
        (status = 409, description = "It is no draft, or has no category."), (status = 412, description = "If-Match is stale.")))]
pub(super) async fn publish(
    State(tickets): State<Tickets>,
    account: Account,
    Path(event): Path<String>,
    if_match: IfMatch,
) -> Result<Tagged<Json<EventBody>>, Failure> {
    let event = id(&event, "event")?;
    tickets.publish_event(&account.caller, &event, expected_version(if_match, None)?).await?;
    shown(&tickets, &account, &event).await
}

/// Cancel an event: everybody gets the money back.
#[utoipa::path(post, path = "/api/events/{id}/cancel", tag = "events",
    params(("id" = String, Path, description = "The event"), ("If-Match" = Option<String>, Header, description = "The ETag that was read.")),
    responses((status = 200, description = "The event as it is now; refunds are on their way.", body = EventBody),
        (status = 401, description = "Nobody is signed in."), (status = 404, description = "There is none."),
        (status = 409, description = "It is cancelled or over."), (status = 412, description = "If-Match is stale.")))]
pub(super) async fn cancel(
    State(tickets): State<Tickets>,
    account: Account,
    Path(event): Path<String>,
    if_match: IfMatch,
) -> Result<Tagged<Json<EventBody>>, Failure> {
    let event = id(&event, "event")?;
    tickets.cancel_event(&account.caller, &event, expected_version(if_match, None)?).await?;
    shown(&tickets, &account, &event).await
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct CategoryWish {
    /// What it is called.
    name: String,
    /// What one costs, in major units.
    #[schema(value_type = Option<f64>)]
    price: Option<serde_json::Number>,
    /// The same, exactly.
    price_minor: Option<i64>,
    /// How many there are, without seats.
    capacity: Option<u32>,
    /// The plan of its seats in words: `Stalls rows A-F seats 1-20 aisle after 10 blocked A1-A2`.
    seats: Option<String>,
}

/// Add a category of tickets.
#[utoipa::path(post, path = "/api/events/{id}/categories", tag = "events", request_body = CategoryWish,
    params(("id" = String, Path, description = "The event")),
    responses((status = 201, description = "The category.", body = CategoryBody),
        (status = 401, description = "Nobody is signed in."), (status = 404, description = "There is none."),
        (status = 409, description = "The event is cancelled or over."), (status = 422, description = "Some fields are wrong.")))]
pub(super) async fn add_category(
    State(tickets): State<Tickets>,
    account: Account,
    Path(event): Path<String>,
    Json(body): Json<CategoryWish>,
) -> Result<impl IntoResponse, Failure> {
    let event = id(&event, "event")?;
    let currency = tickets.event(&account.caller, &event).await?.event.currency;
    let price = Price { price: body.price, minor: body.price_minor }.needed(currency)?;
    let admission = match (body.capacity, body.seats) {
        (Some(count), None) => Admission::General(count),
        (None, Some(plan)) => Admission::Seats(plan),
        _ => {
            return Err(TicketError::field("/capacity", "Write either a capacity or a plan of seats.").into());
        }
    };
    let new = NewCategory { name: body.name, price, admission };
    let made = tickets.add_category(&account.caller, &event, new).await?;
    Ok((StatusCode::CREATED, Json(CategoryBody::from(made))))
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct CategoryPatch {
    /// What one costs, in major units.
    #[schema(value_type = Option<f64>)]
    price: Option<serde_json::Number>,
    /// The same, exactly.
    price_minor: Option<i64>,
    /// How many there are, where it has no seats.
    capacity: Option<u32>,
    /// The version that was read.
    version: Option<i64>,
}

/// Change the price of a category, or how many there are.
#[utoipa::path(put, path = "/api/events/{id}/categories/{offer}", tag = "events", request_body = CategoryPatch,
    params(("id" = String, Path, description = "The event"), ("offer" = String, Path, description = "Its offer"),
        ("If-Match" = Option<String>, Header, description = "The version that was read, in quotes.")),
    responses((status = 200, description = "The category as it is now.", body = CategoryBody),
        (status = 401, description = "Nobody is signed in."), (status = 404, description = "There is none."),
        (status = 409, description = "Somebody is buying one, or fewer than are sold."), (status = 412, description = "If-Match is stale.")))]
pub(super) async fn change_category(
    State(tickets): State<Tickets>,
    account: Account,
    Path((event, offer)): Path<(String, String)>,
    if_match: IfMatch,
    Json(body): Json<CategoryPatch>,
) -> Result<Tagged<Json<CategoryBody>>, Failure> {
    let (event, offer) = (id(&event, "event")?, id(&offer, "category")?);
    let view = tickets.event(&account.caller, &event).await?;
    let now = view.categories.iter().find(|category| category.offer == offer);
    let now = now.ok_or(TicketError::NotFound("category"))?.price;
    let price =
        Price { price: body.price, minor: body.price_minor }.read(view.event.currency)?.unwrap_or(now);
    let expected = expected_version(if_match, body.version)?;
    let changed =
        tickets.change_category(&account.caller, &event, &offer, price, body.capacity, expected).await?;
    Ok(Tagged(changed.version, Json(changed.into())))
}

/// Take a category off sale.
#[utoipa::path(delete, path = "/api/events/{id}/categories/{offer}", tag = "events",
    params(("id" = String, Path, description = "The event"), ("offer" = String, Path, description = "Its offer")),
    responses((status = 200, description = "Nothing more of it is sold.", body = Done),
        (status = 401, description = "Nobody is signed in."), (status = 404, description = "There is none.")))]
pub(super) async fn withdraw_category(
    State(tickets): State<Tickets>,
    account: Account,
    Path((event, offer)): Path<(String, String)>,
) -> Result<Json<Done>, Failure> {
    let (event, offer) = (id(&event, "event")?, id(&offer, "category")?);
    tickets.withdraw_category(&account.caller, &event, &offer).await?;
    Ok(DONE)
}

/// A seat.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct SeatBody {
    /// By which it is ordered.
    unit_id: String,
    offer_id: String,
    label: String,
    section: String,
    row: String,
    seat: String,
    x: i32,
    y: i32,
    /// Whether it can be ordered.
    free: bool,
}

/// Show the seats.
#[utoipa::path(get, path = "/api/events/{id}/seats", tag = "events", params(("id" = String, Path, description = "The event")),
    responses((status = 200, description = "All seats, the best first.", body = Listed<SeatBody>),
        (status = 404, description = "There is none.")))]
pub(super) async fn seats(
    State(tickets): State<Tickets>,
    caller: Caller,
    Path(event): Path<String>,
) -> Result<Json<Listed<SeatBody>>, Failure> {
    let all = tickets.seats(&caller, &id(&event, "event")?).await?;
    let seats = all.into_iter().flat_map(|(_, units)| units).map(|unit| SeatBody {
        unit_id: unit.id.to_string(),
        offer_id: unit.offer_id.to_string(),
        label: unit.label,
        section: unit.section,
        row: unit.row,
        seat: unit.seat,
        x: unit.x,
        y: unit.y,
        free: unit.state == catalog::UnitState::Available,
    });
    Ok(Json(Listed::whole(seats.collect())))
}

/// List the sold tickets of an own event.
#[utoipa::path(get, path = "/api/events/{id}/tickets", tag = "events",
    params(("id" = String, Path, description = "The event"), Part),
    responses((status = 200, description = "A page of tickets.", body = Listed<TicketBody>),
        (status = 401, description = "Nobody is signed in."), (status = 403, description = "It is somebody else's.")))]
pub(super) async fn sold(
    State(tickets): State<Tickets>,
    account: Account,
    Path(event): Path<String>,
    Query(part): Query<Part>,
) -> Result<Json<Listed<TicketBody>>, Failure> {
    let event = id(&event, "event")?;
    let page = tickets.event_tickets(&account.caller, &event, part.checked()?).await?;
    Ok(Json(Listed::of(page, TicketBody::from)))
}

/// Take a place in the waiting room.
#[utoipa::path(post, path = "/api/events/{id}/queue", tag = "events", params(("id" = String, Path, description = "The event")),
    responses((status = 200, description = "The account's place; asking again gives the same.", body = PlaceBody),
        (status = 401, description = "Nobody is signed in."), (status = 404, description = "There is none."),
        (status = 409, description = "The event has no waiting room.")))]
pub(super) async fn join_queue(
    State(tickets): State<Tickets>,
    account: Account,
    Path(event): Path<String>,
) -> Result<Json<PlaceBody>, Failure> {
    let (place, room, pass) = tickets.join_queue(&account.caller, &id(&event, "event")?).await?;
    Ok(Json(PlaceBody::of(&place, Some(&room), account.caller.now(), Some(pass))))
}

#[derive(Deserialize, utoipa::IntoParams)]
pub(super) struct Shown {
    /// What taking the place answered: with it nothing is looked up.
    pass: Option<String>,
}

/// Ask for one's place in the waiting room.
#[utoipa::path(get, path = "/api/events/{id}/queue", tag = "events",
    params(("id" = String, Path, description = "The event"), Shown),
    responses((status = 200, description = "The place.", body = PlaceBody),
        (status = 401, description = "Nobody is signed in."), (status = 404, description = "The account has none.")))]
pub(super) async fn queue_place(
    State(tickets): State<Tickets>,
    account: Account,
    Path(event): Path<String>,
    Query(shown): Query<Shown>,
) -> Result<Json<PlaceBody>, Failure> {
    let (event, by) = (id(&event, "event")?, &account.caller);
    if let Some(pass) = shown.pass {
        let place = tickets.read_pass(by, &event, &pass).await?;
        return Ok(Json(PlaceBody::of(&place, None, by.now(), Some(pass))));
    }
    let (place, room) = tickets.queue_place(by, &event).await?;
    let place = place.ok_or(TicketError::NotFound("place in the waiting room"))?;
    Ok(Json(PlaceBody::of(&place, Some(&room), by.now(), None)))
}
