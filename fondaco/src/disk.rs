//! What the disk can still take.

use std::io;
use std::path::Path;

/// Less free space than this and the server calls itself not ready, while it can still say so; `doctor` says the same.
pub(crate) const LEAST_FREE_BYTES: u64 = 64 * 1024 * 1024;

/// Free bytes for unprivileged users on the file system that holds `folder`.
///
/// # Errors
/// When the folder does not exist or cannot be asked.
pub(crate) fn free_bytes(folder: &Path) -> io::Result<u64> {
    let stats = rustix::fs::statvfs(folder)?;
    Ok(stats.f_bavail.saturating_mul(stats.f_frsize))
}
