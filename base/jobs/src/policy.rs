//! How often and how fast a failed job is tried again.

use std::time::Duration;

/// What happens when a handler fails.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// After this many attempts the job is dead.
    pub max_attempts: u32,
    /// The wait after the first failure; each further failure doubles it.
    pub first_wait: Duration,
    /// The longest wait.
    pub longest_wait: Duration,
    /// How long one attempt may take.
    pub timeout: Duration,
}

impl Default for Policy {
    /// Twelve attempts within about eight hours, five minutes each.
    fn default() -> Self {
        Self {
            max_attempts: 12,
            first_wait: Duration::from_secs(10),
            longest_wait: Duration::from_secs(3 * 3600),
            timeout: Duration::from_secs(300),
        }
    }
}

impl Policy {
    /// The wait before the attempt after number `attempts`: half of it is fixed, half is chance, so that what
    /// failed together does not come back together.
    pub(crate) fn wait(&self, attempts: u32) -> Duration {
        let doubled = self.first_wait.saturating_mul(2u32.saturating_pow(attempts.saturating_sub(1)));
        let full = doubled.min(self.longest_wait);
        let chance = f64::from(u32::from_le_bytes(kernel::random_bytes())) / f64::from(u32::MAX);
        full.mul_f64(0.5 + chance / 2.0)
    }
}

/// Why an attempt failed. Every error becomes one by `?`, and the job is then tried again.
#[derive(Debug)]
pub struct Failure {
    pub(crate) reason: String,
    pub(crate) is_final: bool,
}

impl Failure {
    /// Worth another attempt.
    pub fn again(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), is_final: false }
    }

    /// Trying again is of no use: the job is dead at once.
    pub fn dead(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), is_final: true }
    }
}

impl<E: Into<Box<dyn std::error::Error + Send + Sync>>> From<E> for Failure {
    fn from(error: E) -> Self {
        let error = error.into();
        let mut reason = error.to_string();
        let mut cause = error.source();
        while let Some(next) = cause {
            reason = format!("{reason}: {next}");
            cause = next.source();
        }
        Self::again(reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let policy = Policy::default();
        for (attempts, full) in [(1, 10), (2, 20), (3, 40), (11, 10_240), (12, 10_800), (u32::MAX, 10_800)] {
            let full = Duration::from_secs(full);
            for _ in 0..50 {
                let wait = policy.wait(attempts);
                assert!(wait >= full / 2 && wait <= full, "{attempts}: {wait:?}");
            }
        }
    }
}
