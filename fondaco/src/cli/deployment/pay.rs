//! What is to be paid before something is deployed, starts again, or gets another plan.

use serde_json::{Value, json};

use super::super::answer::{money, text};
use super::super::client::{Client, checked_id};
use super::super::failure::{Failure, code};
use super::super::terminal::Terminal;
use super::super::wallet;

/// Whether the answer is an order that waits to be paid.
pub(super) fn is_needed(answer: &Value) -> bool {
    answer.get("paymentRequired").and_then(Value::as_bool).unwrap_or(false)
}

/// Names the page on which a person pays; what was asked for happens by itself then.
pub(super) fn lead_to_the_page(terminal: &Terminal, answer: &Value) {
    if terminal.json {
        terminal.data_json(answer);
    } else {
        terminal.data(text(answer, "payUrl"));
    }
    let order = answer.get("order").unwrap_or(&Value::Null);
    terminal.say(format!(
        "  {} are to be paid at this address. The rest happens by itself.",
        money(order, "totalMinor")
    ));
    terminal.hint(format!("fondaco order pay {} --wallet", text(order, "id")));
}

/// Pays the order that an answer names.
pub(super) async fn pay(
    terminal: &Terminal,
    client: &Client,
    answer: &Value,
    way: &str,
    org: Option<&String>,
) -> Result<(), Failure> {
    let order = answer.get("order").unwrap_or(&Value::Null);
    let (id, total) = (text(order, "id"), money(order, "totalMinor"));
    let (field, value) = match way {
        "wallet" => ("wallet", json!(true)),
        "default" => ("methodId", json!(text(&wallet::default_card(client, org).await?, "methodId"))),
        token if token.starts_with("tok_") => ("token", json!(token)),
        method => ("methodId", json!(checked_id("method", method)?)),
    };
    terminal.confirm(&format!("Pay {total} now?"))?;
    let key = format!("{id}-pay");
    let paid = client.post("/api/payments", Some(&key), &json!({"orderId": id, field: value})).await?;
    match (text(&paid, "status").as_str(), text(&paid, "nextPage").as_str()) {
        ("authorised" | "captured", _) => {
            terminal.say(format!("Paid {total}"));
            Ok(())
        }
        (_, "") => Err(Failure::new(
            code::LATER,
            "cli.payment_unknown",
            "The bank has not answered yet",
            "It is deployed by itself once the bank says yes. Nothing is charged twice.",
        )
        .next(format!("fondaco order show {id}"))),
        (_, page) => Err(Failure::new(
            code::PAYMENT,
            "cli.payment_unconfirmed",
            "Your bank wants a confirmation",
            "It is deployed by itself once you gave it.",
        )
        .next(format!("open {}", client.session.api(page)))),
    }
}
