//! Reading a backup into an empty database.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use blobs::{Blobs, Digests, NewBlob};
use bytes::Bytes;
use flate2::read::GzDecoder;
use kernel::Timestamp;
use store::dump::{self, DumpError};
use store::{Store, Tx};
use tokio::io::AsyncReadExt;

use super::verify::blob_files;
use super::{BackupError, DATABASE, Manifest, SECRETS, disk, verify};
use crate::schema;

/// How much of a file is read at once.
const CHUNK_BYTES: usize = 256 * 1024;

/// What was read back.
#[derive(Clone, Debug)]
pub struct Restored {
    /// The backup's manifest.
    pub manifest: Manifest,
    /// Migrations of this version that the backup did not have yet; they were applied.
    pub migrated: Vec<String>,
    /// Whether the secrets were put into the data folder; not where it has some.
    pub secrets: bool,
}

/// Verifies the backup, then reads its files and rows. The database must be empty; the rows come in one
/// transaction, so a restore that fails can be started again.
///
/// # Errors
/// [`BackupError`]: damaged, from a newer version, or the database is not empty. The database is then unchanged,
/// except that it may have empty tables.
pub async fn restore(
    store: &Store,
    blobs: &Blobs,
    data_dir: &Path,
    from: &Path,
    now: Timestamp,
) -> Result<Restored, BackupError> {
    let folder = from.to_owned();
    let manifest = tokio::task::spawn_blocking(move || verify(&folder)).await;
    let manifest = manifest.map_err(|error| disk(from)(error.into()))??;
    let rooms = schema::as_of(&manifest.applied()).map_err(BackupError::Newer)?;
    if !store.read(async |tx: &mut Tx| is_empty(tx).await).await? {
        return Err(BackupError::NotEmpty);
    }
    // Files first: a row never stands without its file.
    for path in blob_files(from)? {
        read_blob(blobs, &from.join(path), now).await?;
    }
    store.migrate(&rooms, now).await?;
    read_rows(store, from.join(DATABASE)).await?;
    let migrated = store.migrate(crate::rooms::MIGRATIONS, now).await?;
    let secrets = data_dir.join(SECRETS);
    let put_secrets = from.join(SECRETS).is_file() && !secrets.exists();
    if put_secrets {
        let text = std::fs::read_to_string(from.join(SECRETS)).map_err(disk(from.join(SECRETS)))?;
        crate::data::write_private(&secrets, &text).map_err(disk(&secrets))?;
    }
    Ok(Restored { manifest, migrated, secrets: put_secrets })
}

/// No tables, or none with a row of anybody's in it: what a restore that failed leaves behind.
async fn is_empty(tx: &mut Tx) -> Result<bool, DumpError> {
    if dump::is_new(tx).await? {
        return Ok(true);
    }
    let mut nowhere = std::io::sink();
    let copied = dump::export(tx, &mut nowhere).await?;
    Ok(copied.iter().all(|table| table.rows == 0 || schema::filled().any(|filled| filled == table.table)))
}

async fn read_rows(store: &Store, path: PathBuf) -> Result<(), BackupError> {
    let read = async move |tx: &mut Tx| {
        let file = File::open(&path)?;
        let mut lines = BufReader::new(GzDecoder::new(BufReader::new(file)));
        dump::import(tx, &mut lines).await?;
        events::rebase(tx).await?;
        Ok::<_, DumpError>(())
    };
    Ok(store.write(read).await?)
}

async fn read_blob(blobs: &Blobs, path: &Path, now: Timestamp) -> Result<(), BackupError> {
    let mut file = tokio::fs::File::open(path).await.map_err(disk(path))?;
    let max_bytes = file.metadata().await.map_err(disk(path))?.len();
    let mut writer = blobs.writer(NewBlob { max_bytes, digests: Digests::Sha256Only, now });
    loop {
        let mut chunk = Vec::with_capacity(CHUNK_BYTES);
        (&mut file).take(CHUNK_BYTES as u64).read_to_end(&mut chunk).await.map_err(disk(path))?;
        if chunk.is_empty() {
            break;
        }
        writer.write(Bytes::from(chunk)).await?;
    }
    let written = writer.finish().await?;
    let name = path.file_name().unwrap_or_default();
    if name == written.sha256.as_str() {
        Ok(())
    } else {
        Err(BackupError::Damaged(vec![format!("{} changed while it was read", path.display())]))
    }
}
