//! PostgreSQL: a few connections, each with its own task on one thread, that take transactions from a queue.
//!
//! The tasks stay on one thread so that a transaction's future need not be `Send`, which keeps the code of
//! the rooms the same as on SQLite. Writes are serializable, or go row by row, and run again when they lost a race.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::thread;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::try_join_all;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Client, NoTls, Statement};

use crate::error::describe;
use crate::job::Job;
use crate::row::Cells;
use crate::tx::Connection;
use crate::{FromValue, Row, Sql, StoreError, Tx, Value};

/// How often, and for how long, a transaction that loses races is run before its caller is told that the database is
/// busy: both at least. Of all connections that want the same row, one commits and the others have lost, also where they
/// lock it first, since a serializable transaction may not change what was changed after it began. So each attempt comes
/// through with the odds of one in as many as there are connections, and a number of attempts alone leaves some behind.
const ATTEMPTS: u32 = 40;
const PATIENCE: Duration = Duration::from_secs(5);
/// How many transactions may wait before their callers are held back.
const QUEUE: usize = 1024;
/// How long a connection attempt may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// What a transaction may do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Read,
    Write,
    /// See [`Store::write_row_by_row`](crate::Store::write_row_by_row).
    WriteRowByRow,
}

impl Mode {
    const fn begin(self) -> &'static str {
        match self {
            Self::Read => "begin isolation level repeatable read read only",
            Self::Write => "begin isolation level serializable",
            Self::WriteRowByRow => "begin isolation level read committed",
        }
    }
}

type Queued = (Box<dyn Job>, Mode);

pub(crate) struct Postgres {
    jobs: async_channel::Sender<Queued>,
}

impl Postgres {
    pub(crate) async fn open(
        url: &kernel::Secret,
        connections: usize,
        database: u64,
    ) -> Result<Self, StoreError> {
        let mut config: tokio_postgres::Config = url
            .expose()
            .parse()
            .map_err(|error: tokio_postgres::Error| StoreError::Open(describe(&error)))?;
        config.connect_timeout(CONNECT_TIMEOUT);
        config.application_name("fondaco");
        let (sender, jobs) = async_channel::bounded::<Queued>(QUEUE);
        let (ready, opened) = oneshot::channel();
        thread::Builder::new()
            .name("store-postgres".to_owned())
            .spawn(move || run(&config, &jobs, (connections, database), ready))
            .map_err(|error| StoreError::Open(error.to_string()))?;
        opened.await.map_err(|_| StoreError::Closed)??;
        Ok(Self { jobs: sender })
    }

    pub(crate) async fn send(&self, job: Box<dyn Job>, mode: Mode) -> Result<(), StoreError> {
        self.jobs.send((job, mode)).await.map_err(|_| StoreError::Closed)
    }
}

/// The thread: opens one connection to say whether that works, then serves the queue until it is closed.
fn run(
    config: &tokio_postgres::Config,
    jobs: &async_channel::Receiver<Queued>,
    (connections, database): (usize, u64),
    ready: oneshot::Sender<Result<(), StoreError>>,
) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = ready.send(Err(StoreError::Open(error.to_string())));
            return;
        }
    };
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async {
        let first = match connect(config).await {
            Ok(session) => session,
            Err(error) => {
                let _ = ready.send(Err(error));
                return;
            }
        };
        let _ = ready.send(Ok(()));
        let mut first = Some(first);
        let workers = (0..connections.max(1)).map(|_| {
            let (config, jobs, session) = (config.clone(), jobs.clone(), first.take());
            tokio::task::spawn_local(async move { worker(&config, &jobs, session, database).await })
        });
        futures_util::future::join_all(workers.collect::<Vec<_>>()).await;
    });
}

/// One connection: connects when there is work and none is open, and again after it broke.
async fn worker(
    config: &tokio_postgres::Config,
    jobs: &async_channel::Receiver<Queued>,
    mut session: Option<Box<Session>>,
    database: u64,
) {
    while let Ok((mut job, mode)) = jobs.recv().await {
        let open = match session.take().filter(|session| !session.client.is_closed()) {
            Some(open) => open,
            None => match connect(config).await {
                Ok(open) => open,
                Err(error) => {
                    job.finish(Err(error));
                    continue;
                }
            },
        };
        let mut tx = Tx::new(Connection::Postgres(open), database);
        let outcome = attempt(job.as_mut(), mode, &mut tx).await;
        job.finish(outcome);
        if let Connection::Postgres(open) = tx.connection {
            session = Some(open);
        }
    }
}

/// Runs a job until it is committed, undone by its own error, or lost too many races.
async fn attempt(job: &mut dyn Job, mode: Mode, tx: &mut Tx) -> Result<(), StoreError> {
    let (began, mut is_key_looked_at) = (Instant::now(), false);
    for lost in 0.. {
        if lost >= ATTEMPTS && began.elapsed() >= PATIENCE {
            break;
        }
        if lost > 0 {
            let jitter = u64::from(kernel::random_bytes::<1>()[0]);
            tokio::time::sleep(Duration::from_micros(u64::from(lost.min(20)) * jitter * 4)).await;
        }
        let session = tx.session()?;
        (session.lost_race, session.key_taken) = (false, false);
        tx.script(mode.begin()).await?;
        let ran = AssertUnwindSafe(job.run(tx)).catch_unwind().await;
        let ended = match ran {
            Ok(true) => tx.script("commit").await,
            Ok(false) | Err(_) => tx.script("rollback").await,
        };
        let session = tx.session()?;
        // A key that a transaction beside this one took: run once more, this one then sees the other's row.
        let is_key_news = session.key_taken && !is_key_looked_at;
        is_key_looked_at |= session.key_taken;
        if session.lost_race || is_key_news {
            tx.after_commit.clear();
            // A failed commit has ended the transaction; a second rollback is harmless.
            let _ = tx.script("rollback").await;
            continue;
        }
        match (ran, ended) {
            (Ok(true), Ok(())) => tx.run_hooks(),
            (Ok(true), Err(error)) => {
                tx.after_commit.clear();
                return Err(error);
            }
            (Ok(false), _) => tx.after_commit.clear(),
            (Err(_), _) => {
                tx.after_commit.clear();
                return Err(StoreError::Panicked);
            }
        }
        return Ok(());
    }
    Err(StoreError::Busy)
}

async fn connect(config: &tokio_postgres::Config) -> Result<Box<Session>, StoreError> {
    let (client, connection) =
        config.connect(NoTls).await.map_err(|error| StoreError::Open(describe(&error)))?;
    tokio::task::spawn_local(async move {
        if let Err(error) = connection.await {
            tracing::warn!(error = %describe(&error), "a PostgreSQL connection broke");
        }
    });
    Ok(Box::new(Session { client, statements: HashMap::new(), lost_race: false, key_taken: false }))
}

impl Tx {
    fn session(&mut self) -> Result<&mut Session, StoreError> {
        match &mut self.connection {
            Connection::Postgres(session) => Ok(session),
            Connection::Sqlite(_) => Err(StoreError::Closed),
        }
    }
}

/// One connection and what it has prepared.
pub(crate) struct Session {
    client: Client,
    /// By the address of the statement's constant, which is cheaper to hash than its text.
    statements: HashMap<usize, Statement>,
    lost_race: bool,
    key_taken: bool,
}

impl Session {
    /// The connection itself, for statements that are no constants; only [`crate::dump`] has those.
    pub(crate) const fn client(&self) -> &Client {
        &self.client
    }

    fn fail(&mut self, statement: &'static str, error: &tokio_postgres::Error) -> StoreError {
        match StoreError::postgres(error) {
            StoreError::Busy => {
                self.lost_race = true;
                StoreError::Busy
            }
            StoreError::Unique(key) => {
                self.key_taken = true;
                StoreError::Unique(key)
            }
            StoreError::Database(text) => StoreError::Database(format!("{statement}: {text}")),
            other => other,
        }
    }

    pub(crate) const fn lose(&mut self) {
        self.lost_race = true;
    }

    pub(crate) async fn prepare(&mut self, sql: &'static Sql) -> Result<Statement, StoreError> {
        if let Some(statement) = self.statements.get(&std::ptr::from_ref(sql).addr()) {
            return Ok(statement.clone());
        }
        match self.client.prepare(sql.for_postgres()).await {
            Ok(statement) => {
                self.statements.insert(std::ptr::from_ref(sql).addr(), statement.clone());
                Ok(statement)
            }
            Err(error) => Err(self.fail(sql.name(), &error)),
        }
    }

    pub(crate) async fn execute(&mut self, sql: &'static Sql, args: &[Value<'_>]) -> Result<u64, StoreError> {
        let statement = self.prepare(sql).await?;
        let changed = self.client.execute_raw(&statement, args.iter().copied().map(Arg)).await;
        changed.map_err(|error| self.fail(sql.name(), &error))
    }

    /// All at once: the answers are waited for only when every row is on its way.
    pub(crate) async fn execute_each<'a>(
        &mut self,
        sql: &'static Sql,
        rows: impl IntoIterator<Item = &'a [Value<'a>]>,
    ) -> Result<u64, StoreError> {
        let statement = self.prepare(sql).await?;
        let run = |args: &'a [Value<'a>]| self.client.execute_raw(&statement, args.iter().copied().map(Arg));
        let changed = try_join_all(rows.into_iter().map(run)).await;
        changed.map(|changed| changed.into_iter().sum()).map_err(|error| self.fail(sql.name(), &error))
    }

    pub(crate) async fn query(
        &mut self,
        sql: &'static Sql,
        args: &[Value<'_>],
        take: &mut dyn FnMut(&Row<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let statement = self.prepare(sql).await?;
        let args: Vec<Arg<'_>> = args.iter().copied().map(Arg).collect();
        let args: Vec<&(dyn ToSql + Sync)> = args.iter().map(|arg| arg as &(dyn ToSql + Sync)).collect();
        let rows = self.client.query(&statement, &args).await;
        for row in &rows.map_err(|error| self.fail(sql.name(), &error))? {
            take(&Row { statement: sql.name(), cells: Cells::Postgres(row) })?;
        }
        Ok(())
    }

    pub(crate) async fn script(&mut self, text: &str) -> Result<(), StoreError> {
        let ran = self.client.batch_execute(text).await;
        ran.map_err(|error| self.fail("script", &error))
    }
}

/// A [`Value`] on its way to PostgreSQL, whatever width of integer the server inferred.
#[derive(Debug)]
struct Arg<'a>(Value<'a>);

impl ToSql for Arg<'_> {
    fn to_sql(
        &self,
        kind: &Type,
        out: &mut tokio_postgres::types::private::BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self.0 {
            Value::Null => Ok(IsNull::Yes),
            Value::Int(number) if *kind == Type::INT4 => i32::try_from(number)?.to_sql(kind, out),
            Value::Int(number) if *kind == Type::INT2 => i16::try_from(number)?.to_sql(kind, out),
            Value::Int(number) => number.to_sql(kind, out),
            Value::Text(text) => text.to_sql(kind, out),
            Value::Bytes(bytes) => bytes.to_sql(kind, out),
        }
    }

    fn accepts(kind: &Type) -> bool {
        matches!(
            *kind,
            Type::INT8
                | Type::INT4
                | Type::INT2
                | Type::TEXT
                | Type::VARCHAR
                | Type::NAME
                | Type::BYTEA
                | Type::UNKNOWN
        )
    }

    to_sql_checked!();
}

/// Reads one cell; called by [`Row::get`].
pub(crate) fn cell<T: FromValue>(row: &tokio_postgres::Row, index: usize) -> Result<T, String> {
    let Some(column) = row.columns().get(index) else { return Err("no such column".to_owned()) };
    let explain = |error: tokio_postgres::Error| describe(&error);
    let value = match *column.type_() {
        Type::INT8 => row.try_get::<_, Option<i64>>(index).map_err(explain)?.map(Value::Int),
        Type::INT4 => row.try_get::<_, Option<i32>>(index).map_err(explain)?.map(|n| Value::Int(n.into())),
        Type::BOOL => row.try_get::<_, Option<bool>>(index).map_err(explain)?.map(|b| Value::Int(b.into())),
        Type::TEXT | Type::VARCHAR | Type::NAME | Type::UNKNOWN => {
            row.try_get::<_, Option<&str>>(index).map_err(explain)?.map(Value::Text)
        }
        Type::BYTEA => row.try_get::<_, Option<&[u8]>>(index).map_err(explain)?.map(Value::Bytes),
        ref other => return Err(format!("type {other} is none that both databases share")),
    };
    T::from_value(value.unwrap_or(Value::Null))
}
