//! `order pay`.

use serde_json::{Value, json};

use super::super::answer::{money, text, word};
use super::super::args::Pay;
use super::super::client::{Client, checked_id};
use super::super::failure::{Failure, code};
use super::super::terminal::Terminal;
use super::super::wallet;
use super::{find, title};

/// Pays an order, or prints where a person can.
pub(super) async fn pay(terminal: &Terminal, client: &Client, args: &Pay) -> Result<(), Failure> {
    let order = find(client, &args.order).await?;
    let (id, total) = (text(&order, "id"), money(&order, "totalMinor"));
    let (field, value, with) = match way(client, args).await? {
        Some(way) => way,
        None => return lead_to_the_page(terminal, client, &order),
    };
    terminal.confirm(&format!("Pay {total} for {} {with}?", title(&order)))?;
    let body = json!({"orderId": id, field: value});
    let paid = client.post("/api/payments", args.key.as_deref(), &body).await?;
    if terminal.json {
        terminal.data_json(&paid);
    }
    match (text(&paid, "status").as_str(), text(&paid, "nextPage").as_str()) {
        ("authorised" | "captured", _) => {
            terminal.done(format!("Paid {} {with}.", money(&paid, "amountMinor")));
            terminal.hint(format!("fondaco order show {id}"));
            Ok(())
        }
        (_, "") => Err(Failure::new(
            code::LATER,
            "cli.payment_unknown",
            "The bank has not answered yet",
            "The order stays held, and is paid once the bank says so. Nothing is charged twice.",
        )
        .next(format!("fondaco order show {id}"))),
        (_, page) => Err(Failure::new(
            code::PAYMENT,
            "cli.payment_unconfirmed",
            "Your bank wants a confirmation",
            "The order is not paid before you give it.",
        )
        .next(format!("open {}", client.session.api(page)))),
    }
}

/// The field of the API, its value, and how people say it; none where the buyer pays in the browser.
async fn way(client: &Client, args: &Pay) -> Result<Option<(&'static str, Value, String)>, Failure> {
    if args.wallet {
        return Ok(Some(("wallet", json!(true), "from the wallet".to_owned())));
    }
    if let Some(token) = &args.token {
        return Ok(Some(("token", json!(token), format!("with {token}"))));
    }
    let Some(method) = &args.method else { return Ok(None) };
    if method != "default" {
        return Ok(Some(("methodId", json!(checked_id("method", method)?), format!("with {method}"))));
    }
    let card = wallet::default_card(client, None).await?;
    let name = format!("with {} {}", text(&card, "brand"), text(&card, "last4"));
    Ok(Some(("methodId", json!(text(&card, "methodId")), name)))
}

fn lead_to_the_page(terminal: &Terminal, client: &Client, order: &Value) -> Result<(), Failure> {
    let id = text(order, "id");
    if text(order, "status") != "pending" {
        let detail = format!("The order is {}, so there is nothing to pay.", word(order, "status"));
        return Err(Failure::new(code::CONFLICT, "cli.nothing_to_pay", "Nothing to pay", detail)
            .next(format!("fondaco order show {id}")));
    }
    let page = client.session.api(&format!("/checkout/{id}"));
    if terminal.json {
        terminal.data_json(&json!({"orderId": id, "checkoutUrl": page}));
    } else {
        terminal.data(page);
    }
    terminal.say(format!("  {} are to be paid at this address.", money(order, "totalMinor")));
    Ok(())
}
