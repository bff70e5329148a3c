//! The JSON API of this room: each handler takes the request apart, calls one use case, and answers.

mod door;
mod events;
mod shop;
mod views;

use axum::extract::FromRequestParts;
use http::request::Parts;
use identity::Caller;
use utoipa::OpenApi;
use web::{Access, Ctx, Failure, Routes};

use crate::check_in::Guard;
use crate::error::id;
use crate::{Tickets, devices};

/// The routes below `/api`.
#[must_use]
pub fn routes(tickets: Tickets) -> Routes {
    Routes::new()
        .get("/api/events", Access::Public, events::list)
        .post("/api/events", Access::Account, events::create)
        .get("/api/events/{id}", Access::Public, events::find)
        .put("/api/events/{id}", Access::Account, events::change)
        .post("/api/events/{id}/publish", Access::Account, events::publish)
        .post("/api/events/{id}/cancel", Access::Account, events::cancel)
        .post("/api/events/{id}/categories", Access::Account, events::add_category)
        .put("/api/events/{id}/categories/{offer}", Access::Account, events::change_category)
        .delete("/api/events/{id}/categories/{offer}", Access::Account, events::withdraw_category)
        .get("/api/events/{id}/seats", Access::Public, events::seats)
        .get("/api/events/{id}/tickets", Access::Account, events::sold)
        .post("/api/events/{id}/queue", Access::Account, events::join_queue)
        .get("/api/events/{id}/queue", Access::Account, events::queue_place)
        .get("/api/events/{id}/devices", Access::Account, door::devices)
        .post("/api/events/{id}/devices", Access::Account, door::add_device)
        .delete("/api/events/{id}/devices/{device}", Access::Account, door::revoke_device)
        .get("/api/events/{id}/check-in-list", Access::Account, door::list)
        .get("/api/events/{id}/check-ins", Access::Account, door::scans)
        .post("/api/events/{id}/check-ins", Access::Account, door::check_in)
        .post("/api/events/{id}/check-ins/batch", Access::Account, door::check_in_batch)
        .get("/api/tickets", Access::Public, shop::list)
        .post("/api/tickets", Access::Account, shop::create)
        .get("/api/tickets/mine", Access::Account, shop::mine)
        .post("/api/tickets/claims", Access::Account, shop::claim)
        .get("/api/tickets/{id}", Access::Public, shop::find)
        .put("/api/tickets/{id}", Access::Account, shop::change)
        .delete("/api/tickets/{id}/listing", Access::Account, shop::unlist)
        .post("/api/tickets/{id}/transfer", Access::Account, shop::transfer)
        .post("/api/tickets/{id}/return", Access::Account, shop::give_back)
        .get("/api/tickets/{id}/code", Access::Account, shop::code)
        .get("/api/tickets/{id}/code.svg", Access::Account, shop::code_svg)
        .get("/api/tickets/{id}/code.png", Access::Account, shop::code_png)
        .get("/api/tickets/{id}/ticket.pdf", Access::Account, shop::paper)
        .get("/api/tickets/{id}/event.ics", Access::Account, shop::calendar)
        .post("/api/operator/ticket-keys", Access::Operator, door::rotate_key)
        .with_state(tickets)
}

/// What this room adds to the description of the API.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    Described::openapi()
}

#[derive(OpenApi)]
#[openapi(paths(
    events::list,
    events::create,
    events::find,
    events::change,
    events::publish,
    events::cancel,
    events::add_category,
    events::change_category,
    events::withdraw_category,
    events::seats,
    events::sold,
    events::join_queue,
    events::queue_place,
    door::devices,
    door::add_device,
    door::revoke_device,
    door::list,
    door::scans,
    door::check_in,
    door::check_in_batch,
    door::rotate_key,
    shop::list,
    shop::create,
    shop::mine,
    shop::claim,
    shop::find,
    shop::change,
    shop::unlist,
    shop::transfer,
    shop::give_back,
    shop::code,
    shop::code_svg,
    shop::code_png,
    shop::paper,
    shop::calendar
))]
struct Described;

/// A device by its token, or anybody who is signed in: whether they may scan at an event, the use case decides.
impl FromRequestParts<Tickets> for Guard {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, tickets: &Tickets) -> Result<Self, Failure> {
        let header = parts.headers.get(http::header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = header.and_then(|value| value.strip_prefix("Bearer ")).map(str::trim);
        let token = token.filter(|token| token.starts_with(devices::TOKEN_PREFIX)).map(str::to_owned);
        if let Some(token) = token {
            let Ok(ctx) = Ctx::from_request_parts(parts, tickets).await;
            let device = tickets.device_of(&token).await?.ok_or(identity::IdentityError::BadToken)?;
            return Ok(Self::Device(device, ctx.now));
        }
        let caller = Caller::from_request_parts(parts, tickets).await?;
        caller.account()?;
        Ok(Self::Staff(caller))
    }
}
