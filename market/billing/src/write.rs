//! How subscriptions and invoices are written: every change is a compare-and-set on state and version.

use kernel::Timestamp;
use orders::OrderId;
use store::{Tx, args, json_list};

use crate::error::BillingError;
use crate::invoice::{Invoice, InvoiceId, InvoiceLine, Standing};
use crate::subscription::{Subscription, SubscriptionId};
use crate::{period, sql};

/// The subscription, locked until the transaction ends.
pub(crate) async fn lock(tx: &mut Tx, id: &SubscriptionId) -> Result<Subscription, BillingError> {
    let found: Option<Subscription> = tx.first(&sql::LOCK_SUBSCRIPTION, args![id]).await?;
    found.ok_or(BillingError::NotFound("subscription"))
}

/// What these orders began, also what is over: for rooms above, after their own permission checks.
///
/// # Errors
/// [`store::StoreError`].
pub async fn subscriptions_of<'a>(
    tx: &mut Tx,
    orders: impl IntoIterator<Item = &'a OrderId>,
) -> Result<Vec<Subscription>, store::StoreError> {
    tx.all(&sql::LIST_OF_ORDERS, args![json_list(orders)]).await
}

/// The invoice, locked until the transaction ends.
pub(crate) async fn lock_invoice(tx: &mut Tx, id: &InvoiceId) -> Result<Invoice, BillingError> {
    let found: Option<Invoice> = tx.first(&sql::LOCK_INVOICE, args![id]).await?;
    found.ok_or(BillingError::NotFound("invoice"))
}

/// A new subscription. False: this line of the order began one before.
pub(crate) async fn insert(tx: &mut Tx, sub: &Subscription) -> Result<bool, BillingError> {
    let (s, currency, pay_by) = (sub, sub.currency.code(), sub.pay_by.to_string());
    let row = args![
        s.id,
        s.order,
        s.line,
        s.buyer,
        s.placed_by,
        s.seller,
        s.listing,
        s.kind,
        s.title,
        s.country,
        s.region,
        currency,
        s.quantity,
        s.created_at,
        s.plan.offer,
        s.plan.name,
        s.plan.unit_price_minor,
        s.plan.period,
        s.meter,
        s.state,
        s.anchor,
        s.anchor_period,
        s.number,
        s.span.start,
        s.span.end,
        s.renews_at,
        pay_by
    ];
    Ok(tx.execute(&sql::INSERT_SUBSCRIPTION, row).await? == 1)
}

/// Makes `after` of `before`; the answer has the new version.
pub(crate) async fn change(
    tx: &mut Tx,
    now: Timestamp,
    before: &Subscription,
    mut after: Subscription,
) -> Result<Subscription, BillingError> {
    if after.state != before.state && !before.state.may_become(after.state) {
        return Err(BillingError::WrongState(before.state));
    }
    let (s, pay_by) = (&after, after.pay_by.to_string());
    let next = s.next.as_ref();
    let (next_offer, next_name) = next.map(|plan| (&plan.offer, &plan.name)).unzip();
    let (next_price, next_period) = next.map(|plan| (plan.unit_price_minor, plan.period)).unzip();
    let row = args![
        before.id,
        before.state,
        before.version,
        s.plan.offer,
        s.plan.name,
        s.plan.unit_price_minor,
        s.plan.period,
        next_offer,
        next_name,
        next_price,
        next_period,
        s.state,
        s.anchor,
        s.anchor_period,
        s.number,
        s.span.start,
        s.span.end,
        s.renews_at,
        s.cancel_at_end,
        pay_by,
        s.credit_minor,
        s.grace_ends_at,
        s.limit_minor,
        s.limit_told,
        s.open_quantity,
        s.end_reason,
        now,
        s.ended_at
    ];
    if tx.execute(&sql::MOVE_SUBSCRIPTION, row).await? == 0 {
        return Err(BillingError::Changed);
    }
    (after.version, after.updated_at) = (before.version + 1, now);
    Ok(after)
}

/// A new invoice with its lines. False: what it is of was billed before, and nothing was written.
pub(crate) async fn insert_invoice(
    tx: &mut Tx,
    invoice: &Invoice,
    lines: &[InvoiceLine],
) -> Result<bool, BillingError> {
    let (i, a, currency) = (invoice, &invoice.amounts, invoice.currency.code());
    let (start, end) = i.span.map(|span| (span.start, span.end)).unzip();
    let (to_offer, to_name) = i.to.as_ref().map(|plan| (&plan.offer, &plan.name)).unzip();
    let (to_price, to_period) = i.to.as_ref().map(|plan| (plan.unit_price_minor, plan.period)).unzip();
    let row = args![
        i.id,
        i.kind,
        i.subscription,
        i.order,
        i.period,
        i.of,
        i.refund,
        i.buyer,
        i.seller,
        i.title,
        currency,
        i.tax.name,
        i.tax.basis_points,
        i.tax.is_inclusive,
        a.subtotal,
        a.discount,
        a.promotion,
        a.tax,
        a.fee,
        a.seller,
        a.total,
        i.state,
        start,
        end,
        i.next_attempt_at,
        to_offer,
        to_name,
        to_price,
        to_period,
        i.year,
        i.sequence,
        i.payment,
        i.paid_at,
        i.matures_at,
        i.created_at
    ];
    if tx.execute(&sql::INSERT_INVOICE, row).await? == 0 {
        return Ok(false);
    }
    for line in lines {
        let l = line;
        let row = args![invoice.id, l.number, l.title, l.quantity, l.unit_price_minor, l.amount_minor];
        tx.execute(&sql::INSERT_LINE, row).await?;
    }
    Ok(true)
}

/// Makes `after` of `before`; the answer has the new version.
pub(crate) async fn change_invoice(
    tx: &mut Tx,
    now: Timestamp,
    before: &Invoice,
    mut after: Invoice,
) -> Result<Invoice, BillingError> {
    if after.state != before.state && !before.state.may_become(after.state) {
        return Err(BillingError::NotOpen(before.state));
    }
    let i = &after;
    let row = args![
        before.id,
        before.state,
        before.version,
        i.state,
        i.year,
        i.sequence,
        i.payment,
        i.attempt,
        i.attempts,
        i.next_attempt_at,
        i.failure,
        i.refunded_minor,
        i.refunding_minor,
        i.paid_at,
        i.matures_at,
        now
    ];
    if tx.execute(&sql::MOVE_INVOICE, row).await? == 0 {
        return Err(BillingError::Changed);
    }
    (after.version, after.updated_at) = (before.version + 1, now);
    Ok(after)
}

/// The invoice as it is once it is paid, with its number: the next one of the seller in this year. What was numbered
/// before keeps its number.
pub(crate) async fn paid(tx: &mut Tx, now: Timestamp, invoice: &Invoice) -> Result<Invoice, BillingError> {
    let mut paid = Invoice {
        state: Standing::Paid,
        paid_at: Some(now),
        attempt: None,
        next_attempt_at: None,
        failure: String::new(),
        ..invoice.clone()
    };
    if paid.sequence.is_none() {
        let year = period::year_of(now);
        let (last,): (i64,) = tx.one(&sql::NEXT_NUMBER, args![invoice.seller, year]).await?;
        (paid.year, paid.sequence) = (Some(year), Some(last));
    }
    Ok(paid)
}
