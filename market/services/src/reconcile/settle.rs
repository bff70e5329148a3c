//! What was seen is written down, as long as it is still what is wanted, and told to whom it concerns.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use containers::{EngineError, LogLine, Logs, SeenContainer, State, Stream};
use futures_util::StreamExt as _;
use kernel::Timestamp;
use store::{StoreError, Tx, args};

use super::doors::Door;
use super::watch::SLOWLY;
use super::{Reconciler, TurnError};
use crate::deployment::{Deployment, Status, Wanted};
use crate::error::ServiceError;
use crate::template::Given;
use crate::{DeploymentId, events as told, sql};

/// How many of the last lines are kept with a failure.
const LAST_LINES: u32 = 20;
/// The most bytes of them.
const LAST_BYTES: usize = 8 << 10;
/// The longest reason, in characters.
const MOST_WORDS: usize = 500;
/// How long they may take to read.
const PATIENCE: Duration = Duration::from_secs(3);

/// What there is to tell of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tell {
    Running,
    Degraded,
    Failed,
    Stopped,
    Deleted,
}

impl Reconciler {
    /// It answers, and its door is open.
    pub(super) async fn running(&self, known: &Deployment) -> Result<(), TurnError> {
        self.write(known, Tell::Running, String::new(), String::new()).await
    }

    /// It was up, and is not at the moment.
    pub(super) async fn degraded(&self, known: &Deployment, reason: &str) -> Result<(), TurnError> {
        let was_up = matches!(known.status, Status::Running | Status::Degraded);
        if !was_up || (known.status == Status::Degraded && known.reason == reason) {
            return Ok(());
        }
        self.write(known, Tell::Degraded, reason.to_owned(), String::new()).await
    }

    /// It does not come up.
    pub(super) async fn failed(&self, known: &Deployment, reason: &str) -> Result<(), TurnError> {
        if known.status == Status::Failed && known.reason == reason {
            return Ok(());
        }
        let lines = self.last_lines(&known.engine_name()).await;
        self.write(known, Tell::Failed, reason.to_owned(), lines).await
    }

    /// It rests, or nothing is left of it.
    pub(super) async fn settled(&self, known: &Deployment) -> Result<(), TurnError> {
        self.watch(&known.id, |watch| watch.address = None);
        match (known.wanted, known.status) {
            (Wanted::Deleted, _) if known.is_to_vanish(self.room.clock.now()) => {
                self.write(known, Tell::Deleted, String::new(), String::new()).await?;
                self.watches().remove(&known.id);
                if known.is_spare() {
                    return Ok(());
                }
                self.drop_network_if_last(known.owner.as_str()).await?;
                self.tell_all_doors().await
            }
            (Wanted::Deleted, _) | (_, Status::Stopped) => Ok(()),
            // Why it was stopped stays to be read.
            _ => self.write(known, Tell::Stopped, known.reason.clone(), String::new()).await,
        }
    }

    /// Writes a status, unless the deployment was changed since it was read: then it is looked at anew.
    async fn write(
        &self,
        known: &Deployment,
        tell: Tell,
        reason: String,
        lines: String,
    ) -> Result<(), TurnError> {
        let (this, known, now) = (self.clone(), known.clone(), self.room.clock.now());
        let write = async move |tx: &mut Tx| {
            if !this.inner.lease.check(tx, now).await? {
                return Ok(Err(TurnError::NotHeld));
            }
            let before = known.clone();
            let mut after = known.clone();
            (after.reason, after.last_lines) = (reason.clone(), lines.clone());
            apply(&mut after, tell, now);
            if !sql::save(tx, &mut after, now).await? {
                return Ok(Err(TurnError::Changed));
            }
            // What becomes of a spare concerns nobody.
            if !after.is_spare() {
                sql::note(tx, &after, now, words(&before, &after)).await?;
                announce(tx, &before, &after, tell, now).await?;
            }
            let wake = std::sync::Arc::clone(&this.room.wake);
            tx.after_commit(move || wake.done.notify_waiters());
            Ok::<_, StoreError>(Ok(()))
        };
        self.room.store.write(write).await?
    }

    /// It was brought back from a backup, or could not be; either way it is not tried again by itself.
    pub(super) async fn restored(
        &self,
        known: &Deployment,
        how: Result<(), String>,
    ) -> Result<(), TurnError> {
        let (known, now) = (known.clone(), self.room.clock.now());
        let words = match &how {
            Ok(()) => "It was brought back from a backup.".to_owned(),
            Err(why) => format!("It could not be brought back from a backup: {why}"),
        };
        let save = async move |tx: &mut Tx| {
            let mut after = known.clone();
            after.restore_from = None;
            if sql::save(tx, &mut after, now).await? {
                sql::note(tx, &after, now, &words).await?;
            }
            Ok::<_, StoreError>(())
        };
        Ok(self.room.store.write(save).await?)
    }

    /// From which image it is made, from now on.
    pub(super) async fn keep_image(&self, known: Deployment, image: &str) -> Result<Deployment, TurnError> {
        let (image, now) = (image.to_owned(), self.room.clock.now());
        let save = async move |tx: &mut Tx| {
            let mut after = known.clone();
            after.image.clone_from(&image);
            let saved = sql::save(tx, &mut after, now).await?;
            Ok::<_, StoreError>(saved.then_some(after))
        };
        self.room.store.write(save).await?.ok_or(TurnError::Changed)
    }

    /// What an error means for who waits for the deployment.
    pub(super) async fn after_error(&self, id: &DeploymentId, error: &TurnError) -> Result<(), TurnError> {
        let (TurnError::Engine(error), find) = (error, id.clone()) else { return Ok(()) };
        let find = async move |tx: &mut Tx| tx.first::<Deployment>(&sql::FIND_DEPLOYMENT, args![find]).await;
        let Some(known) = self.room.store.read(find).await? else { return Ok(()) };
        if known.wanted != Wanted::Running || known.status != Status::Provisioning {
            return Ok(());
        }
        let now = self.room.clock.now();
        let began = self.watch(id, |watch| watch.began(known.generation, now));
        let is_over = now.since(began) > Duration::from_secs(60);
        let reason = match error {
            EngineError::Refused(reason) => format!("It cannot be made: {reason}"),
            EngineError::NotThere { kind: containers::Kind::Image, name } => {
                format!("Its image {name} is not on this machine.")
            }
            _ if !is_over => return Ok(()),
            EngineError::Unreachable(_) => "The container engine does not answer.".to_owned(),
            error => format!("It cannot be made: {error}"),
        };
        self.failed(&known, &reason).await?;
        self.watch(id, |watch| {
            watch.began = None;
            watch.next = Some(now.after(SLOWLY));
        });
        Ok(())
    }

    /// The last lines that it wrote; none where they cannot be had.
    async fn last_lines(&self, name: &str) -> String {
        self.lines(name, |_| true).await
    }

    /// Those of the last lines that count.
    async fn lines(&self, name: &str, counts: fn(&LogLine) -> bool) -> String {
        let read = async {
            let which = Logs { tail: Some(LAST_LINES), since: None, follow: false };
            let Ok(mut stream) = self.room.engine.logs(name, which).await else { return String::new() };
            let mut lines = String::new();
            while let Some(Ok(line)) = stream.next().await {
                if counts(&line) && lines.len() + line.text.len() < LAST_BYTES {
                    lines.push_str(&line.text.replace('\0', ""));
                    lines.push('\n');
                }
            }
            lines
        };
        tokio::time::timeout(PATIENCE, read).await.unwrap_or_default()
    }

    /// The last line that it complained of, as a reason.
    pub(super) async fn complaint(&self, name: &str) -> String {
        let lines = self.lines(name, |line| line.stream == Stream::Stderr).await;
        let last = lines.lines().rev().map(str::trim).find(|line| !line.is_empty());
        let last: String = last.unwrap_or("Its settings are wrong.").chars().take(MOST_WORDS).collect();
        last
    }

    /// Remembers where what runs was seen to run, so that a start of this process leaves open doors open.
    pub(super) async fn learn_addresses(&self, live: &[Deployment], seen: &[SeenContainer]) {
        let by_name: HashMap<&str, &SeenContainer> =
            seen.iter().map(|container| (container.name.as_str(), container)).collect();
        let is_up = |known: &&Deployment| {
            matches!(known.status, Status::Running | Status::Degraded) && !known.is_spare()
        };
        for known in live.iter().filter(is_up) {
            let Some(found) = by_name.get(known.engine_name().as_str()) else { continue };
            let (State::Running, Some(address)) = (&found.state, found.address) else { continue };
            if self.watch(&known.id, |watch| watch.address.is_some()) {
                continue;
            }
            let Some(port) = self.port_of(known).await else { continue };
            self.watch(&known.id, |watch| watch.address.get_or_insert((address, port).into()).port());
        }
    }

    /// The port of a deployment's container; none where its template is not among those of today.
    async fn port_of(&self, known: &Deployment) -> Option<u16> {
        let template = self.room.catalogue.with_digest(&known.template)?;
        if let Given::Here(port) = template.recipe.port.number {
            return Some(port);
        }
        let (room, deployment, template) = (self.room.clone(), known.clone(), template.clone());
        let find = async move |tx: &mut Tx| {
            let chosen = room.chosen_of(tx, &deployment, &template).await?;
            Ok::<_, ServiceError>(template.recipe.port(&chosen))
        };
        self.room.store.read(find).await.ok()
    }

    /// Opens the door of one deployment, among all others.
    pub(super) async fn open_door(&self, known: &Deployment, address: SocketAddr) -> Result<(), TurnError> {
        tracing::debug!(deployment = %known.id, %address, "its port leads there now");
        let unbound = self.tell_all_doors_with_answer().await?;
        match known.port.and_then(|port| unbound.get(&port)) {
            None => Ok(()),
            Some(reason) => {
                self.watch(&known.id, |watch| watch.address = None);
                let words = format!("its port could not be opened: {reason}");
                Err(EngineError::Failed(words).into())
            }
        }
    }

    async fn tell_all_doors(&self) -> Result<(), TurnError> {
        self.tell_all_doors_with_answer().await.map(drop)
    }

    async fn tell_all_doors_with_answer(&self) -> Result<HashMap<u16, String>, TurnError> {
        let list = async |tx: &mut Tx| tx.all::<Deployment>(&sql::LIST_LIVE, &[]).await;
        let live = self.room.store.read(list).await?;
        Ok(self.tell_doors(&live).await?)
    }

    /// Tells the data plane all ports there are to be.
    pub(super) async fn tell_doors(
        &self,
        live: &[Deployment],
    ) -> Result<HashMap<u16, String>, relay::RelayError> {
        let doors = {
            let watches = self.watches();
            let door = |known: &Deployment| {
                let target = watches.get(&known.id).and_then(|watch| watch.address);
                Some((known.id.clone(), Door { port: known.port?, target }))
            };
            let has_door = |known: &&Deployment| known.wanted == Wanted::Running && !known.is_spare();
            live.iter().filter(has_door).filter_map(door).collect()
        };
        self.inner.doors.tell(&doors).await
    }

    /// The number of an account's network, or of a spare's; the first free one where it has none yet.
    pub(super) async fn network_number(&self, whose: &str) -> Result<u32, TurnError> {
        let (owner, now) = (whose.to_owned(), self.room.clock.now());
        let find = async move |tx: &mut Tx| {
            if let Some((number,)) = tx.first::<(u32,)>(&sql::FIND_NETWORK, args![owner]).await? {
                return Ok(number);
            }
            let next = free_network(tx, 0).await?;
            tx.execute(&sql::INSERT_NETWORK, args![owner, next, now]).await?;
            Ok::<_, StoreError>(next)
        };
        Ok(self.room.store.write(find).await?)
    }

    /// The addresses of this number are taken: the account gets the next ones.
    pub(super) async fn move_network(&self, whose: &str, number: u32) -> Result<(), TurnError> {
        let owner = whose.to_owned();
        let move_on = async move |tx: &mut Tx| {
            let next = free_network(tx, number.saturating_add(1)).await?;
            tx.execute(&sql::MOVE_NETWORK, args![owner, next]).await
        };
        self.room.store.write(move_on).await?;
        Ok(())
    }
}

/// The first number from this one on that no network has. Spares come and go, so numbers are used again.
async fn free_network(tx: &mut Tx, from: u32) -> Result<u32, StoreError> {
    let (taken,): (u32,) = tx.one(&sql::HAS_NETWORK, args![from]).await?;
    if taken == 0 {
        return Ok(from);
    }
    let (free,): (i64,) = tx.one(&sql::FREE_NETWORK, args![from]).await?;
    Ok(u32::try_from(free).unwrap_or(u32::MAX))
}

/// Puts what is told into the deployment.
fn apply(after: &mut Deployment, tell: Tell, now: Timestamp) {
    after.since = now;
    after.status = match tell {
        Tell::Running => {
            after.deployed_at = after.deployed_at.or(Some(now));
            Status::Running
        }
        Tell::Degraded => Status::Degraded,
        Tell::Failed => Status::Failed,
        Tell::Stopped => Status::Stopped,
        Tell::Deleted => {
            after.port = None;
            Status::Deleted
        }
    };
}

fn words<'a>(before: &Deployment, after: &'a Deployment) -> &'a str {
    match after.status {
        Status::Running if before.status == Status::Degraded => "It answers again.",
        Status::Running => "It answers.",
        Status::Stopped => "It rests.",
        Status::Deleted => "Nothing is left of it.",
        _ => &after.reason,
    }
}

/// Tells the log of events what happened.
async fn announce(
    tx: &mut Tx,
    before: &Deployment,
    after: &Deployment,
    tell: Tell,
    now: Timestamp,
) -> Result<(), StoreError> {
    match tell {
        Tell::Running => {
            if before.deployed_at.is_none() {
                ::events::append(tx, now, &told::Deployed::of(after)).await?;
            }
            ::events::append(tx, now, &told::Started::of(after)).await.map(drop)
        }
        Tell::Failed => {
            if before.deployed_at.is_none() && before.status != Status::Failed {
                ::events::append(tx, now, &told::ServiceFailed::of(after)).await?;
            }
            ::events::append(tx, now, &told::Failed::of(after)).await.map(drop)
        }
        Tell::Stopped => ::events::append(tx, now, &told::Stopped::of(after)).await.map(drop),
        Tell::Deleted => ::events::append(tx, now, &told::Deleted::of(after)).await.map(drop),
        Tell::Degraded => Ok(()),
    }
}
