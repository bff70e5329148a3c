//! The state of a machine in memory and how it changes.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use kernel::Timestamp;
use tokio::sync::broadcast;

use super::Faults;
use super::chance::Chance;
use super::program::{Course, course};
use crate::{
    Container, EngineError, Image, Kind, LogLine, Network, SecretFile, SeenContainer, State, Stream, Volume,
};

/// How many lines a container keeps, as real engines bound their logs.
const LOG_LINES: usize = 1000;

#[derive(Debug)]
pub(super) struct Machine {
    pub(super) images: BTreeMap<String, Image>,
    pub(super) containers: BTreeMap<String, Cell>,
    pub(super) networks: BTreeMap<String, Owned<Network>>,
    pub(super) volumes: BTreeMap<String, Owned<Disk>>,
    pub(super) faults: Faults,
    pub(super) chance: Chance,
    pub(super) calls: u64,
    pub(super) unreachable: bool,
    /// Installation and name of what changed.
    pub(super) news: broadcast::Sender<(String, String)>,
}

/// Something with the installation that made it.
#[derive(Debug)]
pub(super) struct Owned<T> {
    pub(super) installation: String,
    pub(super) thing: T,
}

#[derive(Debug)]
pub(super) struct Disk {
    pub(super) volume: Volume,
    pub(super) ready: bool,
}

/// A container with all it has.
#[derive(Debug)]
pub(super) struct Cell {
    pub(super) installation: String,
    pub(super) made_from: Container,
    pub(super) fingerprint: String,
    pub(super) state: State,
    /// Sorted.
    pub(super) networks: BTreeSet<String>,
    pub(super) address: Option<IpAddr>,
    pub(super) started_at: Option<Timestamp>,
    pub(super) secrets: BTreeMap<String, SecretFile>,
    pub(super) log: Vec<LogLine>,
}

impl Default for Machine {
    fn default() -> Self {
        Self {
            images: BTreeMap::new(),
            containers: BTreeMap::new(),
            networks: BTreeMap::new(),
            volumes: BTreeMap::new(),
            faults: Faults::default(),
            chance: Chance::default(),
            calls: 0,
            unreachable: false,
            news: broadcast::Sender::new(1024),
        }
    }
}

impl Cell {
    pub(super) fn runs(&self) -> bool {
        matches!(self.state, State::Running | State::Paused)
    }

    pub(super) fn seen(&self) -> SeenContainer {
        SeenContainer {
            name: self.made_from.name.clone(),
            labels: self.made_from.labels.clone(),
            fingerprint: self.fingerprint.clone(),
            state: self.state.clone(),
            networks: self.networks.iter().cloned().collect(),
            address: self.address,
            started_at: self.started_at,
        }
    }

    fn end(&mut self, code: i64, at: Timestamp) {
        self.state = State::Exited { code, out_of_memory: false, at: Some(at), error: None };
        self.address = None;
    }
}

impl Machine {
    /// The container of this installation.
    pub(super) fn find(&mut self, installation: &str, name: &str) -> Result<&mut Cell, EngineError> {
        let found = self.containers.get_mut(name).filter(|found| found.installation == installation);
        found.ok_or_else(|| EngineError::NotThere { kind: Kind::Container, name: name.to_owned() })
    }

    /// Starts a container that does not run; its network and volumes must be there.
    pub(super) fn start(
        &mut self,
        installation: &str,
        name: &str,
        now: Timestamp,
    ) -> Result<(), EngineError> {
        let container = self.find(installation, name)?;
        if container.runs() {
            return Ok(());
        }
        let made_from = container.made_from.clone();
        for mount in &made_from.mounts {
            if !self.volumes.get(&mount.volume).is_some_and(|volume| volume.thing.ready) {
                return Err(EngineError::Failed(format!("the volume {} is not ready", mount.volume)));
            }
        }
        let address = self.free_address(&made_from.network)?;
        let container = self.find(installation, name)?;
        container.started_at = Some(now);
        match course(made_from.argv.as_deref().unwrap_or_default(), &container.secrets) {
            Course::Runs => {
                container.state = State::Running;
                container.address = Some(address);
            }
            Course::Ends { code, stdout, stderr } => {
                let said = [(Stream::Stdout, stdout), (Stream::Stderr, stderr)];
                for (stream, said) in said {
                    let line = |text: &str| LogLine { at: now, stream, text: text.to_owned() };
                    container.log.extend(said.lines().map(line));
                }
                let surplus = container.log.len().saturating_sub(LOG_LINES);
                container.log.drain(..surplus);
                container.end(code, now);
            }
        }
        self.tell(name);
        Ok(())
    }

    /// The lowest address of the network that nobody has; the first is this machine's own.
    fn free_address(&self, network: &str) -> Result<IpAddr, EngineError> {
        let subnet = match self.networks.get(network) {
            Some(found) => found.thing.subnet,
            None => return Err(EngineError::Failed(format!("there is no network {network}"))),
        };
        let taken = |address: &Ipv4Addr| {
            let address = Some(IpAddr::V4(*address));
            self.containers
                .values()
                .any(|other| other.made_from.network == network && other.address == address)
        };
        let free = subnet.hosts().skip(1).find(|address| !taken(address));
        free.map(IpAddr::V4).ok_or_else(|| EngineError::Failed(format!("no address is free in {subnet}")))
    }

    pub(super) fn exit(&mut self, name: &str, code: i64, now: Timestamp) {
        if let Some(container) = self.containers.get_mut(name).filter(|container| container.runs()) {
            container.end(code, now);
            self.tell(name);
        }
    }

    pub(super) fn freeze(&mut self, name: &str) {
        self.turn(name, &State::Running, State::Paused);
    }

    pub(super) fn thaw(&mut self, name: &str) {
        self.turn(name, &State::Paused, State::Running);
    }

    fn turn(&mut self, name: &str, from: &State, to: State) {
        if let Some(container) = self.containers.get_mut(name).filter(|container| container.state == *from) {
            container.state = to;
            self.tell(name);
        }
    }

    pub(super) fn vanish(&mut self, name: &str) {
        self.tell(name);
        self.containers.remove(name);
    }

    pub(super) fn reboot(&mut self, now: Timestamp) {
        let names: Vec<_> = self.containers.keys().cloned().collect();
        for name in names {
            self.exit(&name, 255, now);
        }
        for volume in self.volumes.values_mut() {
            volume.thing.ready = false;
        }
    }

    /// One thing happens behind everybody's back.
    pub(super) fn mischief(&mut self, now: Timestamp) {
        let victim = self.chance.below(self.containers.len());
        let Some(name) = self.containers.keys().nth(victim).cloned() else { return };
        match self.chance.below(4) {
            0 => self.exit(&name, 137, now),
            1 => self.freeze(&name),
            2 => self.thaw(&name),
            _ => self.vanish(&name),
        }
    }

    pub(super) fn tell(&self, name: &str) {
        if let Some(container) = self.containers.get(name) {
            // Without anybody who listens this is an error, and no news.
            let _ = self.news.send((container.installation.clone(), name.to_owned()));
        }
    }
}
