//! Backups, and bringing deployments back from them.

use axum::extract::State;
use axum::response::IntoResponse;
use http::StatusCode;
use identity::Account;
use kernel::Timestamp;
use serde::{Deserialize, Serialize};
use web::idempotency::{Key, Request};
use web::{DONE, Done, Failure, Json, Part, Path, Query};

use super::views::ChangedView;
use crate::backups::{Backup, BackupState};
use crate::error::id;
use crate::schedule::{Every, Schedule, Scheduled};
use crate::{BackupId, DeploymentId, Services};

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct BackupView {
    backup_id: String,
    deployment_id: String,
    state: BackupState,
    /// Why it failed.
    reason: String,
    /// Of what is kept, in hexadecimal.
    sha256: Option<String>,
    size_bytes: u64,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<Timestamp>,
}

impl From<Backup> for BackupView {
    fn from(backup: Backup) -> Self {
        Self {
            backup_id: backup.id.to_string(),
            deployment_id: backup.deployment.to_string(),
            state: backup.state,
            reason: backup.reason,
            sha256: backup.blob,
            size_bytes: backup.size_bytes,
            created_at: backup.created_at,
            ended_at: backup.ended_at,
        }
    }
}

#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct BackupList {
    backups: Vec<BackupView>,
    total: u64,
}

/// List the backups of a deployment.
#[utoipa::path(get, path = "/api/deployments/{id}/backups", tag = "deployments",
    params(("id" = String, Path, description = "The deployment's id"), Part),
    responses((status = 200, description = "Newest first.", body = BackupList),
        (status = 401, description = "Nobody is signed in."), (status = 404, description = "No such deployment of yours.")))]
pub(super) async fn list(
    State(services): State<Services>,
    account: Account,
    Path(deployment): Path<String>,
    Query(part): Query<Part>,
) -> Result<Json<BackupList>, Failure> {
    let id = id::<DeploymentId>(&deployment, "deployment")?;
    let found = services.backups(&account.caller, &id, part.checked()?).await?;
    Ok(Json(BackupList { backups: found.items.into_iter().map(Into::into).collect(), total: found.total }))
}

/// Back up a deployment.
#[utoipa::path(post, path = "/api/deployments/{id}/backups", tag = "deployments",
    params(("id" = String, Path, description = "The deployment's id"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key: the same backup.")),
    responses((status = 202, description = "It is made, restored and checked in the background.", body = BackupView),
        (status = 401, description = "Nobody is signed in."), (status = 404, description = "No such deployment of yours."),
        (status = 409, description = "It does not run, the service has no backups, or there are as many as are kept.")))]
pub(super) async fn back_up(
    State(services): State<Services>,
    account: Account,
    Path(deployment): Path<String>,
    key: Key,
) -> Result<impl IntoResponse, Failure> {
    let id = id::<DeploymentId>(&deployment, "deployment")?;
    let request =
        Request::new(key, format!("{} POST /api/deployments/{id}/backups", account.actor.user), &());
    let made = services.back_up(&account.caller, &id, request).await?;
    Ok((StatusCode::ACCEPTED, Json(BackupView::from(made))))
}

/// Remove a backup.
#[utoipa::path(delete, path = "/api/deployments/{id}/backups/{backup}", tag = "deployments",
    params(("id" = String, Path, description = "The deployment's id"),
        ("backup" = String, Path, description = "The backup's id")),
    responses((status = 200, description = "It is gone, unless it is just being made.", body = Done),
        (status = 401, description = "Nobody is signed in."), (status = 404, description = "No such backup of yours.")))]
pub(super) async fn remove(
    State(services): State<Services>,
    account: Account,
    Path((deployment, backup)): Path<(String, String)>,
) -> Result<Json<Done>, Failure> {
    let (id, backup) = (id::<DeploymentId>(&deployment, "deployment")?, id::<BackupId>(&backup, "backup")?);
    services.remove_backup(&account.caller, &id, &backup).await?;
    Ok(DONE)
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RestoreBody {
    /// A backup that is done, of any deployment of yours of the same service.
    backup_id: String,
}

/// Bring a deployment back from a backup.
#[utoipa::path(post, path = "/api/deployments/{id}/restore", tag = "deployments", request_body = RestoreBody,
    params(("id" = String, Path, description = "The deployment's id")),
    responses((status = 200, description = "It is brought back, and runs again when it is.", body = ChangedView),
        (status = 401, description = "Nobody is signed in."), (status = 404, description = "No such deployment or backup of yours."),
        (status = 409, description = "It does not run."), (status = 422, description = "The backup is of another service.")))]
pub(super) async fn restore(
    State(services): State<Services>,
    account: Account,
    Path(deployment): Path<String>,
    Json(body): Json<RestoreBody>,
) -> Result<Json<ChangedView>, Failure> {
    let (deployment, backup) =
        (id::<DeploymentId>(&deployment, "deployment")?, id::<BackupId>(&body.backup_id, "backup")?);
    Ok(Json(services.restore(&account.caller, &deployment, &backup).await?.into()))
}

/// When a deployment is saved by itself. Times are in UTC.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ScheduleView {
    every: Every,
    /// Of the week, where it is weekly: 0 is Monday.
    weekday: u32,
    /// Of the day, where it is daily or weekly.
    hour: u32,
    /// Of the hour.
    minute: u32,
    /// How many of those that it made are kept.
    keep: u32,
    #[schema(value_type = String, format = DateTime)]
    next_at: Timestamp,
    /// Why the last one could not be begun; empty where it could.
    problem: String,
}

impl From<Scheduled> for ScheduleView {
    fn from(Scheduled { schedule, next_at, problem }: Scheduled) -> Self {
        let Schedule { every, weekday, hour, minute, keep } = schedule;
        Self { every, weekday, hour, minute, keep, next_at, problem }
    }
}

#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct ScheduleAnswer {
    /// Absent where it is not saved by itself.
    schedule: Option<ScheduleView>,
}

impl From<Option<Scheduled>> for ScheduleAnswer {
    fn from(schedule: Option<Scheduled>) -> Self {
        Self { schedule: schedule.map(Into::into) }
    }
}

/// Read when a deployment is saved by itself.
#[utoipa::path(get, path = "/api/deployments/{id}/backup-schedule", tag = "deployments",
    params(("id" = String, Path, description = "The deployment's id")),
    responses((status = 200, description = "Its schedule, if there is one.", body = ScheduleAnswer),
        (status = 401, description = "Nobody is signed in."), (status = 404, description = "No such deployment of yours.")))]
pub(super) async fn schedule(
    State(services): State<Services>,
    account: Account,
    Path(deployment): Path<String>,
) -> Result<Json<ScheduleAnswer>, Failure> {
    let id = id::<DeploymentId>(&deployment, "deployment")?;
    Ok(Json(services.schedule(&account.caller, &id).await?.into()))
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ScheduleBody {
    every: Every,
    /// Of the week, where it is weekly: 0 is Monday.
    #[serde(default)]
    weekday: u32,
    /// Of the day, in UTC, where it is daily or weekly.
    #[serde(default)]
    hour: u32,
    /// Of the hour.
    #[serde(default)]
    minute: u32,
    /// How many of those that it made are kept: 1 to 40.
    keep: u32,
}

/// Have a deployment saved by itself.
#[utoipa::path(put, path = "/api/deployments/{id}/backup-schedule", tag = "deployments", request_body = ScheduleBody,
    params(("id" = String, Path, description = "The deployment's id")),
    responses((status = 200, description = "It replaces the schedule before. What is missed is made up for once.", body = ScheduleAnswer),
        (status = 401, description = "Nobody is signed in."), (status = 404, description = "No such deployment of yours."),
        (status = 409, description = "The service has no backups."), (status = 422, description = "Some fields are wrong.")))]
pub(super) async fn set_schedule(
    State(services): State<Services>,
    account: Account,
    Path(deployment): Path<String>,
    Json(body): Json<ScheduleBody>,
) -> Result<Json<ScheduleAnswer>, Failure> {
    let id = id::<DeploymentId>(&deployment, "deployment")?;
    let ScheduleBody { every, weekday, hour, minute, keep } = body;
    let schedule = Schedule { every, weekday, hour, minute, keep };
    Ok(Json(services.set_schedule(&account.caller, &id, Some(schedule)).await?.into()))
}

/// Have a deployment not saved by itself any more.
#[utoipa::path(delete, path = "/api/deployments/{id}/backup-schedule", tag = "deployments",
    params(("id" = String, Path, description = "The deployment's id")),
    responses((status = 200, description = "There is no schedule; the backups there are stay.", body = ScheduleAnswer),
        (status = 401, description = "Nobody is signed in."), (status = 404, description = "No such deployment of yours.")))]
pub(super) async fn drop_schedule(
    State(services): State<Services>,
    account: Account,
    Path(deployment): Path<String>,
) -> Result<Json<ScheduleAnswer>, Failure> {
    let id = id::<DeploymentId>(&deployment, "deployment")?;
    Ok(Json(services.set_schedule(&account.caller, &id, None).await?.into()))
}
