//! What every surface of the program has in common: how requests are read, answered, refused, counted and
//! limited, and how pages look.

// Templates name our functions as `web::face::…`, so that they read the same in every crate.
extern crate self as web;

mod answer;
mod context;
mod cookie;
mod csrf;
mod extract;
pub mod face;
mod failure;
pub mod idempotency;
mod limits;
mod routes;
mod stack;
mod version;

pub use answer::{DONE, Done, Listed, Part};
pub use context::Ctx;
pub use cookie::cookie;
pub use extract::{Form, Json, Path, Query};
pub use failure::Failure;
pub use limits::{Limits, Quota};
pub use routes::{Access, Route, Routes};
pub use stack::{Asked, ProblemPage, Stack, Surface};
pub use version::{Expected, IfMatch, Stale, Tagged, expected_version};

/// This crate's tables.
pub const MIGRATIONS: store::Migrations = store::migrations!("web", "0001_idempotency.sql");

/// The name of the cookie that carries a session, which the CSRF check looks for.
pub const SESSION_COOKIE: &str = "fondaco_session";
