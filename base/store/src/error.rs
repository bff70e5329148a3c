//! What can go wrong with the database.

use kernel::Problem;

/// A failure of the database or of a statement. Rooms wrap it; people see it as "try again".
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be opened or reached.
    #[error("the database cannot be opened: {0}")]
    Open(String),
    /// A unique key is taken; the text names it in the database's own words.
    #[error("a unique key is taken: {0}")]
    Unique(String),
    /// A check or foreign key refused the row.
    #[error("the database refused the row: {0}")]
    Constraint(String),
    /// `Tx::one` found no row.
    #[error("no row for {0}")]
    NoRow(&'static str),
    /// A column is not of the type that the code reads, which is a mistake in the code.
    #[error("column {index} of {statement}: {reason}")]
    Decode {
        /// The name of the statement.
        statement: &'static str,
        /// Which column, from 0.
        index: usize,
        /// What was found instead.
        reason: String,
    },
    /// Lost against other transactions too many times, or the file stayed locked by another process.
    #[error("the database is busy")]
    Busy,
    /// A transaction awaited something other than its database.
    #[error("a transaction may await nothing but its database")]
    Awaited,
    /// The code of a transaction panicked; it was undone.
    #[error("a transaction panicked and was undone")]
    Panicked,
    /// The store is shut down.
    #[error("the database is closed")]
    Closed,
    /// The schema and this program do not fit together.
    #[error("{0}")]
    Schema(String),
    /// Anything else, in the database's own words.
    #[error("the database failed: {0}")]
    Database(String),
}

impl StoreError {
    pub(crate) fn sqlite(error: &rusqlite::Error) -> Self {
        use rusqlite::ffi::{SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_UNIQUE};
        let Some(code) = error.sqlite_error() else { return Self::Database(error.to_string()) };
        match (code.code, code.extended_code) {
            (_, SQLITE_CONSTRAINT_PRIMARYKEY | SQLITE_CONSTRAINT_UNIQUE) => Self::Unique(error.to_string()),
            (rusqlite::ErrorCode::ConstraintViolation, _) => Self::Constraint(error.to_string()),
            (rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked, _) => Self::Busy,
            _ => Self::Database(error.to_string()),
        }
    }

    pub(crate) fn postgres(error: &tokio_postgres::Error) -> Self {
        let Some(db) = error.as_db_error() else { return Self::Database(describe(error)) };
        match db.code().code() {
            "23505" => Self::Unique(db.constraint().unwrap_or(db.message()).to_owned()),
            code if code.starts_with("23") => Self::Constraint(db.to_string()),
            "40001" | "40P01" | "55P03" => Self::Busy,
            _ => Self::Database(db.to_string()),
        }
    }
}

/// An error with its causes, which tokio-postgres leaves out of its own text.
pub(crate) fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text = format!("{text}: {next}");
        cause = next.source();
    }
    text
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Busy | StoreError::Closed | StoreError::Open(_) => {
                Self::unavailable("store.busy", "The database is busy. Nothing was changed.")
                    .next("Try again in a moment.")
                    .retry_after(2)
            }
            other => {
                tracing::error!(error = %other, "a database statement failed");
                Self::internal("store.failed", "The database refused this. Nothing was changed.")
            }
        }
    }
}

kernel::problems! {
    "store.busy":
        "Too much goes on in the database at once, and the request was given up.",
        "Nothing was changed.",
        "Send the same again in a few seconds; Retry-After says how many.";
    "store.failed":
        "The database refused the request. The server's log has the reason.",
        "Nothing was changed.",
        "Tell the operator the request id of the answer. Operators: fondaco doctor.";
}
