//! Payouts over JSON.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use identity::{Account, Operator};
use kernel::{Currency, Money, Page, Paging, Problem, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::OpenApi;
use web::idempotency::{Key, Request};
use web::{Access, Failure, IfMatch, Json, Path, Query, Routes, Tagged, expected_version};

use crate::account::PayoutAccount;
use crate::error::PayoutError;
use crate::look::Line;
use crate::payout::{Every, Payout, PayoutId, Schedule, SellerBalance};
use crate::request::NewPayout;
use crate::room::Payouts;

/// This room's part of the API.
#[must_use]
pub fn routes(payouts: Payouts) -> Routes {
    Routes::new()
        .get("/api/seller/balance", Access::Account, balance)
        .get("/api/seller/transactions", Access::Account, transactions)
        .get("/api/seller/transactions.csv", Access::Account, export)
        .get("/api/seller/payouts", Access::Account, list)
        .post("/api/seller/payouts", Access::Account, request)
        .get("/api/seller/payouts/{id}", Access::Account, find)
        .get("/api/seller/payout-schedule", Access::Account, schedule)
        .put("/api/seller/payout-schedule", Access::Account, set_schedule)
        .get("/api/seller/payout-account", Access::Account, account)
        .post("/api/seller/payout-account", Access::Account, connect)
        .get("/api/operator/payouts", Access::Operator, list_all)
        .with_state(payouts)
}

/// What this room adds to the description of the API.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    Described::openapi()
}

#[derive(OpenApi)]
#[openapi(paths(
    balance,
    transactions,
    export,
    list,
    request,
    find,
    schedule,
    set_schedule,
    account,
    connect,
    list_all
))]
struct Described;

/// For whom: the caller, or an organisation that it manages.
#[derive(Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
struct Whose {
    /// The organisation, by name; the caller where absent.
    org: Option<String>,
}

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct SellerBalanceView {
    currency: String,
    /// Sold, and not to be paid out before it matures.
    pending: f64,
    pending_minor: i64,
    /// To be paid out now.
    available: f64,
    available_minor: i64,
    /// On its way.
    in_transit: f64,
    in_transit_minor: i64,
    /// Owed to the market; the next sales pay it off.
    debt: f64,
    debt_minor: i64,
}

impl From<&SellerBalance> for SellerBalanceView {
    fn from(balance: &SellerBalance) -> Self {
        Self {
            currency: balance.currency().to_string(),
            pending: balance.pending.major_number(),
            pending_minor: balance.pending.minor,
            available: balance.available.major_number(),
            available_minor: balance.available.minor,
            in_transit: balance.in_transit.major_number(),
            in_transit_minor: balance.in_transit.minor,
            debt: balance.debt.major_number(),
            debt_minor: balance.debt.minor,
        }
    }
}

/// Where the money goes.
#[derive(Serialize, utoipa::ToSchema)]
struct PayoutAccountView {
    gateway: String,
    /// Whether the gateway pays out to it.
    ready: bool,
    /// What the gateway still wants to know.
    missing: Vec<String>,
}

impl From<&PayoutAccount> for PayoutAccountView {
    fn from(account: &PayoutAccount) -> Self {
        Self {
            gateway: account.gateway.clone(),
            ready: account.ready,
            missing: account.missing.lines().map(str::to_owned).collect(),
        }
    }
}

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct BalanceAnswer {
    seller: String,
    balances: Vec<SellerBalanceView>,
    /// None where nothing is set up yet.
    account: Option<PayoutAccountView>,
}

/// Read the seller's balance.
#[utoipa::path(get, path = "/api/seller/balance", tag = "payouts", params(Whose), security(("token" = [])),
    responses((status = 200, description = "One balance per currency in which something was earned.", body = BalanceAnswer),
        (status = 401, description = "Nobody is signed in."), (status = 403, description = "Not the caller's.")))]
async fn balance(
    State(payouts): State<Payouts>,
    by: Account,
    Query(whose): Query<Whose>,
) -> Result<Json<BalanceAnswer>, Failure> {
    let overview = payouts.overview(&by.caller, whose.org.as_deref()).await?;
    Ok(Json(BalanceAnswer {
        seller: overview.seller.to_string(),
        balances: overview.balances.iter().map(Into::into).collect(),
        account: overview.account.as_ref().map(Into::into),
    }))
}

/// Which part of a list, for whom.
#[derive(Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
struct Part {
    /// The organisation, by name; the caller where absent.
    org: Option<String>,
    /// Of which currency; USD where absent.
    currency: Option<String>,
    /// How many: 1 to 100, 20 where absent.
    limit: Option<u32>,
    /// How many to pass over.
    offset: u32,
}

impl Part {
    fn paging(&self) -> Result<Paging, Problem> {
        Paging::asked(self.limit, self.offset)
    }

    fn currency(&self) -> Result<Currency, PayoutError> {
        currency(self.currency.as_deref())
    }
}

/// The currency of this code; the demo's where there is none.
pub(crate) fn currency(code: Option<&str>) -> Result<Currency, PayoutError> {
    let Some(code) = code.map(str::trim).filter(|code| !code.is_empty()) else { return Ok(Currency::USD) };
    let wrong =
        |error: kernel::MoneyError| PayoutError::Field { pointer: "/currency", detail: format!("{error}.") };
    code.parse().map_err(wrong)
}

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct TransactionView {
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// `sale`, `refund`, `payout`, ….
    reason: String,
    /// What it brought, or took where it is below zero.
    amount: f64,
    amount_minor: i64,
    currency: String,
    /// `settled`, `pending` (it matures later) or `reserved`.
    state: &'static str,
    #[schema(value_type = Option<String>, format = DateTime)]
    matures_at: Option<Timestamp>,
    /// The business event.
    reference: String,
}

impl TransactionView {
    fn of(line: Line, now: Timestamp) -> Self {
        Self {
            at: line.at,
            state: line.state(now),
            reason: line.reason,
            amount: line.amount.major_number(),
            amount_minor: line.amount.minor,
            currency: line.amount.currency.to_string(),
            matures_at: line.matures_at,
            reference: line.journal,
        }
    }
}

#[derive(Serialize, utoipa::ToSchema)]
struct TransactionsAnswer {
    transactions: Vec<TransactionView>,
    total: u64,
}

/// List what was earned and paid out.
#[utoipa::path(get, path = "/api/seller/transactions", tag = "payouts", params(Part), security(("token" = [])),
    responses((status = 200, description = "The seller's statement, the newest first.", body = TransactionsAnswer),
        (status = 401, description = "Nobody is signed in."), (status = 403, description = "Not the caller's.")))]
async fn transactions(
    State(payouts): State<Payouts>,
    by: Account,
    Query(part): Query<Part>,
) -> Result<Json<TransactionsAnswer>, Failure> {
    let (org, currency) = (part.org.as_deref(), part.currency()?);
    let Page { items, total } = payouts.statement(&by.caller, org, currency, part.paging()?).await?;
    let now = by.caller.now();
    let transactions = items.into_iter().map(|line| TransactionView::of(line, now)).collect();
    Ok(Json(TransactionsAnswer { transactions, total }))
}

/// Export the statement.
#[utoipa::path(get, path = "/api/seller/transactions.csv", tag = "payouts", params(Part), security(("token" = [])),
    responses((status = 200, description = "All of it as CSV, the newest first.", content_type = "text/csv"),
        (status = 401, description = "Nobody is signed in."), (status = 403, description = "Not the caller's.")))]
async fn export(
    State(payouts): State<Payouts>,
    by: Account,
    Query(part): Query<Part>,
) -> Result<Response, Failure> {
    Ok(payouts.export(&by.caller, part.org.as_deref(), part.currency()?)?)
}

/// A payout as the API shows it.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PayoutView {
    payout_id: String,
    seller: String,
    amount: f64,
    amount_minor: i64,
    currency: String,
    gateway: String,
    /// `requested`, `submitted`, `unknown`, `paid` or `failed`.
    state: &'static str,
    /// The gateway's name of the transfer.
    reference: Option<String>,
    /// Why it failed.
    failure: Option<FailureView>,
    version: i64,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

#[derive(Serialize, utoipa::ToSchema)]
struct FailureView {
    code: String,
    message: String,
}

impl From<&Payout> for PayoutView {
    fn from(payout: &Payout) -> Self {
        let failure = payout.failure.clone();
        Self {
            payout_id: payout.id.to_string(),
            seller: payout.seller.to_string(),
            amount: payout.amount.major_number(),
            amount_minor: payout.amount.minor,
            currency: payout.amount.currency.to_string(),
            gateway: payout.gateway.clone(),
            state: payout.state.as_str(),
            reference: payout.reference.clone(),
            failure: failure.map(|(code, message)| FailureView { code, message }),
            version: payout.version,
            created_at: payout.created_at,
            updated_at: payout.updated_at,
        }
    }
}

#[derive(Serialize, utoipa::ToSchema)]
struct PayoutsAnswer {
    payouts: Vec<PayoutView>,
    total: u64,
}

impl From<Page<Payout>> for PayoutsAnswer {
    fn from(page: Page<Payout>) -> Self {
        Self { payouts: page.items.iter().map(Into::into).collect(), total: page.total }
    }
}

/// List payouts.
#[utoipa::path(get, path = "/api/seller/payouts", tag = "payouts", params(Part), security(("token" = [])),
    responses((status = 200, description = "The seller's payouts, the newest first.", body = PayoutsAnswer),
        (status = 401, description = "Nobody is signed in."), (status = 403, description = "Not the caller's.")))]
async fn list(
    State(payouts): State<Payouts>,
    by: Account,
    Query(part): Query<Part>,
) -> Result<Json<PayoutsAnswer>, Failure> {
    Ok(Json(payouts.list(&by.caller, part.org.as_deref(), part.paging()?).await?.into()))
}

#[derive(Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PayoutWish {
    /// The organisation, by name; the caller where absent.
    org: Option<String>,
    /// USD where absent.
    currency: Option<String>,
    /// How much, in minor units; all that is available where absent.
    amount_minor: Option<i64>,
}

/// Ask for a payout.
#[utoipa::path(post, path = "/api/seller/payouts", tag = "payouts", request_body = PayoutWish, security(("token" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key and body: the same answer.")),
    responses((status = 201, description = "The payout; its state is read again at its own address.", body = PayoutView),
        (status = 401, description = "Nobody is signed in."), (status = 403, description = "Not the caller's."),
        (status = 409, description = "Nothing is available, another is under way, or there is no account to pay out to."),
        (status = 422, description = "More than is available, or less than the minimum.")))]
async fn request(
    State(payouts): State<Payouts>,
    by: Account,
    key: Key,
    Json(wish): Json<PayoutWish>,
) -> Result<Response, Failure> {
    let asked = Request::new(key, format!("{} POST /api/seller/payouts", by.actor.user), &wish);
    let currency = currency(wish.currency.as_deref())?;
    let amount = wish.amount_minor.map(|minor| Money::new(minor, currency));
    let new = NewPayout { org: wish.org, currency, amount };
    let stored = payouts.request(&by.caller, new, asked).await?;
    payouts.hand_on();
    Ok(stored.into_response())
}

/// Read a payout.
#[utoipa::path(get, path = "/api/seller/payouts/{id}", tag = "payouts", security(("token" = [])),
    params(("id" = String, Path, description = "The payout's id")),
    responses((status = 200, description = "The payout.", body = PayoutView),
        (status = 401, description = "Nobody is signed in."), (status = 404, description = "No such payout.")))]
async fn find(
    State(payouts): State<Payouts>,
    by: Account,
    Path(id): Path<String>,
) -> Result<Tagged<Json<PayoutView>>, Failure> {
    let id: PayoutId = id.parse().map_err(|_| PayoutError::NotFound)?;
    let payout = payouts.find(&by.caller, &id).await?;
    Ok(Tagged(payout.version, Json(PayoutView::from(&payout))))
}

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct ScheduleView {
    /// `manual`, `daily`, `weekly` or `monthly`.
    every: &'static str,
    /// The least to pay out by itself, in whole major units of each currency.
    minimum: u32,
    #[schema(value_type = Option<String>, format = DateTime)]
    next_at: Option<Timestamp>,
    version: i64,
}

impl From<Schedule> for ScheduleView {
    fn from(schedule: Schedule) -> Self {
        let Schedule { every, minimum, next_at, version } = schedule;
        Self { every: every.as_str(), minimum, next_at, version }
    }
}

fn tagged(schedule: Schedule) -> Tagged<Json<ScheduleView>> {
    Tagged(schedule.version, Json(schedule.into()))
}

/// Read the schedule.
#[utoipa::path(get, path = "/api/seller/payout-schedule", tag = "payouts", params(Whose), security(("token" = [])),
    responses((status = 200, description = "When money is paid out without asking.", body = ScheduleView),
        (status = 401, description = "Nobody is signed in."), (status = 403, description = "Not the caller's.")))]
async fn schedule(
    State(payouts): State<Payouts>,
    by: Account,
    Query(whose): Query<Whose>,
) -> Result<Tagged<Json<ScheduleView>>, Failure> {
    Ok(tagged(payouts.schedule(&by.caller, whose.org.as_deref()).await?))
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ScheduleWish {
    /// The organisation, by name; the caller where absent.
    org: Option<String>,
    /// `manual`, `daily`, `weekly` or `monthly`.
    every: String,
    /// In whole major units of each currency.
    #[serde(default)]
    minimum: u32,
    /// The version that was read; a stale one changes nothing.
    version: Option<i64>,
}

/// Set the schedule.
#[utoipa::path(put, path = "/api/seller/payout-schedule", tag = "payouts", request_body = ScheduleWish,
    security(("token" = [])),
    params(("If-Match" = Option<String>, Header, description = "The ETag that was read.")),
    responses((status = 200, description = "The schedule as it is now.", body = ScheduleView),
        (status = 401, description = "Nobody is signed in."), (status = 403, description = "Not the caller's."),
        (status = 409, description = "The version in the body is stale."), (status = 412, description = "If-Match is stale."),
        (status = 422, description = "Some fields are wrong.")))]
async fn set_schedule(
    State(payouts): State<Payouts>,
    by: Account,
    if_match: IfMatch,
    Json(wish): Json<ScheduleWish>,
) -> Result<Tagged<Json<ScheduleView>>, Failure> {
    let expected = expected_version(if_match, wish.version)?;
    let every = every(&wish.every)?;
    let org = wish.org.as_deref();
    Ok(tagged(payouts.set_schedule(&by.caller, org, every, wish.minimum, expected).await?))
}

pub(crate) fn every(word: &str) -> Result<Every, PayoutError> {
    let wrong = |detail: &str| PayoutError::Field { pointer: "/every", detail: format!("{detail}.") };
    word.parse().map_err(wrong)
}

#[derive(Serialize, utoipa::ToSchema)]
struct AccountAnswer {
    /// None where nothing is set up yet.
    account: Option<PayoutAccountView>,
}

/// Read where money goes, as the gateway says now.
#[utoipa::path(get, path = "/api/seller/payout-account", tag = "payouts", params(Whose), security(("token" = [])),
    responses((status = 200, description = "The account at the gateway.", body = AccountAnswer),
        (status = 401, description = "Nobody is signed in."), (status = 403, description = "Not the caller's."),
        (status = 503, description = "The gateway does not answer.")))]
async fn account(
    State(payouts): State<Payouts>,
    by: Account,
    Query(whose): Query<Whose>,
) -> Result<Json<AccountAnswer>, Failure> {
    let account = payouts.refresh_account(&by.caller, whose.org.as_deref()).await?;
    Ok(Json(AccountAnswer { account: account.as_ref().map(Into::into) }))
}

#[derive(Serialize, utoipa::ToSchema)]
struct ConnectAnswer {
    /// The gateway's page where the seller goes on.
    url: String,
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct ConnectWish {
    /// The organisation, by name; the caller where absent.
    org: Option<String>,
}

/// Set up where money goes.
#[utoipa::path(post, path = "/api/seller/payout-account", tag = "payouts", request_body = ConnectWish,
    security(("token" = [])),
    responses((status = 200, description = "Where to go on.", body = ConnectAnswer),
        (status = 401, description = "Nobody is signed in."), (status = 403, description = "Not the caller's."),
        (status = 503, description = "The gateway does not answer.")))]
async fn connect(
    State(payouts): State<Payouts>,
    by: Account,
    Json(wish): Json<ConnectWish>,
) -> Result<Json<ConnectAnswer>, Failure> {
    Ok(Json(ConnectAnswer { url: payouts.connect(&by.caller, wish.org.as_deref()).await? }))
}

#[derive(Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
pub(crate) struct AllAsked {
    /// Only in this state.
    pub(crate) state: String,
    /// How many: 1 to 100, 20 where absent.
    pub(crate) limit: Option<u32>,
    /// How many to pass over.
    pub(crate) offset: u32,
}

impl AllAsked {
    pub(crate) fn state(&self) -> Result<Option<crate::State>, PayoutError> {
        let wrong = |detail: &str| PayoutError::Field { pointer: "/state", detail: format!("{detail}.") };
        (!self.state.is_empty()).then(|| self.state.parse()).transpose().map_err(wrong)
    }
}

/// List everybody's payouts.
#[utoipa::path(get, path = "/api/operator/payouts", tag = "payouts", params(AllAsked), security(("token" = [])),
    responses((status = 200, description = "Payouts, the newest first.", body = PayoutsAnswer),
        (status = 401, description = "Nobody is signed in."), (status = 403, description = "No operator."),
        (status = 422, description = "There is no such state.")))]
async fn list_all(
    State(payouts): State<Payouts>,
    by: Operator,
    Query(asked): Query<AllAsked>,
) -> Result<Json<PayoutsAnswer>, Failure> {
    let paging = Paging::asked(asked.limit, asked.offset)?;
    Ok(Json(payouts.all(&by, asked.state()?, paging).await?.into()))
}
