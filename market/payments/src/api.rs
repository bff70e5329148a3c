//! The JSON API of this room: each handler takes the request apart, calls one use case, and answers.

mod inbox;
mod methods;
mod operator;
mod payments;
mod views;

use utoipa::OpenApi;
use web::{Access, Routes};

use crate::Payments;

/// The routes below `/api`. `POST /api/payments` belongs to the room of orders.
#[must_use]
pub fn routes(room: Payments) -> Routes {
    Routes::new()
        .get("/api/payments", Access::Account, payments::list)
        .get("/api/payments/{id}", Access::Account, payments::find)
        .post("/api/payments/{id}/confirm", Access::Account, payments::confirm)
        .post("/api/payments/intents", Access::Account, payments::create_intent)
        .get("/api/payments/methods", Access::Account, methods::list)
        .post("/api/payments/methods", Access::Account, methods::add)
        .post("/api/payments/methods/setup", Access::Account, methods::prepare)
        .post("/api/payments/methods/{id}/default", Access::Account, methods::set_default)
        .delete("/api/payments/methods/{id}", Access::Account, methods::delete)
        .post("/api/payments/webhook", Access::Public, inbox::receive)
        .get("/api/operator/payments", Access::Operator, operator::search)
        .post("/api/operator/payments/{id}/look", Access::Operator, operator::look)
        .post("/api/operator/payments/{id}/refunds", Access::Operator, operator::refund)
        .get("/api/operator/payment-webhooks", Access::Operator, operator::inbox)
        .post("/api/operator/payment-webhooks/{gateway}/{id}/replay", Access::Operator, operator::replay)
        .with_state(room)
}

/// What this room adds to the description of the API.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    Described::openapi()
}

#[derive(OpenApi)]
#[openapi(paths(
    payments::list,
    payments::find,
    payments::confirm,
    payments::create_intent,
    methods::list,
    methods::add,
    methods::prepare,
    methods::set_default,
    methods::delete,
    inbox::receive,
    operator::search,
    operator::look,
    operator::refund,
    operator::inbox,
    operator::replay,
))]
struct Described;
