//! The background work, for operators: `/operator/jobs` and `/api/operator/jobs`.

mod api;
mod page;

use axum::extract::FromRef;
use identity::Identity;
use store::Store;
use web::Routes;

pub(super) use api::openapi;

/// What page and API work on.
#[derive(Clone)]
struct Work {
    store: Store,
    identity: Identity,
}

impl FromRef<Work> for Identity {
    fn from_ref(work: &Work) -> Self {
        work.identity.clone()
    }
}

/// The page and its forms.
pub(super) fn pages(store: Store, identity: Identity) -> Routes {
    page::routes().with_state(Work { store, identity })
}

/// The routes below `/api`.
pub(super) fn api(store: Store, identity: Identity) -> Routes {
    api::routes().with_state(Work { store, identity })
}
