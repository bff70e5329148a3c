//! The JSON API of this room: each handler takes the request apart, calls one use case, and answers.

mod bodies;
mod categories;
mod listings;
mod offers;
mod units;

use axum::extract::FromRef;
use identity::Identity;
use kernel::IdError;
use utoipa::OpenApi;
use web::{Access, Routes};

use crate::error::CatalogError;
use crate::room::Catalog;

/// The routes below `/api`.
pub fn routes<S>() -> Routes<S>
where
    S: Clone + Send + Sync + 'static,
    Catalog: FromRef<S>,
    Identity: FromRef<S>,
{
    Routes::new()
        .get("/api/listings", Access::Public, listings::list)
        .post("/api/listings", Access::Account, listings::create)
        .get("/api/listings/{id}", Access::Public, listings::find)
        .patch("/api/listings/{id}", Access::Account, listings::change)
        .post("/api/listings/{id}/publish", Access::Account, listings::publish)
        .post("/api/listings/{id}/archive", Access::Account, listings::archive)
        .get("/api/listings/{id}/offers", Access::Public, offers::list)
        .post("/api/listings/{id}/offers", Access::Account, offers::create)
        .patch("/api/listings/{id}/offers/{offer}", Access::Account, offers::change)
        .delete("/api/listings/{id}/offers/{offer}", Access::Account, offers::withdraw)
        .get("/api/listings/{id}/offers/{offer}/units", Access::Public, units::list)
        .post("/api/listings/{id}/offers/{offer}/units", Access::Account, units::add)
        .delete("/api/listings/{id}/offers/{offer}/units/{unit}", Access::Account, units::withdraw)
        .get("/api/categories", Access::Public, categories::list)
        .post("/api/categories", Access::Operator, categories::create)
        .patch("/api/categories/{slug}", Access::Operator, categories::change)
        .delete("/api/categories/{slug}", Access::Operator, categories::remove)
}

/// What this room adds to the description of the API.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    Described::openapi()
}

#[derive(OpenApi)]
#[openapi(paths(
    listings::list,
    listings::create,
    listings::find,
    listings::change,
    listings::publish,
    listings::archive,
    offers::list,
    offers::create,
    offers::change,
    offers::withdraw,
    units::list,
    units::add,
    units::withdraw,
    categories::list,
    categories::create,
    categories::change,
    categories::remove,
))]
struct Described;

/// An id in a path: what is none names nothing.
fn id<T: std::str::FromStr<Err = IdError>>(text: &str, kind: &'static str) -> Result<T, CatalogError> {
    text.parse().map_err(|_| CatalogError::NotFound(kind))
}
