//! The JSON forms of this room.

use catalog::Period;
use kernel::Timestamp;
use serde::Serialize;

use crate::invoice::{Invoice, Kind, Standing};
use crate::look::{Bill, Side, Totals};
use crate::subscription::{State, Subscription};

/// What a period costs so far, and what it will at its end.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Cost {
    current_cost: f64,
    current_cost_minor: i64,
    /// When use goes on like this.
    projected_cost: f64,
    projected_cost_minor: i64,
    currency: String,
    /// `monthly` or `yearly`.
    billing_cycle: &'static str,
}

/// A subscription.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SubscriptionView {
    subscription_id: String,
    status: State,
    order_id: String,
    buyer: String,
    seller: String,
    listing_id: String,
    title: String,
    offer_id: String,
    plan: String,
    /// For one, in major units, for showing.
    price: f64,
    price_minor: i64,
    currency: String,
    quantity: u32,
    period: Period,
    /// What is metered.
    #[serde(skip_serializing_if = "Option::is_none")]
    meter: Option<String>,
    /// Its number; 0 is the trial.
    period_number: i64,
    #[schema(value_type = String, format = DateTime)]
    period_start: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    period_end: Timestamp,
    cancel_at_period_end: bool,
    /// The offer from the next period on, where that is another.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_offer_id: Option<String>,
    /// `wallet`, the id of a saved card, or empty.
    pay_by: String,
    /// What is taken off the next invoices.
    credit_minor: i64,
    /// Until when it goes on without having been paid.
    #[schema(value_type = Option<String>, format = DateTime)]
    grace_ends_at: Option<Timestamp>,
    /// At which cost of a period its buyer is told.
    limit_minor: Option<i64>,
    billing: Option<Cost>,
    /// Why it is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    version: i64,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<Timestamp>,
}

impl SubscriptionView {
    pub(crate) fn of(sub: &Subscription, now: Timestamp) -> Self {
        let billing_cycle = if sub.plan.period == Period::Month { "monthly" } else { "yearly" };
        let cost = sub.cost(now).ok().map(|(so_far, projected)| Cost {
            current_cost: so_far.major_number(),
            current_cost_minor: so_far.minor,
            projected_cost: projected.major_number(),
            projected_cost_minor: projected.minor,
            currency: sub.currency.to_string(),
            billing_cycle,
        });
        Self {
            subscription_id: sub.id.to_string(),
            status: sub.state,
            order_id: sub.order.to_string(),
            buyer: sub.buyer.to_string(),
            seller: sub.seller.to_string(),
            listing_id: sub.listing.to_string(),
            title: sub.title.clone(),
            offer_id: sub.plan.offer.to_string(),
            plan: sub.plan.name.clone(),
            price: sub.money(sub.plan.unit_price_minor).major_number(),
            price_minor: sub.plan.unit_price_minor,
            currency: sub.currency.to_string(),
            quantity: sub.quantity,
            period: sub.plan.period,
            meter: sub.meter.clone(),
            period_number: sub.number,
            period_start: sub.span.start,
            period_end: sub.span.end,
            cancel_at_period_end: sub.cancel_at_end,
            next_offer_id: sub.next.as_ref().map(|plan| plan.offer.to_string()),
            pay_by: sub.pay_by.to_string(),
            credit_minor: sub.credit_minor,
            grace_ends_at: sub.grace_ends_at,
            limit_minor: sub.limit_minor,
            billing: cost.filter(|_| sub.state.is_live()),
            reason: sub.end_reason.clone(),
            version: sub.version,
            created_at: sub.created_at,
            ended_at: sub.ended_at,
        }
    }
}

/// An invoice, a receipt or a credit note.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct InvoiceView {
    invoice_id: String,
    kind: Kind,
    status: Standing,
    /// Its number among those of the seller, once it is paid.
    number: Option<String>,
    buyer: String,
    seller: String,
    title: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    subscription_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_id: Option<String>,
    /// What a credit note takes back.
    #[serde(skip_serializing_if = "Option::is_none")]
    of_invoice_id: Option<String>,
    #[schema(value_type = Option<String>, format = DateTime)]
    period_start: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    period_end: Option<Timestamp>,
    currency: String,
    subtotal_minor: i64,
    discount_minor: i64,
    tax_minor: i64,
    /// In major units, for showing.
    total: f64,
    total_minor: i64,
    refunded_minor: i64,
    /// The market's part; only for the seller and operators.
    #[serde(skip_serializing_if = "Option::is_none")]
    fee_minor: Option<i64>,
    /// Why it could not be charged.
    #[serde(skip_serializing_if = "String::is_empty")]
    failure: String,
    /// When it is charged next.
    #[schema(value_type = Option<String>, format = DateTime)]
    next_attempt_at: Option<Timestamp>,
    version: i64,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    paid_at: Option<Timestamp>,
}

impl InvoiceView {
    pub(crate) fn of(invoice: &Invoice, side: Side) -> Self {
        let (start, end) = invoice.span.map(|span| (span.start, span.end)).unzip();
        Self {
            invoice_id: invoice.id.to_string(),
            kind: invoice.kind,
            status: invoice.state,
            number: invoice.sequence.map(|_| invoice.number()),
            buyer: invoice.buyer.to_string(),
            seller: invoice.seller.to_string(),
            title: invoice.title.clone(),
            subscription_id: invoice.subscription.as_ref().map(ToString::to_string),
            order_id: invoice.order.as_ref().map(ToString::to_string),
            of_invoice_id: invoice.of.as_ref().map(ToString::to_string),
            period_start: start,
            period_end: end,
            currency: invoice.currency.to_string(),
            subtotal_minor: invoice.amounts.subtotal,
            discount_minor: invoice.amounts.discount + invoice.amounts.promotion,
            tax_minor: invoice.amounts.tax,
            total: invoice.total().major_number(),
            total_minor: invoice.amounts.total,
            refunded_minor: invoice.refunded_minor,
            fee_minor: (side != Side::Buyer).then_some(invoice.amounts.fee),
            failure: invoice.failure.clone(),
            next_attempt_at: invoice.next_attempt_at,
            version: invoice.version,
            created_at: invoice.created_at,
            paid_at: invoice.paid_at,
        }
    }
}

/// A line of it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct LineView {
    title: String,
    quantity: i64,
    price_minor: i64,
    /// Before discounts and tax on top; below zero for a credit.
    amount_minor: i64,
}

/// An invoice with everything that stands on it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct BillView {
    #[serde(flatten)]
    invoice: InvoiceView,
    lines: Vec<LineView>,
    /// What took back parts of it.
    credit_notes: Vec<InvoiceView>,
    seller_name: String,
    /// What the seller puts on invoices.
    seller_details: String,
    buyer_name: String,
    /// The same as PDF.
    pdf: String,
    /// Where a payment that waits for its buyer is confirmed.
    #[serde(skip_serializing_if = "Option::is_none")]
    confirm_url: Option<String>,
}

impl From<&Bill> for BillView {
    fn from(bill: &Bill) -> Self {
        let line = |line: &crate::InvoiceLine| LineView {
            title: line.title.clone(),
            quantity: line.quantity,
            price_minor: line.unit_price_minor,
            amount_minor: line.amount_minor,
        };
        Self {
            invoice: InvoiceView::of(&bill.invoice, bill.side),
            lines: bill.lines.iter().map(line).collect(),
            credit_notes: bill.credit_notes.iter().map(|note| InvoiceView::of(note, bill.side)).collect(),
            seller_name: bill.seller.clone(),
            seller_details: bill.details.clone(),
            buyer_name: bill.buyer.clone(),
            pdf: format!("/api/billing/invoices/{}.pdf", bill.invoice.id),
            confirm_url: bill.confirm_page.clone(),
        }
    }
}

/// What subscriptions bring in one currency.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct TotalsView {
    currency: String,
    trialing: u64,
    active: u64,
    past_due: u64,
    over: u64,
    /// Before fees and tax; what is paid by the year counts a twelfth, metered use not.
    monthly_recurring: f64,
    monthly_recurring_minor: i64,
}

impl From<&Totals> for TotalsView {
    fn from(totals: &Totals) -> Self {
        Self {
            currency: totals.currency.to_string(),
            trialing: totals.trialing,
            active: totals.active,
            past_due: totals.past_due,
            over: totals.over,
            monthly_recurring: totals.monthly.major_number(),
            monthly_recurring_minor: totals.monthly.minor,
        }
    }
}
