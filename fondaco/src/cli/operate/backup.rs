//! `backup create`, `verify`, `restore`.

use std::path::Path;

use blobs::Blobs;
use kernel::Clock;
use serde_json::json;

use super::super::args::Backup;
use super::super::failure::{Failure, code, sentence};
use super::super::terminal::Terminal;
use super::open;
use crate::backup::{self, BackupError, Manifest};
use crate::config::round_size;
use crate::data::DataDir;

/// Runs a command about backups.
pub(crate) async fn run(terminal: &Terminal, command: &Backup) -> Result<(), Failure> {
    let now = Clock::system().now();
    match command {
        Backup::Create { place, to } => {
            let opened = open(terminal, place).await?;
            let (store, blobs) = (&opened.rooms.store, &opened.rooms.blobs);
            let manifest = backup::create(store, blobs, opened.data.path(), to, now).await?;
            tell(terminal, to, &manifest);
            terminal.done(format!("Backed up to {}: {}.", to.display(), size(&manifest)));
            terminal.hint(format!("fondaco backup verify {}", to.display()));
        }
        Backup::Verify { from } => {
            let folder = from.clone();
            let verified = tokio::task::spawn_blocking(move || backup::verify(&folder)).await;
            let manifest = verified.map_err(|error| Failure::local("The backup cannot be read", error))??;
            tell(terminal, from, &manifest);
            terminal.done(format!(
                "Every byte of {} is as it was written: {}.",
                from.display(),
                size(&manifest)
            ));
        }
        Backup::Restore { place, from } => {
            let config = super::settings(place, Vec::new())?.config;
            let data = DataDir::open(&config.server.data_dir)?;
            let lock = data.lock()?;
            let store = store::Store::open(&config.store()).await?;
            let blobs = Blobs::open(config.blobs()).await.map_err(BackupError::from)?;
            let restored = backup::restore(&store, &blobs, data.path(), from, now).await?;
            drop(lock);
            tell(terminal, from, &restored.manifest);
            for file in &restored.migrated {
                terminal.say(format!("  migrated {file}"));
            }
            if !restored.secrets {
                terminal.warn("The data folder has secrets of its own: short-lived tokens of the backup are not valid here.");
            }
            terminal.done(format!(
                "Restored {} of {}.",
                size(&restored.manifest),
                restored.manifest.created_at
            ));
            terminal.hint(format!("fondaco serve --data-dir {}", data.path().display()));
        }
    }
    Ok(())
}

fn size(manifest: &Manifest) -> String {
    let rows: u64 = manifest.tables.iter().map(|table| table.rows).sum();
    let bytes = manifest.blob_bytes + manifest.files.iter().map(|file| file.size_bytes).sum::<u64>();
    format!("{rows} rows, {} files, {}", manifest.blobs, round_size(bytes))
}

fn tell(terminal: &Terminal, folder: &Path, manifest: &Manifest) {
    if terminal.json {
        terminal.data_json(&json!({"path": folder, "manifest": manifest}));
    } else {
        terminal.data(folder.display().to_string());
    }
}

impl From<BackupError> for Failure {
    fn from(error: BackupError) -> Self {
        let detail = sentence(&error.to_string());
        match error {
            BackupError::NotEmpty => {
                Self::new(code::CONFLICT, "backup.not_empty", "Nothing was restored", detail)
                    .next("choose another --data-dir, or an empty PostgreSQL database")
            }
            BackupError::Exists(_) => {
                Self::new(code::CONFLICT, "backup.exists", "Nothing was backed up", detail)
            }
            BackupError::Newer(_) => {
                Self::new(code::CONFLICT, "backup.newer", "Nothing was restored", detail)
                    .next("restore it with the version of fondaco that made it, or a later one")
            }
            BackupError::NotWhole(_) => {
                Self::new(code::NOT_FOUND, "backup.not_whole", "No whole backup", detail)
            }
            _ => Self::new(code::FAILED, "backup.failed", "The backup failed", detail),
        }
    }
}
