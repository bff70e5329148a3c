//! The commands of sellers, of webhooks and of profiles, against a real server with the sandbox bank.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use serde_json::Value;
use support::demo::{another, id, listing, market, offer, pay, place};
use support::{Machine, eventually};

const ICONS: &str = "\
kind = \"other\"
title = \"Icons for maps\"
summary = \"Ninety of them.\"
category = \"design\"

[[offers]]
name = \"Own\"
price = 0

[[offers]]
name = \"Team\"
price = 39.90
stock = { type = \"counted\", capacity = 5 }
";

#[test]
fn a_seller_lists_from_a_file_or_from_flags() {
    let (machine, server) = market(Machine::new());
    std::fs::write(machine.path("icons.toml"), ICONS).unwrap();
    let create = ["listing", "create", "--file", "icons.toml", "--publish", "--key", "icons"];
    let made = machine.run(&create).fine().out.trim().to_owned();
    assert_eq!(machine.run(&create).fine().out.trim(), made, "the same key is the same listing");
    let shown = machine.run(&["market", "show", &made, "--json"]).fine().json();
    assert_eq!((shown["state"].as_str(), shown["offers"].as_array().unwrap().len()), (Some("published"), 2));
    assert_eq!(shown["offers"][1]["priceMinor"], 3990);
    assert_eq!(shown["offers"][1]["left"], 5);

    let flags =
        ["--kind", "app", "--title", "Notes", "--price", "5", "--every", "month", "--trial-days", "14"];
    let draft = machine.run(&[&["listing", "create"], &flags[..]].concat()).fine();
    let notes = draft.out.trim().to_owned();
    assert!(draft.err.contains(&format!("fondaco listing publish {notes}")), "{}", draft.err);
    machine
        .run(&["listing", "offer", &notes, "--name", "By page", "--price", "0.01", "--per", "page"])
        .fine();
    let shown = machine.run(&["market", "show", &notes]).fine().out;
    assert!(shown.contains("$5.00 a month, 14 days free") && shown.contains("$0.01 per page"), "{shown}");
    assert!(shown.contains("state        draft"), "{shown}");
    assert!(machine.run(&["listing", "list", "--state", "draft"]).fine().out.starts_with(&notes));
    machine.run(&["listing", "publish", &notes, "--if-version", "99"]).fails(6, "It is draft in version ");
    assert!(machine.run(&["listing", "publish", &notes]).fine().err.contains(&server.url("web")));
    machine.run(&["listing", "archive", &notes, "--yes"]).fine();
    machine.run(&["listing", "archive", &notes]).fails(6, "");

    machine
        .run(&["listing", "create", "--kind", "other", "--title", "X", "--publish"])
        .fails(2, "name a --price");
    machine
        .run(&["listing", "create", "--kind", "other", "--title", "X", "--price", "1.999"])
        .fails(2, "1.999");
    machine.run(&["listing", "create", "--file", "icons.toml", "--title", "X"]).fails(2, "--title");
    machine.run(&["listing", "create"]).fails(2, "--kind");
    machine.run(&["listing", "create", "--kind", "ticket", "--title", "X"]).fails(6, "next:");
    std::fs::write(machine.path("wrong.toml"), "kind = \"other\"\ntitle = X\n").unwrap();
    machine.run(&["listing", "create", "--file", "wrong.toml"]).fails(1, "line 2");
    std::fs::write(machine.path("colour.toml"), ICONS.replace("summary", "colour")).unwrap();
    machine.run(&["listing", "create", "--file", "colour.toml"]).fails(1, "colour");
    let half = ICONS.replace("price = 39.90", "price = 39.999");
    let refused =
        machine.run_with(&["listing", "create", "--file", "-"], &half).fails(1, "offer `Team` was refused");
    assert!(refused.err.contains("next: fondaco listing offer listing-"), "{}", refused.err);
    another(&machine, &server, "ada");
    machine.run(&["listing", "archive", &made, "--profile", "ada"]).fails(1, "");
}

#[test]
fn prices_change_only_in_the_version_that_was_seen() {
    let (machine, _server) = market(Machine::new());
    let review = listing(&machine, "Code review");
    let (listing, offer) = (id(&review), offer(&review, "Review"));
    let price =
        |arguments: &[&str]| machine.run(&[&["listing", "price", &listing, &offer], arguments].concat());
    assert!(price(&["95"]).fine().err.contains("costs $95.00 now; it was $90.00"));
    let stale = price(&["80", "--if-version", "1"]).fails(6, "It costs $95.00 in version 2 now.");
    assert!(
        stale.err.contains(&format!("fondaco listing price {listing} {offer} 80.00 --if-version 2")),
        "{}",
        stale.err
    );
    assert_eq!(price(&["80.00", "--if-version", "2", "--json"]).fine().json()["priceMinor"], 8000);
    price(&["eighty"]).fails(2, "eighty");
    let order = place(&machine, &offer, "1");
    price(&["85"]).fails(6, "next:");
    machine.run(&["order", "cancel", &order, "--yes"]).fine();
    price(&["85"]).fine();
    machine
        .run(&["listing", "price", &listing, "offer-00000000000000000000000000000000", "1"])
        .fails(5, "market show");
}

#[test]
fn what_was_earned_is_paid_out() {
    let (machine, _server) = market(Machine::new().with("FONDACO_SETTLEMENT__MATURITY", "0s"));
    assert!(machine.run(&["sales", "balance"]).fine().err.contains("Nothing was earned yet"));
    assert!(machine.run(&["payout", "list"]).fine().err.contains("Nothing was paid out yet"));
    machine.run(&["payout", "request"]).fails(6, "next:");
    let order = place(&machine, &offer(&listing(&machine, "Code review"), "Review"), "1");
    pay(&machine, &order);
    eventually(|| machine.run(&["sales", "balance"]).fine().out.starts_with("USD\t$81.00\t"));
    let sold = machine.run(&["sales", "list", "--status", "paid"]).fine().out;
    assert!(sold.starts_with(&format!("{order}\tpaid\t$90.00\t")), "{sold}");
    let history = machine.run(&["sales", "history"]).fine().out;
    assert!(history.contains("\tsale\t$81.00\tsettled\t"), "{history}");
    machine.run(&["payout", "request", "5000"]).fails(1, "");
    machine.run(&["payout", "request", "12.345"]).fails(2, "12.345");
    let asked = machine.run(&["payout", "request", "50.50", "--key", "first", "--yes"]).fine();
    assert!(asked.err.contains("$50.50 are on the way"), "{}", asked.err);
    let payout = asked.out.trim();
    assert_eq!(machine.run(&["payout", "request", "50.50", "--key", "first"]).fine().out.trim(), payout);
    eventually(|| machine.run(&["payout", "show", payout]).fine().out.contains("state        paid"));
    let listed = machine.run(&["payout", "list"]).fine().out;
    assert!(listed.starts_with(&format!("{payout}\tpaid\t$50.50\t")), "{listed}");
    assert_eq!(
        machine.run(&["sales", "balance", "--json"]).fine().json()["balances"][0]["availableMinor"],
        3050
    );
}

/// Answers every call with a status that can be changed.
fn receiver() -> (String, Arc<AtomicU16>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/hook", listener.local_addr().unwrap());
    let status = Arc::new(AtomicU16::new(200));
    let answered = Arc::clone(&status);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut reader = BufReader::new(stream.unwrap());
            let (mut line, mut length) = (String::new(), 0);
            while reader.read_line(&mut line).is_ok_and(|count| count > 2) {
                let header = line.to_ascii_lowercase();
                if let Some(value) = header.strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                line.clear();
            }
            let mut body = vec![0; length];
            let _ = reader.read_exact(&mut body);
            let status = answered.load(Ordering::SeqCst);
            let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok");
            let _ = reader.get_mut().write_all(answer.as_bytes());
        }
    });
    (address, status)
}

#[test]
fn webhooks_are_made_tried_and_replayed() {
    let (machine, _server) = market(Machine::new().with("FONDACO_WEBHOOKS__PRIVATE_HOSTS", "127.0.0.1"));
    let (address, status) = receiver();
    assert!(machine.run(&["webhook", "events"]).fine().out.contains("order.paid\t"));
    machine.run(&["webhook", "create", &address]).fails(2, "--events");
    machine.run(&["webhook", "create", &address, "--events", "no.such"]).fails(1, "no.such");
    let made = machine.run(&["webhook", "create", &address, "--events", "order.created,order.paid"]).fine();
    assert!(made.out.starts_with("whsec_") && made.out.lines().count() == 1, "{}", made.out);
    let listed = machine.run(&["webhook", "list"]).fine().out;
    assert!(listed.contains("\torder.created order.paid\ton\t"), "{listed}");
    let webhook = listed.split('\t').next().unwrap();

    let tested = machine.run(&["webhook", "test", webhook]).fine();
    assert!(
        tested.out.contains("state        delivered") && tested.out.contains("\t200\t"),
        "{}",
        tested.out
    );
    status.store(500, Ordering::SeqCst);
    let refused = machine.run(&["webhook", "test", webhook, "--json"]).fails(1, "status 500");
    let delivery = id(&refused.json());
    status.store(200, Ordering::SeqCst);
    let replayed = machine.run(&["webhook", "replay", webhook, &delivery]).fine().out;
    assert!(replayed.contains("state        delivered") && replayed.contains("2\t"), "{replayed}");
    let attempts = machine.run(&["webhook", "attempts", webhook, &delivery, "--json"]).fine().json();
    let statuses: Vec<Option<u64>> =
        attempts["log"].as_array().unwrap().iter().map(|attempt| attempt["status"].as_u64()).collect();
    assert_eq!(statuses, [Some(200), Some(500)]);

    place(&machine, &offer(&listing(&machine, "meetup"), "Admission"), "1");
    eventually(|| {
        let sent = machine.run(&["webhook", "attempts", webhook, "--state", "delivered"]).fine().out;
        sent.contains("\torder.created\tdelivered\t1\t")
    });
    let rotated = machine.run(&["webhook", "rotate", webhook, "--yes"]).fine();
    assert!(rotated.out.starts_with("whsec_") && rotated.out != made.out, "{}", rotated.out);
    machine.run(&["webhook", "delete", webhook, "--yes"]).fine();
    machine.run(&["webhook", "attempts", webhook]).fails(5, "");
    machine.run(&["webhook", "test", "order-1"]).fails(2, "fondaco webhook list");
}

#[test]
fn several_servers_one_in_use() {
    let (machine, first) = market(Machine::new());
    let elsewhere = Machine::new();
    let second = elsewhere.serve(&[]);
    elsewhere.user("grace", "user");
    let url = second.url("web");
    let login = ["login", "--profile", "work", "--server", &url, "--username", "grace", "--password-stdin"];
    machine.run_with(&login, support::PASSWORD).fine();
    let listed = machine.run(&["profile", "list"]).fine().out;
    assert_eq!(listed, format!("default\t{}\tdemo\tin use\nwork\t{url}\tgrace\t\n", first.url("web")));
    assert_eq!(machine.run(&["whoami"]).fine().out, "demo\n");
    machine.run(&["profile", "use", "nowhere"]).fails(5, "fondaco login --profile nowhere");
    assert!(machine.run(&["profile", "use", "work"]).fine().err.contains(&format!("talk to {url} as grace")));
    assert_eq!(machine.run(&["whoami"]).fine().out, "grace\n");
    assert_eq!(machine.run(&["whoami", "--profile", "default"]).fine().out, "demo\n");
    let all = machine.run(&["profile", "list", "--json"]).fine().json();
    let in_use: Vec<&Value> = all.as_array().unwrap().iter().filter(|one| one["inUse"] == true).collect();
    assert_eq!((in_use.len(), in_use[0]["profile"].as_str()), (1, Some("work")));
    assert!(!all.to_string().contains("elk_"), "a token is never shown");
    machine.run(&["logout"]).fine();
    assert!(!machine.run(&["profile", "list"]).fine().out.contains("work"));
    assert_eq!(machine.run(&["profile", "use", "default"]).code, 0);
    assert_eq!(machine.run(&["whoami"]).fine().out, "demo\n");
}
