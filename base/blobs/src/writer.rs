//! A blob on its way in: hashed while it is written, in bounded memory.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use kernel::Timestamp;
use tempfile::NamedTempFile;
use tokio::task::JoinHandle;

use crate::digest::{Hashed, Hashing};
use crate::folder::{Filled, Folder};
use crate::{BlobError, Digests, Inner, Sha256};

/// What gathers in memory before a thread hashes and writes it. A blob that is no larger takes one hop to such
/// a thread in all.
const BATCH_BYTES: usize = 256 * 1024;

/// Pieces below this are copied together rather than kept as references.
const SMALL_PIECE_BYTES: usize = 2048;

/// What a caller wants of a writer.
#[derive(Clone, Copy, Debug)]
pub struct NewBlob {
    /// The most bytes accepted.
    pub max_bytes: u64,
    /// Which digests to compute beside the SHA-256.
    pub digests: Digests,
    /// The time now: [`refs::retain`](crate::refs::retain) checks it against removals.
    pub now: Timestamp,
}

/// A blob that was written and is durable. It stays only if it is [retained](crate::refs::retain) soon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// The name of the blob.
    pub sha256: Sha256,
    /// The SHA-1, if it was asked for.
    pub sha1: Option<[u8; 20]>,
    /// The SHA-512, if it was asked for.
    pub sha512: Option<[u8; 64]>,
    /// The length.
    pub size_bytes: u64,
    /// When the writer was made.
    pub started_at: Timestamp,
}

/// Takes the bytes of one blob. Dropping it keeps nothing.
pub struct Writer {
    blobs: Arc<Inner>,
    wanted: NewBlob,
    size_bytes: u64,
    batch: Vec<Bytes>,
    /// Small pieces, copied together: they come after everything in `batch`.
    tail: BytesMut,
    batch_bytes: usize,
    spill: Spill,
}

/// Where the bytes before the present batch went.
enum Spill {
    Nowhere,
    Writing(JoinHandle<io::Result<Spilled>>),
    /// A thread failed; everything after that fails too.
    Failed,
}

/// What the writing threads pass on from batch to batch.
struct Spilled {
    hashing: Hashing,
    file: NamedTempFile,
}

impl Writer {
    pub(crate) fn new(blobs: Arc<Inner>, wanted: NewBlob) -> Self {
        Self {
            blobs,
            wanted,
            size_bytes: 0,
            batch: Vec::new(),
            tail: BytesMut::new(),
            batch_bytes: 0,
            spill: Spill::Nowhere,
        }
    }

    /// Adds bytes. At most one batch is on its way to the disk while the next one gathers.
    ///
    /// # Errors
    /// [`BlobError::TooLarge`] beyond the limit, [`BlobError::Disk`]; the writer is of no use afterwards.
    pub async fn write(&mut self, chunk: Bytes) -> Result<(), BlobError> {
        self.size_bytes = self.size_bytes.saturating_add(chunk.len() as u64);
        if self.size_bytes > self.wanted.max_bytes {
            self.spill = Spill::Failed;
            return Err(BlobError::TooLarge { max_bytes: self.wanted.max_bytes });
        }
        self.batch_bytes += chunk.len();
        // Small pieces are copied together, or a body of single bytes would cost a reference for each.
        if chunk.len() < SMALL_PIECE_BYTES {
            self.tail.extend_from_slice(&chunk);
        } else {
            self.close_tail();
            self.batch.push(chunk);
        }
        if self.batch_bytes >= BATCH_BYTES { self.spill_batch().await } else { Ok(()) }
    }

    fn close_tail(&mut self) {
        if !self.tail.is_empty() {
            self.batch.push(self.tail.split().freeze());
        }
    }

    fn take_batch(&mut self) -> Vec<Bytes> {
        self.close_tail();
        self.batch_bytes = 0;
        std::mem::take(&mut self.batch)
    }

    async fn spill_batch(&mut self) -> Result<(), BlobError> {
        let before = self.spilled().await?;
        let batch = self.take_batch();
        let (blobs, digests) = (Arc::clone(&self.blobs), self.wanted.digests);
        self.spill = Spill::Writing(tokio::task::spawn_blocking(move || {
            let mut spilled = match before {
                Some(spilled) => spilled,
                None => Spilled::begin(&blobs.root, digests)?,
            };
            for chunk in &batch {
                spilled.hashing.update(chunk);
                spilled.file.write_all(chunk)?;
            }
            Ok(spilled)
        }));
        Ok(())
    }

    /// Waits for the thread; `None` when nothing was spilled yet.
    async fn spilled(&mut self) -> Result<Option<Spilled>, BlobError> {
        match std::mem::replace(&mut self.spill, Spill::Failed) {
            Spill::Nowhere => {
                self.spill = Spill::Nowhere;
                Ok(None)
            }
            Spill::Writing(thread) => Ok(Some(thread.await.map_err(io::Error::other)??)),
            Spill::Failed => Err(io::Error::other("this writer failed before").into()),
        }
    }

    /// Names the blob; it is durable when this returns.
    ///
    /// # Errors
    /// As [`Writer::write`], and [`BlobError::Remote`]; nothing is kept then.
    pub async fn finish(mut self) -> Result<Written, BlobError> {
        if self.spilled_before() && self.batch_bytes > 0 {
            self.spill_batch().await?;
        }
        let (hashed, filled) = match self.spilled().await? {
            Some(spilled) => {
                let Spilled { hashing, file } = spilled;
                (hashing.finish(), Filled::File(file))
            }
            None => self.hash_in_memory().await?,
        };
        let size_bytes = self.size_bytes;
        self.blobs.backend.keep(hashed.sha256, size_bytes, filled).await?;
        Ok(Written {
            sha256: hashed.sha256,
            sha1: hashed.others.map(|(sha1, _)| sha1),
            sha512: hashed.others.map(|(_, sha512)| sha512),
            size_bytes,
            started_at: self.wanted.now,
        })
    }

    fn spilled_before(&self) -> bool {
        !matches!(self.spill, Spill::Nowhere)
    }

    async fn hash_in_memory(&mut self) -> Result<(Hashed, Filled), BlobError> {
        let small = self.batch_bytes <= 16 * 1024;
        let batch = self.take_batch();
        let mut hashing = Hashing::new(self.wanted.digests);
        // 16 kB take about 50 µs for all three digests: less than two switches to another thread.
        if small {
            batch.iter().for_each(|chunk| hashing.update(chunk));
            return Ok((hashing.finish(), Filled::Memory(batch)));
        }
        let hashed = tokio::task::spawn_blocking(move || {
            batch.iter().for_each(|chunk| hashing.update(chunk));
            (hashing.finish(), Filled::Memory(batch))
        });
        Ok(hashed.await.map_err(io::Error::other)?)
    }
}

impl Spilled {
    fn begin(root: &Path, digests: Digests) -> io::Result<Self> {
        Ok(Self { hashing: Hashing::new(digests), file: Folder::temporary(root)? })
    }
}
