//! The JSON API of this room.

mod backups;
mod catalogue;
mod changes;
mod deployments;
mod logs;
mod ratings;
mod views;

use utoipa::OpenApi;
use web::{Access, Routes};

use crate::Services;

/// The routes below `/api/services` and `/api/deployments`.
pub fn routes(services: Services) -> Routes {
    Routes::new()
        .get("/api/services", Access::Public, catalogue::list)
        .get("/api/services/{slug}", Access::Public, catalogue::find)
        .get("/api/services/{slug}/reviews", Access::Public, ratings::list)
        .delete("/api/services/{slug}/reviews/{account}", Access::Operator, ratings::remove)
        .put("/api/services/{slug}/rating", Access::Account, ratings::rate)
        .delete("/api/services/{slug}/rating", Access::Account, ratings::unrate)
        .get("/api/deployments", Access::Account, deployments::list)
        .post("/api/deployments", Access::Account, deployments::deploy)
        .get("/api/deployments/{id}", Access::Account, deployments::find)
        .patch("/api/deployments/{id}", Access::Account, changes::change)
        .delete("/api/deployments/{id}", Access::Account, changes::delete)
        .post("/api/deployments/{id}/stop", Access::Account, changes::stop)
        .post("/api/deployments/{id}/start", Access::Account, changes::start)
        .post("/api/deployments/{id}/restart", Access::Account, changes::restart)
        .post("/api/deployments/{id}/scale", Access::Account, changes::scale)
        .post("/api/deployments/{id}/undelete", Access::Account, changes::undelete)
        .post("/api/deployments/{id}/rotate", Access::Account, changes::rotate)
        .get("/api/deployments/{id}/credentials", Access::Account, deployments::credentials)
        .get("/api/deployments/{id}/events", Access::Account, deployments::happened)
        .get("/api/deployments/{id}/metrics", Access::Account, deployments::figures)
        .get("/api/deployments/{id}/backups", Access::Account, backups::list)
        .post("/api/deployments/{id}/backups", Access::Account, backups::back_up)
        .delete("/api/deployments/{id}/backups/{backup}", Access::Account, backups::remove)
        .get("/api/deployments/{id}/backup-schedule", Access::Account, backups::schedule)
        .put("/api/deployments/{id}/backup-schedule", Access::Account, backups::set_schedule)
        .delete("/api/deployments/{id}/backup-schedule", Access::Account, backups::drop_schedule)
        .post("/api/deployments/{id}/restore", Access::Account, backups::restore)
        .get("/api/deployments/{id}/logs", Access::Account, logs::lines)
        .get("/api/deployments/{id}/logs/stream", Access::Account, logs::stream)
        .with_state(services)
}

/// What this room adds to the description of the API.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    Described::openapi()
}

#[derive(OpenApi)]
#[openapi(paths(
    backups::list,
    backups::back_up,
    backups::remove,
    backups::restore,
    backups::schedule,
    backups::set_schedule,
    backups::drop_schedule,
    catalogue::list,
    catalogue::find,
    deployments::list,
    deployments::deploy,
    deployments::find,
    deployments::credentials,
    deployments::happened,
    deployments::figures,
    changes::change,
    changes::delete,
    changes::stop,
    changes::start,
    changes::restart,
    changes::scale,
    changes::undelete,
    changes::rotate,
    logs::lines,
    logs::stream,
    ratings::list,
    ratings::rate,
    ratings::unrate,
    ratings::remove
))]
struct Described;
