//! `wallet balance`, `topup`, `methods`, `history`: the money that an account pays orders from.

use reqwest::Method;
use serde_json::{Map, Value, json};

use super::answer::{list, money, number, text, time};
use super::args::{Global, History, TopUp, Wallet, Whose};
use super::client::{Client, Query};
use super::failure::Failure;
use super::terminal::Terminal;

/// Runs a command about the wallet.
pub(crate) async fn run(terminal: &Terminal, global: &Global, command: &Wallet) -> Result<(), Failure> {
    let client = Client::signed_in(global)?;
    match command {
        Wallet::Balance(whose) => balance(terminal, &client, whose).await,
        Wallet::Topup(args) => top_up(terminal, &client, args).await,
        Wallet::Methods { org } => methods(terminal, &client, org.as_ref()).await,
        Wallet::History(args) => history(terminal, &client, args).await,
    }
}

/// Whose wallet, as the API is asked for it.
fn query(whose: &Whose) -> Query {
    let query = Query::default().maybe("organisation", whose.org.as_ref());
    query.maybe("currency", whose.currency.as_ref())
}

async fn balance(terminal: &Terminal, client: &Client, whose: &Whose) -> Result<(), Failure> {
    let answer = client.get("/api/wallet", query(whose)).await?;
    if terminal.json {
        terminal.data_json(&answer);
        return Ok(());
    }
    let is_meant =
        |balance: &&Value| whose.currency.as_ref().is_none_or(|only| text(balance, "currency") == *only);
    let row = |balance: &Value| {
        let amount = |name| money(balance, name);
        vec![
            text(balance, "currency"),
            amount("availableMinor"),
            amount("reservedMinor"),
            amount("balanceMinor"),
        ]
    };
    let rows = list(&answer, "balances").iter().filter(is_meant).map(row).collect();
    terminal.table(&["currency", "available", "reserved", "balance"], rows);
    terminal.hint("fondaco wallet topup 25");
    Ok(())
}

/// The card to charge: the one that is named, else the default one.
async fn card(client: &Client, args: &TopUp) -> Result<(&'static str, String), Failure> {
    if let Some(token) = &args.token {
        return Ok(("token", token.clone()));
    }
    if let Some(card) = &args.card {
        return Ok(("methodId", card.clone()));
    }
    let card = default_card(client, args.whose.org.as_ref()).await?;
    Ok(("methodId", text(&card, "methodId")))
}

/// The saved card that is charged where none is named.
///
/// # Errors
/// That none is saved; nothing is charged then.
pub(super) async fn default_card(client: &Client, org: Option<&String>) -> Result<Value, Failure> {
    let query = Query::default().maybe("organisation", org);
    let answer = client.get("/api/payments/methods", query).await?;
    let saved = list(&answer, "methods");
    saved.first().cloned().ok_or_else(|| {
        let page = client.session.api("/account/payment-methods");
        Failure::usage("No card is saved. Nothing was charged.")
            .next(format!("save one at {page}, or name one with --token"))
    })
}

async fn methods(terminal: &Terminal, client: &Client, org: Option<&String>) -> Result<(), Failure> {
    let query = Query::default().maybe("organisation", org);
    let answer = client.get("/api/payments/methods", query).await?;
    if terminal.json {
        terminal.data_json(&answer);
        return Ok(());
    }
    let saved = list(&answer, "methods");
    let row = |card: &Value| {
        let expires = format!("{}/{}", number(card, "expMonth"), number(card, "expYear"));
        let is_default = card.get("isDefault").and_then(Value::as_bool) == Some(true);
        let default = if is_default { "default" } else { "" };
        vec![text(card, "methodId"), text(card, "brand"), text(card, "last4"), expires, default.to_owned()]
    };
    terminal.table(&["id", "card", "ends with", "expires", ""], saved.iter().map(row).collect());
    if saved.is_empty() {
        terminal.say("No card is saved.");
        terminal.say(format!("  Save one at {}", client.session.api("/account/payment-methods")));
    }
    Ok(())
}

async fn top_up(terminal: &Terminal, client: &Client, args: &TopUp) -> Result<(), Failure> {
    let amount: serde_json::Number =
        args.amount.parse().map_err(|_| Failure::usage("Write the amount as 25 or 25.50."))?;
    let (way, card) = card(client, args).await?;
    terminal.confirm(&format!("Top up by {}?", args.amount))?;
    let mut body = Map::new();
    body.insert("amount".to_owned(), Value::Number(amount));
    body.insert(way.to_owned(), json!(card));
    let address = client.address("/api/wallet/top-ups", query(&args.whose))?;
    let key = args.key.clone().unwrap_or_else(kernel::random_text::<24>);
    let request = client.request(Method::POST, &address).header("idempotency-key", key).json(&body);
    let answer = client.json(request).await?;
    if terminal.json {
        terminal.data_json(&answer);
        return Ok(());
    }
    let amount = money(&answer, "amountMinor");
    match (text(&answer, "state").as_str(), text(&answer, "nextUrl").as_str()) {
        ("paid", _) => terminal.done(format!("{amount} is in the wallet.")),
        (_, "") => {
            terminal.warn(format!("The bank has not answered yet. {amount} is in the wallet once it does."))
        }
        (_, next) => {
            terminal.warn(format!("Your bank wants a confirmation: {}{next}", client.session.server))
        }
    }
    Ok(())
}

async fn history(terminal: &Terminal, client: &Client, args: &History) -> Result<(), Failure> {
    let query = query(&args.whose)
        .and("limit", args.limit)
        .maybe("from", args.from.as_ref())
        .maybe("until", args.until.as_ref())
        .maybe("cursor", args.cursor.as_ref());
    let answer = client.get("/api/wallet/history", query).await?;
    if terminal.json {
        terminal.data_json(&answer);
        return Ok(());
    }
    let entries = list(&answer, "entries");
    let row = |entry: &Value| {
        let after = money(entry, "balanceMinor");
        let after = if after.is_empty() { "reserved".to_owned() } else { after };
        vec![
            time(entry, "at"),
            text(entry, "what"),
            money(entry, "amountMinor"),
            after,
            text(entry, "reference"),
        ]
    };
    terminal.table(&["time", "what", "amount", "balance", "reference"], entries.iter().map(row).collect());
    if entries.is_empty() {
        terminal.say("Nothing has happened yet.");
    }
    if let Some(cursor) = answer.get("nextCursor").and_then(Value::as_i64) {
        terminal.hint(format!("fondaco wallet history --cursor {cursor}"));
    }
    Ok(())
}
