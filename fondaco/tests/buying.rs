//! The commands of buyers and of staff at the door, against a real server with the sandbox bank.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use serde_json::Value;
use support::demo::{another, id, listing, market, offer, pay, place};
use support::{Machine, eventually};

/// The tickets of the demo's user that are in this state.
fn own_tickets(machine: &Machine, state: &str) -> Vec<String> {
    let all = machine.run(&["ticket", "list", "--json"]).fine().json();
    all["items"].as_array().unwrap().iter().filter(|ticket| ticket["state"] == state).map(id).collect()
}

fn code(machine: &Machine, ticket: &str) -> String {
    let shown = machine.run(&["ticket", "show", ticket, "--json"]).fine().json();
    shown["code"].as_str().unwrap_or_else(|| panic!("no code in {shown}")).to_owned()
}

#[test]
fn what_is_for_sale_is_found_and_shown() {
    let (machine, server) = market(Machine::new());
    let all = machine.run(&["market", "list"]).fine();
    // Besides what the demo sells, services are put on sale as the program finds the time.
    assert!(all.out.lines().count() >= 8, "{}", all.out);
    assert!(all.out.lines().all(|row| row.starts_with("listing-") && row.split('\t').count() == 6));
    assert!(all.err.contains("next: fondaco market show listing-"), "{}", all.err);
    let paged = machine.run(&["market", "list", "--kind", "ticket", "--limit", "1"]).fine();
    assert!(
        paged.out.lines().count() == 1 && paged.err.contains("1 of 2; more with --offset 1"),
        "{}",
        paged.err
    );
    let concert = listing(&machine, "quartets");
    let shown = machine.run(&["market", "show", &id(&concert)]).fine();
    assert!(
        shown.out.contains("Stalls\t$64.00") && shown.out.contains("  event        event-"),
        "{}",
        shown.out
    );
    let guide = machine.run(&["market", "show", &id(&listing(&machine, "field guide"))]).fine();
    assert!(guide.out.contains("Sample\tfree\t") && guide.out.contains("Twelve chapters"), "{}", guide.out);
    let support = machine.run(&["market", "show", &id(&listing(&machine, "wrote it"))]).fine();
    assert!(support.out.contains("$49.00 a month, 14 days free"), "{}", support.out);

    let cheap =
        machine.run(&["market", "list", "--category", "learning", "--sort", "price", "--json"]).fine().json();
    assert_eq!(cheap["total"], 2);
    assert_eq!(machine.run(&["market", "list", "--kind", "ticket", "--json"]).fine().json()["total"], 2);
    assert!(machine.run(&["market", "list", "no such thing"]).fine().err.contains("Nothing like that"));
    machine.run(&["market", "list", "--kind", "boat"]).fails(1, "kind");
    machine.run(&["market", "list", "--category", "No Such"]).fails(1, "category:");
    assert!(machine.run(&["market", "categories"]).fine().out.contains("learning\t"));
    machine.run(&["market", "units", &id(&concert)]).fails(2, "name one of them");
    let units = machine.run(&["market", "units", &id(&concert), &offer(&concert, "Stalls")]).fine();
    assert!(units.out.lines().count() == 20 && units.err.contains("more with --offset 20"), "{}", units.err);

    let url = server.url("web");
    let stranger = Machine::new();
    assert!(stranger.run(&["market", "list", "--server", &url]).fine().out.contains("quartets"));
    stranger.run(&["order", "list", "--server", &url]).fails(4, "next: fondaco login");
    machine.run(&["market", "show", "listing-../orders"]).fails(2, "fondaco market list");
    machine
        .run(&["market", "show", "listing-00000000000000000000000000000000"])
        .fails(5, "fondaco market list");
}

#[test]
fn a_buyer_orders_pays_and_keeps_the_receipt() {
    let (machine, server) = market(Machine::new());
    another(&machine, &server, "ada");
    let concert = listing(&machine, "quartets");
    let stalls = offer(&concert, "Stalls");
    let seats = machine.run(&["market", "units", &id(&concert), &stalls, "--json"]).fine().json();
    let seat = id(&seats["items"][0]);
    let placed = machine.run(&["order", "place", "--offer", &stalls, "--unit", &seat, "--key", "one"]).fine();
    let order = placed.out.trim().to_owned();
    assert!(placed.err.contains("$64.00 are to be paid; it is held for 14 min"), "{}", placed.err);
    let again = machine.run(&["order", "place", "--offer", &stalls, "--unit", &seat, "--key", "one"]).fine();
    assert_eq!(again.out, placed.out, "the same key is the same order");
    machine
        .run(&["order", "place", "--profile", "ada", "--offer", &stalls, "--unit", &seat])
        .fails(6, "next:");
    machine
        .run(&["order", "place", "--offer", &stalls, "--unit", &seat, "--quantity", "1"])
        .fails(2, "--quantity");
    let shown = machine.run(&["order", "show", &order]).fine();
    assert!(shown.out.contains("state        pending") && shown.out.contains(" left\n"), "{}", shown.out);
    assert!(shown.err.contains(&format!("fondaco order pay {order} --wallet")), "{}", shown.err);
    machine.run(&["order", "show", &order, "--profile", "ada"]).fails(5, "fondaco order list");

    let page = machine.run(&["order", "pay", &order]).fine();
    assert_eq!(page.out, format!("{}/checkout/{order}\n", server.url("web")));
    machine.run(&["order", "receipt", &order]).fails(7, "fondaco order pay");
    machine.run(&["order", "pay", &order, "--wallet"]).fails(7, "The wallet lacks $64.00");
    machine.run(&["order", "pay", &order, "--method", "card-1"]).fails(2, "fondaco wallet methods");
    machine.run(&["order", "pay", &order, "--token", "tok_chargeDeclined"]).fails(7, "You were not charged");
    let paid = machine.run(&["order", "pay", &order, "--token", "tok_visa", "--json"]).fine();
    assert!(["authorised", "captured"].contains(&paid.json()["status"].as_str().unwrap()));
    machine.run(&["order", "pay", &order]).fails(6, "The order is paid");
    machine.run(&["order", "cancel", &order]).fails(6, "");

    eventually(|| machine.run(&["order", "receipt", &order]).code == 0);
    let file = std::fs::read_dir(machine.home.path())
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .find(|name| name.starts_with("receipt-") && name.ends_with(".pdf"))
        .unwrap();
    assert!(std::fs::read(machine.path(&file)).unwrap().starts_with(b"%PDF-"));
    machine.run(&["order", "receipt", &order]).fails(6, "--yes");
    assert_eq!(machine.run(&["order", "receipt", &order, "--yes"]).fine().out, format!("{file}\n"));
    let saved = machine.run(&["order", "receipt", &order, "-o", "receipts/", "--json"]).fine().json();
    assert_eq!(saved[0]["path"], format!("receipts/{file}"));
    let output = machine.command().args(["order", "receipt", &order, "--output", "-"]).output().unwrap();
    assert!(output.status.success() && output.stdout.starts_with(b"%PDF-"));
    machine.run(&["order", "receipt", &order, "--profile", "ada"]).fails(5, "");
    let listed = machine.run(&["order", "list", "--status", "paid"]).fine().out;
    assert!(listed.starts_with(&format!("{order}\tpaid\t$64.00\tStalls, ")), "{listed}");
}

#[test]
fn the_wallet_and_saved_cards_pay_too() {
    let (machine, server) = market(Machine::new());
    another(&machine, &server, "ada");
    let workshop = offer(&listing(&machine, "workshop"), "Place");
    machine.run(&["wallet", "topup", "150", "--token", "tok_visa", "--yes"]).fine();
    assert!(machine.run(&["wallet", "methods"]).fine().out.contains("\tvisa\t4242\t"));
    assert!(machine.run(&["wallet", "methods", "--profile", "ada"]).fine().err.contains("No card is saved"));
    let first = place(&machine, &workshop, "1");
    eventually(|| machine.run(&["order", "pay", &first, "--wallet"]).code == 0);
    assert_eq!(machine.run(&["order", "show", &first, "--json"]).fine().json()["status"], "paid");
    let second = place(&machine, &workshop, "1");
    machine.run(&["order", "pay", &second, "--wallet", "--token", "tok_visa"]).fails(2, "--wallet");
    let extended = machine.run(&["order", "extend", &second]).fine();
    assert!(extended.err.contains("The order is held until 20"), "{}", extended.err);
    machine.run(&["order", "extend", &second]).fails(6, "");
    machine.run(&["order", "cancel", &second, "--yes"]).fine();
    let shown = machine.run(&["order", "show", &second]).fine();
    assert!(shown.out.contains("state        cancelled"), "{}", shown.out);
    assert!(shown.err.contains("fondaco market show listing-"), "{}", shown.err);
    let third = place(&machine, &workshop, "1");
    let paid = machine.run(&["order", "pay", &third, "--method", "default", "--yes"]).fine();
    assert!(paid.err.contains("Paid $149.00 with visa 4242"), "{}", paid.err);
    machine.run(&["order", "pay", &third, "--method", "default"]).fails(6, "");
    let order = machine.run(&["order", "place", "--profile", "ada", "--offer", &workshop]).fine().out;
    let cardless = ["order", "pay", order.trim(), "--method", "default", "--profile", "ada"];
    machine.run(&cardless).fails(2, "No card is saved");
    let free =
        machine.run(&["order", "place", "--offer", &offer(&listing(&machine, "field guide"), "Sample")]);
    assert!(free.fine().err.contains("The order is paid ($0.00)"));
}

#[test]
fn a_seller_refunds_in_parts() {
    let (machine, server) = market(Machine::new());
    another(&machine, &server, "ada");
    let admission = offer(&listing(&machine, "meetup"), "Admission");
    let order = place(&machine, &admission, "3");
    machine.run(&["order", "refund", &order]).fails(6, "");
    pay(&machine, &order);
    let refund =
        |arguments: &[&str]| machine.run(&[&["order", "refund", &order, "--yes"], arguments].concat());
    // The money is there once the bank has taken it.
    eventually(|| refund(&["--amount", "5.50", "--reason", "Late start", "--key", "late"]).code == 0);
    assert!(
        refund(&["--amount", "5.50", "--reason", "Late start", "--key", "late"]).fine().err.contains("$5.50")
    );
    refund(&["--amount", "5.501"]).fails(2, "--amount 5.501");
    refund(&["--amount", "500"]).fails(6, "can still be refunded");
    refund(&["--amount", "1", "--line", "1"]).fails(2, "--line");
    assert!(refund(&["--line", "1:1", "--give-back"]).fine().err.contains("$19.00"));
    machine.run(&["order", "refund", &order, "--profile", "ada"]).fails(5, "fondaco order list");
    eventually(|| {
        let shown = machine.run(&["order", "show", &order]).fine().out;
        shown.contains("state        partially refunded") && shown.contains("refunded     $24.50")
    });
    let sold = machine.run(&["order", "list", "--as", "seller", "--json"]).fine().json();
    assert_eq!(sold["items"][0]["refundedMinor"], 2450);
}

#[test]
fn tickets_are_shown_saved_and_handed_on() {
    let (machine, server) = market(Machine::new());
    another(&machine, &server, "ada");
    let order = place(&machine, &offer(&listing(&machine, "meetup"), "Student"), "2");
    pay(&machine, &order);
    let tickets = own_tickets(&machine, "valid");
    let [ticket, other] = [&tickets[0], &tickets[1]];
    let shown = machine.run(&["ticket", "show", ticket, "--invert"]).fine();
    assert!(shown.out.contains("category     Student"), "{}", shown.out);
    let drawn: Vec<&str> = shown.out.split("\n\n").nth(1).unwrap().lines().collect();
    let modules = tickets::modules(&code(&machine, ticket)).unwrap();
    assert_eq!(drawn.len(), modules.len().div_ceil(2));
    for (row, pair) in drawn.iter().zip(modules.chunks(2)) {
        for (x, cell) in row.chars().enumerate() {
            assert_eq!("█▀".contains(cell), pair[0][x]);
            assert_eq!("█▄".contains(cell), pair.get(1).is_some_and(|below| below[x]));
        }
    }

    let saved = |form: &str| {
        let file = machine.run(&["ticket", "download", ticket, "--format", form]).fine().out;
        assert_eq!(file, format!("{ticket}.{form}\n"));
        std::fs::read(machine.path(file.trim())).unwrap()
    };
    assert!(saved("pdf").starts_with(b"%PDF-") && saved("png").starts_with(b"\x89PNG"));
    assert!(String::from_utf8(saved("ics")).unwrap().contains("BEGIN:VEVENT"));
    machine.run(&["ticket", "download", ticket, "--format", "gif"]).fails(2, "pdf");

    machine.run(&["ticket", "transfer", ticket]).fails(2, "--to");
    machine.run(&["ticket", "transfer", ticket, "--to", "nobody-here"]).fails(1, "");
    machine.run(&["ticket", "transfer", ticket, "--to", "ada", "--yes"]).fine();
    assert!(machine.run(&["ticket", "list", "--profile", "ada"]).fine().out.starts_with(ticket.as_str()));
    machine.run(&["ticket", "show", ticket]).fails(5, "fondaco ticket list");
    let mailed = machine.run(&["ticket", "transfer", other, "--mail", "grace@example.com"]).fine();
    assert!(mailed.err.contains("stays yours until"), "{}", mailed.err);
    machine.run(&["ticket", "show", "order-1"]).fails(2, "fondaco ticket list");
}

#[test]
fn staff_check_tickets_in() {
    let (machine, server) = market(Machine::new());
    another(&machine, &server, "ada");
    let meetup = listing(&machine, "meetup");
    let event = meetup["subject"].as_str().unwrap();
    let order = place(&machine, &offer(&meetup, "Admission"), "5");
    pay(&machine, &order);
    let tickets = own_tickets(&machine, "valid");
    let codes: Vec<String> = tickets.iter().map(|ticket| code(&machine, ticket)).collect();
    let scan = |arguments: &[&str], input: &str| {
        machine.run_with(&[&["ticket", "check-in", "--event", event], arguments].concat(), input)
    };
    let first = scan(&[&codes[0], "--device", "north door"], "").fine();
    assert_eq!(first.out, format!("admitted\tAdmission\t{}\n", tickets[0]));
    let again = scan(&[&codes[0], "--json"], "").fails(6, "1 used before");
    assert_eq!(again.json()["verdict"], "again");
    assert!(scan(&[&codes[0]], "").out.contains(" by demo: north door"));
    assert_eq!(scan(&["T1.nonsense"], "").fails(8, "1 not good here").out, "unknown\n");

    machine.run(&["ticket", "transfer", &tickets[1], "--to", "ada", "--yes"]).fine();
    std::fs::write(machine.path("codes.txt"), format!("{}\n\n{}\r\n{}", codes[2], codes[3], codes[1]))
        .unwrap();
    let many = scan(&["--file", "codes.txt"], "").fails(8, "2 let in, 0 used before, 1 not good here");
    let verdicts: Vec<&str> = many.out.lines().map(|row| row.split('\t').next().unwrap()).collect();
    assert_eq!(verdicts, ["admitted", "admitted", "superseded"]);
    let typed =
        scan(&["--file", "-", "--json"], &format!("{}\n{}\n", codes[4], codes[4])).fails(6, "1 let in");
    let rows: Vec<Value> = typed.out.lines().map(|row| serde_json::from_str(row).unwrap()).collect();
    assert_eq!((rows[0]["verdict"].as_str(), rows[1]["verdict"].as_str()), (Some("admitted"), Some("again")));

    scan(&[], "").fails(2, "<CODE>");
    scan(&["--file", "missing.txt"], "").fails(1, "missing.txt");
    scan(&["--profile", "ada", &codes[0]], "").fails(5, "");
    let shown = machine.run(&["ticket", "show", &tickets[0]]).fine();
    assert!(shown.out.contains("state        checked in"), "{}", shown.out);
}
