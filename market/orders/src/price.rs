//! What a line costs and who gets which part of it: pure rules in whole minor units. Everything is rounded once; the
//! remainder is named, and the parts are exactly the whole.

use kernel::{Currency, Money, MoneyError};

/// The most basis points a rate may have: 100 %.
pub const MAX_RATE: u32 = 10_000;

/// What a line, or a whole order, comes to, in minor units.
///
/// `subtotal − discount − promotion + added tax = total`, and `total + promotion = seller + fee + tax`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amounts {
    /// Price times quantity.
    pub subtotal: i64,
    /// What the seller gives up by a promo code of the seller.
    pub discount: i64,
    /// What the market pays by a promo code of the market.
    pub promotion: i64,
    /// The tax, whether it is inside of the price or comes on top.
    pub tax: i64,
    /// The market's part.
    pub fee: i64,
    /// The seller's part.
    pub seller: i64,
    /// What the buyer pays.
    pub total: i64,
}

impl Amounts {
    /// The sum of both.
    ///
    /// # Errors
    /// [`MoneyError::TooLarge`].
    pub fn plus(self, other: Self) -> Result<Self, MoneyError> {
        let add = |a: i64, b: i64| {
            a.checked_add(b).filter(|sum| sum.abs() <= kernel::money::MAX_MINOR).ok_or(MoneyError::TooLarge)
        };
        Ok(Self {
            subtotal: add(self.subtotal, other.subtotal)?,
            discount: add(self.discount, other.discount)?,
            promotion: add(self.promotion, other.promotion)?,
            tax: add(self.tax, other.tax)?,
            fee: add(self.fee, other.fee)?,
            seller: add(self.seller, other.seller)?,
            total: add(self.total, other.total)?,
        })
    }

    /// Whether the parts are exactly the whole.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.total + self.promotion == self.seller + self.fee + self.tax
    }
}

/// How a line is taxed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tax {
    /// Hundredths of a percent.
    pub basis_points: u32,
    /// Whether prices hold the tax already.
    pub is_inclusive: bool,
}

/// Who pays for a promo code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Funded {
    /// The seller, who then sells for less.
    BySeller,
    /// The market, from its own money: the seller gets the whole price.
    ByMarket,
}

/// What a line of `subtotal` comes to when `off` minor units are taken off.
///
/// # Errors
/// [`MoneyError::TooLarge`].
pub fn amounts(
    subtotal: Money,
    off: i64,
    funded: Funded,
    fee_basis_points: u32,
    tax: Tax,
) -> Result<Amounts, MoneyError> {
    let currency = subtotal.currency;
    let off = off.clamp(0, subtotal.minor.max(0));
    let (discount, promotion) = match funded {
        Funded::BySeller => (off, 0),
        Funded::ByMarket => (0, off),
    };
    let to_pay = Money::new(subtotal.minor - off, currency);
    let tax_minor = tax_of(to_pay, tax);
    let total = if tax.is_inclusive { to_pay } else { to_pay.plus(Money::new(tax_minor, currency))? };
    // What the seller and the market share: everything but the tax.
    let shared = Money::new(total.minor + promotion - tax_minor, currency);
    let (fee, seller) = shared.split(fee_basis_points);
    Ok(Amounts {
        subtotal: subtotal.minor,
        discount,
        promotion,
        tax: tax_minor,
        fee: fee.minor,
        seller: seller.minor,
        total: total.minor,
    })
}

/// The tax on `amount`, rounded half up once: on top of it, or the part of it that is tax.
fn tax_of(amount: Money, tax: Tax) -> i64 {
    if !tax.is_inclusive {
        return amount.split(tax.basis_points.min(MAX_RATE)).0.minor;
    }
    let rate = i128::from(tax.basis_points.min(MAX_RATE));
    let whole = i128::from(kernel::money::BASIS) + rate;
    part(amount.minor, rate, whole)
}

/// `amount · of / whole`, rounded half up; 0 where there is no whole.
fn part(amount: i64, of: i128, whole: i128) -> i64 {
    if whole == 0 {
        return 0;
    }
    let doubled = i128::from(amount) * of * 2 + whole;
    i64::try_from(doubled.div_euclid(whole * 2)).unwrap_or(amount)
}

/// Shares `off` minor units among lines in proportion to what each costs. No line gets more than it costs, and the
/// shares are exactly `off`, or all there is.
#[must_use]
pub fn shares(costs: &[i64], off: i64) -> Vec<i64> {
    let whole: i128 = costs.iter().map(|cost| i128::from(*cost)).sum();
    let off = i128::from(off.max(0)).min(whole);
    let (mut before, mut given) = (0_i128, 0_i128);
    costs
        .iter()
        .map(|cost| {
            before += i128::from(*cost);
            let until = if whole == 0 { 0 } else { off * before / whole };
            let share = until - given;
            given = until;
            i64::try_from(share).unwrap_or(0)
        })
        .collect()
}

/// Where money comes from when an order is settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// What the buyer paid.
    Buyer,
    /// What the market gives for a promo code.
    Market,
}

/// Who gets money when an order is settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// The seller.
    Seller,
    /// The market's fee.
    Fee,
    /// The tax.
    Tax,
}

/// The transfers that settle `amounts`: at most four, none of nothing. The market's promotion goes to the seller first,
/// then to the fee; the buyer's money fills the rest.
#[must_use]
pub fn legs(amounts: &Amounts) -> Vec<(Source, Share, i64)> {
    let mut promotion = amounts.promotion;
    let mut legs = Vec::with_capacity(4);
    for (share, minor) in
        [(Share::Seller, amounts.seller), (Share::Fee, amounts.fee), (Share::Tax, amounts.tax)]
    {
        let given = promotion.min(minor);
        promotion -= given;
        legs.push((Source::Market, share, given));
        legs.push((Source::Buyer, share, minor - given));
    }
    legs.retain(|(_, _, minor)| *minor > 0);
    legs
}

/// The part of `amounts` that a refund of `minor` takes back, after `before` was taken back already. However a total is
/// taken back in pieces, no part of a piece is below nothing and the pieces are exactly the whole: each is the
/// difference of two rounded shares. What cost nothing is taken back at once.
#[must_use]
pub fn refund(amounts: &Amounts, before: i64, minor: i64) -> Amounts {
    if amounts.total == 0 {
        return if before == 0 { *amounts } else { Amounts::default() };
    }
    let (from, to) = (taken_back(amounts, before), taken_back(amounts, before + minor));
    Amounts {
        subtotal: to.subtotal - from.subtotal,
        discount: to.discount - from.discount,
        promotion: to.promotion - from.promotion,
        tax: to.tax - from.tax,
        fee: to.fee - from.fee,
        seller: to.seller - from.seller,
        total: minor,
    }
}

/// The shares of everything once `minor` of the total were taken back. The tax comes first, then the fee of what is
/// left; the remainder is the seller's, as it was when the order was settled.
fn taken_back(amounts: &Amounts, minor: i64) -> Amounts {
    let share = |amount: i64| part(amount, i128::from(minor), i128::from(amounts.total));
    let (tax, promotion) = (share(amounts.tax), share(amounts.promotion));
    let shared = minor + promotion - tax;
    let fee = part(shared, i128::from(amounts.fee), i128::from(amounts.fee) + i128::from(amounts.seller));
    Amounts {
        subtotal: share(amounts.subtotal),
        discount: share(amounts.discount),
        promotion,
        tax,
        fee,
        seller: shared - fee,
        total: minor,
    }
}

/// A rate as people write it: `10 %`, `7.25 %`.
#[must_use]
pub fn percent(basis_points: u32) -> String {
    let (whole, part) = (basis_points / 100, basis_points % 100);
    match part {
        0 => format!("{whole} %"),
        part => format!("{whole}.{} %", format!("{part:02}").trim_end_matches('0')),
    }
}

/// Reads a rate in percent, with at most two places: `10`, `7.25`, with or without the sign.
#[must_use]
pub fn read_percent(text: &str) -> Option<u32> {
    let text = text.trim().trim_end_matches('%').trim();
    // A currency of two places reads exactly what a percentage of two places is.
    let points = Money::parse(text, Currency::EUR).ok()?.minor;
    u32::try_from(points).ok().filter(|points| *points <= MAX_RATE)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn usd(minor: i64) -> Money {
        Money::new(minor, Currency::USD)
    }

    fn any_amounts() -> impl Strategy<Value = Amounts> {
        let market = prop::sample::select(vec![Funded::BySeller, Funded::ByMarket]);
        (0..10_000_000_i64, 0..10_000_000_i64, market, 0..=10_000_u32, 0..=10_000_u32, any::<bool>())
            .prop_map(|(price, off, funded, fee, basis_points, is_inclusive)| {
                amounts(usd(price), off, funded, fee, Tax { basis_points, is_inclusive }).unwrap()
            })
    }

    #[test]
    fn a_ticket_of_nineteen_dollars() {
        let plain = amounts(usd(1_900), 0, Funded::BySeller, 1_000, Tax::default()).unwrap();
        assert_eq!((plain.total, plain.fee, plain.seller, plain.tax), (1_900, 190, 1_710, 0));
        let on_top = Tax { basis_points: 1_900, is_inclusive: false };
        let taxed = amounts(usd(1_900), 0, Funded::BySeller, 1_000, on_top).unwrap();
        assert_eq!((taxed.total, taxed.tax, taxed.fee, taxed.seller), (2_261, 361, 190, 1_710));
        let inside = Tax { basis_points: 1_900, is_inclusive: true };
        let taxed = amounts(usd(1_900), 0, Funded::BySeller, 1_000, inside).unwrap();
        assert_eq!((taxed.total, taxed.tax, taxed.fee, taxed.seller), (1_900, 303, 160, 1_437));
        let paid_by_market = amounts(usd(1_900), 1_900, Funded::ByMarket, 1_000, Tax::default()).unwrap();
        assert_eq!((paid_by_market.total, paid_by_market.seller, paid_by_market.fee), (0, 1_710, 190));
        assert_eq!(
            legs(&paid_by_market),
            [(Source::Market, Share::Seller, 1_710), (Source::Market, Share::Fee, 190)]
        );
    }

    #[test]
    fn rates_read_and_write_as_people_do() {
        for (text, points, written) in
            [("10", 1_000, "10 %"), ("7.25 %", 725, "7.25 %"), ("0.5", 50, "0.5 %")]
        {
            assert_eq!(read_percent(text), Some(points), "{text}");
            assert_eq!(percent(points), written);
        }
        for text in ["", "-1", "101", "1.234", "ten"] {
            assert_eq!(read_percent(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn the_parts_are_exactly_the_whole(amounts in any_amounts()) {
            prop_assert!(amounts.is_whole(), "{amounts:?}");
            prop_assert!([amounts.total, amounts.tax, amounts.fee, amounts.seller].iter().all(|part| *part >= 0));
        }

        #[test]
        fn the_transfers_are_what_came_in(amounts in any_amounts()) {
            let legs = legs(&amounts);
            let sum = |from: Source| legs.iter().filter(|leg| leg.0 == from).map(|leg| leg.2).sum::<i64>();
            prop_assert_eq!(sum(Source::Buyer), amounts.total);
            prop_assert_eq!(sum(Source::Market), amounts.promotion);
            let to = |share: Share| legs.iter().filter(|leg| leg.1 == share).map(|leg| leg.2).sum::<i64>();
            prop_assert_eq!((to(Share::Seller), to(Share::Fee), to(Share::Tax)), (amounts.seller, amounts.fee, amounts.tax));
            prop_assert!(legs.len() <= 4);
        }

        #[test]
        fn refunds_in_any_pieces_take_back_exactly_the_whole(
            amounts in any_amounts(), cuts in prop::collection::vec(0.0..1.0_f64, 0..6)
        ) {
            #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)]
            let mut ends: Vec<i64> = cuts.iter().map(|cut| (amounts.total as f64 * cut) as i64).collect();
            ends.push(amounts.total);
            ends.sort_unstable();
            let (mut before, mut sum) = (0, Amounts::default());
            for end in ends {
                let piece = refund(&amounts, before, end - before);
                prop_assert!(piece.is_whole());
                prop_assert!([piece.tax, piece.fee, piece.seller, piece.promotion].iter().all(|part| *part >= 0), "{piece:?}");
                sum = sum.plus(piece).unwrap();
                before = end;
            }
            if amounts.total > 0 {
                prop_assert_eq!(sum, amounts);
            }
        }

        #[test]
        fn what_is_off_is_shared_out_exactly(costs in prop::collection::vec(0..1_000_000_i64, 0..8), off in 0..9_000_000_i64) {
            let shares = shares(&costs, off);
            prop_assert_eq!(shares.iter().sum::<i64>(), off.min(costs.iter().sum()));
            prop_assert!(shares.iter().zip(&costs).all(|(share, cost)| (0..=*cost).contains(share)));
        }

        #[test]
        fn any_rate_is_judged_without_panic(text in "\\PC{0,12}") {
            let _ = read_percent(&text);
        }
    }
}
