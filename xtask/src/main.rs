//! The project's own tasks, run as `cargo xtask NAME`: what a shell script would do badly.
#![allow(clippy::print_stdout, reason = "a command of the developers: its output is its purpose")]
#![allow(clippy::disallowed_methods, reason = "these tasks wait for other programs, and block nobody")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};

mod bench;
mod deploy;
mod http;
mod openapi;
mod orders;
mod relay;
mod report;
mod server;
mod tidy;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The project's own tasks")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Check the rules of the house that no compiler checks
    Tidy,
    /// Write the API description that the program serves to docs/openapi.json
    Openapi,
    /// Measure the registry against nginx serving the same bytes
    BenchRegistry(bench::Options),
    /// Measure holding and paying over HTTP
    BenchOrders(orders::Options),
    /// Measure how long deployments take until the real client has its first answer
    BenchDeploy(deploy::Options),
    /// Measure what the way through the relay costs
    BenchRelay(relay::Options),
}

fn main() -> Result<ExitCode> {
    let root = checkout()?;
    match Arguments::parse().task {
        Task::Tidy => tidy::run(&root),
        Task::Openapi => openapi::run(&root),
        Task::BenchRegistry(options) => bench::run(&root, &options),
        Task::BenchOrders(options) => orders::run(&root, &options),
        Task::BenchDeploy(options) => deploy::run(&root, &options),
        Task::BenchRelay(options) => relay::run(&root, &options),
    }
}

/// The root of the checkout: the folder above this crate.
fn checkout() -> Result<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().map(Path::to_path_buf).context("the xtask crate has no folder above it")
}
