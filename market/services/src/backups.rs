//! Backups of deployments: asked for here, made by the orchestrator, and done only when one was restored and found whole.

use std::sync::Arc;

use identity::audit::{self, Outcome};
use identity::{Action, Caller};
use kernel::{Page, Paging, Timestamp};
use store::{Tx, args};
use web::idempotency::{Request, once};

use crate::deployment::{Deployment, Status, Wanted};
use crate::error::ServiceError;
use crate::list::own;
use crate::template::Template;
use crate::{BackupId, DeploymentId, Services, sql};

/// The most backups of one deployment that are kept.
const MOST: u32 = 50;

store::words! {
    /// How far a backup is.
    #[derive(utoipa::ToSchema)]
    BackupState, "expected the state of a backup" {
        /// It was asked for.
        Waiting = "waiting",
        /// It is written.
        Dumping = "dumping",
        /// It is restored into a deployment of its own, and looked at.
        Verifying = "verifying",
        /// It was restored and found whole.
        Done = "done",
        /// It could not be made; the reason is told.
        Failed = "failed",
        /// It is gone.
        Removed = "removed",
    }
}

/// A backup.
#[derive(Clone, Debug)]
pub struct Backup {
    /// Its id.
    pub id: BackupId,
    /// Of which deployment.
    pub deployment: DeploymentId,
    /// How far it is.
    pub state: BackupState,
    /// Why it failed.
    pub reason: String,
    /// The SHA-256 of what is kept, in hexadecimal.
    pub blob: Option<String>,
    /// How large that is, in bytes.
    pub size_bytes: u64,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it was done, or failed.
    pub ended_at: Option<Timestamp>,
}

store::row!(Backup { id, deployment, state, reason, blob, size_bytes, created_at, ended_at });

impl Services {
    /// Asks for a backup. The same `request` again answers with the same backup.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`], [`ServiceError::NotNow`] while it does not run, [`ServiceError::NotOffered`],
    /// [`ServiceError::TooManyBackups`].
    pub async fn back_up(
        &self,
        by: &Caller,
        id: &DeploymentId,
        request: Request,
    ) -> Result<Backup, ServiceError> {
        let (room, by, id) = (self.clone(), by.clone(), id.clone());
        let ask = async move |tx: &mut Tx| {
            let known = own(tx, &by, &id, Action::Deploy).await?;
            let effect = async |tx: &mut Tx| room.insert_backup(tx, &by, &known).await;
            let stored = once::<BackupId, ServiceError>(tx, &request, by.now(), 202, effect).await?;
            let backup: BackupId = serde_json::from_slice(&stored.body)
                .map_err(|error| store::StoreError::Database(error.to_string()))?;
            find(tx, &id, &backup).await
        };
        self.store.write(ask).await
    }

    pub(crate) async fn insert_backup(
        &self,
        tx: &mut Tx,
        by: &Caller,
        known: &Deployment,
    ) -> Result<BackupId, ServiceError> {
        let template = self.template_of(tx, &known.template).await?;
        if template.recipe.backup.is_none() {
            return Err(ServiceError::NotOffered("backups"));
        }
        if known.status != Status::Running {
            return Err(ServiceError::NotNow(known.status));
        }
        let (kept,): (u32,) = tx.one(&sql::COUNT_BACKUPS, args![known.id]).await?;
        if kept >= MOST {
            return Err(ServiceError::TooManyBackups);
        }
        let backup = BackupId::fresh();
        let row = args![backup, known.id, known.owner, known.template, by.ctx.now];
        tx.execute(&sql::INSERT_BACKUP, row).await?;
        let details = serde_json::json!({ "deployment": known.id });
        audit::record(tx, by, "deployment.backed_up", backup.as_str(), Outcome::Done, &details).await?;
        let wake = Arc::clone(&self.wake);
        tx.after_commit(move || wake.work.notify_one());
        Ok(backup)
    }

    /// The backups of a deployment, newest first.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`], also for somebody else's.
    pub async fn backups(
        &self,
        by: &Caller,
        id: &DeploymentId,
        paging: Paging,
    ) -> Result<Page<Backup>, ServiceError> {
        let (by, id) = (by.clone(), id.clone());
        let look = async move |tx: &mut Tx| {
            own(tx, &by, &id, Action::Read).await?;
            let (total,): (u64,) = tx.one(&sql::COUNT_BACKUPS, args![id]).await?;
            let items = tx.all(&sql::LIST_BACKUPS, args![id, paging.limit, paging.offset]).await?;
            Ok(Page { items, total })
        };
        self.store.read(look).await
    }

    /// Removes a backup that is done or failed.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`].
    pub async fn remove_backup(
        &self,
        by: &Caller,
        id: &DeploymentId,
        backup: &BackupId,
    ) -> Result<(), ServiceError> {
        let (by, id, backup) = (by.clone(), id.clone(), backup.clone());
        let remove = async move |tx: &mut Tx| {
            own(tx, &by, &id, Action::Deploy).await?;
            let known = find(tx, &id, &backup).await?;
            if tx.execute(&sql::REMOVE_BACKUP, args![backup, by.ctx.now]).await? == 0 {
                return Ok(()); // it is being made: it can be removed when it is
            }
            release(tx, &known, by.now()).await?;
            let details = serde_json::json!({ "deployment": id });
            audit::record(tx, &by, "deployment.backup_removed", backup.as_str(), Outcome::Done, &details)
                .await?;
            Ok(())
        };
        self.store.write(remove).await
    }

    /// Brings a deployment back to what it was when the backup was made.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`], [`ServiceError::NotNow`] while it does not run or the backup is not done.
    pub async fn restore(
        &self,
        by: &Caller,
        id: &DeploymentId,
        backup: &BackupId,
    ) -> Result<Deployment, ServiceError> {
        let (room, by, id, backup) = (self.clone(), by.clone(), id.clone(), backup.clone());
        let restore = async move |tx: &mut Tx| {
            let mut known = own(tx, &by, &id, Action::Deploy).await?;
            if known.wanted != Wanted::Running || known.status != Status::Running {
                return Err(ServiceError::NotNow(known.status));
            }
            let template = room.template_of(tx, &known.template).await?;
            room.restorable(tx, &by, &backup, &template).await?;
            known.restore_from = Some(backup.clone());
            known.status = Status::Provisioning;
            known.generation += 1;
            known.since = by.now();
            sql::save(tx, &mut known, by.now()).await?;
            sql::note(tx, &known, by.now(), "It is brought back from a backup.").await?;
            let details = serde_json::json!({ "backup": backup });
            audit::record(tx, &by, "deployment.restored", id.as_str(), Outcome::Done, &details).await?;
            room.wake_after(tx, &id);
            Ok(known)
        };
        self.store.write(restore).await
    }

    /// Whether the caller may restore this backup into a deployment of this service.
    pub(crate) async fn restorable(
        &self,
        tx: &mut Tx,
        by: &Caller,
        backup: &BackupId,
        into: &Template,
    ) -> Result<(), ServiceError> {
        let found: Option<(DeploymentId,)> = tx.first(&sql::FIND_DONE_BACKUP, args![backup]).await?;
        let (from,) = found.ok_or(ServiceError::NotFound("backup that is done"))?;
        let from = own(tx, by, &from, Action::Deploy).await.map_err(|error| match error {
            ServiceError::NotFound(_) => ServiceError::NotFound("backup that is done"),
            error => error,
        })?;
        if from.service == into.id {
            Ok(())
        } else {
            Err(ServiceError::field("/backupId", "It is of another service."))
        }
    }
}

/// The backup of a deployment.
async fn find(tx: &mut Tx, id: &DeploymentId, backup: &BackupId) -> Result<Backup, ServiceError> {
    let found: Option<Backup> = tx.first(&sql::FIND_BACKUP, args![backup, id]).await?;
    found.ok_or(ServiceError::NotFound("backup"))
}

/// What a backup keeps may go.
pub(crate) async fn release(tx: &mut Tx, known: &Backup, now: Timestamp) -> Result<(), store::StoreError> {
    let Some(sha256) = known.blob.as_deref().and_then(|text| text.parse::<blobs::Sha256>().ok()) else {
        return Ok(());
    };
    match blobs::refs::release(tx, sha256, now).await {
        Err(blobs::refs::RefError::Store(error)) => Err(error),
        _ => Ok(()),
    }
}
