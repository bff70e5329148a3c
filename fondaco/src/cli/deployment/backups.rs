//! `deployment backups`, `backup`, `restore`.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::super::answer::{list, text, time};
use super::super::args::{Part, Waited};
use super::super::client::{Client, Query, checked_id};
use super::super::failure::{Failure, code};
use super::super::terminal::Terminal;
use super::{path, pay, show_credentials};

/// How long between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(300);
/// Something was waited for in vain, as `timeout` ends.
const NOT_IN_TIME: u8 = 124;

pub(super) async fn list_all(
    terminal: &Terminal,
    client: &Client,
    which: &str,
    part: Part,
) -> Result<(), Failure> {
    let answer = client.get(&format!("{}/backups", path(client, which).await?), part.query()).await?;
    if terminal.json {
        terminal.data_json(&answer);
        return Ok(());
    }
    let found = list(&answer, "backups");
    let row = |backup: &Value| {
        vec![
            text(backup, "backupId"),
            text(backup, "state"),
            size(backup),
            time(backup, "createdAt"),
            text(backup, "reason"),
        ]
    };
    terminal.table(&["id", "state", "size", "made", "why"], found.iter().map(row).collect());
    terminal.more(found.len(), part.offset, &answer);
    match found.iter().find(|backup| text(backup, "state") == "done") {
        Some(backup) => {
            terminal.hint(format!("fondaco deployment restore {which} {}", text(backup, "backupId")))
        }
        None => terminal.hint(format!("fondaco deployment backup {which}")),
    }
    Ok(())
}

fn size(backup: &Value) -> String {
    let bytes = backup.get("sizeBytes").and_then(Value::as_u64).filter(|bytes| *bytes > 0);
    bytes.map(web::face::text::bytes).unwrap_or_default()
}

/// Makes a backup, and waits until it was checked.
pub(super) async fn make(terminal: &Terminal, client: &Client, which: &Waited) -> Result<(), Failure> {
    let path = format!("{}/backups", path(client, &which.deployment).await?);
    let mut backup = client.post(&path, None, &json!({})).await?;
    if !which.wait.detach {
        backup = checked(terminal, client, &path, backup, which).await?;
    }
    if terminal.json {
        terminal.data_json(&backup);
    } else {
        terminal.data(text(&backup, "backupId"));
    }
    terminal.done(if which.wait.detach {
        "The backup is on its way.".to_owned()
    } else {
        format!("The backup is whole: {}, read back and checked.", size(&backup))
    });
    Ok(())
}

/// Waits until a backup was checked, and says each step.
async fn checked(
    terminal: &Terminal,
    client: &Client,
    path: &str,
    mut backup: Value,
    which: &Waited,
) -> Result<Value, Failure> {
    let (id, began) = (text(&backup, "backupId"), Instant::now());
    let mut said = String::new();
    loop {
        let state = text(&backup, "state");
        if state != said {
            terminal.say(format!("  {:>6.1} s  {state}", began.elapsed().as_secs_f64()));
            said.clone_from(&state);
        }
        match state.as_str() {
            "done" => return Ok(backup),
            "failed" => {
                let detail = text(&backup, "reason");
                return Err(Failure::new(
                    code::FAILED,
                    "services.backup_failed",
                    "The backup failed",
                    detail,
                ));
            }
            _ if began.elapsed() >= which.wait.wait => {
                let detail = format!("It is {state} yet. It goes on by itself.");
                return Err(Failure::new(NOT_IN_TIME, "cli.not_in_time", "Not in time", detail)
                    .next(format!("fondaco deployment backups {}", which.deployment)));
            }
            _ => tokio::time::sleep(LOOK_AGAIN).await,
        }
        backup = find(client, path, &id).await?;
    }
}

async fn find(client: &Client, path: &str, id: &str) -> Result<Value, Failure> {
    let answer = client.get(path, Query::default()).await?;
    let found = list(&answer, "backups").iter().find(|backup| text(backup, "backupId") == id).cloned();
    found.ok_or_else(|| {
        Failure::new(code::NOT_FOUND, "cli.no_backup", "The backup is gone", "It was removed.")
    })
}

/// Reads a backup back, into the deployment itself or into a new one.
pub(super) async fn restore(
    terminal: &Terminal,
    client: &Client,
    which: &str,
    backup: &str,
    to: Option<&str>,
) -> Result<(), Failure> {
    let path = path(client, which).await?;
    checked_id("backup", backup)
        .map_err(|failure| failure.next(format!("fondaco deployment backups {which}")))?;
    if let Some(name) = to {
        return restore_into(terminal, client, &path, backup, name).await;
    }
    terminal.confirm(&format!("Replace what {which} keeps by what the backup has?"))?;
    let answer = client.post(&format!("{path}/restore"), None, &json!({"backupId": backup})).await?;
    if terminal.json {
        terminal.data_json(&answer);
    }
    terminal.done(format!("{which} is being brought back to the backup."));
    terminal.hint(format!("fondaco deployment show {which}"));
    Ok(())
}

/// Makes a deployment of the same service and plan that begins with the backup.
async fn restore_into(
    terminal: &Terminal,
    client: &Client,
    path: &str,
    backup: &str,
    name: &str,
) -> Result<(), Failure> {
    let known = client.get(path, Query::default()).await?;
    let config = json!({"tier": text(&known, "tier"), "region": text(&known, "region"), "backupId": backup});
    let body = json!({"serviceId": text(&known, "serviceId"), "name": name, "config": config});
    let made = client.post("/api/deployments", None, &body).await?;
    if pay::is_needed(&made) {
        pay::lead_to_the_page(terminal, &made);
        return Ok(());
    }
    show_credentials(terminal, &made);
    terminal.done(format!("{name} is being made from the backup. Its password is not shown again."));
    terminal.hint(format!("fondaco deployment show {}", text(&made, "deploymentId")));
    Ok(())
}
