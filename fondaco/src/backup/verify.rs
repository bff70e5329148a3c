//! Reading a whole backup and comparing it with its sums.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use flate2::read::GzDecoder;

use super::{BLOBS, BackupError, DATABASE, Manifest, SumOf, disk};

/// Far above any row, see `store::dump`.
const MAX_LINE_BYTES: u64 = 256 * 1024 * 1024;

/// Reads everything in a backup. It takes as long as reading the disk does, and blocks: call it on a thread of its
/// own.
///
/// # Errors
/// [`BackupError::Damaged`] with every file that is not what it was, [`BackupError::NotWhole`].
pub fn verify(folder: &Path) -> Result<Manifest, BackupError> {
    let manifest = Manifest::read(folder)?;
    let mut problems = Vec::new();
    for file in &manifest.files {
        match SumOf::read(folder, &file.path) {
            Ok(found) if found == *file => {}
            Ok(_) => problems.push(format!("{} has other bytes than it was written with", file.path)),
            Err(error) => problems.push(error.to_string()),
        }
    }
    if !manifest.files.iter().any(|file| file.path == DATABASE) {
        problems.push(format!("{DATABASE} is not in the manifest"));
    } else if problems.is_empty() {
        count_rows(folder, &manifest, &mut problems)?;
    }
    check_blobs(folder, &manifest, &mut problems)?;
    if problems.is_empty() { Ok(manifest) } else { Err(BackupError::Damaged(problems)) }
}

/// The rows of each table are as many as the manifest says, so the copy is not only unchanged but was whole.
fn count_rows(folder: &Path, manifest: &Manifest, problems: &mut Vec<String>) -> Result<(), BackupError> {
    let path = folder.join(DATABASE);
    let file = std::fs::File::open(&path).map_err(disk(&path))?;
    let mut lines = BufReader::new(GzDecoder::new(BufReader::new(file)));
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    let mut table = String::new();
    let mut line = Vec::new();
    loop {
        line.clear();
        (&mut lines).take(MAX_LINE_BYTES).read_until(b'\n', &mut line).map_err(disk(&path))?;
        match line.first() {
            None => break,
            Some(b'{') => {
                let head: serde_json::Value = serde_json::from_slice(&line).unwrap_or_default();
                table = head.get("table").and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
                counts.insert(table.clone(), 0);
            }
            Some(_) => *counts.entry(table.clone()).or_default() += 1,
        }
    }
    let expected: BTreeMap<String, u64> =
        manifest.tables.iter().map(|one| (one.table.clone(), one.rows)).collect();
    if counts != expected {
        problems.push(format!("{DATABASE} has other rows than the manifest says"));
    }
    Ok(())
}

/// Each blob's bytes have the sum that is its name, and none is missing.
fn check_blobs(folder: &Path, manifest: &Manifest, problems: &mut Vec<String>) -> Result<(), BackupError> {
    let (mut count, mut bytes) = (0, 0);
    for path in blob_files(folder)? {
        let name = path.rsplit('/').next().unwrap_or_default().to_owned();
        match SumOf::read(folder, &path) {
            Ok(found) if found.sha256 == name => {
                count += 1;
                bytes += found.size_bytes;
            }
            Ok(_) => problems.push(format!("{path} has other bytes than its name says")),
            Err(error) => problems.push(error.to_string()),
        }
    }
    if (count, bytes) != (manifest.blobs, manifest.blob_bytes) && problems.is_empty() {
        problems.push(format!(
            "there are {count} files of {bytes} bytes in blobs, and there were {} of {}",
            manifest.blobs, manifest.blob_bytes
        ));
    }
    Ok(())
}

/// The files in `blobs`, relative to the backup: three levels down.
pub(super) fn blob_files(folder: &Path) -> Result<Vec<String>, BackupError> {
    let mut level = vec![BLOBS.to_owned()];
    for _ in 0..3 {
        let mut next = Vec::new();
        for path in level {
            let full = folder.join(&path);
            let entries = match std::fs::read_dir(&full) {
                Ok(entries) => entries,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => return Err(disk(full)(error)),
            };
            for entry in entries {
                let name = entry.map_err(disk(&full))?.file_name();
                next.push(format!("{path}/{}", name.to_string_lossy()));
            }
        }
        level = next;
    }
    level.sort();
    Ok(level)
}
