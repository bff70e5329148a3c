//! Services on the real engine, used by their real clients. They run where `FONDACO_TEST_DOCKER` is `required`, which
//! `scripts/test` sets, or where an engine with the images answers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

mod chaos;
mod compute;
mod databases;
mod edge;
mod gateways;
mod many;
mod ml;
mod paid;
mod storage;
mod town;
mod warm;
