//! `/api/operator/jobs`.

use axum::extract::State;
use identity::Operator;
use jobs::{Filter, JobView};
use kernel::{Paging, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::OpenApi;
use web::{Access, Failure, Json, Path, Query, Routes};

use super::Work;
use crate::work::{self, Change};

pub(super) fn routes() -> Routes<Work> {
    Routes::new()
        .get("/api/operator/jobs", Access::Operator, list)
        .post("/api/operator/jobs/{id}/retry", Access::Operator, retry)
        .post("/api/operator/jobs/{id}/cancel", Access::Operator, cancel)
}

#[derive(OpenApi)]
#[openapi(paths(list, retry, cancel))]
struct Described;

/// What these routes add to the description of the API.
pub(in crate::serve) fn openapi() -> utoipa::openapi::OpenApi {
    Described::openapi()
}

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(default)]
struct Asked {
    /// Only jobs in this state: `waiting`, `running`, `done`, `dead` or `cancelled`.
    #[param(value_type = Option<String>)]
    state: Option<jobs::State>,
    /// Only jobs of this kind, such as `mail.send`.
    kind: Option<String>,
    /// How many jobs at the most: 1 to 100.
    limit: u32,
    /// How many to pass over: at most 10,000.
    offset: u32,
}

impl Default for Asked {
    fn default() -> Self {
        let Paging { limit, offset } = Paging::default();
        Self { state: None, kind: None, limit, offset }
    }
}

/// A job. What it is about is not shown: it may hold what is nobody's business.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct Job {
    id: String,
    kind: String,
    /// Two jobs of one kind and key never wait at the same time.
    unique_key: Option<String>,
    /// `waiting`, `running`, `done`, `dead` or `cancelled`.
    state: &'static str,
    /// When it is due.
    #[schema(value_type = String, format = DateTime)]
    run_at: Timestamp,
    /// How often it was tried.
    attempts: u32,
    /// Why the last attempt failed.
    last_error: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    finished_at: Option<Timestamp>,
}

impl From<JobView> for Job {
    fn from(job: JobView) -> Self {
        Self {
            id: job.id.to_string(),
            kind: job.kind,
            unique_key: job.unique_key,
            state: job.state.as_str(),
            run_at: job.run_at,
            attempts: job.attempts,
            last_error: job.last_error,
            created_at: job.created_at,
            finished_at: job.finished_at,
        }
    }
}

#[derive(Serialize, utoipa::ToSchema)]
struct Jobs {
    /// The jobs of this page, the newest first.
    items: Vec<Job>,
    /// How many there are on all pages.
    total: u64,
}

/// List the background jobs.
#[utoipa::path(get, path = "/api/operator/jobs", tag = "operator", params(Asked),
    responses((status = 200, description = "The jobs, newest first.", body = Jobs),
        (status = 401, description = "Nobody is signed in."), (status = 403, description = "No operator."),
        (status = 422, description = "No such state, or too many at once.")))]
async fn list(
    State(at): State<Work>,
    operator: Operator,
    Query(asked): Query<Asked>,
) -> Result<Json<Jobs>, Failure> {
    let paging = Paging { limit: asked.limit, offset: asked.offset }.checked()?;
    let filter = Filter { state: asked.state, kind: asked.kind };
    let page = work::list(&at.store, &operator, filter, paging).await?;
    Ok(Json(Jobs { items: page.items.into_iter().map(Job::from).collect(), total: page.total }))
}

/// Try a job again.
#[utoipa::path(post, path = "/api/operator/jobs/{id}/retry", tag = "operator",
    params(("id" = String, Path, description = "The job's id")),
    responses((status = 200, description = "It waits again, with all its attempts.", body = Job),
        (status = 401, description = "Nobody is signed in."), (status = 403, description = "No operator."),
        (status = 404, description = "No such job."), (status = 409, description = "It is neither dead nor cancelled.")))]
async fn retry(
    State(at): State<Work>,
    operator: Operator,
    Path(id): Path<String>,
) -> Result<Json<Job>, Failure> {
    Ok(Json(work::change(&at.store, &operator, work::id(&id)?, Change::Retry).await?.into()))
}

/// Stop a job.
#[utoipa::path(post, path = "/api/operator/jobs/{id}/cancel", tag = "operator",
    params(("id" = String, Path, description = "The job's id")),
    responses((status = 200, description = "It is stopped.", body = Job),
        (status = 401, description = "Nobody is signed in."), (status = 403, description = "No operator."),
        (status = 404, description = "No such job."), (status = 409, description = "It has ended.")))]
async fn cancel(
    State(at): State<Work>,
    operator: Operator,
    Path(id): Path<String>,
) -> Result<Json<Job>, Failure> {
    Ok(Json(work::change(&at.store, &operator, work::id(&id)?, Change::Cancel).await?.into()))
}
