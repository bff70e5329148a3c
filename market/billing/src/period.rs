//! Periods by the calendar, in UTC: pure rules. A month after 31 January is the last day of February, and a month after
//! that is 31 March again: every boundary is counted from the anchor, so that days are never lost.

use catalog::Period;
use kernel::Timestamp;

const DAY: i64 = 86_400_000_000;

/// A span of time that is billed: from `start` to just before `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first instant.
    pub start: Timestamp,
    /// The first instant after it.
    pub end: Timestamp,
}

impl Span {
    /// How long it is, in microseconds: more than nothing.
    #[must_use]
    pub fn micros(self) -> i64 {
        self.end.micros().saturating_sub(self.start.micros()).max(1)
    }

    /// How much of it is still to come at `now`, in microseconds.
    #[must_use]
    pub fn unused(self, now: Timestamp) -> i64 {
        self.end.micros().saturating_sub(now.micros()).clamp(0, self.micros())
    }
}

/// The span that begins `count` periods after `anchor`.
#[must_use]
pub fn span(anchor: Timestamp, period: Period, count: i64) -> Span {
    Span { start: boundary(anchor, period, count), end: boundary(anchor, period, count.saturating_add(1)) }
}

/// The instant `count` periods after `anchor`, at the same time of day. A day that the month lacks is its last.
#[must_use]
pub fn boundary(anchor: Timestamp, period: Period, count: i64) -> Timestamp {
    let months = match period {
        Period::Month => count,
        Period::Year => count.saturating_mul(12),
    };
    let (year, month, day) = date_of(anchor.day());
    let index = year.saturating_mul(12).saturating_add(month - 1).saturating_add(months);
    let (year, month) = (index.div_euclid(12), index.rem_euclid(12) + 1);
    let day = day.min(days_in(year, month));
    let of_day = anchor.micros().rem_euclid(DAY);
    Timestamp::from_micros(day_of(year, month, day).saturating_mul(DAY).saturating_add(of_day))
}

/// The calendar year of an instant.
#[must_use]
pub fn year_of(at: Timestamp) -> i64 {
    date_of(at.day()).0
}

/// Year, month (1 to 12) and day (1 to 31) of a number of days since 1970, in the Gregorian calendar. The year is
/// counted from March, so that the leap day is its last: 1970 began 719,468 days after 1 March of the year 0.
fn date_of(day: i64) -> (i64, i64, i64) {
    let day = day.saturating_add(719_468);
    let era = day.div_euclid(146_097);
    let of_era = day.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, of_year - (153 * from_march + 2) / 5 + 1)
}

/// The reverse of [`date_of`].
fn day_of(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let from_march = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * from_march + 2) / 5 + day - 1;
    era.saturating_mul(146_097).saturating_add(of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
}

fn days_in(year: i64, month: i64) -> i64 {
    let (next_year, next) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    day_of(next_year, next, 1).saturating_sub(day_of(year, month, 1))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn the_last_day_of_a_month_stays_the_last() {
        let anchor = at("2026-01-31T10:30:00.250Z");
        let month = |count| boundary(anchor, Period::Month, count).to_string();
        assert_eq!(month(0), "2026-01-31T10:30:00.250Z");
        assert_eq!(month(1), "2026-02-28T10:30:00.250Z");
        assert_eq!(month(2), "2026-03-31T10:30:00.250Z");
        assert_eq!(month(3), "2026-04-30T10:30:00.250Z");
        assert_eq!(month(25), "2028-02-29T10:30:00.250Z");
        let leap = at("2028-02-29T00:00:00Z");
        assert_eq!(boundary(leap, Period::Year, 1).date(), "2029-02-28");
        assert_eq!(boundary(leap, Period::Year, 4).date(), "2032-02-29");
    }

    proptest! {
        #[test]
        fn dates_read_back(day in -1_000_000..4_000_000_i64) {
            let (year, month, of_month) = date_of(day);
            prop_assert_eq!(day_of(year, month, of_month), day);
            prop_assert!((1..=12).contains(&month) && (1..=31).contains(&of_month));
        }

        #[test]
        fn dates_are_those_of_the_kernel(day in -200_000..800_000_i64) {
            let (year, month, of_month) = date_of(day);
            if (0..=9_999).contains(&year) {
                prop_assert_eq!(format!("{year:04}-{month:02}-{of_month:02}"), Timestamp::from_day(day).date());
            }
        }

        #[test]
        fn periods_follow_each_other_without_gap(
            seconds in 0..4_000_000_000_i64, count in 0..600_i64, yearly in any::<bool>()
        ) {
            let (anchor, period) =
                (Timestamp::from_secs(seconds), if yearly { Period::Year } else { Period::Month });
            let (this, next) = (span(anchor, period, count), span(anchor, period, count + 1));
            prop_assert_eq!(this.end, next.start);
            let days = this.micros() / DAY;
            prop_assert!(if yearly { (365..=366).contains(&days) } else { (28..=31).contains(&days) }, "{days}");
            prop_assert_eq!(this.start.micros().rem_euclid(DAY), anchor.micros().rem_euclid(DAY));
            let (_, _, first) = date_of(anchor.day());
            let (year, month, day) = date_of(this.start.day());
            prop_assert_eq!(day, first.min(days_in(year, month)), "no day is lost on the way");
        }

        #[test]
        fn what_is_unused_is_within_the_span(seconds in 0..4_000_000_000_i64, now in any::<i64>()) {
            let span = span(Timestamp::from_secs(seconds), Period::Month, 0);
            prop_assert!((0..=span.micros()).contains(&span.unused(Timestamp::from_micros(now))));
        }

        #[test]
        fn no_time_is_too_far(micros in any::<i64>(), count in any::<i64>()) {
            let _ = boundary(Timestamp::from_micros(micros), Period::Year, count);
        }
    }
}
