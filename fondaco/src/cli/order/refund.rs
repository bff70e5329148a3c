//! `order refund`.

use kernel::{Currency, Money};
use serde_json::{Value, json};

use super::super::answer::{money_in, text};
use super::super::args::{Line, Refund};
use super::super::client::Client;
use super::super::failure::Failure;
use super::super::terminal::Terminal;
use super::{find, path};

/// Gives money back.
pub(super) async fn refund(terminal: &Terminal, client: &Client, args: &Refund) -> Result<(), Failure> {
    let order = find(client, &args.order).await?;
    let (mut body, what) = wish(args, &order)?;
    body["giveBack"] = json!(args.give_back);
    body["reason"] = json!(args.reason);
    terminal.confirm(&format!("Refund {what}? This cannot be undone."))?;
    let refund = client.post(&format!("{}/refunds", path(&args.order)?), args.key.as_deref(), &body).await?;
    if terminal.json {
        terminal.data_json(&refund);
    }
    let amount = money_in(&refund, "amountMinor", &order);
    terminal.done(match text(&refund, "status").as_str() {
        "settled" => format!("Refunded {amount}."),
        _ => format!("{amount} are on the way back to the buyer."),
    });
    terminal.hint(format!("fondaco order show {}", text(&order, "id")));
    Ok(())
}

/// What the API is sent, and what people are asked about.
fn wish(args: &Refund, order: &Value) -> Result<(Value, String), Failure> {
    if let Some(amount) = &args.amount {
        let wrong = |what: String| Failure::usage(format!("--amount {amount}: {what}."));
        let currency: Currency =
            text(order, "currency").parse().map_err(|error: kernel::MoneyError| wrong(error.to_string()))?;
        let amount = Money::parse(amount, currency).map_err(|error| wrong(error.to_string()))?;
        return Ok((json!({"amountMinor": amount.minor}), format!("{amount} of this order")));
    }
    if !args.line.is_empty() {
        let line = |line: &Line| json!({"number": line.number, "quantity": line.quantity});
        let said = |line: &Line| match line.quantity {
            Some(many) => format!("{many} of line {}", line.number),
            None => format!("line {}", line.number),
        };
        let what = args.line.iter().map(said).collect::<Vec<_>>().join(", ");
        return Ok((json!({"lines": args.line.iter().map(line).collect::<Vec<_>>()}), what));
    }
    Ok((json!({}), "all that is left of this order".to_owned()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn args(amount: Option<&str>, lines: &[&str]) -> Refund {
        Refund {
            order: "order-1".to_owned(),
            amount: amount.map(str::to_owned),
            line: lines.iter().map(|line| line.parse().unwrap()).collect(),
            give_back: false,
            reason: String::new(),
            key: None,
        }
    }

    #[test]
    fn amounts_are_in_the_currency_of_the_order() {
        let order = |currency: &str| json!({"currency": currency});
        let (body, what) = wish(&args(Some("5.50"), &[]), &order("USD")).unwrap();
        assert_eq!((body, what.as_str()), (json!({"amountMinor": 550}), "$5.50 of this order"));
        assert_eq!(wish(&args(Some("5"), &[]), &order("JPY")).unwrap().0, json!({"amountMinor": 5}));
        for (amount, currency) in [("5.50", "JPY"), ("x", "USD"), ("1.234", "USD")] {
            assert_eq!(wish(&args(Some(amount), &[]), &order(currency)).unwrap_err().exit, 2, "{amount}");
        }
    }

    #[test]
    fn lines_are_taken_back_whole_or_in_part() {
        let (body, what) = wish(&args(None, &["1:2", "3"]), &json!({})).unwrap();
        assert_eq!(body, json!({"lines": [{"number": 1, "quantity": 2}, {"number": 3, "quantity": null}]}));
        assert_eq!(what, "2 of line 1, line 3");
        assert_eq!(wish(&args(None, &[]), &json!({})).unwrap().0, json!({}));
    }
}
