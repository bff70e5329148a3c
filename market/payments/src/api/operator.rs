//! Everybody's payments, for operators.

use axum::extract::State;
use axum::response::IntoResponse;
use http::StatusCode;
use identity::Operator;
use kernel::{Money, Paging};
use serde::{Deserialize, Serialize};
use web::idempotency::Key;
use web::{Failure, Json, Path, Query};

use super::views::{PaymentList, PaymentView, RefundView};
use crate::Payments;
use crate::error::id;
use crate::inbox::NoticeView;
use crate::refund::NewRefund;

#[derive(Deserialize)]
#[serde(default)]
pub(super) struct Search {
    q: String,
    state: String,
    limit: u32,
    offset: u32,
}

impl Default for Search {
    fn default() -> Self {
        let Paging { limit, offset } = Paging::default();
        Self { q: String::new(), state: String::new(), limit, offset }
    }
}

/// Search all payments.
#[utoipa::path(get, path = "/api/operator/payments", tag = "operator",
    params(("q" = Option<String>, Query, description = "A whole id: of a payment, its subject, its payer, or the gateway's."),
        ("state" = Option<String>, Query), ("limit" = Option<u32>, Query), ("offset" = Option<u32>, Query)),
    responses((status = 200, description = "Payments, newest first.", body = PaymentList),
        (status = 401, description = "Nobody is signed in."),
        (status = 403, description = "Operators only.")))]
pub(super) async fn search(
    State(room): State<Payments>,
    operator: Operator,
    Query(search): Query<Search>,
) -> Result<Json<PaymentList>, Failure> {
    let paging = Paging { limit: search.limit, offset: search.offset }.checked()?;
    Ok(Json(room.search(&operator.caller, &search.q, &search.state, paging).await?.into()))
}

/// Ask the gateway about a payment now.
#[utoipa::path(post, path = "/api/operator/payments/{id}/look", tag = "operator", params(("id" = String, Path)),
    responses((status = 200, description = "The payment as it is now.", body = PaymentView),
        (status = 401, description = "Nobody is signed in."),
        (status = 403, description = "Operators only."),
        (status = 404, description = "No such payment.")))]
pub(super) async fn look(
    State(room): State<Payments>,
    operator: Operator,
    Path(text): Path<String>,
) -> Result<Json<PaymentView>, Failure> {
    Ok(Json(room.ask_now(&operator.caller, &id(&text, "payment")?).await?.into()))
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RefundBody {
    /// Everything that is left where there is none.
    amount_minor: Option<i64>,
    /// Why.
    #[serde(default)]
    reason: String,
}

/// Refund a payment by hand.
#[utoipa::path(post, path = "/api/operator/payments/{id}/refunds", tag = "operator", request_body = RefundBody,
    params(("id" = String, Path), ("Idempotency-Key" = Option<String>, Header, description = "The same key: the same refund.")),
    responses((status = 201, description = "The refund.", body = RefundView),
        (status = 401, description = "Nobody is signed in."),
        (status = 403, description = "Operators only."),
        (status = 404, description = "No such payment."),
        (status = 409, description = "Less than that is left, or nothing was taken.")))]
pub(super) async fn refund(
    State(room): State<Payments>,
    operator: Operator,
    Path(text): Path<String>,
    key: Key,
    Json(body): Json<RefundBody>,
) -> Result<impl IntoResponse, Failure> {
    let details = room.payment(&operator.caller, &id(&text, "payment")?).await?;
    let left = details.payment.refundable();
    let amount = body.amount_minor.map_or(left, |minor| Money::new(minor, left.currency));
    let new = NewRefund { payment: details.payment.id, amount, key: key.0, reason: body.reason };
    let refund = room.refund(&operator.caller, new).await?;
    Ok((StatusCode::CREATED, Json(RefundView::from(refund))))
}

#[derive(Deserialize)]
#[serde(default)]
pub(super) struct InboxOf {
    payment: String,
    limit: u32,
    offset: u32,
}

impl Default for InboxOf {
    fn default() -> Self {
        let Paging { limit, offset } = Paging::default();
        Self { payment: String::new(), limit, offset }
    }
}

#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct Inbox {
    webhooks: Vec<NoticeView>,
    total: u64,
}

/// The webhooks that gateways sent.
#[utoipa::path(get, path = "/api/operator/payment-webhooks", tag = "operator",
    params(("payment" = Option<String>, Query), ("limit" = Option<u32>, Query), ("offset" = Option<u32>, Query)),
    responses((status = 200, description = "Webhooks, newest first.", body = Inbox),
        (status = 401, description = "Nobody is signed in."),
        (status = 403, description = "Operators only.")))]
pub(super) async fn inbox(
    State(room): State<Payments>,
    operator: Operator,
    Query(of): Query<InboxOf>,
) -> Result<Json<Inbox>, Failure> {
    let paging = Paging { limit: of.limit, offset: of.offset }.checked()?;
    let page = room.inbox(&operator.caller, &of.payment, paging).await?;
    Ok(Json(Inbox { webhooks: page.items, total: page.total }))
}

/// Handle a webhook again.
#[utoipa::path(post, path = "/api/operator/payment-webhooks/{gateway}/{id}/replay", tag = "operator",
    params(("gateway" = String, Path), ("id" = String, Path)),
    responses((status = 202, description = "It is handled again in a moment."),
        (status = 401, description = "Nobody is signed in."),
        (status = 403, description = "Operators only."),
        (status = 404, description = "No such webhook.")))]
pub(super) async fn replay(
    State(room): State<Payments>,
    operator: Operator,
    Path((gateway, id)): Path<(String, String)>,
) -> Result<StatusCode, Failure> {
    room.replay(&operator.caller, &gateway, &id).await?;
    Ok(StatusCode::ACCEPTED)
}
