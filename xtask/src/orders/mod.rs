//! Measures holding and paying over HTTP: one hot event, fifty events, the start after a kill, the end of holds.
//!
//! Everything listens on 127.0.0.1 and lives in a temporary folder. The load generator shares the machine with the
//! server. Every order is held, paid with a card of the sandbox and delivered as a ticket; the embedded database makes
//! each commit durable before anybody is answered.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::json;

use crate::report::{self, Figure, Target, median};
use crate::server::{Fondaco, build};
use load::{Buyer, Tally};
use market::{Api, Event, People, audit};

mod limit;
mod load;
mod market;

/// How many buyers there are at once.
const CLIENTS: usize = 64;
/// Tickets of one event: more than any run sells.
const CAPACITY: u64 = 1_000_000;
/// How long a hold lasts in the phase that lets holds end.
const SHORT_HOLD: Duration = Duration::from_secs(2);
/// How many holds end at once there.
const HOLDS: u64 = 500;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Cargo profile to build the program with
    #[arg(long, default_value = "release")]
    profile: String,
    /// Measure this program instead of building one, for example an older build
    #[arg(long)]
    binary: Option<PathBuf>,
    /// Rounds of each load; the median counts
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Seconds of load per round
    #[arg(long, default_value_t = 8)]
    seconds: u64,
    /// Also measure on this PostgreSQL server: postgres://user@host:port/database, which must be empty
    #[arg(long)]
    postgres: Option<String>,
}

/// Builds, measures and prints. Fails the process if a target is missed.
///
/// # Errors
/// If the server does not start, or anything it answers is not what it should be.
pub(crate) fn run(root: &Path, options: &Options) -> Result<ExitCode> {
    let binary = match &options.binary {
        Some(binary) => binary.clone(),
        None => build(root, &options.profile)?,
    };
    let mut figures = vec![limit()?];
    figures.extend(embedded(&binary, options)?);
    figures.push(holds_end(&binary)?);
    if let Some(url) = &options.postgres {
        figures.extend(on_postgres(&binary, url, options)?);
    }
    Ok(if report::print(&figures) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn limit() -> Result<Figure> {
    let folder = tempfile::tempdir()?;
    Ok(Figure {
        name: "bare SQLite, orders/s".to_owned(),
        value: limit::bare_sqlite(folder.path())?,
        target: Target::Shown,
        detail: "the limit of this machine: rows alone, 64 to a commit".to_owned(),
    })
}

/// The loads on the embedded database, and a kill in the middle of the last.
fn embedded(binary: &Path, options: &Options) -> Result<Vec<Figure>> {
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data");
    let server = Fondaco::start_with(binary, &data, &SANDBOX)?;
    let people = People::settle(binary, &data)?;
    let mut seller = Api::open(&server, &people.seller)?;
    let hot = vec![Event::on_sale(&mut seller, "Hot", CAPACITY)?];
    let many = (0..50).map(|number| Event::on_sale(&mut seller, &format!("Event {number}"), CAPACITY));
    let many = many.collect::<Result<Vec<_>>>()?;

    let mut figures = Vec::new();
    for (name, events) in [("one hot event", &hot), ("50 events", &many)] {
        println!("{name}");
        let rounds = rounds(&server, &people, events, options)?;
        figures.push(rate(name, &rounds, Target::AtLeast(6_000.0)));
        figures.push(tail(name, &rounds, Target::AtMost(50.0)));
        audit(binary, &data, &mut seller, events, paid(&rounds))?;
    }
    figures.push(after_a_kill(binary, &data, server, &people, hot)?);
    Ok(figures)
}

const SANDBOX: [(&str, &str); 1] = [("FONDACO_PAYMENTS__SANDBOX", "true")];

/// So many loads, one after the other, after one that warms up and does not count.
fn rounds(server: &Fondaco, people: &People, events: &[Event], options: &Options) -> Result<Vec<Tally>> {
    load::run(authority(server)?, buyers(people, events), Duration::from_secs(2))?;
    let length = Duration::from_secs(options.seconds);
    let one = |_| load::run(authority(server)?, buyers(people, events), length);
    (0..options.rounds.max(1)).map(one).collect()
}

fn authority(server: &Fondaco) -> Result<&str> {
    server.address("api")?.strip_prefix("http://").context("the API is not on http")
}

/// Each client begins with another event, so that they spread evenly.
fn buyers(people: &People, events: &[Event]) -> Vec<Buyer> {
    let offers: Vec<String> = events.iter().map(|event| event.offer.clone()).collect();
    let buyer = |(number, token): (usize, &String)| {
        let mut offers = offers.clone();
        let first = number % offers.len();
        offers.rotate_left(first);
        Buyer { token: token.clone(), offers: Arc::from(offers) }
    };
    people.buyers.iter().cycle().take(CLIENTS).enumerate().map(|(n, token)| buyer((n, token))).collect()
}

fn paid(rounds: &[Tally]) -> u64 {
    rounds.iter().map(|tally| tally.latencies.len() as u64).sum()
}

fn rate(name: &str, rounds: &[Tally], target: Target) -> Figure {
    let rates: Vec<f64> = rounds.iter().map(Tally::rate).collect();
    let each: Vec<String> = rates.iter().map(|rate| format!("{rate:.0}")).collect();
    let detail = format!("{CLIENTS} clients; rounds {}", each.join(", "));
    Figure { name: format!("orders/s, {name}"), value: median(&rates), target, detail }
}

fn tail(name: &str, rounds: &[Tally], target: Target) -> Figure {
    let of = |permille| median(&rounds.iter().map(|tally| tally.permille(permille)).collect::<Vec<_>>());
    let detail = format!("hold to paid; p50 {:.1}", of(500));
    Figure { name: format!("p99, ms, {name}"), value: of(990), target, detail }
}

/// Kills the server in the middle of a load, starts it again, and checks that nothing that was told is lost.
fn after_a_kill(
    binary: &Path,
    data: &Path,
    server: Fondaco,
    people: &People,
    hot: Vec<Event>,
) -> Result<Figure> {
    println!("a kill under load");
    let (authority, shoppers) = (authority(&server)?.to_owned(), buyers(people, &hot));
    let shopping =
        std::thread::spawn(move || load::until_cut_off(&authority, shoppers, Duration::from_secs(20)));
    std::thread::sleep(Duration::from_secs(2));
    server.kill()?;
    let paid = shopping.join().map_err(|_| anyhow::anyhow!("a buyer panicked"))??;

    let server = Fondaco::start_with(binary, data, &SANDBOX)?;
    let seconds = server.start_up.as_secs_f64();
    audit(binary, data, &mut Api::open(&server, &people.seller)?, &hot, paid)?;
    server.stop()?;
    Ok(Figure {
        name: "ready after a kill under load, s".to_owned(),
        value: seconds,
        target: Target::AtMost(1.0),
        detail: format!("all {paid} orders told to be paid are there"),
    })
}

/// Lets many holds end at the same moment, and measures how long after it the last is on sale again.
fn holds_end(binary: &Path) -> Result<Figure> {
    println!("holds that end");
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data");
    let hold = SHORT_HOLD.as_secs().to_string();
    let settings = [SANDBOX[0], ("FONDACO_ORDERS__HOLD_SECONDS", hold.as_str())];
    let server = Fondaco::start_with(binary, &data, &settings)?;
    let people = People::settle(binary, &data)?;
    let event = Event::on_sale(&mut Api::open(&server, &people.seller)?, "Short", CAPACITY)?;
    let mut buyer = Api::open(&server, &people.buyers[0])?;
    let began = std::time::Instant::now();
    for _ in 0..HOLDS {
        buyer.post("/api/orders", &json!({ "items": [{ "offerId": event.offer, "quantity": 1 }] }))?;
    }
    // The last hold was placed just now: all have ended when its time is over.
    let placed_in = began.elapsed();
    std::thread::sleep(SHORT_HOLD);
    let late = event.until_all_back(&mut buyer, Duration::from_secs(30))?;
    server.stop()?;
    Ok(Figure {
        name: "expired holds back on sale, s".to_owned(),
        value: late.as_secs_f64(),
        target: Target::AtMost(1.0),
        detail: format!("{HOLDS} holds placed within {:.2} s", placed_in.as_secs_f64()),
    })
}

/// The same loads on PostgreSQL: figures to compare, without a target.
fn on_postgres(binary: &Path, url: &str, options: &Options) -> Result<Vec<Figure>> {
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data");
    let settings = [SANDBOX[0], ("DATABASE_URL", url)];
    let server = Fondaco::start_with(binary, &data, &settings)?;
    let people = People::settle_with(binary, &data, &settings)?;
    let mut seller = Api::open(&server, &people.seller)?;
    let hot = vec![Event::on_sale(&mut seller, "Hot", CAPACITY)?];
    let many = (0..50).map(|number| Event::on_sale(&mut seller, &format!("Event {number}"), CAPACITY));
    let many = many.collect::<Result<Vec<_>>>()?;
    let mut figures = Vec::new();
    for (name, events) in [("one hot event, PostgreSQL", &hot), ("50 events, PostgreSQL", &many)] {
        println!("{name}");
        let rounds = rounds(&server, &people, events, options)?;
        figures.push(rate(name, &rounds, Target::Shown));
        figures.push(tail(name, &rounds, Target::Shown));
    }
    server.stop()?;
    Ok(figures)
}
