//! Volumes: a [`disk`] of ours where this machine allows it, otherwise a volume of the engine's without a hard limit.
//! What each is, stands in a small file beside it; the engine is not asked.

use std::path::{Path, PathBuf};

use bollard::models::{Mount, MountType, MountVolumeOptions, VolumeCreateRequest};
use bollard::query_parameters::{ListContainersOptions, RemoveVolumeOptions};
use serde::{Deserialize, Serialize};

use super::containers::bind;
use super::error::{failed, found, io};
use super::{Docker, disk};
use crate::{EngineError, Kind, Labels, SeenVolume, Volume, VolumeMount, check};

/// The folder of an installation's state, and what it can do.
#[derive(Clone, Debug)]
pub(super) struct Place {
    state: PathBuf,
    /// Why there are no hard limits, if so.
    pub(super) hard_quotas: Result<(), String>,
}

/// What is known of a volume.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct About {
    size_bytes: u64,
    labels: Labels,
    keeper: Keeper,
    /// False while the engine's volume is being filled. A disk is filled before it has its name.
    filled: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Keeper {
    Disk,
    Engine,
}

impl Place {
    /// Makes the folders, sweeps what a killed process left half-made, and finds out by trying whether this machine
    /// can mount disks.
    pub(super) async fn prepare(state: &Path, disks: bool) -> Result<Self, EngineError> {
        let mut place = Self { state: state.to_owned(), hard_quotas: Ok(()) };
        for folder in ["volumes", "mounts", "templates", "secrets", "new"] {
            let folder = state.join(folder);
            tokio::fs::create_dir_all(&folder).await.map_err(io("make the folder of containers"))?;
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
            tokio::fs::set_permissions(&folder, mode).await.map_err(io("close the folder of containers"))?;
        }
        place.sweep().await?;
        place.hard_quotas = if disks {
            place.probe().await.map_err(|error| {
                format!(
                    "disks cannot be mounted ({error}); it needs root, loop devices and the package e2fsprogs"
                )
            })
        } else {
            Err("the configuration says so".to_owned())
        };
        Ok(place)
    }

    /// Removes what was being made by processes that are gone, or that had our number before us.
    async fn sweep(&self) -> Result<(), EngineError> {
        for folder in entries(&self.state.join("new")).await? {
            let process = folder.file_name().unwrap_or_default();
            if !Path::new("/proc").join(process).exists() || folder == self.nursery() {
                for inner in entries(&folder).await? {
                    self.discard(&inner).await?;
                }
                self.discard(&folder).await?;
            }
        }
        tokio::fs::create_dir(self.nursery()).await.map_err(io("make the folder of what is new"))
    }

    fn nursery(&self) -> PathBuf {
        self.state.join("new").join(std::process::id().to_string())
    }

    async fn probe(&self) -> Result<(), EngineError> {
        let folder = self.fresh("probe").await?;
        disk::make(&folder.join("disk"), 16 << 20).await?;
        let tried = disk::mount(&folder.join("disk"), &folder.join("mount")).await;
        self.discard(&folder).await.and(tried)
    }

    /// A fresh folder for something that is being made.
    pub(super) async fn fresh(&self, name: &str) -> Result<PathBuf, EngineError> {
        let folder = self.nursery().join(name);
        self.discard(&folder).await?;
        tokio::fs::create_dir(&folder).await.map_err(io("make a folder"))?;
        Ok(folder)
    }

    /// Removes such a folder with what is mounted in it.
    pub(super) async fn discard(&self, folder: &Path) -> Result<(), EngineError> {
        disk::unmount(&folder.join("mount")).await?;
        match tokio::fs::remove_dir_all(folder).await {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(io("remove a folder")(error)),
            _ => Ok(()),
        }
    }

    pub(super) fn templates(&self) -> PathBuf {
        self.state.join("templates")
    }

    fn folder(&self, name: &str) -> PathBuf {
        self.state.join("volumes").join(name)
    }

    /// Where a disk is mounted.
    pub(super) fn mount(&self, name: &str) -> PathBuf {
        self.state.join("mounts").join(name)
    }

    async fn about(&self, name: &str) -> Result<Option<About>, EngineError> {
        match tokio::fs::read(self.folder(name).join("about.json")).await {
            Ok(bytes) => parse(&bytes).map(Some),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(io("read what a volume is")(error)),
        }
    }

    fn seen(&self) -> std::io::Result<Vec<SeenVolume>> {
        let mut seen = Vec::new();
        for entry in std::fs::read_dir(self.state.join("volumes"))? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            // One that is being removed right now has no such file any more.
            let Ok(bytes) = std::fs::read(entry.path().join("about.json")) else { continue };
            let about = parse(&bytes).map_err(std::io::Error::other)?;
            let ready =
                about.filled && (about.keeper == Keeper::Engine || disk::is_mounted(&self.mount(&name)));
            seen.push(SeenVolume { name, labels: about.labels, size_bytes: about.size_bytes, ready });
        }
        Ok(seen)
    }
}

pub(super) async fn entries(folder: &Path) -> Result<Vec<PathBuf>, EngineError> {
    let mut found = Vec::new();
    let mut entries = tokio::fs::read_dir(folder).await.map_err(io("list a folder"))?;
    while let Some(entry) = entries.next_entry().await.map_err(io("list a folder"))? {
        found.push(entry.path());
    }
    Ok(found)
}

fn parse(bytes: &[u8]) -> Result<About, EngineError> {
    serde_json::from_slice(bytes)
        .map_err(|error| EngineError::Failed(format!("about.json of a volume: {error}")))
}

/// Writes `about.json` in this folder, as a whole or not.
async fn write(folder: &Path, about: &About) -> Result<(), EngineError> {
    let text = serde_json::to_vec(about).map_err(|error| EngineError::Failed(error.to_string()))?;
    let new = folder.join("about.json.new");
    tokio::fs::write(&new, text).await.map_err(io("write what a volume is"))?;
    tokio::fs::rename(&new, folder.join("about.json")).await.map_err(io("write what a volume is"))
}

impl Docker {
    pub(super) async fn make_volume(&self, volume: &Volume) -> Result<(), EngineError> {
        let _turn = self.making.turn(&format!("volume {}", volume.name)).await;
        match self.volumes.about(&volume.name).await? {
            Some(about) if about.size_bytes > volume.size_bytes => Err(check::shrinks(volume)),
            Some(about) if about.keeper == Keeper::Disk => self.bring_back(volume, about).await,
            Some(About { filled: true, .. }) => Ok(()),
            Some(_) => self.make_engine_volume(volume).await,
            None if self.volumes.hard_quotas.is_ok() => self.make_disk(volume).await,
            None => self.make_engine_volume(volume).await,
        }
    }

    async fn make_disk(&self, volume: &Volume) -> Result<(), EngineError> {
        let new = self.volumes.fresh(&volume.name).await?;
        let file = new.join("disk");
        match &volume.template {
            // Whoever its containers run as: nobody knows yet.
            None => {
                disk::make(&file, volume.size_bytes).await?;
                disk::open_to_all(&file).await?;
            }
            Some(template) => {
                let original = self.template(template, volume.size_bytes).await?;
                disk::copy(&original, &file).await?;
            }
        }
        let about = About {
            size_bytes: volume.size_bytes,
            labels: volume.labels.clone(),
            keeper: Keeper::Disk,
            filled: true,
        };
        write(&new, &about).await?;
        let folder = self.volumes.folder(&volume.name);
        tokio::fs::rename(&new, &folder).await.map_err(io("name a volume"))?;
        disk::mount(&folder.join("disk"), &self.volumes.mount(&volume.name)).await
    }

    /// Mounts a disk that is there, and grows it. The new size is written last, so that a kill grows it again.
    async fn bring_back(&self, volume: &Volume, about: About) -> Result<(), EngineError> {
        let folder = self.volumes.folder(&volume.name);
        disk::mount(&folder.join("disk"), &self.volumes.mount(&volume.name)).await?;
        if about.size_bytes == volume.size_bytes {
            return Ok(());
        }
        disk::grow(&folder.join("disk"), &self.volumes.mount(&volume.name), volume.size_bytes).await?;
        write(&folder, &About { size_bytes: volume.size_bytes, ..about }).await
    }

    async fn make_engine_volume(&self, volume: &Volume) -> Result<(), EngineError> {
        let name = volume.name.as_str();
        let folder = self.volumes.folder(name);
        tokio::fs::create_dir_all(&folder).await.map_err(io("make a volume"))?;
        let about = About {
            size_bytes: volume.size_bytes,
            labels: volume.labels.clone(),
            keeper: Keeper::Engine,
            filled: false,
        };
        write(&folder, &about).await?;
        let client = self.client().await?;
        found(client.remove_volume(name, None::<RemoveVolumeOptions>).await)?;
        let request = VolumeCreateRequest {
            name: Some(name.to_owned()),
            labels: Some(self.labels(&volume.labels)),
            ..VolumeCreateRequest::default()
        };
        client.create_volume(request).await.map_err(failed)?;
        if let Some(template) = &volume.template {
            self.fill(name, template, engine_mount(name, "")).await?;
        }
        write(&folder, &About { filled: true, ..about }).await
    }

    pub(super) async fn volume_mount(&self, mount: &VolumeMount) -> Result<Mount, EngineError> {
        match self.volumes.about(&mount.volume).await? {
            None => Err(EngineError::NotThere { kind: Kind::Volume, name: mount.volume.clone() }),
            Some(About { keeper: Keeper::Engine, .. }) => Ok(engine_mount(&mount.volume, &mount.path)),
            Some(_) => {
                let source = self.volumes.mount(&mount.volume);
                Ok(bind(source.to_string_lossy().into_owned(), &mount.path, false))
            }
        }
    }

    pub(super) async fn seen_volumes(&self) -> Result<Vec<SeenVolume>, EngineError> {
        let place = self.volumes.clone();
        let seen = tokio::task::spawn_blocking(move || place.seen()).await.map_err(std::io::Error::other);
        seen.flatten().map_err(io("list the volumes"))
    }

    pub(super) async fn drop_volume(&self, name: &str) -> Result<(), EngineError> {
        let _turn = self.making.turn(&format!("volume {name}")).await;
        let Some(about) = self.volumes.about(name).await? else { return Ok(()) };
        self.unused(name).await?;
        match about.keeper {
            Keeper::Disk => disk::unmount(&self.volumes.mount(name)).await?,
            Keeper::Engine => {
                let client = self.client().await?;
                found(client.remove_volume(name, None::<RemoveVolumeOptions>).await)?;
            }
        }
        let gone = self.volumes.fresh(name).await?.join("gone");
        tokio::fs::rename(self.volumes.folder(name), &gone).await.map_err(io("remove a volume"))?;
        self.volumes.discard(gone.parent().unwrap_or(&gone)).await
    }

    /// Nobody's container has the volume.
    async fn unused(&self, name: &str) -> Result<(), EngineError> {
        let source = self.volumes.mount(name).to_string_lossy().into_owned();
        let filters = [("volume".to_owned(), vec![source, name.to_owned()])].into();
        let options =
            ListContainersOptions { all: true, filters: Some(filters), ..ListContainersOptions::default() };
        let users = self.client().await?.list_containers(Some(options)).await.map_err(failed)?;
        if users.is_empty() {
            return Ok(());
        }
        Err(EngineError::Failed(format!("a container still has the volume {name}")))
    }
}

/// A volume that the engine keeps. What the image has at that place is not copied: templates say what it has.
fn engine_mount(name: &str, target: &str) -> Mount {
    Mount {
        typ: Some(MountType::VOLUME),
        source: Some(name.to_owned()),
        target: Some(target.to_owned()),
        volume_options: Some(MountVolumeOptions { no_copy: Some(true), ..MountVolumeOptions::default() }),
        ..Mount::default()
    }
}
