//! What the disk can still take.

use std::io;
use std::path::Path;

/// Free bytes for unprivileged users on the file system that holds `folder`.
///
/// # Errors
/// When the folder does not exist or cannot be asked.
pub(crate) fn free_bytes(folder: &Path) -> io::Result<u64> {
    let stats = rustix::fs::statvfs(folder)?;
    Ok(stats.f_bavail.saturating_mul(stats.f_frsize))
}
