//! One run of the load generator.

use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::http::Url;

/// What wrk measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rates {
    pub(super) requests_per_second: f64,
    pub(super) bytes_per_second: f64,
}

/// Loads one address from 32 connections of one thread for `seconds`.
///
/// # Errors
/// If wrk is missing, or any request failed: a rate with failures in it means nothing.
pub(super) fn run(url: &Url, headers: &[(&str, &str)], seconds: u32) -> Result<Rates> {
    let mut command = Command::new("wrk");
    command.args(["-t1", "-c32", &format!("-d{seconds}s")]);
    for (name, value) in headers {
        command.args(["-H", &format!("{name}: {value}")]);
    }
    let done = command.arg(format!("http://{}{}", url.authority, url.path)).output();
    let done = done.context("wrk did not start; run scripts/setup --bench")?;
    let text = String::from_utf8_lossy(&done.stdout);
    ensure!(done.status.success(), "wrk failed: {text}{}", String::from_utf8_lossy(&done.stderr));
    parse(&text)
}

fn parse(text: &str) -> Result<Rates> {
    for bad in ["Non-2xx", "Socket errors"] {
        let line = text.lines().find(|line| line.contains(bad)).map(str::trim);
        ensure!(line.is_none(), "some requests failed: {}", line.unwrap_or_default());
    }
    let value = |label: &str| {
        let line = text.lines().find_map(|line| line.trim().strip_prefix(label));
        line.map(str::trim).with_context(|| format!("wrk printed no {label} in:\n{text}"))
    };
    Ok(Rates {
        requests_per_second: value("Requests/sec:")?.parse()?,
        bytes_per_second: bytes(value("Transfer/sec:")?)?,
    })
}

/// Reads wrk's sizes, which are powers of 1024: `1.79GB`.
fn bytes(text: &str) -> Result<f64> {
    let digits = text.trim_end_matches(char::is_alphabetic);
    let scale = match &text[digits.len()..] {
        "B" => 1.0,
        "KB" => 1024.0,
        "MB" => 1024.0 * 1024.0,
        "GB" => 1024.0 * 1024.0 * 1024.0,
        unit => anyhow::bail!("unknown unit {unit} in {text}"),
    };
    Ok(digits.parse::<f64>()? * scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "Running 5s test\n  1 threads and 32 connections\n  100 requests in 5.00s, 2.00GB read\n\
                        Requests/sec:  20.50\nTransfer/sec:      1.50MB\n";

    #[test]
    fn rates_are_read() {
        let rates = parse(GOOD).unwrap();
        assert_eq!(rates, Rates { requests_per_second: 20.5, bytes_per_second: 1_572_864.0 });
    }

    #[test]
    fn a_run_with_failures_is_an_error() {
        assert!(parse(&format!("{GOOD}  Non-2xx or 3xx responses: 4\n")).is_err());
        assert!(parse(&format!("{GOOD}  Socket errors: connect 0, read 1\n")).is_err());
        assert!(parse("").is_err());
        assert!(bytes("1.5XB").is_err());
    }
}
