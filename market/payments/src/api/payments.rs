//! Payments: one's own, intents, and the sandbox's card.

use axum::extract::State;
use axum::response::IntoResponse;
use http::StatusCode;
use identity::Account;
use kernel::Paging;
use serde::Deserialize;
use web::idempotency::Key;
use web::{Failure, Json, Path, Query, Tagged};

use super::views::{DetailsView, PaymentList, PaymentView};
use crate::Payments;
use crate::error::PaymentError;
use crate::error::id;
use crate::sandbox::Card;

/// List one's own payments.
#[utoipa::path(get, path = "/api/payments", tag = "payments",
    params(("limit" = Option<u32>, Query, description = "1 to 100."), ("offset" = Option<u32>, Query)),
    responses((status = 200, description = "One's payments and those of one's organisations, newest first.", body = PaymentList),
        (status = 401, description = "Nobody is signed in.")))]
pub(super) async fn list(
    State(room): State<Payments>,
    account: Account,
    Query(paging): Query<Paging>,
) -> Result<Json<PaymentList>, Failure> {
    Ok(Json(room.own_payments(&account.caller, paging.checked()?).await?.into()))
}

/// One payment, with its refunds and disputes.
#[utoipa::path(get, path = "/api/payments/{id}", tag = "payments", params(("id" = String, Path)),
    responses((status = 200, description = "The payment.", body = DetailsView),
        (status = 401, description = "Nobody is signed in."),
        (status = 404, description = "None that one may see.")))]
pub(super) async fn find(
    State(room): State<Payments>,
    account: Account,
    Path(text): Path<String>,
) -> Result<impl IntoResponse, Failure> {
    let found = room.payment(&account.caller, &id(&text, "payment")?).await?;
    Ok(Tagged(found.payment.version, Json(DetailsView::from(found))))
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct IntentBody {
    /// The order to pay; or a purpose and a subject.
    order_id: Option<String>,
    /// `order`, `top-up`, `invoice`.
    purpose: Option<String>,
    /// The id of what is paid for.
    subject: Option<String>,
}

impl IntentBody {
    fn read(self) -> Result<(String, String), PaymentError> {
        match (self.order_id, self.purpose, self.subject) {
            (Some(order), None, None) => Ok(("order".to_owned(), order)),
            (None, Some(purpose), Some(subject)) => Ok((purpose, subject)),
            _ => Err(PaymentError::field("/orderId", "Name an order, or a purpose and a subject.")),
        }
    }
}

#[derive(serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct IntentView {
    #[serde(flatten)]
    payment: PaymentView,
    /// The key that the gateway's script in the browser needs; absent in the sandbox.
    publishable_key: Option<String>,
}

/// Begin a payment whose card the buyer gives in the browser.
#[utoipa::path(post, path = "/api/payments/intents", tag = "payments", request_body = IntentBody,
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key and body: the same payment.")),
    responses((status = 201, description = "The payment, with what the browser needs.", body = IntentView),
        (status = 401, description = "Nobody is signed in."),
        (status = 404, description = "Nothing of one's own to pay."),
        (status = 409, description = "No gateway is set up, or nothing is due."),
        (status = 422, description = "Some fields are wrong, or the key was used for something else.")))]
pub(super) async fn create_intent(
    State(room): State<Payments>,
    account: Account,
    key: Key,
    Json(body): Json<IntentBody>,
) -> Result<impl IntoResponse, Failure> {
    let (purpose, subject) = body.read()?;
    let payment = room.create_intent(&account.caller, &purpose, &subject, key.0).await?;
    let publishable_key = room.publishable_key(&payment);
    Ok((StatusCode::CREATED, Json(IntentView { payment: payment.into(), publishable_key })))
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ConfirmBody {
    card: Card,
}

/// Give a sandbox payment its test card.
#[utoipa::path(post, path = "/api/payments/{id}/confirm", tag = "payments", request_body = ConfirmBody,
    params(("id" = String, Path)),
    responses((status = 200, description = "The payment.", body = PaymentView),
        (status = 401, description = "Nobody is signed in."),
        (status = 404, description = "None that one may pay."),
        (status = 409, description = "It has a card already, or is over."),
        (status = 422, description = "The card is wrong.")))]
pub(super) async fn confirm(
    State(room): State<Payments>,
    account: Account,
    Path(text): Path<String>,
    Json(body): Json<ConfirmBody>,
) -> Result<Json<PaymentView>, Failure> {
    Ok(Json(room.confirm_with_card(&account.caller, &id(&text, "payment")?, &body.card).await?.into()))
}
