//! `wallet balance`, `topup`, `history`: the money that an account pays orders from.

use kernel::{Currency, Money};
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::args::{Global, History, TopUp, Wallet, Whose};
use super::client::Client;
use super::failure::Failure;
use super::packages::text;
use super::terminal::Terminal;

/// Runs a command about the wallet.
pub(crate) async fn run(terminal: &Terminal, global: &Global, command: &Wallet) -> Result<(), Failure> {
    let client = Client::new(global)?;
    match command {
        Wallet::Balance(whose) => balance(terminal, &client, whose).await,
        Wallet::Topup(args) => top_up(terminal, &client, args).await,
        Wallet::History(args) => history(terminal, &client, args).await,
    }
}

/// An address below `/api` for this wallet.
fn address(client: &Client, path: &str, whose: &Whose, more: &[(&str, String)]) -> Result<String, Failure> {
    let org = whose.org.iter().map(|org| ("organisation", org.clone()));
    let currency = whose.currency.iter().map(|currency| ("currency", currency.clone()));
    let query: Vec<_> = org.chain(currency).chain(more.iter().cloned()).collect();
    let address = url::Url::parse_with_params(&client.session.api(path), query);
    address.map(String::from).map_err(|error| Failure::usage(error.to_string()))
}

/// The amount in a field of minor units, as people read it.
fn money(value: &Value, name: &str) -> String {
    let minor = value.get(name).and_then(Value::as_i64);
    let currency = text(value, "currency").parse::<Currency>();
    match (minor, currency) {
        (Some(minor), Ok(currency)) => Money::new(minor, currency).to_string(),
        _ => String::new(),
    }
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

async fn balance(terminal: &Terminal, client: &Client, whose: &Whose) -> Result<(), Failure> {
    let answer =
        client.json(client.request(Method::GET, &address(client, "/api/wallet", whose, &[])?)).await?;
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
    let methods = address(client, "/api/payments/methods", &args.whose, &[])?;
    let answer = client.json(client.request(Method::GET, &methods)).await?;
    match list(&answer, "methods").first() {
        Some(method) => Ok(("methodId", text(method, "methodId"))),
        None => Err(Failure::usage("No card is saved. Nothing was charged.")
            .next("Save one on the page Payment methods, or name one with --token.")),
    }
}

async fn top_up(terminal: &Terminal, client: &Client, args: &TopUp) -> Result<(), Failure> {
    let amount: serde_json::Number =
        args.amount.parse().map_err(|_| Failure::usage("Write the amount as 25 or 25.50."))?;
    let (way, card) = card(client, args).await?;
    terminal.confirm(&format!("Top up by {}?", args.amount))?;
    let mut body = Map::new();
    body.insert("amount".to_owned(), Value::Number(amount));
    body.insert(way.to_owned(), json!(card));
    let path = address(client, "/api/wallet/top-ups", &args.whose, &[])?;
    let key = args.key.clone().unwrap_or_else(kernel::random_text::<24>);
    let request = client.request(Method::POST, &path).header("idempotency-key", key).json(&body);
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
    let mut more = vec![("limit", args.limit.to_string())];
    more.extend(args.from.iter().map(|from| ("from", from.clone())));
    more.extend(args.until.iter().map(|until| ("until", until.clone())));
    more.extend(args.cursor.iter().map(|cursor| ("cursor", cursor.to_string())));
    let path = address(client, "/api/wallet/history", &args.whose, &more)?;
    let answer = client.json(client.request(Method::GET, &path)).await?;
    if terminal.json {
        terminal.data_json(&answer);
        return Ok(());
    }
    let entries = list(&answer, "entries");
    let row = |entry: &Value| {
        let at = text(entry, "at");
        let at = at.split_once('.').map_or_else(|| at.clone(), |(seconds, _)| format!("{seconds}Z"));
        let after = money(entry, "balanceMinor");
        let after = if after.is_empty() { "reserved".to_owned() } else { after };
        vec![at, text(entry, "what"), money(entry, "amountMinor"), after, text(entry, "reference")]
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
