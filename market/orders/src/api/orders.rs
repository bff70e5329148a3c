//! Orders, their payments and refunds.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use catalog::{OfferId, UnitId, Want};
use http::StatusCode;
use identity::Account;
use kernel::Problem;
use payments::{Card, MethodId, PaymentError, Source};
use serde::{Deserialize, Serialize};
use web::idempotency::{Key, Request};
use web::{Failure, IfMatch, Json, Listed, Part, Path, Query, Tagged, expected_version};

use super::view::{OrderView, PaidView, RefundView};
use crate::entitlement::Entitlement;
use crate::error::id;
use crate::list::{Filter, Placed, Side};
use crate::order::State as OrderState;
use crate::place::NewOrder;
use crate::refund::{NewRefund, Part as LinePart, What};
use crate::{OrderError, Orders};

#[derive(Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct OrderBody {
    /// What is wanted: all of it or nothing.
    #[serde(default)]
    items: Vec<ItemBody>,
    /// In place of items: one ticket, by its id.
    ticket_id: Option<String>,
    /// A promo code.
    promo: Option<String>,
    /// The organisation that buys.
    on_behalf_of: Option<String>,
    /// The buyer's country: two letters.
    country: Option<String>,
    region: Option<String>,
    /// What lets the buyer in where not everybody may order at once.
    pass: Option<String>,
}

#[derive(Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ItemBody {
    #[schema(value_type = String)]
    offer_id: OfferId,
    /// How many; left out where units are named.
    quantity: Option<u32>,
    /// Which units.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    unit_ids: Vec<UnitId>,
}

impl ItemBody {
    fn want(self) -> Want {
        let quantity = self.quantity.unwrap_or(u32::from(self.unit_ids.is_empty()));
        let quantity = if self.unit_ids.is_empty() { quantity } else { 0 };
        Want { offer: self.offer_id, quantity, units: self.unit_ids }
    }
}

/// Order: hold what is wanted until the deadline.
#[utoipa::path(post, path = "/api/orders", tag = "orders", request_body = OrderBody,
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key and body: the same answer.")),
    responses((status = 201, description = "The order; what costs nothing is paid at once.", body = OrderView),
        (status = 401, description = "Nobody is signed in."), (status = 409, description = "Sold out, taken or not on sale."),
        (status = 422, description = "Some fields are wrong, or the promo code cannot be used.")))]
pub(super) async fn place(
    State(orders): State<Orders>,
    account: Account,
    key: Key,
    Json(body): Json<OrderBody>,
) -> Result<Response, Failure> {
    let request = Request::new(key, format!("{} POST /api/orders", account.actor.user), &body);
    let mut items: Vec<Want> = body.items.into_iter().map(ItemBody::want).collect();
    if let Some(thing) = body.ticket_id {
        items.push(Want::some(orders.offer_of(&thing).await?, 1));
    }
    let OrderBody { promo, on_behalf_of, country, region, pass, .. } =
        OrderBody { items: Vec::new(), ticket_id: None, ..body };
    let new = NewOrder { items, promo, on_behalf_of, country, region, pass };
    Ok(orders.place_once(&account.caller, new, request, OrderView::of).await?.into_response())
}

/// Which orders.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(rename_all = "camelCase")]
pub(super) struct Asked {
    /// Only those in this state.
    #[serde(default)]
    pub(super) status: String,
    /// `buyer` (what one bought, where nothing is said), `seller` (what one sold) or `operator` (all).
    #[serde(default, rename = "as")]
    pub(super) side: String,
    /// For operators: an order, a buyer or a payment, by its id.
    #[serde(default)]
    pub(super) q: String,
}

impl Asked {
    pub(super) fn side(&self) -> Result<Side, OrderError> {
        match self.side.as_str() {
            "" | "buyer" => Ok(Side::Buyer),
            "seller" => Ok(Side::Seller),
            "operator" => Ok(Side::Operator),
            _ => Err(OrderError::field("/as", "Ask as buyer, seller or operator.")),
        }
    }

    pub(super) fn filter(&self) -> Result<Filter, OrderError> {
        let state = match self.status.as_str() {
            "" => None,
            word => Some(word.parse::<OrderState>().map_err(|what| OrderError::field("/status", what))?),
        };
        Ok(Filter { state, text: self.q.clone(), before: None })
    }
}

/// List orders.
#[utoipa::path(get, path = "/api/orders", tag = "orders", params(Part, Asked),
    responses((status = 200, description = "One's own orders, or one's sales, the newest first.", body = Listed<OrderView>),
        (status = 401, description = "Nobody is signed in."), (status = 403, description = "No operator.")))]
pub(super) async fn list(
    State(orders): State<Orders>,
    account: Account,
    Query(part): Query<Part>,
    Query(asked): Query<Asked>,
) -> Result<Json<Listed<OrderView>>, Failure> {
    let page = orders.list(&account.caller, asked.side()?, asked.filter()?, part.checked()?).await?;
    Ok(Json(Listed::of(page, |placed| OrderView::of(&placed))))
}

/// Orders as a table for spreadsheets.
#[utoipa::path(get, path = "/api/orders.csv", tag = "orders", params(Asked),
    responses((status = 200, description = "A row for each line, the newest order first.", content_type = "text/csv"),
        (status = 401, description = "Nobody is signed in."), (status = 403, description = "No operator.")))]
pub(super) async fn export(
    State(orders): State<Orders>,
    account: Account,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    Ok(orders.export(&account.caller, asked.side()?, asked.filter()?)?)
}

fn shown(placed: &Placed) -> Tagged<Json<OrderView>> {
    Tagged(placed.order.version, Json(OrderView::of(placed)))
}

/// Read an order.
#[utoipa::path(get, path = "/api/orders/{id}", tag = "orders", params(("id" = String, Path, description = "The order")),
    responses((status = 200, description = "The order; its sellers see their lines.", body = OrderView,
            headers(("ETag" = String, description = "Its version, for If-Match."))),
        (status = 401, description = "Nobody is signed in."), (status = 404, description = "None that one may see.")))]
pub(super) async fn find(
    State(orders): State<Orders>,
    account: Account,
    Path(order): Path<String>,
) -> Result<Tagged<Json<OrderView>>, Failure> {
    Ok(shown(&orders.find(&account.caller, &id(&order, "order")?).await?))
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct OrderPatch {
    /// The buyer's country: two letters; empty: not said.
    country: String,
    #[serde(default)]
    region: String,
    /// The version that was read; a stale one changes nothing.
    version: Option<i64>,
}

/// Say where the buyer is: the order is taxed by it.
#[utoipa::path(patch, path = "/api/orders/{id}", tag = "orders", request_body = OrderPatch,
    params(("id" = String, Path, description = "The order"), ("If-Match" = Option<String>, Header, description = "Its ETag.")),
    responses((status = 200, description = "The order with its taxes.", body = OrderView),
        (status = 401, description = "Nobody is signed in."), (status = 404, description = "None that one may see."),
        (status = 409, description = "It cannot be changed any more."), (status = 412, description = "It changed meanwhile.")))]
pub(super) async fn change(
    State(orders): State<Orders>,
    account: Account,
    Path(order): Path<String>,
    if_match: IfMatch,
    Json(body): Json<OrderPatch>,
) -> Result<Tagged<Json<OrderView>>, Failure> {
    let expected = expected_version(if_match, body.version)?;
    let placed =
        orders.locate(&account.caller, &id(&order, "order")?, &body.country, &body.region, expected).await?;
    Ok(shown(&placed))
}

/// Cancel an order.
#[utoipa::path(delete, path = "/api/orders/{id}", tag = "orders",
    params(("id" = String, Path, description = "The order"), ("If-Match" = Option<String>, Header, description = "Its ETag.")),
    responses((status = 200, description = "The order, cancelled; what it held is back on sale.", body = OrderView),
        (status = 401, description = "Nobody is signed in."), (status = 404, description = "None that one may see."),
        (status = 409, description = "It is paid or over."), (status = 412, description = "It changed meanwhile.")))]
pub(super) async fn delete(
    State(orders): State<Orders>,
    account: Account,
    Path(order): Path<String>,
    if_match: IfMatch,
) -> Result<Tagged<Json<OrderView>>, Failure> {
    let expected = expected_version(if_match, None)?;
    Ok(shown(&orders.cancel(&account.caller, &id(&order, "order")?, expected).await?))
}

/// Cancel an order, for programs that cannot DELETE.
#[utoipa::path(post, path = "/api/orders/{id}/cancel", tag = "orders",
    params(("id" = String, Path, description = "The order"), ("If-Match" = Option<String>, Header, description = "Its ETag.")),
    responses((status = 200, description = "The order, cancelled; what it held is back on sale.", body = OrderView),
        (status = 401, description = "Nobody is signed in."), (status = 404, description = "None that one may see."),
        (status = 409, description = "It is paid or over."), (status = 412, description = "It changed meanwhile.")))]
pub(super) async fn cancel(
    orders: State<Orders>,
    account: Account,
    order: Path<String>,
    if_match: IfMatch,
) -> Result<Tagged<Json<OrderView>>, Failure> {
    delete(orders, account, order, if_match).await
}

/// Take more time, once.
#[utoipa::path(post, path = "/api/orders/{id}/extend", tag = "orders",
    params(("id" = String, Path, description = "The order"), ("If-Match" = Option<String>, Header, description = "Its ETag.")),
    responses((status = 200, description = "The order with its later deadline.", body = OrderView),
        (status = 401, description = "Nobody is signed in."), (status = 404, description = "None that one may see."),
        (status = 409, description = "More time was taken before, or none is allowed.")))]
pub(super) async fn extend(
    State(orders): State<Orders>,
    account: Account,
    Path(order): Path<String>,
    if_match: IfMatch,
) -> Result<Tagged<Json<OrderView>>, Failure> {
    let expected = expected_version(if_match, None)?;
    Ok(shown(&orders.extend(&account.caller, &id(&order, "order")?, expected).await?))
}

#[derive(Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RefundBody {
    /// So much, shared among all lines; neither this nor lines: all that is left.
    amount_minor: Option<i64>,
    /// Parts of lines.
    #[serde(default)]
    lines: Vec<PartBody>,
    /// Whether what is taken back is put on sale again.
    #[serde(default)]
    give_back: bool,
    /// Why, for the buyer.
    #[serde(default)]
    reason: String,
}

#[derive(Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct PartBody {
    /// Which line.
    number: u32,
    /// How many are taken back.
    quantity: Option<u32>,
    /// How much; where it is left out, what the quantity cost, or all that is left.
    amount_minor: Option<i64>,
}

impl RefundBody {
    fn wish(self) -> Result<NewRefund, OrderError> {
        let part = |part: PartBody| {
            let PartBody { number, quantity, amount_minor } = part;
            LinePart { number, quantity, amount_minor }
        };
        let what = match (self.amount_minor, self.lines.is_empty()) {
            (Some(minor), true) => What::Amount(minor),
            (None, true) => What::Whole,
            (None, false) => What::Lines(self.lines.into_iter().map(part).collect()),
            (Some(_), false) => return Err(OrderError::field("/amountMinor", "Send an amount or lines.")),
        };
        Ok(NewRefund { what, give_back: self.give_back, reason: self.reason })
    }
}

/// List the refunds of an order.
#[utoipa::path(get, path = "/api/orders/{id}/refunds", tag = "orders", params(("id" = String, Path, description = "The order")),
    responses((status = 200, description = "Its refunds, the oldest first.", body = Listed<RefundView>),
        (status = 401, description = "Nobody is signed in."), (status = 404, description = "None that one may see.")))]
pub(super) async fn refunds(
    State(orders): State<Orders>,
    account: Account,
    Path(order): Path<String>,
) -> Result<Json<Listed<RefundView>>, Failure> {
    let items = orders.details(&account.caller, &id(&order, "order")?).await?.refunds;
    let total = items.len() as u64;
    Ok(Json(Listed { items: items.iter().map(RefundView::of).collect(), total }))
}

/// Refund an order, whole or in part: its sellers their lines, operators anything.
#[utoipa::path(post, path = "/api/orders/{id}/refunds", tag = "orders", request_body = RefundBody,
    params(("id" = String, Path, description = "The order"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key and body: the same answer.")),
    responses((status = 201, description = "The refund.", body = RefundView),
        (status = 401, description = "Nobody is signed in."), (status = 404, description = "None that one sold."),
        (status = 409, description = "It is not paid, or that much is not left."), (status = 422, description = "Some fields are wrong.")))]
pub(super) async fn refund(
    State(orders): State<Orders>,
    account: Account,
    Path(order): Path<String>,
    key: Key,
    Json(body): Json<RefundBody>,
) -> Result<Response, Failure> {
    let id = id(&order, "order")?;
    let request = Request::new(key, format!("{} POST /api/orders/{id}/refunds", account.actor.user), &body);
    let stored = orders.refund_once(&account.caller, &id, body.wish()?, request, RefundView::of).await?;
    Ok(stored.into_response())
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct PaymentBody {
    /// The order.
    order_id: String,
    /// A token of the gateway, such as `tok_visa` in the sandbox.
    token: Option<String>,
    /// A test card of the sandbox.
    card: Option<Card>,
    /// A saved card.
    #[schema(value_type = Option<String>)]
    method_id: Option<MethodId>,
    /// From the buyer's balance.
    #[serde(default)]
    wallet: bool,
}

impl PaymentBody {
    /// What the same key must come with again. A card is told apart by its last digits, and not kept.
    fn source(self) -> Result<Source, OrderError> {
        let one = |body: Self| match body {
            Self { token: Some(token), card: None, method_id: None, wallet: false, .. } => {
                Some(Source::Token(token))
            }
            Self { token: None, card: Some(card), method_id: None, wallet: false, .. } => {
                Some(Source::Card(card))
            }
            Self { token: None, card: None, method_id: Some(id), wallet: false, .. } => {
                Some(Source::Method(id))
            }
            Self { token: None, card: None, method_id: None, wallet: true, .. } => Some(Source::Wallet),
            Self { token: None, card: None, method_id: None, wallet: false, .. } => Some(Source::Browser),
            _ => None,
        };
        one(self).ok_or_else(|| OrderError::field("/token", "Send one of token, card, methodId and wallet."))
    }
}

/// Pay an order. Without a way to pay, an intent is made that the buyer confirms on the page in `nextPage`.
#[utoipa::path(post, path = "/api/payments", tag = "payments", request_body = PaymentBody,
    params(("Idempotency-Key" = Option<String>, Header,
        description = "The same key and way to pay: the same payment, as it is now.")),
    responses((status = 201, description = "The payment: authorised, or waiting for the buyer.", body = PaidView),
        (status = 202, description = "The bank has not said yet; the order stays held.", body = PaidView),
        (status = 401, description = "Nobody is signed in."), (status = 402, description = "Declined; nothing was charged."),
        (status = 404, description = "No order that one may pay."),
        (status = 409, description = "The time is over, the order is paid, or a payment is under way."),
        (status = 422, description = "Some fields are wrong, or the key named another payment.")))]
pub(super) async fn pay(
    State(orders): State<Orders>,
    account: Account,
    Key(key): Key,
    Json(body): Json<PaymentBody>,
) -> Result<Response, Failure> {
    let id = id(&body.order_id, "order")?;
    let paid = orders.pay(&account.caller, &id, body.source()?, key).await?;
    if let Some(reason) = paid.payment.failure.clone().filter(|_| !paid.payment.state.is_open()) {
        let declined = OrderError::Payment(PaymentError::Gateway(reason));
        return Err(Problem::from(declined)
            .next("The order stays held until its deadline: pay in another way.")
            .into());
    }
    let status = match paid.payment.state {
        payments::State::Unknown => StatusCode::ACCEPTED,
        payments::State::Submitted if paid.payment.next_action.is_none() => StatusCode::ACCEPTED,
        _ => StatusCode::CREATED,
    };
    Ok((status, Json(PaidView::of(&paid))).into_response())
}

/// List what one may use.
#[utoipa::path(get, path = "/api/entitlements", tag = "orders", params(Part),
    responses((status = 200, description = "What one's orders and subscriptions gave, the newest first.", body = Listed<Entitlement>),
        (status = 401, description = "Nobody is signed in.")))]
pub(super) async fn entitlements(
    State(orders): State<Orders>,
    account: Account,
    Query(part): Query<Part>,
) -> Result<Json<Listed<Entitlement>>, Failure> {
    let page = orders.entitlements(&account.caller, part.checked()?).await?;
    Ok(Json(Listed::page(page)))
}
