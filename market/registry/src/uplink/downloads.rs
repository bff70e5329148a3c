//! Counts what was fetched through uplinks, and notes when each was used last: gathered in memory, written now and
//! then.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use kernel::Timestamp;
use store::{Store, StoreError, Tx, args};

use super::sql;
use crate::NpmName;

/// Which release on which day.
type Key = (NpmName, String, i64);
/// How often, and when last.
type Counted = (i64, Timestamp);
type Counts = HashMap<Key, Counted>;

/// The counts that are not written yet.
#[derive(Debug, Default)]
pub(crate) struct Downloads(Mutex<Counts>);

impl Downloads {
    /// Counts one.
    pub(crate) fn count(&self, name: &NpmName, version: &str, now: Timestamp) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        add(&mut counts, (name.clone(), version.to_owned(), now.day()), (1, now));
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
            for (key, counted) in rows {
                add(&mut counts, key, counted);
            }
        }
        result
    }
}

fn add(counts: &mut Counts, key: Key, (count, at): Counted) {
    let counted = counts.entry(key).or_insert((0, at));
    *counted = (counted.0 + count, counted.1.max(at));
}

async fn write(tx: &mut Tx, rows: &[(Key, Counted)]) -> Result<(), StoreError> {
    for ((name, version, day), (count, used_at)) in rows {
        tx.execute(&sql::COUNT_DOWNLOADS, args![name, version, day, count]).await?;
        tx.execute(&sql::USE_FILE, args![name, version, used_at]).await?;
    }
    Ok(())
}
