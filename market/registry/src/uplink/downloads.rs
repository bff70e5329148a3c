//! Counts what was fetched through uplinks: gathered in memory, written now and then.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use kernel::Timestamp;
use store::{Store, StoreError, Tx, args};

use super::sql;
use crate::NpmName;

type Counts = HashMap<(NpmName, String, i64), i64>;

/// The counts that are not written yet.
#[derive(Debug, Default)]
pub(crate) struct Downloads(Mutex<Counts>);

impl Downloads {
    /// Counts one.
    pub(crate) fn count(&self, name: &NpmName, version: &str, now: Timestamp) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry((name.clone(), version.to_owned(), now.day())).or_default() += 1;
    }

    /// Writes all counts; what cannot be written is counted again later.
    pub(crate) async fn write(&self, store: &Store) -> Result<(), StoreError> {
        let counts = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        if counts.is_empty() {
            return Ok(());
        }
        // In one order, so that two processes that write at once do not wait for each other in a circle.
        let mut rows: Vec<_> = counts.into_iter().collect();
        rows.sort();
        let written = rows.clone();
        let result = store.write(async move |tx: &mut Tx| write(tx, &written).await).await;
        if result.is_err() {
            let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            for (key, count) in rows {
                *counts.entry(key).or_default() += count;
            }
        }
        result
    }
}

async fn write(tx: &mut Tx, rows: &[((NpmName, String, i64), i64)]) -> Result<(), StoreError> {
    for ((name, version, day), count) in rows {
        tx.execute(&sql::COUNT_DOWNLOADS, args![name, version, day, count]).await?;
    }
    Ok(())
}
