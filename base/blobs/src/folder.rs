//! Blobs as files of a local folder: `a/bc/abc…` beside `tmp/`, where they grow before they have a name.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt};
use tempfile::NamedTempFile;

use crate::body::{Body, read_whole};
use crate::folder_sync::FolderSync;
use crate::{BlobError, Sha256, hot};

/// After this long nobody writes to a temporary file any more: what is left is of a process that died.
const STALE_TEMPORARY: Duration = Duration::from_secs(24 * 3600);

/// The folder.
pub(crate) struct Folder {
    root: PathBuf,
    sync: FolderSync,
}

/// An open file and its length.
pub(crate) struct Found {
    pub(crate) file: File,
    pub(crate) size_bytes: u64,
}

impl Folder {
    /// Makes the folder if it is not there, and sweeps what dead processes left in `tmp/`.
    pub(crate) fn open(root: &Path) -> io::Result<Self> {
        let temporary = root.join("tmp");
        fs::create_dir_all(&temporary)?;
        for first in "0123456789abcdef".chars() {
            fs::create_dir_all(root.join(String::from(first)))?;
        }
        File::open(root)?.sync_all()?;
        sweep(&temporary)?;
        Ok(Self { root: root.to_owned(), sync: FolderSync::start()? })
    }

    /// A file without a lasting name; it is removed when it is dropped.
    pub(crate) fn temporary(root: &Path) -> io::Result<NamedTempFile> {
        NamedTempFile::new_in(root.join("tmp"))
    }

    /// Gives the bytes their name; they are durable when this returns.
    pub(crate) async fn keep(
        &self,
        sha256: Sha256,
        size_bytes: u64,
        filled: Filled,
    ) -> Result<(), BlobError> {
        let root = self.root.clone();
        let folders = tokio::task::spawn_blocking(move || place(&root, sha256, size_bytes, filled))
            .await
            .map_err(io::Error::other)??;
        Ok(self.sync.flush(folders).await?)
    }

    /// Opens a blob: without leaving the task where the kernel has its name in memory.
    pub(crate) async fn find(&self, sha256: Sha256) -> io::Result<Option<Found>> {
        let path = self.path(sha256);
        let opened = match hot::open(&path) {
            Some(opened) => opened,
            None => tokio::task::spawn_blocking(move || File::open(path)).await.map_err(io::Error::other)?,
        };
        match opened {
            Ok(file) => Ok(Some(Found { size_bytes: file.metadata()?.len(), file })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All bytes of a small blob.
    pub(crate) async fn whole(found: Found) -> io::Result<Bytes> {
        if let Some(bytes) = hot::read_whole(&found.file, found.size_bytes) {
            return Ok(bytes);
        }
        tokio::task::spawn_blocking(move || read_whole(&found.file, found.size_bytes))
            .await
            .map_err(io::Error::other)?
    }

    /// The bytes from `start` up to `end`.
    pub(crate) fn stream(found: Found, start: u64, end: u64) -> Body {
        Body::file(found.file, start, end)
    }

    /// Removes a blob; not being there is fine. The removal need not be durable: what comes back after a
    /// power loss is found as an orphan.
    pub(crate) async fn remove(&self, sha256: Sha256) -> io::Result<()> {
        let path = self.path(sha256);
        let removed =
            tokio::task::spawn_blocking(move || fs::remove_file(path)).await.map_err(io::Error::other)?;
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// All blobs, one folder after the other, see [`Sha256::location`].
    pub(crate) fn list(&self) -> impl Stream<Item = io::Result<Vec<(Sha256, u64)>>> + Send + '_ {
        stream::iter(0..0x1000).then(|shard| {
            let folder = self.root.join(format!("{:x}/{:02x}", shard >> 8, shard & 0xff));
            async move { tokio::task::spawn_blocking(move || list(&folder)).await.map_err(io::Error::other)? }
        })
    }

    fn path(&self, sha256: Sha256) -> PathBuf {
        self.root.join(sha256.location())
    }
}

/// Bytes that have no name yet.
pub(crate) enum Filled {
    /// A small blob, still in memory.
    Memory(Vec<Bytes>),
    /// A large one, in a temporary file.
    File(NamedTempFile),
}

/// Flushes the bytes and renames them; answers which folders must be flushed for that to last.
fn place(root: &Path, sha256: Sha256, size_bytes: u64, filled: Filled) -> io::Result<Vec<PathBuf>> {
    let path = root.join(sha256.location());
    let folder = path.parent().unwrap_or(root).to_owned();
    // The parent too: another writer may have made the folder a moment ago and not flushed it yet.
    let folders = vec![folder.clone(), folder.parent().unwrap_or(root).to_owned()];
    // A file gets its name only when it is whole and flushed, so one of the right length is the blob. Another
    // length means that the disk lost something: it is replaced.
    if fs::metadata(&path).is_ok_and(|known| known.len() == size_bytes) {
        return Ok(folders);
    }
    let file = match filled {
        Filled::File(file) => file,
        Filled::Memory(chunks) => {
            let mut file = Folder::temporary(root)?;
            for chunk in chunks {
                file.write_all(&chunk)?;
            }
            file
        }
    };
    file.as_file().sync_data()?;
    match fs::create_dir(&folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    file.persist(&path).map_err(|error| error.error)?;
    Ok(folders)
}

fn list(folder: &Path) -> io::Result<Vec<(Sha256, u64)>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut blobs = Vec::new();
    for entry in entries {
        let entry = entry?;
        let Some(sha256) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        blobs.push((sha256, entry.metadata()?.len()));
    }
    Ok(blobs)
}

fn sweep(temporary: &Path) -> io::Result<()> {
    for entry in fs::read_dir(temporary)? {
        let entry = entry?;
        let age = entry.metadata()?.modified()?.elapsed().unwrap_or_default();
        if age > STALE_TEMPORARY {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}
