//! The JSON API of this room: each handler takes the request apart, calls one use case, and answers.

mod invoices;
mod subscriptions;
mod usage;
mod views;

use utoipa::OpenApi;
use web::{Access, Routes};

use crate::error::id;
use crate::room::Billing;

/// The routes of this room below `/api`.
#[must_use]
pub fn routes(room: Billing) -> Routes {
    Routes::new()
        .get("/api/billing/subscriptions", Access::Account, subscriptions::list)
        .get("/api/billing/subscriptions/{id}", Access::Account, subscriptions::find)
        .patch("/api/billing/subscriptions/{id}", Access::Account, subscriptions::change)
        .post("/api/billing/subscriptions/{id}/cancel", Access::Account, subscriptions::cancel)
        .post("/api/billing/subscriptions/{id}/resume", Access::Account, subscriptions::resume)
        .post("/api/billing/subscriptions/{id}/plan", Access::Account, subscriptions::change_plan)
        .get("/api/billing/invoices", Access::Account, invoices::list)
        .get("/api/billing/invoices.csv", Access::Account, invoices::export)
        .get("/api/billing/invoices/{id}", Access::Account, invoices::find)
        .post("/api/billing/invoices/{id}/pay", Access::Account, invoices::pay)
        .get("/api/seller/subscriptions", Access::Account, subscriptions::list_sold)
        .get("/api/seller/subscriptions/totals", Access::Account, subscriptions::totals)
        .get("/api/seller/invoices", Access::Account, invoices::list_sold)
        .get("/api/seller/invoices.csv", Access::Account, invoices::export_sold)
        .get("/api/seller/billing", Access::Account, subscriptions::setting)
        .put("/api/seller/billing", Access::Account, subscriptions::set_setting)
        .get("/api/operator/subscriptions", Access::Operator, subscriptions::list_all)
        .post("/api/usage", Access::Account, usage::count)
        .with_state(room)
}

/// What this room adds to the description of the API.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    Described::openapi()
}

#[derive(OpenApi)]
#[openapi(paths(
    subscriptions::list,
    subscriptions::find,
    subscriptions::change,
    subscriptions::cancel,
    subscriptions::resume,
    subscriptions::change_plan,
    subscriptions::list_sold,
    subscriptions::totals,
    subscriptions::setting,
    subscriptions::set_setting,
    subscriptions::list_all,
    invoices::list,
    invoices::export,
    invoices::find,
    invoices::pay,
    invoices::list_sold,
    invoices::export_sold,
    usage::count,
))]
struct Described;
