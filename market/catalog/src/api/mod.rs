//! The JSON API of this room: each handler takes the request apart, calls one use case, and answers.

mod bodies;
mod categories;
mod listings;
mod offers;
mod units;

use axum::extract::FromRef;
use identity::Identity;
use kernel::{IdError, Paging, Problem};
use serde::{Deserialize, Serialize};
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
    categories::create
))]
struct Described;

/// One page of a list.
#[derive(Serialize, utoipa::ToSchema)]
struct Listed<T> {
    /// The items of this page.
    items: Vec<T>,
    /// How many there are on all pages.
    total: u64,
}

/// `limit` and `offset`, as the public contract has them.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(default)]
struct Part {
    /// How many items at the most: 1 to 100.
    limit: u32,
    /// How many to pass over: at most 10,000.
    offset: u32,
}

impl Default for Part {
    fn default() -> Self {
        Self { limit: Paging::DEFAULT_LIMIT, offset: 0 }
    }
}

impl Part {
    fn paging(&self) -> Result<Paging, Problem> {
        Paging { limit: self.limit, offset: self.offset }.checked()
    }
}

/// An id in a path: what is none names nothing.
fn id<T: std::str::FromStr<Err = IdError>>(text: &str, kind: &'static str) -> Result<T, CatalogError> {
    text.parse().map_err(|_| CatalogError::NotFound(kind))
}
