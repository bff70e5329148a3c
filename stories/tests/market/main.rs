//! Buying and selling on the real program: races, kills, and what must be true whatever happens.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod kills;
mod receiver;
mod shop;
