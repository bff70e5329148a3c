//! `webhook list`, `create`, `events`, `test`, `attempts`, `replay`, `rotate`, `delete`.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use super::answer::{list, number, text, time};
use super::args::{Global, Part, Webhook};
use super::client::{Client, Query, checked_id};
use super::failure::{Failure, code};
use super::terminal::Terminal;

/// How long between two looks whether a delivery was tried.
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// Something was waited for in vain, as `timeout` ends.
const NOT_IN_TIME: u8 = 124;

/// Runs a command about webhooks.
pub(crate) async fn run(terminal: &Terminal, global: &Global, command: &Webhook) -> Result<(), Failure> {
    if let Webhook::Events = command {
        return events(terminal, &Client::new(global)?).await;
    }
    let client = Client::signed_in(global)?;
    match command {
        Webhook::Events => Ok(()),
        Webhook::List(part) => own(terminal, &client, *part).await,
        Webhook::Create { url, events, description, org, key } => {
            let body = json!({"url": url, "events": events, "description": description, "organisation": org});
            let made = client.post("/api/webhooks", key.as_deref(), &body).await?;
            let id = text(&made, "webhookId");
            show_secret(terminal, &made, format!("Made the webhook {id}. Its secret is not shown again."));
            terminal.hint(format!("fondaco webhook test {id}"));
            Ok(())
        }
        Webhook::Test { webhook } => {
            let sent = client.post(&format!("{}/test", path(webhook)?), None, &Value::Null).await?;
            follow(terminal, &client, global, webhook, &text(&sent, "deliveryId"), None).await
        }
        Webhook::Attempts { webhook, delivery: None, state, part } => {
            deliveries(terminal, &client, webhook, state.as_ref(), *part).await
        }
        Webhook::Attempts { webhook, delivery: Some(delivery), .. } => {
            let found = find_delivery(&client, webhook, delivery).await?;
            show_delivery(terminal, webhook, &found);
            Ok(())
        }
        Webhook::Replay { webhook, delivery } => replay(terminal, &client, global, webhook, delivery).await,
        Webhook::Rotate { webhook } => {
            terminal.confirm("Replace the secret? The earlier one signs too for a day.")?;
            let made = client.post(&format!("{}/rotate-secret", path(webhook)?), None, &Value::Null).await?;
            let until = time(&made, "oldSecretUntil");
            show_secret(
                terminal,
                &made,
                format!("The earlier secret signs too until {until}. This one is not shown again."),
            );
            Ok(())
        }
        Webhook::Delete { webhook } => {
            let path = path(webhook)?;
            terminal.confirm("Remove this webhook? What waits for it is never sent.")?;
            client.send(client.request(Method::DELETE, &client.session.api(&path))).await?;
            terminal.done(format!("The webhook {webhook} is gone."));
            Ok(())
        }
    }
}

fn path(webhook: &str) -> Result<String, Failure> {
    Ok(format!("/api/webhooks/{}", checked_id("webhook", webhook)?))
}

async fn events(terminal: &Terminal, client: &Client) -> Result<(), Failure> {
    let answer = client.get("/api/webhooks/events", Query::default()).await?;
    if terminal.json {
        terminal.data_json(&answer);
        return Ok(());
    }
    let types = answer.as_array().map(Vec::as_slice).unwrap_or_default();
    let row = |kind: &Value| vec![text(kind, "name"), text(kind, "summary")];
    terminal.table(&["type", "what happened"], types.iter().map(row).collect());
    Ok(())
}

async fn own(terminal: &Terminal, client: &Client, part: Part) -> Result<(), Failure> {
    let answer = client.get("/api/webhooks", part.query()).await?;
    if terminal.json {
        terminal.data_json(&answer);
        return Ok(());
    }
    let found = list(&answer, "webhooks");
    let row = |webhook: &Value| {
        let events = list(webhook, "events").iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" ");
        let is_on = !text(webhook, "enabled").is_empty();
        let state = if is_on { "on".to_owned() } else { format!("off: {}", text(webhook, "reason")) };
        vec![text(webhook, "webhookId"), text(webhook, "url"), events, state, text(webhook, "description")]
    };
    terminal.table(&["id", "address", "events", "state", "what for"], found.iter().map(row).collect());
    terminal.more(found.len(), part.offset, &answer);
    match found.first() {
        Some(webhook) => terminal.hint(format!("fondaco webhook attempts {}", text(webhook, "webhookId"))),
        None => {
            terminal.say("There is no webhook.");
            terminal.hint("fondaco webhook create https://example.com/hook --events order.paid");
        }
    }
    Ok(())
}

/// Prints a secret alone on standard output.
fn show_secret(terminal: &Terminal, made: &Value, done: String) {
    if terminal.json {
        terminal.data_json(made);
    } else {
        terminal.data(text(made, "secret"));
    }
    terminal.done(done);
}

async fn deliveries(
    terminal: &Terminal,
    client: &Client,
    webhook: &str,
    state: Option<&String>,
    part: Part,
) -> Result<(), Failure> {
    let path = format!("{}/deliveries", path(webhook)?);
    let answer = client.get(&path, part.query().maybe("state", state)).await?;
    if terminal.json {
        terminal.data_json(&answer);
        return Ok(());
    }
    let found = list(&answer, "deliveries");
    let row = |delivery: &Value| {
        vec![
            text(delivery, "id"),
            text(delivery, "type"),
            text(delivery, "state"),
            number(delivery, "attempts"),
            time(delivery, "createdAt"),
            time(delivery, "nextAt"),
            text(delivery, "subject"),
        ]
    };
    let head = ["id", "type", "state", "attempts", "made", "tried next", "subject"];
    terminal.table(&head, found.iter().map(row).collect());
    terminal.more(found.len(), part.offset, &answer);
    match found.first() {
        Some(delivery) => {
            terminal.hint(format!("fondaco webhook attempts {webhook} {}", text(delivery, "id")))
        }
        None => terminal.say("Nothing was sent."),
    }
    Ok(())
}

async fn find_delivery(client: &Client, webhook: &str, delivery: &str) -> Result<Value, Failure> {
    let path = format!("{}/deliveries/{}", path(webhook)?, checked_id("delivery", delivery)?);
    client.get(&path, Query::default()).await.map_err(|failure| match failure.exit {
        code::NOT_FOUND => failure.next(format!("fondaco webhook attempts {webhook}")),
        _ => failure,
    })
}

fn show_delivery(terminal: &Terminal, webhook: &str, delivery: &Value) {
    if terminal.json {
        terminal.data_json(delivery);
        return;
    }
    terminal.details(&[
        ("", text(delivery, "id")),
        ("type", text(delivery, "type")),
        ("subject", text(delivery, "subject")),
        ("state", text(delivery, "state")),
        ("made", time(delivery, "createdAt")),
        ("tried next", time(delivery, "nextAt")),
        ("ended", time(delivery, "endedAt")),
    ]);
    terminal.data("");
    let row = |attempt: &Value| {
        let took = format!("{} ms", number(attempt, "tookMs"));
        let answer: String = text(attempt, "answer").chars().take(80).collect();
        vec![number(attempt, "number"), time(attempt, "beganAt"), number(attempt, "status"), took, answer]
    };
    terminal.table(
        &["attempt", "at", "status", "took", "answer"],
        list(delivery, "log").iter().map(row).collect(),
    );
    if text(delivery, "state") != "delivered" {
        terminal.hint(format!("fondaco webhook replay {webhook} {}", text(delivery, "id")));
    }
}

async fn replay(
    terminal: &Terminal,
    client: &Client,
    global: &Global,
    webhook: &str,
    delivery: &str,
) -> Result<(), Failure> {
    let before = find_delivery(client, webhook, delivery).await?;
    let path = format!("{}/deliveries/{delivery}/replay", path(webhook)?);
    client.post(&path, None, &Value::Null).await?;
    follow(terminal, client, global, webhook, delivery, list(&before, "log").first()).await
}

/// Waits for an attempt after `last`, and shows what came of it.
async fn follow(
    terminal: &Terminal,
    client: &Client,
    global: &Global,
    webhook: &str,
    delivery: &str,
    last: Option<&Value>,
) -> Result<(), Failure> {
    let began = Instant::now();
    let found = loop {
        let found = find_delivery(client, webhook, delivery).await?;
        if list(&found, "log").first() != last {
            break found;
        }
        if began.elapsed() > global.timeout {
            let detail = "It is in line, but was not sent in time. It is sent all the same.";
            return Err(Failure::new(NOT_IN_TIME, "cli.not_sent_yet", "Not sent yet", detail)
                .next(format!("fondaco webhook attempts {webhook} {delivery}")));
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    };
    show_delivery(terminal, webhook, &found);
    if text(&found, "state") == "delivered" {
        terminal.done("The receiver took it.");
        return Ok(());
    }
    let attempt = list(&found, "log").first().cloned().unwrap_or_default();
    let answer = match (number(&attempt, "status"), text(&attempt, "answer")) {
        (status, answer) if status.is_empty() => answer,
        (status, _) => format!("It answered with status {status}."),
    };
    let detail = format!("The receiver did not take it. {}", super::terminal::plain(&answer));
    Err(Failure::new(code::FAILED, "cli.not_delivered", "Not delivered", detail)
        .next("mend the receiver; until then it is tried again by itself"))
}
