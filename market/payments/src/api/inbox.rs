//! The door for the gateways' webhooks.

use axum::body::Body;
use axum::extract::State;
use http::{HeaderMap, StatusCode};
use kernel::Problem;
use web::Failure;

use crate::Payments;
use crate::gateway::WebhookError;

/// The longest webhook that is read, in bytes.
const MAX_BODY: usize = 256 << 10;

/// Take a signed webhook of the gateway in.
#[utoipa::path(post, path = "/api/payments/webhook", tag = "payments",
    request_body(content = String, content_type = "application/json", description = "The gateway's event, signed in `Stripe-Signature`."),
    responses((status = 200, description = "It is kept, once, and handled in a moment. Repeats change nothing."),
        (status = 400, description = "The signature does not fit, is too old, or the body is no event."),
        (status = 404, description = "Webhooks are not set up."),
        (status = 413, description = "The body is too large.")))]
pub(super) async fn receive(
    State(room): State<Payments>,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, Failure> {
    let off = || Problem::not_found("payments.webhooks_off", "This market takes no webhooks of a gateway.");
    let gateway = room.gateway(crate::stripe::NAME).ok_or_else(off)?;
    let body = axum::body::to_bytes(body, MAX_BODY)
        .await
        .map_err(|_| Problem::too_large("payments.webhook_too_large", "The webhook is too large."))?;
    match room.receive(&*gateway, &headers, &body).await? {
        Ok(()) => Ok(StatusCode::OK),
        Err(WebhookError::Off) => Err(off().into()),
        Err(error) => {
            tracing::warn!(%error, "a webhook was refused");
            let detail = format!("The webhook is refused: {error}. Nothing was kept.");
            Err(Problem::bad_request("payments.webhook_refused", detail)
                .next("Check payments.stripe_webhook_secret and the clock of this machine.")
                .into())
        }
    }
}
