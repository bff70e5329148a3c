//! Subscriptions over JSON.

use axum::extract::State as Of;
use identity::{Account, Operator};
use kernel::{Page, Paging, Timestamp};
use serde::{Deserialize, Serialize};
use web::idempotency::{Key, Request, Stored};
use web::{Failure, IfMatch, Json, Path, Query, Tagged, expected_version};

use super::id;
use super::views::{InvoiceView, SubscriptionView, TotalsView};
use crate::cancel::{Cancel, When};
use crate::change::ChangePlan;
use crate::error::BillingError;
use crate::look::{Filter, Side};
use crate::manage::{Manner, SellerSetting};
use crate::room::Billing;
use crate::subscription::{State, Subscription};

/// Which subscriptions.
#[derive(Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
pub(super) struct Asked {
    /// How many at the most: 1 to 100.
    limit: Option<u32>,
    /// How many to pass over.
    offset: Option<u32>,
    /// In this state only: trialing, active, past_due, cancelled, ended.
    status: Option<String>,
    /// A subscription, a buyer or a seller, by its whole id; only for operators.
    q: String,
}

#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct SubscriptionList {
    subscriptions: Vec<SubscriptionView>,
    total: u64,
}

async fn page(
    room: &Billing,
    by: &identity::Caller,
    side: Side,
    asked: Asked,
) -> Result<Json<SubscriptionList>, Failure> {
    let paging = Paging::asked(asked.limit, asked.offset.unwrap_or_default())?;
    let state = asked.status.as_deref().filter(|text| !text.is_empty()).map(str::parse::<State>).transpose();
    let state = state.map_err(|words| BillingError::field("/status", words))?;
    let filter = Filter { state, text: asked.q };
    let Page { items, total } = room.list(by, side, filter, paging).await?;
    let subscriptions = items.iter().map(|sub| SubscriptionView::of(sub, by.now())).collect();
    Ok(Json(SubscriptionList { subscriptions, total }))
}

/// List the subscriptions.
#[utoipa::path(get, path = "/api/billing/subscriptions", tag = "billing", params(Asked),
    responses((status = 200, description = "Those of the account and its organisations, the newest first.", body = SubscriptionList),
        (status = 401, description = "Nobody is signed in.")))]
pub(super) async fn list(
    Of(room): Of<Billing>,
    account: Account,
    Query(asked): Query<Asked>,
) -> Result<Json<SubscriptionList>, Failure> {
    page(&room, &account.caller, Side::Buyer, asked).await
}

/// List the subscriptions that were sold.
#[utoipa::path(get, path = "/api/seller/subscriptions", tag = "billing", params(Asked),
    responses((status = 200, description = "Those that the account or an organisation that it manages sells.", body = SubscriptionList),
        (status = 401, description = "Nobody is signed in.")))]
pub(super) async fn list_sold(
    Of(room): Of<Billing>,
    account: Account,
    Query(asked): Query<Asked>,
) -> Result<Json<SubscriptionList>, Failure> {
    page(&room, &account.caller, Side::Seller, asked).await
}

/// List all subscriptions.
#[utoipa::path(get, path = "/api/operator/subscriptions", tag = "operator", params(Asked),
    responses((status = 200, description = "All, the newest first.", body = SubscriptionList),
        (status = 401, description = "Nobody is signed in."), (status = 403, description = "Only for operators.")))]
pub(super) async fn list_all(
    Of(room): Of<Billing>,
    by: Operator,
    Query(asked): Query<Asked>,
) -> Result<Json<SubscriptionList>, Failure> {
    page(&room, &by.caller, Side::Operator, asked).await
}

#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct TotalsList {
    totals: Vec<TotalsView>,
}

/// Count the subscriptions that were sold.
#[utoipa::path(get, path = "/api/seller/subscriptions/totals", tag = "billing",
    responses((status = 200, description = "How many there are and what they bring in a month, for each currency.", body = TotalsList),
        (status = 401, description = "Nobody is signed in."), (status = 403, description = "Only for sellers.")))]
pub(super) async fn totals(Of(room): Of<Billing>, account: Account) -> Result<Json<TotalsList>, Failure> {
    let totals = room.totals(&account.caller, Side::Seller).await?;
    Ok(Json(TotalsList { totals: totals.iter().map(TotalsView::from).collect() }))
}

/// Read a subscription.
#[utoipa::path(get, path = "/api/billing/subscriptions/{id}", tag = "billing",
    params(("id" = String, Path, description = "The subscription's id")),
    responses((status = 200, description = "The subscription, with what the period costs so far.", body = SubscriptionView,
            headers(("ETag" = String, description = "Its version, for If-Match."))),
        (status = 401, description = "Nobody is signed in."), (status = 404, description = "No such subscription of yours.")))]
pub(super) async fn find(
    Of(room): Of<Billing>,
    account: Account,
    Path(sub): Path<String>,
) -> Result<Tagged<Json<SubscriptionView>>, Failure> {
    let (sub, _) = room.find(&account.caller, &id(&sub, "subscription")?).await?;
    Ok(tagged(&sub, account.caller.now()))
}

fn tagged(sub: &Subscription, now: Timestamp) -> Tagged<Json<SubscriptionView>> {
    Tagged(sub.version, Json(SubscriptionView::of(sub, now)))
}

/// What is changed of a subscription; what is absent stays.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Patch {
    /// `wallet`, or the id of a saved card.
    pay_by: Option<String>,
    /// At which cost of a period to be told, in minor units; 0: never.
    limit_minor: Option<i64>,
    /// The version that was read; a stale one changes nothing.
    version: Option<i64>,
}

/// Change how a subscription is paid, or its limit.
#[utoipa::path(patch, path = "/api/billing/subscriptions/{id}", tag = "billing", request_body = Patch,
    params(("id" = String, Path, description = "The subscription's id"),
        ("If-Match" = Option<String>, Header, description = "The ETag that was read; a stale one changes nothing.")),
    responses((status = 200, description = "The subscription as it is now.", body = SubscriptionView),
        (status = 401, description = "Nobody is signed in."), (status = 404, description = "No such subscription of yours."),
        (status = 409, description = "It is over, or the version in the body is stale."),
        (status = 412, description = "If-Match is stale."), (status = 422, description = "Some fields are wrong.")))]
pub(super) async fn change(
    Of(room): Of<Billing>,
    account: Account,
    Path(sub): Path<String>,
    if_match: IfMatch,
    Json(body): Json<Patch>,
) -> Result<Tagged<Json<SubscriptionView>>, Failure> {
    let expected = expected_version(if_match, body.version)?;
    let pay_by = body.pay_by.as_deref().map(str::parse).transpose();
    let manner = Manner {
        pay_by: pay_by.map_err(|words| BillingError::field("/payBy", words))?,
        limit_minor: body.limit_minor.map(|limit| Some(limit).filter(|limit| *limit != 0)),
    };
    let sub = room.manage(&account.caller, &id(&sub, "subscription")?, manner, expected).await?;
    Ok(tagged(&sub, account.caller.now()))
}

/// How to leave.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Leave {
    /// `period_end` or `now`.
    #[serde(default)]
    when: When,
    /// Whether the unused part goes back: only the seller and operators say so.
    refund: Option<bool>,
    /// The version that was read; a stale one changes nothing.
    version: Option<i64>,
}

/// End a subscription.
#[utoipa::path(post, path = "/api/billing/subscriptions/{id}/cancel", tag = "billing", request_body = Leave,
    params(("id" = String, Path, description = "The subscription's id"),
        ("If-Match" = Option<String>, Header, description = "The ETag that was read; a stale one changes nothing."),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key and body: the same answer.")),
    responses((status = 200, description = "The subscription as it is now.", body = SubscriptionView),
        (status = 401, description = "Nobody is signed in."), (status = 403, description = "The buyer does not decide over the refund."),
        (status = 404, description = "No such subscription of yours."), (status = 409, description = "It is over, or the version is stale."),
        (status = 412, description = "If-Match is stale.")))]
pub(super) async fn cancel(
    Of(room): Of<Billing>,
    account: Account,
    Path(sub): Path<String>,
    if_match: IfMatch,
    key: Key,
    Json(body): Json<Leave>,
) -> Result<Stored, Failure> {
    let expected = expected_version(if_match, body.version)?;
    let request = Request::new(key, format!("{} cancel {sub}", account.actor.user), &body);
    let wish = Cancel { when: body.when, refund: body.refund };
    let now = account.caller.now();
    let view = move |sub: &Subscription| SubscriptionView::of(sub, now);
    Ok(room.cancel(&account.caller, &id(&sub, "subscription")?, wish, expected, request, view).await?)
}

/// Let a subscription go on that was to end with its period.
#[utoipa::path(post, path = "/api/billing/subscriptions/{id}/resume", tag = "billing",
    params(("id" = String, Path, description = "The subscription's id"),
        ("If-Match" = Option<String>, Header, description = "The ETag that was read; a stale one changes nothing.")),
    responses((status = 200, description = "The subscription as it is now.", body = SubscriptionView),
        (status = 401, description = "Nobody is signed in."), (status = 404, description = "No such subscription of yours."),
        (status = 409, description = "It is over."), (status = 412, description = "If-Match is stale.")))]
pub(super) async fn resume(
    Of(room): Of<Billing>,
    account: Account,
    Path(sub): Path<String>,
    if_match: IfMatch,
) -> Result<Tagged<Json<SubscriptionView>>, Failure> {
    let expected = expected_version(if_match, None)?;
    let sub = room.resume(&account.caller, &id(&sub, "subscription")?, expected).await?;
    Ok(tagged(&sub, account.caller.now()))
}

/// Another plan.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct NewPlan {
    /// An offer of the same listing.
    offer_id: String,
    /// `now` or `period_end`; absent: now where it costs more, else at the end of the period.
    when: Option<When>,
    /// The version that was read; a stale one changes nothing.
    version: Option<i64>,
}

/// What became of the change.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ChangedView {
    subscription: SubscriptionView,
    /// The invoice of the difference, where there was one.
    invoice: Option<InvoiceView>,
    /// Where the buyer confirms the payment; the plan changes once that is done.
    next_url: Option<String>,
}

/// Change the plan.
#[utoipa::path(post, path = "/api/billing/subscriptions/{id}/plan", tag = "billing", request_body = NewPlan,
    params(("id" = String, Path, description = "The subscription's id"),
        ("If-Match" = Option<String>, Header, description = "The ETag that was read; a stale one changes nothing."),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key and body: charged once.")),
    responses((status = 200, description = "The subscription as it is now, and what was charged.", body = ChangedView),
        (status = 401, description = "Nobody is signed in."), (status = 402, description = "The difference could not be charged; the plan stays."),
        (status = 404, description = "No such subscription of yours."), (status = 409, description = "This plan cannot be chosen, or the version is stale."),
        (status = 412, description = "If-Match is stale.")))]
pub(super) async fn change_plan(
    Of(room): Of<Billing>,
    account: Account,
    Path(sub): Path<String>,
    if_match: IfMatch,
    key: Key,
    Json(body): Json<NewPlan>,
) -> Result<Json<ChangedView>, Failure> {
    let expected = expected_version(if_match, body.version)?;
    let request = Request::new(key, format!("{} plan {sub}", account.actor.user), &body);
    let wish = ChangePlan { offer: id(&body.offer_id, "offer")?, when: body.when };
    let by = &account.caller;
    let changed = room.change_plan(by, &id(&sub, "subscription")?, wish, expected, request).await?;
    Ok(Json(ChangedView {
        subscription: SubscriptionView::of(&changed.subscription, by.now()),
        invoice: changed.invoice.as_ref().map(|invoice| InvoiceView::of(invoice, Side::Buyer)),
        next_url: changed.next_page,
    }))
}

/// For whom: the caller, or an organisation that it manages.
#[derive(Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
pub(super) struct Whose {
    /// The organisation, by name.
    org: Option<String>,
}

/// Read how a seller bills.
#[utoipa::path(get, path = "/api/seller/billing", tag = "billing", params(Whose),
    responses((status = 200, description = "The setting.", body = SellerSetting,
            headers(("ETag" = String, description = "Its version, for If-Match."))),
        (status = 401, description = "Nobody is signed in."), (status = 403, description = "Only for sellers.")))]
pub(super) async fn setting(
    Of(room): Of<Billing>,
    account: Account,
    Query(whose): Query<Whose>,
) -> Result<Tagged<Json<SellerSetting>>, Failure> {
    let setting = room.seller_setting(&account.caller, whose.org.as_deref()).await?;
    Ok(Tagged(setting.version, Json(setting)))
}

/// How a seller wants to bill.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct NewSetting {
    /// Whether who leaves at once gets the unused part back; absent: as the market is set.
    refund_unused: Option<bool>,
    /// Name, address, tax number: what stands on invoices. At most 600 characters.
    #[serde(default)]
    details: String,
    /// The version that was read; a stale one changes nothing.
    version: Option<i64>,
}

/// Change how a seller bills.
#[utoipa::path(put, path = "/api/seller/billing", tag = "billing", params(Whose,
        ("If-Match" = Option<String>, Header, description = "The ETag that was read; a stale one changes nothing.")),
    request_body = NewSetting,
    responses((status = 200, description = "The setting as it is now.", body = SellerSetting),
        (status = 401, description = "Nobody is signed in."), (status = 403, description = "Only for sellers."),
        (status = 409, description = "The version in the body is stale."), (status = 412, description = "If-Match is stale."),
        (status = 422, description = "Some fields are wrong.")))]
pub(super) async fn set_setting(
    Of(room): Of<Billing>,
    account: Account,
    Query(whose): Query<Whose>,
    if_match: IfMatch,
    Json(body): Json<NewSetting>,
) -> Result<Tagged<Json<SellerSetting>>, Failure> {
    let expected = expected_version(if_match, body.version)?;
    let new = SellerSetting { refund_unused: body.refund_unused, details: body.details, version: 0 };
    let set = room.set_seller_setting(&account.caller, whose.org.as_deref(), new, expected).await?;
    Ok(Tagged(set.version, Json(set)))
}
