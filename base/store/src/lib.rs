//! SQLite and PostgreSQL behind one small interface.
//!
//! ```ignore
//! sql!(RENAME = "update account set name = $2, version = version + 1 where id = $1 returning version");
//!
//! let version = store.write(async move |tx| {
//!     let (version,): (i64,) = tx.one(&RENAME, args![id, name]).await?;
//!     Ok::<_, StoreError>(version)
//! }).await?;
//! ```
//!
//! * A transaction is an async closure that may await nothing but its own [`Tx`]. On SQLite it runs on the one
//!   writer thread, which commits many callers at once; on PostgreSQL it is one serializable transaction that
//!   is run again when it lost a race. So it may run more than once: it must have no effect but its rows.
//! * An `Err` rolls everything back. After a statement failed the only thing to do is to return the error:
//!   PostgreSQL refuses further statements. What may conflict says `on conflict`.
//! * SQL is written once, in the dialect both share; see [`sql!`].

pub mod dump;
mod error;
mod job;
mod migrate;
mod postgres;
mod row;
mod sql;
mod sqlite;
pub mod testing;
mod tx;
mod value;
mod words;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub use error::StoreError;
pub use migrate::{Migration, Migrations};
pub use row::{FromRow, Row};
pub use sql::{SQL, Sql};
pub use tx::Tx;
pub use value::{FromValue, ToValue, Value, json_list};

#[doc(hidden)]
pub use linkme as __linkme;

/// Which database, and how much of it.
#[derive(Clone, Debug)]
pub enum StoreConfig {
    /// One file on the local disk, embedded in the process.
    Sqlite {
        /// The file; it is made when it does not exist.
        path: PathBuf,
        /// How many threads read beside the one that writes.
        readers: usize,
    },
    /// A PostgreSQL server, version 14 or later.
    Postgres {
        /// `postgres://user:password@host:port/database`.
        url: kernel::Secret,
        /// How many connections at the most.
        connections: usize,
    },
}

impl StoreConfig {
    /// The embedded database at `path` with the usual number of readers.
    pub fn sqlite(path: impl Into<PathBuf>) -> Self {
        Self::Sqlite { path: path.into(), readers: 4 }
    }

    /// A PostgreSQL server with the usual number of connections.
    pub fn postgres(url: impl Into<String>) -> Self {
        Self::Postgres { url: kernel::Secret::new(url), connections: 16 }
    }
}

/// How many databases this process has opened: see [`Tx::database`].
static OPENED: AtomicU64 = AtomicU64::new(0);

/// The database. Cheap to clone; the last clone that goes closes it.
#[derive(Clone)]
pub struct Store {
    backend: Arc<Backend>,
}

enum Backend {
    Sqlite(sqlite::Sqlite),
    Postgres(postgres::Postgres),
}

impl Store {
    /// Opens the database and its connections; it does not migrate, see [`Store::migrate`].
    ///
    /// # Errors
    /// [`StoreError::Open`] with what to check when it cannot be reached.
    pub async fn open(config: &StoreConfig) -> Result<Self, StoreError> {
        let database = OPENED.fetch_add(1, Ordering::Relaxed);
        let backend = match config {
            StoreConfig::Sqlite { path, readers } => {
                Backend::Sqlite(sqlite::Sqlite::open(path, *readers, database)?)
            }
            StoreConfig::Postgres { url, connections } => {
                Backend::Postgres(postgres::Postgres::open(url, *connections, database).await?)
            }
        };
        Ok(Self { backend: Arc::new(backend) })
    }

    /// Runs `change` in one transaction and answers after it is durable.
    ///
    /// # Errors
    /// What `change` returned (everything is then undone), or a [`StoreError`] turned into `E` when the database
    /// failed.
    pub async fn write<F, T, E>(&self, change: F) -> Result<T, E>
    where
        F: AsyncFn(&mut Tx) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.run_write(change, postgres::Mode::Write).await
    }

    /// [`Store::write`] for what many do at once to the same rows, such as buyers of one event.
    ///
    /// On PostgreSQL it is `read committed`: a statement that changes a row which another transaction is changing waits
    /// and goes by what the row then is, instead of losing the race and beginning anew. Nothing else is promised: what
    /// was read before may have changed. So every decision must be made by the row itself (a compare-and-set, whose
    /// count is looked at), by a constraint, or by what never changes. SQLite runs one transaction after the other in
    /// any case.
    ///
    /// # Errors
    /// As [`Store::write`].
    pub async fn write_row_by_row<F, T, E>(&self, change: F) -> Result<T, E>
    where
        F: AsyncFn(&mut Tx) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.run_write(change, postgres::Mode::WriteRowByRow).await
    }

    async fn run_write<F, T, E>(&self, change: F, mode: postgres::Mode) -> Result<T, E>
    where
        F: AsyncFn(&mut Tx) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (job, answer) = job::typed(change);
        match &*self.backend {
            Backend::Sqlite(sqlite) => sqlite.write(job).await?,
            Backend::Postgres(postgres) => postgres.send(job, mode).await?,
        }
        answer.await.unwrap_or_else(|_| Err(StoreError::Panicked.into()))
    }

    /// Runs `look` on one consistent snapshot; it cannot change anything.
    ///
    /// # Errors
    /// As [`Store::write`].
    pub async fn read<F, T, E>(&self, look: F) -> Result<T, E>
    where
        F: AsyncFn(&mut Tx) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (job, answer) = job::typed(look);
        match &*self.backend {
            Backend::Sqlite(sqlite) => sqlite.read(job).await?,
            Backend::Postgres(postgres) => postgres.send(job, postgres::Mode::Read).await?,
        }
        answer.await.unwrap_or_else(|_| Err(StoreError::Panicked.into()))
    }

    /// Whether this is PostgreSQL, where several processes may share the database.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        matches!(&*self.backend, Backend::Postgres(_))
    }
}
