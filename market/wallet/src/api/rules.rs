//! The rule of automatic top-ups, and the alert.

use axum::extract::State;
use identity::Account;
use web::{Failure, IfMatch, Json, Query, Tagged, expected_version};

use super::Whose;
use super::bodies::{AlertBody, AutoBody};
use super::views::{AlertView, AutoView};
use crate::Wallets;

/// Read the rule of automatic top-ups.
#[utoipa::path(get, path = "/api/wallet/auto-top-up", tag = "wallet", params(Whose), security(("token" = [])),
    responses((status = 200, description = "The rule; version 0 where none was ever set.", body = AutoView,
            headers(("ETag" = String, description = "Its version, for If-Match."))),
        (status = 401, description = "Nobody is signed in."),
        (status = 404, description = "No organisation that one administers.")))]
pub(super) async fn auto(
    State(wallets): State<Wallets>,
    account: Account,
    Query(whose): Query<Whose>,
) -> Result<Tagged<Json<AutoView>>, Failure> {
    let currency = wallets.settings().currency(&whose.currency)?;
    let rule = wallets.auto_top_up(&account.caller, whose.organisation.as_deref(), currency).await?;
    let view = AutoView::of(rule, currency);
    Ok(Tagged(view.version, Json(view)))
}

/// Set the rule of automatic top-ups. A balance that is below the threshold already is topped up at once.
#[utoipa::path(put, path = "/api/wallet/auto-top-up", tag = "wallet", request_body = AutoBody, security(("token" = [])),
    params(Whose, ("If-Match" = Option<String>, Header, description = "The ETag that was read; a stale one changes nothing.")),
    responses((status = 200, description = "The rule as it is now.", body = AutoView),
        (status = 401, description = "Nobody is signed in."),
        (status = 404, description = "No organisation that one administers."),
        (status = 409, description = "The version in the body is stale."), (status = 412, description = "If-Match is stale."),
        (status = 422, description = "Some fields are wrong.")))]
pub(super) async fn set_auto(
    State(wallets): State<Wallets>,
    account: Account,
    Query(whose): Query<Whose>,
    if_match: IfMatch,
    Json(body): Json<AutoBody>,
) -> Result<Tagged<Json<AutoView>>, Failure> {
    let expected = expected_version(if_match, body.version)?;
    let currency = wallets.settings().currency(&whose.currency)?;
    let change = body.read(currency)?;
    let org = whose.organisation.as_deref();
    let rule = wallets.set_auto_top_up(&account.caller, org, &change, expected).await?;
    let view = AutoView::of(Some(rule), currency);
    Ok(Tagged(view.version, Json(view)))
}

/// Read the low-balance alert.
#[utoipa::path(get, path = "/api/wallet/alert", tag = "wallet", params(Whose), security(("token" = [])),
    responses((status = 200, description = "The alert; version 0 where none was ever set.", body = AlertView,
            headers(("ETag" = String, description = "Its version, for If-Match."))),
        (status = 401, description = "Nobody is signed in."),
        (status = 404, description = "No organisation that one administers.")))]
pub(super) async fn alert(
    State(wallets): State<Wallets>,
    account: Account,
    Query(whose): Query<Whose>,
) -> Result<Tagged<Json<AlertView>>, Failure> {
    let currency = wallets.settings().currency(&whose.currency)?;
    let alert = wallets.alert(&account.caller, whose.organisation.as_deref(), currency).await?;
    let view = AlertView::of(alert, currency);
    Ok(Tagged(view.version, Json(view)))
}

/// Set the low-balance alert.
#[utoipa::path(put, path = "/api/wallet/alert", tag = "wallet", request_body = AlertBody, security(("token" = [])),
    params(Whose, ("If-Match" = Option<String>, Header, description = "The ETag that was read; a stale one changes nothing.")),
    responses((status = 200, description = "The alert as it is now.", body = AlertView),
        (status = 401, description = "Nobody is signed in."),
        (status = 404, description = "No organisation that one administers."),
        (status = 409, description = "The version in the body is stale."), (status = 412, description = "If-Match is stale."),
        (status = 422, description = "Some fields are wrong.")))]
pub(super) async fn set_alert(
    State(wallets): State<Wallets>,
    account: Account,
    Query(whose): Query<Whose>,
    if_match: IfMatch,
    Json(body): Json<AlertBody>,
) -> Result<Tagged<Json<AlertView>>, Failure> {
    let expected = expected_version(if_match, body.version)?;
    let currency = wallets.settings().currency(&whose.currency)?;
    let org = whose.organisation.as_deref();
    let alert = wallets.set_alert(&account.caller, org, body.read(currency)?, expected).await?;
    let view = AlertView::of(Some(alert), currency);
    Ok(Tagged(view.version, Json(view)))
}
