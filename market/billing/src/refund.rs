//! Money of an invoice that goes back: reserved first, then asked for, with a credit note that says so.

use jobs::{Failure, Job, NewJob, Policy, Runner};
use kernel::{Money, Timestamp};
use ledger::{Account, NewTransfer};
use orders::price;
use orders::{OrderId, Part, What};
use payments::{Dispute, DisputeState, NewRefund, Payment, Refund};
use serde::{Deserialize, Serialize};
use store::{Tx, args};
use web::idempotency::{Key, Request};

use crate::error::BillingError;
use crate::invoice::{Invoice, InvoiceId, InvoiceLine, Kind, Standing};
use crate::proration;
use crate::room::Billing;
use crate::subscription::{State, Subscription};
use crate::write::{change_invoice, insert_invoice, paid};
use crate::{settle, sql};

/// The work that refunds a part of the order that began a subscription.
const JOB: &str = "billing.refund_order";
const REASON: &str = "The unused part of a subscription.";

/// What the work needs.
#[derive(Debug, Serialize, Deserialize)]
struct Payload {
    order: OrderId,
    line: u32,
    minor: i64,
    /// Names the refund once and for all.
    key: String,
}

/// Gives back the unused part of the period that is paid: of the last invoice, or of the order for the first period.
pub(crate) async fn unused(
    tx: &mut Tx,
    now: Timestamp,
    room: &Billing,
    sub: &Subscription,
) -> Result<(), BillingError> {
    if sub.state == State::Trialing {
        return Ok(());
    }
    let invoice: Option<Invoice> = tx.first(&sql::FIND_LAST_PAID, args![sub.id, sub.number]).await?;
    let share = |price: i64| proration::divide(price, sub.span.unused(now), sub.span.micros()).unused;
    match invoice {
        Some(Invoice { payment: Some(payment), amounts, refunded_minor, refunding_minor, id, .. }) => {
            let minor = share(amounts.total).min(amounts.total - refunded_minor - refunding_minor);
            if minor > 0 {
                let amount = sub.money(minor);
                let key = Some(format!("{}/unused/{id}", sub.id));
                let new = NewRefund { payment, amount, key, reason: REASON.to_owned() };
                room.payments.begin_refund(tx, now, &new).await?;
            }
        }
        Some(_) => {}
        None => {
            let placed = orders::find_placed(tx, &sub.order).await?;
            let line = placed.and_then(|placed| placed.lines.into_iter().find(|l| l.number == sub.line));
            let Some(line) = line.filter(|_| sub.number == 1) else { return Ok(()) };
            let minor = share(line.amounts.total).min(line.refundable_minor());
            if minor > 0 {
                let key = format!("{}/unused", sub.id);
                let payload = Payload { order: sub.order.clone(), line: sub.line, minor, key };
                let job = NewJob::new(JOB, &payload)
                    .map_err(|error| store::StoreError::Database(error.to_string()))?;
                jobs::enqueue(tx, &job, now).await?;
            }
        }
    }
    Ok(())
}

pub(crate) fn register(runner: Runner, room: &Billing) -> Runner {
    let room = room.clone();
    runner.register(JOB, Policy::default(), move |job| {
        let room = room.clone();
        async move { room.refund_order(&job).await }
    })
}

impl Billing {
    /// At least once, and refunded once: the orders keep the key.
    async fn refund_order(&self, job: &Job) -> Result<(), Failure> {
        let Payload { order, line, minor, key } = job.payload()?;
        let part = Part { number: line, quantity: None, amount_minor: Some(minor) };
        let new =
            orders::NewRefund { what: What::Lines(vec![part]), give_back: false, reason: REASON.to_owned() };
        let request = Request::new(Key(Some(key)), "billing/unused", &minor);
        let done =
            self.orders.refund_once(&self.itself(), &order, new, request, |plan| plan.amount_minor).await;
        match done {
            // What somebody refunded in the meantime is not refunded again.
            Ok(_) | Err(orders::OrderError::RefundTooLarge { .. } | orders::OrderError::WrongState(_)) => {
                Ok(())
            }
            Err(error) => Err(Failure::again(error.to_string())),
        }
    }
}

/// The payments reserved a refund: its legs are reserved in the ledger, and a credit note is drafted.
pub(crate) async fn reserved(
    tx: &mut Tx,
    now: Timestamp,
    payment: &Payment,
    refund: &Refund,
) -> Result<(), BillingError> {
    let invoice: Option<Invoice> = tx.first(&sql::LOCK_INVOICE, args![payment.subject]).await?;
    let invoice = invoice.ok_or(BillingError::NotFound("invoice"))?;
    let minor = refund.amount.minor;
    if minor > invoice.refundable().minor {
        return Err(BillingError::RefundTooLarge { left: invoice.refundable() });
    }
    let before = invoice.refunded_minor + invoice.refunding_minor;
    let piece = price::refund(&invoice.amounts, before, minor);
    let note = Invoice {
        id: InvoiceId::fresh(),
        kind: Kind::CreditNote,
        of: Some(invoice.id.clone()),
        refund: Some(refund.id.to_string()),
        period: None,
        amounts: piece,
        refunded_minor: 0,
        refunding_minor: 0,
        state: Standing::Open,
        year: None,
        sequence: None,
        payment: None,
        paid_at: None,
        matures_at: None,
        next_attempt_at: None,
        to: None,
        created_at: now,
        ..invoice.clone()
    };
    let title = format!("Refund: {}", invoice.title);
    let line = InvoiceLine::new(1, title, 1, piece.subtotal, piece.subtotal);
    insert_invoice(tx, &note, &[line]).await?;
    let refunding_minor = invoice.refunding_minor + minor;
    change_invoice(tx, now, &invoice, Invoice { refunding_minor, ..invoice.clone() }).await?;
    let legs = settle::turned_around(&invoice, &piece, &payment.funds());
    Ok(ledger::reserve(tx, now, refund.id.as_str(), &legs).await?)
}

/// The refund went out, or was refused.
pub(crate) async fn ended(
    tx: &mut Tx,
    now: Timestamp,
    payment: &Payment,
    refund: &Refund,
    went_out: bool,
) -> Result<(), BillingError> {
    let invoice: Option<Invoice> = tx.first(&sql::LOCK_INVOICE, args![payment.subject]).await?;
    let invoice = invoice.ok_or(BillingError::NotFound("invoice"))?;
    let note: Option<Invoice> = tx.first(&sql::FIND_CREDIT_NOTE, args![invoice.id, refund.id]).await?;
    let note = note.filter(|note| note.state == Standing::Open);
    let Some(note) = note else { return Ok(()) };
    let minor = refund.amount.minor;
    let refunding_minor = invoice.refunding_minor - minor;
    let refunded_minor = invoice.refunded_minor + if went_out { minor } else { 0 };
    let after = Invoice { refunding_minor, refunded_minor, ..invoice.clone() };
    change_invoice(tx, now, &invoice, after).await?;
    if went_out {
        ledger::settle(tx, now, refund.id.as_str()).await?;
        let numbered = paid(tx, now, &note).await?;
        change_invoice(tx, now, &note, numbered).await?;
    } else {
        ledger::void(tx, now, refund.id.as_str()).await?;
        change_invoice(tx, now, &note, Invoice { state: Standing::Void, ..note.clone() }).await?;
    }
    Ok(())
}

/// The buyer's bank took the money back, or decided for whom. What is beyond the invoice is the market's.
pub(crate) async fn disputed(
    tx: &mut Tx,
    now: Timestamp,
    payment: &Payment,
    dispute: &Dispute,
) -> Result<(), BillingError> {
    let invoice: Option<Invoice> = tx.first(&sql::LOCK_INVOICE, args![payment.subject]).await?;
    let invoice = invoice.ok_or(BillingError::NotFound("invoice"))?;
    let (withheld, funds) = (Account::Disputes(payment.gateway), payment.funds());
    let journal = format!("{}/{}", dispute.id, dispute.state.as_str());
    let moved = |debit: &Account, credit: &Account| {
        vec![NewTransfer::new(debit.clone(), credit.clone(), dispute.amount, "dispute")]
    };
    let legs = match dispute.state {
        DisputeState::Opened => moved(&withheld, &funds),
        DisputeState::Won => moved(&funds, &withheld),
        DisputeState::Lost => {
            let minor = dispute.amount.minor.min(invoice.refundable().minor);
            let before = invoice.refunded_minor + invoice.refunding_minor;
            let piece = price::refund(&invoice.amounts, before, minor);
            let mut legs = settle::turned_around(&invoice, &piece, &withheld);
            let beyond = dispute.amount.minor - minor;
            if beyond > 0 {
                let amount = Money::new(beyond, invoice.currency);
                legs.push(NewTransfer::new(Account::PlatformFees, withheld, amount, "dispute"));
            }
            let refunded_minor = invoice.refunded_minor + minor;
            change_invoice(tx, now, &invoice, Invoice { refunded_minor, ..invoice.clone() }).await?;
            legs
        }
    };
    Ok(ledger::post(tx, now, &journal, &legs).await?)
}
