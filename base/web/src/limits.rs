//! How many requests a client may make.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;

use governor::clock::{Clock as _, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota as Rate, RateLimiter};
use http::{HeaderMap, HeaderName, HeaderValue};
use kernel::Problem;

type Limiter = RateLimiter<IpAddr, DashMapStateStore<IpAddr>, DefaultClock, StateInformationMiddleware>;

/// How many requests per minute one address may make, and how many at once.
#[derive(Clone, Copy, Debug)]
pub struct Quota {
    /// The steady rate.
    pub per_minute: NonZeroU32,
    /// How far ahead of the steady rate a client may be.
    pub burst: NonZeroU32,
}

/// The limit of one surface; `None` inside means that there is none.
#[derive(Clone, Default)]
pub struct Limits(Option<Arc<Inner>>);

struct Inner {
    limiter: Limiter,
    policy: HeaderValue,
}

/// What is left to a client after a request that was let through.
pub(crate) struct Left {
    policy: HeaderValue,
    remaining: u32,
}

impl Limits {
    /// No limit: for benchmarks and tests.
    #[must_use]
    pub const fn off() -> Self {
        Self(None)
    }

    /// A limit per client address.
    #[must_use]
    pub fn per_client(quota: Quota) -> Self {
        let rate = Rate::per_minute(quota.per_minute).allow_burst(quota.burst);
        let limiter = RateLimiter::dashmap(rate).with_middleware::<StateInformationMiddleware>();
        // The policy in words of draft-ietf-httpapi-ratelimit-headers: quota and window in seconds.
        let policy = HeaderValue::from_str(&format!("\"default\";q={};w=60", quota.per_minute));
        let policy = policy.unwrap_or_else(|_| HeaderValue::from_static("\"default\""));
        Self(Some(Arc::new(Inner { limiter, policy })))
    }

    /// Counts one request of `client`.
    ///
    /// # Errors
    /// A 429 [`Problem`] that says when to try again.
    pub(crate) fn admit(&self, client: IpAddr) -> Result<Option<Left>, Problem> {
        let Some(inner) = &self.0 else { return Ok(None) };
        match inner.limiter.check_key(&client) {
            Ok(state) => {
                Ok(Some(Left { policy: inner.policy.clone(), remaining: state.remaining_burst_capacity() }))
            }
            Err(until) => {
                let wait = until.wait_time_from(DefaultClock::default().now());
                Err(Problem::too_many("request.too_many", "Too many requests from this address.")
                    .next("Wait a little and try again.")
                    .retry_after(wait.as_secs() + 1))
            }
        }
    }

    /// Forgets addresses that have been quiet; called now and then so that memory stays bounded.
    pub fn forget_quiet(&self) {
        if let Some(inner) = &self.0 {
            inner.limiter.retain_recent();
            inner.limiter.shrink_to_fit();
        }
    }
}

impl Left {
    pub(crate) fn write(self, headers: &mut HeaderMap) {
        const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
        const LIMIT: HeaderName = HeaderName::from_static("ratelimit");
        headers.insert(POLICY, self.policy);
        if let Ok(value) = HeaderValue::from_str(&format!("\"default\";r={};t=60", self.remaining)) {
            headers.insert(LIMIT, value);
        }
    }
}

kernel::problems! {
    "request.too_many":
        "This address sent more requests than it may in a minute.",
        "Nothing was done.",
        "Wait for the seconds in Retry-After. Operators set the rates in [limits].";
}
