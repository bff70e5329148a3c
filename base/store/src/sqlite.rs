//! The embedded database: one thread writes, several read.
//!
//! The writer takes all transactions that wait (up to [`BATCH`]), runs them one after the other in one SQLite
//! transaction and commits them together, so that the cost of making a commit durable is shared. A
//! transaction's future never waits for anything but its database, which answers at once: it is polled once.

use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::task::{Context, Poll, Waker};
use std::thread;

use tokio::sync::mpsc;

use crate::job::Job;
use crate::row::Cells;
use crate::tx::Connection;
use crate::{Row, Sql, StoreError, Tx, Value};

/// The most transactions in one commit.
const BATCH: usize = 256;
/// How many transactions may wait before their callers are held back.
const QUEUE: usize = 1024;
/// How long a lock of another process (the command line beside a running server) is waited for.
const BUSY_MS: u64 = 10_000;

/// Under load the same pages are written again and again: with up to 16 megabytes of log they are taken over into the
/// file more rarely than with the usual four. More would make single commits wait longer for it.
const PRAGMAS: &str = "pragma journal_mode = wal; pragma synchronous = full; pragma foreign_keys = on; \
    pragma temp_store = memory; pragma cache_size = -8000; pragma journal_size_limit = 67108864; \
    pragma wal_autocheckpoint = 4000; pragma trusted_schema = off;";

pub(crate) struct Sqlite {
    writer: mpsc::Sender<Box<dyn Job>>,
    readers: async_channel::Sender<Box<dyn Job>>,
}

impl Sqlite {
    pub(crate) fn open(path: &Path, readers: usize, database: u64) -> Result<Self, StoreError> {
        let (writer, jobs) = mpsc::channel(QUEUE);
        let mut tx = Tx::new(Connection::Sqlite(connect(path, true)?), database);
        spawn("store-write", move || write_loop(jobs, &mut tx))?;
        let (sender, jobs) = async_channel::bounded(QUEUE);
        for _ in 0..readers.max(1) {
            let jobs = jobs.clone();
            let mut tx = Tx::new(Connection::Sqlite(connect(path, false)?), database);
            spawn("store-read", move || read_loop(&jobs, &mut tx))?;
        }
        Ok(Self { writer, readers: sender })
    }

    pub(crate) async fn write(&self, job: Box<dyn Job>) -> Result<(), StoreError> {
        self.writer.send(job).await.map_err(|_| StoreError::Closed)
    }

    pub(crate) async fn read(&self, job: Box<dyn Job>) -> Result<(), StoreError> {
        self.readers.send(job).await.map_err(|_| StoreError::Closed)
    }
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<(), StoreError> {
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(body)
        .map(|_| ())
        .map_err(|error| StoreError::Open(error.to_string()))
}

fn connect(path: &Path, write: bool) -> Result<rusqlite::Connection, StoreError> {
    let explain = |error: rusqlite::Error| StoreError::Open(format!("{}: {error}", path.display()));
    let connection = rusqlite::Connection::open(path).map_err(explain)?;
    connection.busy_timeout(std::time::Duration::from_millis(BUSY_MS)).map_err(explain)?;
    connection.execute_batch(PRAGMAS).map_err(explain)?;
    if !write {
        connection.execute_batch("pragma query_only = on").map_err(explain)?;
    }
    // Else SQLite looks at the values of some parameters when it plans, and plans such statements anew each time.
    connection
        .set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)
        .map_err(explain)?;
    connection.set_prepared_statement_cache_capacity(512);
    Ok(connection)
}

fn write_loop(mut jobs: mpsc::Receiver<Box<dyn Job>>, tx: &mut Tx) {
    let mut batch = Vec::with_capacity(BATCH);
    while jobs.blocking_recv_many(&mut batch, BATCH) > 0 {
        commit_batch(&mut batch, tx);
    }
}

/// Runs the jobs of one batch and answers them all after the commit.
fn commit_batch(batch: &mut Vec<Box<dyn Job>>, tx: &mut Tx) {
    let ran = match run_batch(batch, tx, Undo::AllTogether) {
        Ok(None) => run_batch(batch, tx, Undo::EachAlone),
        other => other,
    };
    match ran {
        Ok(outcomes) => {
            tx.run_hooks();
            let outcomes = outcomes.unwrap_or_default().into_iter();
            batch.drain(..).zip(outcomes).for_each(|(job, outcome)| job.finish(outcome));
        }
        Err(error) => {
            tracing::error!(%error, "a commit failed; its transactions are undone");
            tx.after_commit.clear();
            let _ = tx.raw("rollback");
            batch.drain(..).for_each(|job| job.finish(Err(StoreError::Busy)));
        }
    }
}

/// How a job that failed is undone.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Undo {
    /// With all others of its batch, which then run again. Most that fail do so before they changed anything, and
    /// need no undoing; keeping what would be undone costs every job a fifth of its time.
    AllTogether,
    /// By a savepoint of its own.
    EachAlone,
}

/// One transaction of SQLite, committed. `None`: it was undone, because one job must be undone alone.
fn run_batch(batch: &mut [Box<dyn Job>], tx: &mut Tx, undo: Undo) -> Result<Option<Outcomes>, StoreError> {
    tx.raw("begin immediate")?;
    let mut outcomes = Vec::with_capacity(batch.len());
    for job in batch {
        let outcome = match undo {
            Undo::EachAlone => in_savepoint(job.as_mut(), tx)?,
            Undo::AllTogether => match without_savepoint(job.as_mut(), tx)? {
                Some(outcome) => outcome,
                None => {
                    tx.after_commit.clear();
                    tx.raw("rollback")?;
                    return Ok(None);
                }
            },
        };
        outcomes.push(outcome);
    }
    tx.raw("commit")?;
    Ok(Some(outcomes))
}

/// What became of each job of a batch.
type Outcomes = Vec<Result<(), StoreError>>;

/// `None`: it failed after it had changed something.
fn without_savepoint(job: &mut dyn Job, tx: &mut Tx) -> Result<Option<Result<(), StoreError>>, StoreError> {
    let (hooks, changes) = (tx.after_commit.len(), tx.changes()?);
    let ran = poll_once(job, tx);
    if matches!(ran, Ok(true)) {
        return Ok(Some(Ok(())));
    }
    tx.after_commit.truncate(hooks);
    Ok((tx.changes()? == changes).then(|| ran.map(|_| ())))
}

fn in_savepoint(job: &mut dyn Job, tx: &mut Tx) -> Result<Result<(), StoreError>, StoreError> {
    tx.raw("savepoint job")?;
    let hooks = tx.after_commit.len();
    let ran = poll_once(job, tx);
    if !matches!(ran, Ok(true)) {
        tx.after_commit.truncate(hooks);
        tx.raw("rollback to job")?;
    }
    tx.raw("release job")?;
    Ok(ran.map(|_| ()))
}

fn read_loop(jobs: &async_channel::Receiver<Box<dyn Job>>, tx: &mut Tx) {
    while let Ok(mut job) = jobs.recv_blocking() {
        let outcome = tx.raw("begin").and_then(|()| poll_once(job.as_mut(), tx)).map(|_| ());
        let ended = tx.raw("rollback");
        tx.after_commit.clear();
        job.finish(outcome.and(ended));
    }
}

/// Runs a job to its end; answers whether to keep its rows.
fn poll_once(job: &mut dyn Job, tx: &mut Tx) -> Result<bool, StoreError> {
    let polled = std::panic::catch_unwind(AssertUnwindSafe(|| {
        let mut running = job.run(tx);
        running.as_mut().poll(&mut Context::from_waker(Waker::noop()))
    }));
    match polled {
        Ok(Poll::Ready(keep)) => Ok(keep),
        Ok(Poll::Pending) => Err(StoreError::Awaited),
        Err(_) => Err(StoreError::Panicked),
    }
}

impl Tx {
    /// A number that grows with everything this connection changes, in a transaction that is still open: where the
    /// database has ended it by itself (a full disk), nothing may be added.
    fn changes(&self) -> Result<u64, StoreError> {
        match &self.connection {
            Connection::Sqlite(connection) if !connection.is_autocommit() => {
                Ok(connection.total_changes() + self.scripts)
            }
            _ => Err(StoreError::Busy),
        }
    }

    /// Runs a statement that begins or ends a transaction.
    fn raw(&mut self, text: &str) -> Result<(), StoreError> {
        let Connection::Sqlite(connection) = &mut self.connection else { return Err(StoreError::Closed) };
        let ran = connection.prepare_cached(text).and_then(|mut statement| statement.raw_execute());
        ran.map(|_| ()).map_err(|error| StoreError::sqlite(&error))
    }
}

fn prepare<'c>(
    connection: &'c rusqlite::Connection,
    sql: &'static Sql,
    args: &[Value<'_>],
) -> Result<rusqlite::CachedStatement<'c>, StoreError> {
    let explain = |error: rusqlite::Error| match StoreError::sqlite(&error) {
        StoreError::Database(text) => StoreError::Database(format!("{}: {text}", sql.name())),
        other => other,
    };
    let mut statement = connection.prepare_cached(sql.for_sqlite()).map_err(explain)?;
    for (index, arg) in args.iter().enumerate() {
        let index = index + 1;
        match *arg {
            Value::Null => statement.raw_bind_parameter(index, rusqlite::types::Null),
            Value::Int(number) => statement.raw_bind_parameter(index, number),
            Value::Text(text) => statement.raw_bind_parameter(index, text),
            Value::Bytes(bytes) => statement.raw_bind_parameter(index, bytes),
        }
        .map_err(explain)?;
    }
    Ok(statement)
}

pub(crate) fn execute(
    connection: &rusqlite::Connection,
    sql: &'static Sql,
    args: &[Value<'_>],
) -> Result<u64, StoreError> {
    let mut statement = prepare(connection, sql, args)?;
    let changed = statement.raw_execute().map_err(|error| StoreError::sqlite(&error))?;
    Ok(changed as u64)
}

pub(crate) fn query(
    connection: &rusqlite::Connection,
    sql: &'static Sql,
    args: &[Value<'_>],
    take: &mut dyn FnMut(&Row<'_>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut statement = prepare(connection, sql, args)?;
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next().map_err(|error| StoreError::sqlite(&error))? {
        take(&Row { statement: sql.name(), cells: Cells::Sqlite(row) })?;
    }
    Ok(())
}
