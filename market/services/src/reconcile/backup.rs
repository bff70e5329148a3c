//! Making backups, and seeing that they are whole: what was dumped is restored into a container of its own, asked, and only
//! then called done. A backup that was cut off is made again.

use std::sync::Arc;
use std::time::Duration;

use blobs::{Digests, NewBlob, Sha256, Written};
use containers::{Exec, Stream};
use futures_util::StreamExt as _;
use kernel::Secret;
use store::{StoreError, Tx, args};
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, sleep, timeout};

use super::target::Target;
use super::{Reconciler, exec, probe};
use crate::backups::{Backup, BackupState, release};
use crate::deployment::Status;
use crate::schedule::prune;
use crate::template::{BackupRecipe, Command};
use crate::{BackupId, sql};

/// How long a dump or a restore may take.
const PATIENCE: Duration = Duration::from_secs(3600);
/// The largest backup, in bytes.
const MOST_BYTES: u64 = 1 << 40;
/// How much of what a command complains of is told, in bytes.
const COMPLAINT: usize = 500;

/// The name of the container in which a backup is tried.
pub(super) fn trial_name(id: &BackupId) -> String {
    format!("fondaco-{id}")
}

impl Reconciler {
    /// The oldest backup that is to be made.
    pub(super) async fn next_backup(&self) -> Result<Option<Backup>, StoreError> {
        let list = async |tx: &mut Tx| tx.first::<Backup>(&sql::NEXT_BACKUP, &[]).await;
        self.room.store.read(list).await
    }

    /// Makes a backup to its end.
    pub(super) async fn make_backup(&self, backup: Backup) {
        let name = trial_name(&backup.id);
        let made = self.try_backup(&backup).await;
        for removed in [self.room.engine.remove(&name).await, self.room.engine.remove_volume(&name).await] {
            if let Err(error) = removed {
                tracing::warn!(backup = %backup.id, %error, "what a backup was tried in is removed later");
            }
        }
        let (state, reason) = match made {
            Ok(()) => (BackupState::Done, String::new()),
            Err(reason) => (BackupState::Failed, reason),
        };
        tracing::info!(backup = %backup.id, %state, reason, "a backup ended");
        if let Err(error) = self.end_backup(&backup, state, reason).await {
            tracing::warn!(backup = %backup.id, %error, "a backup is made again, its end could not be written down");
        }
    }

    async fn try_backup(&self, backup: &Backup) -> Result<(), String> {
        let words = |error: &dyn std::fmt::Display| error.to_string();
        let known = self.read(&backup.deployment).await.map_err(|error| words(&error))?;
        let known = known.filter(|known| known.status == Status::Running);
        let known = known.ok_or("The deployment does not run.")?;
        let target = self.target(known).await.map_err(|error| words(&error))?;
        let recipe = target.template.recipe.backup.clone().ok_or("This service has no backups.")?;
        let sha256 = match backup.blob.as_deref().and_then(|text| text.parse().ok()) {
            Some(sha256) => sha256,
            None => {
                self.state(&backup.id, BackupState::Dumping).await.map_err(|error| words(&error))?;
                let written = timeout(PATIENCE, self.dump(&target, &recipe.dump)).await;
                let written = written.map_err(|_| "The dump did not end in time.")??;
                self.keep_dump(&backup.id, written).await.map_err(|error| words(&error))?;
                written.sha256
            }
        };
        let trial = Arc::new(target.trial(&trial_name(&backup.id)));
        let tried = timeout(PATIENCE, self.try_out(&trial, &recipe, sha256)).await;
        tried.map_err(|_| "It could not be restored in time.".to_owned())?
    }

    /// Writes everything into a blob.
    async fn dump(&self, target: &Target, dump: &Command) -> Result<Written, String> {
        let (command, stdin) = target.command(dump, None);
        let mut running = self.begin_command(&target.container.name, &command, stdin).await?;
        let wanted =
            NewBlob { max_bytes: MOST_BYTES, digests: Digests::Sha256Only, now: self.room.clock.now() };
        let (mut writer, mut complaint) = (self.room.blobs.writer(wanted), Vec::new());
        while let Some(piece) = running.output.next().await {
            let piece = piece.map_err(|error| error.to_string())?;
            match piece.stream {
                Stream::Stdout => writer.write(piece.bytes).await.map_err(|error| error.to_string())?,
                Stream::Stderr => complain(&mut complaint, &piece.bytes),
            }
        }
        ended("The dump", running.exit.await, &complaint)?;
        writer.finish().await.map_err(|error| error.to_string())
    }

    /// Starts the trial container, restores into it, and asks it.
    async fn try_out(
        &self,
        trial: &Arc<Target>,
        recipe: &BackupRecipe,
        sha256: Sha256,
    ) -> Result<(), String> {
        let (engine, name) = (&self.room.engine, &trial.container.name);
        let words = |error: containers::EngineError| error.to_string();
        engine.remove(name).await.map_err(words)?;
        self.ensure_network(&trial.deployment).await.map_err(|error| error.to_string())?;
        if let Some(volume) = &trial.volume {
            engine.remove_volume(&volume.name).await.map_err(words)?;
            engine.ensure_volume(volume).await.map_err(words)?;
        }
        engine.create(&trial.container).await.map_err(words)?;
        engine.start(name, &trial.secrets()).await.map_err(words)?;
        let began = Instant::now();
        while let Err(why) = self.ask_trial(trial).await {
            if began.elapsed() > trial.template.recipe.health.start_timeout {
                return Err(format!("The copy to try it in did not start: {why}."));
            }
            sleep(Duration::from_millis(50)).await;
        }
        self.restore_blob(trial, &recipe.restore, sha256).await?;
        let (command, stdin) = trial.command(&recipe.verify, None);
        let done = exec::run(engine, name, &command, stdin.as_ref()).await?;
        ended("The check", Ok(done.code), &done.stderr)
    }

    async fn ask_trial(&self, trial: &Target) -> Result<(), String> {
        let seen =
            self.room.engine.container(&trial.container.name).await.map_err(|error| error.to_string())?;
        let address = seen.and_then(|seen| seen.address).map(|address| (address, trial.port()).into());
        probe::ask(&self.room.engine, trial, address).await
    }

    /// Lets a command in a container read a blob.
    pub(super) async fn restore_blob(
        &self,
        target: &Target,
        restore: &Command,
        sha256: Sha256,
    ) -> Result<(), String> {
        let blob = self.room.blobs.read(sha256).await.map_err(|error| error.to_string())?;
        let mut body = blob.body().await.map_err(|error| error.to_string())?;
        let (mut command, _) = target.command(restore, None);
        command.stdin = true;
        let mut running = self
            .room
            .engine
            .exec(&target.container.name, &command)
            .await
            .map_err(|error| error.to_string())?;
        let mut input = running.stdin.take().ok_or("The engine gives no input.")?;
        let write = async {
            while let Some(chunk) = body.next().await {
                let chunk = chunk.map_err(|error| error.to_string())?;
                if input.write_all(&chunk).await.is_err() {
                    break; // who ends before it has read everything says so by its exit code
                }
            }
            let _ = input.shutdown().await;
            Ok::<_, String>(())
        };
        let mut complaint = Vec::new();
        let read = async {
            while let Some(piece) = running.output.next().await {
                let piece = piece.map_err(|error| error.to_string())?;
                if piece.stream == Stream::Stderr {
                    complain(&mut complaint, &piece.bytes);
                }
            }
            Ok::<_, String>(())
        };
        tokio::try_join!(write, read)?;
        ended("The restore", running.exit.await, &complaint)
    }

    async fn begin_command(
        &self,
        name: &str,
        command: &Exec,
        stdin: Option<Secret>,
    ) -> Result<containers::Running, String> {
        let mut running = self.room.engine.exec(name, command).await.map_err(|error| error.to_string())?;
        if let (Some(mut input), Some(text)) = (running.stdin.take(), stdin) {
            let _ = input.write_all(text.expose().as_bytes()).await;
            let _ = input.shutdown().await;
        }
        Ok(running)
    }

    async fn state(&self, id: &BackupId, state: BackupState) -> Result<(), StoreError> {
        let id = id.clone();
        let set = async move |tx: &mut Tx| tx.execute(&sql::SET_BACKUP_STATE, args![id, state]).await;
        self.room.store.write(set).await.map(drop)
    }

    async fn keep_dump(&self, id: &BackupId, written: Written) -> Result<(), StoreError> {
        let (id, now) = (id.clone(), self.room.clock.now());
        let keep = async move |tx: &mut Tx| {
            match blobs::refs::retain(tx, &written, now).await {
                Ok(()) => {}
                Err(blobs::refs::RefError::Store(error)) => return Err(error),
                Err(error) => return Err(StoreError::Database(error.to_string())),
            }
            let sha256 = written.sha256.to_string();
            tx.execute(&sql::KEEP_BACKUP, args![id, sha256, written.size_bytes]).await.map(drop)
        };
        self.room.store.write(keep).await
    }

    async fn end_backup(
        &self,
        backup: &Backup,
        state: BackupState,
        reason: String,
    ) -> Result<(), StoreError> {
        let (id, of, now) = (backup.id.clone(), backup.deployment.clone(), self.room.clock.now());
        let end = async move |tx: &mut Tx| {
            if state == BackupState::Failed
                && let Some(known) = tx.first::<Backup>(&sql::FIND_BACKUP_ALONE, args![id]).await?
            {
                release(tx, &known, now).await?;
            }
            tx.execute(&sql::END_BACKUP, args![id, state, reason, now]).await?;
            if state == BackupState::Done {
                prune(tx, &of, now).await?;
            }
            Ok(())
        };
        self.room.store.write(end).await
    }
}

/// Keeps the beginning of what a command complains of.
fn complain(complaint: &mut Vec<u8>, bytes: &[u8]) {
    let room = COMPLAINT.saturating_sub(complaint.len()).min(bytes.len());
    complaint.extend_from_slice(bytes.get(..room).unwrap_or_default());
}

/// Whether a command ended well.
fn ended(what: &str, code: Result<i64, containers::EngineError>, complaint: &[u8]) -> Result<(), String> {
    match code {
        Ok(0) => Ok(()),
        Ok(code) => {
            let complaint = String::from_utf8_lossy(complaint).replace('\0', "");
            Err(format!("{what} ended with {code}: {}", complaint.trim()))
        }
        Err(error) => Err(error.to_string()),
    }
}
