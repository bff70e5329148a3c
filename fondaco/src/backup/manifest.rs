//! What a backup says of itself.

use std::io::{Read, Write};
use std::path::Path;

use kernel::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use store::dump::{Applied, Copied};

use super::{BackupError, MANIFEST, disk};

/// The form of the folder; another one gets another number.
const FORMAT: u32 = 1;
/// Manifests are small: about 200 bytes, and one list of names that a version has.
const MAX_MANIFEST_BYTES: u64 = 16 * 1024 * 1024;

/// The manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Manifest {
    format: u32,
    /// The version of the program that made it.
    pub program: String,
    /// When the snapshot was taken.
    pub created_at: Timestamp,
    /// `sqlite` or `postgres`: what it was made from; it can be read into either.
    pub database: String,
    migrations: Vec<AppliedFile>,
    /// How many rows each table has.
    pub tables: Vec<TableRows>,
    /// The files, except those in `blobs`, whose names are their sums.
    pub files: Vec<SumOf>,
    /// How many files there are in `blobs`.
    pub blobs: u64,
    /// How many bytes these have.
    pub blob_bytes: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AppliedFile {
    room: String,
    number: usize,
    name: String,
    checksum: String,
}

/// How many rows a table has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableRows {
    /// The table.
    pub table: String,
    /// Its rows.
    pub rows: u64,
}

/// A file and what it must be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SumOf {
    /// The file, in the folder.
    pub path: String,
    /// Its length.
    pub size_bytes: u64,
    /// Its SHA-256 in hexadecimal.
    pub sha256: String,
}

impl Manifest {
    pub(super) fn new(
        created_at: Timestamp,
        database: &str,
        applied: Vec<Applied>,
        copied: Vec<Copied>,
    ) -> Self {
        let file = |file: Applied| AppliedFile {
            room: file.room,
            number: file.number,
            name: file.name,
            checksum: file.checksum,
        };
        Self {
            format: FORMAT,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            created_at,
            database: database.to_owned(),
            migrations: applied.into_iter().map(file).collect(),
            tables: copied.into_iter().map(|one| TableRows { table: one.table, rows: one.rows }).collect(),
            files: Vec::new(),
            blobs: 0,
            blob_bytes: 0,
        }
    }

    /// The migrations of the database that it was made from.
    pub(super) fn applied(&self) -> Vec<Applied> {
        let files = self.migrations.iter().cloned();
        let applied = files.map(|file| Applied {
            room: file.room,
            number: file.number,
            name: file.name,
            checksum: file.checksum,
        });
        applied.collect()
    }

    /// Reads the manifest of a backup.
    ///
    /// # Errors
    /// [`BackupError::NotWhole`] or [`BackupError::Manifest`].
    pub fn read(folder: &Path) -> Result<Self, BackupError> {
        let path = folder.join(MANIFEST);
        let file = match std::fs::File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(BackupError::NotWhole(folder.to_owned()));
            }
            Err(error) => return Err(disk(path)(error)),
        };
        let mut text = Vec::new();
        file.take(MAX_MANIFEST_BYTES).read_to_end(&mut text).map_err(disk(path))?;
        let format = serde_json::from_slice::<serde_json::Value>(&text).ok();
        let format = format.and_then(|value| value.get("format")?.as_u64());
        match format {
            Some(format) if format == u64::from(FORMAT) => {}
            Some(format) => {
                return Err(BackupError::Newer(format!("its form is {format}, this version reads {FORMAT}")));
            }
            None => return Err(BackupError::Manifest("it is no manifest of a backup".to_owned())),
        }
        serde_json::from_slice(&text).map_err(|error| BackupError::Manifest(error.to_string()))
    }

    /// Writes the manifest durably, last of all.
    pub(super) fn write(&self, folder: &Path) -> Result<(), BackupError> {
        let path = folder.join(MANIFEST);
        let text = serde_json::to_string_pretty(self).map_err(std::io::Error::from).map_err(disk(&path))?;
        let write = || {
            let mut file = std::fs::File::create_new(&path)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            std::fs::File::open(folder)?.sync_all()
        };
        write().map_err(disk(&path))
    }
}

impl SumOf {
    /// The length and sum of a file as it is now.
    pub(super) fn read(folder: &Path, name: &str) -> Result<Self, BackupError> {
        let path = folder.join(name);
        let read = || {
            let mut file = std::fs::File::open(&path)?;
            let (mut sum, mut size_bytes) = (Sha256::new(), 0u64);
            let mut buffer = vec![0; 64 * 1024];
            loop {
                match file.read(&mut buffer)? {
                    0 => break,
                    count => {
                        sum.update(&buffer[..count]);
                        size_bytes += count as u64;
                    }
                }
            }
            Ok((hex::encode(sum.finalize()), size_bytes))
        };
        let (sha256, size_bytes) = read().map_err(disk(&path))?;
        Ok(Self { path: name.to_owned(), size_bytes, sha256 })
    }
}
