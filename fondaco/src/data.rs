//! The data folder: what lies in it, who may read it, and that only one server works on it.
//!
//! | file | has |
//! | --- | --- |
//! | `fondaco.db` | the embedded database |
//! | `blobs/` | files, named by their SHA-256 |
//! | `mail/` | mails, where no mail server is set |
//! | `secrets.toml` | secrets that were made at the first start; only the owner may read it |
//! | `setup-link` | the address at which the first operator signs up, until it was used |
//! | `ready.json` | the addresses of the running server |
//! | `lock` | held by the running server |

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use kernel::Secret;
use serde::{Deserialize, Serialize};

/// What goes wrong with the data folder.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// A file or folder cannot be made, read or written.
    #[error("{path} cannot be {verb}: {error}")]
    Disk {
        /// Which one.
        path: PathBuf,
        /// `made`, `read` or `written`.
        verb: &'static str,
        /// Why.
        error: io::Error,
    },
    /// Another server works on it.
    #[error("another fondaco server is running on {0}")]
    InUse(PathBuf),
    /// `secrets.toml` is no longer what was written.
    #[error("{path} is damaged: {reason}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

/// The data folder, which exists.
#[derive(Clone, Debug)]
pub struct DataDir(PathBuf);

/// Held while a server runs; the system lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub struct ServerLock(#[allow(dead_code)] File);

/// Secrets that the program made for itself.
#[derive(Clone, Debug, Deserialize)]
pub struct Secrets {
    /// What signs short-lived tokens where `auth.jwt_secret` is unset.
    pub jwt_secret: Secret,
    /// What seals secrets in the database where `auth.encryption_keys` is unset.
    pub encryption_key: Secret,
}

/// What `ready.json` tells: where the running server can be reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// The process.
    pub pid: u32,
    /// The API, `http://127.0.0.1:3000`; a listener that this process does not have is absent, here and below.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api: Option<String>,
    /// The package registries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registry: Option<String>,
    /// The web interface.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub web: Option<String>,
    /// The services API.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub services: Option<String>,
    /// The orchestrator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub orchestrator: Option<String>,
}

impl DataDir {
    /// Opens the folder and makes it, readable by its owner only, where it does not exist.
    ///
    /// # Errors
    /// [`DataError::Disk`].
    pub fn open(path: &Path) -> Result<Self, DataError> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
        made.map_err(|error| DataError::Disk { path: path.to_owned(), verb: "made", error })?;
        Ok(Self(path.to_owned()))
    }

    /// The folder's path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Makes this process the one server on this folder.
    ///
    /// # Errors
    /// [`DataError::InUse`] when another one is running.
    pub fn lock(&self) -> Result<ServerLock, DataError> {
        let path = self.0.join("lock");
        let disk = |error| DataError::Disk { path: path.clone(), verb: "written", error };
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(&path).map_err(disk)?;
        match file.try_lock() {
            Ok(()) => Ok(ServerLock(file)),
            Err(TryLockError::WouldBlock) => Err(DataError::InUse(self.0.clone())),
            Err(TryLockError::Error(error)) => Err(disk(error)),
        }
    }

    /// Whether a server holds the lock now.
    #[must_use]
    pub fn is_served(&self) -> bool {
        let Ok(file) = File::open(self.0.join("lock")) else { return false };
        matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
    }

    /// The secrets of this folder, made on the first call. Two processes that make them at once end with the same.
    ///
    /// # Errors
    /// [`DataError`] when they cannot be written, or are there and cannot be read.
    pub fn secrets(&self) -> Result<Secrets, DataError> {
        let path = self.0.join("secrets.toml");
        if !path.exists() {
            let [jwt_secret, encryption_key] = [(); 2].map(|()| kernel::random_text::<48>());
            let text = format!(
                "# Made at the first start. Who has these can sign in as anybody and read every secret that is kept.\n\
                 # Keep a copy with your backups: without the encryption key sealed secrets are lost.\n\
                 jwt_secret = \"{jwt_secret}\"\nencryption_key = \"{encryption_key}\"\n"
            );
            let fresh = self.0.join(format!("secrets.{}.new", std::process::id()));
            let made = write_private(&fresh, &text).and_then(|()| match std::fs::hard_link(&fresh, &path) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
                _ => std::fs::remove_file(&fresh),
            });
            made.map_err(|error| DataError::Disk { path: path.clone(), verb: "written", error })?;
        }
        let text = std::fs::read_to_string(&path).map_err(|error| DataError::Disk {
            path: path.clone(),
            verb: "read",
            error,
        })?;
        toml::from_str(&text).map_err(|error| DataError::Damaged { path, reason: error.message().to_owned() })
    }

    /// Tells where the server can be reached, in one step: who reads the file sees all of it.
    ///
    /// # Errors
    /// [`DataError::Disk`].
    pub fn write_ready(&self, ready: &Ready) -> Result<(), DataError> {
        let path = self.0.join("ready.json");
        let text = serde_json::to_string(ready).unwrap_or_default();
        replace(&path, &text).map_err(|error| DataError::Disk { path, verb: "written", error })
    }

    /// Where the running server can be reached, if one said so.
    #[must_use]
    pub fn ready(&self) -> Option<Ready> {
        serde_json::from_slice(&std::fs::read(self.0.join("ready.json")).ok()?).ok()
    }

    /// Takes back what [`DataDir::write_ready`] told.
    pub fn remove_ready(&self) {
        let _ = std::fs::remove_file(self.0.join("ready.json"));
    }

    /// Keeps the address at which the first operator signs up, readable by the owner only.
    ///
    /// # Errors
    /// [`DataError::Disk`].
    pub fn write_setup_link(&self, link: &str) -> Result<(), DataError> {
        let path = self.0.join("setup-link");
        replace(&path, &format!("{link}\n")).map_err(|error| DataError::Disk { path, verb: "written", error })
    }

    /// Removes the set-up link once it is of no use.
    pub fn remove_setup_link(&self) {
        let _ = std::fs::remove_file(self.0.join("setup-link"));
    }
}

/// Writes a file that only its owner may read and that must not exist yet, durably.
pub(crate) fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Replaces a file that only its owner may read: the old or the new text is there, never a part.
pub(crate) fn replace(path: &Path, text: &str) -> io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let fresh = path.with_file_name(format!(".{name}.{}", std::process::id()));
    let _ = std::fs::remove_file(&fresh);
    write_private(&fresh, text)?;
    std::fs::rename(&fresh, path)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn one_server_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::open(&folder.path().join("new/data")).unwrap();
        assert!(!data.is_served());
        let lock = data.lock().unwrap();
        assert!(data.is_served());
        assert!(matches!(data.lock(), Err(DataError::InUse(_))));
        drop(lock);
        assert!(!data.is_served());
        assert!(data.lock().is_ok());
    }

    #[test]
    fn secrets_are_made_once_and_private() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::open(folder.path()).unwrap();
        let threads: Vec<_> = (0..4).map(|_| data.clone()).collect();
        let first = data.secrets().unwrap().jwt_secret;
        assert!(first.expose().len() >= 32);
        for data in threads {
            assert_eq!(data.secrets().unwrap().jwt_secret, first);
        }
        let mode = std::fs::metadata(folder.path().join("secrets.toml")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        std::fs::write(folder.path().join("secrets.toml"), "jwt = 1").unwrap();
        assert!(matches!(data.secrets(), Err(DataError::Damaged { .. })));
    }

    #[test]
    fn ready_tells_what_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::open(folder.path()).unwrap();
        let ready = Ready { pid: 7, web: Some("http://127.0.0.1:8080".to_owned()), ..Ready::default() };
        data.write_ready(&ready).unwrap();
        assert_eq!(data.ready(), Some(ready));
        data.remove_ready();
        assert_eq!(data.ready(), None);
    }
}
