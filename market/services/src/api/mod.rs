//! The JSON API of this room.

mod backups;
mod catalogue;
mod changes;
mod deployments;
mod logs;
mod views;

use utoipa::OpenApi;
use web::{Access, Routes};

use crate::Services;

/// The routes below `/api/services` and `/api/deployments`.
pub fn routes(services: Services) -> Routes {
    Routes::new()
        .get("/api/services", Access::Public, catalogue::list)
        .get("/api/services/{slug}", Access::Public, catalogue::find)
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
    logs::stream
))]
struct Described;
