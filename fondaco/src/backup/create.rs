//! Making a backup while the server runs.

use std::fs::File;
use std::io::BufWriter;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use blobs::{Blobs, Sha256};
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::TryStreamExt;
use kernel::Timestamp;
use store::dump::{self, Applied, Copied, DumpError};
use store::{Store, Tx};
use tokio::io::AsyncWriteExt;

use super::{BackupError, DATABASE, MANIFEST, Manifest, SECRETS, SumOf, disk, place_of};

/// How many blobs are asked for at once.
const PAGE: u32 = 1000;

/// What one snapshot holds beside its rows.
struct Snapshot {
    applied: Vec<Applied>,
    copied: Vec<Copied>,
    needed: Vec<(Sha256, u64)>,
}

/// Makes a backup in `to`, a folder that must not exist, and tells what is in it.
///
/// Rows and the list of files are one snapshot; nobody who writes is held up. The files of that list are copied
/// afterwards: they never change, and one that nobody needs any more stays for days.
///
/// # Errors
/// [`BackupError`]; what was written until then stays, without a manifest.
pub async fn create(
    store: &Store,
    blobs: &Blobs,
    data_dir: &Path,
    to: &Path,
    now: Timestamp,
) -> Result<Manifest, BackupError> {
    if to.exists() {
        return Err(BackupError::Exists(to.to_owned()));
    }
    // It holds password hashes and secrets: for the owner's eyes only, as the data folder.
    crate::data::DataDir::open(to).map_err(|error| disk(to)(std::io::Error::other(error)))?;
    let snapshot = copy_rows(store, to.join(DATABASE)).await?;
    let database = if store.is_shared() { "postgres" } else { "sqlite" };
    let mut manifest = Manifest::new(now, database, snapshot.applied, snapshot.copied);
    for (sha256, size_bytes) in snapshot.needed {
        copy_blob(blobs, sha256, &to.join(place_of(sha256))).await?;
        manifest.blobs += 1;
        manifest.blob_bytes += size_bytes;
    }
    let secrets = data_dir.join(SECRETS);
    if secrets.is_file() {
        let text = std::fs::read_to_string(&secrets).map_err(disk(&secrets))?;
        crate::data::write_private(&to.join(SECRETS), &text).map_err(disk(to.join(SECRETS)))?;
        manifest.files.push(SumOf::read(to, SECRETS)?);
    }
    let folder = to.to_owned();
    let database = tokio::task::spawn_blocking(move || SumOf::read(&folder, DATABASE)).await;
    manifest.files.push(database.map_err(|error| disk(to)(error.into()))??);
    manifest.write(to)?;
    debug_assert!(to.join(MANIFEST).is_file());
    Ok(manifest)
}

async fn copy_rows(store: &Store, path: PathBuf) -> Result<Snapshot, BackupError> {
    let path = Arc::new(path);
    let written = Arc::clone(&path);
    let copy = async move |tx: &mut Tx| {
        // A transaction may run again: then the file begins again.
        let file = File::options().create(true).write(true).truncate(true).mode(0o600).open(&*written)?;
        let mut out = GzEncoder::new(BufWriter::new(file), Compression::fast());
        let copied = dump::export(tx, &mut out).await?;
        let file = out.finish()?.into_inner().map_err(|error| DumpError::Io(error.into_error()))?;
        file.sync_all()?;
        let mut needed: Vec<(Sha256, u64)> = Vec::new();
        loop {
            let after = needed.last().map(|(sha256, _)| *sha256);
            let page = blobs::refs::needed(tx, after, PAGE).await?;
            if page.is_empty() {
                break;
            }
            needed.extend(page);
        }
        Ok::<_, DumpError>(Snapshot { applied: dump::applied(tx).await?, copied, needed })
    };
    Ok(store.read(copy).await?)
}

async fn copy_blob(blobs: &Blobs, sha256: Sha256, to: &Path) -> Result<(), BackupError> {
    if let Some(folder) = to.parent() {
        tokio::fs::create_dir_all(folder).await.map_err(disk(folder))?;
    }
    let mut body = blobs.read(sha256).await?.body().await?;
    let mut file = tokio::fs::File::create(to).await.map_err(disk(to))?;
    while let Some(chunk) = body.try_next().await.map_err(disk(to))? {
        file.write_all(&chunk).await.map_err(disk(to))?;
    }
    file.sync_all().await.map_err(disk(to))
}
