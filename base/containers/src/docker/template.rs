//! Filled disks that new volumes are copies of: a copy costs milliseconds where filling costs many.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use bollard::models::{ContainerCreateBody, HostConfig, Mount};
use bollard::query_parameters::{
    CreateContainerOptions, DownloadFromContainerOptions, ListContainersOptions, ListImagesOptions,
    RemoveContainerOptions, UploadToContainerOptions,
};
use futures_util::StreamExt as _;
use sha2::{Digest as _, Sha256};

use super::containers::bind;
use super::error::{failed, found, io, of};
use super::volumes::entries;
use super::{Docker, disk};
use crate::{EngineError, Kind, Template};

/// Marks the containers that are only there to read an image, which is not what [`crate::Driver::seen`] is about.
const FILLING: &str = "fondaco.filling";
/// Where the volume is while it is filled.
const FOLDER: &str = "/fondaco-volume";

impl Docker {
    /// The disk that volumes of this template and size are copies of; made if it is not there.
    pub(super) async fn template(
        &self,
        template: &Template,
        size_bytes: u64,
    ) -> Result<PathBuf, EngineError> {
        let inspected = self.client().await?.inspect_image(&template.image).await;
        let id = inspected.map_err(of(Kind::Image, &template.image))?.id.unwrap_or_default();
        let name = format!("{}-{}-{size_bytes}", short(&id), short(&template.path));
        let file = self.volumes.templates().join(&name);
        let _turn = self.making.turn(&format!("template {name}")).await;
        if tokio::fs::try_exists(&file).await.map_err(io("look for a template"))? {
            return Ok(file);
        }
        let new = self.volumes.fresh(&format!("template-{name}")).await?;
        let made = self.make_template(&name, template, size_bytes, &new).await;
        if made.is_ok() {
            tokio::fs::rename(new.join("disk"), &file).await.map_err(io("name a template"))?;
            self.drop_old_templates().await?;
        }
        self.volumes.discard(&new).await.and(made)?;
        Ok(file)
    }

    async fn make_template(
        &self,
        name: &str,
        template: &Template,
        size_bytes: u64,
        new: &Path,
    ) -> Result<(), EngineError> {
        let (file, at) = (new.join("disk"), new.join("mount"));
        disk::make(&file, size_bytes).await?;
        disk::mount(&file, &at).await?;
        // Programs that want an empty folder would stumble over it; e2fsck makes it again when it needs it.
        tokio::fs::remove_dir(at.join("lost+found")).await.map_err(io("empty a template"))?;
        self.fill(name, template, bind(at.to_string_lossy().into_owned(), "", false)).await?;
        disk::unmount(&at).await?;
        let flushed = tokio::fs::File::open(&file).await.map_err(io("flush a template"))?;
        flushed.sync_all().await.map_err(io("flush a template"))
    }

    /// Removes the templates of images that are gone, or were built again.
    async fn drop_old_templates(&self) -> Result<(), EngineError> {
        let images = self
            .client()
            .await?
            .list_images(Some(ListImagesOptions { all: true, ..ListImagesOptions::default() }))
            .await;
        let kept: HashSet<_> = images.map_err(failed)?.iter().map(|image| short(&image.id)).collect();
        for file in entries(&self.volumes.templates()).await? {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            let image = name.split('-').next().unwrap_or_default();
            if !kept.contains(image) {
                tokio::fs::remove_file(&file).await.map_err(io("remove an old template"))?;
            }
        }
        Ok(())
    }

    /// Copies the template's folder, with its owner and mode, into what `mount` mounts: as an archive out of one
    /// container into another. Both are never started, so nothing of the image runs. They are two, because the engine
    /// lets nobody write into a container while it is read.
    /// What a kill left of an earlier try for the same volume or template is removed first.
    pub(super) async fn fill(
        &self,
        purpose: &str,
        template: &Template,
        mount: Mount,
    ) -> Result<(), EngineError> {
        let Some(folder) = Path::new(&template.path).file_name().map(|name| name.to_string_lossy()) else {
            return Err(EngineError::Refused(format!("{} is no folder", template.path)));
        };
        let name = format!("fondaco-filling-{}", short(&format!("{} {purpose}", self.settings.installation)));
        let (from, to) = (format!("{name}-from"), format!("{name}-to"));
        // What the folder has beside other files becomes what the volume has, since both have the same last name.
        let mount = Mount { target: Some(format!("{FOLDER}/{folder}")), ..mount };
        let copied = async {
            self.make_filling(&from, template, Vec::new()).await?;
            self.make_filling(&to, template, vec![mount]).await?;
            self.copy_folder(&from, &template.path, &to).await
        };
        let copied = copied.await;
        self.drop_filling(&from).await?;
        self.drop_filling(&to).await.and(copied)
    }

    async fn make_filling(
        &self,
        name: &str,
        template: &Template,
        mounts: Vec<Mount>,
    ) -> Result<(), EngineError> {
        self.drop_filling(name).await?;
        let body = ContainerCreateBody {
            image: Some(template.image.clone()),
            cmd: Some(vec!["never".to_owned()]),
            labels: Some(HashMap::from([(FILLING.to_owned(), self.settings.installation.clone())])),
            host_config: Some(HostConfig {
                mounts: Some(mounts),
                network_mode: Some("none".to_owned()),
                ..HostConfig::default()
            }),
            ..ContainerCreateBody::default()
        };
        let options =
            CreateContainerOptions { name: Some(name.to_owned()), ..CreateContainerOptions::default() };
        let created = self.client().await?.create_container(Some(options), body).await;
        created.map(drop).map_err(of(Kind::Image, &template.image))
    }

    async fn copy_folder(&self, from: &str, path: &str, to: &str) -> Result<(), EngineError> {
        let client = self.client().await?;
        let download = DownloadFromContainerOptions { path: path.to_owned() };
        let archive = client.download_from_container(from, Some(download));
        let archive = archive.map(|piece| piece.map_err(std::io::Error::other)).boxed();
        let upload =
            UploadToContainerOptions { path: FOLDER.to_owned(), ..UploadToContainerOptions::default() };
        let uploaded = client.upload_to_container(to, Some(upload), bollard::body_try_stream(archive)).await;
        uploaded.map_err(failed)
    }

    /// Removes what processes that are gone left of filling volumes.
    pub(super) async fn sweep_fillings(
        &self,
        client: &bollard::Docker,
    ) -> Result<(), bollard::errors::Error> {
        let label = format!("{FILLING}={}", self.settings.installation);
        let filters = Some(HashMap::from([("label".to_owned(), vec![label])]));
        let options = ListContainersOptions { all: true, filters, ..ListContainersOptions::default() };
        for left in client.list_containers(Some(options)).await? {
            let options = RemoveContainerOptions { force: true, v: true, link: false };
            client.remove_container(&left.id.unwrap_or_default(), Some(options)).await?;
        }
        Ok(())
    }

    async fn drop_filling(&self, name: &str) -> Result<(), EngineError> {
        let options = RemoveContainerOptions { force: true, v: true, link: false };
        found(self.client().await?.remove_container(name, Some(options)).await).map(drop)
    }
}

/// Enough of a digest to tell texts apart.
fn short(text: &str) -> String {
    hex::encode(Sha256::digest(text)).chars().take(16).collect()
}
