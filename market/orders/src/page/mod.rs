//! The pages of this room.

mod cart;
mod checkout;
mod fees;
mod mine;
mod promos;
mod words;

use axum::response::Response;
use web::{Access, Failure, Routes};

use crate::Orders;

type Answer = Result<Response, Failure>;

/// The pages of this room.
pub fn pages(orders: Orders) -> Routes {
    Routes::new()
        .post("/orders/new", Access::Public, checkout::place)
        .get("/orders/new", Access::Public, checkout::nothing)
        .get("/checkout/{id}", Access::Account, checkout::show)
        .post("/checkout/{id}/pay", Access::Account, checkout::pay)
        .post("/checkout/{id}/extend", Access::Account, checkout::extend)
        .post("/checkout/{id}/cancel", Access::Account, checkout::cancel)
        .post("/checkout/{id}/place", Access::Account, checkout::locate)
        .get("/cart", Access::Public, cart::show)
        .post("/cart", Access::Public, cart::change)
        .get("/orders", Access::Account, mine::own)
        .get("/orders/{id}", Access::Account, mine::show)
        .post("/orders/{id}/refunds", Access::Account, mine::refund)
        .get("/sell/orders", Access::Account, mine::sold)
        .get("/sell/promos", Access::Account, promos::list)
        .post("/sell/promos", Access::Account, promos::create)
        .post("/sell/promos/{code}/end", Access::Account, promos::end)
        .get("/operator/orders", Access::Operator, mine::all)
        .get("/operator/fees", Access::Operator, fees::show)
        .post("/operator/fees", Access::Operator, fees::change)
        .with_state(orders)
}
