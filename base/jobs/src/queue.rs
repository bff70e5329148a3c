//! The queue in the database: every change of a job's state is one compare-and-set.

use std::sync::LazyLock;
use std::time::Duration;

use kernel::Timestamp;
use serde::de::DeserializeOwned;
use store::{Store, StoreError, Tx, args, json_list, row, sql};
use tokio::sync::watch;

use crate::{Failure, JobId, NewJob, Policy, WorkerId};

sql! {
    INSERT_JOB = "insert into job (id, kind, payload, unique_key, state, run_at, attempts, created_at)
        values ($1, $2, $3, $4, 'waiting', $5, 0, $6)
        on conflict (kind, unique_key) where unique_key is not null and state = 'waiting' do update
        set payload = excluded.payload,
            run_at = case when excluded.run_at < job.run_at then excluded.run_at else job.run_at end
        returning id";
    CLAIM_DUE = "update job set state = 'running', attempts = attempts + 1, worker = $2, lease_until = $3
        where state = 'waiting' and id in (
            select due.id from job due
            where due.state = 'waiting' and due.run_at <= $1 and due.kind in each($4)
            and not exists (select 1 from job other where other.state = 'running'
                and other.kind = due.kind and other.unique_key = due.unique_key)
            order by due.run_at, due.id limit $5)
        returning id, kind, payload, attempts";
    CLAIM_EXPIRED = "update job set attempts = attempts + 1, worker = $2, lease_until = $3
        where state = 'running' and id in (
            select expired.id from job expired
            where expired.state = 'running' and expired.lease_until < $1 and expired.kind in each($4)
            order by expired.lease_until limit $5)
        returning id, kind, payload, attempts";
    FIND_NEXT = "select min(at) from (
            select min(run_at) as at from job where state = 'waiting' and kind in each($1)
            union all
            select min(lease_until) as at from job where state = 'running' and kind in each($1)
        ) times";
    RENEW_LEASES = "update job set lease_until = $2 where state = 'running' and worker = $1 returning id";
    END_LEASES = "update job set lease_until = 0 where state = 'running' and worker = $1";
    FINISH_JOB = "update job set state = $4, finished_at = $5, last_error = $6, worker = null, lease_until = null
        where id = $1 and worker = $2 and attempts = $3 and state = 'running'";
    FIND_WAITING_TWIN = "select twin.id from job twin join job mine
        on twin.kind = mine.kind and twin.unique_key = mine.unique_key
        where mine.id = $1 and twin.state = 'waiting'";
    POSTPONE_JOB = "update job set state = 'waiting', run_at = $4, last_error = $5, worker = null, lease_until = null
        where id = $1 and worker = $2 and attempts = $3 and state = 'running'";
    ENTER_PERIOD = "insert into job_schedule (name, period_starts_at) values ($1, $2)
        on conflict (name) do update set period_starts_at = $2 where job_schedule.period_starts_at < $2";
    DELETE_FINISHED = "delete from job where id in (select id from job where finished_at < $1 and state <> 'dead'
        order by finished_at limit 1000)";
    DELETE_DEAD = "delete from job where id in (select id from job where finished_at < $1
        order by finished_at limit 1000)";
}

/// How long jobs that are done or cancelled can still be looked at.
const KEEP_FINISHED: Duration = Duration::from_secs(7 * 24 * 3600);

/// How long dead jobs wait for the operator.
const KEEP_DEAD: Duration = Duration::from_secs(90 * 24 * 3600);

/// The most characters of an error that are kept.
const MAX_ERROR_CHARS: usize = 2000;

/// Counts what was enqueued in this process, so that its runners look at once. Others poll.
static ENQUEUED: LazyLock<watch::Sender<u64>> = LazyLock::new(|| watch::Sender::new(0));

/// Makes the runners of this process look at the queue.
pub(crate) fn wake() {
    ENQUEUED.send_modify(|count| *count = count.wrapping_add(1));
}

pub(crate) fn wake_ups() -> watch::Receiver<u64> {
    ENQUEUED.subscribe()
}

/// An attempt at a job, as its handler gets it.
#[derive(Clone, Debug)]
pub struct Job {
    /// Which job.
    pub id: JobId,
    /// Its kind.
    pub kind: String,
    payload: String,
    /// Which attempt this is, from 1.
    pub attempt: u32,
}

row!(Job { id, kind, payload, attempt });

impl Job {
    /// What was enqueued.
    ///
    /// # Errors
    /// A final [`Failure`] when it is not what the handler expects: another attempt would read the same.
    pub fn payload<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_str(&self.payload)
            .map_err(|error| Failure::dead(format!("the payload cannot be read: {error}")))
    }
}

pub(crate) async fn insert(tx: &mut Tx, job: &NewJob, now: Timestamp) -> Result<JobId, StoreError> {
    let id = JobId::fresh();
    let run_at = job.run_at.unwrap_or(now);
    let (id,) = tx.one(&INSERT_JOB, args![id, job.kind, job.payload, job.unique_key, run_at, now]).await?;
    tx.after_commit(wake);
    Ok(id)
}

/// What one runner sees of the queue.
#[derive(Clone)]
pub(crate) struct Queue {
    pub(crate) store: Store,
    pub(crate) worker: WorkerId,
    pub(crate) lease: Duration,
    /// The registered kinds as a JSON list.
    kinds: String,
}

impl Queue {
    pub(crate) fn new(store: Store, lease: Duration, kinds: impl IntoIterator<Item = String>) -> Self {
        Self { store, worker: WorkerId::fresh(), lease, kinds: json_list(kinds) }
    }

    /// When something is to be done next: a time in the past means now.
    pub(crate) async fn next(&self) -> Result<Option<Timestamp>, StoreError> {
        let kinds = self.kinds.clone();
        let (next,) = self.store.read(async move |tx| tx.one(&FIND_NEXT, args![kinds]).await).await?;
        Ok(next)
    }

    /// Leases up to `limit` jobs: first those whose worker is gone, then those that are due.
    pub(crate) async fn claim(&self, limit: usize, now: Timestamp) -> Result<Vec<Job>, StoreError> {
        let (worker, kinds, until) = (self.worker.clone(), self.kinds.clone(), now.after(self.lease));
        self.store
            .write(async move |tx| {
                let row = args![now, worker, until, kinds, limit];
                let mut jobs: Vec<Job> = tx.all(&CLAIM_EXPIRED, row).await?;
                let left = limit.saturating_sub(jobs.len());
                jobs.extend(tx.all::<Job>(&CLAIM_DUE, args![now, worker, until, kinds, left]).await?);
                Ok(jobs)
            })
            .await
    }

    /// Keeps the leases of this worker; answers which jobs are still its own.
    pub(crate) async fn renew(&self, now: Timestamp) -> Result<Vec<JobId>, StoreError> {
        let (worker, until) = (self.worker.clone(), now.after(self.lease));
        let held: Vec<(JobId,)> =
            self.store.write(async move |tx| tx.all(&RENEW_LEASES, args![worker, until]).await).await?;
        Ok(held.into_iter().map(|(id,)| id).collect())
    }

    /// Gives back all that this worker still holds, for others to take at once.
    pub(crate) async fn end_leases(&self) -> Result<u64, StoreError> {
        let worker = self.worker.clone();
        self.store.write(async move |tx| tx.execute(&END_LEASES, args![worker]).await).await
    }

    /// Writes down how an attempt ended. Changes nothing when the lease was lost meanwhile.
    pub(crate) async fn settle(
        &self,
        job: Job,
        policy: Policy,
        outcome: Result<(), Failure>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let worker = self.worker.clone();
        let wait = policy.wait(job.attempt);
        self.store
            .write(async move |tx| match &outcome {
                Ok(()) => finish(tx, &job, &worker, "done", None, now).await,
                Err(failure) => {
                    let reason: String = failure.reason.chars().take(MAX_ERROR_CHARS).collect();
                    if failure.is_final || job.attempt >= policy.max_attempts {
                        tracing::error!(job = %job.id, kind = %job.kind, reason, "a job is dead");
                        return finish(tx, &job, &worker, "dead", Some(&reason), now).await;
                    }
                    tracing::warn!(job = %job.id, kind = %job.kind, attempt = job.attempt, reason, "a job failed");
                    postpone(tx, &job, &worker, now.after(wait), &reason, now).await
                }
            })
            .await
    }

    /// Enqueues a recurring job unless this period has had its run, in this process or another.
    pub(crate) async fn enter_period(
        &self,
        job: NewJob,
        start: Timestamp,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.store
            .write(async move |tx| {
                if tx.execute(&ENTER_PERIOD, args![job.kind, start]).await? > 0 {
                    insert(tx, &job, now).await?;
                }
                Ok(())
            })
            .await
    }
}

/// The start of the period that `now` lies in.
pub(crate) fn period_start(period: Duration, now: Timestamp) -> Timestamp {
    let length = i64::try_from(period.as_micros()).unwrap_or(i64::MAX).max(1);
    Timestamp::from_micros(now.micros().div_euclid(length).saturating_mul(length))
}

async fn finish(
    tx: &mut Tx,
    job: &Job,
    worker: &WorkerId,
    state: &str,
    error: Option<&str>,
    now: Timestamp,
) -> Result<(), StoreError> {
    tx.execute(&FINISH_JOB, args![job.id, worker, job.attempt, state, now, error]).await.map(|_| ())
}

/// Back to waiting, unless a newer job of the same key waits already and does the same work.
async fn postpone(
    tx: &mut Tx,
    job: &Job,
    worker: &WorkerId,
    run_at: Timestamp,
    reason: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let twin: Option<(JobId,)> = tx.first(&FIND_WAITING_TWIN, args![job.id]).await?;
    if let Some((twin,)) = twin {
        let error = format!("{reason} ({twin} takes its place)");
        return finish(tx, job, worker, "cancelled", Some(&error), now).await;
    }
    tx.execute(&POSTPONE_JOB, args![job.id, worker, job.attempt, run_at, reason]).await.map(|_| ())
}

/// Deletes what finished long ago, a thousand rows at a time so that nobody waits for it.
pub(crate) async fn clean(store: &Store, now: Timestamp) -> Result<u64, StoreError> {
    let mut deleted = 0;
    for (statement, before) in
        [(&DELETE_FINISHED, now.before(KEEP_FINISHED)), (&DELETE_DEAD, now.before(KEEP_DEAD))]
    {
        loop {
            let batch = store.write(async move |tx| tx.execute(statement, args![before]).await).await?;
            deleted += batch;
            if batch < 1000 {
                break;
            }
        }
    }
    Ok(deleted)
}
