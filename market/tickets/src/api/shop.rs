//! Tickets: the shop of everybody, and what owners do with theirs.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use identity::{Account, Caller};
use serde::{Deserialize, Serialize};
use store::Tx;
use web::idempotency::{Key, Request, once};
use web::{DONE, Done, Failure, IfMatch, Json, Listed, Part, Path, Query, Tagged, expected_version};

use super::id;
use super::views::{Price, TicketBody, currency};
use crate::error::TicketError;
use crate::owned::views;
use crate::sell_on::{NewTicket, list_in};
use crate::{TicketId, Tickets, code};

/// Find tickets that their owners sell.
#[utoipa::path(get, path = "/api/tickets", tag = "tickets", params(Part),
    responses((status = 200, description = "A page of tickets for sale, the newest first.", body = Listed<TicketBody>)))]
pub(super) async fn list(
    State(tickets): State<Tickets>,
    caller: Caller,
    Query(part): Query<Part>,
) -> Result<Json<Listed<TicketBody>>, Failure> {
    let page = tickets.listed(&caller, part.checked()?).await?;
    Ok(Json(Listed::of(page, TicketBody::from)))
}

#[derive(Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct TicketWish {
    /// What it is for; an own ticket keeps its title.
    #[serde(default)]
    title: String,
    /// What it costs, in major units.
    #[schema(value_type = Option<f64>)]
    price: Option<serde_json::Number>,
    /// The same, exactly.
    price_minor: Option<i64>,
    /// By ISO 4217; USD where it is absent.
    currency: Option<String>,
    /// An own ticket, to be sold on.
    ticket_id: Option<String>,
}

/// Sell a ticket.
#[utoipa::path(post, path = "/api/tickets", tag = "tickets", request_body = TicketWish,
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key and body: the same answer.")),
    responses((status = 201, description = "The ticket, on sale.", body = TicketBody),
        (status = 401, description = "Nobody is signed in."), (status = 404, description = "It is somebody else's."),
        (status = 409, description = "It is on sale, or was used."), (status = 422, description = "Some fields are wrong.")))]
pub(super) async fn create(
    State(tickets): State<Tickets>,
    account: Account,
    key: Key,
    Json(body): Json<TicketWish>,
) -> Result<impl IntoResponse, Failure> {
    let request = Request::new(key, format!("{} POST /api/tickets", account.actor.user), &body);
    let ticket: Option<TicketId> = body.ticket_id.as_deref().map(|text| id(text, "ticket")).transpose()?;
    let price =
        Price { price: body.price, minor: body.price_minor }.needed(currency(body.currency.as_deref())?)?;
    let (by, new) = (account.caller, NewTicket { title: body.title, price, ticket });
    let create = async move |tx: &mut Tx| {
        let effect = async |tx: &mut Tx| {
            let ticket = list_in(tx, &by, &new).await?;
            let view = views(tx, &by, vec![ticket]).await?.pop();
            view.map(TicketBody::from).ok_or(TicketError::NotFound("ticket"))
        };
        once::<_, TicketError>(tx, &request, by.now(), 201, effect).await
    };
    Ok(tickets.store.write(create).await?)
}

/// List one's own tickets.
#[utoipa::path(get, path = "/api/tickets/mine", tag = "tickets", params(Part),
    responses((status = 200, description = "A page of own tickets, the newest first.", body = Listed<TicketBody>),
        (status = 401, description = "Nobody is signed in.")))]
pub(super) async fn mine(
    State(tickets): State<Tickets>,
    account: Account,
    Query(part): Query<Part>,
) -> Result<Json<Listed<TicketBody>>, Failure> {
    let page = tickets.own_tickets(&account.caller, part.checked()?).await?;
    Ok(Json(Listed::of(page, TicketBody::from)))
}

/// Read a ticket: one's own, or one that is for sale.
#[utoipa::path(get, path = "/api/tickets/{id}", tag = "tickets", params(("id" = String, Path, description = "The ticket")),
    responses((status = 200, description = "The ticket.", body = TicketBody,
            headers(("ETag" = String, description = "Its version, for If-Match."))),
        (status = 404, description = "There is none.")))]
pub(super) async fn find(
    State(tickets): State<Tickets>,
    caller: Caller,
    Path(ticket): Path<String>,
) -> Result<Tagged<Json<TicketBody>>, Failure> {
    shown(&tickets, &caller, &id(&ticket, "ticket")?).await
}

async fn shown(tickets: &Tickets, by: &Caller, id: &TicketId) -> Result<Tagged<Json<TicketBody>>, Failure> {
    let view = tickets.ticket(by, id).await?;
    Ok(Tagged(view.ticket.version, Json(view.into())))
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct TicketPatch {
    /// What it is for; only of a ticket from elsewhere.
    title: Option<String>,
    /// What it costs, in major units.
    #[schema(value_type = Option<f64>)]
    price: Option<serde_json::Number>,
    /// The same, exactly.
    price_minor: Option<i64>,
    /// The version that was read.
    version: Option<i64>,
}

/// Change price and title of a ticket that is for sale; not while somebody is buying it.
#[utoipa::path(put, path = "/api/tickets/{id}", tag = "tickets", request_body = TicketPatch,
    params(("id" = String, Path, description = "The ticket"), ("If-Match" = Option<String>, Header, description = "The ETag that was read.")),
    responses((status = 200, description = "The ticket as it is now.", body = TicketBody),
        (status = 401, description = "Nobody is signed in."), (status = 404, description = "It is somebody else's."),
        (status = 409, description = "Somebody is buying it, or the version is stale."), (status = 412, description = "If-Match is stale."),
        (status = 422, description = "Some fields are wrong.")))]
pub(super) async fn change(
    State(tickets): State<Tickets>,
    account: Account,
    Path(ticket): Path<String>,
    if_match: IfMatch,
    Json(body): Json<TicketPatch>,
) -> Result<Tagged<Json<TicketBody>>, Failure> {
    let (id, by) = (id(&ticket, "ticket")?, &account.caller);
    let currency = tickets.ticket(by, &id).await?.ticket.price.currency;
    let price = Price { price: body.price, minor: body.price_minor }.read(currency)?;
    let expected = expected_version(if_match, body.version)?;
    tickets.edit_ticket(by, &id, body.title, price, expected).await?;
    shown(&tickets, by, &id).await
}

/// Take a ticket off sale.
#[utoipa::path(delete, path = "/api/tickets/{id}/listing", tag = "tickets",
    params(("id" = String, Path, description = "The ticket"), ("If-Match" = Option<String>, Header, description = "The ETag that was read.")),
    responses((status = 200, description = "The ticket as it is now.", body = TicketBody),
        (status = 401, description = "Nobody is signed in."), (status = 404, description = "It is somebody else's."),
        (status = 409, description = "Somebody is buying it, or it is not for sale."), (status = 412, description = "If-Match is stale.")))]
pub(super) async fn unlist(
    State(tickets): State<Tickets>,
    account: Account,
    Path(ticket): Path<String>,
    if_match: IfMatch,
) -> Result<Tagged<Json<TicketBody>>, Failure> {
    let id = id(&ticket, "ticket")?;
    tickets.unlist_ticket(&account.caller, &id, expected_version(if_match, None)?).await?;
    shown(&tickets, &account.caller, &id).await
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Transfer {
    /// A user or an organisation, by name: it owns the ticket at once.
    to: Option<String>,
    /// An e-mail address: it gets a link with which whoever opens it takes the ticket.
    mail: Option<String>,
}

/// Give a ticket to somebody else. Its old code opens no door any more.
#[utoipa::path(post, path = "/api/tickets/{id}/transfer", tag = "tickets", request_body = Transfer,
    params(("id" = String, Path, description = "The ticket")),
    responses((status = 200, description = "Given, or the link is on its way.", body = Done),
        (status = 401, description = "Nobody is signed in."), (status = 404, description = "It is somebody else's."),
        (status = 409, description = "It is for sale, or was used."), (status = 422, description = "Some fields are wrong.")))]
pub(super) async fn transfer(
    State(tickets): State<Tickets>,
    account: Account,
    Path(ticket): Path<String>,
    Json(body): Json<Transfer>,
) -> Result<Json<Done>, Failure> {
    let (id, by) = (id(&ticket, "ticket")?, &account.caller);
    match (body.to, body.mail) {
        (Some(to), None) => tickets.transfer(by, &id, &to).await.map(|_| ())?,
        (None, Some(mail)) => tickets.send_ticket(by, &id, &mail).await?,
        _ => return Err(TicketError::field("/to", "Write either a name or an e-mail address.").into()),
    }
    Ok(DONE)
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Token {
    /// The end of the link that came by mail.
    token: String,
}

/// Take a ticket by the link that came by mail.
#[utoipa::path(post, path = "/api/tickets/claims", tag = "tickets", request_body = Token,
    responses((status = 200, description = "The ticket, now one's own.", body = TicketBody),
        (status = 401, description = "Nobody is signed in."), (status = 410, description = "The link is spent.")))]
pub(super) async fn claim(
    State(tickets): State<Tickets>,
    account: Account,
    Json(body): Json<Token>,
) -> Result<Tagged<Json<TicketBody>>, Failure> {
    let ticket = tickets.claim(&account.caller, &body.token).await?;
    shown(&tickets, &account.caller, &ticket.id).await
}

/// Give a ticket back for its price. The money goes to who paid for it, also where that is not its owner.
#[utoipa::path(post, path = "/api/tickets/{id}/return", tag = "tickets", params(("id" = String, Path, description = "The ticket")),
    responses((status = 200, description = "Given back; the money is on its way.", body = TicketBody),
        (status = 401, description = "Nobody is signed in."), (status = 404, description = "It is somebody else's."),
        (status = 409, description = "The event takes no returns now, or the ticket was bought from an earlier owner.")))]
pub(super) async fn give_back(
    State(tickets): State<Tickets>,
    account: Account,
    Path(ticket): Path<String>,
) -> Result<Tagged<Json<TicketBody>>, Failure> {
    let id = id(&ticket, "ticket")?;
    tickets.give_back(&account.caller, &id).await?;
    shown(&tickets, &account.caller, &id).await
}

/// The code of a ticket.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct CodeBody {
    ticket_id: String,
    /// What the QR code says.
    code: String,
}

/// Fetch the code of an own ticket.
#[utoipa::path(get, path = "/api/tickets/{id}/code", tag = "tickets", params(("id" = String, Path, description = "The ticket")),
    responses((status = 200, description = "The code.", body = CodeBody),
        (status = 401, description = "Nobody is signed in."), (status = 404, description = "It is somebody else's."),
        (status = 409, description = "It opens no door any more.")))]
pub(super) async fn code(
    State(tickets): State<Tickets>,
    account: Account,
    Path(ticket): Path<String>,
) -> Result<Json<CodeBody>, Failure> {
    let (view, code) = tickets.code(&account.caller, &id(&ticket, "ticket")?).await?;
    Ok(Json(CodeBody { ticket_id: view.ticket.id.to_string(), code }))
}

/// Fetch the code as SVG.
#[utoipa::path(get, path = "/api/tickets/{id}/code.svg", tag = "tickets", params(("id" = String, Path, description = "The ticket")),
    responses((status = 200, description = "A QR code.", content_type = "image/svg+xml"),
        (status = 401, description = "Nobody is signed in."), (status = 404, description = "It is somebody else's.")))]
pub(super) async fn code_svg(
    State(tickets): State<Tickets>,
    account: Account,
    Path(ticket): Path<String>,
) -> Result<Response, Failure> {
    let (_, text) = tickets.code(&account.caller, &id(&ticket, "ticket")?).await?;
    let svg = code::svg(&text).ok_or(TicketError::Code(crate::CodeError::Unfit))?;
    Ok(file("image/svg+xml", None, svg.into_bytes()))
}

/// Fetch the code as PNG.
#[utoipa::path(get, path = "/api/tickets/{id}/code.png", tag = "tickets", params(("id" = String, Path, description = "The ticket")),
    responses((status = 200, description = "A QR code.", content_type = "image/png"),
        (status = 401, description = "Nobody is signed in."), (status = 404, description = "It is somebody else's.")))]
pub(super) async fn code_png(
    State(tickets): State<Tickets>,
    account: Account,
    Path(ticket): Path<String>,
) -> Result<Response, Failure> {
    let (_, text) = tickets.code(&account.caller, &id(&ticket, "ticket")?).await?;
    let png = code::png(&text, 8).ok_or(TicketError::Code(crate::CodeError::Unfit))?;
    Ok(file("image/png", None, png))
}

/// Fetch an own ticket as PDF.
#[utoipa::path(get, path = "/api/tickets/{id}/ticket.pdf", tag = "tickets", params(("id" = String, Path, description = "The ticket")),
    responses((status = 200, description = "The ticket with its code.", content_type = "application/pdf"),
        (status = 401, description = "Nobody is signed in."), (status = 404, description = "It is somebody else's.")))]
pub(super) async fn paper(
    State(tickets): State<Tickets>,
    account: Account,
    Path(ticket): Path<String>,
) -> Result<Response, Failure> {
    let paper = tickets.paper(&account.caller, &id(&ticket, "ticket")?).await?;
    Ok(file("application/pdf", Some("ticket.pdf"), paper))
}

/// Fetch the event of an own ticket for a calendar.
#[utoipa::path(get, path = "/api/tickets/{id}/event.ics", tag = "tickets", params(("id" = String, Path, description = "The ticket")),
    responses((status = 200, description = "A calendar file (RFC 5545).", content_type = "text/calendar"),
        (status = 401, description = "Nobody is signed in."), (status = 404, description = "It is somebody else's.")))]
pub(super) async fn calendar(
    State(tickets): State<Tickets>,
    account: Account,
    Path(ticket): Path<String>,
) -> Result<Response, Failure> {
    let text = tickets.calendar(&account.caller, &id(&ticket, "ticket")?).await?;
    Ok(file("text/calendar; charset=utf-8", Some("event.ics"), text.into_bytes()))
}

/// A file for its owner alone.
fn file(kind: &'static str, name: Option<&str>, bytes: Vec<u8>) -> Response {
    let mut response = (StatusCode::OK, bytes).into_response();
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    set(header::CONTENT_TYPE, kind);
    set(header::CACHE_CONTROL, "private, no-store");
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'");
    if let Some(name) = name {
        set(header::CONTENT_DISPOSITION, &format!("attachment; filename=\"{name}\""));
    }
    response
}
