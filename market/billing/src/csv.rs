//! Documents as a table for spreadsheets, sent while it is read.

use axum::response::Response;
use futures_util::{TryStreamExt, stream};
use identity::{Action, Caller, Subject};
use kernel::Paging;
use ledger::csv;

use crate::error::BillingError;
use crate::invoice::{Invoice, InvoiceId, Kind};
use crate::look::Side;
use crate::room::Billing;

const HEAD: [&str; 17] = [
    "number",
    "kind",
    "state",
    "date",
    "title",
    "buyer",
    "seller",
    "order",
    "subscription",
    "currency",
    "subtotal",
    "discount",
    "tax",
    "total",
    "refunded",
    "fee",
    "net",
];
/// What only the seller sees stands at the end.
const OF_SELLERS: usize = 2;

impl Billing {
    /// All documents of the caller as buyer or seller, the newest first.
    ///
    /// # Errors
    /// [`BillingError::Identity`] for a stranger.
    pub fn export(&self, by: &Caller, side: Side) -> Result<Response, BillingError> {
        by.may(Action::Read, &Subject::Market)?;
        let (room, by) = (self.clone(), by.clone());
        let pages = stream::try_unfold(None, move |before: Option<InvoiceId>| {
            let (room, by) = (room.clone(), by.clone());
            async move {
                let paging = Paging { limit: Paging::MAX_LIMIT, offset: 0 };
                let page = room.invoices(&by, side, None, before, paging).await?;
                let last = page.items.last().map(|last| last.id.clone());
                Ok::<_, BillingError>(last.map(|last| (rows(&page.items, side), Some(last))))
            }
        });
        Ok(csv::file("invoices.csv", seen(&HEAD, side), pages.into_stream()))
    }
}

fn seen<T>(columns: &[T], side: Side) -> &[T] {
    let count = if side == Side::Seller { columns.len() } else { columns.len() - OF_SELLERS };
    columns.get(..count).unwrap_or(columns)
}

fn rows(page: &[Invoice], side: Side) -> String {
    page.iter().map(|invoice| csv::line(seen(&row(invoice), side))).collect()
}

/// A credit note counts below zero.
fn row(invoice: &Invoice) -> [String; 17] {
    let sign = if invoice.kind == Kind::CreditNote { -1 } else { 1 };
    let (a, money) = (&invoice.amounts, |minor: i64| csv::amount(invoice.money(minor * sign)));
    [
        invoice.number(),
        invoice.kind.as_str().to_owned(),
        invoice.state.as_str().to_owned(),
        invoice.paid_at.unwrap_or(invoice.created_at).to_string(),
        invoice.title.clone(),
        invoice.buyer.to_string(),
        invoice.seller.to_string(),
        invoice.order.as_ref().map_or_else(String::new, ToString::to_string),
        invoice.subscription.as_ref().map_or_else(String::new, ToString::to_string),
        invoice.currency.to_string(),
        money(a.subtotal),
        money(a.discount + a.promotion),
        money(a.tax),
        money(a.total),
        money(invoice.refunded_minor),
        money(a.fee),
        money(a.seller),
    ]
}
