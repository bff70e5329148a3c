//! Making deployments and reading what they are and do.

use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use identity::Account;
use kernel::{Paging, Timestamp};
use serde::{Deserialize, Serialize};
use web::idempotency::{Key, Request};
use web::{Failure, Json, Part, Path, Query, Tagged};

use super::views::{CredentialsView, DeploymentView, MadeView, StandingView, ToPayView, endpoint, to_pay};
use crate::deployment::{NewDeployment, Status};
use crate::error::{ServiceError, id};
use crate::figures::Figures;
use crate::{DeploymentId, Services};

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(default)]
pub(super) struct Filter {
    /// How many at the most: 1 to 100.
    limit: u32,
    /// How many to pass over.
    offset: u32,
    /// Only those that are so far: provisioning, running, degraded, stopping, stopped, failed, deleting.
    status: Option<String>,
}

impl Default for Filter {
    fn default() -> Self {
        let Paging { limit, offset } = Paging::default();
        Self { limit, offset, status: None }
    }
}

#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct DeploymentList {
    deployments: Vec<DeploymentView>,
    total: u64,
}

/// List the deployments.
#[utoipa::path(get, path = "/api/deployments", tag = "deployments", params(Filter),
    responses((status = 200, description = "Those of the account and of its organisations, newest first.", body = DeploymentList),
        (status = 401, description = "Nobody is signed in.")))]
pub(super) async fn list(
    State(services): State<Services>,
    account: Account,
    Query(filter): Query<Filter>,
) -> Result<Json<DeploymentList>, Failure> {
    let paging = Paging { limit: filter.limit, offset: filter.offset }.checked()?;
    let status =
        filter.status.as_deref().filter(|word| !word.is_empty()).map(str::parse::<Status>).transpose();
    let status = status.map_err(|words| ServiceError::field("/status", words))?;
    let found = services.list(&account.caller, status, paging).await?;
    let deployments = found.items.iter().map(|known| DeploymentView::of(&services, known)).collect();
    Ok(Json(DeploymentList { deployments, total: found.total }))
}

#[derive(Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct DeployBody {
    /// The service's id or slug.
    service_id: String,
    /// 1 to 60 letters, digits, spaces, dashes, dots or underscores.
    name: String,
    #[serde(default)]
    config: Config,
    /// The organisation, by name, whose it is to be.
    organisation: Option<String>,
}

#[derive(Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct Config {
    /// The plan; the service's first where absent.
    tier: Option<String>,
    /// The region; the service's first where absent.
    region: Option<String>,
    /// The backup that it begins with; nothing where absent.
    backup_id: Option<String>,
    /// The service's own settings by their names, as GET /api/services/{slug} lists them.
    #[serde(flatten)]
    settings: serde_json::Map<String, serde_json::Value>,
}

/// Deploy a service.
#[utoipa::path(post, path = "/api/deployments", tag = "deployments", request_body = DeployBody,
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key and body: the same deployment.")),
    responses((status = 201, description = "It is being made; its address and credentials hold once it runs.", body = MadeView),
        (status = 202, description = "An order was placed and is to be paid; the deployment is made by itself then. The same key and body answer with it.", body = ToPayView),
        (status = 401, description = "Nobody is signed in."), (status = 402, description = "The plan is not for sale here."),
        (status = 409, description = "The name is taken, there are as many free ones as may be, or the order for it is over."),
        (status = 422, description = "Some fields are wrong."), (status = 503, description = "Its image or the engine is missing.")))]
pub(super) async fn deploy(
    State(services): State<Services>,
    account: Account,
    key: Key,
    Json(body): Json<DeployBody>,
) -> Result<Response, Failure> {
    let request = Request::new(key, format!("{} POST /api/deployments", account.actor.user), &body);
    let new = NewDeployment {
        service: body.service_id,
        name: body.name,
        plan: body.config.tier,
        region: body.config.region,
        settings: body.config.settings,
        backup: body.config.backup_id.as_deref().map(|text| id(text, "backup")).transpose()?,
        organisation: body.organisation,
    };
    let made = match services.deploy(&account.caller, new, request).await {
        Ok(made) => made,
        Err(error) => return to_pay(&services, error),
    };
    let view = MadeView {
        deployment_id: made.deployment.id.to_string(),
        endpoint: endpoint(&services, &made.deployment),
        name: made.deployment.name,
        status: made.deployment.status,
        credentials: made.shown.into(),
        estimated_time: "1-5 seconds",
        version: made.deployment.version,
    };
    Ok((StatusCode::CREATED, Json(view)).into_response())
}

/// Read a deployment.
#[utoipa::path(get, path = "/api/deployments/{id}", tag = "deployments",
    params(("id" = String, Path, description = "The deployment's id")),
    responses((status = 200, description = "The deployment with what it does and costs.", body = StandingView,
            headers(("ETag" = String, description = "Its version, for If-Match."))),
        (status = 401, description = "Nobody is signed in."), (status = 404, description = "No such deployment of yours.")))]
pub(super) async fn find(
    State(services): State<Services>,
    account: Account,
    Path(deployment): Path<String>,
) -> Result<Tagged<Json<StandingView>>, Failure> {
    let id = id::<DeploymentId>(&deployment, "deployment")?;
    let standing = services.standing(&account.caller, &id).await?;
    let shown = services.credentials(&account.caller, &id, false).await?;
    Ok(Tagged(standing.deployment.version, Json(StandingView::of(&services, standing, shown))))
}

#[derive(Deserialize, Default, utoipa::IntoParams)]
#[serde(default)]
pub(super) struct Reveal {
    /// Whether secrets shall be shown: that is written down in the audit trail.
    reveal: bool,
}

/// Read how a deployment is reached.
#[utoipa::path(get, path = "/api/deployments/{id}/credentials", tag = "deployments",
    params(("id" = String, Path, description = "The deployment's id"), Reveal),
    responses((status = 200, description = "Its address and credentials.", body = CredentialsView),
        (status = 401, description = "Nobody is signed in."), (status = 404, description = "No such deployment of yours.")))]
pub(super) async fn credentials(
    State(services): State<Services>,
    account: Account,
    Path(deployment): Path<String>,
    Query(asked): Query<Reveal>,
) -> Result<impl IntoResponse, Failure> {
    let id = id::<DeploymentId>(&deployment, "deployment")?;
    let shown = services.credentials(&account.caller, &id, asked.reveal).await?;
    Ok(([(http::header::CACHE_CONTROL, "no-store")], Json(CredentialsView::from(shown))))
}

#[derive(Serialize, utoipa::ToSchema)]
struct HappenedView {
    /// The version that it had then.
    version: i64,
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    status: Status,
    words: String,
}

#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct HappenedList {
    events: Vec<HappenedView>,
    total: u64,
}

/// Read what happened to a deployment.
#[utoipa::path(get, path = "/api/deployments/{id}/events", tag = "deployments",
    params(("id" = String, Path, description = "The deployment's id"), Part),
    responses((status = 200, description = "Newest first.", body = HappenedList),
        (status = 401, description = "Nobody is signed in."), (status = 404, description = "No such deployment of yours.")))]
pub(super) async fn happened(
    State(services): State<Services>,
    account: Account,
    Path(deployment): Path<String>,
    Query(part): Query<Part>,
) -> Result<Json<HappenedList>, Failure> {
    let id = id::<DeploymentId>(&deployment, "deployment")?;
    let found = services.happened(&account.caller, &id, part.checked()?).await?;
    let view = |one: crate::Happened| HappenedView {
        version: one.version,
        at: one.at,
        status: one.status,
        words: one.words,
    };
    Ok(Json(HappenedList { events: found.items.into_iter().map(view).collect(), total: found.total }))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(default)]
pub(super) struct Span {
    /// Over how many hours: 1 to 1,440.
    hours: u32,
}

impl Default for Span {
    fn default() -> Self {
        Self { hours: 1 }
    }
}

#[derive(Serialize, utoipa::ToSchema)]
struct SampleView {
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    #[serde(flatten)]
    figures: Figures,
}

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct SampleList {
    /// For how many seconds each stands.
    step_seconds: i64,
    samples: Vec<SampleView>,
}

/// Read what was measured of a deployment.
#[utoipa::path(get, path = "/api/deployments/{id}/metrics", tag = "deployments",
    params(("id" = String, Path, description = "The deployment's id"), Span),
    responses((status = 200, description = "Oldest first, in the finest steps that are kept for so long.", body = SampleList),
        (status = 401, description = "Nobody is signed in."), (status = 404, description = "No such deployment of yours.")))]
pub(super) async fn figures(
    State(services): State<Services>,
    account: Account,
    Path(deployment): Path<String>,
    Query(span): Query<Span>,
) -> Result<Json<SampleList>, Failure> {
    let id = id::<DeploymentId>(&deployment, "deployment")?;
    let hours = u64::from(span.hours.clamp(1, 1440));
    let since = account.caller.now().before(Duration::from_secs(hours * 3600));
    let (step_seconds, samples) = services.samples(&account.caller, &id, since).await?;
    let view = |sample: crate::figures::Sample| SampleView { at: sample.at, figures: sample.figures };
    Ok(Json(SampleList { step_seconds, samples: samples.into_iter().map(view).collect() }))
}
