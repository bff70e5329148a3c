//! One receipt, invoice or credit note; and, while it is open, the ways to pay it.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use identity::orgs::OrgRole;
use identity::{Visit, done};
use payments::{Payments, Source};
use store::Tx;
use web::face::parts::Choice;
use web::face::{self, FormState, Sheet, Shell, Typed, Wrong};
use web::{Form, Path};

use super::lists::{Paper, papers};
use super::{Answer, id};
use crate::error::BillingError;
use crate::invoice::{InvoiceId, Kind, Standing};
use crate::look::{Bill, Side};
use crate::paper::standing;
use crate::room::Billing;

#[derive(Template)]
#[template(path = "billing/document.html")]
struct DocumentPage {
    shell: Shell,
    form: FormState,
    bill: Bill,
    state: &'static str,
    facts: Vec<(&'static str, String)>,
    lines: Vec<(String, String, String, String)>,
    sums: Vec<(String, String)>,
    notes: Vec<Paper>,
    /// How it can be paid; empty where it is not to be, or not by the visitor.
    ways: Vec<Choice>,
    sandbox: bool,
    /// Where the same is as PDF.
    pdf: String,
}

async fn page(
    room: &Billing,
    visit: Visit,
    document: &InvoiceId,
    form: Option<FormState>,
) -> Result<Response, web::Failure> {
    let bill = room.bill(&visit.caller, document).await?;
    let (group, home, key) = match bill.side {
        Side::Buyer => ("Billing", "/billing", "billing"),
        Side::Seller => ("Subscriptions", "/sell/subscriptions", "sell-subscriptions"),
        Side::Operator => ("Subscriptions", "/operator/subscriptions", "all-subscriptions"),
    };
    let ways = ways(room, &visit, &bill).await?;
    let first = ways.first().map_or_else(String::new, |way| way.value.clone());
    let (invoice, money) = (&bill.invoice, |minor| bill.invoice.money(minor).to_string());
    let title = format!("{} {}", invoice.kind.title(), invoice.number());
    let shell = visit.shell.page(format!("{title} - {group}"), key).crumb(group, home).crumb(&title, "");
    let lines = bill.lines.iter().map(|line| {
        let (quantity, unit) = (line.quantity.to_string(), money(line.unit_price_minor));
        (line.title.clone(), quantity, unit, money(line.amount_minor))
    });
    let page = DocumentPage {
        shell: shell.with_sheet(Sheet::Market),
        form: form.unwrap_or_else(|| FormState::with(&[("way", &first)])),
        state: standing(invoice.kind, invoice.state),
        facts: facts(&bill),
        lines: lines.collect(),
        sums: bill.sums().into_iter().map(|(label, minor)| (label, money(minor))).collect(),
        notes: papers(bill.credit_notes.clone()),
        ways,
        sandbox: room.payments.is_sandbox(),
        pdf: format!("/api/billing/invoices/{document}.pdf"),
        bill,
    };
    Ok(face::html(&page.shell, &page))
}

fn facts(bill: &Bill) -> Vec<(&'static str, String)> {
    let invoice = &bill.invoice;
    let mut facts =
        vec![("Number", invoice.number()), ("Date", invoice.paid_at.unwrap_or(invoice.created_at).date())];
    if let Some(span) = invoice.span {
        facts.push(("Period", format!("{} to {}", span.start.date(), span.end.date())));
    }
    facts.push(("Buyer", bill.buyer.clone()));
    facts.push(("Seller", bill.seller.clone()));
    if let Some(of) = &bill.of_number {
        facts.push(("Takes back from", of.clone()));
    }
    if bill.side != Side::Buyer {
        facts.push(("Fee of the market", invoice.money(invoice.amounts.fee).to_string()));
        facts.push(("For the seller", invoice.money(invoice.amounts.seller).to_string()));
    }
    facts
}

/// Saved cards, the wallet, and a card to be typed in: for who may spend the buyer's money.
async fn ways(room: &Billing, visit: &Visit, bill: &Bill) -> Result<Vec<Choice>, BillingError> {
    let invoice = &bill.invoice;
    let is_payable = invoice.state == Standing::Open && matches!(invoice.kind, Kind::Period | Kind::Change);
    let may = visit.account().is_ok_and(|actor| actor.speaks_for(&invoice.buyer, OrgRole::Admin));
    if !is_payable || !may {
        return Ok(Vec::new());
    }
    let buyer = invoice.buyer.clone();
    let read = async move |tx: &mut Tx| Ok::<_, BillingError>(Payments::methods_of(tx, &buyer).await?);
    let methods = room.store.read(read).await?;
    let card = |method: payments::Method| {
        let label = method.view.label();
        Choice::new(method.id.as_str(), &label, "")
    };
    let mut ways: Vec<Choice> = methods.into_iter().map(card).collect();
    if room.payments.default_gateway().is_some() {
        ways.push(Choice::new("card", "Another card", "You type it in on the next page."));
    }
    ways.push(Choice::new("wallet", "From the wallet", ""));
    Ok(ways)
}

pub(super) async fn show(State(room): State<Billing>, visit: Visit, Path(document): Path<String>) -> Answer {
    visit.account()?;
    page(&room, visit, &id(&document, "invoice")?, None).await
}

/// `POST /billing/invoices/{id}/pay`.
pub(super) async fn pay(
    State(room): State<Billing>,
    visit: Visit,
    Path(document): Path<String>,
    Form(typed): Form<Typed>,
) -> Answer {
    visit.account()?;
    let document = id(&document, "invoice")?;
    match charge(&room, &visit, &document, &typed).await {
        Ok(response) => Ok(response),
        Err(error) => {
            let wrong = match error {
                BillingError::NotPaid(_) | BillingError::Payment(_) => Wrong::told(error, &typed),
                error => Wrong::of(error, &typed)?,
            };
            let (status, form) = wrong.into_parts();
            Ok((status, page(&room, visit, &document, Some(form)).await?).into_response())
        }
    }
}

async fn charge(
    room: &Billing,
    visit: &Visit,
    document: &InvoiceId,
    typed: &Typed,
) -> Result<Response, BillingError> {
    let source = match typed.get("way") {
        "wallet" => Source::Wallet,
        "card" => Source::Browser,
        method => {
            let wrong = |_| BillingError::field("/way", "Choose how to pay.");
            Source::Method(method.parse().map_err(wrong)?)
        }
    };
    let payment = room.pay(&visit.caller, document, source, None).await?;
    if let Some(page) = Payments::next_page(&payment).filter(|_| payment.state.is_open()) {
        return Ok(Redirect::to(&page).into_response());
    }
    if let (payments::State::Failed, Some(reason)) = (payment.state, payment.failure) {
        return Err(BillingError::field("/way", reason.message));
    }
    let words = match payment.state {
        payments::State::Unknown => "The bank has not answered yet. You are not charged twice.",
        _ => "The invoice is paid.",
    };
    Ok(done(&format!("/billing/invoices/{document}"), words))
}
