//! Content-addressed storage: a blob is named by the SHA-256 of its bytes and never changes.
//!
//! * [`Blobs::writer`] hashes while it writes; a blob has its name only when it is whole and durable.
//! * [`Blobs::read`] gives small blobs from memory and streams large ones.
//! * [`refs`] counts who needs a blob, in the transaction of the change, and removes what nobody needs.
//!
//! The bytes lie in a local folder or, by configuration, in object storage that speaks the S3 protocol.

mod body;
mod digest;
mod error;
mod folder;
mod folder_sync;
mod hot;
pub mod refs;
#[cfg(feature = "s3")]
mod s3;
mod writer;

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt};
use kernel::{Secret, Timestamp};

pub use body::Body;
pub use digest::{DigestError, Digests, Sha256};
pub use error::BlobError;
pub use writer::{NewBlob, Writer, Written};

use folder::{Filled, Folder};

/// The migrations of [`refs`].
pub const MIGRATIONS: store::Migrations = store::migrations!("blobs", "0001_blobs.sql");

/// Blobs up to this size are given from memory once they were read.
const CACHED_BLOB_BYTES: u64 = 256 * 1024;

/// Where blobs are kept.
#[derive(Clone, Debug)]
pub struct BlobConfig {
    /// The folder; with `s3` set only what is on its way there.
    pub folder: PathBuf,
    /// Object storage, instead of the folder.
    pub s3: Option<S3Config>,
    /// How much memory small blobs may take that were read before.
    pub cache_bytes: u64,
}

impl BlobConfig {
    /// A local folder and 32 MB of cache.
    pub fn folder(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), s3: None, cache_bytes: 32 * 1024 * 1024 }
    }
}

/// A bucket of object storage that speaks the S3 protocol.
#[derive(Clone, Debug)]
pub struct S3Config {
    /// The bucket; it must exist.
    pub bucket: String,
    /// What goes before every name in it, may be empty.
    pub prefix: String,
    /// The region; `us-east-1` suits most servers that are not AWS.
    pub region: String,
    /// Where the server is, unless it is AWS: `https://s3.example.com`. `http://` is taken too.
    pub endpoint: Option<String>,
    /// Whether the bucket stands in the path (`endpoint/bucket`) rather than in the host.
    pub path_style: bool,
    /// Access key; without one the machine's own role is asked for.
    pub access_key: Option<Secret>,
    /// Secret key.
    pub secret_key: Option<Secret>,
}

/// The storage. Cheap to clone.
#[derive(Clone)]
pub struct Blobs(Arc<Inner>);

pub(crate) struct Inner {
    root: PathBuf,
    backend: Backend,
    cache: quick_cache::sync::Cache<Sha256, Bytes, BySize>,
}

enum Backend {
    Folder(Folder),
    #[cfg(feature = "s3")]
    S3(s3::S3),
}

#[derive(Clone)]
struct BySize;

impl quick_cache::Weighter<Sha256, Bytes> for BySize {
    fn weight(&self, _: &Sha256, bytes: &Bytes) -> u64 {
        // What an entry costs beside its bytes, about.
        bytes.len() as u64 + 128
    }
}

impl Blobs {
    /// Opens the storage and makes its folder.
    ///
    /// # Errors
    /// [`BlobError::Disk`] when the folder cannot be made or written, [`BlobError::Config`] when the bucket's
    /// settings do not fit together. The bucket itself is not asked.
    pub async fn open(config: BlobConfig) -> Result<Self, BlobError> {
        let BlobConfig { folder: root, s3, cache_bytes } = config;
        let path = root.clone();
        let folder = tokio::task::spawn_blocking(move || Folder::open(&path))
            .await
            .map_err(std::io::Error::other)??;
        let backend = match s3 {
            None => Backend::Folder(folder),
            #[cfg(feature = "s3")]
            Some(s3) => Backend::S3(s3::S3::new(&s3)?),
            #[cfg(not(feature = "s3"))]
            Some(_) => {
                return Err(BlobError::Config("this program was built without object storage".to_owned()));
            }
        };
        let items = usize::try_from(cache_bytes / 8192).unwrap_or(usize::MAX).clamp(16, 65_536);
        let cache = quick_cache::sync::Cache::with_weighter(items, cache_bytes, BySize);
        Ok(Self(Arc::new(Inner { root, backend, cache })))
    }

    /// A writer for one blob.
    #[must_use]
    pub fn writer(&self, wanted: NewBlob) -> Writer {
        Writer::new(Arc::clone(&self.0), wanted)
    }

    /// Keeps bytes that are in memory already.
    ///
    /// # Errors
    /// As [`Writer::finish`].
    pub async fn put_bytes(
        &self,
        bytes: Bytes,
        digests: Digests,
        now: Timestamp,
    ) -> Result<Written, BlobError> {
        let mut writer = self.writer(NewBlob { max_bytes: bytes.len() as u64, digests, now });
        writer.write(bytes).await?;
        writer.finish().await
    }

    /// Opens a blob to read it.
    ///
    /// # Errors
    /// [`BlobError::Missing`], or a failure of the disk or the object storage.
    pub async fn read(&self, sha256: Sha256) -> Result<Blob, BlobError> {
        if let Some(bytes) = self.0.cache.get(&sha256) {
            return Ok(Blob::memory(bytes));
        }
        let blob = self.0.backend.open(sha256).await?.ok_or(BlobError::Missing(sha256))?;
        if blob.size_bytes > CACHED_BLOB_BYTES {
            return Ok(blob);
        }
        let bytes = blob.whole().await?;
        self.0.cache.insert(sha256, bytes.clone());
        Ok(Blob::memory(bytes))
    }

    /// A part of a blob; `range.end` is exclusive.
    ///
    /// # Errors
    /// As [`Blobs::read`]; [`BlobError::Range`] when the range is empty or ends after the blob.
    pub async fn read_range(&self, sha256: Sha256, range: Range<u64>) -> Result<Body, BlobError> {
        self.read(sha256).await?.range(range).await
    }

    /// How long a blob is, `None` if it is not there.
    ///
    /// # Errors
    /// A failure of the disk or the object storage.
    pub async fn size(&self, sha256: Sha256) -> Result<Option<u64>, BlobError> {
        if let Some(bytes) = self.0.cache.get(&sha256) {
            return Ok(Some(bytes.len() as u64));
        }
        self.0.backend.size(sha256).await
    }

    /// Whether a blob is there.
    ///
    /// # Errors
    /// A failure of the disk or the object storage.
    pub async fn exists(&self, sha256: Sha256) -> Result<bool, BlobError> {
        Ok(self.size(sha256).await?.is_some())
    }

    /// Reads a whole blob past the cache and compares it with its name: what a scrub does.
    ///
    /// # Errors
    /// [`BlobError::Damaged`] when the bytes are others, [`BlobError::Missing`] when they are gone.
    pub async fn verify(&self, sha256: Sha256) -> Result<(), BlobError> {
        let blob = self.0.backend.open(sha256).await?.ok_or(BlobError::Missing(sha256))?;
        let mut body = blob.body().await?;
        let mut hashing = digest::Hashing::new(Digests::Sha256Only);
        while let Some(chunk) = body.try_next().await? {
            let hashed = tokio::task::spawn_blocking(move || {
                hashing.update(&chunk);
                hashing
            });
            hashing = hashed.await.map_err(std::io::Error::other)?;
        }
        if hashing.finish().sha256 == sha256 { Ok(()) } else { Err(BlobError::Damaged(sha256)) }
    }

    /// Removes the bytes. Only [`refs::collect`] knows when that is right.
    pub(crate) async fn remove(&self, sha256: Sha256) -> Result<(), BlobError> {
        self.0.backend.remove(sha256).await?;
        self.0.cache.remove(&sha256);
        Ok(())
    }

    /// The names and lengths of all that is stored, some thousands at a time.
    pub(crate) fn list(&self) -> BoxStream<'_, Result<Vec<(Sha256, u64)>, BlobError>> {
        match &self.0.backend {
            Backend::Folder(folder) => folder.list().map_err(BlobError::from).boxed(),
            #[cfg(feature = "s3")]
            Backend::S3(s3) => s3.list(),
        }
    }
}

impl Backend {
    async fn keep(&self, sha256: Sha256, size_bytes: u64, filled: Filled) -> Result<(), BlobError> {
        match self {
            Self::Folder(folder) => folder.keep(sha256, size_bytes, filled).await,
            #[cfg(feature = "s3")]
            Self::S3(s3) => s3.keep(sha256, size_bytes, filled).await,
        }
    }

    async fn open(&self, sha256: Sha256) -> Result<Option<Blob>, BlobError> {
        match self {
            Self::Folder(folder) => Ok(folder
                .find(sha256)
                .await?
                .map(|found| Blob { size_bytes: found.size_bytes, source: Source::File(found) })),
            #[cfg(feature = "s3")]
            Self::S3(s3) => Ok(s3
                .find(sha256)
                .await?
                .map(|object| Blob { size_bytes: object.size_bytes(), source: Source::S3(object) })),
        }
    }

    async fn size(&self, sha256: Sha256) -> Result<Option<u64>, BlobError> {
        match self {
            Self::Folder(folder) => Ok(folder.find(sha256).await?.map(|found| found.size_bytes)),
            #[cfg(feature = "s3")]
            Self::S3(s3) => Ok(s3.find(sha256).await?.map(|object| object.size_bytes())),
        }
    }

    async fn remove(&self, sha256: Sha256) -> Result<(), BlobError> {
        match self {
            Self::Folder(folder) => Ok(folder.remove(sha256).await?),
            #[cfg(feature = "s3")]
            Self::S3(s3) => s3.remove(sha256).await,
        }
    }
}

/// A blob that was found. It can be read to its end even when it is removed meanwhile from the folder.
pub struct Blob {
    size_bytes: u64,
    source: Source,
}

enum Source {
    Memory(Bytes),
    File(folder::Found),
    #[cfg(feature = "s3")]
    S3(s3::Object),
}

impl Blob {
    fn memory(bytes: Bytes) -> Self {
        Self { size_bytes: bytes.len() as u64, source: Source::Memory(bytes) }
    }

    /// How long it is.
    #[must_use]
    pub const fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// The bytes themselves, if they are in memory: blobs up to 256 kB.
    #[must_use]
    pub const fn bytes(&self) -> Option<&Bytes> {
        if let Source::Memory(bytes) = &self.source { Some(bytes) } else { None }
    }

    /// All of it.
    ///
    /// # Errors
    /// [`BlobError::Remote`] when the object storage does not answer.
    pub async fn body(self) -> Result<Body, BlobError> {
        let size_bytes = self.size_bytes;
        self.part(0..size_bytes).await
    }

    /// A part of it; `range.end` is exclusive.
    ///
    /// # Errors
    /// [`BlobError::Range`] when the range is empty or ends after the blob; [`BlobError::Remote`].
    pub async fn range(self, range: Range<u64>) -> Result<Body, BlobError> {
        if range.is_empty() || range.end > self.size_bytes {
            return Err(BlobError::Range { size_bytes: self.size_bytes });
        }
        self.part(range).await
    }

    async fn part(self, range: Range<u64>) -> Result<Body, BlobError> {
        match self.source {
            // Within the length, which fits memory.
            Source::Memory(bytes) => Ok(Body::memory(bytes.slice(range.start as usize..range.end as usize))),
            Source::File(found) => Ok(Folder::stream(found, range.start, range.end)),
            #[cfg(feature = "s3")]
            Source::S3(object) => object.stream(range).await,
        }
    }

    async fn whole(self) -> Result<Bytes, BlobError> {
        match self.source {
            Source::Memory(bytes) => Ok(bytes),
            Source::File(found) => Ok(Folder::whole(found).await?),
            #[cfg(feature = "s3")]
            Source::S3(object) => object.whole().await,
        }
    }
}
