//! Invoices, receipts and credit notes as PDF.

use pdf::{Column, Document, Table};

use crate::error::BillingError;
use crate::invoice::{Kind, Standing};
use crate::look::Bill;
use crate::room::Billing;

impl Billing {
    /// The bytes of the document. The market's fee is not on it: that is between the market and the seller.
    ///
    /// # Errors
    /// [`BillingError::Paper`] when it cannot be written.
    pub fn paper(&self, bill: &Bill) -> Result<Vec<u8>, BillingError> {
        let invoice = &bill.invoice;
        let name = format!("{} {}", invoice.kind.title(), invoice.number());
        let made = invoice.paid_at.unwrap_or(invoice.created_at);
        let mut paper = Document::new(name, "en").made_at(made).foot(self.settings.market.clone());
        paper.title(invoice.kind.title());
        paper.field("Number", invoice.number());
        paper.field("Date", made.date());
        if let Some(of) = &bill.of_number {
            paper.field("Takes back from", of);
        }
        if let Some(span) = invoice.span {
            paper.field("Period", format!("{} to {}", span.start.date(), span.end.date()));
        }
        if let Some(order) = &invoice.order {
            paper.field("Order", order.to_string());
        }
        paper.field("State", standing(invoice.kind, invoice.state));
        paper.space(8);
        let mut seller = vec!["Seller".to_owned(), bill.seller.clone()];
        seller.extend(bill.details.lines().map(str::to_owned));
        paper.columns(seller, ["Buyer".to_owned(), bill.buyer.clone()]);
        paper.space(8);
        paper.table(table(bill));
        paper.note(format!("Sold by {} through {}.", bill.seller, self.settings.market));
        Ok(paper.to_bytes()?)
    }
}

fn table(bill: &Bill) -> Table {
    let money = |minor| bill.invoice.money(minor).to_string();
    let columns = vec![
        Column::text("What", 5),
        Column::number("Quantity", 1),
        Column::number("Price", 2),
        Column::number("Amount", 2),
    ];
    let mut table = Table::new(columns);
    for line in &bill.lines {
        table.push([
            line.title.clone(),
            line.quantity.to_string(),
            money(line.unit_price_minor),
            money(line.amount_minor),
        ]);
    }
    for (label, minor) in bill.sums() {
        table = table.total([label, String::new(), String::new(), money(minor)]);
    }
    table
}

impl Bill {
    /// What stands below the lines: discounts, tax, the total, and what was credited, in minor units.
    #[must_use]
    pub fn sums(&self) -> Vec<(String, i64)> {
        let (invoice, a) = (&self.invoice, &self.invoice.amounts);
        let mut sums = Vec::new();
        let off = a.discount + a.promotion;
        if off != 0 {
            sums.push(("Discount and credit".to_owned(), -off));
        }
        if a.tax != 0 {
            let name = if invoice.tax.name.is_empty() { "Tax" } else { &invoice.tax.name };
            let rate = match invoice.tax.basis_points {
                0 => String::new(),
                points => format!(" {}", orders::price::percent(points)),
            };
            let place = if invoice.tax.is_inclusive { ", in the price" } else { "" };
            sums.push((format!("{name}{rate}{place}"), a.tax));
        }
        let total = if invoice.kind == Kind::CreditNote { "Total credit" } else { "Total" };
        sums.push((total.to_owned(), a.total));
        if invoice.refunded_minor > 0 && invoice.kind != Kind::CreditNote {
            sums.push(("Refunded".to_owned(), -invoice.refunded_minor));
        }
        sums
    }
}

pub(crate) const fn standing(kind: Kind, state: Standing) -> &'static str {
    match (kind, state) {
        (Kind::CreditNote, Standing::Paid) => "paid back",
        (Kind::CreditNote, Standing::Open) => "on its way",
        (_, Standing::Paid) => "paid",
        (_, Standing::Open) => "open",
        (_, Standing::Void) => "not to be paid",
        (_, Standing::Uncollectible) => "not collected",
    }
}
