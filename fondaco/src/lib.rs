//! Fondaco: the whole program as a library, so that tests can run it in process. `main.rs` only calls [`cli::run`].

pub mod backup;
pub mod cli;
pub mod config;
pub mod data;
pub mod demo;
mod disk;
pub mod engine;
pub mod rooms;
mod schema;
pub mod serve;
pub mod work;
