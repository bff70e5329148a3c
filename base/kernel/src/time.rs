//! Points in time as microseconds since 1970 (UTC), and the one clock of the program.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::tz::TimeZone;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A point in time, in microseconds since 1970-01-01T00:00:00Z. Text and JSON form: RFC 3339 in UTC with
/// milliseconds (`2026-01-15T10:30:00.000Z`, the form JavaScript writes, which npm expects).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(i64);

/// A text that is no RFC 3339 time.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no RFC 3339 time such as 2026-01-15T10:30:00Z")]
pub struct TimeError(String);

impl Timestamp {
    /// From microseconds since 1970.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// From whole seconds since 1970.
    #[must_use]
    pub const fn from_secs(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1_000_000))
    }

    /// Microseconds since 1970.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970.
    #[must_use]
    pub const fn secs(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// This time plus `duration`, at most the largest time there is.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)))
    }

    /// This time minus `duration`, at least the smallest time there is.
    #[must_use]
    pub fn before(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)))
    }

    /// How long after `earlier` this is; zero when it is not after it.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// The number of the UTC day since 1970, for counts per day.
    #[must_use]
    pub const fn day(self) -> i64 {
        self.0.div_euclid(86_400_000_000)
    }

    /// The start of the UTC day with this number, see [`Timestamp::day`].
    #[must_use]
    pub const fn from_day(day: i64) -> Self {
        Self(day.saturating_mul(86_400_000_000))
    }

    /// The date alone: `2026-01-15`.
    #[must_use]
    pub fn date(self) -> String {
        self.zoned().map_or_else(|| "-".to_owned(), |zoned| zoned.strftime("%Y-%m-%d").to_string())
    }

    /// The form of HTTP headers (RFC 9110 section 5.6.7): `Thu, 15 Jan 2026 10:30:00 GMT`.
    #[must_use]
    pub fn http_date(self) -> String {
        self.zoned()
            .map_or_else(|| "-".to_owned(), |zoned| zoned.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string())
    }

    fn zoned(self) -> Option<jiff::Zoned> {
        jiff::Timestamp::from_microsecond(self.0).ok().map(|stamp| stamp.to_zoned(TimeZone::UTC))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(stamp) => write!(f, "{stamp:.3}"),
            Err(_) => write!(f, "{}us", self.0),
        }
    }
}

impl FromStr for Timestamp {
    type Err = TimeError;
    fn from_str(text: &str) -> Result<Self, TimeError> {
        let stamp: jiff::Timestamp = text.parse().map_err(|_| TimeError(text.chars().take(40).collect()))?;
        Ok(Self(stamp.as_microsecond()))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Where `now` comes from. Handlers and jobs read it; everything below takes `now` as an argument.
#[derive(Clone, Debug, Default)]
pub struct Clock(Option<Arc<AtomicI64>>);

impl Clock {
    /// The machine's clock.
    #[must_use]
    pub const fn system() -> Self {
        Self(None)
    }

    /// A clock that stands at `start` until it is told to [`advance`](Clock::advance). For tests.
    #[must_use]
    pub fn fixed(start: Timestamp) -> Self {
        Self(Some(Arc::new(AtomicI64::new(start.0))))
    }

    /// The time now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Some(fixed) => Timestamp(fixed.load(Ordering::SeqCst)),
            None => Timestamp(jiff::Timestamp::now().as_microsecond()),
        }
    }

    /// Moves a fixed clock on; does nothing to the machine's.
    pub fn advance(&self, by: Duration) {
        if let Some(fixed) = &self.0 {
            fixed.fetch_add(i64::try_from(by.as_micros()).unwrap_or(i64::MAX), Ordering::SeqCst);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn text_form_is_rfc_3339_with_milliseconds() {
        let stamp = Timestamp::from_micros(1_705_314_600_123_456);
        assert_eq!(stamp.to_string(), "2024-01-15T10:30:00.123Z");
        assert_eq!(stamp.http_date(), "Mon, 15 Jan 2024 10:30:00 GMT");
        assert_eq!("2024-01-15T11:30:00+01:00".parse::<Timestamp>().unwrap().secs(), stamp.secs());
        assert!("yesterday".parse::<Timestamp>().is_err());
    }

    #[test]
    fn extremes_neither_wrap_nor_panic() {
        let last = Timestamp::from_micros(i64::MAX);
        assert_eq!(last.after(Duration::MAX), last);
        assert_eq!(Timestamp::from_micros(5).since(last), Duration::ZERO);
        let _ = (last.to_string(), last.date(), last.http_date());
    }
}
