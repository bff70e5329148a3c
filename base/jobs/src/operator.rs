//! What the operator sees and does.

use std::fmt;

use kernel::{Page, Paging, Timestamp};
use serde::{Deserialize, Serialize};
use store::{StoreError, Tx, args, row, sql};

use crate::{JobError, JobId};

sql! {
    LIST_JOBS = "select id, kind, unique_key, state, run_at, attempts, last_error, created_at, finished_at from job
        where ($1 = '' or state = $1) and ($2 = '' or kind = $2)
        order by created_at desc, id desc limit $3 offset $4";
    FIND_JOB = "select id, kind, unique_key, state, run_at, attempts, last_error, created_at, finished_at from job
        where id = $1";
    COUNT_JOBS = "select count(*) from job where ($1 = '' or state = $1) and ($2 = '' or kind = $2)";
    RETRY_JOB = "update job set state = 'waiting', attempts = 0, run_at = $2, finished_at = null
        where id = $1 and state in ('dead', 'cancelled')
        and not exists (select 1 from job twin where twin.state = 'waiting'
            and twin.kind = job.kind and twin.unique_key = job.unique_key)";
    CANCEL_JOB = "update job set state = 'cancelled', finished_at = $2, worker = null, lease_until = null
        where id = $1 and state in ('waiting', 'running')";
    FIND_STATE = "select state from job where id = $1";
}

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Its time has not come, or no runner is free.
    Waiting,
    /// A runner holds its lease.
    Running,
    /// It succeeded.
    Done,
    /// It failed too often, or for good.
    Dead,
    /// The operator stopped it, or a newer one took its place.
    Cancelled,
}

impl State {
    const ALL: [Self; 5] = [Self::Waiting, Self::Running, Self::Done, Self::Dead, Self::Cancelled];

    /// The word in rows and in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Done => "done",
            Self::Dead => "dead",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl store::FromValue for State {
    fn from_value(value: store::Value<'_>) -> Result<Self, String> {
        let text = String::from_value(value)?;
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or(format!("`{text}` is no state of a job"))
    }
}

/// Which jobs to list; everything where nothing is set.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Filter {
    /// Only in this state.
    pub state: Option<State>,
    /// Only of this kind.
    pub kind: Option<String>,
}

/// A job as the operator sees it. The payload is not shown: it may hold what is nobody's business.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobView {
    /// Which job.
    pub id: JobId,
    /// Its kind.
    pub kind: String,
    /// What it joins with.
    pub unique_key: Option<String>,
    /// Where it stands.
    pub state: State,
    /// When it is due.
    pub run_at: Timestamp,
    /// How often it was tried.
    pub attempts: u32,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
    /// When it was enqueued.
    pub created_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
}

row!(JobView { id, kind, unique_key, state, run_at, attempts, last_error, created_at, finished_at });

/// Jobs, the newest first.
///
/// # Errors
/// [`StoreError`].
pub async fn list(tx: &mut Tx, filter: &Filter, paging: Paging) -> Result<Page<JobView>, StoreError> {
    let state = filter.state.map_or("", State::as_str);
    let kind = filter.kind.as_deref().unwrap_or_default();
    let items = tx.all(&LIST_JOBS, args![state, kind, paging.limit, paging.offset]).await?;
    let (total,) = tx.one(&COUNT_JOBS, args![state, kind]).await?;
    Ok(Page { items, total })
}

/// One job.
///
/// # Errors
/// [`JobError::Missing`].
pub async fn find(tx: &mut Tx, id: &JobId) -> Result<JobView, JobError> {
    tx.first(&FIND_JOB, args![id]).await?.ok_or_else(|| JobError::Missing(id.clone()))
}

/// Gives a dead or cancelled job all its attempts again, now.
///
/// # Errors
/// [`JobError::Missing`]; [`JobError::State`] when it has not ended so, or a newer one of its key waits.
pub async fn retry(tx: &mut Tx, id: &JobId, now: Timestamp) -> Result<(), JobError> {
    let changed = tx.execute(&RETRY_JOB, args![id, now]).await?;
    if changed > 0 {
        tx.after_commit(crate::queue::wake);
    }
    changed_or_why(tx, id, changed).await
}

/// Stops a job that waits, or that runs: its runner notices within a third of the lease.
///
/// # Errors
/// [`JobError::Missing`]; [`JobError::State`] when it has ended.
pub async fn cancel(tx: &mut Tx, id: &JobId, now: Timestamp) -> Result<(), JobError> {
    let changed = tx.execute(&CANCEL_JOB, args![id, now]).await?;
    changed_or_why(tx, id, changed).await
}

async fn changed_or_why(tx: &mut Tx, id: &JobId, changed: u64) -> Result<(), JobError> {
    if changed > 0 {
        return Ok(());
    }
    match tx.first(&FIND_STATE, args![id]).await? {
        Some((state,)) => Err(JobError::State { id: id.clone(), state }),
        None => Err(JobError::Missing(id.clone())),
    }
}
