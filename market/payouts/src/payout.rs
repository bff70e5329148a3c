//! Payouts, their states, and the rules about what can be paid out: no database, no clock.

use std::time::Duration;

use identity::AccountId;
use kernel::{Currency, Money, Timestamp};
use store::{FromRow, Row, StoreError};

kernel::id!(
    /// Money on its way to a seller. Its text is also the idempotency key at the gateway.
    PayoutId,
    "payout"
);
store::id_values!(PayoutId);

store::words! {
    /// Where a payout stands: `requested → submitted → (unknown) → paid | failed`.
    State, "expected requested, submitted, unknown, paid or failed" {
        /// The money is reserved; no gateway was asked.
        Requested = "requested",
        /// Handed to the gateway, or about to be.
        Submitted = "submitted",
        /// The gateway was asked and nobody knows what it did. It is asked again with the same key.
        Unknown = "unknown",
        /// The gateway has it.
        Paid = "paid",
        /// The gateway refused; the money is available again.
        Failed = "failed",
    }
}

impl State {
    /// Whether nothing more happens to it.
    #[must_use]
    pub const fn has_ended(self) -> bool {
        matches!(self, Self::Paid | Self::Failed)
    }

    /// Whether it may become `next`. The gateway is asked again from submitted and unknown, so these may follow
    /// themselves.
    #[must_use]
    pub const fn may_become(self, next: Self) -> bool {
        match self {
            Self::Requested => matches!(next, Self::Submitted),
            Self::Submitted | Self::Unknown => !matches!(next, Self::Requested),
            Self::Paid | Self::Failed => false,
        }
    }
}

/// Money on its way to a seller, or that was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payout {
    /// Its id.
    pub id: PayoutId,
    /// To whom.
    pub seller: AccountId,
    /// How much.
    pub amount: Money,
    /// Through which gateway.
    pub gateway: String,
    /// The gateway's name of the seller's account.
    pub destination: String,
    /// Where it stands.
    pub state: State,
    /// The gateway's name of the transfer.
    pub reference: Option<String>,
    /// Why it failed: a code and words for people.
    pub failure: Option<(String, String)>,
    /// The user who asked; none for the schedule.
    pub requested_by: Option<String>,
    /// How often the gateway was asked.
    pub attempts: u32,
    /// Counts the changes.
    pub version: i64,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl FromRow for Payout {
    fn from_row(row: &Row<'_>) -> Result<Self, StoreError> {
        let decode = |index, reason: String| StoreError::Decode { statement: "payout", index, reason };
        let currency: Currency =
            row.get::<String>(2)?.parse().map_err(|error| decode(2, format!("{error}")))?;
        let failure: Option<String> = row.get(8)?;
        let words: Option<String> = row.get(9)?;
        Ok(Self {
            id: row.get(0)?,
            seller: row.get(1)?,
            amount: Money::new(row.get(3)?, currency),
            gateway: row.get(4)?,
            destination: row.get(5)?,
            state: row.get(6)?,
            reference: row.get(7)?,
            failure: failure.map(|code| (code, words.unwrap_or_default())),
            requested_by: row.get(10)?,
            attempts: row.get(11)?,
            version: row.get(12)?,
            created_at: row.get(13)?,
            updated_at: row.get(14)?,
        })
    }
}

/// What a seller has in one currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SellerBalance {
    /// Sold, and not to be paid out before it matures.
    pub pending: Money,
    /// To be paid out now.
    pub available: Money,
    /// On its way.
    pub in_transit: Money,
    /// Owed to the market, say for refunds after a payout: the next sales pay it off.
    pub debt: Money,
}

impl SellerBalance {
    /// From the seller's account in the books: what is posted and not reserved, what of it matures later, what payouts
    /// under way have reserved, and what is owed beside the account.
    #[must_use]
    pub fn of(available: Money, maturing: Money, in_transit: Money, owed: Money) -> Self {
        let free = available.minor - maturing.minor - owed.minor;
        let money = |minor| Money::new(minor, available.currency);
        Self {
            pending: money(maturing.minor.max(0)),
            available: money(free.max(0)),
            in_transit,
            debt: money(-free.min(0)),
        }
    }

    /// The currency.
    #[must_use]
    pub const fn currency(&self) -> Currency {
        self.available.currency
    }
}

store::words! {
    /// When a seller is paid out without asking.
    #[derive(Default)]
    Every, "expected manual, daily, weekly or monthly" {
        /// Never: the seller asks.
        #[default]
        Manual = "manual",
        /// Each midnight.
        Daily = "daily",
        /// In the night to Monday.
        Weekly = "weekly",
        /// In the night to the first of a month.
        Monthly = "monthly",
    }
}

impl Every {
    /// The first time after `now`, a UTC midnight.
    #[must_use]
    pub fn next(self, now: Timestamp) -> Option<Timestamp> {
        let day = now.day();
        let next = match self {
            Self::Manual => return None,
            Self::Daily => day + 1,
            // 1970-01-01 was a Thursday, so day 4 was a Monday.
            Self::Weekly => day + 7 - (day - 4).rem_euclid(7),
            Self::Monthly => (day + 1..day + 32).find(|day| is_first(*day)).unwrap_or(day + 31),
        };
        Some(Timestamp::from_day(next))
    }
}

fn is_first(day: i64) -> bool {
    Timestamp::from_day(day).date().ends_with("-01")
}

/// When a seller is paid out, and the least amount for that.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schedule {
    /// How often.
    pub every: Every,
    /// The least to pay out by itself, in whole major units of each currency.
    pub minimum: u32,
    /// The next time.
    pub next_at: Option<Timestamp>,
    /// Counts the changes; 0 where nothing was ever set.
    pub version: i64,
}
store::row!(Schedule { every, minimum, next_at, version });

/// How long to wait before the gateway is asked again: 5 s, doubled each time, at most an hour.
#[must_use]
pub(crate) fn pause(attempts: u32) -> Duration {
    Duration::from_secs((5_u64 << attempts.min(10)).min(3600))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn usd(minor: i64) -> Money {
        Money::new(minor, Currency::USD)
    }

    #[test]
    fn nothing_leaves_an_end_and_nothing_returns_to_the_start() {
        for from in State::ALL {
            assert!(!from.may_become(State::Requested), "{from}");
            assert_eq!(State::ALL.iter().any(|next| from.may_become(*next)), !from.has_ended(), "{from}");
            assert_eq!(from.as_str().parse(), Ok(from));
        }
        assert!(!State::Requested.may_become(State::Paid));
    }

    #[test]
    fn a_refund_after_a_payout_is_a_debt_that_sales_pay_off() {
        let zero = usd(0);
        let owing = SellerBalance::of(usd(-100), zero, zero, zero);
        assert_eq!((owing.available, owing.debt), (zero, usd(100)));
        // A sale of 150 pays it off once it has matured, not before.
        let selling = SellerBalance::of(usd(50), usd(150), zero, zero);
        assert_eq!((selling.pending, selling.available, selling.debt), (usd(150), zero, usd(100)));
        let matured = SellerBalance::of(usd(50), zero, zero, zero);
        assert_eq!((matured.available, matured.debt), (usd(50), zero));
    }

    #[test]
    fn schedules_come_at_midnight() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let now = at("2026-01-30T13:00:00Z"); // a Friday
        assert_eq!(Every::Manual.next(now), None);
        assert_eq!(Every::Daily.next(now), Some(at("2026-01-31T00:00:00Z")));
        assert_eq!(Every::Weekly.next(now), Some(at("2026-02-02T00:00:00Z")));
        assert_eq!(Every::Weekly.next(at("2026-02-02T00:00:00Z")), Some(at("2026-02-09T00:00:00Z")));
        assert_eq!(Every::Monthly.next(now), Some(at("2026-02-01T00:00:00Z")));
        assert_eq!(Every::Monthly.next(at("2026-02-01T00:00:00Z")), Some(at("2026-03-01T00:00:00Z")));
    }

    proptest! {
        #[test]
        fn only_what_is_there_can_be_paid_out(
            available in -10_000..10_000_i64, maturing in 0..10_000_i64, owed in 0..500_i64,
        ) {
            let balance = SellerBalance::of(usd(available), usd(maturing), usd(0), usd(owed));
            prop_assert!(balance.available.minor <= (available - maturing - owed).max(0));
            prop_assert!(balance.available.is_zero() || balance.debt.is_zero());
            prop_assert_eq!(balance.available.minor - balance.debt.minor + maturing + owed, available);
        }

        #[test]
        fn the_next_time_is_later_and_not_too_late(seconds in 0..4_000_000_000_i64) {
            let now = Timestamp::from_secs(seconds);
            for (every, days) in [(Every::Daily, 1), (Every::Weekly, 7), (Every::Monthly, 31)] {
                let next = every.next(now).unwrap();
                prop_assert!(next > now && next.day() - now.day() <= days);
            }
        }
    }
}
