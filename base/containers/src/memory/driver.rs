//! What a machine in memory does when it is asked.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{FutureExt as _, StreamExt as _, future, stream};
use tokio::io::AsyncReadExt as _;
use tokio_stream::wrappers::BroadcastStream;

use super::machine::{Cell, Disk, Machine, Owned};
use super::{Memory, program};
use crate::check;
use crate::{
    About, Answer, ChangeStream, Container, Driver, EngineError, Exec, Image, Kind, LogStream, Logs, Network,
    Output, Running, SecretFile, Seen, SeenContainer, SeenNetwork, SeenVolume, State, Stdin, Stream, Usage,
    Volume,
};

/// How much a command may be told at once before it reads.
const PIPE_BYTES: usize = 64 * 1024;

/// The answer of a call that is made when it is awaited, not before, as on a real engine.
fn answer<'a, T: Send + 'a>(act: impl FnOnce() -> Result<T, EngineError> + Send + 'a) -> Answer<'a, T> {
    future::lazy(|_| act()).boxed()
}

fn not_there(kind: Kind, name: &str) -> EngineError {
    EngineError::NotThere { kind, name: name.to_owned() }
}

impl Driver for Memory {
    fn about(&self) -> Answer<'_, About> {
        answer(|| {
            self.call(|_| {
                Ok(About {
                    name: "memory".to_owned(),
                    version: env!("CARGO_PKG_VERSION").to_owned(),
                    cpus: 2,
                    memory_bytes: 1 << 33,
                    hard_quotas: Ok(()),
                    shielded: Ok(()),
                })
            })
        })
    }

    fn image<'a>(&'a self, reference: &'a str) -> Answer<'a, Option<Image>> {
        answer(move || self.call(|machine| Ok(image(machine, reference))))
    }

    fn pull<'a>(&'a self, reference: &'a str) -> Answer<'a, Image> {
        answer(move || {
            self.call(|machine| image(machine, reference).ok_or_else(|| not_there(Kind::Image, reference)))
        })
    }

    fn seen(&self) -> Answer<'_, Seen> {
        answer(|| self.call(|machine| Ok(seen(machine, &self.installation))))
    }

    fn container<'a>(&'a self, name: &'a str) -> Answer<'a, Option<SeenContainer>> {
        answer(move || {
            self.call(|machine| Ok(machine.find(&self.installation, name).ok().map(|cell| cell.seen())))
        })
    }

    fn ensure_network<'a>(&'a self, network: &'a Network) -> Answer<'a, ()> {
        answer(move || {
            check::network(network)?;
            self.call(|machine| ensure_network(machine, &self.installation, network))
        })
    }

    fn ensure_volume<'a>(&'a self, volume: &'a Volume) -> Answer<'a, ()> {
        answer(move || {
            check::volume(volume)?;
            self.call(|machine| ensure_volume(machine, &self.installation, volume))
        })
    }

    fn create<'a>(&'a self, container: &'a Container) -> Answer<'a, ()> {
        answer(move || {
            check::container(container)?;
            self.call(|machine| create(machine, &self.installation, container))
        })
    }

    fn start<'a>(&'a self, name: &'a str, secrets: &'a [SecretFile]) -> Answer<'a, ()> {
        answer(move || {
            check::secrets(secrets)?;
            self.call(|machine| {
                let container = machine.find(&self.installation, name)?;
                container.secrets = secrets.iter().map(|file| (file.name.clone(), file.clone())).collect();
                machine.start(&self.installation, name, self.clock.now())
            })
        })
    }

    fn forget_secrets<'a>(&'a self, name: &'a str) -> Answer<'a, ()> {
        answer(move || {
            self.call(|machine| {
                if let Ok(container) = machine.find(&self.installation, name) {
                    container.secrets.clear();
                }
                Ok(())
            })
        })
    }

    fn join<'a>(&'a self, name: &'a str, network: &'a str, aliases: &'a [String]) -> Answer<'a, ()> {
        answer(move || {
            check::place(name, network, aliases)?;
            self.call(|machine| {
                let is_there = machine.networks.contains_key(network);
                let cell = machine.find(&self.installation, name)?;
                if !is_there && !cell.networks.contains(network) {
                    return Err(not_there(Kind::Network, network));
                }
                cell.networks.insert(network.to_owned());
                Ok(())
            })
        })
    }

    fn stop<'a>(&'a self, name: &'a str, _grace: Duration) -> Answer<'a, ()> {
        answer(move || {
            self.call(|machine| {
                if machine.find(&self.installation, name).is_ok() {
                    machine.exit(name, 0, self.clock.now());
                }
                Ok(())
            })
        })
    }

    fn pause<'a>(&'a self, name: &'a str) -> Answer<'a, ()> {
        answer(move || self.call(|machine| running(machine, &self.installation, name, Machine::freeze)))
    }

    fn unpause<'a>(&'a self, name: &'a str) -> Answer<'a, ()> {
        answer(move || self.call(|machine| running(machine, &self.installation, name, Machine::thaw)))
    }

    fn remove<'a>(&'a self, name: &'a str) -> Answer<'a, ()> {
        answer(move || {
            self.call(|machine| {
                if machine.find(&self.installation, name).is_ok() {
                    machine.vanish(name);
                }
                Ok(())
            })
        })
    }

    fn remove_network<'a>(&'a self, name: &'a str) -> Answer<'a, ()> {
        answer(move || {
            self.call(|machine| {
                let mine =
                    machine.networks.get(name).is_some_and(|own| *own.installation == *self.installation);
                if mine && machine.containers.values().any(|cell| cell.networks.contains(name) && cell.runs())
                {
                    return Err(EngineError::Failed(format!("the network {name} is in use")));
                }
                remove_own(&mut machine.networks, &self.installation, name);
                Ok(())
            })
        })
    }

    fn remove_volume<'a>(&'a self, name: &'a str) -> Answer<'a, ()> {
        answer(move || {
            self.call(|machine| {
                let has = |cell: &Cell| cell.made_from.mounts.iter().any(|mount| mount.volume == name);
                let mine =
                    machine.volumes.get(name).is_some_and(|own| *own.installation == *self.installation);
                if mine && machine.containers.values().any(has) {
                    return Err(EngineError::Failed(format!("a container still has the volume {name}")));
                }
                remove_own(&mut machine.volumes, &self.installation, name);
                Ok(())
            })
        })
    }

    fn exec<'a>(&'a self, name: &'a str, command: &'a Exec) -> Answer<'a, Running> {
        answer(move || {
            let secrets = self.call(|machine| {
                let container = machine.find(&self.installation, name)?;
                match container.state {
                    State::Running => Ok(container.secrets.clone()),
                    _ => Err(EngineError::NotRunning(name.to_owned())),
                }
            })?;
            Ok(run(command.clone(), secrets))
        })
    }

    fn logs<'a>(&'a self, name: &'a str, which: Logs) -> Answer<'a, LogStream> {
        answer(move || {
            let mut lines = self.call(|machine| Ok(machine.find(&self.installation, name)?.log.clone()))?;
            lines.retain(|line| which.since.is_none_or(|since| line.at >= since));
            let tail = which.tail.map_or(lines.len(), |tail| tail as usize);
            let surplus = lines.len().saturating_sub(tail);
            // Programs in memory write only when they are started, so there is nothing to follow.
            Ok(stream::iter(lines.into_iter().skip(surplus).map(Ok)).boxed())
        })
    }

    fn usage<'a>(&'a self, names: &'a [&'a str]) -> Answer<'a, Vec<Usage>> {
        answer(move || {
            self.call(|machine| {
                let now = self.clock.now();
                let mut found = Vec::new();
                for name in names {
                    if let Some(usage) = usage(machine, &self.installation, name, now) {
                        found.push(usage);
                    }
                }
                Ok(found)
            })
        })
    }

    fn changes(&self) -> Answer<'_, ChangeStream> {
        answer(|| {
            let news = self.call(|machine| Ok(machine.news.subscribe()))?;
            let installation = self.installation.clone();
            // Who is too slow has missed something, which ends the stream.
            let names = BroadcastStream::new(news)
                .take_while(|news| future::ready(news.is_ok()))
                .filter_map(|news| future::ready(news.ok()))
                .filter_map(move |(whose, name)| future::ready((*whose == *installation).then_some(name)));
            Ok(names.boxed())
        })
    }
}

fn image(machine: &Machine, reference: &str) -> Option<Image> {
    let by_id = || machine.images.values().find(|image| image.id == reference);
    machine.images.get(reference).or_else(by_id).cloned()
}

fn seen(machine: &Machine, installation: &str) -> Seen {
    let containers = machine.containers.values().filter(|cell| cell.installation == installation);
    let networks = machine.networks.values().filter(|owned| owned.installation == installation);
    let volumes = machine.volumes.values().filter(|owned| owned.installation == installation);
    Seen {
        containers: containers.map(Cell::seen).collect(),
        networks: networks
            .map(|Owned { thing: network, .. }| SeenNetwork {
                name: network.name.clone(),
                labels: network.labels.clone(),
                subnet: Some(network.subnet),
            })
            .collect(),
        volumes: volumes
            .map(|Owned { thing: Disk { volume, ready }, .. }| SeenVolume {
                name: volume.name.clone(),
                labels: volume.labels.clone(),
                size_bytes: volume.size_bytes,
                ready: *ready,
            })
            .collect(),
    }
}

fn foreign(kind: Kind, name: &str) -> EngineError {
    EngineError::Refused(format!("the {kind} {name} belongs to somebody else"))
}

fn ensure_network(machine: &mut Machine, installation: &str, network: &Network) -> Result<(), EngineError> {
    if let Some(found) = machine.networks.get(&network.name) {
        return match found {
            found if found.installation != installation => Err(foreign(Kind::Network, &network.name)),
            found if found.thing.subnet == network.subnet => Ok(()),
            _ => Err(EngineError::Different { kind: Kind::Network, name: network.name.clone() }),
        };
    }
    let overlaps = |other: ipnet::Ipv4Net| other.contains(&network.subnet) || network.subnet.contains(&other);
    if machine.networks.values().any(|other| overlaps(other.thing.subnet)) {
        return Err(EngineError::SubnetTaken(network.subnet));
    }
    let owned = Owned { installation: installation.to_owned(), thing: network.clone() };
    machine.networks.insert(network.name.clone(), owned);
    Ok(())
}

fn ensure_volume(machine: &mut Machine, installation: &str, volume: &Volume) -> Result<(), EngineError> {
    if let Some(found) = machine.volumes.get_mut(&volume.name) {
        if found.installation != installation {
            return Err(foreign(Kind::Volume, &volume.name));
        }
        let disk = &mut found.thing;
        if disk.volume.size_bytes > volume.size_bytes {
            return Err(check::shrinks(volume));
        }
        disk.volume.size_bytes = volume.size_bytes;
        disk.ready = true;
        return Ok(());
    }
    if let Some(template) = &volume.template {
        image(machine, &template.image).ok_or_else(|| not_there(Kind::Image, &template.image))?;
    }
    let disk = Disk { volume: volume.clone(), ready: true };
    machine.volumes.insert(volume.name.clone(), Owned { installation: installation.to_owned(), thing: disk });
    Ok(())
}

fn create(machine: &mut Machine, installation: &str, container: &Container) -> Result<(), EngineError> {
    if let Some(found) = machine.containers.get(&container.name) {
        return match found {
            found if found.installation != installation => Err(foreign(Kind::Container, &container.name)),
            found if found.fingerprint == container.fingerprint() => Ok(()),
            _ => Err(EngineError::Different { kind: Kind::Container, name: container.name.clone() }),
        };
    }
    image(machine, &container.image).ok_or_else(|| not_there(Kind::Image, &container.image))?;
    if !machine.networks.contains_key(&container.network) {
        return Err(not_there(Kind::Network, &container.network));
    }
    for mount in &container.mounts {
        if !machine.volumes.contains_key(&mount.volume) {
            return Err(not_there(Kind::Volume, &mount.volume));
        }
    }
    let cell = Cell {
        installation: installation.to_owned(),
        made_from: container.clone(),
        fingerprint: container.fingerprint(),
        state: State::Created,
        networks: [container.network.clone()].into(),
        address: None,
        started_at: None,
        secrets: BTreeMap::new(),
        log: Vec::new(),
    };
    machine.containers.insert(container.name.clone(), cell);
    machine.tell(&container.name);
    Ok(())
}

fn running(
    machine: &mut Machine,
    installation: &str,
    name: &str,
    act: impl FnOnce(&mut Machine, &str),
) -> Result<(), EngineError> {
    if !machine.find(installation, name)?.runs() {
        return Err(EngineError::NotRunning(name.to_owned()));
    }
    act(machine, name);
    Ok(())
}

fn remove_own<T>(things: &mut BTreeMap<String, Owned<T>>, installation: &str, name: &str) {
    if things.get(name).is_some_and(|owned| owned.installation == installation) {
        things.remove(name);
    }
}

/// Processor time is the time it has been there; all else is constant.
fn usage(machine: &mut Machine, installation: &str, name: &str, now: kernel::Timestamp) -> Option<Usage> {
    let cell = machine.find(installation, name).ok().filter(|cell| cell.runs())?;
    let since = cell.started_at?;
    let made_from = cell.made_from.clone();
    let limits = made_from.mounts.iter().filter_map(|mount| machine.volumes.get(&mount.volume));
    Some(Usage {
        name: name.to_owned(),
        cpu_us: u64::try_from(now.since(since).as_micros()).unwrap_or(u64::MAX),
        memory_bytes: 1 << 20,
        memory_limit: made_from.limits.memory_bytes,
        disk_limit: limits.map(|owned| owned.thing.volume.size_bytes).sum(),
        pids: 1,
        ..Usage::default()
    })
}

/// Runs a command: it reads its input to the end, then writes its whole output.
fn run(command: Exec, secrets: BTreeMap<String, SecretFile>) -> Running {
    let (ours, mut its) = tokio::io::duplex(PIPE_BYTES);
    let stdin = command.stdin.then(|| Box::pin(ours) as Stdin);
    let ended = async move {
        let mut input = Vec::new();
        // Nobody breaks this pipe: it ends when the other side is dropped.
        let _ = its.read_to_end(&mut input).await;
        program::command(&command.argv, &input, &secrets)
    };
    let ended = ended.boxed().shared();
    let wrote =
        ended.clone().map(|(_, stdout): (i64, Bytes)| Ok(Output { stream: Stream::Stdout, bytes: stdout }));
    let exit = ended.map(|(code, _)| Ok(code)).boxed();
    Running { stdin, output: stream::once(wrote).boxed(), exit }
}
