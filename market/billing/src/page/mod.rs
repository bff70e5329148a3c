//! The pages of this room: what is paid again and again, its documents, and the lists of sellers and operators.

mod document;
mod lists;
mod subscription;

use axum::response::Response;
use web::{Access, Failure, Routes};

use crate::error::id;
use crate::room::Billing;
use crate::subscription::Subscription;

type Answer = Result<Response, Failure>;

/// The pages of this room.
#[must_use]
pub fn pages(room: Billing) -> Routes {
    Routes::new()
        .get("/billing", Access::Account, lists::own)
        .get("/billing/subscriptions/{id}", Access::Account, subscription::show)
        .post("/billing/subscriptions/{id}/plan", Access::Account, subscription::change_plan)
        .post("/billing/subscriptions/{id}/cancel", Access::Account, subscription::cancel)
        .post("/billing/subscriptions/{id}/resume", Access::Account, subscription::resume)
        .post("/billing/subscriptions/{id}/manner", Access::Account, subscription::manage)
        .get("/billing/invoices/{id}", Access::Account, document::show)
        .post("/billing/invoices/{id}/pay", Access::Account, document::pay)
        .get("/sell/subscriptions", Access::Account, lists::sold)
        .post("/sell/subscriptions", Access::Account, lists::set)
        .get("/operator/subscriptions", Access::Operator, lists::all)
        .with_state(room)
}

/// What a plan costs, in words: `$19.00 a month`.
fn price(sub: &Subscription, plan: &crate::Plan) -> String {
    match &sub.meter {
        Some(unit) => format!("{} for one {unit}", sub.money(plan.unit_price_minor)),
        None => {
            let whole = sub.price_of(plan).unwrap_or_else(|_| sub.money(plan.unit_price_minor));
            format!("{whole} a {}", plan.period)
        }
    }
}

/// What comes next, in a sentence.
fn next(sub: &Subscription) -> String {
    let end = sub.span.end.date();
    match sub.state {
        crate::State::Cancelled | crate::State::Ended => {
            let at = sub.ended_at.unwrap_or(sub.updated_at).date();
            format!("Over since {at}.")
        }
        crate::State::PastDue => {
            let until = sub.grace_ends_at.unwrap_or(sub.span.end).date();
            format!("Not paid. It ends on {until}.")
        }
        _ if sub.cancel_at_end => format!("Ends on {end}."),
        _ if sub.meter.is_some() => format!("What is used is charged on {end}."),
        _ => match sub.price_of(sub.coming()) {
            Ok(price) => format!("{price} on {end}."),
            Err(_) => format!("Renews on {end}."),
        },
    }
}
