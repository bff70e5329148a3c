//! The program `fondaco`: the server, its tools for operators, and the client.

use std::process::ExitCode;

/// Each order makes and drops some hundred small things, here and within SQLite, which takes its memory from this as well.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    fondaco::cli::run()
}
