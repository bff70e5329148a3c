//! Whole-market tests: the real program, the real package clients, nothing pretended.
//!
//! A story starts a [`Market`] (the `fondaco` binary on free ports with an empty data folder), gives each
//! person a [`Workbench`] (a clean home folder with one client configuration) and runs the real `npm`,
//! `yarn`, `pnpm` and `bun` there. A [`Visitor`] is a browser without script for the few pages that a client
//! sends people to.
//!
//! The program has to be built first (`cargo build -p fondaco`), the clients installed (`scripts/setup`);
//! a story that misses one fails and says so.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "the harness is part of the tests: its failures are theirs"
)]

pub mod lockfile;
mod market;
mod visitor;
mod workbench;

pub use market::{Account, Market};
pub use visitor::Visitor;
pub use workbench::{Ran, Started, Workbench, read_json, write_json};
