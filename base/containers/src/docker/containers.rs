//! Containers: made, started, stopped and removed.

use std::collections::HashMap;
use std::time::Duration;

use bollard::models::{
    ContainerCreateBody, ContainerInspectResponse, EndpointSettings, HostConfig, HostConfigLogConfig, Mount,
    MountType, NetworkConnectRequest, NetworkingConfig, RestartPolicy, RestartPolicyNameEnum,
};
use bollard::query_parameters::{CreateContainerOptions, RemoveContainerOptions, StopContainerOptions};
use tokio::sync::OwnedMutexGuard;

use super::error::{failed, found, of, status};
use super::{Docker, FINGERPRINT};
use crate::{Container, EngineError, Kind, SecretFile, State};

/// How much of its output a container keeps: two files of this size.
const LOG_SIZE: &str = "8m";
/// A resolver that cannot be reached (RFC 5737): engines before 25 would ask the machine's own resolver on behalf of
/// containers that must not reach anything (CVE-2024-29018).
const NO_RESOLVER: &str = "192.0.2.1";
/// The longest grace time, in seconds: beyond it the engine's answer would not be awaited.
const MAX_GRACE: u64 = 120;
/// How long to wait for others to come to a network or leave it.
const TURN: Duration = Duration::from_secs(5);

impl Docker {
    /// What the engine says about a container of ours; `None` where there is none.
    pub(super) async fn inspect(&self, name: &str) -> Result<Option<ContainerInspectResponse>, EngineError> {
        let answer = found(self.client().await?.inspect_container(name, None).await)?;
        Ok(answer.filter(|seen| {
            let labels = seen.config.as_ref().and_then(|config| config.labels.as_ref());
            self.ours(labels).is_some()
        }))
    }

    /// What a container of ours does, or that there is none.
    pub(super) async fn state(&self, name: &str) -> Result<State, EngineError> {
        let seen = self.container_by_name(name).await?;
        seen.map(|seen| seen.state)
            .ok_or_else(|| EngineError::NotThere { kind: Kind::Container, name: name.to_owned() })
    }

    pub(super) async fn create_container(&self, container: &Container) -> Result<(), EngineError> {
        let name = container.name.as_str();
        let mut mounts = vec![self.secrets_mount(name).await?];
        for mount in &container.mounts {
            mounts.push(self.volume_mount(mount).await?);
        }
        let mut labels = self.labels(&container.labels);
        labels.insert(FINGERPRINT.to_owned(), container.fingerprint());
        let body = ContainerCreateBody {
            image: Some(container.image.clone()),
            cmd: container.argv.clone(),
            env: Some(container.env.iter().map(|(key, value)| format!("{key}={value}")).collect()),
            user: container.user.clone(),
            stop_signal: container.stop_signal.clone(),
            labels: Some(labels),
            host_config: Some(host_config(container, mounts)),
            networking_config: Some(networking(container)),
            ..ContainerCreateBody::default()
        };
        let options =
            CreateContainerOptions { name: Some(name.to_owned()), ..CreateContainerOptions::default() };
        let answer = self.client().await?.create_container(Some(options), body).await;
        match answer {
            Ok(_) => Ok(()),
            Err(error) if status(&error) == Some(409) => self.compare(container).await,
            Err(error) => Err(of(Kind::Image, &container.image)(error)),
        }
    }

    /// The name is taken: by the same container, by another of ours, or by somebody else's.
    async fn compare(&self, container: &Container) -> Result<(), EngineError> {
        let name = container.name.clone();
        match self.container_by_name(&name).await? {
            Some(seen) if seen.fingerprint == container.fingerprint() => Ok(()),
            Some(_) => Err(EngineError::Different { kind: Kind::Container, name }),
            None if found(self.client().await?.inspect_container(&name, None).await)?.is_some() => {
                Err(EngineError::Refused(format!("the container {name} belongs to somebody else")))
            }
            None => Err(EngineError::Failed(format!("the container {name} was just removed"))),
        }
    }

    /// Engines miscount a network's endpoints when several come and go at the same moment, and then refuse to remove it
    /// (moby issue 42119): so they come and go one after the other. Who waits too long goes on all the same, so that a
    /// program that does not end holds up nobody.
    async fn endpoint_turn(&self, name: &str) -> Result<Vec<OwnedMutexGuard<()>>, EngineError> {
        let networks = self.container_by_name(name).await?.map(|seen| seen.networks).unwrap_or_default();
        let mut turns = Vec::new();
        // They are sorted, so that no two wait for each other.
        for network in networks {
            turns.extend(self.network_turn(&network).await);
        }
        Ok(turns)
    }

    async fn network_turn(&self, network: &str) -> Option<OwnedMutexGuard<()>> {
        let name = format!("network {network}");
        tokio::time::timeout(TURN, self.making.turn(&name)).await.ok()
    }

    pub(super) async fn join_network(
        &self,
        name: &str,
        network: &str,
        aliases: &[String],
    ) -> Result<(), EngineError> {
        if self.is_in(name, network).await? {
            return Ok(());
        }
        let _turn = self.network_turn(network).await;
        let endpoint = EndpointSettings { aliases: Some(aliases.to_vec()), ..EndpointSettings::default() };
        let request = NetworkConnectRequest { container: name.to_owned(), endpoint_config: Some(endpoint) };
        match self.client().await?.connect_network(network, request).await {
            Ok(()) => Ok(()),
            // Somebody else did it meanwhile.
            Err(_) if self.is_in(name, network).await? => Ok(()),
            Err(error) => Err(of(Kind::Network, network)(error)),
        }
    }

    /// Whether a container of ours is in a network.
    async fn is_in(&self, name: &str, network: &str) -> Result<bool, EngineError> {
        let seen = self.container_by_name(name).await?;
        let seen =
            seen.ok_or_else(|| EngineError::NotThere { kind: Kind::Container, name: name.to_owned() })?;
        Ok(seen.networks.iter().any(|known| known == network))
    }

    pub(super) async fn start_container(
        &self,
        name: &str,
        secrets: &[SecretFile],
    ) -> Result<(), EngineError> {
        let state = self.state(name).await?;
        self.write_secrets(name, secrets).await?;
        if matches!(state, State::Running | State::Paused) {
            return Ok(());
        }
        let _turn = self.endpoint_turn(name).await?;
        let answer = self.client().await?.start_container(name, None).await;
        answer.map_err(|error| match status(&error) {
            // A network or volume that is gone is also "not found"; the text says which.
            Some(404) => EngineError::Failed(error.to_string()),
            _ => failed(error),
        })
    }

    pub(super) async fn stop_container(&self, name: &str, grace: Duration) -> Result<(), EngineError> {
        match self.container_by_name(name).await?.map(|seen| seen.state) {
            Some(State::Paused) => self.unpause_container(name).await?,
            Some(State::Running) => {}
            _ => return Ok(()),
        }
        let grace = i32::try_from(grace.as_secs().min(MAX_GRACE)).unwrap_or(i32::MAX);
        let options = StopContainerOptions { t: Some(grace), signal: None };
        let _turn = self.endpoint_turn(name).await?;
        found(self.client().await?.stop_container(name, Some(options)).await).map(drop)
    }

    pub(super) async fn pause_container(&self, name: &str) -> Result<(), EngineError> {
        match self.state(name).await? {
            State::Paused => Ok(()),
            State::Running => {
                self.client().await?.pause_container(name).await.map_err(of(Kind::Container, name))
            }
            _ => Err(EngineError::NotRunning(name.to_owned())),
        }
    }

    pub(super) async fn unpause_container(&self, name: &str) -> Result<(), EngineError> {
        match self.state(name).await? {
            State::Running => Ok(()),
            State::Paused => {
                self.client().await?.unpause_container(name).await.map_err(of(Kind::Container, name))
            }
            _ => Err(EngineError::NotRunning(name.to_owned())),
        }
    }

    pub(super) async fn remove_container(&self, name: &str) -> Result<(), EngineError> {
        if self.inspect(name).await?.is_some() {
            let _turn = self.endpoint_turn(name).await?;
            // `v` also removes the volumes that an image declares and nobody asked for.
            let options = RemoveContainerOptions { force: true, v: true, link: false };
            found(self.client().await?.remove_container(name, Some(options)).await)?;
        }
        self.remove_secrets(name).await
    }
}

/// Its place in its network.
fn networking(container: &Container) -> NetworkingConfig {
    let endpoint =
        EndpointSettings { aliases: Some(container.aliases.clone()), ..EndpointSettings::default() };
    NetworkingConfig { endpoints_config: Some(HashMap::from([(container.network.clone(), endpoint)])) }
}

/// What it is allowed to do, and what not.
fn host_config(container: &Container, mounts: Vec<Mount>) -> HostConfig {
    let limits = container.limits;
    let memory = i64::try_from(limits.memory_bytes).unwrap_or(i64::MAX);
    let tmpfs = container.tmpfs.iter().map(|folder| {
        let options = format!("rw,noexec,nosuid,nodev,mode=1777,size={}", folder.size_bytes);
        (folder.path.clone(), options)
    });
    let log = HashMap::from([
        ("max-size".to_owned(), LOG_SIZE.to_owned()),
        ("max-file".to_owned(), "2".to_owned()),
    ]);
    HostConfig {
        network_mode: Some(container.network.clone()),
        mounts: Some(mounts),
        tmpfs: Some(tmpfs.collect()),
        readonly_rootfs: Some(container.read_only_root),
        nano_cpus: Some(i64::from(limits.cpu_millis) * 1_000_000),
        memory: Some(memory),
        // The same as the memory: no swap.
        memory_swap: Some(memory),
        pids_limit: Some(i64::from(limits.pids)),
        cap_drop: Some(vec!["ALL".to_owned()]),
        cap_add: Some(container.capabilities.iter().map(|power| power.as_str().to_owned()).collect()),
        security_opt: Some(vec!["no-new-privileges".to_owned()]),
        restart_policy: Some(RestartPolicy {
            name: Some(RestartPolicyNameEnum::NO),
            maximum_retry_count: None,
        }),
        log_config: Some(HostConfigLogConfig { typ: Some("json-file".to_owned()), config: Some(log) }),
        dns: (!container.outside).then(|| vec![NO_RESOLVER.to_owned()]),
        ipc_mode: Some("private".to_owned()),
        oom_score_adj: Some(0),
        ..HostConfig::default()
    }
}

/// A folder of ours in a container.
pub(super) fn bind(source: String, target: &str, read_only: bool) -> Mount {
    Mount {
        typ: Some(MountType::BIND),
        source: Some(source),
        target: Some(target.to_owned()),
        read_only: Some(read_only),
        ..Mount::default()
    }
}
