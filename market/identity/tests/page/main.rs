//! The pages, by a browser without script that looks at every page for what none may lack.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod account;
mod browser;
mod doors;
mod mailed;
mod operator;
mod organisations;
#[path = "../room/mod.rs"]
mod room;
mod sign_in;
mod tokens;
