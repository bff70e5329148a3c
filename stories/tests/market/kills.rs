//! The program is killed under load, again and again. What it told anybody stays true; what it did not finish is
//! finished or undone; nothing is sold, charged or told twice.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use stories::Market;

use crate::receiver::Receiver;
use crate::shop::{Person, Sale};

const KILLS: u32 = 50;
const BUYERS: usize = 8;

/// What one buyer was told.
#[derive(Default)]
struct Told {
    /// Orders that it holds or held.
    placed: BTreeSet<String>,
    /// Those that it was told are paid.
    paid: BTreeSet<String>,
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_kills_under_load_lose_nothing_and_sell_nothing_twice() {
    let receiver = Receiver::open().await;
    let settings = [
        ("FONDACO_PAYMENTS__SANDBOX", "true"),
        ("FONDACO_LIMITS__RATES", "off"),
        ("FONDACO_ORDERS__HOLD_SECONDS", "5"),
        ("FONDACO_WEBHOOKS__PRIVATE_HOSTS", "127.0.0.1"),
    ];
    let mut market = Market::open_with(&settings).await;
    let api = market.address("api");
    let seller = Person::new(&api, &market.account("seller").token);
    seller.post("/api/webhooks", &json!({ "url": receiver.url, "events": ["order.paid"] })).await;
    let standing = Arc::new(Sale::standing(&seller, "Standing", 100_000).await);
    let seated = Arc::new(Sale::seated(&seller, "Seated", "Stalls rows 1-20 seats 1-20").await);
    assert_eq!(seated.units.len(), 400);

    let stop = Arc::new(AtomicBool::new(false));
    let buyers: Vec<Person> =
        (0..BUYERS).map(|n| Person::new(&api, &market.account(&format!("buyer-{n}")).token)).collect();
    let shopping: Vec<_> = buyers
        .iter()
        .enumerate()
        .map(|(n, buyer)| {
            let (buyer, stop) = (buyer.clone(), stop.clone());
            let (standing, seated) = (standing.clone(), seated.clone());
            tokio::spawn(async move { shop(n, &buyer, &standing, &seated, &stop).await })
        })
        .collect();

    for kill in 0..KILLS {
        // Another moment of the work each time.
        tokio::time::sleep(Duration::from_millis(150 + u64::from(kill * 37 % 200))).await;
        market.crash().await;
        market.admin(&["audit-ledger"], "");
        standing.count(&seller).await;
        seated.count(&seller).await;
    }
    stop.store(true, Ordering::SeqCst);
    let mut told = Vec::new();
    for shopper in shopping {
        told.push(shopper.await.unwrap());
    }
    at_rest(&seller, &[&standing, &seated]).await;
    let paid = everything_adds_up(&seller, &buyers, &told, &[&standing, &seated]).await;
    market.admin(&["audit-ledger"], "");
    everybody_was_told(&receiver, &paid).await;
}

/// Buys until told to stop: pays most orders, gives some up, forgets some.
async fn shop(number: usize, buyer: &Person, standing: &Sale, seated: &Sale, stop: &AtomicBool) -> Told {
    let mut told = Told::default();
    for n in 0.. {
        if stop.load(Ordering::SeqCst) {
            break;
        }
        let key = format!("order-{number}-{n}");
        // Buyers go through the seats in different steps, so that they meet.
        let seat = &seated.units[(n * (number + 1)) % seated.units.len()];
        let items = match n % 3 {
            0 => json!([{ "offerId": seated.offer, "unitIds": [seat] }]),
            1 => json!([{ "offerId": standing.offer, "quantity": 1 }]),
            _ => json!([{ "offerId": standing.offer, "quantity": 2 }]),
        };
        let Some(order) = buyer.place(&key, &items).await else { continue };
        let id = order["id"].as_str().unwrap().to_owned();
        told.placed.insert(id.clone());
        match n % 8 {
            6 => {
                let path = format!("/api/orders/{id}/cancel");
                buyer.call(Method::POST, &path, None, &json!({})).await;
            }
            7 => {} // forgotten: it has to expire
            _ => {
                if buyer.pay(&format!("pay-{number}-{n}"), &id).await {
                    told.paid.insert(id);
                }
            }
        }
    }
    told
}

/// Waits until nothing is held any more and everything that was reserved is captured.
async fn at_rest(seller: &Person, sales: &[&Sale]) {
    let began = Instant::now();
    loop {
        let mut held = 0;
        for sale in sales {
            held += sale.count(seller).await.0;
        }
        if held == 0 {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{held} are still held");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Compares what buyers were told with what the market has; answers with the orders that are paid.
async fn everything_adds_up(
    seller: &Person,
    buyers: &[Person],
    told: &[Told],
    sales: &[&Sale],
) -> BTreeSet<String> {
    let (mut paid, mut sold, mut units) = (BTreeSet::new(), 0, BTreeSet::new());
    for (buyer, told) in buyers.iter().zip(told) {
        let orders = buyer.all("/api/orders").await;
        let known: BTreeSet<String> = orders.iter().map(|order| text(order, "id")).collect();
        assert_eq!(known, told.placed, "one order for each key, and none besides");
        for order in &orders {
            let (id, status) = (text(order, "id"), text(order, "status"));
            if told.paid.contains(&id) {
                assert_eq!(status, "paid", "{order}");
            }
            if status != "paid" {
                assert!(["cancelled", "expired", "failed"].contains(&status.as_str()), "{order}");
                continue;
            }
            paid.insert(id);
            for line in order["items"].as_array().unwrap() {
                sold += line["quantity"].as_u64().unwrap();
                if let Some(unit) = line["unitId"].as_str() {
                    assert!(units.insert(unit.to_owned()), "{unit} is sold twice");
                }
            }
        }
    }
    let mut counted = 0;
    for sale in sales {
        let of_sale = sale.count(seller).await.1;
        let tickets = seller.get(&format!("/api/events/{}/tickets?limit=1", sale.event)).await;
        assert_eq!(tickets["total"].as_u64().unwrap(), of_sale, "a ticket for each that is sold");
        counted += of_sale;
    }
    assert_eq!(counted, sold, "what is sold is what paid orders have");
    assert!(paid.len() > KILLS as usize, "there was load: {} orders", paid.len());
    paid
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}")).to_owned()
}

/// Each paid order was told at least once, and no other.
async fn everybody_was_told(receiver: &Receiver, paid: &BTreeSet<String>) {
    let began = Instant::now();
    while !receiver.subjects("order.paid").is_superset(paid) {
        let heard = receiver.subjects("order.paid").len();
        assert!(began.elapsed() < Duration::from_secs(90), "heard of {heard} of {} orders", paid.len());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(&receiver.subjects("order.paid"), paid, "nothing was told that did not happen");
}
