//! Waiting until what was asked has come true, with the steps on the way.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::super::answer::text;
use super::super::client::{Client, Query};
use super::super::failure::{Failure, code};
use super::super::terminal::Terminal;

/// How long between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(200);
/// Something was waited for in vain, as `timeout` ends.
const NOT_IN_TIME: u8 = 124;

/// Waits until the status is `goal`; where that is empty, until it rests at any. Says each status on the way.
///
/// # Errors
/// That it failed, with the reason; code 124 when time is over.
pub(super) async fn until(
    terminal: &Terminal,
    client: &Client,
    path: &str,
    patience: Duration,
    goal: &str,
) -> Result<Value, Failure> {
    let began = Instant::now();
    let mut said = String::new();
    loop {
        let known = client.get(path, Query::default()).await?;
        let status = text(&known, "status");
        if status != said {
            terminal.say(format!("  {:>6.1} s  {status}", began.elapsed().as_secs_f64()));
            said.clone_from(&status);
        }
        let is_there = if goal.is_empty() { rests(&status) } else { status == goal };
        if is_there {
            return Ok(known);
        }
        if status == "failed" || status == "deleted" {
            return Err(failed(&known));
        }
        if began.elapsed() >= patience {
            let detail = format!("It is {status} after {} s. It goes on by itself.", patience.as_secs());
            return Err(Failure::new(NOT_IN_TIME, "cli.not_in_time", "Not in time", detail)
                .next(format!("fondaco deployment show {}", text(&known, "id"))));
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

fn rests(status: &str) -> bool {
    matches!(status, "running" | "degraded" | "stopped")
}

fn failed(known: &Value) -> Failure {
    let (reason, lines) = (text(known, "reason"), text(known, "lastLines"));
    let mut detail = if reason.is_empty() { "It does not come up.".to_owned() } else { reason };
    for line in lines.lines() {
        detail.push_str(&format!("\n  | {}", super::plain(line)));
    }
    Failure::new(code::FAILED, "services.failed", "The deployment failed", detail)
        .next(format!("fondaco deployment logs {}", text(known, "id")))
}
