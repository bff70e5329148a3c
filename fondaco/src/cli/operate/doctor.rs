//! `doctor`: what would keep the server from working well, and how to mend it.

use std::process::ExitCode;

use serde_json::json;

use super::super::args::{Doctor, Global};
use super::super::failure::{Failure, code};
use super::super::terminal::{Mark, Terminal};
use super::look;

/// What one check found.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) name: String,
    pub(super) mark: Mark,
    pub(super) detail: String,
    /// What to do, unless all is well.
    pub(super) fix: Option<String>,
}

impl Finding {
    pub(super) fn ok(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { name: name.into(), mark: Mark::Ok, detail: detail.into(), fix: None }
    }

    pub(super) fn warn(name: impl Into<String>, detail: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { name: name.into(), mark: Mark::Warn, detail: detail.into(), fix: Some(fix.into()) }
    }

    pub(super) fn fail(name: impl Into<String>, detail: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { name: name.into(), mark: Mark::Fail, detail: detail.into(), fix: Some(fix.into()) }
    }
}

/// Looks at everything; the exit code is 1 when something would fail.
pub(crate) async fn doctor(terminal: &Terminal, global: &Global, args: &Doctor) -> Result<ExitCode, Failure> {
    let loaded = super::settings(&args.place, Vec::new())?;
    let mut findings = vec![look::settings(&loaded)];
    findings.extend(look::disk(&loaded.config, args.fix));
    findings.push(look::clock(&loaded.config));
    findings.push(look::database(&loaded.config, args.fix).await);
    findings.push(look::storage(&loaded.config).await);
    findings.extend(super::look_engine::engine(&loaded.config).await);
    findings.extend(look::ports(&loaded.config, global.timeout).await);
    findings.extend(look::mail(&loaded.config, global.timeout).await);
    findings.extend(look::addresses(&loaded.config, global.timeout).await);
    show(terminal, &findings);
    let failed = findings.iter().filter(|finding| finding.mark == Mark::Fail).count();
    let warned = findings.iter().filter(|finding| finding.mark == Mark::Warn).count();
    match (failed, warned) {
        (0, 0) => terminal.done("All is well."),
        (0, _) => terminal.say(format!("{warned} to look at; nothing that keeps the server from working.")),
        _ => terminal.say(format!("{failed} failed, {warned} to look at.")),
    }
    Ok(if failed > 0 { ExitCode::from(code::FAILED) } else { ExitCode::SUCCESS })
}

fn show(terminal: &Terminal, findings: &[Finding]) {
    let word = |mark| match mark {
        Mark::Ok => "ok",
        Mark::Warn => "warn",
        Mark::Fail => "fail",
    };
    if terminal.json {
        let checks = findings.iter().map(|finding| {
            json!({"check": finding.name, "result": word(finding.mark), "detail": finding.detail, "fix": finding.fix})
        });
        terminal.data_json(&json!({"checks": checks.collect::<Vec<_>>()}));
        return;
    }
    for finding in findings {
        terminal.data(format!("{}  {:<14} {}", terminal.mark(finding.mark), finding.name, finding.detail));
        if let Some(fix) = &finding.fix {
            terminal.data(format!("      {:<14} → {fix}", ""));
        }
    }
}
