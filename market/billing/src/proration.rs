//! What a change within a period costs: pure rules in whole minor units. Everything is rounded once, and the remainder
//! stays with the part that was used.

/// A price divided at a moment of its period: `unused + used` is exactly the price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts {
    /// The share of the time to come, rounded half up.
    pub unused: i64,
    /// The rest: what was used, with the remainder of the rounding.
    pub used: i64,
}

/// Divides `price` where `unused` of `whole` microseconds are to come.
#[must_use]
pub fn divide(price: i64, unused: i64, whole: i64) -> Parts {
    let whole = i128::from(whole.max(1));
    let unused = i128::from(unused).clamp(0, whole);
    let doubled = i128::from(price) * unused * 2 + whole;
    let share = i64::try_from(doubled.div_euclid(whole * 2)).unwrap_or(price);
    Parts { unused: share, used: price - share }
}

/// What a change of the plan comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// The unused part of the plan that is left.
    pub credit: i64,
    /// What the new plan costs until the end of its period.
    pub charge: i64,
}

impl Change {
    /// What is to be paid now; where the credit is larger, nothing.
    #[must_use]
    pub const fn to_pay(self) -> i64 {
        let net = self.charge - self.credit;
        if net > 0 { net } else { 0 }
    }

    /// What is left of the credit, for the next invoices.
    #[must_use]
    pub const fn left(self) -> i64 {
        let net = self.credit - self.charge;
        if net > 0 { net } else { 0 }
    }
}

/// A change within a period of `whole` microseconds of which `unused` are to come. `paid` is what the old plan cost for
/// the whole period, `price` what the new one costs. Where the new plan begins a period of its own it is paid in full.
#[must_use]
pub fn change(paid: i64, price: i64, unused: i64, whole: i64, begins_anew: bool) -> Change {
    let charge = if begins_anew { price } else { divide(price, unused, whole).unused };
    Change { credit: divide(paid, unused, whole).unused, charge }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn half_a_month_of_nineteen_dollars() {
        assert_eq!(divide(1_900, 15, 30), Parts { unused: 950, used: 950 });
        assert_eq!(divide(1_901, 15, 30), Parts { unused: 951, used: 950 });
        let up = change(1_900, 4_900, 15, 30, false);
        assert_eq!((up.credit, up.charge, up.to_pay(), up.left()), (950, 2_450, 1_500, 0));
        let down = change(4_900, 1_900, 15, 30, false);
        assert_eq!((down.to_pay(), down.left()), (0, 1_500));
        let yearly = change(1_900, 19_000, 15, 30, true);
        assert_eq!((yearly.credit, yearly.charge), (950, 19_000));
    }

    proptest! {
        #[test]
        fn the_parts_are_exactly_the_whole(
            price in 0..1_000_000_000_000_i64, unused in any::<i64>(), whole in any::<i64>()
        ) {
            let parts = divide(price, unused, whole);
            prop_assert_eq!(parts.unused + parts.used, price);
            prop_assert!((0..=price).contains(&parts.unused));
        }

        #[test]
        fn less_time_never_gives_more(price in 0..1_000_000_000_i64, a in 0..1_000_000_i64, b in 0..1_000_000_i64) {
            let (less, more) = (a.min(b), a.max(b));
            prop_assert!(divide(price, less, 1_000_000).unused <= divide(price, more, 1_000_000).unused);
        }

        #[test]
        fn a_change_is_paid_or_credited_never_both(
            paid in 0..1_000_000_i64, price in 0..1_000_000_i64, unused in 0..1_000_i64, anew in any::<bool>()
        ) {
            let change = change(paid, price, unused, 1_000, anew);
            prop_assert!(change.to_pay() == 0 || change.left() == 0);
            prop_assert_eq!(change.to_pay() - change.left(), change.charge - change.credit);
            prop_assert!(change.credit <= paid && change.charge <= price);
        }

        #[test]
        fn the_same_plan_costs_nothing(price in 0..1_000_000_i64, unused in 0..1_000_i64) {
            let change = change(price, price, unused, 1_000, false);
            prop_assert_eq!((change.to_pay(), change.left()), (0, 0));
        }
    }
}
