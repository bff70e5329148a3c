//! Uplinks against registries that others wrote, and against servers that misbehave on purpose.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

mod counterparty;
mod documents;
mod evict;
mod faults;
mod market;
mod organisation;
mod policy;
mod tarballs;
mod verdaccio;
