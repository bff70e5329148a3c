//! What operators do with the background work: the queue itself knows no accounts and keeps no trail. Page, API and
//! command line call this.

use identity::audit::{self, Outcome};
use identity::{IdentityError, Operator};
use jobs::{Filter, JobError, JobId, JobView};
use kernel::{Page, Paging, Problem};
use store::{Store, StoreError, Tx};

/// Why a job was not shown or changed.
#[derive(Debug, thiserror::Error)]
pub enum WorkError {
    /// The trail could not be written.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// There is no such job, or its state does not allow this.
    #[error(transparent)]
    Job(#[from] JobError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<WorkError> for Problem {
    fn from(error: WorkError) -> Self {
        match error {
            WorkError::Identity(error) => error.into(),
            WorkError::Job(error) => error.into(),
            WorkError::Store(error) => error.into(),
        }
    }
}

/// What an operator can do with a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Try a dead or cancelled job again.
    Retry,
    /// Stop one that waits or runs.
    Cancel,
}

/// The jobs that `filter` lets through, the newest first.
///
/// # Errors
/// [`StoreError`].
pub async fn list(
    store: &Store,
    _: &Operator,
    filter: Filter,
    paging: Paging,
) -> Result<Page<JobView>, StoreError> {
    store.read(async move |tx: &mut Tx| jobs::list(tx, &filter, paging).await).await
}

/// Tries a job again or stops it; the job as it is then.
///
/// # Errors
/// [`WorkError::Job`] when there is no such job, or its state does not allow this.
pub async fn change(store: &Store, by: &Operator, id: JobId, change: Change) -> Result<JobView, WorkError> {
    let by = by.caller.clone();
    let write = async move |tx: &mut Tx| {
        let action = match change {
            Change::Retry => jobs::retry(tx, &id, by.now()).await.map(|()| "job.retried"),
            Change::Cancel => jobs::cancel(tx, &id, by.now()).await.map(|()| "job.cancelled"),
        }?;
        audit::record(tx, &by, action, id.as_str(), Outcome::Done, &serde_json::json!({})).await?;
        Ok::<_, WorkError>(jobs::find(tx, &id).await?)
    };
    store.write(write).await
}

/// The id in an address or an argument; a text that is no id names no job.
///
/// # Errors
/// The problem `jobs.missing`.
pub fn id(text: &str) -> Result<JobId, Problem> {
    text.parse().map_err(|_| Problem::not_found("jobs.missing", "There is no such job."))
}
