//! What the store promises, on SQLite and on PostgreSQL.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use kernel::Timestamp;
use store::{
    Migration, Migrations, Store, StoreConfig, StoreError, Tx, Value, args, json_list, sql, testing,
};

const COUNTERS: Migrations = Migrations {
    room: "counters",
    files: &[Migration {
        name: "0001_counters.sql",
        sql: "create table counter (name text primary key, value integer not null check (value >= 0), raw blob) strict;
              create table line (seq integer primary key autoincrement, text text not null) strict;",
    }],
};

sql! {
    INSERT_COUNTER = "insert into counter (name, value, raw) values ($1, $2, $3)";
    FIND_COUNTER = "select value from counter where name = $1 for update";
    SET_COUNTER = "update counter set value = $2 where name = $1";
    LIST_COUNTERS = "select name, value, raw from counter where name in each($1) order by name";
    ADD_LINE = "insert into line (text) values ($1) returning seq";
    COUNT_LINES = "select count(*), cast(coalesce(sum(seq), 0) as bigint) from line";
    RAISE_COUNTER = "update counter set value = value + $2 where name = $1 and value < $3 returning name, value",
        read "select name, value from counter where name = $1";
    NUMBER_LINE = "insert into line (text) values ($1) on conflict do nothing returning seq",
        read "select last_insert_rowid()";
}

async fn value(store: &Store, name: &'static str) -> i64 {
    store
        .read(async move |tx| {
            Ok::<_, StoreError>(tx.one::<(i64,)>(&FIND_COUNTER_PLAIN, args![name]).await?.0)
        })
        .await
        .unwrap()
}

sql! {
    FIND_COUNTER_PLAIN = "select value from counter where name = $1";
}

async fn add_one(tx: &mut Tx, name: &str) -> Result<i64, StoreError> {
    let (value,): (i64,) = tx.one(&FIND_COUNTER, args![name]).await?;
    tx.execute(&SET_COUNTER, args![name, value + 1]).await?;
    Ok(value + 1)
}

async fn insert(store: &Store, name: &'static str) {
    let ran = store
        .write(async move |tx| tx.execute(&INSERT_COUNTER, args![name, 0i64, None::<Vec<u8>>]).await)
        .await;
    assert_eq!(ran.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn values_come_back_as_they_went_in() {
    testing::both(&[COUNTERS], async |store| {
        let rows = store
            .write(async |tx: &mut Tx| {
                tx.execute(&INSERT_COUNTER, args!["a'\"ü", i64::MAX, Some(vec![0u8, 255])]).await?;
                tx.execute(&INSERT_COUNTER, args!["b", 0i64, None::<Vec<u8>>]).await?;
                tx.all::<(String, i64, Option<Vec<u8>>)>(
                    &LIST_COUNTERS,
                    args![json_list(["b", "a'\"ü", "c"])],
                )
                .await
            })
            .await
            .unwrap();
        let expected = vec![("a'\"ü".to_owned(), i64::MAX, Some(vec![0u8, 255])), ("b".to_owned(), 0, None)];
        assert_eq!(rows, expected);
    })
    .await;
}

#[tokio::test]
async fn what_a_change_returns_is_what_it_made_and_nothing_where_it_made_nothing() {
    testing::both(&[COUNTERS], async |store| {
        insert(&store, "a").await;
        let raise = async |most: i64| {
            let raise = async move |tx: &mut Tx| {
                tx.first::<(String, i64)>(&RAISE_COUNTER, args!["a", 5i64, most]).await
            };
            store.write(raise).await.unwrap()
        };
        assert_eq!(raise(1).await, Some(("a".to_owned(), 5)));
        assert_eq!(raise(1).await, None);
        let number = async |tx: &mut Tx| {
            let (first,): (i64,) = tx.one(&NUMBER_LINE, args!["one"]).await?;
            let (second,): (i64,) = tx.one(&NUMBER_LINE, args!["two"]).await?;
            Ok::<_, StoreError>(second - first)
        };
        assert_eq!(store.write(number).await.unwrap(), 1);
    })
    .await;
}

#[tokio::test]
async fn one_statement_takes_many_rows_or_none_of_them() {
    testing::both(&[COUNTERS], async |store| {
        let names: Vec<String> = (0..100).map(|number| format!("n{number}")).collect();
        let insert = async |names: Vec<String>| {
            let insert = async move |tx: &mut Tx| {
                let row = |name| [Value::Text(name), Value::Int(7), Value::Null];
                let rows: Vec<_> = names.iter().map(|name| row(name.as_str())).collect();
                tx.execute_each(&INSERT_COUNTER, rows.iter().map(<[_; 3]>::as_slice)).await
            };
            store.write(insert).await
        };
        assert_eq!(insert(names.clone()).await.unwrap(), 100);
        assert_eq!(value(&store, "n99").await, 7);
        let twice = vec!["new".to_owned(), "n5".to_owned(), "newer".to_owned()];
        assert!(matches!(insert(twice).await, Err(StoreError::Unique(_))));
        let look = async |tx: &mut Tx| tx.first::<(i64,)>(&FIND_COUNTER_PLAIN, args!["new"]).await;
        assert_eq!(store.read(look).await.unwrap(), None);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_read_then_write_loses_nothing() {
    testing::both(&[COUNTERS], async |store| {
        insert(&store, "hits").await;
        let tasks: Vec<_> = (0..64)
            .map(|_| {
                let store = store.clone();
                tokio::spawn(async move { store.write(async |tx: &mut Tx| add_one(tx, "hits").await).await })
            })
            .collect();
        let mut seen = Vec::new();
        for task in tasks {
            seen.push(task.await.unwrap().unwrap());
        }
        seen.sort_unstable();
        assert_eq!(seen, (1..=64).collect::<Vec<_>>());
        assert_eq!(value(&store, "hits").await, 64);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_or_a_panic_undoes_one_transaction_and_no_other() {
    testing::both(&[COUNTERS], async |store| {
        insert(&store, "kept").await;
        let refused = store.write(async |tx: &mut Tx| {
            add_one(tx, "kept").await?;
            tx.execute(&INSERT_COUNTER, args!["kept", 0i64, None::<Vec<u8>>]).await
        });
        let panicked = store.write(async |tx: &mut Tx| -> Result<(), StoreError> {
            add_one(tx, "kept").await?;
            panic!("on purpose")
        });
        let negative = store.write(async |tx: &mut Tx| tx.execute(&SET_COUNTER, args!["kept", -1i64]).await);
        let kept = store.write(async |tx: &mut Tx| add_one(tx, "kept").await);
        let (refused, panicked, negative, kept) = tokio::join!(refused, panicked, negative, kept);
        assert!(matches!(refused, Err(StoreError::Unique(_))), "{refused:?}");
        assert!(matches!(panicked, Err(StoreError::Panicked)), "{panicked:?}");
        assert!(matches!(negative, Err(StoreError::Constraint(_))), "{negative:?}");
        assert_eq!(kept.unwrap(), 1);
        assert_eq!(value(&store, "kept").await, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn among_many_that_fail_early_and_late_exactly_the_others_are_kept() {
    testing::both(&[COUNTERS], async |store| {
        insert(&store, "hits").await;
        let hooks = Arc::new(AtomicU32::new(0));
        let one = |number: u32| {
            let (store, hooks) = (store.clone(), hooks.clone());
            let change = async move |tx: &mut Tx| {
                if number % 3 == 1 {
                    return Err(StoreError::Closed);
                }
                let hooks = hooks.clone();
                tx.after_commit(move || {
                    hooks.fetch_add(1, Ordering::SeqCst);
                });
                add_one(tx, "hits").await?;
                if number % 3 == 2 { Err(StoreError::Closed) } else { Ok(()) }
            };
            tokio::spawn(async move { store.write(change).await })
        };
        let tasks: Vec<_> = (0..60).map(one).collect();
        for (number, task) in tasks.into_iter().enumerate() {
            assert_eq!(task.await.unwrap().is_ok(), number % 3 == 0, "{number}");
        }
        assert_eq!(value(&store, "hits").await, 20);
        assert_eq!(hooks.load(Ordering::SeqCst), 20);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_that_fails_leaves_nothing_behind() {
    const HALF: Migrations = Migrations {
        room: "halves",
        files: &[Migration {
            name: "0001_half.sql",
            sql: "create table half (name text primary key) strict;",
        }],
    };
    const BROKEN: Migrations = Migrations {
        files: &[Migration {
            name: "0001_half.sql",
            sql: "create table half (name text) strict; create table counter (name text) strict;",
        }],
        ..HALF
    };
    testing::both(&[COUNTERS], async |store| {
        let now = Timestamp::from_micros(1);
        assert!(store.migrate(&[BROKEN], now).await.is_err());
        // Its first table can be made, so it is not there.
        assert_eq!(store.migrate(&[HALF], now).await.unwrap(), ["halves/0001_half.sql"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hooks_run_after_a_commit_and_only_then() {
    testing::both(&[COUNTERS], async |store| {
        insert(&store, "a").await;
        let called = Arc::new(AtomicU32::new(0));
        for keep in [true, false] {
            let hook = called.clone();
            let ran = store.write(async move |tx: &mut Tx| {
                let hook = hook.clone();
                tx.after_commit(move || {
                    hook.fetch_add(1, Ordering::SeqCst);
                });
                if keep { add_one(tx, "a").await } else { Err(StoreError::Closed) }
            });
            assert_eq!(ran.await.is_ok(), keep);
        }
        assert_eq!(called.load(Ordering::SeqCst), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_cannot_write() {
    testing::both(&[COUNTERS], async |store| {
        insert(&store, "a").await;
        let ran = store.read(async |tx: &mut Tx| tx.execute(&SET_COUNTER, args!["a", 5i64]).await).await;
        assert!(ran.is_err(), "{ran:?}");
        assert_eq!(value(&store, "a").await, 0);
    })
    .await;
}

#[tokio::test]
async fn awaiting_anything_else_is_refused_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let store = testing::sqlite(folder.path(), &[COUNTERS]).await;
    insert(&store, "a").await;
    let ran = store.write(async |tx: &mut Tx| {
        add_one(tx, "a").await?;
        tokio::time::sleep(Duration::from_millis(1)).await;
        Ok::<_, StoreError>(())
    });
    // The sleep panics for want of a runtime on the writer thread, or stays pending: either way it is undone.
    assert!(matches!(ran.await, Err(StoreError::Awaited | StoreError::Panicked)));
    assert_eq!(value(&store, "a").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn migrations_apply_once_and_guard_the_schema() {
    testing::both(&[COUNTERS], async |store| {
        let now = Timestamp::from_secs(1);
        assert!(store.migrate(&[COUNTERS], now).await.unwrap().is_empty(), "a second run applies nothing");
        let changed = Migrations {
            room: "counters",
            files: &[Migration { name: "0001_counters.sql", sql: "select 1" }],
        };
        let older = Migrations { room: "counters", files: &[] };
        for wrong in [changed, older] {
            assert!(matches!(store.migrate(&[wrong], now).await, Err(StoreError::Schema(_))));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_statement_prepares() {
    testing::both(&[COUNTERS], async |store| {
        store
            .read(async |tx: &mut Tx| {
                for sql in store::SQL.iter().filter(|sql| sql.module().starts_with("store")) {
                    tx.prepare(sql).await?;
                }
                Ok::<_, StoreError>(())
            })
            .await
            .unwrap();
    })
    .await;
}

const CHILD: &str = "STORE_TEST_CHILD_DATABASE";

/// Runs only as the child of the next test: writes as fast as it can and says each number once it is durable.
#[tokio::test(flavor = "multi_thread")]
async fn child_that_writes_until_killed() {
    let Ok(path) = std::env::var(CHILD) else { return };
    let store = Store::open(&StoreConfig::sqlite(path)).await.unwrap();
    let writers = (0..16).map(|writer| {
        let store = store.clone();
        tokio::spawn(async move {
            for n in 0.. {
                let text = format!("{writer}-{n}");
                let written = text.clone();
                let seq =
                    store.write(async move |tx: &mut Tx| tx.one::<(i64,)>(&ADD_LINE, args![written]).await);
                let (seq,) = seq.await.unwrap();
                let mut out = std::io::stdout().lock();
                writeln!(out, "ack {seq}").unwrap();
                out.flush().unwrap();
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
}

#[tokio::test]
async fn what_was_acknowledged_survives_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    drop(testing::sqlite(folder.path(), &[COUNTERS]).await);
    for round in 0..5u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_that_writes_until_killed", "--nocapture"])
            .env(CHILD, folder.path().join("test.db"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut acknowledged = Vec::new();
        let wanted = 100 + 150 * round;
        while (acknowledged.len() as u64) < wanted {
            let line = lines.next().expect("the child goes on writing").unwrap();
            if let Some((_, seq)) = line.split_once("ack ") {
                acknowledged.push(seq.trim().parse::<i64>().unwrap());
            }
        }
        child.kill().unwrap();
        acknowledged.extend(
            lines.map_while(Result::ok).filter_map(|line| line.split_once("ack ")?.1.parse::<i64>().ok()),
        );
        child.wait().unwrap();
        let store = Store::open(&StoreConfig::sqlite(folder.path().join("test.db"))).await.unwrap();
        let (count, sum) =
            store.read(async |tx: &mut Tx| tx.one::<(i64, i64)>(&COUNT_LINES, &[]).await).await.unwrap();
        assert_eq!(sum, count * (count + 1) / 2, "no gap, nothing half written");
        assert!(acknowledged.iter().all(|seq| (1..=count).contains(seq)), "every acknowledged line is there");
    }
}
