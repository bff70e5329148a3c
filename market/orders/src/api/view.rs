//! How orders look in JSON: what the ticket shop of the contract answers, and more.

use kernel::{Currency, Money, Timestamp};
use payments::{NextAction, Payment};
use serde::Serialize;

use crate::list::Placed;
use crate::order::{Hold, Line};
use crate::pay::Paid;
use crate::promo::{Off, Promo};
use crate::refund::Plan;

/// An order.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct OrderView {
    id: String,
    /// `pending`, `paid`, `partially_refunded`, `refunded`, `disputed`, `cancelled`, `expired`, `failed`.
    status: &'static str,
    /// Until when it can be paid.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    /// The first of its items, as the ticket shop names it.
    ticket: Option<TicketView>,
    /// The account that buys: a user or an organisation.
    user_id: String,
    /// Grows with every change; the ETag.
    version: i64,
    items: Vec<LineView>,
    /// What the buyer pays, for showing.
    total: f64,
    total_minor: i64,
    currency: String,
    subtotal_minor: i64,
    /// What promo codes take off.
    discount_minor: i64,
    tax_minor: i64,
    refunded_minor: i64,
    /// On its way back.
    refunding_minor: i64,
    promo: Option<String>,
    country: Option<String>,
    region: Option<String>,
    hold: HoldView,
    /// The payment that is under way, or that paid it.
    payment_id: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    paid_at: Option<Timestamp>,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

#[derive(Serialize, utoipa::ToSchema)]
struct TicketView {
    id: String,
    title: String,
    price: f64,
}

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct HoldView {
    id: String,
    /// `live`, `consumed`, `released`, `expired`.
    state: &'static str,
    #[schema(value_type = String, format = DateTime)]
    ends_at: Timestamp,
    extended: bool,
    /// How much more time can be taken once; 0: none.
    extension_seconds: u32,
}

/// One line.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct LineView {
    number: u32,
    listing_id: String,
    offer_id: String,
    kind: &'static str,
    seller: String,
    subject: Option<String>,
    title: String,
    offer: String,
    unit_id: Option<String>,
    unit: Option<String>,
    quantity: u32,
    /// Of one, for showing.
    price: f64,
    price_minor: i64,
    discount_minor: i64,
    tax_minor: i64,
    total_minor: i64,
    /// The market's part.
    fee_minor: i64,
    refunded_minor: i64,
    /// How many were taken back.
    returned: u32,
}

impl OrderView {
    pub(super) fn of(placed: &Placed) -> Self {
        let Placed { order, lines } = placed;
        Self {
            id: order.id.to_string(),
            status: order.state.as_str(),
            expires_at: order.hold.ends_at,
            ticket: lines.first().map(|line| TicketView {
                id: line.thing().to_owned(),
                title: line.title.clone(),
                price: Money::new(line.unit_price_minor, order.currency).major_number(),
            }),
            user_id: order.buyer.to_string(),
            version: order.version,
            items: lines.iter().map(|line| LineView::of(line, order.currency)).collect(),
            total: order.total().major_number(),
            total_minor: order.amounts.total,
            currency: order.currency.to_string(),
            subtotal_minor: order.amounts.subtotal,
            discount_minor: order.amounts.discount + order.amounts.promotion,
            tax_minor: order.amounts.tax,
            refunded_minor: order.refunded_minor,
            refunding_minor: order.refunding_minor,
            promo: order.promo.clone(),
            country: order.country.clone(),
            region: order.region.clone(),
            hold: HoldView::of(&order.hold),
            payment_id: order.payment.as_ref().map(ToString::to_string),
            created_at: order.created_at,
            paid_at: order.paid_at,
            updated_at: order.updated_at,
        }
    }
}

impl HoldView {
    fn of(hold: &Hold) -> Self {
        Self {
            id: hold.id.to_string(),
            state: hold.state.as_str(),
            ends_at: hold.ends_at,
            extended: hold.extended,
            extension_seconds: hold.extension_seconds,
        }
    }
}

impl LineView {
    fn of(line: &Line, currency: Currency) -> Self {
        Self {
            number: line.number,
            listing_id: line.listing.to_string(),
            offer_id: line.offer.to_string(),
            kind: line.kind.as_str(),
            seller: line.seller.to_string(),
            subject: line.subject.clone(),
            title: line.title.clone(),
            offer: line.offer_name.clone(),
            unit_id: line.unit.as_ref().map(ToString::to_string),
            unit: line.unit_label.clone(),
            quantity: line.quantity,
            price: Money::new(line.unit_price_minor, currency).major_number(),
            price_minor: line.unit_price_minor,
            discount_minor: line.amounts.discount + line.amounts.promotion,
            tax_minor: line.amounts.tax,
            total_minor: line.amounts.total,
            fee_minor: line.amounts.fee,
            refunded_minor: line.refunded_minor,
            returned: line.returned,
        }
    }
}

/// How a payment of an order stands.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct PaidView {
    id: String,
    order_id: String,
    /// `authorised` and `captured`: the order is paid. `submitted`: see `nextAction`. `unknown`: the bank is asked again.
    status: &'static str,
    amount: f64,
    amount_minor: i64,
    currency: String,
    gateway: &'static str,
    /// What the buyer has to do.
    next_action: Option<NextAction>,
    /// The page on which to do it.
    next_page: Option<String>,
    version: i64,
}

impl PaidView {
    pub(super) fn of(paid: &Paid) -> Self {
        let payment: &Payment = &paid.payment;
        Self {
            id: payment.id.to_string(),
            order_id: payment.subject.clone(),
            status: payment.state.as_str(),
            amount: payment.amount.major_number(),
            amount_minor: payment.amount.minor,
            currency: payment.amount.currency.to_string(),
            gateway: payment.gateway,
            next_action: payment.next_action.clone(),
            next_page: payments::Payments::next_page(payment),
            version: payment.version,
        }
    }
}

/// A refund of an order.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct RefundView {
    id: String,
    order_id: String,
    /// At the payments; none for an order that cost nothing.
    refund_id: Option<String>,
    /// `reserved`: the bank has not answered. `settled`, `failed`.
    status: &'static str,
    amount_minor: i64,
    /// Whether what was taken back is on sale again.
    give_back: bool,
    reason: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl RefundView {
    pub(super) fn of(plan: &Plan) -> Self {
        Self {
            id: plan.id.to_string(),
            order_id: plan.order.to_string(),
            refund_id: plan.refund.as_ref().map(ToString::to_string),
            status: plan.state.as_str(),
            amount_minor: plan.amount_minor,
            give_back: plan.give_back,
            reason: plan.reason.clone(),
            created_at: plan.created_at,
        }
    }
}

/// A promo code.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct PromoView {
    code: String,
    /// Who pays for it; none: the market.
    seller: Option<String>,
    percent_basis_points: Option<u32>,
    amount_minor: Option<i64>,
    currency: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    valid_from: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    valid_until: Option<Timestamp>,
    max_uses: Option<u32>,
    max_per_buyer: Option<u32>,
    /// By orders that are paid or can be.
    used: u32,
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<Timestamp>,
    version: i64,
}

impl PromoView {
    pub(super) fn of(promo: Promo) -> Self {
        let (percent, amount) = match promo.off {
            Off::Percent(percent) => (Some(percent), None),
            Off::Amount(amount) => (None, Some(amount)),
        };
        Self {
            seller: promo.seller.map(|seller| seller.to_string()),
            percent_basis_points: percent,
            amount_minor: amount.map(|amount| amount.minor),
            currency: amount.map(|amount| amount.currency.to_string()),
            valid_from: promo.valid_from,
            valid_until: promo.valid_until,
            max_uses: promo.max_uses,
            max_per_buyer: promo.max_per_buyer,
            used: promo.used,
            ended_at: promo.ended_at,
            version: promo.version,
            code: promo.code,
        }
    }
}
