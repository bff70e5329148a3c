//! The project's own tasks, run as `cargo xtask NAME`: what a shell script would do badly.
#![allow(clippy::print_stdout, reason = "a command of the developers: its output is its purpose")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};

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
}

fn main() -> Result<ExitCode> {
    let root = checkout()?;
    match Arguments::parse().task {
        Task::Tidy => tidy::run(&root),
    }
}

/// The root of the checkout: the folder above this crate.
fn checkout() -> Result<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().map(Path::to_path_buf).context("the xtask crate has no folder above it")
}
