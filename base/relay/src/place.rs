//! The files of a relay: `DIR/run/relay.sock`, `relay.json` (the last table), `relay.lock` (one relay at a time) and
//! `relay.log`.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};

use crate::error::RelayError;
use crate::route::{Table, check};

/// A socket's path has room for 107 bytes.
const MAX_SOCKET_PATH: usize = 107;

/// How long a relay that takes over waits for the one before to let go.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);

/// Where everything of one relay stands.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    run: PathBuf,
}

impl Place {
    pub(crate) fn of(data_dir: &Path) -> Self {
        Self { run: data_dir.join("run") }
    }

    /// Makes the folder; nobody else can look into it.
    pub(crate) fn make(&self) -> Result<(), RelayError> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&self.run);
        made.map_err(RelayError::folder(&self.run))
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.run.join("relay.sock")
    }

    fn table(&self) -> PathBuf {
        self.run.join("relay.json")
    }

    /// The file for what a detached relay has to say.
    pub(crate) fn log(&self) -> Result<File, RelayError> {
        let path = self.run.join("relay.log");
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(&path);
        file.map_err(RelayError::folder(&path))
    }

    /// The right to be the relay of this folder; it ends with the process, whatever ends that.
    pub(crate) async fn lock(&self) -> Result<File, RelayError> {
        let path = self.run.join("relay.lock");
        let opened = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
        let file = opened.map_err(RelayError::folder(&path))?;
        let until = tokio::time::Instant::now() + LOCK_PATIENCE;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::Error(source)) => return Err(RelayError::Folder { path, source }),
                Err(TryLockError::WouldBlock) if tokio::time::Instant::now() >= until => {
                    return Err(RelayError::Taken(self.run.clone()));
                }
                Err(TryLockError::WouldBlock) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    }

    /// Opens the control socket. Only who holds the lock may: what stands there is then left over.
    pub(crate) fn listen(&self) -> Result<UnixListener, RelayError> {
        let path = self.socket();
        self.forget_socket();
        let bound = self.reach(UnixListener::bind).map_err(RelayError::folder(&path))?;
        let owner_only = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(&path, owner_only).map_err(RelayError::folder(&path))?;
        Ok(bound)
    }

    /// Takes the control socket out of the folder.
    pub(crate) fn forget_socket(&self) {
        let _ = std::fs::remove_file(self.socket());
    }

    pub(crate) async fn connect(&self) -> io::Result<UnixStream> {
        let path = self.socket();
        if path.as_os_str().len() <= MAX_SOCKET_PATH {
            return UnixStream::connect(path).await;
        }
        let folder = File::open(&self.run)?;
        UnixStream::connect(short(&folder)).await
    }

    fn reach<T>(&self, socket: impl FnOnce(PathBuf) -> io::Result<T>) -> io::Result<T> {
        let path = self.socket();
        if path.as_os_str().len() <= MAX_SOCKET_PATH {
            return socket(path);
        }
        let folder = File::open(&self.run)?;
        socket(short(&folder))
    }

    /// The last table, or an empty one. What cannot be read is no reason not to serve: the server says it again.
    pub(crate) fn last_table(&self) -> Table {
        let path = self.table();
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Table::new(),
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "the last table cannot be read");
                return Table::new();
            }
        };
        let read = serde_json::from_slice::<Table>(&text).map_err(|error| error.to_string());
        read.and_then(|table| check(&table).map(|()| table)).unwrap_or_else(|error| {
            tracing::warn!(path = %path.display(), error, "the last table is not understood");
            Table::new()
        })
    }

    /// Keeps the table for a relay that starts after this one was killed. It is not flushed to the disk: after the
    /// machine itself was cut off nothing runs that it could lead to.
    pub(crate) fn keep_table(&self, table: &Table) -> Result<(), RelayError> {
        let path = self.table();
        let fresh = self.run.join("relay.json.new");
        let text = serde_json::to_vec(table).map_err(io::Error::from);
        let kept =
            text.and_then(|text| std::fs::write(&fresh, text)).and_then(|()| std::fs::rename(&fresh, &path));
        kept.map_err(RelayError::folder(&path))
    }
}

/// The control socket by way of the open folder, whose own path is too long for a socket's address.
fn short(folder: &File) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}/relay.sock", folder.as_raw_fd()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_foreign_file_is_an_empty_table(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let folder = tempfile::tempdir().unwrap();
            let place = Place::of(folder.path());
            place.make().unwrap();
            std::fs::write(place.table(), &bytes).unwrap();
            prop_assert!(place.last_table().is_empty());
        }
    }

    #[test]
    fn there_is_no_table_at_first() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Place::of(folder.path()).last_table().is_empty());
    }
}
