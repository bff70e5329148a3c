//! Copying to and from SQLite.

use std::io::Write;

use rusqlite::types::Value as Sqlite;
use serde_json::Value as Json;

use super::{Copied, DumpError, Line, Lines, Table, quote, write_row};
use crate::StoreError;
use crate::row::{Cells, Row};

const TABLES: &str = "select name from sqlite_schema where type = 'table' and name not like 'sqlite\\_%' escape '\\' \
    order by name";
const COLUMNS: &str = "select name from pragma_table_info(?1) order by cid";

pub(super) fn tables(connection: &rusqlite::Connection) -> Result<Vec<Table>, StoreError> {
    let explain = |error: rusqlite::Error| StoreError::sqlite(&error);
    let list = |text: &str, params: &[&dyn rusqlite::ToSql]| {
        let mut statement = connection.prepare(text)?;
        let names = statement.query_map(params, |row| row.get::<_, String>(0))?;
        names.collect::<Result<Vec<String>, rusqlite::Error>>()
    };
    let names = list(TABLES, &[]).map_err(explain)?;
    let tables = names.into_iter().map(|name| {
        let columns = list(COLUMNS, &[&name]).map_err(explain)?;
        Ok(Table { name, columns })
    });
    tables.collect()
}

pub(super) fn export(
    connection: &rusqlite::Connection,
    table: &Table,
    out: &mut dyn Write,
) -> Result<u64, DumpError> {
    let text = format!("select {} from {}", table.quoted_columns(), quote(&table.name));
    let explain = |error: rusqlite::Error| StoreError::sqlite(&error);
    let mut statement = connection.prepare(&text).map_err(explain)?;
    let mut rows = statement.query([]).map_err(explain)?;
    let mut count = 0;
    while let Some(row) = rows.next().map_err(explain)? {
        write_row(&Row { statement: "export", cells: Cells::Sqlite(row) }, table.columns.len(), out)?;
        count += 1;
    }
    Ok(count)
}

pub(super) fn import(
    connection: &rusqlite::Connection,
    known: &[Table],
    lines: &mut Lines<'_>,
) -> Result<Vec<Copied>, DumpError> {
    let explain = |error: rusqlite::Error| StoreError::sqlite(&error);
    // Until the end of this transaction: rows may come before those they refer to.
    connection.execute_batch("pragma defer_foreign_keys = on").map_err(explain)?;
    let mut copied: Vec<Copied> = Vec::new();
    let mut current: Option<(Table, rusqlite::Statement<'_>)> = None;
    while let Some(line) = lines.next(known)? {
        match (line, &mut current, copied.last_mut()) {
            (Line::Table(table), _, _) => {
                let clear = format!("delete from {}", quote(&table.name));
                connection.execute(&clear, []).map_err(explain)?;
                let marks: Vec<String> = (1..=table.columns.len()).map(|n| format!("?{n}")).collect();
                let text = format!(
                    "insert into {} ({}) values ({})",
                    quote(&table.name),
                    table.quoted_columns(),
                    marks.join(", ")
                );
                copied.push(Copied { table: table.name.clone(), rows: 0 });
                current = Some((table, connection.prepare(&text).map_err(explain)?));
            }
            (Line::Row(cells), Some((table, insert)), Some(count)) => {
                lines.check_width(table, &cells)?;
                let values = cells.iter().map(|cell| value(cell, lines)).collect::<Result<Vec<_>, _>>()?;
                insert.execute(rusqlite::params_from_iter(values)).map_err(explain)?;
                count.rows += 1;
            }
            (Line::Row(_), _, _) => return Err(lines.wrong("a row before the first table")),
        }
    }
    Ok(copied)
}

fn value(cell: &Json, lines: &Lines<'_>) -> Result<Sqlite, DumpError> {
    match cell {
        Json::Null => Ok(Sqlite::Null),
        Json::String(text) => Ok(Sqlite::Text(text.clone())),
        Json::Number(number) => match number.as_i64() {
            Some(number) => Ok(Sqlite::Integer(number)),
            None => Err(lines.wrong("a number is no 64-bit integer")),
        },
        other => lines.bytes(other).map(Sqlite::Blob),
    }
}
