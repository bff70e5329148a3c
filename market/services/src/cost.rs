//! What a deployment costs: from the time that was measured and the price of its plan, in whole minor units.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use kernel::Timestamp;

use crate::template::Pricing;

/// Microseconds of a thousand hours, for which prices by the hour are told.
pub(crate) const THOUSAND_HOURS: i128 = 3_600_000_000 * 1000;

/// The time that was measured at one price.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Measured {
    pub(crate) pricing: String,
    /// In minor units, for a month or a thousand hours.
    pub(crate) price: i64,
    /// How long it was there, and how long it served, in microseconds.
    pub(crate) there_us: i64,
    pub(crate) served_us: i64,
}

store::row!(Measured { pricing, price, there_us, served_us });

/// What it came to so far this month, and what it comes to if it goes on like this.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// So far, in minor units.
    pub current_minor: i64,
    /// At the end of the month, in minor units.
    pub projected_minor: i64,
}

/// A calendar month, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Month {
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
    /// Counts the months since the year 0.
    pub(crate) number: i64,
}

impl Month {
    pub(crate) fn of(now: Timestamp) -> Self {
        let stamp = jiff::Timestamp::from_microsecond(now.micros()).unwrap_or_default();
        let first = stamp.to_zoned(TimeZone::UTC).date().first_of_month();
        let next = first.last_of_month().tomorrow().unwrap_or(Date::MAX);
        let start = |date: Date| {
            let zoned = date.to_zoned(TimeZone::UTC).map(|zoned| zoned.timestamp().as_microsecond());
            Timestamp::from_micros(zoned.unwrap_or_default())
        };
        let number = i64::from(first.year()) * 12 + i64::from(first.month()) - 1;
        Self { from: start(first), to: start(next), number }
    }

    /// A period that is paid at once, in the place of a month.
    pub(crate) fn spanning(self, from: Timestamp, to: Timestamp) -> Self {
        Self { from, to, ..self }
    }

    fn length_us(self) -> i128 {
        i128::from(self.to.micros() - self.from.micros()).max(1)
    }
}

/// The price of a plan as it stands in the rows of what was measured.
pub(crate) const fn price(pricing: Pricing) -> i64 {
    match pricing {
        Pricing::Free => 0,
        Pricing::Subscription { month_minor } => month_minor,
        Pricing::Usage { thousand_hours_minor } => thousand_hours_minor,
    }
}

/// What was measured this month, in money. `present` is the plan that holds now, where it goes on to cost.
pub(crate) fn cost(measured: &[Measured], month: Month, now: Timestamp, present: Option<Pricing>) -> Cost {
    let length = month.length_us();
    let current: i128 = measured
        .iter()
        .map(|row| match row.pricing.as_str() {
            "subscription" => i128::from(row.price) * i128::from(row.there_us) * THOUSAND_HOURS,
            "usage" => i128::from(row.price) * i128::from(row.served_us) * length,
            _ => 0,
        })
        .sum();
    let left = i128::from((month.to.micros() - now.micros()).max(0));
    let rest = match present {
        Some(Pricing::Subscription { month_minor }) => i128::from(month_minor) * left * THOUSAND_HOURS,
        Some(Pricing::Usage { thousand_hours_minor }) => i128::from(thousand_hours_minor) * left * length,
        Some(Pricing::Free) | None => 0,
    };
    let unit = length * THOUSAND_HOURS;
    let rounded = |sum: i128| i64::try_from((sum + unit / 2) / unit).unwrap_or(i64::MAX);
    Cost { current_minor: rounded(current), projected_minor: rounded(current + rest) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn row(pricing: &str, price: i64, there_us: i64, served_us: i64) -> Measured {
        Measured { pricing: pricing.into(), price, there_us, served_us }
    }

    #[test]
    fn months_begin_and_end_where_the_calendar_says() {
        let month = Month::of(at("2024-02-29T23:59:59Z"));
        assert_eq!((month.from, month.to), (at("2024-02-01T00:00:00Z"), at("2024-03-01T00:00:00Z")));
        assert_eq!(Month::of(month.to).number, month.number + 1);
    }

    #[test]
    fn half_a_month_of_a_subscription_costs_half_and_all_of_it_costs_all() {
        let now = at("2026-06-16T00:00:00Z");
        let (month, half) = (Month::of(now), 15 * 86_400_000_000);
        let plan = Some(Pricing::Subscription { month_minor: 1900 });
        let measured = [row("subscription", 1900, half, 0)];
        assert_eq!(cost(&measured, month, now, plan), Cost { current_minor: 950, projected_minor: 1900 });
        assert_eq!(cost(&measured, month, now, None), Cost { current_minor: 950, projected_minor: 950 });
    }

    #[test]
    fn what_is_paid_by_use_costs_nothing_while_it_does_not_serve() {
        let now = at("2026-06-16T00:00:00Z");
        let month = Month::of(now);
        let hundred_hours = 100 * 3_600_000_000;
        let measured = [row("usage", 2800, 15 * 86_400_000_000, hundred_hours), row("free", 0, 1, 1)];
        let plan = Some(Pricing::Usage { thousand_hours_minor: 2800 });
        assert_eq!(cost(&measured, month, now, None).current_minor, 280);
        assert_eq!(cost(&measured, month, now, plan).projected_minor, 280 + 360 * 28 / 10);
    }
}
