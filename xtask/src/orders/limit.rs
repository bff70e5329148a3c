//! What this machine's disk and SQLite can do at the most: the rows of an order and nothing else, without HTTP, rules,
//! payments or tickets. Machines differ by factors; a rate of orders says something beside this one.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use rusqlite::{Connection, params};

/// How many orders are committed together.
const BATCH: i64 = 64;
/// How long it runs.
const LENGTH: Duration = Duration::from_secs(3);

const SCHEMA: &str = "pragma journal_mode = wal; pragma synchronous = full;
    create table offer (id integer primary key, available integer not null) strict;
    create table placed (id text primary key, buyer integer not null, state text not null, total integer not null) strict;
    create index placed_of_buyer on placed (buyer, id);
    create table transfer (id integer primary key, debit integer not null, credit integer not null, amount integer not null) strict;
    create table outbox (seq integer primary key autoincrement, subject text not null, body text not null) strict;
    insert into offer values (1, 1000000000);";

/// Orders per second of bare SQLite: take from the stock, write the order, four legs of a ledger, one event;
/// [`BATCH`] to a commit, each commit durable.
///
/// # Errors
/// If the folder cannot be written.
pub(super) fn bare_sqlite(folder: &Path) -> Result<f64> {
    let connection = Connection::open(folder.join("limit.db"))?;
    connection.execute_batch(SCHEMA)?;
    let (began, mut orders) = (Instant::now(), 0_i64);
    while began.elapsed() < LENGTH {
        connection.execute_batch("begin immediate")?;
        for number in orders..orders + BATCH {
            order(&connection, number)?;
        }
        connection.execute_batch("commit")?;
        orders += BATCH;
    }
    Ok(orders as f64 / began.elapsed().as_secs_f64())
}

fn order(connection: &Connection, number: i64) -> Result<()> {
    let id = format!("order-{number:016}-{:016}", number.wrapping_mul(0x9e37_79b9));
    let run = |sql: &str, values: &[&dyn rusqlite::ToSql]| -> Result<()> {
        connection.prepare_cached(sql)?.execute(values)?;
        Ok(())
    };
    run("update offer set available = available - 1 where id = 1 and available >= 1", params![])?;
    run("insert into placed values (?1, ?2, 'paid', 2500)", params![id, number % 16])?;
    for leg in 0..4 {
        run("insert into transfer (debit, credit, amount) values (?1, ?2, 625)", params![leg, number % 16])?;
    }
    run("insert into outbox (subject, body) values (?1, ?2)", params![id, "{\"state\":\"paid\"}"])
}
