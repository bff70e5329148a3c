//! Routes that say who may call them, so that one test can knock at every door as a stranger.

use axum::Router;
use axum::handler::Handler;
use axum::routing::MethodRouter;
use http::Method;

/// Who may call a route. A statement for tests and docs: the permission itself is checked in the use case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anybody.
    Public,
    /// Any signed-in account; the use case decides what it may see.
    Account,
    /// Operators.
    Operator,
}

/// One route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Its method.
    pub method: Method,
    /// Its path, in axum's words: `/api/tokens/{id}`.
    pub path: &'static str,
    /// Who may call it.
    pub access: Access,
}

/// A router that remembers its routes.
pub struct Routes<S = ()> {
    router: Router<S>,
    table: Vec<Route>,
}

impl<S: Clone + Send + Sync + 'static> Default for Routes<S> {
    fn default() -> Self {
        Self::new()
    }
}

macro_rules! methods {
    ($($(#[$meta:meta])* $name:ident = $method:ident;)+) => {$(
        $(#[$meta])*
        #[must_use]
        pub fn $name<T: 'static>(self, path: &'static str, access: Access, handler: impl Handler<T, S>) -> Self {
            self.add(Method::$method, path, access, axum::routing::$name(handler))
        }
    )+};
}

impl<S: Clone + Send + Sync + 'static> Routes<S> {
    /// No routes yet.
    #[must_use]
    pub fn new() -> Self {
        Self { router: Router::new(), table: Vec::new() }
    }

    methods! {
        /// Adds a `GET` (which answers `HEAD` too).
        get = GET;
        /// Adds a `POST`.
        post = POST;
        /// Adds a `PUT`.
        put = PUT;
        /// Adds a `PATCH`.
        patch = PATCH;
        /// Adds a `DELETE`.
        delete = DELETE;
    }

    fn add(mut self, method: Method, path: &'static str, access: Access, route: MethodRouter<S>) -> Self {
        self.router = self.router.route(path, route);
        self.table.push(Route { method, path, access });
        self
    }

    /// Adds the routes of `other`.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        self.router = self.router.merge(other.router);
        self.table.extend(other.table);
        self
    }

    /// Gives the handlers their state.
    #[must_use]
    pub fn with_state<S2>(self, state: S) -> Routes<S2> {
        Routes { router: self.router.with_state(state), table: self.table }
    }

    /// All routes, in the order they were added.
    #[must_use]
    pub fn table(&self) -> &[Route] {
        &self.table
    }

    /// The router itself.
    pub fn into_router(self) -> Router<S> {
        self.router
    }
}
