//! `order list`, `show`, `place`, `extend`, `cancel`: what one bought or sold. `pay`, `refund` and `receipt` are in
//! files of their own.

mod pay;
mod receipt;
mod refund;

use kernel::Clock;
use reqwest::Method;
use serde_json::{Value, json};

use super::answer::{list, money, money_in, number, text, time, time_left, word};
use super::args::{Global, NewOrder, Order, Orders, Side};
use super::client::{Client, Query, checked_id};
use super::failure::{Failure, code};
use super::terminal::Terminal;

/// Runs a command about orders.
pub(crate) async fn run(terminal: &Terminal, global: &Global, command: &Order) -> Result<(), Failure> {
    let client = Client::signed_in(global)?;
    match command {
        Order::List(args) => list_orders(terminal, &client, args).await,
        Order::Show { order } => show(terminal, &client, order).await,
        Order::Place(new) => place(terminal, &client, new).await,
        Order::Pay(args) => pay::pay(terminal, &client, args).await,
        Order::Extend { order } => extend(terminal, &client, order).await,
        Order::Cancel { order } => cancel(terminal, &client, order).await,
        Order::Refund(args) => refund::refund(terminal, &client, args).await,
        Order::Receipt { order, saved } => receipt::receipt(terminal, &client, order, saved).await,
    }
}

/// The path of an order.
fn path(order: &str) -> Result<String, Failure> {
    Ok(format!("/api/orders/{}", checked_id("order", order)?))
}

/// An order that one placed or sold from.
async fn find(client: &Client, order: &str) -> Result<Value, Failure> {
    client.get(&path(order)?, Query::default()).await.map_err(|failure| match failure.exit {
        code::NOT_FOUND => failure.next("fondaco order list"),
        _ => failure,
    })
}

/// Lists orders from one side.
pub(super) async fn list_orders(terminal: &Terminal, client: &Client, args: &Orders) -> Result<(), Failure> {
    let side = if args.side == Side::Seller { "seller" } else { "buyer" };
    let query = args.part.query().and("as", side).maybe("status", args.status.as_ref());
    let answer = client.get("/api/orders", query).await?;
    if terminal.json {
        terminal.data_json(&answer);
        return Ok(());
    }
    let found = list(&answer, "items");
    let row = |order: &Value| {
        let is_held = text(order, "status") == "pending";
        vec![
            text(order, "id"),
            word(order, "status"),
            money(order, "totalMinor"),
            title(order),
            time(order, "createdAt"),
            if is_held { time(order, "expiresAt") } else { String::new() },
        ]
    };
    let head = ["id", "state", "total", "what", "placed", "held until"];
    terminal.table(&head, found.iter().map(row).collect());
    terminal.more(found.len(), args.part.offset, &answer);
    match found.first() {
        Some(order) => terminal.hint(format!("fondaco order show {}", text(order, "id"))),
        None => {
            terminal.say("There is no such order.");
            terminal.hint("fondaco market list");
        }
    }
    Ok(())
}

/// What is in an order, in a line: `2 × Admission, Elide meetup and 1 more`.
fn title(order: &Value) -> String {
    let lines = list(order, "items");
    let Some(first) = lines.first() else { return String::new() };
    let many = first.get("quantity").and_then(Value::as_u64).filter(|many| *many > 1);
    let many = many.map_or_else(String::new, |many| format!("{many} × "));
    let more = if lines.len() > 1 { format!(" and {} more", lines.len() - 1) } else { String::new() };
    format!("{many}{}, {}{more}", text(first, "offer"), text(first, "title"))
}

async fn show(terminal: &Terminal, client: &Client, order: &str) -> Result<(), Failure> {
    let order = find(client, order).await?;
    if terminal.json {
        terminal.data_json(&order);
        return Ok(());
    }
    let left = time_left(&order, "expiresAt", Clock::system().now());
    let is_held = text(&order, "status") == "pending";
    let held = left.map(|left| format!("{}, {left} left", time(&order, "expiresAt")));
    terminal.details(&[
        ("", text(&order, "id")),
        ("state", word(&order, "status")),
        ("held until", held.filter(|_| is_held).unwrap_or_default()),
        ("total", money(&order, "totalMinor")),
        ("discount", some_of(&order, "discountMinor", &order)),
        ("promo code", text(&order, "promo")),
        ("tax", some_of(&order, "taxMinor", &order)),
        ("refunded", some_of(&order, "refundedMinor", &order)),
        ("refunding", some_of(&order, "refundingMinor", &order)),
        ("placed", time(&order, "createdAt")),
        ("paid", time(&order, "paidAt")),
    ]);
    terminal.data("");
    let row = |line: &Value| {
        vec![
            number(line, "number"),
            number(line, "quantity"),
            text(line, "title"),
            text(line, "offer"),
            text(line, "unit"),
            money_in(line, "totalMinor", &order),
            some_of(line, "refundedMinor", &order),
        ]
    };
    let head = ["line", "quantity", "what", "offer", "unit", "total", "refunded"];
    terminal.table(&head, list(&order, "items").iter().map(row).collect());
    suggest(terminal, &order);
    Ok(())
}

/// An amount, unless it is nothing.
fn some_of(line: &Value, name: &str, order: &Value) -> String {
    let is_some = line.get(name).and_then(Value::as_i64).is_some_and(|minor| minor != 0);
    if is_some { money_in(line, name, order) } else { String::new() }
}

/// What its buyer does next.
fn suggest(terminal: &Terminal, order: &Value) {
    let (id, lines) = (text(order, "id"), list(order, "items"));
    let has_tickets = lines.iter().any(|line| text(line, "kind") == "ticket");
    match text(order, "status").as_str() {
        "pending" => {
            terminal.hint(format!("fondaco order pay {id} --wallet"));
            let hold = order.get("hold").unwrap_or(&Value::Null);
            let can_extend =
                hold.get("extensionSeconds").and_then(Value::as_u64).is_some_and(|more| more > 0);
            if can_extend && text(hold, "extended").is_empty() {
                terminal.hint(format!("fondaco order extend {id}"));
            }
        }
        "paid" | "partially_refunded" => {
            if has_tickets {
                terminal.hint("fondaco ticket list");
            }
            terminal.hint(format!("fondaco order receipt {id}"));
        }
        "refunded" | "disputed" => terminal.hint(format!("fondaco order receipt {id}")),
        _ => {
            if let Some(line) = lines.first() {
                terminal.hint(format!("fondaco market show {}", text(line, "listingId")));
            }
        }
    }
}

async fn place(terminal: &Terminal, client: &Client, new: &NewOrder) -> Result<(), Failure> {
    let units = new.unit.iter().map(|unit| checked_id("unit", unit)).collect::<Result<Vec<_>, _>>()?;
    let mut item = json!({"offerId": checked_id("offer", &new.offer)?, "unitIds": units});
    if new.unit.is_empty() {
        item["quantity"] = json!(new.quantity.unwrap_or(1));
    }
    let body = json!({"items": [item], "promo": new.promo, "onBehalfOf": new.org, "country": new.country});
    let order = client.post("/api/orders", new.key.as_deref(), &body).await?;
    let id = text(&order, "id");
    if terminal.json {
        terminal.data_json(&order);
    } else {
        terminal.data(&id);
    }
    let (what, total) = (title(&order), money(&order, "totalMinor"));
    if text(&order, "status") == "pending" {
        let left = time_left(&order, "expiresAt", Clock::system().now()).unwrap_or_default();
        terminal.done(format!("Ordered {what}. {total} are to be paid; it is held for {left}."));
    } else {
        terminal.done(format!("Ordered {what}. The order is {} ({total}).", word(&order, "status")));
    }
    suggest(terminal, &order);
    Ok(())
}

async fn extend(terminal: &Terminal, client: &Client, order: &str) -> Result<(), Failure> {
    let order = client.post(&format!("{}/extend", path(order)?), None, &Value::Null).await?;
    if terminal.json {
        terminal.data_json(&order);
        return Ok(());
    }
    terminal.done(format!("The order is held until {}.", time(&order, "expiresAt")));
    suggest(terminal, &order);
    Ok(())
}

async fn cancel(terminal: &Terminal, client: &Client, order: &str) -> Result<(), Failure> {
    let path = path(order)?;
    terminal.confirm("Cancel this order? What it holds is back on sale at once.")?;
    let order = client.json(client.request(Method::DELETE, &client.session.api(&path))).await?;
    if terminal.json {
        terminal.data_json(&order);
    }
    terminal.done("The order is cancelled. Nothing was charged.");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_in_a_line() {
        let line = |quantity: u32| json!({"quantity": quantity, "offer": "Admission", "title": "A concert"});
        assert_eq!(title(&json!({"items": [line(1)]})), "Admission, A concert");
        assert_eq!(title(&json!({"items": [line(2), line(1)]})), "2 × Admission, A concert and 1 more");
        assert_eq!(title(&json!({})), "");
    }
}
