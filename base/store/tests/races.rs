//! Transactions that want the same row. The last test measures and is run by hand:
//! `cargo nextest run -p store --run-ignored only --no-capture races`.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::{Duration, Instant};

use store::testing::{POSTGRES, both};
use store::{Migration, Migrations, Store, StoreConfig, StoreError, Tx, args};

const TABLES: Migrations = Migrations {
    room: "races",
    files: &[Migration {
        name: "0001_counter.sql",
        sql: "create table counter (id integer primary key, n integer not null) strict;\n\
              insert into counter (id, n) values (0, 0), (1, 0), (2, 0), (3, 0), (4, 0), (5, 0), (6, 0), (7, 0);",
    }],
};

store::sql! {
    READ = "select n from counter where id = $1";
    LOCK = "select n from counter where id = $1 for update";
    COUNT = "update counter set n = n + 1 where id = $1 returning n";
}

/// How often a transaction looks before it changes.
const LOOKS: usize = 8;

/// Looks at the row some times, then counts it up: what a use case does that checks before it changes.
async fn count(store: &Store, id: i64, locks: bool) -> Result<i64, StoreError> {
    let change = async move |tx: &mut Tx| {
        for _ in 0..LOOKS {
            let _: (i64,) = tx.one(if locks { &LOCK } else { &READ }, args![id]).await?;
        }
        let (n,): (i64,) = tx.one(&COUNT, args![id]).await?;
        Ok(n)
    };
    store.write(change).await
}

/// Two processes on one PostgreSQL with `connections` each, if there is one.
async fn two_processes(connections: usize, test: impl AsyncFn([Store; 2])) {
    let Ok(url) = std::env::var(POSTGRES) else { return };
    let schema = format!("races_{}", hex::encode(kernel::random_bytes::<8>()));
    let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    client.batch_execute(&format!("create schema {schema}")).await.unwrap();
    let url = kernel::Secret::new(format!("{url}?options=-csearch_path%3D{schema}"));
    let config = StoreConfig::Postgres { url, connections };
    let stores = [Store::open(&config).await.unwrap(), Store::open(&config).await.unwrap()];
    stores[0].migrate(&[TABLES], kernel::Timestamp::from_secs(0)).await.unwrap();
    test(stores).await;
    client.batch_execute(&format!("drop schema {schema} cascade")).await.unwrap();
    drop(client);
    let _ = connection.await;
}

/// `tasks` at once, each `times`, on `rows` rows: how long each took, and how many were told that it is busy.
async fn rush(stores: &[Store], tasks: i64, times: i64, rows: i64, locks: bool) -> (Vec<Duration>, usize) {
    let runs = (0..tasks).map(|task| {
        let store = stores[task as usize % stores.len()].clone();
        tokio::spawn(async move {
            let mut took = Vec::new();
            for time in 0..times {
                let began = Instant::now();
                let counted = count(&store, (task + time) % rows, locks).await;
                took.push(counted.map(|_| began.elapsed()));
            }
            took
        })
    });
    let (mut took, mut busy) = (Vec::new(), 0);
    for run in runs.collect::<Vec<_>>() {
        for one in run.await.unwrap() {
            match one {
                Ok(one) => took.push(one),
                Err(StoreError::Busy) => busy += 1,
                Err(error) => panic!("{error}"),
            }
        }
    }
    took.sort();
    (took, busy)
}

#[tokio::test(flavor = "multi_thread")]
async fn all_of_a_rush_on_one_row_come_through() {
    let all = async |stores: &[Store]| {
        let (took, busy) = rush(stores, 256, 1, 1, false).await;
        assert_eq!((took.len(), busy), (256, 0));
        assert_eq!(count(&stores[0], 0, false).await.unwrap(), 257);
    };
    both(&[TABLES], async |store: Store| all(&[store]).await).await;
    two_processes(16, async |stores: [Store; 2]| all(&stores).await).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures; run it by hand"]
async fn how_long_a_rush_takes() {
    two_processes(16, async |stores: [Store; 2]| {
        for processes in [1, 2] {
            for (tasks, times, rows) in [(64, 1, 1), (512, 1, 1), (8, 100, 1), (8, 100, 8), (16, 100, 4), (64, 50, 8)] {
                for locks in [false, true] {
                    let began = Instant::now();
                    let (took, busy) = rush(&stores[..processes], tasks, times, rows, locks).await;
                    let at = |share: usize| took[(took.len() - 1) * share / 1000].as_secs_f64() * 1e3;
                    println!(
                        "{processes} × {tasks:>3} at once × {times:>3} on {rows} rows{}: {:>6.0} ms, p50 {:>6.1}, p99 {:>6.1}, \
                         most {:>6.1}, busy {busy}",
                        if locks { ", locked" } else { "" },
                        began.elapsed().as_secs_f64() * 1e3,
                        at(500),
                        at(990),
                        at(1000),
                    );
                }
            }
        }
    })
    .await;
}
