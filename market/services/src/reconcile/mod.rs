//! Makes true what is wanted, and keeps it true: looks at the database and the engine, never at what happened in between,
//! so that a kill at any point, or somebody else's hand on the engine, is just another thing to be seen and mended.

mod backup;
mod collect;
mod doors;
pub(crate) mod exec;
mod lease;
mod plan;
mod probe;
mod settle;
mod target;
mod turn;
mod warm;
mod watch;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use containers::{EngineError, SeenContainer, Single, State};
use futures_util::StreamExt as _;
use kernel::Timestamp;
use store::{StoreError, Tx};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, sleep, timeout};

use self::doors::Told;
use self::lease::{Lease, RENEW};
use self::watch::Watch;
use crate::deployment::{Deployment, Status};
use crate::error::ServiceError;
use crate::figures::Sampler;
use crate::{DeploymentId, Services, sql};

pub use self::doors::Doors;
pub(crate) use self::target::Target;

/// How often everything is looked at, whatever was heard.
const LOOK: Duration = Duration::from_secs(2);
/// How often the engine is asked for all that it has.
const OBSERVE: Duration = Duration::from_secs(10);
/// How often figures are taken.
const SAMPLE: Duration = Duration::from_secs(15);
/// How often it is looked whether what runs is paid.
const PAID: Duration = Duration::from_secs(5);
/// How long the engine may take to say what it has.
const PATIENCE: Duration = Duration::from_secs(15);

/// The orchestrator of one process. Cheap to clone.
#[derive(Clone)]
pub struct Reconciler {
    pub(crate) room: Services,
    inner: Arc<Inner>,
}

struct Inner {
    lease: Lease,
    doors: Told,
    free: Arc<Semaphore>,
    watches: Mutex<HashMap<DeploymentId, Watch>>,
    sampler: tokio::sync::Mutex<Sampler>,
    /// The networks that are being made, by whose they are.
    networks: Single,
    /// What is being worked on, and whether it is to be looked at once more afterwards.
    under_way: Mutex<HashMap<DeploymentId, bool>>,
}

/// What stopped a look at everything.
#[derive(Debug, thiserror::Error)]
enum LookError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl Services {
    /// The orchestrator on this room's engine.
    #[must_use]
    pub fn reconciler(&self, doors: Doors) -> Reconciler {
        let inner = Inner {
            lease: Lease::new(self.store.clone(), self.clock.clone()),
            doors: Told::new(doors),
            free: Arc::new(Semaphore::new(self.settings.at_once)),
            watches: Mutex::default(),
            sampler: tokio::sync::Mutex::default(),
            networks: Single::default(),
            under_way: Mutex::default(),
        };
        Reconciler { room: self.clone(), inner: Arc::new(inner) }
    }
}

impl Reconciler {
    /// Makes true what is wanted; never ends. Safe to drop at any point. Of several processes one works, the others wait
    /// until it is gone.
    pub async fn run(&self) {
        loop {
            match self.inner.lease.take().await {
                Ok(true) => self.lead().await,
                Ok(false) => {}
                Err(error) => tracing::warn!(%error, "the orchestrator's lease could not be taken"),
            }
            sleep(RENEW).await;
        }
    }

    /// Works while the lease is held.
    async fn lead(&self) {
        tracing::debug!("this process orchestrates");
        let mut turns = JoinSet::new();
        let mut changes = self.room.engine.changes().await.ok();
        let mut observed: Option<Instant> = None;
        let mut renew = tokio::time::interval(RENEW);
        let mut look = tokio::time::interval(LOOK);
        let mut sample = tokio::time::interval(SAMPLE);
        let mut sampling = JoinSet::new();
        let mut backup = JoinSet::new();
        let mut tending = JoinSet::new();
        let mut paid = tokio::time::interval(PAID);
        let mut settling = JoinSet::new();
        for interval in [&mut renew, &mut look, &mut sample, &mut paid] {
            interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        }
        loop {
            let news = async {
                match &mut changes {
                    Some(stream) => stream.next().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                _ = renew.tick() => {
                    while turns.try_join_next().is_some() {}
                    if !matches!(self.inner.lease.take().await, Ok(true)) && !self.inner.lease.is_held() {
                        break;
                    }
                }
                () = self.room.wake.work.notified() => {
                    for id in self.changed() {
                        self.watch(&id, |watch| watch.next = None);
                        self.begin(&mut turns, id);
                    }
                }
                name = news => match name.as_deref().map(named) {
                    Some(Some(id)) => {
                        self.watch(&id, |watch| watch.next = None);
                        self.begin(&mut turns, id);
                    }
                    Some(None) => {}
                    None => (changes, observed) = (None, None),
                },
                _ = sample.tick() => self.begin_sample(&mut sampling),
                _ = paid.tick() => self.begin_settling(&mut settling),
                () = self.room.wake.paid.notified() => self.begin_settling(&mut settling),
                Some(_) = settling.join_next() => {}
                Some(_) = backup.join_next() => {}
                Some(_) = tending.join_next() => {}
                Some(_) = sampling.join_next() => {}
                _ = look.tick() => {
                    let whole = observed.is_none_or(|at| at.elapsed() >= OBSERVE);
                    match self.look(&mut turns, whole).await {
                        Ok(()) if whole => observed = Some(Instant::now()),
                        Ok(()) => {}
                        Err(error) => tracing::warn!(%error, "deployments could not be looked at"),
                    }
                    self.begin_backup(&mut backup).await;
                    self.begin_tending(&mut tending);
                    if changes.is_none() {
                        changes = self.room.engine.changes().await.ok();
                    }
                }
            }
        }
        tracing::debug!("another process orchestrates from now on");
        turns.shutdown().await;
        self.under_way().clear();
    }

    /// Takes the figures, unless that is done already.
    fn begin_sample(&self, sampling: &mut JoinSet<()>) {
        if sampling.is_empty() {
            let this = self.clone();
            sampling.spawn(async move {
                let mut sampler = this.inner.sampler.lock().await;
                if let Err(error) = this.sample(&mut sampler).await {
                    tracing::warn!(%error, "figures of deployments could not be taken");
                }
            });
        }
    }

    /// Sees that what runs is paid, unless that is done already.
    fn begin_settling(&self, settling: &mut JoinSet<()>) {
        if settling.is_empty() {
            let room = self.room.clone();
            settling.spawn(async move {
                if let Err(error) = room.settle_paid().await {
                    tracing::warn!(%error, "it could not be looked whether deployments are paid");
                }
                if let Err(error) = room.tell_usage().await {
                    tracing::warn!(%error, "the billing was not told what was used; it is told again");
                }
            });
        }
    }

    /// Makes the next backup, one at a time.
    async fn begin_backup(&self, backup: &mut JoinSet<()>) {
        if backup.is_empty()
            && let Ok(Some(next)) = self.next_backup().await
        {
            let this = self.clone();
            backup.spawn(async move { this.make_backup(next).await });
        }
    }

    /// Looks at everything once and brings it as far as it gets, for tests that have their own time. Gives whether
    /// anything was to be done.
    ///
    /// # Errors
    /// In words, when the database or the engine could not be asked.
    pub async fn pass(&self) -> Result<bool, String> {
        self.inner.lease.take().await.map_err(|error| error.to_string())?;
        let mut turns = JoinSet::new();
        for id in self.changed() {
            self.watch(&id, |watch| watch.next = None);
        }
        self.look(&mut turns, true).await.map_err(|error| error.to_string())?;
        let worked = !turns.is_empty();
        while turns.join_next().await.is_some() {}
        if let Ok(Some(next)) = self.next_backup().await {
            self.make_backup(next).await;
        }
        self.tend_spares().await.map_err(|error| error.to_string())?;
        self.sample(&mut *self.inner.sampler.lock().await).await.map_err(|error| error.to_string())?;
        Ok(worked)
    }

    /// Gives the lease back, so that the next process need not wait.
    pub async fn leave(&self) {
        self.inner.lease.leave().await;
    }

    fn changed(&self) -> Vec<DeploymentId> {
        std::mem::take(&mut *self.room.wake.changed.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Looks at all that there is, begins what is to be done, and takes away what belongs to nothing. What the engine has
    /// is asked for before the database, so that whatever the engine has was in the database at that time, or is gone.
    async fn look(&self, turns: &mut JoinSet<()>, whole: bool) -> Result<(), LookError> {
        let seen = if whole {
            let asked = timeout(PATIENCE, self.room.engine.seen()).await;
            Some(asked.map_err(|_| EngineError::Unreachable("it does not answer in time".to_owned()))?)
        } else {
            None
        };
        let list = async |tx: &mut Tx| tx.all::<Deployment>(&sql::LIST_LIVE, &[]).await;
        let live = self.room.store.read(list).await?;
        let known: HashSet<&DeploymentId> = live.iter().map(|deployment| &deployment.id).collect();
        self.watches().retain(|id, _| known.contains(id));
        let seen = match seen {
            Some(seen) => Some(seen?),
            None => None,
        };
        if let Some(seen) = &seen {
            self.learn_addresses(&live, &seen.containers).await;
            self.collect(&live, seen).await;
        }
        if let Err(error) = self.tell_doors(&live).await {
            tracing::warn!(%error, "the relay could not be told which port leads where; it is told again");
        }
        let containers: Option<HashMap<&str, &SeenContainer>> = seen.as_ref().map(|seen| {
            seen.containers.iter().map(|container| (container.name.as_str(), container)).collect()
        });
        let now = self.room.clock.now();
        for deployment in &live {
            let name = deployment.engine_name();
            let found = containers.as_ref().map(|containers| containers.get(name.as_str()).copied());
            let due = self.watch(&deployment.id, |watch| watch.is_due(now));
            if needs_work(deployment, found, due, now) {
                self.begin(turns, deployment.id.clone());
            }
        }
        Ok(())
    }

    /// Works on a deployment, unless that is done already: then it is looked at once more afterwards.
    fn begin(&self, turns: &mut JoinSet<()>, id: DeploymentId) {
        {
            let mut under_way = self.under_way();
            if let Some(again) = under_way.get_mut(&id) {
                *again = true;
                return;
            }
            under_way.insert(id.clone(), false);
        }
        let this = self.clone();
        turns.spawn(async move {
            loop {
                let Ok(permit) = this.inner.free.clone().acquire_owned().await else { return };
                this.turn(&id).await;
                drop(permit);
                let mut under_way = this.under_way();
                match under_way.get_mut(&id) {
                    Some(again) if *again => *again = false,
                    _ => {
                        under_way.remove(&id);
                        break;
                    }
                }
            }
        });
    }

    /// What the engine has of a deployment that was worked on by this process.
    pub(crate) fn known_target(&self, id: &DeploymentId) -> Option<Arc<Target>> {
        self.watch(id, |watch| watch.target.clone())
    }

    /// Where a deployment's port is, while it serves.
    pub(crate) fn known_address(&self, id: &DeploymentId) -> Option<std::net::SocketAddr> {
        self.watch(id, |watch| watch.address)
    }

    /// How long the latest answers of a deployment took on average, in microseconds.
    pub(crate) fn answer_us(&self, id: &DeploymentId) -> u64 {
        self.watch(id, |watch| {
            let count = watch.took.len() as u64;
            watch.took.iter().map(|took| u64::from(*took)).sum::<u64>().checked_div(count).unwrap_or(0)
        })
    }

    fn watches(&self) -> MutexGuard<'_, HashMap<DeploymentId, Watch>> {
        self.inner.watches.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn watch<T>(&self, id: &DeploymentId, with: impl FnOnce(&mut Watch) -> T) -> T {
        with(self.watches().entry(id.clone()).or_default())
    }

    fn under_way(&self) -> MutexGuard<'_, HashMap<DeploymentId, bool>> {
        self.inner.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The deployment that something on the engine belongs to.
fn named(name: &str) -> Option<DeploymentId> {
    name.strip_prefix("fondaco-")?.parse().ok()
}

/// Whether there is anything to do for a deployment, as far as can be told without asking further. `found` is what the
/// engine has; absent when it was not asked.
fn needs_work(
    deployment: &Deployment,
    found: Option<Option<&SeenContainer>>,
    due: bool,
    now: Timestamp,
) -> bool {
    let runs = found.map(|found| found.map(|container| &container.state));
    let is_up = matches!(runs, Some(Some(State::Running | State::Paused)));
    match deployment.status {
        Status::Deleting if deployment.is_to_vanish(now) => due,
        Status::Deleting | Status::Stopped => is_up,
        Status::Running | Status::Degraded => {
            due || runs.is_some_and(|state| !matches!(state, Some(State::Running)))
        }
        Status::Provisioning | Status::Stopping | Status::Failed => due,
        Status::Deleted => false,
    }
}

/// What ended a turn early.
#[derive(Debug, thiserror::Error)]
enum TurnError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Room(#[from] ServiceError),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error("the relay cannot be told: {0}")]
    Relay(#[from] relay::RelayError),
    /// It was changed meanwhile, or something else happened to it: look again.
    #[error("it changed meanwhile")]
    Changed,
    /// Another process orchestrates now.
    #[error("the lease is lost")]
    NotHeld,
}
