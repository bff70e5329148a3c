//! Durable work for later: enqueued in the transaction of the change that asks for it, run at least once.
//!
//! ```ignore
//! store.write(async move |tx| {
//!     insert_account(tx, &account).await?;
//!     jobs::enqueue(tx, &NewJob::new("identity.verify_address", &payload)?, now).await
//! }).await?;
//!
//! Runner::new(store, clock)
//!     .register("identity.verify_address", Policy::default(), async move |job| { … })
//!     .every("blobs.collect", Duration::from_secs(3600), async move |_| { … })
//!     .run(shutdown).await;
//! ```
//!
//! A handler may be killed at any point and is then run again: it must do no harm when it runs twice.

mod operator;
mod policy;
mod queue;
mod runner;

use kernel::{Problem, Timestamp};
use serde::Serialize;
use store::{StoreError, Tx};

pub use operator::{Filter, JobView, State, cancel, find, list, retry};
pub use policy::{Failure, Policy};
pub use queue::Job;
pub use runner::Runner;

/// The migrations of the queue.
pub const MIGRATIONS: store::Migrations = store::migrations!("jobs", "0001_jobs.sql");

kernel::id!(
    /// A job.
    JobId,
    "job"
);

kernel::id!(
    /// One run of a [`Runner`]: who holds a lease.
    WorkerId,
    "worker"
);

store::id_values!(JobId, WorkerId);

/// The largest payload: a job says what to do, what it needs it reads from the database.
const MAX_PAYLOAD_BYTES: usize = 64 * 1024;

/// What is to be done.
#[derive(Clone, Debug)]
pub struct NewJob {
    kind: String,
    payload: String,
    run_at: Option<Timestamp>,
    unique_key: Option<String>,
}

impl NewJob {
    /// A job for the handler registered as `kind`, which gets `payload` as JSON.
    ///
    /// # Errors
    /// [`JobError::Payload`] when it is no JSON or larger than 64 kB.
    pub fn new(kind: impl Into<String>, payload: &impl Serialize) -> Result<Self, JobError> {
        let kind = kind.into();
        let refused = |reason: String| JobError::Payload { kind: kind.clone(), reason };
        let payload = serde_json::to_string(payload).map_err(|error| refused(error.to_string()))?;
        if payload.len() > MAX_PAYLOAD_BYTES {
            return Err(refused(format!("it has {} bytes, {MAX_PAYLOAD_BYTES} are allowed", payload.len())));
        }
        Ok(Self { kind, payload, run_at: None, unique_key: None })
    }

    /// One run of a recurring job; the last one must have ended before it starts.
    fn recurring(name: &str) -> Self {
        Self {
            kind: name.to_owned(),
            payload: "null".to_owned(),
            run_at: None,
            unique_key: Some(String::new()),
        }
    }

    /// Not before `run_at`; at once where this is not called.
    #[must_use]
    pub fn at(mut self, run_at: Timestamp) -> Self {
        self.run_at = Some(run_at);
        self
    }

    /// Joins with a waiting job of the same kind and key: the newer payload and the earlier time win. While one
    /// with this key runs, the next waits until it has ended, so that no change goes unseen.
    #[must_use]
    pub fn unique(mut self, key: impl Into<String>) -> Self {
        self.unique_key = Some(key.into());
        self
    }
}

/// Enqueues a job; it exists if and only if the transaction commits, and runners of this process hear of it at
/// once. Answers its id, or that of the waiting job which it joined.
///
/// # Errors
/// [`StoreError`].
pub async fn enqueue(tx: &mut Tx, job: &NewJob, now: Timestamp) -> Result<JobId, StoreError> {
    queue::insert(tx, job, now).await
}

/// Why something cannot be done with a job.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// The payload cannot be stored.
    #[error("the payload of a `{kind}` job cannot be stored: {reason}")]
    Payload {
        /// The kind of the job.
        kind: String,
        /// Why.
        reason: String,
    },
    /// There is no such job.
    #[error("there is no job {0}")]
    Missing(JobId),
    /// The job is in another state than that needs.
    #[error("job {id} is {state}")]
    State {
        /// The job.
        id: JobId,
        /// Its state.
        state: State,
    },
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<JobError> for Problem {
    fn from(error: JobError) -> Self {
        match error {
            JobError::Store(error) => error.into(),
            JobError::Missing(_) => Self::not_found("jobs.missing", "There is no such job."),
            JobError::State { state, .. } => {
                Self::conflict("jobs.wrong_state", format!("The job is {state}. Nothing was changed."))
            }
            JobError::Payload { .. } => {
                tracing::error!(%error, "a job cannot be enqueued");
                Self::internal("jobs.payload", "The work cannot be put in the queue. Nothing was changed.")
            }
        }
    }
}

kernel::problems! {
    "jobs.missing":
        "There is no job with this id: it is wrong, or the job ended long ago and was forgotten.",
        "Nothing was changed.",
        "List the jobs again and take the id from there.";
    "jobs.wrong_state":
        "The job is in a state in which this cannot be done: only dead and cancelled jobs are tried again, only waiting and running ones are stopped.",
        "Nothing was changed.",
        "Look at its state and choose what fits.";
    "jobs.payload":
        "The program could not write down work for later: a fault of ours.",
        "Nothing was changed.",
        "Tell the operator the request id.";
}
