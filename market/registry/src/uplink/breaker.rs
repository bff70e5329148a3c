//! Leaves an uplink alone that has failed several times in a row.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kernel::Timestamp;

/// How many failures in a row open the breaker.
const FAILURES: u32 = 5;
/// How long it is left alone at first; twice as long after each further failure.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause, also when the uplink itself asks for more.
const LONGEST_PAUSE: Duration = Duration::from_secs(120);

/// Counts failures of one uplink.
#[derive(Debug, Default)]
pub(crate) struct Breaker(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    failures: u32,
    closed_again_at: Option<Timestamp>,
}

impl Breaker {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the uplink may be asked now. After a pause one caller may, as a probe; the others wait for what
    /// becomes of it.
    ///
    /// # Errors
    /// How long to leave it alone.
    pub(crate) fn admit(&self, now: Timestamp) -> Result<(), Duration> {
        let mut state = self.state();
        match state.closed_again_at {
            Some(at) if now < at => Err(at.since(now)),
            Some(_) => {
                // A probe that never comes back must not keep the uplink closed for good.
                state.closed_again_at = Some(now.after(pause(state.failures)));
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// It answered as it should.
    pub(crate) fn succeeded(&self) {
        *self.state() = State::default();
    }

    /// It did not; it may have said when to come back. Answers whether it is left alone from now on.
    pub(crate) fn failed(&self, now: Timestamp, retry_after: Option<Duration>) -> bool {
        let mut state = self.state();
        state.failures = state.failures.saturating_add(1);
        if state.failures < FAILURES && retry_after.is_none() {
            return false;
        }
        let pause = pause(state.failures).max(retry_after.unwrap_or_default()).min(LONGEST_PAUSE);
        state.closed_again_at = Some(now.after(pause));
        true
    }
}

fn pause(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(FAILURES).min(16);
    (FIRST_PAUSE * 2_u32.pow(doublings)).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_secs(seconds)
    }

    #[test]
    fn it_opens_after_failures_in_a_row_and_backs_off() {
        let breaker = Breaker::default();
        for _ in 1..FAILURES {
            assert!(!breaker.failed(at(0), None));
            assert_eq!(breaker.admit(at(0)), Ok(()));
        }
        assert!(breaker.failed(at(0), None));
        assert_eq!(breaker.admit(at(0)), Err(Duration::from_secs(1)));
        assert_eq!(breaker.admit(at(1)), Ok(()), "a probe");
        assert!(breaker.admit(at(1)).is_err(), "only one");
        breaker.failed(at(1), None);
        assert_eq!(breaker.admit(at(1)), Err(Duration::from_secs(2)));
        for _ in 0..40 {
            breaker.failed(at(2), None);
        }
        assert_eq!(breaker.admit(at(2)), Err(LONGEST_PAUSE));
        breaker.succeeded();
        assert_eq!(breaker.admit(at(2)), Ok(()));
        assert!(!breaker.failed(at(2), None), "counted anew");
    }

    #[test]
    fn an_uplink_that_says_when_is_left_alone_until_then_within_bounds() {
        let breaker = Breaker::default();
        assert!(breaker.failed(at(0), Some(Duration::from_secs(30))));
        assert_eq!(breaker.admit(at(10)), Err(Duration::from_secs(20)));
        breaker.failed(at(0), Some(Duration::from_secs(1_000_000)));
        assert_eq!(breaker.admit(at(0)), Err(LONGEST_PAUSE));
    }
}
