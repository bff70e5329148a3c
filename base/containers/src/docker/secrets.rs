//! Secrets as files that only one container sees. The folder above is closed to everybody else on this machine;
//! inside the container its own user must be able to read them, whoever that is.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use bollard::models::Mount;

use super::Docker;
use super::containers::bind;
use crate::{EngineError, SecretFile};

impl Docker {
    fn secrets_folder(&self, name: &str) -> PathBuf {
        self.settings.state.join("secrets").join(name)
    }

    /// The folder of this container's secrets, made if need be.
    pub(super) async fn secrets_mount(&self, name: &str) -> Result<Mount, EngineError> {
        let folder = self.secrets_folder(name);
        let source = folder.to_string_lossy().into_owned();
        blocking("make the folder of secrets", move || open_folder(&folder)).await?;
        Ok(bind(source, "/run/secrets", true))
    }

    pub(super) async fn write_secrets(&self, name: &str, secrets: &[SecretFile]) -> Result<(), EngineError> {
        let (folder, secrets) = (self.secrets_folder(name), secrets.to_vec());
        blocking("write the secrets", move || write(&folder, &secrets)).await
    }

    /// Empties the folder: it stays, because the container has it mounted.
    pub(super) async fn empty_secrets(&self, name: &str) -> Result<(), EngineError> {
        let folder = self.secrets_folder(name);
        blocking("remove the secrets", move || keep_only(&folder, &[])).await
    }

    pub(super) async fn remove_secrets(&self, name: &str) -> Result<(), EngineError> {
        let folder = self.secrets_folder(name);
        blocking("remove the secrets", move || forgiving(std::fs::remove_dir_all(folder))).await
    }
}

async fn blocking(
    what: &'static str,
    act: impl FnOnce() -> io::Result<()> + Send + 'static,
) -> Result<(), EngineError> {
    let done = tokio::task::spawn_blocking(act).await.map_err(io::Error::other);
    done.flatten().map_err(super::error::io(what))
}

/// What is not there is as gone as it shall be.
fn forgiving(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn open_folder(folder: &Path) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755))
}

fn write(folder: &Path, secrets: &[SecretFile]) -> io::Result<()> {
    open_folder(folder)?;
    let kept: Vec<&str> = secrets.iter().map(|secret| secret.name.as_str()).collect();
    keep_only(folder, &kept)?;
    for secret in secrets {
        // No secret's name starts with a dot, so this is nobody's.
        let new = folder.join(format!(".{}", secret.name));
        std::fs::write(&new, secret.content.expose())?;
        std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o444))?;
        std::fs::rename(&new, folder.join(&secret.name))?;
    }
    Ok(())
}

fn keep_only(folder: &Path, kept: &[&str]) -> io::Result<()> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => return forgiving(Err(error)),
    };
    for entry in entries {
        let entry = entry?;
        if !kept.iter().any(|name| entry.file_name() == *name) {
            forgiving(std::fs::remove_file(entry.path()))?;
        }
    }
    Ok(())
}
