//! What the orchestrator remembers of a deployment between two looks: nothing that a restart could not do without.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use kernel::Timestamp;

use super::target::Target;

/// Within which time crashes are counted together.
const CRASH_WINDOW: Duration = Duration::from_secs(600);
/// How many crashes within that time make a failure.
const CRASHES: usize = 5;
/// How long after a failure it is tried again by itself.
pub(super) const SLOWLY: Duration = Duration::from_secs(300);
/// The longest wait after the engine failed.
const LONGEST: Duration = Duration::from_secs(10);
/// How many probes in a row may fail before it is said.
const FAILURES: u32 = 3;

/// What is remembered of one deployment.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// What it is, as of its version.
    pub(super) target: Option<Arc<Target>>,
    /// Where its port is, while it serves.
    pub(super) address: Option<SocketAddr>,
    /// Its generation when it was started last by this process.
    pub(super) started: Option<i64>,
    /// When this process began to bring it up.
    pub(super) began: Option<(i64, Timestamp)>,
    /// When it is looked at next; before that nothing is done of itself.
    pub(super) next: Option<Timestamp>,
    /// How long its latest answers took, in microseconds, newest last.
    pub(super) took: Vec<u32>,
    /// Of which generation the secrets were taken away again.
    pub(super) forgotten: Option<(i64, i64)>,
    tries: u32,
    failures: u32,
    crashes: Vec<Timestamp>,
    last_crash: Option<Timestamp>,
    restart_at: Option<Timestamp>,
}

/// What a crash comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Crash {
    /// It was counted before.
    Known,
    /// It is started again, after so long.
    Again(Duration),
    /// It is not started again for now.
    TooMany(usize),
}

impl Watch {
    /// Whether it is time to look at it.
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        self.next.is_none_or(|next| next <= now)
    }

    /// Something went well.
    pub(super) fn went_well(&mut self, next: Option<Timestamp>) {
        self.tries = 0;
        self.next = next;
    }

    /// The engine failed: when to try again.
    pub(super) fn went_wrong(&mut self, now: Timestamp) {
        let wait = Duration::from_millis(100).saturating_mul(1 << self.tries.min(10));
        self.tries += 1;
        self.next = Some(now.after(wait.min(LONGEST)));
    }

    /// It answered, after so many microseconds.
    pub(super) fn answered(&mut self, took: u32) {
        self.failures = 0;
        if self.took.len() >= 20 {
            self.took.remove(0);
        }
        self.took.push(took);
    }

    /// It did not answer: whether that is to be said.
    pub(super) fn did_not_answer(&mut self) -> bool {
        self.failures += 1;
        self.failures >= FAILURES
    }

    /// Its program ended by itself at this time.
    pub(super) fn crashed(&mut self, at: Option<Timestamp>, now: Timestamp) -> Crash {
        if at.is_some() && at == self.last_crash {
            let left = self.restart_at.map_or(Duration::ZERO, |at| at.since(now));
            return if left.is_zero() { Crash::Known } else { Crash::Again(left) };
        }
        self.last_crash = at;
        self.crashes.retain(|crash| now.since(*crash) < CRASH_WINDOW);
        self.crashes.push(now);
        let (crash, wait) = match self.crashes.len() {
            count if count >= CRASHES => {
                self.crashes.clear();
                (Crash::TooMany(count), SLOWLY)
            }
            1 => (Crash::Again(Duration::ZERO), Duration::ZERO),
            count => {
                let wait = Duration::from_millis(250 << count);
                (Crash::Again(wait), wait)
            }
        };
        self.restart_at = Some(now.after(wait));
        crash
    }

    /// Its program said at this time that it cannot run as it is set up: how long until it is tried again; nothing when
    /// that time is over.
    pub(super) fn refused(&mut self, at: Option<Timestamp>, now: Timestamp) -> Option<Duration> {
        if at.is_none() || at != self.last_crash {
            self.last_crash = at;
            self.restart_at = Some(now.after(SLOWLY));
        }
        let left = self.restart_at.map_or(Duration::ZERO, |again| again.since(now));
        (!left.is_zero()).then_some(left)
    }

    /// When this process began to bring this generation up.
    pub(super) fn began(&mut self, generation: i64, now: Timestamp) -> Timestamp {
        match self.began {
            Some((known, began)) if known == generation => began,
            _ => {
                self.began = Some((generation, now));
                self.crashes.clear();
                now
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_secs(seconds)
    }

    #[test]
    fn five_crashes_within_ten_minutes_are_too_many_and_each_counts_once() {
        let mut watch = Watch::default();
        assert_eq!(watch.crashed(Some(at(1)), at(1)), Crash::Again(Duration::ZERO));
        assert_eq!(watch.crashed(Some(at(1)), at(2)), Crash::Known);
        for second in 3..6 {
            let crash = watch.crashed(Some(at(second)), at(second));
            assert!(matches!(crash, Crash::Again(wait) if wait >= Duration::from_secs(1)));
            assert_eq!(
                watch.crashed(Some(at(second)), at(second)),
                crash,
                "looked at once more, it waits as long"
            );
        }
        assert_eq!(watch.crashed(Some(at(7)), at(7)), Crash::TooMany(5));
        assert_eq!(watch.crashed(Some(at(8)), at(8)), Crash::Again(Duration::ZERO), "counted anew");
        for minute in 1..40 {
            let now = at(1000 + minute * 300);
            assert!(
                matches!(watch.crashed(Some(now), now), Crash::Again(_)),
                "one in five minutes is no failure"
            );
        }
    }

    #[test]
    fn what_is_set_up_wrong_is_tried_again_after_a_while_and_not_when_somebody_looks() {
        let mut watch = Watch::default();
        assert_eq!(watch.refused(Some(at(1)), at(1)), Some(SLOWLY));
        assert_eq!(watch.refused(Some(at(1)), at(101)), Some(SLOWLY - Duration::from_secs(100)));
        assert_eq!(watch.refused(Some(at(1)), at(301)), None);
        assert_eq!(watch.refused(Some(at(302)), at(302)), Some(SLOWLY));
    }

    #[test]
    fn waits_grow_to_ten_seconds_and_end_with_success() {
        let mut watch = Watch::default();
        for _ in 0..20 {
            watch.went_wrong(at(0));
        }
        assert_eq!(watch.next, Some(at(10)));
        watch.went_well(None);
        assert!(watch.is_due(at(0)));
        watch.went_wrong(at(0));
        assert_eq!(watch.next, Some(at(0).after(Duration::from_millis(100))));
    }
}
