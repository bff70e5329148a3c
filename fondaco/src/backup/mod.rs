//! Backups: a folder with one snapshot of the database, the files that it refers to, the secrets of the data
//! folder, and a manifest with the SHA-256 of everything.
//!
//! ```text
//! monday/
//!   database.jsonl.gz   every row, in the portable form of `store::dump`
//!   blobs/a/bc/abc…     every file that a row refers to, named by its SHA-256
//!   secrets.toml        of the data folder, if there is one
//!   manifest.json       written last: a backup without it is not whole
//! ```

mod create;
mod manifest;
mod restore;
mod verify;

use std::path::PathBuf;

pub use create::create;
pub use manifest::{Manifest, SumOf};
pub use restore::{Restored, restore};
pub use verify::verify;

const DATABASE: &str = "database.jsonl.gz";
const BLOBS: &str = "blobs";
const SECRETS: &str = "secrets.toml";
const MANIFEST: &str = "manifest.json";

/// Why there is no backup, or none that can be used.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The database failed, or its copy is damaged.
    #[error(transparent)]
    Dump(#[from] store::dump::DumpError),
    /// The storage of files failed.
    #[error(transparent)]
    Blobs(#[from] blobs::BlobError),
    /// A file of the backup cannot be read or written.
    #[error("{path}: {error}")]
    Disk {
        /// Which one.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The folder is there already.
    #[error("{0} is there already; choose another folder")]
    Exists(PathBuf),
    /// There is no manifest, so it is no backup or one that was not finished.
    #[error("{0} has no manifest.json: it is no backup, or one that was not finished")]
    NotWhole(PathBuf),
    /// The manifest is not one that this version can read.
    #[error("the manifest cannot be used: {0}")]
    Manifest(String),
    /// Some files are not what the manifest says.
    #[error("the backup is damaged: {}", .0.join("; "))]
    Damaged(Vec<String>),
    /// The backup was made by a newer version.
    #[error("the backup was made by a newer version: {0}")]
    Newer(String),
    /// There is something in the database already.
    #[error("the database is not empty, and a restore never overwrites")]
    NotEmpty,
}

impl From<store::StoreError> for BackupError {
    fn from(error: store::StoreError) -> Self {
        Self::Dump(error.into())
    }
}

/// Names the file in an error of the disk.
fn disk(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> BackupError {
    let path = path.into();
    move |error| BackupError::Disk { path, error }
}

/// Where a blob lies in a backup.
fn place_of(sha256: blobs::Sha256) -> PathBuf {
    let name = sha256.as_str();
    PathBuf::from(BLOBS).join(&name[..1]).join(&name[1..3]).join(name)
}
