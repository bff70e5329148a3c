//! Measured, not tested: `cargo nextest run -p catalog --run-ignored only speed --no-capture`.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::disallowed_methods)]

use std::time::Instant;

use catalog::{CatalogError, Filter, Kind, ListingText, NewListing, NewOffer, Sort, Stock, listing};
use identity::Caller;
use kernel::{Currency, Paging};
use store::testing::both;
use store::{Store, Tx};
use web::Expected;

use crate::market::{NOW, TABLES, new_listing, usd};
use crate::room::Room;

const LISTINGS: usize = 10_000;
const ROUNDS: usize = 50;
const CATEGORIES: [&str; 4] = ["design", "data", "security", "learning"];
const WORDS: [&str; 8] = ["red", "map", "router", "guide", "icons", "support", "queue", "paper"];

async fn fill(store: &Store) {
    for part in 0..LISTINGS / 500 {
        let work = async move |tx: &mut Tx| {
            for index in part * 500..(part + 1) * 500 {
                let word = |step: usize| WORDS.get(index / step % WORDS.len()).copied().unwrap_or_default();
                let title = format!("{} {} number {index}", word(1), word(8));
                let text = ListingText {
                    summary: format!("A {} for {}, made with care and kept up to date", word(64), word(512)),
                    description: "A paragraph of text that says more about it. ".repeat(40),
                    category: CATEGORIES.get(index % 4).and_then(|slug| slug.parse().ok()),
                    ..new_listing(&title).text
                };
                let kind = Kind::ALL.get(index % Kind::ALL.len()).copied().unwrap_or(Kind::Other);
                let made =
                    listing::create(tx, NOW, &NewListing { kind, text, ..new_listing(&title) }).await?;
                for extra in 0..2 {
                    let price = usd(i64::try_from(index % 200 * 100 + extra * 500).unwrap());
                    let offer = NewOffer::one_off("Standard", price, Stock::Counted { capacity: 100 });
                    listing::add_offer(tx, NOW, &made.id, &offer).await?;
                }
                listing::publish(tx, NOW, &made.id, &Expected::Whatever).await?;
            }
            Ok::<_, CatalogError>(())
        };
        store.write(work).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures"]
async fn browse_ten_thousand() {
    both(TABLES, async |store| {
        let database = if store.is_shared() { "PostgreSQL" } else { "SQLite" };
        fill(&store).await;
        let room = Room::on(store);
        let by = Caller::stranger(NOW);
        let text = |text: &str| Filter { text: text.to_owned(), ..Filter::default() };
        let cases = [
            ("newest", Filter::default(), 0),
            ("cheapest", Filter { sort: Sort::Cheapest, ..Filter::default() }, 0),
            ("page 200", Filter::default(), 4_000),
            ("kind", Filter { kind: Some(Kind::App), ..Filter::default() }, 0),
            ("category", Filter { category: "design".parse().ok(), ..Filter::default() }, 0),
            ("price", Filter { price: Some((Currency::USD, 2_500, 10_000)), ..Filter::default() }, 0),
            ("one word", text("router"), 0),
            ("three words, one hit", text("red 777 number"), 0),
            ("no hit", text("zebra"), 0),
        ];
        for (name, filter, offset) in cases {
            let mut took = Vec::with_capacity(ROUNDS);
            let mut total = 0;
            for _ in 0..ROUNDS {
                let start = Instant::now();
                let paging = Paging { limit: 24, offset };
                total = room.catalog.market(&by, filter.clone(), paging).await.unwrap().page.total;
                took.push(start.elapsed());
            }
            took.sort();
            let at = |percent: usize| took.get(took.len() * percent / 100).unwrap().as_secs_f64() * 1000.0;
            println!("{database}: {name} ({total} found): p50 {:.1} ms, p95 {:.1} ms", at(50), at(95));
        }
    })
    .await;
}
