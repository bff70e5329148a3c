//! `sales list`, `balance`, `history`: what was sold, and what it brought.

use serde_json::Value;

use super::answer::{list, money, text, time, word};
use super::args::{Earned, Global, Orders, Sales, Side};
use super::client::{Client, Query};
use super::failure::Failure;
use super::order;
use super::terminal::Terminal;

/// Runs a command about what was sold.
pub(crate) async fn run(terminal: &Terminal, global: &Global, command: &Sales) -> Result<(), Failure> {
    let client = Client::signed_in(global)?;
    match command {
        Sales::List { status, part } => {
            let sold = Orders { status: status.clone(), side: Side::Seller, part: *part };
            order::list_orders(terminal, &client, &sold).await
        }
        Sales::Balance { org } => balance(terminal, &client, org.as_ref()).await,
        Sales::History(args) => history(terminal, &client, args).await,
    }
}

async fn balance(terminal: &Terminal, client: &Client, org: Option<&String>) -> Result<(), Failure> {
    let answer = client.get("/api/seller/balance", Query::default().maybe("org", org)).await?;
    if terminal.json {
        terminal.data_json(&answer);
        return Ok(());
    }
    let found = list(&answer, "balances");
    let row = |balance: &Value| {
        let amounts = ["availableMinor", "pendingMinor", "inTransitMinor", "debtMinor"];
        let amounts = amounts.map(|name| money(balance, name));
        [vec![text(balance, "currency")], amounts.to_vec()].concat()
    };
    let head = ["currency", "available", "matures later", "on its way", "debt"];
    terminal.table(&head, found.iter().map(row).collect());
    if found.is_empty() {
        terminal.say("Nothing was earned yet.");
    }
    let org = org.map_or_else(String::new, |org| format!(" --org {org}"));
    let account = answer.get("account").unwrap_or(&Value::Null);
    if text(account, "ready").is_empty() {
        let page = client.session.api("/sell/payouts");
        terminal.warn(format!("Nothing can be paid out before it is said where to: {page}"));
    } else if found.iter().any(|balance| balance.get("availableMinor").and_then(Value::as_i64) > Some(0)) {
        terminal.hint(format!("fondaco payout request{org}"));
    } else {
        terminal.hint(format!("fondaco sales history{org}"));
    }
    Ok(())
}

async fn history(terminal: &Terminal, client: &Client, args: &Earned) -> Result<(), Failure> {
    let query = args.part.query().maybe("org", args.org.as_ref()).maybe("currency", args.currency.as_ref());
    let answer = client.get("/api/seller/transactions", query).await?;
    if terminal.json {
        terminal.data_json(&answer);
        return Ok(());
    }
    let found = list(&answer, "transactions");
    let row = |line: &Value| {
        let names = [time(line, "at"), word(line, "reason"), money(line, "amountMinor"), word(line, "state")];
        [names.to_vec(), vec![time(line, "maturesAt"), text(line, "reference")]].concat()
    };
    let head = ["time", "what", "amount", "state", "matures", "reference"];
    terminal.table(&head, found.iter().map(row).collect());
    terminal.more(found.len(), args.part.offset, &answer);
    if found.is_empty() {
        terminal.say("Nothing was earned yet.");
    }
    Ok(())
}
