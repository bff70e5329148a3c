//! The queue and its runners, on both databases.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jobs::{Failure, Filter, JobError, JobId, JobView, NewJob, Policy, Runner, State};
use kernel::{Clock, Paging, Timestamp};
use store::testing::both;
use store::{Store, StoreError};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

const START: Timestamp = Timestamp::from_secs(1_800_000_000);

/// A runner that works until it is told to stop.
struct Running {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

fn run(runner: Runner) -> Running {
    let (stop, stopped) = oneshot::channel();
    let task = tokio::spawn(runner.run(async move {
        let _ = stopped.await;
    }));
    Running { stop, task }
}

impl Running {
    async fn stop(self) {
        let _ = self.stop.send(());
        self.task.await.unwrap();
    }
}

/// A runner that looks often, since a fixed clock wakes nobody.
fn runner(store: &Store, clock: &Clock) -> Runner {
    Runner::new(store.clone(), clock.clone()).poll(Duration::from_millis(20))
}

async fn enqueue(store: &Store, job: NewJob, now: Timestamp) -> JobId {
    store.write(async move |tx| jobs::enqueue(tx, &job, now).await).await.unwrap()
}

async fn all(store: &Store, kind: &str) -> Vec<JobView> {
    let filter = Filter { kind: Some(kind.to_owned()), state: None };
    let paging = Paging { limit: 100, offset: 0 };
    store.read(async move |tx| jobs::list(tx, &filter, paging).await).await.unwrap().items
}

async fn job(store: &Store, kind: &str) -> JobView {
    let mut jobs = all(store, kind).await;
    assert_eq!(jobs.len(), 1, "{jobs:?}");
    jobs.remove(0)
}

/// Waits until `is` holds for the only job of `kind`.
async fn until(store: &Store, kind: &str, is: impl Fn(&JobView) -> bool) -> JobView {
    for _ in 0..500 {
        let job = job(store, kind).await;
        if is(&job) {
            return job;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it did not happen: {:?}", all(store, kind).await);
}

#[tokio::test]
async fn a_job_exists_only_if_its_transaction_commits_and_wakes_the_runner() {
    both(&[jobs::MIGRATIONS], async |store: Store| {
        let clock = Clock::fixed(START);
        let (ran, mut runs) = tokio::sync::mpsc::unbounded_channel();
        let running = run(Runner::new(store.clone(), clock).poll(Duration::from_secs(3600)).register(
            "test.greet",
            Policy::default(),
            move |job| {
                let ran = ran.clone();
                async move { Ok(ran.send(job.payload::<String>()?)?) }
            },
        ));
        tokio::time::sleep(Duration::from_millis(100)).await;
        let undone = store
            .write(async |tx| {
                jobs::enqueue(tx, &NewJob::new("test.greet", &"undone").unwrap(), START).await?;
                Err::<(), StoreError>(StoreError::Busy)
            })
            .await;
        assert!(undone.is_err());
        enqueue(&store, NewJob::new("test.greet", &"hello").unwrap(), START).await;
        let first = tokio::time::timeout(Duration::from_secs(5), runs.recv()).await.unwrap();
        assert_eq!(first.as_deref(), Some("hello"));
        until(&store, "test.greet", |job| job.state == State::Done).await;
        running.stop().await;
        assert!(runs.try_recv().is_err());
    })
    .await;
}

#[tokio::test]
async fn failures_are_retried_with_growing_waits_until_the_job_is_dead() {
    both(&[jobs::MIGRATIONS], async |store: Store| {
        let clock = Clock::fixed(START);
        let policy = Policy { max_attempts: 3, first_wait: Duration::from_secs(10), ..Policy::default() };
        let running = run(runner(&store, &clock).register("test.fail", policy, async |job| {
            if job.attempt == 2 {
                panic!("in attempt 2");
            }
            Err(Failure::again(format!("attempt {}", job.attempt)))
        }));
        enqueue(&store, NewJob::new("test.fail", &()).unwrap(), START).await;
        let failed = until(&store, "test.fail", |job| job.last_error.is_some()).await;
        assert_eq!((failed.state, failed.attempts), (State::Waiting, 1));
        assert_eq!(failed.last_error.as_deref(), Some("attempt 1"));
        let wait = failed.run_at.since(START);
        assert!(wait >= Duration::from_secs(5) && wait <= Duration::from_secs(10), "{wait:?}");

        clock.advance(Duration::from_secs(10));
        let failed = until(&store, "test.fail", |job| job.attempts == 2 && job.state == State::Waiting).await;
        assert_eq!(failed.last_error.as_deref(), Some("the handler panicked"));
        clock.advance(Duration::from_secs(20));
        let dead = until(&store, "test.fail", |job| job.state == State::Dead).await;
        assert_eq!((dead.attempts, dead.last_error.as_deref()), (3, Some("attempt 3")));

        let id = dead.id.clone();
        let again = clock.now();
        store.write(async move |tx| jobs::retry(tx, &id, again).await).await.unwrap();
        until(&store, "test.fail", |job| job.attempts == 1 && job.state == State::Waiting).await;
        running.stop().await;
    })
    .await;
}

#[tokio::test]
async fn what_is_hopeless_or_too_slow_fails() {
    both(&[jobs::MIGRATIONS], async |store: Store| {
        let clock = Clock::fixed(START);
        let slow = Policy { timeout: Duration::from_millis(50), ..Policy::default() };
        let running = run(runner(&store, &clock)
            .register("test.wrong", Policy::default(), async |job| job.payload::<u32>().map(|_| ()))
            .register("test.slow", slow, async |_| std::future::pending().await));
        enqueue(&store, NewJob::new("test.wrong", &"no number").unwrap(), START).await;
        enqueue(&store, NewJob::new("test.slow", &()).unwrap(), START).await;
        let dead = until(&store, "test.wrong", |job| job.state == State::Dead).await;
        assert_eq!(dead.attempts, 1);
        let failed = until(&store, "test.slow", |job| job.last_error.is_some()).await;
        assert_eq!(failed.last_error.as_deref(), Some("it took longer than 0 s"));
        running.stop().await;
    })
    .await;
}

#[tokio::test]
async fn jobs_wait_for_their_time_and_join_by_key() {
    both(&[jobs::MIGRATIONS], async |store: Store| {
        let clock = Clock::fixed(START);
        let later = |payload: &str, seconds| {
            let at = START.after(Duration::from_secs(seconds));
            NewJob::new("test.later", &payload).unwrap().unique("one").at(at)
        };
        let first = enqueue(&store, later("old", 300), START).await;
        assert_eq!(enqueue(&store, later("new", 600), START).await, first);
        assert_eq!(job(&store, "test.later").await.run_at, START.after(Duration::from_secs(300)));

        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        let running = run(runner(&store, &clock).register("test.later", Policy::default(), move |job| {
            log.lock().unwrap().push(job.payload::<String>().unwrap());
            async { Ok(()) }
        }));
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!(seen.lock().unwrap().is_empty());
        clock.advance(Duration::from_secs(300));
        until(&store, "test.later", |job| job.state == State::Done).await;
        assert_eq!(*seen.lock().unwrap(), ["new"]);
        assert_ne!(enqueue(&store, later("next", 900), START).await, first);
        running.stop().await;
    })
    .await;
}

/// Four runners share 200 jobs, fifty of which also have one of five keys: no job runs twice, no two of one key
/// at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runners_never_run_one_job_or_one_key_at_once() {
    both(&[jobs::MIGRATIONS], async |store: Store| {
        let clock = Clock::system();
        let runs: Arc<Mutex<HashMap<String, u32>>> = Arc::default();
        let busy: Arc<Mutex<HashMap<String, u32>>> = Arc::default();
        let runners: Vec<_> = (0..4)
            .map(|_| {
                let (runs, busy) = (Arc::clone(&runs), Arc::clone(&busy));
                run(runner(&store, &clock).concurrency(5).register(
                    "test.share",
                    Policy::default(),
                    move |job| {
                        let (runs, busy) = (Arc::clone(&runs), Arc::clone(&busy));
                        async move {
                            let key: String = job.payload()?;
                            *runs.lock().unwrap().entry(job.id.to_string()).or_default() += 1;
                            let others =
                                std::mem::replace(busy.lock().unwrap().entry(key.clone()).or_default(), 1);
                            assert_eq!(others, 0, "two of key {key} at once");
                            tokio::time::sleep(Duration::from_millis(3)).await;
                            busy.lock().unwrap().insert(key, 0);
                            Ok(())
                        }
                    },
                ))
            })
            .collect();
        for number in 0..200u32 {
            let (key, unique) = if number % 4 == 0 {
                (format!("key {}", number % 5), true)
            } else {
                (number.to_string(), false)
            };
            let job = NewJob::new("test.share", &key).unwrap();
            enqueue(&store, if unique { job.unique(key) } else { job }, clock.now()).await;
        }
        for _ in 0..1000 {
            let waiting = Filter { state: Some(State::Waiting), kind: Some("test.share".to_owned()) };
            let running = Filter { state: Some(State::Running), kind: Some("test.share".to_owned()) };
            let left = store
                .read(async move |tx| {
                    let paging = Paging::default();
                    Ok::<_, StoreError>(
                        jobs::list(tx, &waiting, paging).await?.total
                            + jobs::list(tx, &running, paging).await?.total,
                    )
                })
                .await
                .unwrap();
            if left == 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        for runner in runners {
            runner.stop().await;
        }
        let ended = all(&store, "test.share").await;
        assert!(ended.iter().all(|job| job.state == State::Done && job.attempts == 1), "{ended:?}");
        let runs = runs.lock().unwrap();
        assert!(runs.len() >= 150 && runs.values().all(|count| *count == 1), "{runs:?}");
    })
    .await;
}

#[tokio::test]
async fn a_job_whose_worker_is_gone_runs_again_when_its_lease_ends() {
    both(&[jobs::MIGRATIONS], async |store: Store| {
        let clock = Clock::fixed(START);
        let stuck = run(runner(&store, &clock).lease(Duration::from_secs(60)).register(
            "test.lost",
            Policy::default(),
            async |_| std::future::pending().await,
        ));
        enqueue(&store, NewJob::new("test.lost", &()).unwrap(), START).await;
        until(&store, "test.lost", |job| job.state == State::Running).await;
        // As kill -9 does: nothing is given back.
        stuck.task.abort();
        let _ = stuck.task.await;

        let running = run(runner(&store, &clock).register("test.lost", Policy::default(), async |_| Ok(())));
        clock.advance(Duration::from_secs(59));
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(job(&store, "test.lost").await.state, State::Running, "the lease still holds");
        clock.advance(Duration::from_secs(2));
        let done = until(&store, "test.lost", |job| job.state == State::Done).await;
        assert_eq!(done.attempts, 2);
        running.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_job_that_kills_its_process_every_time_dies() {
    both(&[jobs::MIGRATIONS], async |store: Store| {
        let clock = Clock::fixed(START);
        let policy = Policy { max_attempts: 2, ..Policy::default() };
        enqueue(&store, NewJob::new("test.poison", &()).unwrap(), START).await;
        for attempt in 1..=2 {
            let killed = run(runner(&store, &clock)
                .register("test.poison", policy, async |_| std::future::pending().await));
            until(&store, "test.poison", |job| job.attempts == attempt).await;
            killed.task.abort();
            let _ = killed.task.await;
            clock.advance(Duration::from_secs(61));
        }
        let running = run(runner(&store, &clock).register("test.poison", policy, async |_| Ok(())));
        let dead = until(&store, "test.poison", |job| job.state == State::Dead).await;
        assert_eq!(dead.last_error.as_deref(), Some("the process died in each attempt at it"));
        running.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_long_job_keeps_its_lease_and_a_cancelled_one_stops() {
    both(&[jobs::MIGRATIONS], async |store: Store| {
        let clock = Clock::system();
        let running = run(runner(&store, &clock).lease(Duration::from_millis(600)).register(
            "test.long",
            Policy::default(),
            async |_| std::future::pending().await,
        ));
        let id = enqueue(&store, NewJob::new("test.long", &()).unwrap(), clock.now()).await;
        until(&store, "test.long", |job| job.state == State::Running).await;
        tokio::time::sleep(Duration::from_millis(1500)).await;
        let held = job(&store, "test.long").await;
        assert_eq!((held.state, held.attempts), (State::Running, 1));
        let (now, cancelled) = (clock.now(), id.clone());
        store.write(async move |tx| jobs::cancel(tx, &cancelled, now).await).await.unwrap();
        tokio::time::sleep(Duration::from_millis(600)).await;
        let begun = std::time::Instant::now();
        running.stop().await;
        assert!(begun.elapsed() < Duration::from_secs(5), "the handler was still there at the shutdown");
        let cancelled = job(&store, "test.long").await;
        assert_eq!(cancelled.state, State::Cancelled);
        let again = store.write(async move |tx| jobs::cancel(tx, &id, now).await).await;
        assert!(matches!(again, Err(JobError::State { state: State::Cancelled, .. })), "{again:?}");
        let missing = JobId::fresh();
        let missing = store.write(async move |tx| jobs::retry(tx, &missing, now).await).await;
        assert!(matches!(missing, Err(JobError::Missing(_))), "{missing:?}");
    })
    .await;
}

#[tokio::test]
async fn recurring_jobs_run_once_per_period_for_all_runners() {
    both(&[jobs::MIGRATIONS], async |store: Store| {
        let clock = Clock::fixed(START);
        let hour = Duration::from_secs(3600);
        let runners: Vec<_> = (0..3)
            .map(|_| run(runner(&store, &clock).every("test.hourly", hour, async |_| Ok(()))))
            .collect();
        for runs in 1..=4 {
            for _ in 0..500 {
                let jobs = all(&store, "test.hourly").await;
                if jobs.len() == runs && jobs.iter().all(|job| job.state == State::Done) {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
            assert_eq!(all(&store, "test.hourly").await.len(), runs);
            // The third step passes over several periods: only the present one is made up for.
            clock.advance(if runs == 3 { hour * 5 } else { hour });
        }
        for runner in runners {
            runner.stop().await;
        }
    })
    .await;
}

#[tokio::test]
async fn what_ended_long_ago_is_cleaned_away() {
    both(&[jobs::MIGRATIONS], async |store: Store| {
        let clock = Clock::fixed(START);
        let day = Duration::from_secs(24 * 3600);
        let running = run(runner(&store, &clock)
            .register("test.fine", Policy::default(), async |_| Ok(()))
            .register("test.dead", Policy::default(), async |_| Err(Failure::dead("no"))));
        enqueue(&store, NewJob::new("test.fine", &()).unwrap(), START).await;
        enqueue(&store, NewJob::new("test.dead", &()).unwrap(), START).await;
        until(&store, "test.fine", |job| job.state == State::Done).await;
        until(&store, "test.dead", |job| job.state == State::Dead).await;
        for (advance, fine, dead) in [(day * 6, 1, 1), (day * 2, 0, 1), (day * 90, 0, 0)] {
            clock.advance(advance);
            for _ in 0..300 {
                if (all(&store, "test.fine").await.len(), all(&store, "test.dead").await.len())
                    == (fine, dead)
                {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
            assert_eq!(
                (all(&store, "test.fine").await.len(), all(&store, "test.dead").await.len()),
                (fine, dead)
            );
        }
        running.stop().await;
    })
    .await;
}
