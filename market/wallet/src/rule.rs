//! The rule of automatic top-ups: below a threshold, top up by an amount, within limits. No I/O in here.
//!
//! It cannot go round in circles: an amount is no smaller than the threshold, so a top-up that succeeds leads back
//! above it; only one is on its way at a time; failures are paused after, and the third in a row ends the rule.

use std::time::Duration;

use identity::{AccountId, UserId};
use kernel::{Currency, Money, Timestamp};
use payments::MethodId;

kernel::id!(
    /// The rule of one wallet.
    AutoId,
    "autotopup"
);
store::id_values!(AutoId);

/// After so many failures in a row a rule is switched off.
pub(crate) const MAX_FAILURES: u32 = 3;
/// The most top-ups that a rule may be allowed within a day.
pub(crate) const MOST_PER_DAY: u32 = 24;
/// What counts as a day: the last 24 hours.
pub(crate) const DAY: Duration = Duration::from_secs(24 * 3600);
/// What counts as a month: the last 30 days.
pub(crate) const MONTH: Duration = Duration::from_secs(30 * 24 * 3600);
/// The pause after the first failure, and after the second.
const PAUSES: [Duration; 2] = [Duration::from_secs(15 * 60), Duration::from_secs(4 * 3600)];

store::words! {
    /// Why a rule was switched off by itself.
    #[derive(utoipa::ToSchema)]
    Stopped, "expected why a rule was switched off" {
        /// It failed three times in a row.
        Failures = "failures",
        /// The bank disputes one of its payments.
        Dispute = "dispute",
        /// Its card is no longer saved.
        NoMethod = "no_method",
    }
}

impl Stopped {
    /// For people.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Failures => "The card was declined three times in a row.",
            Self::Dispute => "The bank disputes one of its payments.",
            Self::NoMethod => "Its card is no longer saved.",
        }
    }
}

/// The rule of one wallet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AutoTopUp {
    /// Its id.
    pub id: AutoId,
    /// Whose wallet.
    pub account: AccountId,
    /// Whether it is on.
    pub enabled: bool,
    /// Below this much available it tops up.
    pub threshold: Money,
    /// By this much; no less than the threshold.
    pub amount: Money,
    /// With this saved card of the account.
    pub method: MethodId,
    /// At most so often within 24 hours.
    pub max_per_day: u32,
    /// At most so much within 30 days, in minor units.
    pub monthly_limit_minor: Option<i64>,
    /// How often it failed in a row.
    pub failures: u32,
    /// Not before this, after a failure.
    pub retry_at: Option<Timestamp>,
    /// Why it was switched off by itself.
    pub reason: Option<Stopped>,
    /// Who set it last: they get the mails of an organisation's wallet.
    pub set_by: UserId,
    /// Grows with every change.
    pub version: i64,
    /// When it was first set.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// What a rule looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Situation {
    /// When.
    pub now: Timestamp,
    /// What can be spent, in minor units.
    pub available_minor: i64,
    /// Whether one of its top-ups is on its way.
    pub is_live: bool,
    /// How many it began within 24 hours, without those that failed.
    pub in_a_day: u32,
    /// How much it topped up within 30 days, in minor units.
    pub in_a_month_minor: i64,
    /// Whether the wallet may take the amount.
    pub fits: bool,
}

/// Why a rule does nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idle {
    /// It is off.
    Off,
    /// There is enough in the wallet.
    Enough,
    /// A top-up of its own is on its way.
    Live,
    /// It failed a moment ago.
    Pauses(Timestamp),
    /// It has done what it may do within a day.
    DayLimit,
    /// It has done what it may do within a month.
    MonthLimit,
    /// The wallet may not hold more.
    Full,
}

impl AutoTopUp {
    /// In which currency.
    #[must_use]
    pub const fn currency(&self) -> Currency {
        self.threshold.currency
    }

    /// Whether to top up now.
    ///
    /// # Errors
    /// Why not.
    pub fn decide(&self, seen: &Situation) -> Result<(), Idle> {
        if !self.enabled {
            return Err(Idle::Off);
        }
        if seen.available_minor >= self.threshold.minor {
            return Err(Idle::Enough);
        }
        if seen.is_live {
            return Err(Idle::Live);
        }
        if let Some(at) = self.retry_at.filter(|at| *at > seen.now) {
            return Err(Idle::Pauses(at));
        }
        if seen.in_a_day >= self.max_per_day {
            return Err(Idle::DayLimit);
        }
        let month = seen.in_a_month_minor.saturating_add(self.amount.minor);
        if self.monthly_limit_minor.is_some_and(|limit| month > limit) {
            return Err(Idle::MonthLimit);
        }
        if seen.fits { Ok(()) } else { Err(Idle::Full) }
    }

    /// One of its top-ups failed: pauses, or is switched off. Answers whether it was switched off just now.
    pub fn failed(&mut self, now: Timestamp) -> bool {
        self.failures = (self.failures + 1).min(MAX_FAILURES);
        let pause = PAUSES.get(self.failures as usize - 1);
        self.retry_at = pause.map(|pause| now.after(*pause));
        if pause.is_some() || !self.enabled {
            return false;
        }
        self.stop(Stopped::Failures);
        true
    }

    /// One of its top-ups arrived.
    pub fn succeeded(&mut self) {
        (self.failures, self.retry_at) = (0, None);
    }

    /// Switches it off.
    pub fn stop(&mut self, reason: Stopped) {
        (self.enabled, self.reason, self.retry_at) = (false, Some(reason), None);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    const START: Timestamp = Timestamp::from_secs(1_800_000_000);

    fn rule(threshold: i64, amount: i64, max_per_day: u32, monthly: Option<i64>) -> AutoTopUp {
        let usd = |minor| Money::new(minor, Currency::USD);
        AutoTopUp {
            id: AutoId::fresh(),
            account: "user-ada".parse().unwrap(),
            enabled: true,
            threshold: usd(threshold),
            amount: usd(amount),
            method: "method-1".parse().unwrap(),
            max_per_day,
            monthly_limit_minor: monthly,
            failures: 0,
            retry_at: None,
            reason: None,
            set_by: "user-ada".parse().unwrap(),
            version: 1,
            created_at: START,
            updated_at: START,
        }
    }

    fn low(now: Timestamp) -> Situation {
        Situation { now, available_minor: 0, is_live: false, in_a_day: 0, in_a_month_minor: 0, fits: true }
    }

    #[test]
    fn each_reason_to_do_nothing() {
        let rule = rule(1_000, 2_000, 2, Some(5_000));
        let low = low(START);
        assert_eq!(rule.decide(&low), Ok(()));
        assert_eq!(rule.decide(&Situation { available_minor: 1_000, ..low }), Err(Idle::Enough));
        assert_eq!(rule.decide(&Situation { available_minor: 999, ..low }), Ok(()));
        assert_eq!(rule.decide(&Situation { is_live: true, ..low }), Err(Idle::Live));
        assert_eq!(rule.decide(&Situation { in_a_day: 2, ..low }), Err(Idle::DayLimit));
        assert_eq!(rule.decide(&Situation { in_a_month_minor: 3_000, ..low }), Ok(()));
        assert_eq!(rule.decide(&Situation { in_a_month_minor: 3_001, ..low }), Err(Idle::MonthLimit));
        assert_eq!(rule.decide(&Situation { fits: false, ..low }), Err(Idle::Full));
        assert_eq!(AutoTopUp { enabled: false, ..rule }.decide(&low), Err(Idle::Off));
    }

    #[test]
    fn the_third_failure_in_a_row_ends_the_rule() {
        let mut rule = rule(1_000, 2_000, 3, None);
        assert!(!rule.failed(START));
        assert_eq!(rule.decide(&low(START)), Err(Idle::Pauses(START.after(PAUSES[0]))));
        rule.succeeded();
        assert!(!rule.failed(START) && !rule.failed(START));
        assert_eq!(rule.decide(&low(START.after(PAUSES[1]))), Ok(()));
        assert!(rule.failed(START));
        assert_eq!((rule.enabled, rule.reason), (false, Some(Stopped::Failures)));
        assert!(!rule.failed(START), "it is switched off once");
    }

    /// What may happen to a wallet with a rule.
    #[derive(Clone, Debug)]
    enum Step {
        Spend(i64),
        Arrives,
        Fails,
        Wait(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (1i64..3_000).prop_map(Step::Spend),
            2 => Just(Step::Arrives),
            1 => Just(Step::Fails),
            2 => (1u64..100_000).prop_map(Step::Wait),
        ]
    }

    proptest! {
        /// Whatever happens in whatever order: one top-up at a time, each after something that let the balance be
        /// low, within its limits, and none after the third failure in a row.
        #[test]
        fn a_rule_never_does_more_than_it_may(
            threshold in 1i64..2_000, more in 0i64..2_000, per_day in 1u32..4, monthly in prop::option::of(4_000i64..20_000),
            steps in prop::collection::vec(step(), 0..120),
        ) {
            let mut rule = rule(threshold, threshold + more, per_day, monthly);
            let (mut now, mut available, mut live, mut row) = (START, 2_000i64, None::<Timestamp>, 0);
            let mut begun: Vec<Timestamp> = Vec::new();
            for step in steps {
                let mut was_spent = false;
                match step {
                    Step::Spend(minor) => { was_spent = true; available -= minor.min(available); }
                    Step::Arrives if live.take().is_some() => {
                        available += rule.amount.minor;
                        rule.succeeded();
                        row = 0;
                        prop_assert!(available >= rule.threshold.minor, "one top-up leads back above the threshold");
                    }
                    Step::Fails => if live.take().is_some() {
                        begun.pop();
                        row += 1;
                        prop_assert_eq!(rule.failed(now), row == MAX_FAILURES);
                    },
                    Step::Arrives => {}
                    Step::Wait(seconds) => now = now.after(Duration::from_secs(seconds)),
                }
                let within = |life: Duration| begun.iter().filter(move |at| now.since(**at) < life).count();
                let in_a_month_minor = i64::try_from(within(MONTH)).unwrap() * rule.amount.minor;
                let seen = Situation {
                    now,
                    available_minor: available,
                    is_live: live.is_some(),
                    in_a_day: u32::try_from(within(DAY)).unwrap(),
                    in_a_month_minor,
                    fits: true,
                };
                if rule.decide(&seen).is_ok() {
                    prop_assert!(live.is_none() && row < MAX_FAILURES && available < rule.threshold.minor);
                    prop_assert!(was_spent || row > 0 || !begun.is_empty() || available < rule.threshold.minor);
                    live = Some(now);
                    begun.push(now);
                    prop_assert!(within_limit(&begun, now, rule.max_per_day));
                    let sum = in_a_month_minor + rule.amount.minor;
                    prop_assert!(rule.monthly_limit_minor.is_none_or(|limit| sum <= limit));
                }
                prop_assert!(rule.enabled == (row < MAX_FAILURES));
            }
        }
    }

    fn within_limit(begun: &[Timestamp], now: Timestamp, most: u32) -> bool {
        begun.iter().filter(|at| now.since(**at) < DAY).count() <= most as usize
    }
}
