//! One look at one deployment, and all that follows from it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use containers::{Container, EngineError, Kind, SeenContainer, State};
use kernel::Timestamp;
use store::{Tx, args};
use tokio::time::sleep;

use super::plan::{Goal, Step, steps};
use super::target::{Place, Target, network, network_names, network_of};
use super::watch::{Crash, SLOWLY};
use super::{Reconciler, TurnError, exec, probe};
use crate::backups::Backup;
use crate::deployment::{Deployment, Status, Wanted};
use crate::error::ServiceError;
use crate::template::{Chosen, Given, Template};
use crate::{BackupId, DeploymentId, peers, sql};

/// How long after a question that was not answered the next one comes, at first and at last.
const FIRST_WAIT: Duration = Duration::from_millis(5);
const LAST_WAIT: Duration = Duration::from_millis(100);
/// How often it is looked whether what comes up still runs and is still wanted.
const CHECK: Duration = Duration::from_millis(400);
/// How often what did not change is looked at again after it was found changed.
const SOON: Duration = Duration::from_millis(50);
/// With this code a program ends that cannot run with its settings (`EX_CONFIG` of sysexits.h); its last line says why.
const SET_UP_WRONG: i64 = 78;

impl Reconciler {
    /// Brings a deployment as far as it gets.
    pub(super) async fn turn(&self, id: &DeploymentId) {
        let now = self.room.clock.now();
        if !self.inner.lease.is_held() || !self.watch(id, |watch| watch.is_due(now)) {
            return;
        }
        let worked = self.work(id).await;
        let now = self.room.clock.now();
        match worked {
            Ok(next) => self.watch(id, |watch| watch.went_well(next)),
            Err(TurnError::Changed) => self.watch(id, |watch| watch.went_well(Some(now.after(SOON)))),
            Err(TurnError::NotHeld) => {}
            Err(error) => {
                tracing::warn!(deployment = %id, %error, "a deployment could not be brought further; it is tried again");
                self.watch(id, |watch| watch.went_wrong(now));
                if let Err(error) = self.after_error(id, &error).await {
                    tracing::warn!(deployment = %id, %error, "what is wrong could not be written down");
                }
            }
        }
    }

    /// Gives when to look at it next; at once where nothing is said.
    async fn work(&self, id: &DeploymentId) -> Result<Option<Timestamp>, TurnError> {
        let Some(known) = self.read(id).await? else { return Ok(None) };
        let now = self.room.clock.now();
        if known.status == Status::Deleted {
            return Ok(None);
        }
        let goal = match known.wanted {
            Wanted::Running => Goal::Serve,
            Wanted::Deleted if known.is_to_vanish(now) => Goal::Vanish,
            Wanted::Stopped | Wanted::Deleted => Goal::Rest,
        };
        let target = if goal == Goal::Serve { Some(self.target(known.clone()).await?) } else { None };
        let seen = self.room.engine.container(&known.engine_name()).await?;
        if let (Some(target), Some(seen)) = (&target, &seen)
            && let Some(wait) = self.heed_crash(target, seen).await?
        {
            return Ok(Some(now.after(wait)));
        }
        let fingerprint = target.as_ref().map_or("", |target| target.fingerprint.as_str());
        let network = target.as_ref().map_or("", |target| target.container.network.as_str());
        let steps = steps(goal, fingerprint, network, seen.as_ref());
        if steps.is_empty() {
            return Ok(Some(now.after(CHECK)));
        }
        let mut next = None;
        for step in steps {
            if !self.inner.lease.is_held() {
                return Err(TurnError::NotHeld);
            }
            match step {
                Step::Probe => {
                    let Some(target) = &target else { continue };
                    next = self.serve(target).await?;
                }
                Step::Settle => return self.settled(&known).await.map(|()| None),
                step => self.carry_out(step, &known, target.as_deref()).await?,
            }
        }
        Ok(next)
    }

    pub(super) async fn read(&self, id: &DeploymentId) -> Result<Option<Deployment>, TurnError> {
        let id = id.clone();
        let find = async move |tx: &mut Tx| tx.first::<Deployment>(&sql::FIND_DEPLOYMENT, args![id]).await;
        Ok(self.room.store.read(find).await?)
    }

    /// What the engine shall have; made once for each version of a deployment.
    pub(super) async fn target(&self, known: Deployment) -> Result<Arc<Target>, TurnError> {
        let cached = self.watch(&known.id, |watch| watch.target.clone());
        if let Some(target) = cached.filter(|target| target.deployment.version == known.version) {
            return Ok(target);
        }
        let (room, digest) = (self.room.clone(), known.template.clone());
        let deployment = known.clone();
        let find = async move |tx: &mut Tx| {
            let template = room.template_of(tx, &digest).await?;
            let chosen = room.chosen_of(tx, &deployment, &template).await?;
            Ok::<_, ServiceError>((template, chosen, peers::name_of(tx, &deployment.id).await?))
        };
        let (template, chosen, peer) = self.room.store.read(find).await?;
        let image = match known.image.as_str() {
            "" => self.image(&template, &chosen).await?,
            image => image.to_owned(),
        };
        let known = if known.image.is_empty() { self.keep_image(known, &image).await? } else { known };
        let credentials = self.room.open(&known, &known.credentials)?;
        let place = Place { image: &image, peer: &peer, outside: self.room.settings.outside };
        let target = Arc::new(Target::new(known, template, credentials, chosen, &place));
        self.watch(&target.deployment.id, |watch| watch.target = Some(Arc::clone(&target)));
        Ok(target)
    }

    /// The id of the image that it is made from. One that was chosen is fetched where it is not there.
    async fn image(&self, template: &Template, chosen: &Chosen) -> Result<String, TurnError> {
        let (engine, reference) = (&self.room.engine, template.recipe.image(chosen));
        if let Some(image) = engine.image(&reference).await? {
            return Ok(image.id);
        }
        if matches!(template.recipe.image, Given::Here(_)) {
            return Err(EngineError::NotThere { kind: Kind::Image, name: reference }.into());
        }
        let fetched = engine.pull(&reference).await.map_err(|error| {
            EngineError::Refused(format!("the image {reference} is not here and was not fetched: {error}"))
        });
        Ok(fetched?.id)
    }

    /// What it means that its program is found ended. Gives how long to wait before it is started again.
    async fn heed_crash(&self, target: &Target, seen: &SeenContainer) -> Result<Option<Duration>, TurnError> {
        let State::Exited { code, out_of_memory, at, error } = &seen.state else { return Ok(None) };
        let known = &target.deployment;
        let now = self.room.clock.now();
        let was_up = matches!(known.status, Status::Running | Status::Degraded);
        let counts = self.watch(&known.id, |watch| {
            watch.address = None;
            was_up || watch.started == Some(known.generation)
        });
        if *code == SET_UP_WRONG && counts {
            let wait = self.watch(&known.id, |watch| watch.refused(*at, now));
            if wait.is_some() {
                self.failed(known, &self.complaint(&target.container.name).await).await?;
            }
            return Ok(wait);
        }
        let crash = counts.then(|| self.watch(&known.id, |watch| watch.crashed(*at, now)));
        let reason = match (out_of_memory, error) {
            (true, _) => "It used more memory than its plan has and was ended.".to_owned(),
            (_, Some(error)) => format!("It could not be started: {error}"),
            _ => format!("Its program ended by itself with the code {code}."),
        };
        match crash {
            None | Some(Crash::Known) => Ok(None),
            Some(Crash::TooMany(_)) => {
                self.failed(known, &format!("{reason} It was started again several times.")).await?;
                Ok(Some(SLOWLY))
            }
            Some(Crash::Again(wait)) => {
                self.degraded(known, &format!("{reason} It is started again.")).await?;
                Ok((!wait.is_zero()).then_some(wait))
            }
        }
    }

    async fn carry_out(
        &self,
        step: Step,
        known: &Deployment,
        target: Option<&Target>,
    ) -> Result<(), TurnError> {
        let (engine, name) = (&self.room.engine, known.engine_name());
        match (step, target) {
            (Step::EnsureNetwork, Some(_)) => self.ensure_network(known).await?,
            (Step::EnsureVolume, Some(target)) => {
                if let Some(volume) = &target.volume {
                    engine.ensure_volume(volume).await?;
                }
            }
            (Step::Create, Some(target)) => engine.create(&target.container).await?,
            (Step::Start, Some(target)) => {
                engine.start(&name, &target.secrets()).await?;
                self.watch(&known.id, |watch| {
                    watch.started = Some(known.generation);
                    watch.forgotten = None;
                });
            }
            (Step::Unpause, _) => engine.unpause(&name).await?,
            (Step::Stop, _) => {
                self.watch(&known.id, |watch| watch.address = None);
                let grace =
                    target.map_or(Duration::from_secs(10), |target| target.template.recipe.stop_grace);
                engine.stop(&name, grace).await?;
            }
            (Step::Remove, _) => {
                self.watch(&known.id, |watch| watch.address = None);
                engine.remove(&name).await?;
            }
            (Step::RemoveVolume, _) => engine.remove_volume(&name).await?,
            (Step::RemoveNetwork, _) => {
                for name in &network_names(known.id.as_str())[..2] {
                    engine.remove_network(name).await?;
                }
                self.forget_network(known.id.as_str()).await?;
            }
            (Step::Join, Some(target)) => {
                let Container { network, aliases, .. } = &target.container;
                engine.join(&name, network, aliases).await?;
            }
            (Step::EnsureNetwork | Step::EnsureVolume | Step::Create | Step::Start | Step::Join, None)
            | (Step::Probe | Step::Settle, _) => {}
        }
        Ok(())
    }

    /// The network that it shall be in. Where its addresses are taken by something else, it gets others.
    pub(super) async fn ensure_network(&self, known: &Deployment) -> Result<(), TurnError> {
        let settings = &self.room.settings;
        let whose = if known.is_spare() { known.id.as_str() } else { known.owner.as_str() };
        // Else one would take away what another has just made at other addresses.
        let _turn = self.inner.networks.turn(whose).await;
        for _ in 0..64 {
            let number = self.network_number(whose).await?;
            let name = network_of(known, settings.outside);
            let Some(wanted) = network(whose, name, number, settings.subnets, settings.outside) else {
                return Err(EngineError::Refused("services.subnets has no addresses left".to_owned()).into());
            };
            match self.room.engine.ensure_network(&wanted).await {
                Err(EngineError::SubnetTaken(_)) => self.move_network(whose, number).await?,
                Err(EngineError::Different { .. }) => self.room.engine.remove_network(&wanted.name).await?,
                answer => return Ok(answer?),
            }
        }
        Err(EngineError::Failed("no subnet was free".to_owned()).into())
    }

    /// It runs: waits until it answers, opens its door, and says so.
    async fn serve(&self, target: &Arc<Target>) -> Result<Option<Timestamp>, TurnError> {
        let known = &target.deployment;
        let is_new = !matches!(known.status, Status::Running | Status::Degraded);
        let address = if is_new { self.come_up(target).await? } else { self.still_up(target).await? };
        let Some(address) = address else {
            return Ok(Some(self.room.clock.now().after(Duration::from_millis(500))));
        };
        if let Some(backup) = &known.restore_from {
            return self.restore(target, backup).await.map(Some);
        }
        // Nobody comes to a spare, so it has no door.
        let moved = !known.is_spare()
            && self.watch(&known.id, |watch| watch.address.replace(address) != Some(address));
        if moved {
            self.open_door(known, address).await?;
        }
        if known.status != Status::Running {
            self.running(known).await?;
        }
        let secrets = (known.generation, known.run);
        if self.watch(&known.id, |watch| watch.forgotten != Some(secrets)) {
            self.room.engine.forget_secrets(&target.container.name).await?;
            self.watch(&known.id, |watch| watch.forgotten = Some(secrets));
        }
        if let Some(next) = &known.next_credentials {
            self.renew_credentials(target, next).await?;
        }
        Ok(Some(self.room.clock.now().after(target.template.recipe.health.interval)))
    }

    /// Asks again and again until it answers, its time is over, or it is not wanted any more.
    async fn come_up(&self, target: &Arc<Target>) -> Result<Option<SocketAddr>, TurnError> {
        let known = &target.deployment;
        let began = self.watch(&known.id, |watch| watch.began(known.generation, self.room.clock.now()));
        let (mut wait, mut checked, mut address) = (FIRST_WAIT, Instant::now(), self.address(target).await?);
        loop {
            let why = match self.ask(target, Some(address)).await {
                Ok(()) => return Ok(Some(address)),
                Err(why) => why,
            };
            let patience = target.template.recipe.health.start_timeout;
            if self.room.clock.now().since(began) > patience {
                let seconds = patience.as_secs();
                self.failed(known, &format!("It did not answer within {seconds} seconds: {why}.")).await?;
                self.watch(&known.id, |watch| watch.began = None);
                return Ok(None);
            }
            sleep(wait).await;
            wait = (wait * 5 / 4).min(LAST_WAIT);
            if checked.elapsed() > CHECK {
                checked = Instant::now();
                let now = self.read(&known.id).await?;
                if now.is_none_or(|now| now.generation != known.generation) || !self.inner.lease.is_held() {
                    return Err(TurnError::Changed);
                }
                address = self.address(target).await?;
            }
        }
    }

    /// Asks once what answered before.
    async fn still_up(&self, target: &Arc<Target>) -> Result<Option<SocketAddr>, TurnError> {
        let address = self.address(target).await?;
        match self.ask(target, Some(address)).await {
            Ok(()) => Ok(Some(address)),
            Err(why) => {
                if self.watch(&target.deployment.id, super::watch::Watch::did_not_answer) {
                    self.degraded(&target.deployment, &format!("It does not answer: {why}.")).await?;
                }
                Ok(None)
            }
        }
    }

    async fn ask(&self, target: &Target, address: Option<SocketAddr>) -> Result<(), String> {
        let began = Instant::now();
        probe::ask(&self.room.engine, target, address).await?;
        let took = u32::try_from(began.elapsed().as_micros()).unwrap_or(u32::MAX);
        self.watch(&target.deployment.id, |watch| watch.answered(took));
        Ok(())
    }

    /// Where its port is now.
    async fn address(&self, target: &Target) -> Result<SocketAddr, TurnError> {
        let seen = self.room.engine.container(&target.container.name).await?.ok_or(TurnError::Changed)?;
        match (seen.state, seen.address) {
            (State::Running, Some(address)) => Ok((address, target.port()).into()),
            _ => Err(TurnError::Changed),
        }
    }

    /// Brings it back from a backup, before it is said to run. May be done again after a kill.
    async fn restore(&self, target: &Arc<Target>, backup: &BackupId) -> Result<Timestamp, TurnError> {
        let id = backup.clone();
        let find = async move |tx: &mut Tx| tx.first::<Backup>(&sql::FIND_BACKUP_ALONE, args![id]).await;
        let found = self.room.store.read(find).await?.and_then(|backup| backup.blob);
        let sha256 = found.and_then(|text| text.parse().ok());
        let restored = match (&target.template.recipe.backup, sha256) {
            (Some(recipe), Some(sha256)) => self.restore_blob(target, &recipe.restore, sha256).await,
            _ => Err("The backup is gone.".to_owned()),
        };
        let known = &target.deployment;
        let now = self.room.clock.now();
        match restored {
            // A new one that is empty must not pass for one that was brought back.
            Err(why) if known.deployed_at.is_none() => {
                self.failed(known, &format!("It could not be brought back from a backup: {why}")).await?;
                Ok(now.after(SLOWLY))
            }
            restored => self.restored(known, restored).await.map(|()| now.after(SOON)),
        }
    }

    /// Tells the service its new credentials; what it has taken holds from then on.
    async fn renew_credentials(&self, target: &Arc<Target>, sealed: &str) -> Result<(), TurnError> {
        let Some(command) = &target.template.recipe.rotate else { return Ok(()) };
        let next = self.room.open(&target.deployment, sealed)?;
        let (command, stdin) = target.command(command, Some(&next));
        let done = exec::run(&self.room.engine, &target.container.name, &command, stdin.as_ref()).await;
        match done {
            Ok(done) if done.code == 0 => {
                Ok(self.room.has_taken(&target.deployment.id, sealed.to_owned()).await?)
            }
            Ok(done) => {
                Err(EngineError::Failed(format!("the change of credentials ended with {}", done.code)).into())
            }
            Err(words) => Err(EngineError::Failed(words).into()),
        }
    }
}
