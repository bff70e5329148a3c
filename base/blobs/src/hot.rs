//! What the kernel can answer from its memory, without a thread that may wait for the disk.
//!
//! Nearly every read of a blob is of bytes that the page cache holds. Handing those to a blocking thread costs
//! two context switches for 128 kB; mapping the file would save the copy but turns a bad sector into a signal
//! that ends the process. `preadv2` with `RWF_NOWAIT` and `openat2` with `RESOLVE_CACHED` (Linux 5.12)
//! answer at once or say that they would wait. `None` here always means: do it on a blocking thread.

use std::fs::File;
use std::io;
use std::path::Path;

use bytes::Bytes;

#[cfg(target_os = "linux")]
pub(crate) fn open(path: &Path) -> Option<io::Result<File>> {
    use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};
    use rustix::io::Errno;
    match openat2(CWD, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty(), ResolveFlags::CACHED) {
        Ok(file) => Some(Ok(File::from(file))),
        Err(Errno::NOENT) => Some(Err(io::ErrorKind::NotFound.into())),
        Err(_) => None,
    }
}

/// Reads into `buffer` from byte `at`; how many bytes were there, at least one.
#[cfg(target_os = "linux")]
pub(crate) fn read(file: &File, buffer: &mut [u8], at: u64) -> Option<usize> {
    use rustix::io::{ReadWriteFlags, preadv2};
    let read = preadv2(file, &mut [io::IoSliceMut::new(buffer)], at, ReadWriteFlags::NOWAIT);
    read.ok().filter(|read| *read > 0)
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn open(_: &Path) -> Option<io::Result<File>> {
    None
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn read(_: &File, _: &mut [u8], _: u64) -> Option<usize> {
    None
}

/// All bytes of a small file.
pub(crate) fn read_whole(file: &File, size_bytes: u64) -> Option<Bytes> {
    let mut buffer = vec![0; usize::try_from(size_bytes).ok()?];
    let read = if buffer.is_empty() { 0 } else { read(file, &mut buffer, 0)? };
    (read == buffer.len()).then(|| buffer.into())
}
