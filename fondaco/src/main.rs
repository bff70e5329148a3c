//! The program `fondaco`: the server, its tools for operators, and the client.

use std::process::ExitCode;

fn main() -> ExitCode {
    fondaco::cli::run()
}
