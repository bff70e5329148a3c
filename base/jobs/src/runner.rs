//! Runs jobs: leases what is due, keeps the leases while handlers work, writes down how they ended.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use kernel::{Clock, Timestamp};
use store::{Store, StoreError};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, MissedTickBehavior};

use crate::queue::{self, Queue};
use crate::{Failure, Job, JobId, NewJob, Policy};

type Handler = Arc<dyn Fn(Job) -> BoxFuture<'static, Result<(), Failure>> + Send + Sync>;

/// How long the handlers of a runner that shuts down may still work.
const LAST_WORK: Duration = Duration::from_secs(20);

/// Runs the jobs of the kinds that are registered with it. Several runners, in one process or many, share the
/// work.
pub struct Runner {
    store: Store,
    clock: Clock,
    concurrency: usize,
    lease: Duration,
    poll: Duration,
    handlers: HashMap<String, (Policy, Handler)>,
    schedules: Vec<(String, Duration)>,
}

impl Runner {
    /// A runner with no kinds yet: 8 jobs at once, leases of a minute, a look at the queue every second.
    #[must_use]
    pub fn new(store: Store, clock: Clock) -> Self {
        let runner = Self {
            store: store.clone(),
            clock: clock.clone(),
            concurrency: 8,
            lease: Duration::from_secs(60),
            poll: Duration::from_secs(1),
            handlers: HashMap::new(),
            schedules: Vec::new(),
        };
        runner.every("jobs.clean", Duration::from_secs(3600), move |_| {
            let (store, now) = (store.clone(), clock.now());
            async move { Ok(queue::clean(&store, now).await.map(|_| ())?) }
        })
    }

    /// How many jobs run at once, at least one.
    #[must_use]
    pub fn concurrency(mut self, jobs: usize) -> Self {
        self.concurrency = jobs.max(1);
        self
    }

    /// How long a job of a process that died stays taken. Kept up by a heartbeat of a third of it.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// How often to look for jobs that other processes enqueued.
    #[must_use]
    pub fn poll(mut self, poll: Duration) -> Self {
        self.poll = poll;
        self
    }

    /// Calls `handler` for each job of this kind. It may be dropped at any await, and is then called again.
    #[must_use]
    pub fn register<F, R>(mut self, kind: impl Into<String>, policy: Policy, handler: F) -> Self
    where
        F: Fn(Job) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        let handler: Handler = Arc::new(move |job| handler(job).boxed());
        self.handlers.insert(kind.into(), (policy, handler));
        self
    }

    /// Calls `handler` once in every period, whichever process comes first. Periods count from 1970, so that a
    /// day's begins at midnight (UTC); after a pause only the present one is made up for.
    #[must_use]
    pub fn every<F, R>(mut self, name: impl Into<String>, period: Duration, handler: F) -> Self
    where
        F: Fn(Job) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        let name = name.into();
        self.schedules.push((name.clone(), period));
        self.register(name, Policy::default(), handler)
    }

    /// Works until `shutdown` completes, then lets the running handlers end for up to 20 s; those that do not
    /// are stopped and given back.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send) {
        let queue = Queue::new(self.store.clone(), self.lease, self.handlers.keys().cloned());
        let mut work = Work {
            runner: self,
            queue,
            tasks: JoinSet::new(),
            running: HashMap::new(),
            entered: HashMap::new(),
        };
        work.until(shutdown).await;
        work.wind_up().await;
    }
}

struct Work {
    runner: Runner,
    queue: Queue,
    tasks: JoinSet<()>,
    running: HashMap<JobId, AbortHandle>,
    /// The periods of the recurring jobs that are known to have had their run.
    entered: HashMap<String, Timestamp>,
}

impl Work {
    async fn until(&mut self, shutdown: impl Future<Output = ()> + Send) {
        let mut enqueued = queue::wake_ups();
        let mut heartbeat = tokio::time::interval(self.runner.lease / 3);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        tokio::pin!(shutdown);
        loop {
            // Marked as seen before the queue is looked at: what comes in between wakes the wait below.
            enqueued.borrow_and_update();
            let wait = match self.look().await {
                Ok(wait) => wait,
                Err(error) => {
                    tracing::error!(%error, "the job queue cannot be read");
                    self.runner.poll
                }
            };
            tokio::select! {
                () = &mut shutdown => return,
                _ = enqueued.changed() => {}
                () = tokio::time::sleep(wait) => {}
                Some(_) = self.tasks.join_next() => self.forget_ended(),
                _ = heartbeat.tick() => self.keep_leases().await,
            }
        }
    }

    /// Starts what is due; answers how long to wait before the next look.
    async fn look(&mut self) -> Result<Duration, StoreError> {
        let now = self.runner.clock.now();
        for (name, period) in &self.runner.schedules {
            let start = queue::period_start(*period, now);
            if self.entered.get(name) != Some(&start) {
                self.queue.enter_period(NewJob::recurring(name), start, now).await?;
                self.entered.insert(name.clone(), start);
            }
        }
        let free = self.runner.concurrency.saturating_sub(self.running.len());
        let poll = self.runner.poll;
        if free == 0 {
            return Ok(poll);
        }
        match self.queue.next().await? {
            Some(due) if due <= now => {}
            Some(later) => return Ok(poll.min(later.since(now))),
            None => return Ok(poll),
        }
        let jobs = self.queue.claim(free, now).await?;
        // Nothing may mean that what is due waits for one of its key to end: then the end of that one wakes us.
        let wait = if jobs.len() == free { Duration::ZERO } else { poll };
        for job in jobs {
            self.start(job);
        }
        Ok(wait)
    }

    fn start(&mut self, job: Job) {
        let Some((policy, handler)) = self.runner.handlers.get(&job.kind) else { return };
        let (policy, handler, id) = (*policy, Arc::clone(handler), job.id.clone());
        let (queue, clock) = (self.queue.clone(), self.runner.clock.clone());
        let task = self.tasks.spawn(async move {
            let outcome = attempt(&job, policy, handler).await;
            if let Err(error) = queue.settle(job, policy, outcome, clock.now()).await {
                tracing::error!(%error, "how a job ended cannot be written down; it will run again");
            }
        });
        // Our own lease ran out, as after a long failure of the database: the older attempt has lost it.
        if let Some(older) = self.running.insert(id, task) {
            older.abort();
        }
    }

    fn forget_ended(&mut self) {
        self.running.retain(|_, task| !task.is_finished());
    }

    /// Renews the leases, and stops handlers whose job was cancelled or taken over.
    async fn keep_leases(&mut self) {
        if self.running.is_empty() {
            return;
        }
        match self.queue.renew(self.runner.clock.now()).await {
            Ok(held) => {
                for (id, task) in self.running.iter().filter(|(id, _)| !held.contains(id)) {
                    tracing::debug!(job = %id, "a job is no longer ours");
                    task.abort();
                }
            }
            Err(error) => tracing::error!(%error, "the leases of running jobs cannot be renewed"),
        }
    }

    async fn wind_up(&mut self) {
        let deadline = Instant::now() + LAST_WORK;
        let mut heartbeat = tokio::time::interval(self.runner.lease / 3);
        while !self.tasks.is_empty() {
            tokio::select! {
                () = tokio::time::sleep_until(deadline) => break,
                Some(_) = self.tasks.join_next() => self.forget_ended(),
                _ = heartbeat.tick() => self.keep_leases().await,
            }
        }
        self.tasks.shutdown().await;
        match self.queue.end_leases().await {
            Ok(0) => {}
            Ok(jobs) => tracing::warn!(jobs, "jobs were stopped to shut down and will run again"),
            Err(error) => tracing::error!(%error, "leases cannot be given back; they run out by themselves"),
        }
    }
}

/// One call of the handler, within its time, whatever it does.
async fn attempt(job: &Job, policy: Policy, handler: Handler) -> Result<(), Failure> {
    if job.attempt > policy.max_attempts {
        return Err(Failure::dead("the process died in each attempt at it"));
    }
    let call = AssertUnwindSafe(async { handler(job.clone()).await }).catch_unwind();
    match tokio::time::timeout(policy.timeout, call).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) => Err(Failure::again("the handler panicked")),
        Err(_) => Err(Failure::again(format!("it took longer than {} s", policy.timeout.as_secs()))),
    }
}
