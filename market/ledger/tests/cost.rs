//! What a post costs. Not among the everyday tests:
//! `cargo test --profile demo -p ledger --test cost -- --ignored --nocapture`
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

use std::time::Instant;

use kernel::{Currency, Money, Timestamp};
use ledger::{Account, LedgerError, NewTransfer};
use store::{Tx, testing};

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
const SELLERS: u32 = 50;
const TRANSACTIONS: u32 = 10_240;
/// How many callers wait for each commit: the store commits up to 256 together.
const CALLERS: u32 = 256;

fn sale(number: u32) -> Vec<NewTransfer> {
    let clearing = || Account::Clearing("sandbox");
    let seller = Account::Seller(format!("user-seller-{}", number % SELLERS).parse().unwrap());
    let usd = |minor| Money::new(minor, Currency::USD);
    vec![
        NewTransfer::new(clearing(), seller, usd(5400), "sale").maturing(NOW),
        NewTransfer::new(clearing(), Account::PlatformFees, usd(600), "fee"),
        NewTransfer::new(clearing(), Account::Tax, usd(616), "tax"),
    ]
}

/// How long one transaction with so many posts takes, in microseconds. Transactions with several posts and with one
/// differ by the posts alone: what a transaction and its share of a commit cost is in both.
async fn per_transaction(store: &store::Store, round: u32, posts: u32) -> f64 {
    let started = Instant::now();
    let callers = (0..CALLERS).map(|caller| {
        let store = store.clone();
        tokio::spawn(async move {
            for n in 0..TRANSACTIONS / CALLERS {
                let journals = (0..posts).map(|post| {
                    (
                        format!("payment-{round:04}{n:08}{caller:04}{post:016}/capture"),
                        sale(caller + n + post),
                    )
                });
                let journals: Vec<_> = journals.collect();
                let work = async move |tx: &mut Tx| {
                    for (journal, transfers) in &journals {
                        ledger::post(tx, NOW, journal, transfers).await?;
                    }
                    Ok::<_, LedgerError>(())
                };
                store.write(work).await.unwrap();
            }
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.unwrap();
    }
    started.elapsed().as_secs_f64() * 1e6 / f64::from(TRANSACTIONS)
}

#[test]
#[ignore = "measures; run it alone"]
fn a_post_of_three_transfers() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let store = testing::sqlite(folder.path(), &[ledger::MIGRATIONS]).await;
        for round in 0..4 {
            let one = per_transaction(&store, 2 * round, 1).await;
            let five = per_transaction(&store, 2 * round + 1, 5).await;
            println!(
                "{one:.1} µs with one post, {five:.1} µs with five: {:.1} µs a post",
                (five - one) / 4.0
            );
        }
        let started = Instant::now();
        ledger::condense(&store).await.unwrap();
        println!(
            "{:.0} ms to condense {} transfers",
            started.elapsed().as_secs_f64() * 1e3,
            TRANSACTIONS * 6 * 4 * 3
        );
        let started = Instant::now();
        let found = store.read(async |tx: &mut Tx| ledger::audit(tx).await).await.unwrap();
        println!("{:.0} ms to audit them", started.elapsed().as_secs_f64() * 1e3);
        assert_eq!(found, []);
    });
}
