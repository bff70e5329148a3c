//! How pages say what orders are made of.

use kernel::{Currency, Money};
use web::face::parts::OrderLine;

use crate::list::Placed;
pub(super) use crate::list::title;
use crate::order::{Line, Order};

/// The lines of an order as its summary shows them, with what is taken off and the tax.
pub(super) fn summary(placed: &Placed) -> Vec<OrderLine> {
    let Placed { order, lines } = placed;
    let money = |minor| Money::new(minor, order.currency).to_string();
    let mut rows: Vec<OrderLine> = lines.iter().map(|line| row(line, order.currency)).collect();
    let off = order.amounts.discount + order.amounts.promotion;
    if off > 0 {
        let code = order.promo.as_deref().unwrap_or_default();
        rows.push(OrderLine::new("Promo code", code, money(-off)));
    }
    let is_on_top = order.amounts.total > order.amounts.subtotal - off;
    if order.amounts.tax > 0 {
        let (label, note) = if is_on_top { ("Tax", "") } else { ("Tax", "Part of the prices above.") };
        rows.push(OrderLine::new(label, note, money(order.amounts.tax)));
    }
    rows
}

fn row(line: &Line, currency: Currency) -> OrderLine {
    let money = |minor| Money::new(minor, currency).to_string();
    let mut note = line.offer_name.clone();
    if let Some(unit) = &line.unit_label {
        // Seats are often called after their part of the house, and so is the offer.
        note = if unit.starts_with(&note) { unit.clone() } else { format!("{note}, {unit}") };
    }
    if line.quantity > 1 {
        note = format!("{note}, {} × {}", line.quantity, money(line.unit_price_minor));
    }
    if line.pricing == "metered" {
        note = format!("{note}, paid by what is used");
    }
    OrderLine::new(&line.title, &note, money(line.amounts.subtotal))
}

/// What the buyer paid or pays for these lines.
pub(super) fn total(placed: &Placed) -> String {
    Money::new(placed.lines.iter().map(|line| line.amounts.total).sum(), placed.order.currency).to_string()
}

/// What the sellers of these lines get.
pub(super) fn net(placed: &Placed) -> String {
    Money::new(placed.lines.iter().map(|line| line.amounts.seller).sum(), placed.order.currency).to_string()
}

/// An amount in the order's currency.
pub(super) fn money(order: &Order, minor: i64) -> String {
    Money::new(minor, order.currency).to_string()
}

/// A name with a capital letter: `Visa`.
pub(super) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
