//! The JSON API of this room: each handler takes the request apart, calls one use case, and answers.

mod market;
mod orders;
mod view;

use utoipa::OpenApi;
use web::{Access, Routes};

use crate::Orders;

/// The routes below `/api`.
pub fn routes(orders: Orders) -> Routes {
    order_routes().merge(market_routes()).with_state(orders)
}

fn order_routes() -> Routes<Orders> {
    Routes::new()
        .post("/api/orders", Access::Account, orders::place)
        .get("/api/orders", Access::Account, orders::list)
        .get("/api/orders.csv", Access::Account, orders::export)
        .get("/api/orders/{id}", Access::Account, orders::find)
        .patch("/api/orders/{id}", Access::Account, orders::change)
        .delete("/api/orders/{id}", Access::Account, orders::delete)
        .post("/api/orders/{id}/cancel", Access::Account, orders::cancel)
        .post("/api/orders/{id}/extend", Access::Account, orders::extend)
        .get("/api/orders/{id}/refunds", Access::Account, orders::refunds)
        .post("/api/orders/{id}/refunds", Access::Account, orders::refund)
        .post("/api/payments", Access::Account, orders::pay)
        .get("/api/entitlements", Access::Account, orders::entitlements)
}

fn market_routes() -> Routes<Orders> {
    Routes::new()
        .get("/api/cart", Access::Account, market::cart)
        .put("/api/cart/{offer}", Access::Account, market::set_in_cart)
        .delete("/api/cart", Access::Account, market::empty_cart)
        .get("/api/promos", Access::Account, market::promos)
        .post("/api/promos", Access::Account, market::create_promo)
        .delete("/api/promos/{code}", Access::Account, market::end_promo)
        .get("/api/operator/orders", Access::Operator, market::orders)
        .get("/api/operator/promos", Access::Operator, market::all_promos)
        .get("/api/operator/fees", Access::Operator, market::fees)
        .put("/api/operator/fees", Access::Operator, market::set_fee)
        .delete("/api/operator/fees", Access::Operator, market::drop_fee)
        .put("/api/operator/taxes", Access::Operator, market::set_tax)
        .delete("/api/operator/taxes", Access::Operator, market::drop_tax)
}

/// What this room adds to the description of the API.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    Described::openapi()
}

#[derive(OpenApi)]
#[openapi(paths(
    orders::place,
    orders::list,
    orders::export,
    orders::find,
    orders::change,
    orders::delete,
    orders::cancel,
    orders::extend,
    orders::refunds,
    orders::refund,
    orders::pay,
    orders::entitlements,
    market::cart,
    market::set_in_cart,
    market::empty_cart,
    market::promos,
    market::create_promo,
    market::end_promo,
    market::orders,
    market::all_promos,
    market::fees,
    market::set_fee,
    market::drop_fee,
    market::set_tax,
    market::drop_tax
))]
struct Described;
