//! The pages of events and tickets. Every form works without script: it posts, and the answer is a redirect with a
//! message, or the same page with what was typed and what is wrong.

mod choice;
mod door;
mod mine;
mod public;
mod seen;
mod sell;
mod typed;

use axum::response::Response;
use web::{Access, Failure, Routes};

use crate::Tickets;
use crate::error::id;

/// What handlers answer.
type Answer = Result<Response, Failure>;

/// The pages of this room.
#[must_use]
pub fn pages(tickets: Tickets) -> Routes {
    Routes::new()
        .get("/events", Access::Public, public::list)
        .get("/events/{id}", Access::Public, public::event)
        .post("/events/{id}/order", Access::Public, public::order)
        .post("/events/{id}/queue", Access::Account, public::join)
        .get("/resale", Access::Public, public::resale)
        .get("/resale/{id}", Access::Public, public::one)
        .post("/resale/{id}", Access::Account, public::buy)
        .get("/tickets", Access::Account, mine::list)
        .get("/tickets/sell", Access::Account, mine::sell_form)
        .post("/tickets/sell", Access::Account, mine::sell)
        .get("/tickets/claim/{token}", Access::Account, mine::claim_page)
        .post("/tickets/claim/{token}", Access::Account, mine::claim)
        .get("/tickets/{id}", Access::Account, mine::ticket)
        .post("/tickets/{id}/resale", Access::Account, mine::offer)
        .post("/tickets/{id}/unlist", Access::Account, mine::unlist)
        .post("/tickets/{id}/transfer", Access::Account, mine::transfer)
        .post("/tickets/{id}/return", Access::Account, mine::give_back)
        .get("/sell/events", Access::Account, sell::list)
        .get("/sell/events/new", Access::Account, sell::new_form)
        .post("/sell/events/new", Access::Account, sell::create)
        .get("/sell/events/{id}", Access::Account, sell::event)
        .post("/sell/events/{id}", Access::Account, sell::change)
        .post("/sell/events/{id}/categories", Access::Account, sell::add_category)
        .post("/sell/events/{id}/price", Access::Account, sell::reprice)
        .post("/sell/events/{id}/publish", Access::Account, sell::publish)
        .post("/sell/events/{id}/cancel", Access::Account, sell::cancel)
        .get("/sell/events/{id}/check-in", Access::Account, door::show)
        .post("/sell/events/{id}/check-in", Access::Account, door::scan)
        .post("/sell/events/{id}/devices", Access::Account, door::add_device)
        .post("/sell/events/{id}/devices/{device}/revoke", Access::Account, door::revoke_device)
        .with_state(tickets)
}
