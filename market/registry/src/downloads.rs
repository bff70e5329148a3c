//! Counts downloads in memory and writes the counts every few seconds: a counter in the database would make
//! every download a write. What a process counted and did not write yet is lost when it is killed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use kernel::Timestamp;
use store::{Store, StoreError, Tx, args};

use crate::package::PackageId;
use crate::sql;

/// How many counts are written in one transaction.
const BATCH: usize = 500;

type Counts = HashMap<(PackageId, i64, Arc<str>), u64>;

/// The counts that are not written yet.
#[derive(Default)]
pub(crate) struct Downloads {
    counts: Mutex<Counts>,
}

impl Downloads {
    /// Counts one download.
    pub(crate) fn count(&self, package: &PackageId, version: &Arc<str>, now: Timestamp) {
        self.add((package.clone(), now.day(), Arc::clone(version)), 1);
    }

    fn add(&self, key: (PackageId, i64, Arc<str>), count: u64) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(key).or_default() += count;
    }

    pub(crate) async fn flush(&self, store: &Store) -> Result<(), StoreError> {
        let counts = std::mem::take(&mut *self.counts.lock().unwrap_or_else(PoisonError::into_inner));
        let counts: Vec<_> = counts.into_iter().collect();
        let mut failed = Ok(());
        for batch in counts.chunks(BATCH) {
            let rows: Arc<[_]> = batch.into();
            let write = async move |tx: &mut Tx| {
                for ((package, day, version), count) in &*rows {
                    tx.execute(&sql::ADD_DOWNLOADS, args![package, day, version, count]).await?;
                }
                Ok::<_, StoreError>(())
            };
            if let Err(error) = store.write(write).await {
                batch.iter().for_each(|(key, count)| self.add(key.clone(), *count));
                failed = Err(error);
            }
        }
        failed
    }
}
