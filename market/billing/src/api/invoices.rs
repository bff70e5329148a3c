//! Receipts, invoices and credit notes over JSON, as PDF and as CSV.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
use identity::{Account, Caller};
use kernel::{Page, Paging};
use payments::{Payments, Source};
use serde::{Deserialize, Serialize};
use web::idempotency::Key;
use web::{Failure, Json, Path, Query, Tagged};

use super::id;
use super::views::{BillView, InvoiceView};
use crate::error::BillingError;
use crate::invoice::InvoiceId;
use crate::look::Side;
use crate::room::Billing;

/// Which documents.
#[derive(Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
pub(super) struct Asked {
    /// How many at the most: 1 to 100.
    limit: Option<u32>,
    /// How many to pass over.
    offset: Option<u32>,
    /// The id of a subscription or an order.
    of: Option<String>,
}

#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct InvoiceList {
    invoices: Vec<InvoiceView>,
    total: u64,
}

async fn page(room: &Billing, by: &Caller, side: Side, asked: Asked) -> Result<Json<InvoiceList>, Failure> {
    let paging = Paging::asked(asked.limit, asked.offset.unwrap_or_default())?;
    let Page { items, total } = room.invoices(by, side, asked.of, None, paging).await?;
    Ok(Json(InvoiceList { invoices: items.iter().map(|item| InvoiceView::of(item, side)).collect(), total }))
}

/// List receipts, invoices and credit notes.
#[utoipa::path(get, path = "/api/billing/invoices", tag = "billing", params(Asked),
    responses((status = 200, description = "Those of the account and its organisations, the newest first.", body = InvoiceList),
        (status = 401, description = "Nobody is signed in.")))]
pub(super) async fn list(
    State(room): State<Billing>,
    account: Account,
    Query(asked): Query<Asked>,
) -> Result<Json<InvoiceList>, Failure> {
    page(&room, &account.caller, Side::Buyer, asked).await
}

/// List the documents of what was sold.
#[utoipa::path(get, path = "/api/seller/invoices", tag = "billing", params(Asked),
    responses((status = 200, description = "Those that the account, or an organisation that it manages, gave out.", body = InvoiceList),
        (status = 401, description = "Nobody is signed in.")))]
pub(super) async fn list_sold(
    State(room): State<Billing>,
    account: Account,
    Query(asked): Query<Asked>,
) -> Result<Json<InvoiceList>, Failure> {
    page(&room, &account.caller, Side::Seller, asked).await
}

/// Receipts, invoices and credit notes as CSV.
#[utoipa::path(get, path = "/api/billing/invoices.csv", tag = "billing",
    responses((status = 200, description = "A row for each document, the newest first.", content_type = "text/csv"),
        (status = 401, description = "Nobody is signed in.")))]
pub(super) async fn export(State(room): State<Billing>, account: Account) -> Result<Response, Failure> {
    Ok(room.export(&account.caller, Side::Buyer)?)
}

/// The documents of what was sold as CSV, with fees.
#[utoipa::path(get, path = "/api/seller/invoices.csv", tag = "billing",
    responses((status = 200, description = "A row for each document, the newest first.", content_type = "text/csv"),
        (status = 401, description = "Nobody is signed in.")))]
pub(super) async fn export_sold(State(room): State<Billing>, account: Account) -> Result<Response, Failure> {
    Ok(room.export(&account.caller, Side::Seller)?)
}

/// Read a receipt, an invoice or a credit note; with `.pdf` after the id as a document.
#[utoipa::path(get, path = "/api/billing/invoices/{id}", tag = "billing",
    params(("id" = String, Path, description = "The id; with .pdf after it, the answer is a PDF")),
    responses((status = 200, description = "Everything that stands on it.", body = BillView),
        (status = 401, description = "Nobody is signed in."), (status = 404, description = "No such document of yours.")))]
pub(super) async fn find(
    State(room): State<Billing>,
    account: Account,
    Path(invoice): Path<String>,
) -> Result<Response, Failure> {
    if let Some(invoice) = invoice.strip_suffix(".pdf") {
        return paper(&room, &account.caller, invoice).await;
    }
    let bill = room.bill(&account.caller, &id(&invoice, "invoice")?).await?;
    Ok(Tagged(bill.invoice.version, Json(BillView::from(&bill))).into_response())
}

/// The document as a PDF to be saved.
pub(crate) async fn paper(room: &Billing, by: &Caller, invoice: &str) -> Result<Response, Failure> {
    let bill = room.bill(by, &id::<InvoiceId>(invoice, "invoice")?).await?;
    let name = format!("{}-{}.pdf", bill.invoice.kind.as_str(), bill.invoice.number().replace(' ', "-"));
    let room = room.clone();
    let written = tokio::task::spawn_blocking(move || room.paper(&bill)).await;
    let bytes = written.map_err(|error| store::StoreError::Database(error.to_string()))??;
    let mut response = ([(header::CONTENT_TYPE, "application/pdf")], bytes).into_response();
    if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")) {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, value);
    }
    Ok(response)
}

/// How to pay: one of them.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Means {
    /// A saved card.
    method_id: Option<String>,
    /// A token of the gateway.
    token: Option<String>,
    /// From the balance.
    #[serde(default)]
    wallet: bool,
}

impl Means {
    fn source(self) -> Result<Source, BillingError> {
        let one = || BillingError::field("/methodId", "Say how to pay: methodId, token, or wallet.");
        match (self.method_id, self.token, self.wallet) {
            (Some(method), None, false) => Ok(Source::Method(id(&method, "payment method")?)),
            (None, Some(token), false) => Ok(Source::Token(token)),
            (None, None, true) => Ok(Source::Wallet),
            (None, None, false) => Ok(Source::Browser),
            _ => Err(one()),
        }
    }
}

/// How a payment of an invoice stands.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct PaidView {
    payment_id: String,
    invoice_id: String,
    state: payments::State,
    failure: Option<payments::Reason>,
    /// The page on which the buyer goes on.
    next_url: Option<String>,
}

/// Pay an open invoice. Without a way to pay, the answer leads to a page on which a card is typed in.
#[utoipa::path(post, path = "/api/billing/invoices/{id}/pay", tag = "billing", request_body = Means,
    params(("id" = String, Path, description = "The invoice's id"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key: the same payment.")),
    responses((status = 200, description = "How the payment stands.", body = PaidView),
        (status = 401, description = "Nobody is signed in."), (status = 402, description = "The wallet holds too little."),
        (status = 404, description = "No such invoice of yours."), (status = 409, description = "It is not open, or a payment is under way.")))]
pub(super) async fn pay(
    State(room): State<Billing>,
    account: Account,
    Path(invoice): Path<String>,
    key: Key,
    Json(body): Json<Means>,
) -> Result<Json<PaidView>, Failure> {
    let source = body.source()?;
    let payment = room.pay(&account.caller, &id(&invoice, "invoice")?, source, key.0).await?;
    Ok(Json(PaidView {
        next_url: Payments::next_page(&payment),
        payment_id: payment.id.to_string(),
        invoice_id: payment.subject,
        state: payment.state,
        failure: payment.failure,
    }))
}
