//! The JSON API of this room.

use axum::extract::State;
use axum::response::IntoResponse;
use http::StatusCode;
use identity::{Account, AccountId};
use kernel::{Page, Paging, Problem, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::OpenApi;
use web::idempotency::{Key, Request};
use web::{Access, Failure, IfMatch, Json, Path, Query, Routes, Tagged, expected_version};

use crate::endpoint::{Created, Endpoint, EndpointChange, NewEndpoint};
use crate::error::id;
use crate::register::all_types;
use crate::{Attempt, Delivery, DeliveryId, DeliveryState, WebhookError, WebhookId, Webhooks};

/// The routes below `/api/webhooks`.
pub fn routes(webhooks: Webhooks) -> Routes {
    Routes::new()
        .get("/api/webhooks", Access::Account, list)
        .post("/api/webhooks", Access::Account, create)
        .get("/api/webhooks/events", Access::Public, list_types)
        .get("/api/webhooks/{id}", Access::Account, find)
        .patch("/api/webhooks/{id}", Access::Account, change)
        .delete("/api/webhooks/{id}", Access::Account, delete)
        .post("/api/webhooks/{id}/rotate-secret", Access::Account, rotate)
        .post("/api/webhooks/{id}/test", Access::Account, test)
        .get("/api/webhooks/{id}/deliveries", Access::Account, list_deliveries)
        .get("/api/webhooks/{id}/deliveries/{delivery}", Access::Account, find_delivery)
        .post("/api/webhooks/{id}/deliveries/{delivery}/replay", Access::Account, replay)
        .with_state(webhooks)
}

/// What this room adds to the description of the API.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    Described::openapi()
}

#[derive(OpenApi)]
#[openapi(paths(
    list,
    create,
    list_types,
    find,
    change,
    delete,
    rotate,
    test,
    list_deliveries,
    find_delivery,
    replay
))]
struct Described;

/// An endpoint as the seed's API shows it.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct WebhookView {
    webhook_id: String,
    url: String,
    /// Types of events, or `*` for all.
    events: Vec<String>,
    description: String,
    /// The user or organisation whose it is.
    #[schema(value_type = String)]
    account: AccountId,
    /// Whether it hears of everything in the market; only operators make such.
    whole_market: bool,
    enabled: bool,
    /// Why it was switched off by itself; empty where it was not.
    reason: String,
    /// Until when the earlier secret signs too.
    #[schema(value_type = Option<String>, format = DateTime)]
    old_secret_until: Option<Timestamp>,
    version: i64,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl From<Endpoint> for WebhookView {
    fn from(endpoint: Endpoint) -> Self {
        Self {
            webhook_id: endpoint.id.to_string(),
            url: endpoint.url,
            events: endpoint.events.words().to_vec(),
            description: endpoint.description,
            account: endpoint.account,
            whole_market: endpoint.whole_market,
            enabled: endpoint.enabled,
            reason: endpoint.reason,
            old_secret_until: endpoint.old_secret_until,
            version: endpoint.version,
            created_at: endpoint.created_at,
        }
    }
}

/// An endpoint with its secret, which is shown this once.
#[derive(Serialize, utoipa::ToSchema)]
struct CreatedView {
    #[serde(flatten)]
    webhook: WebhookView,
    /// `whsec_…`: what signs, by the Standard Webhooks scheme.
    secret: String,
}

impl From<Created> for CreatedView {
    fn from(made: Created) -> Self {
        Self { webhook: made.endpoint.into(), secret: made.secret.expose().to_owned() }
    }
}

#[derive(Serialize, utoipa::ToSchema)]
struct WebhookList {
    webhooks: Vec<WebhookView>,
    total: u64,
}

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct DeliveryView {
    id: String,
    event_id: String,
    #[serde(rename = "type")]
    kind: String,
    subject: String,
    state: DeliveryState,
    /// How often it was tried.
    attempts: u32,
    /// When it is tried next, while it waits.
    #[schema(value_type = Option<String>, format = DateTime)]
    next_at: Option<Timestamp>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<Timestamp>,
}

impl From<Delivery> for DeliveryView {
    fn from(delivery: Delivery) -> Self {
        let waits = delivery.state == DeliveryState::Waiting;
        Self {
            id: delivery.id.to_string(),
            event_id: delivery.event_id.to_string(),
            kind: delivery.kind,
            subject: delivery.subject,
            state: delivery.state,
            attempts: delivery.attempts,
            next_at: waits.then_some(delivery.next_at),
            created_at: delivery.created_at,
            ended_at: delivery.ended_at,
        }
    }
}

#[derive(Serialize, utoipa::ToSchema)]
struct DeliveryList {
    deliveries: Vec<DeliveryView>,
    total: u64,
}

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct DeliveryDetail {
    #[serde(flatten)]
    delivery: DeliveryView,
    /// The body as it is sent.
    #[schema(value_type = Object)]
    payload: serde_json::Value,
    /// The latest hundred calls, newest first.
    log: Vec<Attempt>,
}

#[derive(Serialize, utoipa::ToSchema)]
struct TypeView {
    /// `package.published`.
    name: &'static str,
    summary: &'static str,
}

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(default)]
struct Part {
    /// How many at the most: 1 to 100.
    limit: u32,
    /// How many to pass over.
    offset: u32,
    /// Only deliveries that are so far: waiting, delivered, dead.
    state: Option<String>,
}

impl Default for Part {
    fn default() -> Self {
        let Paging { limit, offset } = Paging::default();
        Self { limit, offset, state: None }
    }
}

impl Part {
    fn paging(&self) -> Result<Paging, Problem> {
        Paging { limit: self.limit, offset: self.offset }.checked()
    }

    fn state(&self) -> Result<Option<DeliveryState>, WebhookError> {
        let state = self.state.as_deref().map(str::parse).transpose();
        state.map_err(|words| WebhookError::field("/state", words))
    }
}

/// List the webhooks.
#[utoipa::path(get, path = "/api/webhooks", tag = "webhooks", params(Part),
    responses((status = 200, description = "Those of the account and of the organisations it manages.", body = WebhookList),
        (status = 401, description = "Nobody is signed in.")))]
async fn list(
    State(webhooks): State<Webhooks>,
    account: Account,
    Query(part): Query<Part>,
) -> Result<Json<WebhookList>, Failure> {
    let Page { items, total } = webhooks.list(&account.caller, part.paging()?).await?;
    Ok(Json(WebhookList { webhooks: items.into_iter().map(Into::into).collect(), total }))
}

#[derive(Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewWebhook {
    /// An https address of the public internet.
    url: String,
    /// Types of events, or `*` for all.
    events: Vec<String>,
    #[serde(default)]
    description: String,
    /// The organisation, by name, whose webhook it is to be.
    organisation: Option<String>,
    /// Hear of everything in the market: for operators.
    #[serde(default)]
    whole_market: bool,
}

/// Make a webhook.
#[utoipa::path(post, path = "/api/webhooks", tag = "webhooks", request_body = NewWebhook,
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key and body: the same answer.")),
    responses((status = 201, description = "The webhook with its secret.", body = CreatedView),
        (status = 401, description = "Nobody is signed in."), (status = 409, description = "There are as many as may be."),
        (status = 422, description = "Some fields are wrong.")))]
async fn create(
    State(webhooks): State<Webhooks>,
    account: Account,
    key: Key,
    Json(body): Json<NewWebhook>,
) -> Result<impl IntoResponse, Failure> {
    let request = Request::new(key, format!("{} POST /api/webhooks", account.actor.user), &body);
    let new = NewEndpoint {
        url: body.url,
        events: body.events,
        description: body.description,
        organisation: body.organisation,
        whole_market: body.whole_market,
    };
    let made = webhooks.create(&account.caller, new, request).await?;
    Ok((StatusCode::CREATED, Json(CreatedView::from(made))))
}

/// List the types of events.
#[utoipa::path(get, path = "/api/webhooks/events", tag = "webhooks",
    responses((status = 200, description = "Everything that a webhook can be told of.", body = Vec<TypeView>)))]
async fn list_types() -> Json<Vec<TypeView>> {
    let types = all_types().into_iter();
    Json(types.map(|kind| TypeView { name: kind.name, summary: kind.summary }).collect())
}

/// Read a webhook.
#[utoipa::path(get, path = "/api/webhooks/{id}", tag = "webhooks",
    params(("id" = String, Path, description = "The webhook's id")),
    responses((status = 200, description = "The webhook, without its secret.", body = WebhookView,
            headers(("ETag" = String, description = "Its version, for If-Match."))),
        (status = 401, description = "Nobody is signed in."), (status = 404, description = "No such webhook of yours.")))]
async fn find(
    State(webhooks): State<Webhooks>,
    account: Account,
    Path(webhook): Path<String>,
) -> Result<Tagged<Json<WebhookView>>, Failure> {
    let found = webhooks.endpoint(&account.caller, &id::<WebhookId>(&webhook, "webhook")?).await?;
    Ok(Tagged(found.version, Json(found.into())))
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WebhookPatch {
    url: Option<String>,
    events: Option<Vec<String>>,
    description: Option<String>,
    enabled: Option<bool>,
    /// The version that was read; a stale one changes nothing.
    version: Option<i64>,
}

/// Change a webhook.
#[utoipa::path(patch, path = "/api/webhooks/{id}", tag = "webhooks", request_body = WebhookPatch,
    params(("id" = String, Path, description = "The webhook's id"),
        ("If-Match" = Option<String>, Header, description = "The ETag that was read; a stale one changes nothing.")),
    responses((status = 200, description = "The webhook as it is now.", body = WebhookView),
        (status = 401, description = "Nobody is signed in."), (status = 404, description = "No such webhook of yours."),
        (status = 409, description = "The version in the body is stale."), (status = 412, description = "If-Match is stale."),
        (status = 422, description = "Some fields are wrong.")))]
async fn change(
    State(webhooks): State<Webhooks>,
    account: Account,
    Path(webhook): Path<String>,
    if_match: IfMatch,
    Json(body): Json<WebhookPatch>,
) -> Result<Tagged<Json<WebhookView>>, Failure> {
    let expected = expected_version(if_match, body.version)?;
    let change = EndpointChange {
        url: body.url,
        events: body.events,
        description: body.description,
        enabled: body.enabled,
    };
    let id = id::<WebhookId>(&webhook, "webhook")?;
    let changed = webhooks.change(&account.caller, &id, expected, change).await?;
    Ok(Tagged(changed.version, Json(changed.into())))
}

/// Remove a webhook.
#[utoipa::path(delete, path = "/api/webhooks/{id}", tag = "webhooks",
    params(("id" = String, Path, description = "The webhook's id")),
    responses((status = 204, description = "It is gone, with what waited for it."),
        (status = 401, description = "Nobody is signed in."), (status = 404, description = "No such webhook of yours.")))]
async fn delete(
    State(webhooks): State<Webhooks>,
    account: Account,
    Path(webhook): Path<String>,
) -> Result<StatusCode, Failure> {
    webhooks.delete(&account.caller, &id::<WebhookId>(&webhook, "webhook")?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Replace the secret of a webhook.
#[utoipa::path(post, path = "/api/webhooks/{id}/rotate-secret", tag = "webhooks",
    params(("id" = String, Path, description = "The webhook's id")),
    responses((status = 200, description = "The new secret; the earlier one signs too for a day.", body = CreatedView),
        (status = 401, description = "Nobody is signed in."), (status = 404, description = "No such webhook of yours.")))]
async fn rotate(
    State(webhooks): State<Webhooks>,
    account: Account,
    Path(webhook): Path<String>,
) -> Result<Json<CreatedView>, Failure> {
    let made = webhooks.rotate(&account.caller, &id::<WebhookId>(&webhook, "webhook")?).await?;
    Ok(Json(made.into()))
}

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct Sent {
    /// The delivery to look at.
    delivery_id: String,
}

/// Send a test event.
#[utoipa::path(post, path = "/api/webhooks/{id}/test", tag = "webhooks",
    params(("id" = String, Path, description = "The webhook's id")),
    responses((status = 202, description = "An event of the type webhook.test is in line.", body = Sent),
        (status = 401, description = "Nobody is signed in."), (status = 404, description = "No such webhook of yours.")))]
async fn test(
    State(webhooks): State<Webhooks>,
    account: Account,
    Path(webhook): Path<String>,
) -> Result<impl IntoResponse, Failure> {
    let delivery = webhooks.test(&account.caller, &id::<WebhookId>(&webhook, "webhook")?).await?;
    Ok((StatusCode::ACCEPTED, Json(Sent { delivery_id: delivery.to_string() })))
}

/// List what was sent.
#[utoipa::path(get, path = "/api/webhooks/{id}/deliveries", tag = "webhooks",
    params(("id" = String, Path, description = "The webhook's id"), Part),
    responses((status = 200, description = "Newest first.", body = DeliveryList),
        (status = 401, description = "Nobody is signed in."), (status = 404, description = "No such webhook of yours.")))]
async fn list_deliveries(
    State(webhooks): State<Webhooks>,
    account: Account,
    Path(webhook): Path<String>,
    Query(part): Query<Part>,
) -> Result<Json<DeliveryList>, Failure> {
    let id = id::<WebhookId>(&webhook, "webhook")?;
    let found = webhooks.deliveries(&account.caller, &id, part.state()?, part.paging()?).await?;
    Ok(Json(DeliveryList {
        deliveries: found.items.into_iter().map(Into::into).collect(),
        total: found.total,
    }))
}

/// Read one delivery with its attempts.
#[utoipa::path(get, path = "/api/webhooks/{id}/deliveries/{delivery}", tag = "webhooks",
    params(("id" = String, Path, description = "The webhook's id"),
        ("delivery" = String, Path, description = "The delivery's id")),
    responses((status = 200, description = "The delivery.", body = DeliveryDetail),
        (status = 401, description = "Nobody is signed in."), (status = 404, description = "No such delivery of yours.")))]
async fn find_delivery(
    State(webhooks): State<Webhooks>,
    account: Account,
    Path((webhook, delivery)): Path<(String, String)>,
) -> Result<Json<DeliveryDetail>, Failure> {
    let (webhook, delivery) =
        (id::<WebhookId>(&webhook, "webhook")?, id::<DeliveryId>(&delivery, "delivery")?);
    let (found, log) = webhooks.delivery(&account.caller, &webhook, &delivery).await?;
    let payload = serde_json::from_str(&found.payload).unwrap_or_default();
    Ok(Json(DeliveryDetail { delivery: found.into(), payload, log }))
}

/// Send a delivery again.
#[utoipa::path(post, path = "/api/webhooks/{id}/deliveries/{delivery}/replay", tag = "webhooks",
    params(("id" = String, Path, description = "The webhook's id"),
        ("delivery" = String, Path, description = "The delivery's id")),
    responses((status = 202, description = "It is in line again, with the same webhook-id.", body = Sent),
        (status = 401, description = "Nobody is signed in."), (status = 404, description = "No such delivery of yours.")))]
async fn replay(
    State(webhooks): State<Webhooks>,
    account: Account,
    Path((webhook, delivery)): Path<(String, String)>,
) -> Result<impl IntoResponse, Failure> {
    let (webhook, delivery) =
        (id::<WebhookId>(&webhook, "webhook")?, id::<DeliveryId>(&delivery, "delivery")?);
    webhooks.replay(&account.caller, &webhook, &delivery).await?;
    Ok((StatusCode::ACCEPTED, Json(Sent { delivery_id: delivery.to_string() })))
}
