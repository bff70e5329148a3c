//! Packages over JSON, in the shapes of the public contract.

mod analytics;
mod etag;
pub(crate) mod fetch;
mod publish;
mod read;
mod search;
mod upstream_policy;

use utoipa::OpenApi;
use web::{Access, Routes};

use crate::registry::Registry;

const UPSTREAM_POLICY: &str = "/api/organisations/{org}/upstream-policy";

/// The routes of the API.
#[must_use]
pub fn routes(registry: Registry) -> Routes {
    Routes::new()
        .get("/api/packages/search", Access::Public, search::search)
        // Names have slashes, encoded or not, so what follows the prefix is taken apart by the handler.
        .get("/api/packages/{*path}", Access::Public, read::read)
        .post("/api/packages", Access::Account, publish::publish)
        .get("/api/analytics", Access::Public, analytics::analytics)
        .get(UPSTREAM_POLICY, Access::Account, upstream_policy::read)
        .put(UPSTREAM_POLICY, Access::Account, upstream_policy::set)
        .with_state(registry)
}

/// The description of these routes.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    #[derive(OpenApi)]
    #[openapi(
        tags((name = "packages", description = "Find, read and publish packages."), (name = "analytics", description = "Counts per day.")),
        paths(search::search, read::details, read::versions, read::download, publish::publish, analytics::analytics, upstream_policy::read,
            upstream_policy::set)
    )]
    struct Document;
    Document::openapi()
}
