//! The pages of this room.

mod methods;
mod operator;
mod pay;

use kernel::Problem;
use web::{Access, Routes};

use crate::Payments;
use crate::error::PaymentError;
use crate::sandbox::Card;

/// The pages of this room.
#[must_use]
pub fn pages(room: Payments) -> Routes {
    Routes::new()
        .get("/account/payment-methods", Access::Account, methods::list)
        .post("/account/payment-methods", Access::Account, methods::add)
        .post("/account/payment-methods/{id}", Access::Account, methods::change)
        .get("/pay/stripe.js", Access::Public, pay::script)
        .get("/pay/{id}", Access::Account, pay::show)
        .post("/pay/{id}", Access::Account, pay::pay)
        .get("/sandbox/confirm/{id}", Access::Account, pay::bank)
        .post("/sandbox/confirm/{id}", Access::Account, pay::answer_bank)
        .get("/operator/payments", Access::Operator, operator::list)
        .get("/operator/payments/{id}", Access::Operator, operator::show)
        .post("/operator/payments/{id}", Access::Operator, operator::change)
        .post("/operator/payments/webhooks", Access::Operator, operator::replay)
        .with_state(room)
}

/// What was typed into the card's fields.
fn typed_card(typed: &web::face::Typed) -> Card {
    let text = |name: &str| typed.get(name).to_owned();
    Card {
        number: text("cardNumber"),
        exp_month: text("expMonth"),
        exp_year: text("expYear"),
        cvc: text("cvc"),
    }
}

/// The fields of a card stand on a page by themselves, not below `card` as in JSON.
fn on_the_page(error: PaymentError) -> Problem {
    let mut problem = Problem::from(error);
    for field in &mut problem.errors {
        if let Some(name) = field.pointer.strip_prefix("/card") {
            field.pointer = if name == "/number" { "/cardNumber".into() } else { name.to_owned().into() };
        }
    }
    problem
}
