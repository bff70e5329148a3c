//! A connection with the statements that were planned on it.
//!
//! They are found by the address of their constant. The library's own cache looks for their text, which it hashes,
//! compares and copies at each use: with statements as small as ours that was a twentieth of the writer's time.

use std::collections::HashMap;

use rusqlite::Statement;

use crate::{Sql, StoreError, Value};

/// How many planned statements are kept; the next one begins anew. A program has a thousand, of which few are hot.
const KEPT: usize = 512;
/// Values up to so many bytes may stay bound to a statement until it is used again.
const LEFT_BOUND: usize = 4_096;

self_cell::self_cell!(
    pub(crate) struct Engine {
        owner: rusqlite::Connection,
        #[not_covariant]
        dependent: Planned,
    }
);

type Planned<'c> = HashMap<Key, Statement<'c>>;

/// Which text of which constant.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    address: usize,
    text: Text,
}

/// Which of a constant's texts for SQLite.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Text {
    /// [`Sql::for_sqlite`].
    Main,
    /// [`Sql::read_on_sqlite`].
    Read,
}

impl Engine {
    pub(super) fn of(connection: rusqlite::Connection) -> Self {
        Self::new(connection, |_| HashMap::new())
    }

    /// The connection itself, for statements that are no constants.
    pub(crate) fn connection(&self) -> &rusqlite::Connection {
        self.borrow_owner()
    }

    /// Hands a planned statement to `run`.
    pub(super) fn with<T>(
        &mut self,
        sql: &'static Sql,
        text: Text,
        run: impl FnOnce(&mut Statement<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.with_dependent_mut(|connection, planned| {
            let key = Key { address: std::ptr::from_ref(sql).addr(), text };
            if let Some(statement) = planned.get_mut(&key) {
                return run(statement);
            }
            if planned.len() >= KEPT {
                planned.clear();
            }
            let text = match text {
                Text::Main => Some(sql.for_sqlite()),
                Text::Read => sql.read_on_sqlite(),
            };
            let flags = rusqlite::PrepFlags::SQLITE_PREPARE_PERSISTENT;
            let statement = connection.prepare_with_flags(text.unwrap_or_default(), flags);
            run(planned.entry(key).or_insert(statement.map_err(|error| explain(sql, &error))?))
        })
    }
}

/// Gives a statement all of its arguments: what one use bound stays until the next.
pub(super) fn bind(
    statement: &mut Statement<'_>,
    sql: &'static Sql,
    args: &[Value<'_>],
) -> Result<(), StoreError> {
    if args.len() != statement.parameter_count() {
        let (wants, has) = (statement.parameter_count(), args.len());
        return Err(StoreError::Database(format!("{}: it has {wants} parameters, not {has}", sql.name())));
    }
    for (index, arg) in (1..).zip(args) {
        match *arg {
            Value::Null => statement.raw_bind_parameter(index, rusqlite::types::Null),
            Value::Int(number) => statement.raw_bind_parameter(index, number),
            Value::Text(text) => statement.raw_bind_parameter(index, text),
            Value::Bytes(bytes) => statement.raw_bind_parameter(index, bytes),
        }
        .map_err(|error| explain(sql, &error))?;
    }
    Ok(())
}

/// Lets go of arguments that are too large to be kept in memory.
pub(super) fn unbind(statement: &mut Statement<'_>, args: &[Value<'_>]) {
    let size = |arg: &Value<'_>| match arg {
        Value::Text(text) => text.len(),
        Value::Bytes(bytes) => bytes.len(),
        _ => 0,
    };
    if args.iter().any(|arg| size(arg) > LEFT_BOUND) {
        statement.clear_bindings();
    }
}

pub(super) fn explain(sql: &'static Sql, error: &rusqlite::Error) -> StoreError {
    match StoreError::sqlite(error) {
        StoreError::Database(text) => StoreError::Database(format!("{}: {text}", sql.name())),
        other => other,
    }
}
