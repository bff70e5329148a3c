//! The pages, by a browser without script that looks at every page for what none may lack.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod browser;
#[path = "../room/mod.rs"]
mod room;
mod sign_in;
mod tokens;
