//! Receipts of paid orders, one for each seller, and credit notes for what was refunded of them.

use std::collections::BTreeMap;

use identity::AccountId;
use kernel::{MoneyError, Timestamp};
use orders::price::{self, Amounts};
use orders::{Line, Order, Placed, Rules};
use store::{Tx, args};

use crate::error::BillingError;
use crate::invoice::{Invoice, InvoiceId, InvoiceLine, Kind, Standing, Taxed};
use crate::sql;
use crate::write::{change_invoice, insert_invoice, paid};

/// Writes the receipts of an order. A second time changes nothing.
pub(crate) async fn write(
    tx: &mut Tx,
    now: Timestamp,
    rules: &Rules,
    placed: &Placed,
) -> Result<(), BillingError> {
    let mut sellers: BTreeMap<&AccountId, Vec<&Line>> = BTreeMap::new();
    for line in &placed.lines {
        sellers.entry(&line.seller).or_default().push(line);
    }
    for (seller, lines) in sellers {
        let written: Option<(u32,)> = tx.first(&sql::FIND_RECEIPT, args![placed.order.id, seller]).await?;
        if written.is_some() {
            continue;
        }
        let amounts = sum(lines.iter().map(|line| line.amounts))?;
        let receipt = receipt(&placed.order, rules, seller, &lines, amounts, now);
        let rows: Vec<InvoiceLine> = lines.iter().map(|line| row(line)).collect();
        let receipt = paid(tx, now, &receipt).await?;
        // Who was quicker has used another number: this transaction must be undone, so that none is missing.
        if !insert_invoice(tx, &receipt, &rows).await? {
            return Err(BillingError::Changed);
        }
    }
    Ok(())
}

fn sum(mut all: impl Iterator<Item = Amounts>) -> Result<Amounts, MoneyError> {
    all.try_fold(Amounts::default(), Amounts::plus)
}

fn row(line: &Line) -> InvoiceLine {
    let mut title = format!("{}, {}", line.title, line.offer_name);
    if let Some(unit) = &line.unit_label {
        title = format!("{title}, {unit}");
    }
    InvoiceLine::new(line.number, title, line.quantity.into(), line.unit_price_minor, line.amounts.subtotal)
}

fn receipt(
    order: &Order,
    rules: &Rules,
    seller: &AccountId,
    lines: &[&Line],
    amounts: Amounts,
    now: Timestamp,
) -> Invoice {
    let titles: Vec<&str> = lines.iter().map(|line| line.title.as_str()).collect();
    let title = match titles.as_slice() {
        [one] => (*one).to_owned(),
        [first, rest @ ..] => format!("{first} and {} more", rest.len()),
        [] => String::new(),
    };
    let rate = lines
        .first()
        .filter(|_| amounts.tax > 0)
        .and_then(|line| rules.tax_rate(line.kind, order.country.as_deref(), order.region.as_deref()));
    let tax = rate.map_or_else(Taxed::default, |rate| Taxed {
        name: rate.name.clone(),
        basis_points: rate.basis_points,
        is_inclusive: rate.inclusive,
    });
    Invoice {
        id: InvoiceId::fresh(),
        kind: Kind::Receipt,
        subscription: None,
        order: Some(order.id.clone()),
        period: None,
        of: None,
        refund: None,
        buyer: order.buyer.clone(),
        seller: seller.clone(),
        title,
        currency: order.currency,
        tax,
        amounts,
        refunded_minor: 0,
        refunding_minor: 0,
        state: Standing::Open,
        year: None,
        sequence: None,
        span: None,
        payment: order.payment.clone(),
        attempt: None,
        attempts: 0,
        next_attempt_at: None,
        failure: String::new(),
        to: None,
        version: 1,
        created_at: now,
        paid_at: None,
        matures_at: order.matures_at,
        updated_at: now,
    }
}

/// Writes credit notes for what went back of an order since the last ones. `source` names the event that tells of it.
pub(crate) async fn credit(
    tx: &mut Tx,
    now: Timestamp,
    placed: &Placed,
    source: &str,
) -> Result<(), BillingError> {
    let receipts: Vec<Invoice> = tx.all(&sql::LIST_RECEIPTS, args![placed.order.id]).await?;
    // An order whose payment fell through is taken back as a whole.
    let is_undone = placed.order.state == orders::State::Failed;
    for receipt in receipts {
        let rows: Vec<InvoiceLine> = tx.all(&sql::LIST_LINES, args![receipt.id]).await?;
        let (mut amounts, mut lines) = (Amounts::default(), Vec::new());
        for row in &rows {
            let Some(line) = placed.lines.iter().find(|line| line.number == row.number) else { continue };
            let gone = if is_undone { line.amounts.total } else { line.refunded_minor };
            let minor = gone - row.credited_minor;
            if minor <= 0 {
                continue;
            }
            let piece = price::refund(&line.amounts, row.credited_minor, minor);
            amounts = amounts.plus(piece)?;
            lines.push(InvoiceLine::new(row.number, row.title.clone(), 1, piece.subtotal, piece.subtotal));
            tx.execute(&sql::CREDIT_LINE, args![receipt.id, row.number, minor]).await?;
        }
        if !lines.is_empty() {
            note(tx, now, &receipt, amounts, &lines, source).await?;
        }
    }
    Ok(())
}

async fn note(
    tx: &mut Tx,
    now: Timestamp,
    receipt: &Invoice,
    amounts: Amounts,
    lines: &[InvoiceLine],
    source: &str,
) -> Result<(), BillingError> {
    let note = Invoice {
        id: InvoiceId::fresh(),
        kind: Kind::CreditNote,
        of: Some(receipt.id.clone()),
        refund: Some(source.to_owned()),
        amounts,
        refunded_minor: 0,
        state: Standing::Open,
        year: None,
        sequence: None,
        paid_at: None,
        version: 1,
        created_at: now,
        ..receipt.clone()
    };
    if !insert_invoice(tx, &note, lines).await? {
        return Ok(());
    }
    let numbered = paid(tx, now, &note).await?;
    change_invoice(tx, now, &note, numbered).await?;
    let refunded_minor = (receipt.refunded_minor + amounts.total).min(receipt.amounts.total);
    change_invoice(tx, now, receipt, Invoice { refunded_minor, ..receipt.clone() }).await?;
    Ok(())
}
