//! The operator's look at the books, without a server and beside a running one.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

mod support;

use kernel::{Currency, Money, Timestamp};
use ledger::{Account, LedgerError, NewTransfer};
use store::{Store, StoreConfig, Tx, sql};
use support::Machine;

sql! {
    BREAK_BALANCE = "update ledger_balance set posted = posted + 1";
}

async fn top_up(store: &Store) {
    let post = async |tx: &mut Tx| {
        let amount = Money::new(1234, Currency::USD);
        let wallet = Account::Wallet("user-ada".parse().unwrap());
        let top_up = NewTransfer::new(Account::Clearing("sandbox"), wallet, amount, "top-up");
        ledger::post(tx, Timestamp::from_secs(1_800_000_000), "payment-1/capture", &[top_up]).await
    };
    store.write::<_, _, LedgerError>(post).await.unwrap();
}

#[tokio::test]
async fn the_books_are_added_up_and_checked() {
    let machine = Machine::new();
    machine.admin("audit-ledger", "").fine();
    let store = Store::open(&StoreConfig::sqlite(std::path::Path::new(&machine.data()).join("fondaco.db")))
        .await
        .unwrap();
    top_up(&store).await;
    let server = machine.serve(&[]);
    let trial = machine.admin("trial-balance --json", "").fine().json();
    let usd = &trial["currencies"][0];
    assert_eq!((usd["debitsMinor"].as_i64(), usd["balanced"].as_bool()), (Some(1234), Some(true)), "{trial}");
    assert_eq!(machine.admin("audit-ledger --json", "").fine().json()["ok"], true);
    let broken = async |tx: &mut Tx| tx.execute(&BREAK_BALANCE, &[]).await;
    store.write::<_, _, store::StoreError>(broken).await.unwrap();
    let found = machine.admin("audit-ledger", "").fails(1, "books are wrong");
    assert!(found.out.contains("wallet:user-ada USD"), "{}", found.out);
    drop(server);
}
