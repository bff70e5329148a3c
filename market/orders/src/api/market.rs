//! Carts, promo codes, and what operators set.

use axum::extract::State;
use axum::response::IntoResponse;
use catalog::{OfferId, UnitId};
use http::StatusCode;
use identity::{Account, Operator};
use kernel::{Currency, Money, Timestamp};
use serde::{Deserialize, Serialize};
use web::{Failure, IfMatch, Json, Listed, Part, Path, Query, expected_version};

use super::orders::Asked;
use super::view::{OrderView, PromoView};
use crate::cart::{Item, Owner};
use crate::error::id;
use crate::list::Side;
use crate::promo::{NewPromo, Off};
use crate::rules::{Change, FeeRule, TaxRate};
use crate::{OrderError, Orders};

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ItemView {
    offer_id: String,
    unit_id: Option<String>,
    quantity: u32,
    title: String,
    offer: String,
    unit: Option<String>,
    /// Of one, for showing; none: it is gone.
    price: Option<f64>,
    price_minor: Option<i64>,
    currency: Option<String>,
    /// Whether it could be had now. Nothing is held for a cart.
    available: bool,
}

impl ItemView {
    fn of(item: Item) -> Self {
        Self {
            offer_id: item.offer.to_string(),
            unit_id: item.unit.map(|unit| unit.to_string()),
            quantity: item.quantity,
            title: item.title,
            offer: item.name,
            unit: item.unit_label,
            price: item.price.map(Money::major_number),
            price_minor: item.price.map(|price| price.minor),
            currency: item.price.map(|price| price.currency.to_string()),
            available: item.is_available,
        }
    }
}

async fn shown(orders: &Orders, owner: &Owner) -> Result<Json<Listed<ItemView>>, Failure> {
    let items: Vec<ItemView> = orders.cart(owner).await?.into_iter().map(ItemView::of).collect();
    Ok(Json(Listed::whole(items)))
}

fn owner(account: &Account) -> Owner {
    Owner::Account(account.actor.user.to_string())
}

/// Read one's cart.
#[utoipa::path(get, path = "/api/cart", tag = "orders",
    responses((status = 200, description = "What is in it, with today's prices.", body = Listed<ItemView>),
        (status = 401, description = "Nobody is signed in.")))]
pub(super) async fn cart(
    State(orders): State<Orders>,
    account: Account,
) -> Result<Json<Listed<ItemView>>, Failure> {
    shown(&orders, &owner(&account)).await
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct CartBody {
    /// How many; 0 takes it out.
    quantity: u32,
    /// A named unit.
    #[schema(value_type = Option<String>)]
    unit_id: Option<UnitId>,
}

/// Set how many of an offer are in one's cart.
#[utoipa::path(put, path = "/api/cart/{offer}", tag = "orders", request_body = CartBody,
    params(("offer" = String, Path, description = "The offer")),
    responses((status = 200, description = "The cart.", body = Listed<ItemView>),
        (status = 401, description = "Nobody is signed in."), (status = 404, description = "No such offer."),
        (status = 422, description = "Some fields are wrong.")))]
pub(super) async fn set_in_cart(
    State(orders): State<Orders>,
    account: Account,
    Path(offer): Path<String>,
    Json(body): Json<CartBody>,
) -> Result<Json<Listed<ItemView>>, Failure> {
    let offer: OfferId = id(&offer, "offer")?;
    let (owner, now) = (owner(&account), account.caller.now());
    orders.set_in_cart(&owner, now, &offer, body.unit_id.as_ref(), body.quantity).await?;
    shown(&orders, &owner).await
}

/// Empty one's cart.
#[utoipa::path(delete, path = "/api/cart", tag = "orders",
    responses((status = 204, description = "It is empty."), (status = 401, description = "Nobody is signed in.")))]
pub(super) async fn empty_cart(
    State(orders): State<Orders>,
    account: Account,
) -> Result<StatusCode, Failure> {
    orders.empty_cart(&owner(&account)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// List one's promo codes.
#[utoipa::path(get, path = "/api/promos", tag = "orders", params(Part),
    responses((status = 200, description = "The codes for what one sells, the newest first.", body = Listed<PromoView>),
        (status = 401, description = "Nobody is signed in."), (status = 403, description = "No seller.")))]
pub(super) async fn promos(
    State(orders): State<Orders>,
    account: Account,
    Query(part): Query<Part>,
) -> Result<Json<Listed<PromoView>>, Failure> {
    let page = orders.promos(&account.caller, false, part.checked()?).await?;
    Ok(Json(Listed::of(page, PromoView::of)))
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct PromoBody {
    /// 3 to 40 letters, digits and dashes.
    code: String,
    /// For everything, paid by the market: operators only.
    #[serde(default)]
    by_market: bool,
    /// The organisation that sells.
    on_behalf_of: Option<String>,
    /// Hundredths of a percent: 2,500 are 25 %.
    percent_basis_points: Option<u32>,
    /// Or an amount of the order.
    amount_minor: Option<i64>,
    /// Of which currency.
    #[schema(value_type = Option<String>)]
    currency: Option<Currency>,
    #[schema(value_type = Option<String>, format = DateTime)]
    valid_from: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    valid_until: Option<Timestamp>,
    max_uses: Option<u32>,
    max_per_buyer: Option<u32>,
}

impl PromoBody {
    fn new_promo(self) -> Result<NewPromo, OrderError> {
        let off = match (self.percent_basis_points, self.amount_minor, self.currency) {
            (Some(percent), None, _) => Off::Percent(percent),
            (None, Some(minor), Some(currency)) => Off::Amount(Money::new(minor, currency)),
            (None, Some(_), None) => return Err(OrderError::field("/currency", "Say of which currency.")),
            _ => return Err(OrderError::field("/percentBasisPoints", "Send a percentage or an amount.")),
        };
        Ok(NewPromo {
            code: self.code,
            by_market: self.by_market,
            org: self.on_behalf_of,
            off,
            valid_from: self.valid_from,
            valid_until: self.valid_until,
            max_uses: self.max_uses,
            max_per_buyer: self.max_per_buyer,
        })
    }
}

/// Make a promo code.
#[utoipa::path(post, path = "/api/promos", tag = "orders", request_body = PromoBody,
    responses((status = 201, description = "The code.", body = PromoView),
        (status = 401, description = "Nobody is signed in."), (status = 403, description = "No seller, or no operator."),
        (status = 409, description = "There is such a code."), (status = 422, description = "Some fields are wrong.")))]
pub(super) async fn create_promo(
    State(orders): State<Orders>,
    account: Account,
    Json(body): Json<PromoBody>,
) -> Result<impl IntoResponse, Failure> {
    let promo = orders.create_promo(&account.caller, body.new_promo()?).await?;
    Ok((StatusCode::CREATED, Json(PromoView::of(promo))))
}

/// End a promo code.
#[utoipa::path(delete, path = "/api/promos/{code}", tag = "orders", params(("code" = String, Path, description = "The code")),
    responses((status = 200, description = "The code, ended; orders that used it keep their price.", body = PromoView),
        (status = 401, description = "Nobody is signed in."), (status = 404, description = "None of one's own.")))]
pub(super) async fn end_promo(
    State(orders): State<Orders>,
    account: Account,
    Path(code): Path<String>,
    if_match: IfMatch,
) -> Result<Json<PromoView>, Failure> {
    let expected = expected_version(if_match, None)?;
    Ok(Json(PromoView::of(orders.end_promo(&account.caller, &code, expected).await?)))
}

/// List everybody's orders.
#[utoipa::path(get, path = "/api/operator/orders", tag = "operator", params(Part, Asked),
    responses((status = 200, description = "All orders, the newest first.", body = Listed<OrderView>),
        (status = 401, description = "Nobody is signed in."), (status = 403, description = "No operator.")))]
pub(super) async fn orders(
    State(orders): State<Orders>,
    by: Operator,
    Query(part): Query<Part>,
    Query(asked): Query<Asked>,
) -> Result<Json<Listed<OrderView>>, Failure> {
    let page = orders.list(&by.caller, Side::Operator, asked.filter()?, part.checked()?).await?;
    Ok(Json(Listed::of(page, |placed| OrderView::of(&placed))))
}

/// List all promo codes.
#[utoipa::path(get, path = "/api/operator/promos", tag = "operator", params(Part),
    responses((status = 200, description = "All codes, the newest first.", body = Listed<PromoView>),
        (status = 401, description = "Nobody is signed in."), (status = 403, description = "No operator.")))]
pub(super) async fn all_promos(
    State(orders): State<Orders>,
    by: Operator,
    Query(part): Query<Part>,
) -> Result<Json<Listed<PromoView>>, Failure> {
    let page = orders.promos(&by.caller, true, part.checked()?).await?;
    Ok(Json(Listed::of(page, PromoView::of)))
}

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct RulesView {
    /// The market's part where no rule says otherwise, in hundredths of a percent.
    default_fee_basis_points: u32,
    fees: Vec<FeeRule>,
    taxes: Vec<TaxRate>,
}

async fn rules(orders: &Orders, by: &Operator) -> Result<Json<RulesView>, Failure> {
    let rules = orders.rules(&by.caller).await?;
    let default_fee_basis_points = orders.default_fee();
    Ok(Json(RulesView { default_fee_basis_points, fees: rules.fees, taxes: rules.taxes }))
}

/// Read the fees and taxes.
#[utoipa::path(get, path = "/api/operator/fees", tag = "operator",
    responses((status = 200, description = "The rules in force.", body = RulesView),
        (status = 401, description = "Nobody is signed in."), (status = 403, description = "No operator.")))]
pub(super) async fn fees(State(orders): State<Orders>, by: Operator) -> Result<Json<RulesView>, Failure> {
    rules(&orders, &by).await
}

/// Set a fee.
#[utoipa::path(put, path = "/api/operator/fees", tag = "operator", request_body = FeeRule,
    responses((status = 200, description = "The rules in force. Orders placed before keep theirs.", body = RulesView),
        (status = 401, description = "Nobody is signed in."), (status = 403, description = "No operator."),
        (status = 422, description = "Some fields are wrong.")))]
pub(super) async fn set_fee(
    State(orders): State<Orders>,
    by: Operator,
    Json(rule): Json<FeeRule>,
) -> Result<Json<RulesView>, Failure> {
    orders.change_rules(&by.caller, Change::SetFee(rule)).await?;
    rules(&orders, &by).await
}

#[derive(Deserialize, utoipa::IntoParams)]
pub(super) struct FeeOf {
    /// The kind of the rule; empty: all.
    #[serde(default)]
    kind: String,
    /// The seller of the rule; empty: all.
    #[serde(default)]
    seller: String,
}

/// Remove a fee.
#[utoipa::path(delete, path = "/api/operator/fees", tag = "operator", params(FeeOf),
    responses((status = 200, description = "The rules in force.", body = RulesView),
        (status = 401, description = "Nobody is signed in."), (status = 403, description = "No operator."),
        (status = 404, description = "No such rule.")))]
pub(super) async fn drop_fee(
    State(orders): State<Orders>,
    by: Operator,
    Query(FeeOf { kind, seller }): Query<FeeOf>,
) -> Result<Json<RulesView>, Failure> {
    orders.change_rules(&by.caller, Change::DropFee { kind, seller }).await?;
    rules(&orders, &by).await
}

/// Set a tax.
#[utoipa::path(put, path = "/api/operator/taxes", tag = "operator", request_body = TaxRate,
    responses((status = 200, description = "The rules in force. Orders placed before keep theirs.", body = RulesView),
        (status = 401, description = "Nobody is signed in."), (status = 403, description = "No operator."),
        (status = 422, description = "Some fields are wrong.")))]
pub(super) async fn set_tax(
    State(orders): State<Orders>,
    by: Operator,
    Json(rate): Json<TaxRate>,
) -> Result<Json<RulesView>, Failure> {
    orders.change_rules(&by.caller, Change::SetTax(rate)).await?;
    rules(&orders, &by).await
}

#[derive(Deserialize, utoipa::IntoParams)]
pub(super) struct TaxOf {
    #[serde(default)]
    country: String,
    #[serde(default)]
    region: String,
    #[serde(default)]
    kind: String,
}

/// Remove a tax.
#[utoipa::path(delete, path = "/api/operator/taxes", tag = "operator", params(TaxOf),
    responses((status = 200, description = "The rules in force.", body = RulesView),
        (status = 401, description = "Nobody is signed in."), (status = 403, description = "No operator."),
        (status = 404, description = "No such rule.")))]
pub(super) async fn drop_tax(
    State(orders): State<Orders>,
    by: Operator,
    Query(TaxOf { country, region, kind }): Query<TaxOf>,
) -> Result<Json<RulesView>, Failure> {
    orders.change_rules(&by.caller, Change::DropTax { country, region, kind }).await?;
    rules(&orders, &by).await
}
