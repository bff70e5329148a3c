//! What the orders tell: a paid line of a subscription begins one, every paid order gets its receipts, and what was
//! refunded ends what it had begun. Each event takes effect once: the cursor moves in the same transaction.

use std::time::Duration;

use ::events::Event;
use catalog::{Period, Pricing, listing};
use kernel::Timestamp;
use orders::{Line, Order, OrderId, Placed, Rules, entitlement};
use payments::{Payments, WALLET};
use store::{Tx, args};

use crate::cancel::{close_open, finish};
use crate::error::BillingError;
use crate::events::{About, SubscriptionCreated};
use crate::invoice::Kind;
use crate::period::{Span, span};
use crate::room::Billing;
use crate::subscription::{PayBy, Plan, State, Subscription, SubscriptionId};
use crate::write::insert;
use crate::{receipt, sql};

const CONSUMER: &str = "billing";
const DAY: Duration = Duration::from_secs(86_400);

/// Takes in the next events; answers how many there were.
pub(crate) async fn step(room: &Billing) -> Result<usize, BillingError> {
    let now = room.clock.now();
    let rules = room.orders.rules_in_force(now).await?;
    let of = room.clone();
    let handle = async move |tx: &mut Tx, event: &Event| handle(tx, now, &of, &rules, event).await;
    room.log.consume(CONSUMER, handle).await
}

async fn handle(
    tx: &mut Tx,
    now: Timestamp,
    room: &Billing,
    rules: &Rules,
    event: &Event,
) -> Result<(), BillingError> {
    let is_paid = event.kind == "order.paid";
    if !is_paid && !matches!(event.kind.as_str(), "order.refunded" | "order.failed" | "order.disputed") {
        return Ok(());
    }
    let Ok(id) = event.subject.parse::<OrderId>() else { return Ok(()) };
    let Some(placed) = orders::find_placed(tx, &id).await? else { return Ok(()) };
    if is_paid {
        receipt::write(tx, now, rules, &placed).await?;
        for line in placed.lines.iter().filter(|line| line.returned < line.quantity) {
            begin(tx, room, &placed.order, line).await?;
        }
        return Ok(());
    }
    receipt::credit(tx, now, &placed, event.id.as_str()).await?;
    end_what_is_gone(tx, now, &placed).await
}

/// A line whose pricing goes on begins a subscription, at the moment at which the order was paid.
async fn begin(tx: &mut Tx, room: &Billing, order: &Order, line: &Line) -> Result<(), BillingError> {
    if !matches!(line.pricing.as_str(), "subscription" | "metered") || !order.state.is_paid() {
        return Ok(());
    }
    let offer = listing::find_offer(tx, &line.offer).await?;
    let (period, trial_days, meter) = match offer.pricing {
        Pricing::Subscription { period, trial_days } => (period, trial_days, None),
        Pricing::Metered { unit } => (Period::Month, 0, Some(unit)),
        // The seller made another pricing of it in the meantime: it is what was ordered, by the month.
        Pricing::Free | Pricing::OneOff => (Period::Month, 0, None),
    };
    let start = order.paid_at.unwrap_or(order.created_at);
    // What cost something is no trial, whatever the offer says by now.
    let is_trial = trial_days > 0 && line.amounts.total == 0 && meter.is_none();
    let trial = Span { start, end: start.after(DAY * trial_days) };
    let (anchor, number, span) = match is_trial {
        true => (trial.end, 0, trial),
        false => (start, 1, span(start, period, 0)),
    };
    let sub = Subscription {
        id: SubscriptionId::fresh(),
        order: order.id.clone(),
        line: line.number,
        buyer: order.buyer.clone(),
        placed_by: order.placed_by.clone(),
        seller: line.seller.clone(),
        listing: line.listing.clone(),
        kind: line.kind,
        title: line.title.clone(),
        country: order.country.clone(),
        region: order.region.clone(),
        currency: order.currency,
        quantity: line.quantity,
        plan: Plan {
            offer: line.offer.clone(),
            name: line.offer_name.clone(),
            unit_price_minor: line.unit_price_minor,
            period,
        },
        meter,
        next: None,
        state: if is_trial { State::Trialing } else { State::Active },
        anchor,
        anchor_period: 1,
        number,
        span,
        renews_at: Some(span.end),
        pay_by: paid_by(tx, order).await?,
        cancel_at_end: false,
        credit_minor: 0,
        grace_ends_at: None,
        limit_minor: None,
        limit_told: None,
        open_quantity: 0,
        end_reason: None,
        version: 1,
        created_at: start,
        updated_at: start,
        ended_at: None,
    };
    if insert(tx, &sub).await? {
        let until = sub.span.end.after(room.settings.grace());
        entitlement::prolong(tx, start, sub.order.as_str(), sub.line, Some(until)).await?;
        ::events::append(tx, start, &SubscriptionCreated { about: About::of(&sub) }).await?;
    }
    Ok(())
}

/// What paid the order pays the next invoices: the wallet, or the card, if it was saved.
async fn paid_by(tx: &mut Tx, order: &Order) -> Result<PayBy, BillingError> {
    let payments = Payments::of_subject(tx, order.id.as_str()).await?;
    let paid = payments.into_iter().find(|payment| Some(&payment.id) == order.payment.as_ref());
    if paid.as_ref().is_some_and(|payment| payment.gateway == WALLET) {
        return Ok(PayBy::Wallet);
    }
    let methods = Payments::methods_of(tx, &order.buyer).await?;
    let card = paid.and_then(|payment| payment.method);
    let same = methods.iter().find(|method| card.as_ref() == Some(&method.view));
    let chosen = same.or_else(|| methods.iter().find(|method| method.is_default));
    Ok(chosen.map_or(PayBy::Hand, |method| PayBy::Method(method.id.clone())))
}

/// Subscriptions whose line was taken back are over.
async fn end_what_is_gone(tx: &mut Tx, now: Timestamp, placed: &Placed) -> Result<(), BillingError> {
    let subs: Vec<Subscription> = tx.all(&sql::LIST_OF_ORDER, args![placed.order.id]).await?;
    for sub in subs.iter().filter(|sub| sub.state.is_live()) {
        let line = placed.lines.iter().find(|line| line.number == sub.line);
        let is_over = matches!(placed.order.state, orders::State::Refunded | orders::State::Failed)
            || line.is_none_or(|line| line.returned == line.quantity);
        if is_over {
            close_open(tx, now, sub, &[Kind::Period, Kind::Change]).await?;
            finish(tx, now, sub, State::Ended, "the order was refunded").await?;
        }
    }
    Ok(())
}
