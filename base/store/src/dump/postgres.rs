//! Copying to and from PostgreSQL.

use std::fmt::Write as _;
use std::io::Write;

use bytes::Bytes;
use futures_util::{SinkExt, TryStreamExt};
use serde_json::Value as Json;
use tokio_postgres::{Client, CopyInSink};

use super::{Copied, DumpError, Line, Lines, Table, quote, write_row};
use crate::StoreError;
use crate::row::{Cells, Row};

const COLUMNS: &str = "select cast(t.table_name as text), cast(c.column_name as text) \
    from information_schema.tables t join information_schema.columns c \
    on c.table_schema = t.table_schema and c.table_name = t.table_name \
    where t.table_schema = current_schema() and t.table_type = 'BASE TABLE' and c.is_generated = 'NEVER' \
    order by t.table_name, c.ordinal_position";
const FOREIGN_KEYS: &str = "select cast(cast(conrelid as regclass) as text), cast(conname as text), \
    pg_get_constraintdef(oid) from pg_constraint \
    where contype = 'f' and connamespace = cast(quote_ident(current_schema()) as regnamespace)";
const IDENTITIES: &str = "select cast(table_name as text), cast(column_name as text) from information_schema.columns \
    where table_schema = current_schema() and is_identity = 'YES'";

/// How many bytes are gathered before they are sent.
const CHUNK_BYTES: usize = 256 * 1024;

fn explain(error: tokio_postgres::Error) -> StoreError {
    StoreError::postgres(&error)
}

pub(super) async fn tables(client: &Client) -> Result<Vec<Table>, StoreError> {
    let mut tables: Vec<Table> = Vec::new();
    for row in client.query(COLUMNS, &[]).await.map_err(explain)? {
        let (name, column): (String, String) =
            (row.try_get(0).map_err(explain)?, row.try_get(1).map_err(explain)?);
        match tables.last_mut().filter(|table| table.name == name) {
            Some(table) => table.columns.push(column),
            None => tables.push(Table { name, columns: vec![column] }),
        }
    }
    Ok(tables)
}

pub(super) async fn export(client: &Client, table: &Table, out: &mut dyn Write) -> Result<u64, DumpError> {
    let text = format!("select {} from {}", table.quoted_columns(), quote(&table.name));
    let none: [i64; 0] = [];
    let rows = client.query_raw(&text, none).await.map_err(explain)?;
    let mut rows = std::pin::pin!(rows);
    let mut count = 0;
    while let Some(row) = rows.try_next().await.map_err(explain)? {
        write_row(&Row { statement: "export", cells: Cells::Postgres(&row) }, table.columns.len(), out)?;
        count += 1;
    }
    Ok(count)
}

/// Foreign keys are taken off and put on again, which checks them: they cannot be deferred unless they were
/// declared so, and a table may refer to itself.
pub(super) async fn import(
    client: &Client,
    known: &[Table],
    lines: &mut Lines<'_>,
) -> Result<Vec<Copied>, DumpError> {
    let mut put_on = String::new();
    let mut take_off = String::new();
    for row in client.query(FOREIGN_KEYS, &[]).await.map_err(explain)? {
        let text = |index| row.try_get::<_, String>(index).map_err(explain);
        // The first is quoted by the server where it needs to be.
        let (table, name, definition) = (text(0)?, quote(&text(1)?), text(2)?);
        let _ = write!(take_off, "alter table {table} drop constraint {name};");
        let _ = write!(put_on, "alter table {table} add constraint {name} {definition};");
    }
    client.batch_execute(&take_off).await.map_err(explain)?;
    let copied = copy_in(client, known, lines).await?;
    client.batch_execute(&put_on).await.map_err(explain)?;
    for row in client.query(IDENTITIES, &[]).await.map_err(explain)? {
        let text = |index| row.try_get::<_, String>(index).map_err(explain);
        let (table, column) = (quote(&text(0)?), text(1)?);
        let next = format!(
            "select setval(pg_get_serial_sequence('{}', '{}'), coalesce(max({}), 0) + 1, false) from {table}",
            table.replace('\'', "''"),
            column.replace('\'', "''"),
            quote(&column)
        );
        client.execute(&next, &[]).await.map_err(explain)?;
    }
    Ok(copied)
}

/// One table on its way in.
struct Incoming {
    table: Table,
    sink: std::pin::Pin<Box<CopyInSink<Bytes>>>,
    buffer: String,
}

impl Incoming {
    async fn start(client: &Client, table: Table) -> Result<Self, StoreError> {
        // Only where there is something: a trigger may refuse the statement itself.
        let name = quote(&table.name);
        if !client.query(&format!("select 1 from {name} limit 1"), &[]).await.map_err(explain)?.is_empty() {
            client.batch_execute(&format!("delete from {name}")).await.map_err(explain)?;
        }
        let text = format!("copy {} ({}) from stdin", quote(&table.name), table.quoted_columns());
        let sink = Box::pin(client.copy_in(&text).await.map_err(explain)?);
        Ok(Self { table, sink, buffer: String::with_capacity(CHUNK_BYTES) })
    }

    async fn flush(&mut self) -> Result<(), StoreError> {
        let chunk = Bytes::from(std::mem::take(&mut self.buffer));
        self.sink.send(chunk).await.map_err(explain)
    }

    async fn finish(mut self) -> Result<(), StoreError> {
        self.flush().await?;
        self.sink.as_mut().finish().await.map(|_| ()).map_err(explain)
    }
}

async fn copy_in(client: &Client, known: &[Table], lines: &mut Lines<'_>) -> Result<Vec<Copied>, DumpError> {
    let mut copied: Vec<Copied> = Vec::new();
    let mut current: Option<Incoming> = None;
    while let Some(line) = lines.next(known)? {
        match (line, &mut current, copied.last_mut()) {
            (Line::Table(table), _, _) => {
                if let Some(done) = current.take() {
                    done.finish().await?;
                }
                copied.push(Copied { table: table.name.clone(), rows: 0 });
                current = Some(Incoming::start(client, table).await?);
            }
            (Line::Row(cells), Some(incoming), Some(count)) => {
                lines.check_width(&incoming.table, &cells)?;
                write_copy_row(&cells, &mut incoming.buffer, lines)?;
                if incoming.buffer.len() >= CHUNK_BYTES {
                    incoming.flush().await?;
                }
                count.rows += 1;
            }
            (Line::Row(_), _, _) => return Err(lines.wrong("a row before the first table")),
        }
    }
    if let Some(done) = current.take() {
        done.finish().await?;
    }
    Ok(copied)
}

/// One row in the text form of `copy` (PostgreSQL manual, "COPY", file formats).
fn write_copy_row(cells: &[Json], out: &mut String, lines: &Lines<'_>) -> Result<(), DumpError> {
    for (index, cell) in cells.iter().enumerate() {
        if index > 0 {
            out.push('\t');
        }
        match cell {
            Json::Null => out.push_str("\\N"),
            Json::Number(number) => match number.as_i64() {
                Some(number) => {
                    let _ = write!(out, "{number}");
                }
                None => return Err(lines.wrong("a number is no 64-bit integer")),
            },
            Json::String(text) => escape(text, out),
            other => {
                let bytes = lines.bytes(other)?;
                let _ = write!(out, "\\\\x{}", hex::encode(bytes));
            }
        }
    }
    out.push('\n');
    Ok(())
}

fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            c => out.push(c),
        }
    }
}
