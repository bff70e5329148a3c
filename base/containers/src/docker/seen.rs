//! What is there: one list call for each kind of thing. The list lacks when a container was started and why it ended;
//! that is asked for each, and for those that run only once in their life.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use bollard::models::{
    ContainerInspectResponse, ContainerState, ContainerStateStatusEnum, ContainerSummary, Ipam,
};
use bollard::models::{ContainerSummaryStateEnum, EndpointSettings};
use bollard::query_parameters::{ListContainersOptions, ListNetworksOptions};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use kernel::Timestamp;

use super::error::failed;
use super::{Docker, FINGERPRINT};
use crate::{EngineError, Labels, Seen, SeenContainer, SeenNetwork, State};

/// How many questions are asked at once.
const AT_ONCE: usize = 8;

/// When containers were started, by the id of their network endpoint, which is another one after each start.
#[derive(Debug, Default)]
pub(super) struct Started(Mutex<HashMap<String, Timestamp>>);

impl Started {
    fn get(&self, endpoint: &str) -> Option<Timestamp> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(endpoint).copied()
    }

    /// Keeps only these.
    fn set(&self, known: HashMap<String, Timestamp>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = known;
    }
}

impl Docker {
    pub(super) async fn everything(&self) -> Result<Seen, EngineError> {
        let (containers, networks, volumes) =
            tokio::try_join!(self.containers(), self.networks(), self.seen_volumes())?;
        Ok(Seen { containers, networks, volumes })
    }

    pub(super) async fn list(&self) -> Result<Vec<ContainerSummary>, EngineError> {
        let options = ListContainersOptions {
            all: true,
            filters: Some(self.filter()),
            ..ListContainersOptions::default()
        };
        self.client().await?.list_containers(Some(options)).await.map_err(failed)
    }

    async fn containers(&self) -> Result<Vec<SeenContainer>, EngineError> {
        let listed = self.list().await?;
        let asked = listed.into_iter().map(|summary| self.complete(summary));
        let seen: Vec<_> = stream::iter(asked).buffered(AT_ONCE).try_collect().await?;
        let seen: Vec<_> = seen.into_iter().flatten().collect();
        let started =
            |(seen, endpoint): &(SeenContainer, Option<String>)| Some((endpoint.clone()?, seen.started_at?));
        self.started.set(seen.iter().filter_map(started).collect());
        Ok(seen.into_iter().map(|(seen, _)| seen).collect())
    }

    /// The listed container with its endpoint; `None` when it disappeared meanwhile.
    async fn complete(
        &self,
        listed: ContainerSummary,
    ) -> Result<Option<(SeenContainer, Option<String>)>, EngineError> {
        let networks = listed.network_settings.and_then(|settings| settings.networks).unwrap_or_default();
        let home = listed.host_config.and_then(|config| config.network_mode).unwrap_or_default();
        let endpoint = endpoint(&networks, &home).and_then(|endpoint| endpoint.endpoint_id.clone());
        let endpoint = endpoint.filter(|id| !id.is_empty());
        let state = match listed.state {
            Some(ContainerSummaryStateEnum::RUNNING) => Some(State::Running),
            Some(ContainerSummaryStateEnum::PAUSED) => Some(State::Paused),
            _ => None,
        };
        let started_at = endpoint.as_deref().and_then(|endpoint| self.started.get(endpoint));
        let name = listed.names.unwrap_or_default().into_iter().next().unwrap_or_default();
        let name = name.trim_start_matches('/').to_owned();
        let (labels, fingerprint) = (self.ours(listed.labels.as_ref()), fingerprint(listed.labels.as_ref()));
        if let (Some(state), Some(labels), Some(_)) = (state, labels, started_at) {
            let (address, networks) = (address(&networks, &home), names(&networks));
            let seen = SeenContainer { name, labels, fingerprint, state, networks, address, started_at };
            return Ok(Some((seen, endpoint)));
        }
        Ok(self.container_by_name(&name).await?.map(|seen| (seen, endpoint)))
    }

    /// One container of ours.
    pub(super) async fn container_by_name(&self, name: &str) -> Result<Option<SeenContainer>, EngineError> {
        let Some(seen) = self.inspect(name).await? else { return Ok(None) };
        let labels = seen.config.as_ref().and_then(|config| config.labels.as_ref());
        Ok(self.ours(labels).map(|own| of_inspected(name, own, seen)))
    }

    async fn networks(&self) -> Result<Vec<SeenNetwork>, EngineError> {
        let options = ListNetworksOptions { filters: Some(self.filter()) };
        let listed = self.client().await?.list_networks(Some(options)).await.map_err(failed)?;
        let seen = listed.into_iter().filter_map(|network| {
            let labels = self.ours(network.labels.as_ref())?;
            Some(SeenNetwork { name: network.name?, labels, subnet: subnet(network.ipam.as_ref()) })
        });
        Ok(seen.collect())
    }
}

/// The addresses of a network.
pub(super) fn subnet(ipam: Option<&Ipam>) -> Option<ipnet::Ipv4Net> {
    ipam?.config.as_ref()?.iter().find_map(|config| config.subnet.as_ref()?.parse().ok())
}

type Endpoints = HashMap<String, EndpointSettings>;

/// Its place in the network that it was made in, or in the first of the others.
fn endpoint<'a>(networks: &'a Endpoints, home: &str) -> Option<&'a EndpointSettings> {
    networks
        .get(home)
        .or_else(|| networks.iter().min_by_key(|(name, _)| name.as_str()).map(|(_, place)| place))
}

fn address(networks: &Endpoints, home: &str) -> Option<IpAddr> {
    endpoint(networks, home)?.ip_address.as_ref()?.parse().ok()
}

fn names(networks: &Endpoints) -> Vec<String> {
    let mut names: Vec<String> = networks.keys().cloned().collect();
    names.sort_unstable();
    names
}

fn fingerprint(labels: Option<&HashMap<String, String>>) -> String {
    labels.and_then(|labels| labels.get(FINGERPRINT)).cloned().unwrap_or_default()
}

fn of_inspected(name: &str, labels: Labels, seen: ContainerInspectResponse) -> SeenContainer {
    let fingerprint = fingerprint(seen.config.and_then(|config| config.labels).as_ref());
    let networks = seen.network_settings.and_then(|settings| settings.networks).unwrap_or_default();
    let home = seen.host_config.and_then(|config| config.network_mode).unwrap_or_default();
    let state = seen.state.unwrap_or_default();
    SeenContainer {
        name: name.to_owned(),
        labels,
        fingerprint,
        address: address(&networks, &home),
        networks: names(&networks),
        started_at: time(state.started_at.as_deref()),
        state: of_state(state),
    }
}

fn of_state(state: ContainerState) -> State {
    match state.status {
        // A container whose first start failed is still "created", with a code and a reason.
        Some(ContainerStateStatusEnum::CREATED) if state.exit_code.unwrap_or(0) == 0 => State::Created,
        Some(ContainerStateStatusEnum::RUNNING) => State::Running,
        Some(ContainerStateStatusEnum::PAUSED) => State::Paused,
        Some(ContainerStateStatusEnum::CREATED | ContainerStateStatusEnum::EXITED) => State::Exited {
            code: state.exit_code.unwrap_or(-1),
            out_of_memory: state.oom_killed.unwrap_or(false),
            at: time(state.finished_at.as_deref()),
            error: state.error.filter(|text| !text.is_empty()),
        },
        other => State::Other(other.map(|status| status.to_string()).unwrap_or_default()),
    }
}

/// The engine writes the year 1 for "never".
fn time(text: Option<&str>) -> Option<Timestamp> {
    text?.parse().ok().filter(|time: &Timestamp| time.secs() > 0)
}
