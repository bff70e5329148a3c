//! Makes room in the cache of tarballs: those that nobody asked for the longest time go.

use blobs::Sha256;
use blobs::refs::RefError;
use kernel::Timestamp;
use store::{Store, Tx, args};

use super::{Uplinks, sql};

/// How many rows one transaction looks at: writers behind it wait a few milliseconds at most.
const BATCH: u32 = 100;

/// What was taken out of the cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Evicted {
    /// How many tarballs.
    pub files: u64,
    /// How long they were together, in bytes.
    pub bytes: u64,
}

struct Unused {
    uplink: String,
    name: String,
    version: String,
    size_bytes: u64,
    used_at: Timestamp,
}

store::row!(Unused { uplink, name, version, size_bytes, used_at });

impl Uplinks {
    /// Takes tarballs out of the cache until it is within its limit, the longest unused first. Their bytes go when
    /// nothing else needs them: a package here that has the same file keeps it.
    ///
    /// # Errors
    /// [`RefError`]; what was taken out before is out.
    pub async fn evict(&self, now: Timestamp) -> Result<Evicted, RefError> {
        // What was used a moment ago is not written yet.
        self.write_downloads().await?;
        let sum = async |tx: &mut Tx| tx.one(&sql::SUM_FILES, args![]).await;
        let (kept,): (u64,) = self.0.store.read(sum).await?;
        let excess = kept.saturating_sub(self.0.limits.stored_bytes);
        let mut all = Evicted::default();
        while all.bytes < excess {
            let some = evict_some(&self.0.store, excess - all.bytes, now).await?;
            if some.files == 0 {
                break;
            }
            all.files += some.files;
            all.bytes += some.bytes;
        }
        if all.files > 0 {
            tracing::info!(files = all.files, bytes = all.bytes, "tarballs of uplinks made room");
            metrics::counter!("fondaco_uplink_evicted_bytes_total").increment(all.bytes);
        }
        Ok(all)
    }
}

/// A batch of them, `excess` bytes together or a little more.
async fn evict_some(store: &Store, excess: u64, now: Timestamp) -> Result<Evicted, RefError> {
    let evict = async move |tx: &mut Tx| {
        let unused: Vec<Unused> = tx.all(&sql::LIST_UNUSED, args![BATCH]).await?;
        let mut evicted = Evicted::default();
        for file in &unused {
            if evicted.bytes >= excess {
                break;
            }
            let row = args![file.uplink, file.name, file.version, file.used_at];
            let gone: Option<(Sha256,)> = tx.first(&sql::EVICT_FILE, row).await?;
            if let Some((sha256,)) = gone {
                blobs::refs::release(tx, sha256, now).await?;
                evicted.files += 1;
                evicted.bytes += file.size_bytes;
            }
        }
        Ok::<_, RefError>(evicted)
    };
    store.write(evict).await
}
