//! `payout list`, `show`, `request`: how earnings reach their seller.

use serde_json::{Value, json};

use super::answer::{list, money, text, time};
use super::args::{Global, Part, Payout};
use super::client::{Client, Query, checked_id};
use super::failure::Failure;
use super::listing::amount;
use super::terminal::Terminal;

/// Runs a command about payouts.
pub(crate) async fn run(terminal: &Terminal, global: &Global, command: &Payout) -> Result<(), Failure> {
    let client = Client::signed_in(global)?;
    match command {
        Payout::List { org, part } => list_payouts(terminal, &client, org.as_ref(), *part).await,
        Payout::Show { payout } => show(terminal, &client, payout).await,
        Payout::Request { amount: much, org, currency, key } => {
            let much = much.as_ref().map(|much| amount(much, currency)).transpose()?;
            let what =
                much.map_or_else(|| format!("all that is available in {currency}"), |much| much.to_string());
            terminal.confirm(&format!("Pay out {what}?"))?;
            let body = json!({"org": org, "currency": currency, "amountMinor": much.map(|much| much.minor)});
            request(terminal, &client, &body, key.as_deref()).await
        }
    }
}

async fn list_payouts(
    terminal: &Terminal,
    client: &Client,
    org: Option<&String>,
    part: Part,
) -> Result<(), Failure> {
    let answer = client.get("/api/seller/payouts", part.query().maybe("org", org)).await?;
    if terminal.json {
        terminal.data_json(&answer);
        return Ok(());
    }
    let found = list(&answer, "payouts");
    let row = |payout: &Value| {
        let amount = money(payout, "amountMinor");
        vec![
            text(payout, "payoutId"),
            text(payout, "state"),
            amount,
            time(payout, "createdAt"),
            failure(payout),
        ]
    };
    terminal.table(&["id", "state", "amount", "asked for", "failure"], found.iter().map(row).collect());
    terminal.more(found.len(), part.offset, &answer);
    if found.is_empty() {
        terminal.say("Nothing was paid out yet.");
        terminal.hint("fondaco sales balance");
    }
    Ok(())
}

/// Why it failed.
fn failure(payout: &Value) -> String {
    payout.get("failure").map(|failure| text(failure, "message")).unwrap_or_default()
}

async fn show(terminal: &Terminal, client: &Client, payout: &str) -> Result<(), Failure> {
    let path = format!("/api/seller/payouts/{}", checked_id("payout", payout)?);
    let payout = client.get(&path, Query::default()).await?;
    if terminal.json {
        terminal.data_json(&payout);
        return Ok(());
    }
    terminal.details(&[
        ("", text(&payout, "payoutId")),
        ("state", text(&payout, "state")),
        ("amount", money(&payout, "amountMinor")),
        ("gateway", text(&payout, "gateway")),
        ("reference", text(&payout, "reference")),
        ("failure", failure(&payout)),
        ("asked for", time(&payout, "createdAt")),
        ("changed", time(&payout, "updatedAt")),
    ]);
    Ok(())
}

async fn request(
    terminal: &Terminal,
    client: &Client,
    body: &Value,
    key: Option<&str>,
) -> Result<(), Failure> {
    let payout =
        client.post("/api/seller/payouts", key, body).await.map_err(|failure| match failure.next {
            None => failure.next("fondaco sales balance"),
            Some(_) => failure,
        })?;
    let id = text(&payout, "payoutId");
    if terminal.json {
        terminal.data_json(&payout);
    } else {
        terminal.data(&id);
    }
    terminal.done(format!("{} are on the way.", money(&payout, "amountMinor")));
    terminal.hint(format!("fondaco payout show {id}"));
    Ok(())
}
