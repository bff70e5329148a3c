//! Writes the API description as the running program serves it.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};

use crate::http::{Connection, Url};
use crate::server::{Fondaco, build};

const TARGET: &str = "docs/openapi.json";

/// Starts the program on an empty folder and writes its `/openapi.json`, indented, to `docs/openapi.json`.
///
/// # Errors
/// If the program does not build, start or answer with JSON.
pub(crate) fn run(root: &Path) -> Result<ExitCode> {
    let binary = build(root, "dev")?;
    let data = tempfile::tempdir()?;
    let server = Fondaco::start(&binary, data.path())?;
    let url = Url::parse(&format!("{}/openapi.json", server.address("api")?))?;
    let answer = Connection::open(&url)?.get(&url.path, &[])?;
    ensure!(answer.status == 200, "{} answered {}", url.path, answer.status);

    let document: serde_json::Value = serde_json::from_slice(&answer.body).context("it is not JSON")?;
    std::fs::write(root.join(TARGET), serde_json::to_string_pretty(&document)? + "\n")?;
    println!("openapi: wrote {TARGET}");
    Ok(ExitCode::SUCCESS)
}
