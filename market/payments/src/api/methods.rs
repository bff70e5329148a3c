//! Saved cards.

use axum::extract::State;
use axum::response::IntoResponse;
use http::StatusCode;
use identity::Account;
use serde::{Deserialize, Serialize};
use web::idempotency::Key;
use web::{Failure, Json, Path, Query};

use crate::Payments;
use crate::error::PaymentError;
use crate::error::id;
use crate::method::Method;
use crate::methods::NewMethod;
use crate::sandbox::Card;

#[derive(Deserialize)]
pub(super) struct Whose {
    organisation: Option<String>,
}

#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct Methods {
    methods: Vec<Method>,
    total: u64,
}

/// List saved cards.
#[utoipa::path(get, path = "/api/payments/methods", tag = "payments",
    params(("organisation" = Option<String>, Query, description = "Of this organisation, which one administers.")),
    responses((status = 200, description = "The cards, the default one first.", body = Methods),
        (status = 401, description = "Nobody is signed in."),
        (status = 404, description = "No organisation that one administers.")))]
pub(super) async fn list(
    State(room): State<Payments>,
    account: Account,
    Query(whose): Query<Whose>,
) -> Result<Json<Methods>, Failure> {
    let methods = room.methods(&account.caller, whose.organisation.as_deref()).await?;
    Ok(Json(Methods { total: methods.len() as u64, methods }))
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct NewMethodBody {
    /// A test card; sandbox only.
    card: Option<Card>,
    /// `pm_…` of Stripe's script, or a test token such as `tok_visa`.
    token: Option<String>,
    /// Whether it becomes the default one. The first is it anyway.
    #[serde(default)]
    default: bool,
    /// For this organisation, which one administers.
    organisation: Option<String>,
}

/// Save a card.
#[utoipa::path(post, path = "/api/payments/methods", tag = "payments", request_body = NewMethodBody,
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key and card: the same answer.")),
    responses((status = 201, description = "The card as far as people may see it.", body = Method),
        (status = 401, description = "Nobody is signed in."),
        (status = 402, description = "The bank refuses the card."),
        (status = 409, description = "No gateway is set up."),
        (status = 422, description = "Some fields are wrong.")))]
pub(super) async fn add(
    State(room): State<Payments>,
    account: Account,
    key: Key,
    Json(body): Json<NewMethodBody>,
) -> Result<impl IntoResponse, Failure> {
    let new = match (body.card, body.token) {
        (Some(card), None) => NewMethod::Card(card),
        (None, Some(token)) => NewMethod::Token(token),
        _ => return Err(PaymentError::field("/card", "Send a card or a token.").into()),
    };
    let org = body.organisation.as_deref();
    Ok(room.add_method(&account.caller, org, &new, body.default, key).await?)
}

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Setup {
    client_secret: String,
    publishable_key: Option<String>,
}

/// Prepare a card to be saved with the gateway's script in the browser (a SetupIntent).
#[utoipa::path(post, path = "/api/payments/methods/setup", tag = "payments",
    params(("organisation" = Option<String>, Query, description = "For this organisation, which one administers."),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key: the same preparation.")),
    responses((status = 201, description = "What the script needs. Save what it gives back.", body = Setup),
        (status = 401, description = "Nobody is signed in."),
        (status = 409, description = "The gateway has no such script.")))]
pub(super) async fn prepare(
    State(room): State<Payments>,
    account: Account,
    Query(whose): Query<Whose>,
    key: Key,
) -> Result<impl IntoResponse, Failure> {
    let key = key.0.unwrap_or_else(|| account.caller.ctx.request_id.to_string());
    let client_secret = room.prepare_method(&account.caller, whose.organisation.as_deref(), &key).await?;
    let publishable_key = room.settings().stripe.as_ref().and_then(|stripe| stripe.publishable_key.clone());
    Ok((StatusCode::CREATED, Json(Setup { client_secret, publishable_key })))
}

/// Make a card the default one.
#[utoipa::path(post, path = "/api/payments/methods/{id}/default", tag = "payments", params(("id" = String, Path)),
    responses((status = 200, description = "The card.", body = Method),
        (status = 401, description = "Nobody is signed in."),
        (status = 404, description = "None of one's own.")))]
pub(super) async fn set_default(
    State(room): State<Payments>,
    account: Account,
    Path(text): Path<String>,
) -> Result<Json<Method>, Failure> {
    Ok(Json(room.set_default_method(&account.caller, &id(&text, "payment method")?).await?))
}

/// Forget a card.
#[utoipa::path(delete, path = "/api/payments/methods/{id}", tag = "payments", params(("id" = String, Path)),
    responses((status = 204, description = "It is forgotten, here and at the gateway."),
        (status = 401, description = "Nobody is signed in."),
        (status = 404, description = "None of one's own.")))]
pub(super) async fn delete(
    State(room): State<Payments>,
    account: Account,
    Path(text): Path<String>,
) -> Result<StatusCode, Failure> {
    room.delete_method(&account.caller, &id(&text, "payment method")?).await?;
    Ok(StatusCode::NO_CONTENT)
}
