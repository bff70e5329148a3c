//! What people do with a private registry, with the real npm.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod account;
mod install;
mod manage;
mod publish;
