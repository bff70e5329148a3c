//! A market to measure: a seller, buyers, events with tickets on sale.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::http::{Connection, Url};
use crate::server::{Fondaco, admin, admin_with};

/// How many accounts the clients share.
const BUYERS: usize = 16;
/// What one ticket costs, in cents.
const PRICE: i64 = 2_500;

/// One account's view of the API, over one connection.
pub(super) struct Api {
    connection: Connection,
    token: String,
}

impl Api {
    pub(super) fn open(server: &Fondaco, token: &str) -> Result<Self> {
        let url = Url::parse(server.address("api")?)?;
        Ok(Self { connection: Connection::open(&url)?, token: token.to_owned() })
    }

    pub(super) fn post(&mut self, path: &str, body: &Value) -> Result<Value> {
        let authorization = format!("Bearer {}", self.token);
        let headers = [("Authorization", authorization.as_str()), ("Content-Type", "application/json")];
        let answer = self.connection.send("POST", path, &headers, body.to_string().as_bytes())?;
        let text = String::from_utf8_lossy(&answer.body);
        ensure!((200..300).contains(&answer.status), "POST {path}: {} {text}", answer.status);
        Ok(serde_json::from_slice(&answer.body)?)
    }

    pub(super) fn get(&mut self, path: &str) -> Result<Value> {
        let authorization = format!("Bearer {}", self.token);
        let answer = self.connection.get(path, &[("Authorization", authorization.as_str())])?;
        ensure!(answer.status == 200, "GET {path}: {}", answer.status);
        Ok(serde_json::from_slice(&answer.body)?)
    }
}

/// Who takes part.
pub(super) struct People {
    pub(super) seller: String,
    pub(super) buyers: Vec<String>,
}

impl People {
    /// Makes the accounts by the operator's commands; answers with their tokens.
    pub(super) fn settle(binary: &Path, data: &Path) -> Result<Self> {
        Self::settle_with(binary, data, &[])
    }

    /// The same on a server with these settings.
    pub(super) fn settle_with(binary: &Path, data: &Path, settings: &[(&str, &str)]) -> Result<Self> {
        let make = |name: &str, role| token(binary, data, settings, name, role);
        let buyers = (0..BUYERS).map(|number| make(&format!("buyer-{number}"), "user"));
        Ok(Self { seller: make("seller", "publisher")?, buyers: buyers.collect::<Result<_>>()? })
    }
}

fn token(binary: &Path, data: &Path, settings: &[(&str, &str)], name: &str, role: &str) -> Result<String> {
    let email = format!("{name}@example.com");
    let user = ["user", "create", "--username", name, "--email", &email, "--password-stdin", "--role", role];
    admin_with(binary, data, settings, &user, "correct-horse-battery-staple\n")?;
    let printed = admin_with(binary, data, settings, &["token", "create", "--user", name], "")?;
    printed.lines().last().map(str::to_owned).context("fondaco admin token create printed no token")
}

/// An event with general admission.
pub(super) struct Event {
    pub(super) id: String,
    pub(super) offer: String,
    pub(super) capacity: u64,
}

impl Event {
    /// Makes it and puts it on sale.
    pub(super) fn on_sale(seller: &mut Api, title: &str, capacity: u64) -> Result<Self> {
        let text = json!({
            "title": title, "place": "Hall", "startsAt": "2040-01-01T19:00:00Z", "endsAt": "2040-01-01T22:00:00Z",
            "zone": "UTC", "currency": "USD",
        });
        let id =
            seller.post("/api/events", &text)?["id"].as_str().context("an event without an id")?.to_owned();
        let category = json!({ "name": "Standing", "priceMinor": PRICE, "capacity": capacity });
        let made = seller.post(&format!("/api/events/{id}/categories"), &category)?;
        let offer = made["offerId"].as_str().context("a category without an offer")?.to_owned();
        seller.post(&format!("/api/events/{id}/publish"), &json!({}))?;
        Ok(Self { id, offer, capacity })
    }

    /// How many are held, sold and left.
    pub(super) fn count(&self, api: &mut Api) -> Result<[u64; 3]> {
        let event = api.get(&format!("/api/events/{}", self.id))?;
        let category = event["categories"].get(0).context("an event without categories")?;
        let count =
            |name: &str| category[name].as_u64().with_context(|| format!("a category without {name}"));
        Ok([count("held")?, count("sold")?, count("left")?])
    }

    /// Waits until nothing is held any more, and tells how long that took.
    pub(super) fn until_all_back(&self, api: &mut Api, patience: Duration) -> Result<Duration> {
        let began = Instant::now();
        while began.elapsed() < patience {
            if self.count(api)?[2] == self.capacity {
                return Ok(began.elapsed());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        anyhow::bail!("holds were not back on sale after {patience:?}")
    }
}

/// Everything that must be true of a market at rest: the ledger agrees with itself, and every ticket that was paid for
/// was sold once.
pub(super) fn audit(
    binary: &Path,
    data: &Path,
    api: &mut Api,
    events: &[Event],
    paid_at_least: u64,
) -> Result<()> {
    admin(binary, data, &["audit-ledger"], "")?;
    let mut sold = 0;
    for event in events {
        let [held, of_event, left] = event.count(api)?;
        ensure!(held + of_event + left == event.capacity, "tickets of {} do not add up", event.id);
        sold += of_event;
    }
    ensure!(sold >= paid_at_least, "{paid_at_least} orders were told to be paid, {sold} tickets are sold");
    Ok(())
}
