//! Fondaco: the whole program as a library, so that tests can run it in process. `main.rs` only calls [`cli::run`].

pub mod config;
