//! The embedded database: one thread writes, several read.
//!
//! The writer takes all transactions that wait (up to [`BATCH`]), runs them one after the other in one SQLite
//! transaction and commits them together, so that the cost of making a commit durable is shared; what comes while the
//! disk is still busy with the last commit joins the next (see [`disk`]). A transaction's future never waits for anything but its database, which answers at once: it is polled once.

mod disk;
mod engine;

use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::task::{Context, Poll, Waker};
use std::thread;

use tokio::sync::mpsc;

use self::disk::{Commit, Disk};
pub(crate) use self::engine::Engine;
use self::engine::{Text, bind, unbind};
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

/// `recursive_triggers`, because else `insert or replace` deletes rows without asking the triggers that forbid it.
/// `synchronous = normal`, because [`disk`] waits for the disk instead. Under load the same pages are written again and
/// again: the log is taken over into the file beside the writer, which does it itself only when the log has grown to 64
/// megabytes, to begin it anew.
const PRAGMAS: &str = "pragma journal_mode = wal; pragma synchronous = normal; pragma foreign_keys = on; \
    pragma temp_store = memory; pragma cache_size = -8000; pragma journal_size_limit = 67108864; \
    pragma wal_autocheckpoint = 16000; pragma trusted_schema = off; pragma recursive_triggers = on;";

/// Where the writer finds its work.
type Jobs = mpsc::Receiver<Box<dyn Job>>;

pub(crate) struct Sqlite {
    writer: mpsc::Sender<Box<dyn Job>>,
    readers: async_channel::Sender<Box<dyn Job>>,
}

impl Sqlite {
    pub(crate) fn open(path: &Path, readers: usize, database: u64) -> Result<Self, StoreError> {
        let (writer, jobs) = mpsc::channel(QUEUE);
        let (file, connection, checkpoint) = (path.to_owned(), connect(path, true)?, connect(path, true)?);
        spawn("store-write", move || match Disk::open(&file, checkpoint, thread::current()) {
            Ok(disk) => write_loop(jobs, &mut open(connection, database), &disk),
            Err(error) => tracing::error!(%error, "the database cannot be written"),
        })?;
        let (sender, jobs) = async_channel::bounded(QUEUE);
        for _ in 0..readers.max(1) {
            let jobs = jobs.clone();
            let connection = connect(path, false)?;
            spawn("store-read", move || read_loop(&jobs, &mut open(connection, database)))?;
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
    Ok(connection)
}

/// Planned statements stay on the thread of their connection.
fn open(connection: rusqlite::Connection, database: u64) -> Tx {
    Tx::new(Connection::Sqlite(Engine::of(connection)), database)
}

fn write_loop(mut jobs: Jobs, tx: &mut Tx, disk: &Disk) {
    let mut batch = Vec::with_capacity(BATCH);
    while jobs.blocking_recv_many(&mut batch, BATCH) > 0 {
        if !commit_batch(std::mem::take(&mut batch), &mut jobs, tx, disk) {
            return;
        }
    }
}

/// Runs the jobs of one batch and has them answered when their commit is on the disk. `false`: the disk failed.
fn commit_batch(mut batch: Vec<Box<dyn Job>>, jobs: &mut Jobs, tx: &mut Tx, disk: &Disk) -> bool {
    let ran = match run_batch(&mut batch, jobs, tx, disk, Undo::AllTogether) {
        Ok(None) => run_batch(&mut batch, jobs, tx, disk, Undo::EachAlone),
        other => other,
    };
    match ran {
        Ok(outcomes) => {
            let hooks = std::mem::take(&mut tx.after_commit);
            disk.take(Commit { jobs: batch, outcomes: outcomes.unwrap_or_default(), hooks })
        }
        Err(error) => {
            tracing::error!(%error, "a commit failed; its transactions are undone");
            tx.after_commit.clear();
            let _ = tx.raw("rollback");
            batch.into_iter().for_each(|job| job.finish(Err(StoreError::Busy)));
            true
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
fn run_batch(
    batch: &mut Vec<Box<dyn Job>>,
    jobs: &mut Jobs,
    tx: &mut Tx,
    disk: &Disk,
    undo: Undo,
) -> Result<Option<Outcomes>, StoreError> {
    tx.raw("begin immediate")?;
    let mut outcomes = Vec::with_capacity(batch.len());
    loop {
        for job in &mut batch[outcomes.len()..] {
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
        if !gather(batch, jobs, disk) {
            break;
        }
    }
    tx.raw("commit")?;
    Ok(Some(outcomes))
}

/// While the disk is busy, takes up what else comes. `false`: it is time to commit.
fn gather(batch: &mut Vec<Box<dyn Job>>, jobs: &mut Jobs, disk: &Disk) -> bool {
    while disk.is_busy() {
        if batch.len() < BATCH
            && let Ok(job) = jobs.try_recv()
        {
            batch.push(job);
            return true;
        }
        if disk.is_worth(batch.len()) {
            return false;
        }
        disk.wait();
    }
    false
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
            Connection::Sqlite(engine) if !engine.connection().is_autocommit() => {
                Ok(engine.connection().total_changes() + self.scripts)
            }
            _ => Err(StoreError::Busy),
        }
    }

    /// Runs a statement that begins or ends a transaction.
    fn raw(&mut self, text: &str) -> Result<(), StoreError> {
        let Connection::Sqlite(engine) = &mut self.connection else { return Err(StoreError::Closed) };
        let ran = engine.connection().prepare_cached(text).and_then(|mut statement| statement.raw_execute());
        ran.map(|_| ()).map_err(|error| StoreError::sqlite(&error))
    }
}

pub(crate) fn execute(engine: &mut Engine, sql: &'static Sql, args: &[Value<'_>]) -> Result<u64, StoreError> {
    execute_each(engine, sql, [args])
}

pub(crate) fn execute_each<'a>(
    engine: &mut Engine,
    sql: &'static Sql,
    rows: impl IntoIterator<Item = &'a [Value<'a>]>,
) -> Result<u64, StoreError> {
    engine.with(sql, Text::Main, |statement| {
        let mut changed = 0;
        for args in rows {
            bind(statement, sql, args)?;
            let ran = statement.raw_execute();
            unbind(statement, args);
            changed += ran.map_err(|error| StoreError::sqlite(&error))? as u64;
        }
        Ok(changed)
    })
}

pub(crate) fn query(
    engine: &mut Engine,
    sql: &'static Sql,
    args: &[Value<'_>],
    take: &mut dyn FnMut(&Row<'_>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let text = match sql.read_on_sqlite() {
        Some(_) if execute(engine, sql, args)? == 0 => return Ok(()),
        Some(_) => Text::Read,
        None => Text::Main,
    };
    engine.with(sql, text, |statement| {
        // What is read after a change needs the first of its arguments.
        let args = match text {
            Text::Main => args,
            Text::Read => args.get(..statement.parameter_count()).unwrap_or(args),
        };
        bind(statement, sql, args)?;
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next().map_err(|error| StoreError::sqlite(&error))? {
            take(&Row { statement: sql.name(), cells: Cells::Sqlite(row) })?;
        }
        drop(rows);
        unbind(statement, args);
        Ok(())
    })
}
