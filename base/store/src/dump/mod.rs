//! A portable copy of all rows as JSON lines, the same whichever database wrote it, so that what one wrote the
//! other can read.
//!
//! A table begins with a line `{"table": "account", "columns": ["id", …]}`; each of its rows is a line
//! `["user-1", 7, null, {"hex": "c0ffee"}]`. The migrations are not among the rows: they stand in
//! [`applied`], and whoever imports applies the very same ones first.

mod postgres;
mod sqlite;

use std::io::{self, BufRead, Read as _, Write};

use serde_json::{Value as Json, json};

use crate::tx::Connection;
use crate::{FromValue, Row, StoreError, Tx, Value};

/// The longest line that is read, in bytes: far above any row, far below what a machine has.
const MAX_LINE_BYTES: u64 = 256 * 1024 * 1024;

/// The table that tells which migrations were applied.
const MIGRATION: &str = "migration";

crate::sql! {
    LIST_APPLIED = "select room, number, name, checksum from migration order by room, number";
}

/// What goes wrong while copying.
#[derive(Debug, thiserror::Error)]
pub enum DumpError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file failed.
    #[error("the copy cannot be read or written: {0}")]
    Io(#[from] io::Error),
    /// The copy is damaged, or of other tables.
    #[error("line {line} of the copy: {reason}")]
    Format {
        /// Which line, from 1.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
}

/// How many rows of a table were copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// The table.
    pub table: String,
    /// Its rows.
    pub rows: u64,
}

/// One applied migration, see [`crate::Migration`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The room.
    pub room: String,
    /// Which of its files, from 1.
    pub number: usize,
    /// The file's name.
    pub name: String,
    /// The SHA-256 of its text.
    pub checksum: String,
}
crate::row!(Applied { room, number, name, checksum });

/// A table and its columns in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Table {
    name: String,
    columns: Vec<String>,
}

impl Table {
    fn quoted_columns(&self) -> String {
        self.columns.iter().map(|name| quote(name)).collect::<Vec<_>>().join(", ")
    }
}

/// Names come from the database or were compared with it; quoted all the same.
fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Which migrations were applied to this database; none when it is new.
///
/// # Errors
/// [`StoreError`] when the database fails.
pub async fn applied(tx: &mut Tx) -> Result<Vec<Applied>, StoreError> {
    if tables(tx).await?.iter().any(|table| table.name == MIGRATION) {
        tx.all(&LIST_APPLIED, &[]).await
    } else {
        Ok(Vec::new())
    }
}

/// Whether the database has no table at all.
///
/// # Errors
/// [`StoreError`] when the database fails.
pub async fn is_new(tx: &mut Tx) -> Result<bool, StoreError> {
    Ok(tables(tx).await?.is_empty())
}

/// Writes every row as this transaction sees it. Call it in [`Store::read`](crate::Store::read): the rows are
/// then one snapshot, and writers are not held up. It blocks its database thread on `out`, so it is for a process
/// that does nothing else.
///
/// # Errors
/// [`DumpError`].
pub async fn export(tx: &mut Tx, out: &mut dyn Write) -> Result<Vec<Copied>, DumpError> {
    let mut copied = Vec::new();
    for table in tables(tx).await? {
        if table.name == MIGRATION {
            continue;
        }
        serde_json::to_writer(&mut *out, &json!({"table": table.name, "columns": table.columns}))
            .map_err(io::Error::from)?;
        out.write_all(b"\n")?;
        let rows = match &mut tx.connection {
            Connection::Sqlite(engine) => sqlite::export(engine.connection(), &table, out)?,
            Connection::Postgres(session) => postgres::export(session.client(), &table, out).await?,
        };
        copied.push(Copied { table: table.name, rows });
    }
    out.flush()?;
    Ok(copied)
}

/// Puts the rows of a copy into tables that have the schema they were written with, in the place of those that
/// migrations put there: that there are no others is the caller's to know. All or nothing: foreign keys are checked at
/// the end. Triggers see the rows like any others.
///
/// # Errors
/// [`DumpError`]; return it, so that the transaction is undone.
pub async fn import(tx: &mut Tx, from: &mut dyn BufRead) -> Result<Vec<Copied>, DumpError> {
    let known = tables(tx).await?;
    let mut lines = Lines { from, number: 0 };
    match &mut tx.connection {
        Connection::Sqlite(engine) => sqlite::import(engine.connection(), &known, &mut lines),
        Connection::Postgres(session) => postgres::import(session.client(), &known, &mut lines).await,
    }
}

async fn tables(tx: &mut Tx) -> Result<Vec<Table>, StoreError> {
    match &mut tx.connection {
        Connection::Sqlite(engine) => sqlite::tables(engine.connection()),
        Connection::Postgres(session) => postgres::tables(session.client()).await,
    }
}

/// Writes one row as a line.
fn write_row(row: &Row<'_>, columns: usize, out: &mut dyn Write) -> Result<(), DumpError> {
    let cells = (0..columns).map(|index| row.get::<Cell>(index).map(|cell| cell.0));
    let cells = cells.collect::<Result<Vec<Json>, StoreError>>()?;
    serde_json::to_writer(&mut *out, &cells).map_err(io::Error::from)?;
    out.write_all(b"\n")?;
    Ok(())
}

/// A cell as it stands in the copy.
struct Cell(Json);

impl FromValue for Cell {
    fn from_value(value: Value<'_>) -> Result<Self, String> {
        Ok(Self(match value {
            Value::Null => Json::Null,
            Value::Int(number) => number.into(),
            Value::Text(text) => text.into(),
            Value::Bytes(bytes) => json!({"hex": hex::encode(bytes)}),
        }))
    }
}

/// The lines of a copy, with a limit on their length.
struct Lines<'a> {
    from: &'a mut dyn BufRead,
    number: u64,
}

/// What one line says.
enum Line {
    Table(Table),
    Row(Vec<Json>),
}

impl Lines<'_> {
    fn wrong(&self, reason: impl Into<String>) -> DumpError {
        DumpError::Format { line: self.number, reason: reason.into() }
    }

    /// The next line; `known` are the tables there are.
    fn next(&mut self, known: &[Table]) -> Result<Option<Line>, DumpError> {
        let mut text = Vec::new();
        self.number += 1;
        if (&mut *self.from).take(MAX_LINE_BYTES).read_until(b'\n', &mut text)? == 0 {
            return Ok(None);
        }
        if text.pop() != Some(b'\n') {
            return Err(self.wrong("it is cut off or too long"));
        }
        match serde_json::from_slice(&text) {
            Ok(Json::Array(cells)) => Ok(Some(Line::Row(cells))),
            Ok(Json::Object(head)) => self.table(&head, known).map(|table| Some(Line::Table(table))),
            _ => Err(self.wrong("it is neither a table nor a row")),
        }
    }

    fn table(&self, head: &serde_json::Map<String, Json>, known: &[Table]) -> Result<Table, DumpError> {
        let name = head.get("table").and_then(Json::as_str).unwrap_or_default();
        let columns = head.get("columns").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
        let columns: Vec<String> = columns.iter().filter_map(Json::as_str).map(str::to_owned).collect();
        let table = known.iter().find(|table| table.name == name && name != MIGRATION);
        let table = table.ok_or_else(|| self.wrong(format!("there is no table {name} here")))?;
        let mut ours = table.columns.clone();
        let mut theirs = columns.clone();
        ours.sort();
        theirs.sort();
        if ours != theirs {
            return Err(self.wrong(format!("table {name} has other columns here")));
        }
        Ok(Table { name: name.to_owned(), columns })
    }

    fn check_width(&self, table: &Table, cells: &[Json]) -> Result<(), DumpError> {
        if cells.len() == table.columns.len() {
            Ok(())
        } else {
            Err(self.wrong(format!("table {} has {} columns", table.name, table.columns.len())))
        }
    }

    /// The bytes of a `{"hex": …}` cell.
    fn bytes(&self, cell: &Json) -> Result<Vec<u8>, DumpError> {
        let digits =
            cell.get("hex").and_then(Json::as_str).ok_or_else(|| self.wrong("a cell is of no known kind"))?;
        hex::decode(digits).map_err(|error| self.wrong(error.to_string()))
    }
}
