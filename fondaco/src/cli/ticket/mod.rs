//! `ticket list`, `show`, `download`, `transfer`: what owners do with their tickets. `check-in` is for staff at the
//! door.

mod check_in;
mod qr;

use std::io::IsTerminal;

use serde_json::{Value, json};

use super::answer::{list, money, text, time, word};
use super::args::{Download, Format, Global, Part, Ticket, Transfer};
use super::client::{Client, Query, checked_id};
use super::download;
use super::failure::{Failure, code};
use super::terminal::Terminal;

/// Runs a command about tickets.
pub(crate) async fn run(terminal: &Terminal, global: &Global, command: &Ticket) -> Result<(), Failure> {
    let client = Client::signed_in(global)?;
    match command {
        Ticket::List(part) => list_tickets(terminal, &client, *part).await,
        Ticket::Show { ticket, invert } => show(terminal, &client, ticket, *invert).await,
        Ticket::Download(args) => save(terminal, &client, args).await,
        Ticket::Transfer(args) => transfer(terminal, &client, args).await,
        Ticket::CheckIn(args) => check_in::check_in(terminal, &client, args).await,
    }
}

/// The path of a ticket.
fn path(ticket: &str) -> Result<String, Failure> {
    Ok(format!("/api/tickets/{}", checked_id("ticket", ticket)?))
}

async fn list_tickets(terminal: &Terminal, client: &Client, part: Part) -> Result<(), Failure> {
    let answer = client.get("/api/tickets/mine", part.query()).await?;
    if terminal.json {
        terminal.data_json(&answer);
        return Ok(());
    }
    let found = list(&answer, "items");
    let row = |ticket: &Value| {
        vec![
            text(ticket, "id"),
            text(ticket, "title"),
            text(ticket, "category"),
            text(ticket, "seat"),
            time(ticket, "startsAt"),
            word(ticket, "state"),
        ]
    };
    let head = ["id", "for", "category", "seat", "begins", "state"];
    terminal.table(&head, found.iter().map(row).collect());
    terminal.more(found.len(), part.offset, &answer);
    match found.first() {
        Some(ticket) => terminal.hint(format!("fondaco ticket show {}", text(ticket, "id"))),
        None => {
            terminal.say("You have no tickets.");
            terminal.hint("fondaco market list --kind ticket");
        }
    }
    Ok(())
}

async fn show(terminal: &Terminal, client: &Client, ticket: &str, invert: bool) -> Result<(), Failure> {
    let path = path(ticket)?;
    let mut ticket = client.get(&path, Query::default()).await.map_err(|failure| match failure.exit {
        code::NOT_FOUND => failure.next("fondaco ticket list"),
        _ => failure,
    })?;
    // Only its owner gets the code, and only while it opens a door.
    let code = match client.get(&format!("{path}/code"), Query::default()).await {
        Ok(answer) => Some(text(&answer, "code")),
        Err(failure) if [code::NOT_FOUND, code::CONFLICT].contains(&failure.exit) => None,
        Err(failure) => return Err(failure),
    };
    if terminal.json {
        ticket["code"] = json!(code);
        terminal.data_json(&ticket);
        return Ok(());
    }
    let id = text(&ticket, "id");
    terminal.details(&[
        ("", text(&ticket, "title")),
        ("id", id.clone()),
        ("state", word(&ticket, "state")),
        ("category", text(&ticket, "category")),
        ("seat", text(&ticket, "seat")),
        ("begins", time(&ticket, "startsAt")),
        ("price", money(&ticket, "priceMinor")),
        ("owner", text(&ticket, "owner")),
        ("checked in", time(&ticket, "checkedInAt")),
        ("event", text(&ticket, "eventId")),
        ("order", text(&ticket, "orderId")),
    ]);
    let Some(modules) = code.as_deref().and_then(tickets::modules) else {
        terminal.say("  It has no code to show here: only its owner sees it, while it opens a door.");
        return Ok(());
    };
    terminal.data("");
    let in_colour = std::io::stdout().is_terminal() && terminal.colored;
    qr::draw(&modules, in_colour, invert).iter().for_each(|row| terminal.data(row));
    terminal.hint(format!("fondaco ticket download {id}"));
    Ok(())
}

async fn save(terminal: &Terminal, client: &Client, args: &Download) -> Result<(), Failure> {
    let (document, ending) = match args.format {
        Format::Pdf => ("ticket.pdf", "pdf"),
        Format::Png => ("code.png", "png"),
        Format::Ics => ("event.ics", "ics"),
    };
    let path = format!("{}/{document}", path(&args.ticket)?);
    let name = format!("{}.{ending}", args.ticket);
    let file = download::save(terminal, client, &path, Some(name), &args.saved).await?;
    match (terminal.json, &file.path) {
        (true, Some(_)) => terminal.data_json(&file.to_json()),
        _ => file.show(terminal),
    }
    Ok(())
}

async fn transfer(terminal: &Terminal, client: &Client, args: &Transfer) -> Result<(), Failure> {
    let path = format!("{}/transfer", path(&args.ticket)?);
    let (body, whom) = match (&args.to, &args.mail) {
        (Some(to), _) => (json!({"to": to}), to),
        (None, Some(mail)) => (json!({"mail": mail}), mail),
        (None, None) => return Err(Failure::usage("Say whom it is for: --to NAME or --mail ADDRESS.")),
    };
    terminal.confirm(&format!("Give this ticket to {whom}? Your code opens no door any more."))?;
    let answer = client.post(&path, None, &body).await?;
    if terminal.json {
        terminal.data_json(&answer);
    }
    terminal.done(match args.to {
        Some(_) => format!("The ticket is {whom}'s now."),
        None => format!("A link is on its way to {whom}. The ticket stays yours until somebody opens it."),
    });
    Ok(())
}
