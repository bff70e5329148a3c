//! The next period: its invoice is made in the transaction that moves the subscription on, so that neither happens twice.

use kernel::Timestamp;
use orders::entitlement;
use orders::price::{self, Amounts, Funded};
use store::{Tx, args};

use crate::cancel::{close_open, over};
use crate::error::BillingError;
use crate::events::{About, InvoiceCreated, InvoicePaid, SubscriptionRenewed, SubscriptionUpdated};
use crate::invoice::{Invoice, InvoiceId, InvoiceLine, Kind, Standing};
use crate::period::Span;
use crate::room::{Billing, Rates};
use crate::subscription::{Plan, State, Subscription, SubscriptionId};
use crate::usage::AHEAD;
use crate::write::{change, change_invoice, insert_invoice, lock, paid};
use crate::{mails, sql};

impl Billing {
    /// Bills what is due of a subscription. Answers whether there was something: a second time, or in another process
    /// at the same moment, there is not.
    ///
    /// # Errors
    /// [`BillingError::NotFound`]; [`BillingError::Changed`] where another process was faster.
    pub async fn renew(&self, id: &SubscriptionId) -> Result<bool, BillingError> {
        let (room, id, now) = (self.clone(), id.clone(), self.clock.now());
        let look = {
            let id = id.clone();
            async move |tx: &mut Tx| {
                let found: Option<Subscription> = tx.first(&sql::FIND_SUBSCRIPTION, args![id]).await?;
                found.ok_or(BillingError::NotFound("subscription"))
            }
        };
        // Fees and taxes do not depend on what changes in between.
        let rates = self.rates(&self.store.read(look).await?, now).await?;
        let write = async move |tx: &mut Tx| renew(tx, now, &room, &rates, &id).await;
        self.store.write(write).await
    }
}

async fn renew(
    tx: &mut Tx,
    now: Timestamp,
    room: &Billing,
    rates: &Rates,
    id: &SubscriptionId,
) -> Result<bool, BillingError> {
    let sub = lock(tx, id).await?;
    if sub.renews_at.is_none_or(|at| now < at) {
        return Ok(false);
    }
    // Who asked for a better plan and did not pay for it keeps the old one.
    close_open(tx, now, &sub, &[Kind::Change]).await?;
    if sub.meter.is_some() {
        // The last invoice has everything that was told until now.
        let end = if sub.cancel_at_end { now.after(AHEAD * 2) } else { sub.span.end };
        bill_usage(tx, now, room, rates, &sub, Span { start: sub.span.start, end }).await?;
    }
    let sub = lock(tx, id).await?;
    if sub.cancel_at_end {
        over(tx, now, &sub, State::Cancelled, "cancelled at the end of the period").await?;
        return Ok(true);
    }
    let moved = advance(&sub, now);
    if sub.meter.is_some() {
        let moved = change(tx, now, &sub, moved).await?;
        prolong(tx, now, room, &moved, moved.span.end).await?;
        ::events::append(tx, now, &SubscriptionUpdated { about: About::of(&moved) }).await?;
        return Ok(true);
    }
    let subtotal = moved.price_of(&moved.plan)?;
    let credit = sub.credit_minor.min(subtotal.minor);
    let amounts = price::amounts(subtotal, credit, Funded::BySeller, rates.fee, rates.tax())?;
    let moved = Subscription { credit_minor: sub.credit_minor - credit, ..moved };
    free_place(tx, &sub, &moved.plan).await?;
    let moved = change(tx, now, &sub, moved).await?;
    ::events::append(tx, now, &SubscriptionUpdated { about: About::of(&moved) }).await?;
    let title = format!("{}, {}", moved.title, moved.plan.name);
    let price = moved.plan.unit_price_minor;
    let line = InvoiceLine::new(1, title, moved.quantity.into(), price, subtotal.minor);
    bill(tx, now, room, rates, &moved, (moved.number, moved.span), amounts, &[line]).await?;
    Ok(true)
}

/// Who changes to another plan, which is never limited in number, frees the place in the one that was ordered.
pub(crate) async fn free_place(tx: &mut Tx, sub: &Subscription, next: &Plan) -> Result<(), BillingError> {
    if next.offer != sub.plan.offer {
        orders::restock(tx, &sub.order, &[sub.line]).await?;
    }
    Ok(())
}

/// The subscription in its next period, by the plan that was chosen for it. Periods that are wholly over are left out:
/// while the market was down nobody could leave.
fn advance(sub: &Subscription, now: Timestamp) -> Subscription {
    let mut next =
        Subscription { plan: sub.coming().clone(), next: None, number: sub.number + 1, ..sub.clone() };
    if next.plan.period != sub.plan.period {
        (next.anchor, next.anchor_period) = (sub.span.end, next.number);
    }
    next.span = next.span_of(next.number);
    while next.span.end <= now {
        next.number += 1;
        next.span = next.span_of(next.number);
    }
    next.renews_at = Some(next.span.end);
    next
}

/// Puts what was used before the end of `span` on one invoice; each record is on one. Nothing used makes no invoice.
pub(crate) async fn bill_usage(
    tx: &mut Tx,
    now: Timestamp,
    room: &Billing,
    rates: &Rates,
    sub: &Subscription,
    span: Span,
) -> Result<(), BillingError> {
    let (units,): (i64,) = tx.one(&sql::SUM_USAGE, args![sub.id, span.end]).await?;
    if units == 0 {
        return Ok(());
    }
    let subtotal = sub.cost_of(units)?;
    let credit = sub.credit_minor.min(subtotal.minor);
    let amounts = price::amounts(subtotal, credit, Funded::BySeller, rates.fee, rates.tax())?;
    let unit = sub.meter.as_deref().unwrap_or("unit");
    let title = format!("{}, {}: {unit}", sub.title, sub.plan.name);
    let line = InvoiceLine::new(1, title, units, sub.plan.unit_price_minor, subtotal.minor);
    let id = bill(tx, now, room, rates, sub, (sub.number, span), amounts, &[line]).await?;
    let Some(id) = id else { return Ok(()) };
    tx.execute(&sql::BILL_USAGE, args![sub.id, id, span.end]).await?;
    let before = lock(tx, &sub.id).await?;
    let open_quantity = before.open_quantity - units;
    let after = Subscription { open_quantity, credit_minor: before.credit_minor - credit, ..before.clone() };
    change(tx, now, &before, after).await?;
    Ok(())
}

/// Writes the invoice of a period; what costs nothing is paid at once. `None`: the period was billed before.
#[allow(clippy::too_many_arguments)]
async fn bill(
    tx: &mut Tx,
    now: Timestamp,
    room: &Billing,
    rates: &Rates,
    sub: &Subscription,
    (number, span): (i64, Span),
    amounts: Amounts,
    lines: &[InvoiceLine],
) -> Result<Option<InvoiceId>, BillingError> {
    let draft = draft(sub, rates, Kind::Period, amounts, now);
    let invoice = Invoice { period: Some(number), span: Some(span), next_attempt_at: Some(now), ..draft };
    if !insert_invoice(tx, &invoice, lines).await? {
        return Ok(None);
    }
    ::events::append(tx, now, &InvoiceCreated::of(&invoice)).await?;
    if amounts.total == 0 {
        let matures = now.after(room.orders.settings().maturity);
        settled(tx, now, &room.settings.grace(), &invoice, None, matures).await?;
    }
    Ok(Some(invoice.id))
}

/// An invoice of a subscription that nobody tried to have paid.
pub(crate) fn draft(
    sub: &Subscription,
    rates: &Rates,
    kind: Kind,
    amounts: Amounts,
    now: Timestamp,
) -> Invoice {
    Invoice {
        id: InvoiceId::fresh(),
        kind,
        subscription: Some(sub.id.clone()),
        order: None,
        period: None,
        of: None,
        refund: None,
        buyer: sub.buyer.clone(),
        seller: sub.seller.clone(),
        title: sub.title.clone(),
        currency: sub.currency,
        tax: rates.tax.clone(),
        amounts,
        refunded_minor: 0,
        refunding_minor: 0,
        state: Standing::Open,
        year: None,
        sequence: None,
        span: None,
        payment: None,
        attempt: None,
        attempts: 0,
        next_attempt_at: None,
        failure: String::new(),
        to: None,
        version: 1,
        created_at: now,
        paid_at: None,
        matures_at: None,
        updated_at: now,
    }
}

/// An invoice of a period is paid: it gets its number, and the subscription goes on.
pub(crate) async fn settled(
    tx: &mut Tx,
    now: Timestamp,
    grace: &std::time::Duration,
    invoice: &Invoice,
    payment: Option<&payments::PaymentId>,
    matures: Timestamp,
) -> Result<Invoice, BillingError> {
    let after = paid(tx, now, invoice).await?;
    let after = Invoice { payment: payment.cloned(), matures_at: Some(matures), ..after };
    let after = change_invoice(tx, now, invoice, after).await?;
    ::events::append(tx, now, &InvoicePaid::of(&after)).await?;
    let Some(id) = &invoice.subscription else { return Ok(after) };
    let sub = lock(tx, id).await?;
    if !sub.state.is_live() || invoice.kind != Kind::Period {
        return Ok(after);
    }
    let others: Vec<Invoice> = tx.all(&sql::LIST_OPEN, args![sub.id]).await?;
    let owes = others.iter().any(|other| other.kind == Kind::Period && other.attempts > 0);
    let (state, grace_ends_at) = if owes { (sub.state, sub.grace_ends_at) } else { (State::Active, None) };
    let renewed = change(tx, now, &sub, Subscription { state, grace_ends_at, ..sub.clone() }).await?;
    let until = if sub.meter.is_some() { sub.span.end } else { invoice.span.map_or(sub.span.end, |s| s.end) };
    entitled_until(tx, now, &renewed, until, grace).await?;
    ::events::append(tx, now, &SubscriptionRenewed { about: About::of(&renewed) }).await?;
    if sub.state == State::PastDue && state == State::Active {
        mails::paid_after_all(tx, now, &renewed, &after).await?;
    }
    Ok(after)
}

/// The buyer may use it until the paid time and the grace are over, whatever becomes of us in between.
pub(crate) async fn prolong(
    tx: &mut Tx,
    now: Timestamp,
    room: &Billing,
    sub: &Subscription,
    until: Timestamp,
) -> Result<(), BillingError> {
    entitled_until(tx, now, sub, until, &room.settings.grace()).await
}

async fn entitled_until(
    tx: &mut Tx,
    now: Timestamp,
    sub: &Subscription,
    until: Timestamp,
    grace: &std::time::Duration,
) -> Result<(), BillingError> {
    let until = if sub.cancel_at_end { until } else { until.after(*grace) };
    Ok(entitlement::prolong(tx, now, sub.order.as_str(), sub.line, Some(until)).await?)
}
