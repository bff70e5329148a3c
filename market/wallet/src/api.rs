//! The JSON API of this room.

mod bodies;
mod rules;
mod views;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use identity::Account;
use kernel::{Paging, Problem, Timestamp};
use serde::Deserialize;
use utoipa::OpenApi;
use web::idempotency::{Key, Request};
use web::{Access, Failure, Json, Path, Query, Routes};

use crate::Wallets;
use crate::error::WalletError;
use crate::history::{Direction, Filter};
use crate::top_up::{TopUpId, TopUpState};
use bodies::{RefundBody, TopUpBody};
use views::{HistoryView, RefundView, TopUpList, TopUpView, WalletView};

/// The routes below `/api/wallet`.
pub fn routes(wallets: Wallets) -> Routes {
    Routes::new()
        .get("/api/wallet", Access::Account, show)
        .get("/api/wallet/top-ups", Access::Account, list)
        .post("/api/wallet/top-ups", Access::Account, top_up)
        .get("/api/wallet/top-ups/{id}", Access::Account, find)
        .post("/api/wallet/top-ups/{id}/refunds", Access::Account, refund)
        .get("/api/wallet/history", Access::Account, history)
        .get("/api/wallet/history.csv", Access::Account, export)
        .get("/api/wallet/auto-top-up", Access::Account, rules::auto)
        .put("/api/wallet/auto-top-up", Access::Account, rules::set_auto)
        .get("/api/wallet/alert", Access::Account, rules::alert)
        .put("/api/wallet/alert", Access::Account, rules::set_alert)
        .with_state(wallets)
}

/// What this room adds to the description of the API.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    Described::openapi()
}

#[derive(OpenApi)]
#[openapi(paths(
    show,
    list,
    top_up,
    find,
    refund,
    history,
    export,
    rules::auto,
    rules::set_auto,
    rules::alert,
    rules::set_alert
))]
struct Described;

/// Whose wallet.
#[derive(Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
pub(crate) struct Whose {
    /// Of this organisation, by name, which one administers; one's own where absent.
    pub(crate) organisation: Option<String>,
    /// In this currency; the usual one where absent.
    pub(crate) currency: String,
}

/// Read the wallet.
#[utoipa::path(get, path = "/api/wallet", tag = "wallet", params(Whose), security(("token" = [])),
    responses((status = 200, description = "What it holds in each currency, and what may be topped up.", body = WalletView),
        (status = 401, description = "Nobody is signed in."),
        (status = 404, description = "No organisation that one administers.")))]
async fn show(
    State(wallets): State<Wallets>,
    account: Account,
    Query(whose): Query<Whose>,
) -> Result<Json<WalletView>, Failure> {
    let balances = wallets.balances(&account.caller, whose.organisation.as_deref()).await?;
    let sandbox = wallets.payments.is_sandbox();
    Ok(Json(WalletView::new(&balances, wallets.settings(), sandbox)))
}

/// Which part of a list.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(default)]
struct Part {
    /// Of this organisation, by name, which one administers; one's own where absent.
    organisation: Option<String>,
    /// In this currency; the usual one where absent.
    currency: String,
    /// How many at the most: 1 to 100.
    limit: u32,
    /// How many to pass over.
    offset: u32,
}

impl Default for Part {
    fn default() -> Self {
        let Paging { limit, offset } = Paging::default();
        Self { organisation: None, currency: String::new(), limit, offset }
    }
}

/// List the top-ups.
#[utoipa::path(get, path = "/api/wallet/top-ups", tag = "wallet", params(Part), security(("token" = [])),
    responses((status = 200, description = "Newest first.", body = TopUpList),
        (status = 401, description = "Nobody is signed in."),
        (status = 404, description = "No organisation that one administers.")))]
async fn list(
    State(wallets): State<Wallets>,
    account: Account,
    Query(part): Query<Part>,
) -> Result<Json<TopUpList>, Failure> {
    let paging = Paging { limit: part.limit, offset: part.offset }.checked()?;
    let currency = wallets.settings().currency(&part.currency)?;
    let found = wallets.top_ups(&account.caller, part.organisation.as_deref(), currency, paging).await?;
    Ok(Json(TopUpList { top_ups: found.items.iter().map(TopUpView::of).collect(), total: found.total }))
}

/// Top the wallet up.
#[utoipa::path(post, path = "/api/wallet/top-ups", tag = "wallet", request_body = TopUpBody, security(("token" = [])),
    params(Whose, ("Idempotency-Key" = Option<String>, Header, description = "The same key and body: the same top-up.")),
    responses((status = 201, description = "The top-up: paid, or pending with what the buyer has to do.", body = TopUpView),
        (status = 401, description = "Nobody is signed in."), (status = 402, description = "The bank declined. Nothing was taken."),
        (status = 404, description = "No organisation that one administers."),
        (status = 409, description = "The wallet would hold too much, or no gateway is set up."),
        (status = 422, description = "Some fields are wrong, or the key was used with another body.")))]
async fn top_up(
    State(wallets): State<Wallets>,
    account: Account,
    Query(whose): Query<Whose>,
    key: Key,
    Json(body): Json<TopUpBody>,
) -> Result<impl IntoResponse, Failure> {
    let new = body.read(wallets.settings(), &whose.currency)?;
    let org = whose.organisation.as_deref();
    let scope = format!("{} POST /api/wallet/top-ups {}", account.actor.user, org.unwrap_or_default());
    let request = Request::new(key, scope, &body);
    let (top_up, payment) = wallets.top_up(&account.caller, org, &new, request).await?;
    let top_up = wallets.arrival(top_up, &payment).await?;
    if let (TopUpState::Failed, Some(reason)) = (top_up.state, &top_up.failure) {
        return Err(WalletError::Declined(reason.clone()).into());
    }
    Ok((StatusCode::CREATED, Json(TopUpView::with(&top_up, &payment))))
}

fn id(text: &str) -> Result<TopUpId, WalletError> {
    text.parse().map_err(|_| WalletError::NotFound("top-up"))
}

/// Read a top-up.
#[utoipa::path(get, path = "/api/wallet/top-ups/{id}", tag = "wallet", params(("id" = String, Path)), security(("token" = [])),
    responses((status = 200, description = "The top-up with its payment.", body = TopUpView),
        (status = 401, description = "Nobody is signed in."), (status = 404, description = "None that one may see.")))]
async fn find(
    State(wallets): State<Wallets>,
    account: Account,
    Path(text): Path<String>,
) -> Result<Json<TopUpView>, Failure> {
    let (top_up, payment) = wallets.top_up_of(&account.caller, &id(&text)?).await?;
    Ok(Json(TopUpView::with(&top_up, &payment)))
}

/// Give a top-up back to its card.
#[utoipa::path(post, path = "/api/wallet/top-ups/{id}/refunds", tag = "wallet", request_body = RefundBody,
    security(("token" = [])), params(("id" = String, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key and amount: the same refund.")),
    responses((status = 201, description = "The refund; its amount has left the wallet, or is reserved.", body = RefundView),
        (status = 401, description = "Nobody is signed in."), (status = 404, description = "None of one's own."),
        (status = 409, description = "Less than that is left in the wallet or of the top-up.")))]
async fn refund(
    State(wallets): State<Wallets>,
    account: Account,
    Path(text): Path<String>,
    key: Key,
    Json(body): Json<RefundBody>,
) -> Result<impl IntoResponse, Failure> {
    let id = id(&text)?;
    let (top_up, _) = wallets.top_up_of(&account.caller, &id).await?;
    let amount = body.read(top_up.currency())?;
    let refund = wallets.refund_top_up(&account.caller, &id, amount, key.0).await?;
    Ok((StatusCode::CREATED, Json(RefundView::from(refund))))
}

/// Which entries.
#[derive(Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
pub(crate) struct Asked {
    /// Of this organisation, by name, which one administers; one's own where absent.
    pub(crate) organisation: Option<String>,
    /// In this currency; the usual one where absent.
    pub(crate) currency: String,
    /// Only `in` or `out`.
    pub(crate) direction: String,
    /// Not before this time.
    pub(crate) from: String,
    /// Before this time.
    pub(crate) until: String,
    /// How many at the most: 1 to 100.
    pub(crate) limit: Option<u32>,
    /// Where to go on: `nextCursor` of the answer before.
    pub(crate) cursor: Option<i64>,
}

impl Asked {
    pub(crate) fn filter(&self) -> Result<Filter, WalletError> {
        let direction = match self.direction.as_str() {
            "" => None,
            "in" => Some(Direction::In),
            "out" => Some(Direction::Out),
            _ => return Err(WalletError::field("/direction", "Choose in or out.")),
        };
        let time = |pointer: &'static str, text: &str| match text {
            "" => Ok(None),
            text => text
                .parse::<Timestamp>()
                .map(Some)
                .map_err(|_| WalletError::field(pointer, "Write the time as 2026-11-21T00:00:00Z.")),
        };
        Ok(Filter { direction, from: time("/from", &self.from)?, until: time("/until", &self.until)? })
    }

    pub(crate) fn limit(&self) -> Result<u32, Problem> {
        Ok(Paging::asked(self.limit, 0)?.limit)
    }
}

/// Read the history.
#[utoipa::path(get, path = "/api/wallet/history", tag = "wallet", params(Asked), security(("token" = [])),
    responses((status = 200, description = "What happened to the balance, newest first.", body = HistoryView),
        (status = 401, description = "Nobody is signed in."),
        (status = 404, description = "No organisation that one administers."),
        (status = 422, description = "Some fields are wrong.")))]
async fn history(
    State(wallets): State<Wallets>,
    account: Account,
    Query(asked): Query<Asked>,
) -> Result<Json<HistoryView>, Failure> {
    let (limit, filter) = (asked.limit()?, asked.filter()?);
    let currency = wallets.settings().currency(&asked.currency)?;
    let org = asked.organisation.as_deref();
    let found = wallets.history(&account.caller, org, currency, filter, asked.cursor, limit).await?;
    Ok(Json(found.into()))
}

/// Export the history.
#[utoipa::path(get, path = "/api/wallet/history.csv", tag = "wallet", params(Asked), security(("token" = [])),
    responses((status = 200, description = "All of it as CSV, newest first.", content_type = "text/csv"),
        (status = 401, description = "Nobody is signed in."),
        (status = 404, description = "No organisation that one administers."),
        (status = 422, description = "Some fields are wrong.")))]
async fn export(
    State(wallets): State<Wallets>,
    account: Account,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    let currency = wallets.settings().currency(&asked.currency)?;
    Ok(wallets.export(&account.caller, asked.organisation.as_deref(), currency, asked.filter()?)?)
}
