//! Reading rows into types, by position.

use crate::{FromValue, StoreError, Value};

/// One row of a result, read by position so that names need not agree between databases.
pub struct Row<'a> {
    pub(crate) statement: &'static str,
    pub(crate) cells: Cells<'a>,
}

pub(crate) enum Cells<'a> {
    Sqlite(&'a rusqlite::Row<'a>),
    Postgres(&'a tokio_postgres::Row),
}

impl Row<'_> {
    /// The value of column `index`, from 0.
    ///
    /// # Errors
    /// [`StoreError::Decode`] when there is no such column or it holds another type.
    pub fn get<T: FromValue>(&self, index: usize) -> Result<T, StoreError> {
        let read = match &self.cells {
            Cells::Sqlite(row) => {
                use rusqlite::types::ValueRef;
                match row.get_ref(index) {
                    Ok(ValueRef::Null) => T::from_value(Value::Null),
                    Ok(ValueRef::Integer(number)) => T::from_value(Value::Int(number)),
                    Ok(ValueRef::Text(text)) => match std::str::from_utf8(text) {
                        Ok(text) => T::from_value(Value::Text(text)),
                        Err(error) => Err(error.to_string()),
                    },
                    Ok(ValueRef::Blob(bytes)) => T::from_value(Value::Bytes(bytes)),
                    Ok(ValueRef::Real(_)) => Err("a floating point number".to_owned()),
                    Err(error) => Err(error.to_string()),
                }
            }
            Cells::Postgres(row) => crate::postgres::cell(row, index),
        };
        read.map_err(|reason| StoreError::Decode { statement: self.statement, index, reason })
    }
}

/// A type that is read from one row. Implement it with [`row!`](crate::row!).
pub trait FromRow: Sized {
    /// Reads the row.
    ///
    /// # Errors
    /// [`StoreError::Decode`] when a column does not fit.
    fn from_row(row: &Row<'_>) -> Result<Self, StoreError>;
}

/// Implements [`FromRow`] by naming the fields in the order of the statement's columns:
/// `row!(Account { id, username, created_at });`.
#[macro_export]
macro_rules! row {
    ($name:ident { $($field:ident),+ $(,)? }) => {
        impl $crate::FromRow for $name {
            fn from_row(row: &$crate::Row<'_>) -> ::std::result::Result<Self, $crate::StoreError> {
                let mut index = 0usize..;
                // Fields are evaluated in the order they are written, which is the order of the columns.
                Ok(Self { $($field: row.get(index.next().unwrap_or_default())?),+ })
            }
        }
    };
}

macro_rules! tuples {
    ($($($name:ident $index:tt),+;)+) => {$(
        impl<$($name: FromValue),+> FromRow for ($($name,)+) {
            fn from_row(row: &Row<'_>) -> Result<Self, StoreError> {
                Ok(($(row.get::<$name>($index)?,)+))
            }
        }
    )+};
}
tuples! {
    A 0;
    A 0, B 1;
    A 0, B 1, C 2;
    A 0, B 1, C 2, D 3;
    A 0, B 1, C 2, D 3, E 4;
    A 0, B 1, C 2, D 3, E 4, F 5;
    A 0, B 1, C 2, D 3, E 4, F 5, G 6;
    A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7;
}
