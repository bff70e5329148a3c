//! `order receipt`.

use serde_json::Value;

use super::super::answer::{list, text, word};
use super::super::args::Saved;
use super::super::client::{Client, Query, checked_id};
use super::super::download;
use super::super::failure::{Failure, code};
use super::super::terminal::Terminal;
use super::find;

/// Saves the receipts of an order: one of each seller.
pub(super) async fn receipt(
    terminal: &Terminal,
    client: &Client,
    order: &str,
    saved: &Saved,
) -> Result<(), Failure> {
    let query = Query::default().and("of", checked_id("order", order)?).and("limit", 100);
    let answer = client.get("/api/billing/invoices", query).await?;
    let is_receipt = |bill: &&Value| text(bill, "kind") != "credit_note";
    let receipts: Vec<&Value> = list(&answer, "invoices").iter().filter(is_receipt).collect();
    if receipts.is_empty() {
        return Err(none_yet(&find(client, order).await?));
    }
    let is_folder = |path: &std::path::PathBuf| path.is_dir() || path.to_string_lossy().ends_with('/');
    if receipts.len() > 1 && saved.output.as_ref().is_some_and(|path| !is_folder(path)) {
        let detail = format!("There are {} receipts, one of each seller.", receipts.len());
        return Err(Failure::usage(detail).next("name a folder with --output receipts/"));
    }
    let mut files = Vec::with_capacity(receipts.len());
    for receipt in receipts {
        let path =
            format!("/api/billing/invoices/{}.pdf", checked_id("invoice", &text(receipt, "invoiceId"))?);
        let file = download::save(terminal, client, &path, None, saved).await?;
        if !terminal.json {
            file.show(terminal);
        }
        files.push(file);
    }
    if terminal.json && files.iter().all(|file| file.path.is_some()) {
        terminal.data_json(&files.iter().map(download::Download::to_json).collect::<Vec<_>>());
    }
    Ok(())
}

/// Why an order has no receipt.
fn none_yet(order: &Value) -> Failure {
    let id = text(order, "id");
    match text(order, "status").as_str() {
        "pending" => {
            Failure::new(code::PAYMENT, "cli.no_receipt", "Not paid yet", "A receipt comes with the payment.")
                .next(format!("fondaco order pay {id} --wallet"))
        }
        _ if order.get("paidAt").is_some_and(Value::is_string) => Failure::new(
            code::LATER,
            "cli.no_receipt",
            "Not ready yet",
            "The receipt is written a moment after the payment. Only who bought it can save it.",
        )
        .next(format!("fondaco order receipt {id}")),
        _ => {
            let detail = format!("The order is {}, and nothing was paid.", word(order, "status"));
            Failure::new(code::NOT_FOUND, "cli.no_receipt", "No receipt", detail)
        }
    }
}
