//! What the code of a transaction holds.

use crate::{FromRow, Row, Sql, StoreError, Value, postgres, sqlite};

pub(crate) type AfterCommit = Box<dyn FnOnce() + Send>;

/// An open transaction.
pub struct Tx {
    pub(crate) connection: Connection,
    pub(crate) after_commit: Vec<AfterCommit>,
    /// How many scripts ran: what they change, SQLite does not count.
    pub(crate) scripts: u64,
    database: u64,
}

pub(crate) enum Connection {
    Sqlite(sqlite::Engine),
    Postgres(Box<postgres::Session>),
}

impl Tx {
    pub(crate) fn new(connection: Connection, database: u64) -> Self {
        Self { connection, after_commit: Vec::new(), scripts: 0, database }
    }

    /// A number that tells the databases apart which this process has opened: a cache of what never changes in one
    /// has it in its key.
    #[must_use]
    pub const fn database(&self) -> u64 {
        self.database
    }

    /// Runs a statement and tells how many rows it changed.
    ///
    /// # Errors
    /// [`StoreError::Unique`], [`StoreError::Constraint`] or what else the database says.
    pub async fn execute(&mut self, sql: &'static Sql, args: &[Value<'_>]) -> Result<u64, StoreError> {
        match &mut self.connection {
            Connection::Sqlite(engine) => sqlite::execute(engine, sql, args),
            Connection::Postgres(session) => session.execute(sql, args).await,
        }
    }

    /// Runs a statement once for each row of arguments; on PostgreSQL they go to the server together. Tells how many rows
    /// were changed in all.
    ///
    /// # Errors
    /// As [`Tx::execute`]: of the first row that fails.
    pub async fn execute_each<'a>(
        &mut self,
        sql: &'static Sql,
        rows: impl IntoIterator<Item = &'a [Value<'a>]>,
    ) -> Result<u64, StoreError> {
        match &mut self.connection {
            Connection::Sqlite(engine) => sqlite::execute_each(engine, sql, rows),
            Connection::Postgres(session) => session.execute_each(sql, rows).await,
        }
    }

    /// All rows of a statement, in memory: the statement limits how many there can be.
    ///
    /// # Errors
    /// As [`Tx::execute`]; [`StoreError::Decode`] when a row does not fit `T`.
    pub async fn all<T: FromRow>(
        &mut self,
        sql: &'static Sql,
        args: &[Value<'_>],
    ) -> Result<Vec<T>, StoreError> {
        let mut rows = Vec::new();
        let mut take = |row: &Row<'_>| T::from_row(row).map(|row| rows.push(row));
        match &mut self.connection {
            Connection::Sqlite(engine) => sqlite::query(engine, sql, args, &mut take)?,
            Connection::Postgres(session) => session.query(sql, args, &mut take).await?,
        }
        Ok(rows)
    }

    /// The first row, if there is one.
    ///
    /// # Errors
    /// As [`Tx::all`].
    pub async fn first<T: FromRow>(
        &mut self,
        sql: &'static Sql,
        args: &[Value<'_>],
    ) -> Result<Option<T>, StoreError> {
        Ok(self.all(sql, args).await?.into_iter().next())
    }

    /// The one row that must be there.
    ///
    /// # Errors
    /// [`StoreError::NoRow`] when there is none, else as [`Tx::all`].
    pub async fn one<T: FromRow>(&mut self, sql: &'static Sql, args: &[Value<'_>]) -> Result<T, StoreError> {
        self.first(sql, args).await?.ok_or(StoreError::NoRow(sql.name()))
    }

    /// Calls `hook` once this transaction is durable and before its caller hears of it: to drop what a cache
    /// holds, to wake who waits. Not called when the transaction is undone. It must be quick.
    pub fn after_commit(&mut self, hook: impl FnOnce() + Send + 'static) {
        self.after_commit.push(Box::new(hook));
    }

    /// What the code returns when it finds that another transaction took what it had just read: it is undone and run
    /// again. Only where writes go row by row can that be; elsewhere the caller hears that the database is busy.
    pub fn lost_race(&mut self) -> StoreError {
        if let Connection::Postgres(session) = &mut self.connection {
            session.lose();
        }
        StoreError::Busy
    }

    pub(crate) fn run_hooks(&mut self) {
        for hook in self.after_commit.drain(..) {
            hook();
        }
    }

    /// Runs several statements given as one text: migrations only.
    pub(crate) async fn script(&mut self, text: &str) -> Result<(), StoreError> {
        self.scripts += 1;
        match &mut self.connection {
            Connection::Sqlite(engine) => {
                engine.connection().execute_batch(text).map_err(|error| StoreError::sqlite(&error))
            }
            Connection::Postgres(session) => session.script(text).await,
        }
    }

    /// Checks that a statement is valid against the schema, without running it.
    ///
    /// # Errors
    /// What the database says about it.
    pub async fn prepare(&mut self, sql: &'static Sql) -> Result<(), StoreError> {
        match &mut self.connection {
            Connection::Sqlite(engine) => {
                let texts = [Some(sql.for_sqlite()), sql.read_on_sqlite()];
                let mut planned = texts.into_iter().flatten().map(|text| engine.connection().prepare(text));
                planned
                    .try_for_each(|planned| planned.map(|_| ()))
                    .map_err(|error| StoreError::sqlite(&error))
            }
            Connection::Postgres(session) => session.prepare(sql).await.map(|_| ()),
        }
    }
}
