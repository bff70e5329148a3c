//! The driver's face: each operation checks what it is asked and hands it on.

use std::time::Duration;

use bollard::query_parameters::CreateImageOptions;
use futures_util::{FutureExt as _, TryStreamExt as _};

use super::Docker;
use super::error::{failed, found, of};
use crate::check;
use crate::{
    About, Answer, ChangeStream, Container, Driver, EngineError, Exec, Image, Kind, LogStream, Logs, Network,
    Running, SecretFile, Seen, SeenContainer, Usage, Volume,
};

impl Driver for Docker {
    fn about(&self) -> Answer<'_, About> {
        async {
            let info = self.client().await?.info().await.map_err(failed)?;
            Ok(About {
                name: "docker".to_owned(),
                version: info.server_version.unwrap_or_default(),
                cpus: info.ncpu.and_then(|cpus| cpus.try_into().ok()).unwrap_or_default(),
                memory_bytes: info.mem_total.and_then(|bytes| bytes.try_into().ok()).unwrap_or_default(),
                hard_quotas: self.volumes.hard_quotas.clone(),
                shielded: self.shielded().await,
            })
        }
        .boxed()
    }

    fn image<'a>(&'a self, reference: &'a str) -> Answer<'a, Option<Image>> {
        async move {
            let answer = found(self.client().await?.inspect_image(reference).await)?;
            Ok(answer.map(|image| Image {
                id: image.id.unwrap_or_default(),
                size_bytes: image.size.and_then(|size| size.try_into().ok()).unwrap_or_default(),
                labels: image
                    .config
                    .and_then(|config| config.labels)
                    .unwrap_or_default()
                    .into_iter()
                    .collect(),
            }))
        }
        .boxed()
    }

    fn pull<'a>(&'a self, reference: &'a str) -> Answer<'a, Image> {
        async move {
            let options =
                CreateImageOptions { from_image: Some(tagged(reference)), ..CreateImageOptions::default() };
            let progress = self.client().await?.create_image(Some(options), None, None);
            progress.try_for_each(async |_| Ok(())).await.map_err(of(Kind::Image, reference))?;
            let image = self.image(reference).await?;
            image.ok_or_else(|| EngineError::NotThere { kind: Kind::Image, name: reference.to_owned() })
        }
        .boxed()
    }

    fn seen(&self) -> Answer<'_, Seen> {
        self.everything().boxed()
    }

    fn container<'a>(&'a self, name: &'a str) -> Answer<'a, Option<SeenContainer>> {
        self.container_by_name(name).boxed()
    }

    fn ensure_network<'a>(&'a self, network: &'a Network) -> Answer<'a, ()> {
        async {
            check::network(network)?;
            // Where it cannot be done `about` says so; the operator decides whether that is good enough.
            let (made, _) = tokio::join!(self.make_network(network), self.shielded());
            made
        }
        .boxed()
    }

    fn ensure_volume<'a>(&'a self, volume: &'a Volume) -> Answer<'a, ()> {
        async {
            check::volume(volume)?;
            self.make_volume(volume).await
        }
        .boxed()
    }

    fn create<'a>(&'a self, container: &'a Container) -> Answer<'a, ()> {
        async {
            check::container(container)?;
            self.create_container(container).await
        }
        .boxed()
    }

    fn start<'a>(&'a self, name: &'a str, secrets: &'a [SecretFile]) -> Answer<'a, ()> {
        async move {
            check::name(name)?;
            check::secrets(secrets)?;
            self.start_container(name, secrets).await
        }
        .boxed()
    }

    fn forget_secrets<'a>(&'a self, name: &'a str) -> Answer<'a, ()> {
        async move {
            check::name(name)?;
            self.empty_secrets(name).await
        }
        .boxed()
    }

    fn join<'a>(&'a self, name: &'a str, network: &'a str, aliases: &'a [String]) -> Answer<'a, ()> {
        async move {
            check::place(name, network, aliases)?;
            self.join_network(name, network, aliases).await
        }
        .boxed()
    }

    fn stop<'a>(&'a self, name: &'a str, grace: Duration) -> Answer<'a, ()> {
        self.stop_container(name, grace).boxed()
    }

    fn pause<'a>(&'a self, name: &'a str) -> Answer<'a, ()> {
        self.pause_container(name).boxed()
    }

    fn unpause<'a>(&'a self, name: &'a str) -> Answer<'a, ()> {
        self.unpause_container(name).boxed()
    }

    fn remove<'a>(&'a self, name: &'a str) -> Answer<'a, ()> {
        async move {
            check::name(name)?;
            self.remove_container(name).await
        }
        .boxed()
    }

    fn remove_network<'a>(&'a self, name: &'a str) -> Answer<'a, ()> {
        self.drop_network(name).boxed()
    }

    fn remove_volume<'a>(&'a self, name: &'a str) -> Answer<'a, ()> {
        async move {
            check::name(name)?;
            self.drop_volume(name).await
        }
        .boxed()
    }

    fn exec<'a>(&'a self, name: &'a str, command: &'a Exec) -> Answer<'a, Running> {
        self.run_exec(name, command).boxed()
    }

    fn logs<'a>(&'a self, name: &'a str, which: Logs) -> Answer<'a, LogStream> {
        self.read_logs(name, which).boxed()
    }

    fn usage<'a>(&'a self, names: &'a [&'a str]) -> Answer<'a, Vec<Usage>> {
        self.measure(names).boxed()
    }

    fn changes(&self) -> Answer<'_, ChangeStream> {
        self.watch().boxed()
    }
}

/// Without a tag or digest an engine fetches all tags there are.
fn tagged(reference: &str) -> String {
    let last = reference.rsplit('/').next().unwrap_or(reference);
    if last.contains([':', '@']) { reference.to_owned() } else { format!("{reference}:latest") }
}
