//! `deployment schedule`: when backups are made by themselves.

use reqwest::Method;
use serde_json::{Value, json};

use super::super::answer::{number, text, time};
use super::super::args::Scheduled;
use super::super::client::{Client, Query};
use super::super::failure::Failure;
use super::super::terminal::Terminal;
use super::path;

/// Shows the schedule, or changes it.
pub(super) async fn run(terminal: &Terminal, client: &Client, args: &Scheduled) -> Result<(), Failure> {
    let path = format!("{}/backup-schedule", path(client, &args.deployment).await?);
    let answer = match &args.every {
        None => client.get(&path, Query::default()).await?,
        Some(every) if every == "never" => {
            client.json(client.request(Method::DELETE, &client.session.api(&path))).await?
        }
        Some(every) => {
            let (hour, minute) = clock(&args.at)?;
            let body = json!({
                "every": every, "weekday": args.weekday, "hour": hour, "minute": minute, "keep": args.keep
            });
            client.json(client.request(Method::PUT, &client.session.api(&path)).json(&body)).await?
        }
    };
    if terminal.json {
        terminal.data_json(&answer);
        return Ok(());
    }
    match answer.get("schedule").filter(|schedule| schedule.is_object()) {
        Some(schedule) => terminal.details(&[
            ("every", text(schedule, "every")),
            ("at", at(schedule)),
            ("keep", number(schedule, "keep")),
            ("next", time(schedule, "nextAt")),
            ("problem", text(schedule, "problem")),
        ]),
        None => {
            terminal.say("It is saved only when you say so.");
            terminal.hint(format!("fondaco deployment schedule {} --every day --at 03:00", args.deployment));
        }
    }
    Ok(())
}

/// When, of its period.
fn at(schedule: &Value) -> String {
    let part = |name| schedule.get(name).and_then(Value::as_u64).unwrap_or_default();
    let (hour, minute) = (part("hour"), part("minute"));
    match text(schedule, "every").as_str() {
        "hour" => format!("minute {minute}"),
        "week" => format!("day {} at {hour:02}:{minute:02} UTC", part("weekday") + 1),
        _ => format!("{hour:02}:{minute:02} UTC"),
    }
}

fn clock(text: &str) -> Result<(u32, u32), Failure> {
    let parts =
        text.split_once(':').and_then(|(hour, minute)| Some((hour.parse().ok()?, minute.parse().ok()?)));
    parts.ok_or_else(|| Failure::usage(format!("--at {text}: write a time such as 03:30.")))
}
