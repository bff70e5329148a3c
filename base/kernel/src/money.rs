//! Money: whole minor units of one currency. There are no floats and no silent overflow; what is divided is
//! rounded once, and the remainder has a name.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU8, Ordering};

use iso_currency::Currency as Iso;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

/// The largest amount in minor units that anything may cost: far below what sums of many could overflow.
pub const MAX_MINOR: i64 = 1_000_000_000_000_000;

/// Hundredths of a percent: 1,000 are 10 %.
pub const BASIS: i64 = 10_000;

/// Why a calculation with money was refused.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum MoneyError {
    /// Amounts of different currencies never meet in one sum.
    #[error("{0} and {1} cannot be added up")]
    OtherCurrency(Currency, Currency),
    /// The result would be larger than any amount may be.
    #[error("the amount is too large")]
    TooLarge,
    /// The text is no currency that ISO 4217 knows.
    #[error("expected a currency of ISO 4217 such as USD")]
    NoCurrency,
    /// The text is no decimal number with at most as many places as the currency has.
    #[error("expected an amount such as 19 or 19.90")]
    NoAmount,
}

/// A currency of ISO 4217.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Currency([u8; 3]);

impl Currency {
    /// The United States dollar, in which the demo sells.
    pub const USD: Self = Self(*b"USD");
    /// The euro.
    pub const EUR: Self = Self(*b"EUR");

    /// The three letters.
    #[must_use]
    pub fn code(&self) -> &str {
        // Only `FromStr` and the constants make one, from ASCII letters.
        std::str::from_utf8(&self.0).unwrap_or("XXX")
    }

    /// How many decimal places the major unit has: 2 for dollars, 0 for yen.
    #[must_use]
    pub fn places(self) -> u32 {
        known(self.0).unwrap_or(0)
    }

    /// The sign that stands before an amount, for currencies whose sign everybody reads as theirs: a dollar sign
    /// means something else in a dozen countries, so only one currency has it.
    const fn sign(self) -> Option<&'static str> {
        match &self.0 {
            b"USD" => Some("$"),
            b"EUR" => Some("€"),
            b"GBP" => Some("£"),
            b"JPY" => Some("¥"),
            _ => None,
        }
    }
}

/// The decimal places of a currency that ISO 4217 knows. The library looks through a list, and every amount that is read
/// or written asks: so what it said of three letters is kept, plus one; nothing was said yet of those with 0.
fn known(code: [u8; 3]) -> Option<u32> {
    const NONE: u8 = u8::MAX;
    static SAID: [AtomicU8; 26 * 26 * 26] = [const { AtomicU8::new(0) }; 26 * 26 * 26];
    let digit = |letter: u8| letter.is_ascii_uppercase().then(|| usize::from(letter - b'A'));
    let at = (digit(code[0])? * 26 + digit(code[1])?) * 26 + digit(code[2])?;
    let said = match SAID[at].load(Ordering::Relaxed) {
        0 => {
            let places = std::str::from_utf8(&code).ok().and_then(Iso::from_code).and_then(Iso::exponent);
            let says = places.map_or(NONE, |places| u8::try_from(places).map_or(NONE, |places| places + 1));
            SAID[at].store(says, Ordering::Relaxed);
            says
        }
        says => says,
    };
    (said != NONE).then(|| u32::from(said - 1))
}

impl FromStr for Currency {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, MoneyError> {
        let code = text.as_bytes().try_into().map_err(|_| MoneyError::NoCurrency)?;
        known(code).map(|_| Self(code)).ok_or(MoneyError::NoCurrency)
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// An amount: whole minor units of a currency. It may be negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Money {
    /// Cents, for dollars.
    pub minor: i64,
    /// Of what.
    pub currency: Currency,
}

impl Money {
    /// So many minor units.
    #[must_use]
    pub const fn new(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    /// Nothing.
    #[must_use]
    pub const fn zero(currency: Currency) -> Self {
        Self::new(0, currency)
    }

    /// Whether it is nothing.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.minor == 0
    }

    /// The sum.
    ///
    /// # Errors
    /// [`MoneyError::OtherCurrency`], [`MoneyError::TooLarge`].
    pub fn plus(self, other: Self) -> Result<Self, MoneyError> {
        if self.currency != other.currency {
            return Err(MoneyError::OtherCurrency(self.currency, other.currency));
        }
        self.with(self.minor.checked_add(other.minor))
    }

    /// The difference.
    ///
    /// # Errors
    /// As [`Money::plus`].
    pub fn minus(self, other: Self) -> Result<Self, MoneyError> {
        self.plus(Self::new(-other.minor, other.currency))
    }

    /// So many of it.
    ///
    /// # Errors
    /// [`MoneyError::TooLarge`].
    pub fn times(self, count: u32) -> Result<Self, MoneyError> {
        self.with(self.minor.checked_mul(i64::from(count)))
    }

    /// Splits a share of so many [basis points](BASIS) off: the share, rounded half up to a minor unit, and the
    /// rest. Together they are exactly the whole. A share of more than the whole is the whole.
    #[must_use]
    pub fn split(self, basis_points: u32) -> (Self, Self) {
        let points = i128::from(basis_points).min(i128::from(BASIS));
        let doubled = i128::from(self.minor) * points * 2 + i128::from(BASIS);
        let share = doubled.div_euclid(i128::from(BASIS) * 2);
        // A share of an i64 of at most the whole fits an i64.
        let share = i64::try_from(share).unwrap_or(self.minor);
        (Self::new(share, self.currency), Self::new(self.minor - share, self.currency))
    }

    fn with(self, minor: Option<i64>) -> Result<Self, MoneyError> {
        match minor {
            Some(minor) if minor.abs() <= MAX_MINOR => Ok(Self::new(minor, self.currency)),
            _ => Err(MoneyError::TooLarge),
        }
    }

    /// The amount in major units as people write it, with all its places: `66.16`.
    #[must_use]
    pub fn major(self) -> String {
        let places = self.currency.places();
        let unit = 10_u64.pow(places);
        let sign = if self.minor < 0 { "-" } else { "" };
        let (whole, part) = (self.minor.unsigned_abs() / unit, self.minor.unsigned_abs() % unit);
        match places {
            0 => format!("{sign}{whole}"),
            places => format!("{sign}{whole}.{part:0width$}", width = places as usize),
        }
    }

    /// The amount in major units as the number that JSON answers show beside the exact minor units. Only for
    /// showing: nothing is ever calculated with it.
    #[must_use]
    #[allow(clippy::cast_precision_loss)]
    pub fn major_number(self) -> f64 {
        self.minor as f64 / 10_f64.powi(i32::try_from(self.currency.places()).unwrap_or(0))
    }

    /// Reads major units as people write them: `19`, `19.9`, `19.90`. More places than the currency has are
    /// refused, as are amounts above [`MAX_MINOR`].
    ///
    /// # Errors
    /// [`MoneyError::NoAmount`], [`MoneyError::TooLarge`].
    pub fn parse(text: &str, currency: Currency) -> Result<Self, MoneyError> {
        let text = text.trim();
        let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
        let places = currency.places() as usize;
        let plain = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || !plain(whole) || !plain(part) || part.len() > places || digits.ends_with('.') {
            return Err(MoneyError::NoAmount);
        }
        let minor = format!("{whole}{part:0<places$}").parse::<i64>().map_err(|_| MoneyError::TooLarge)?;
        Self::zero(currency).with(Some(if negative { -minor } else { minor }))
    }
}

/// As pages and messages say it: `$1,066.16`, `-€5.00`, `66.00 CHF`. Programs read [`Money::major`].
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let amount = grouped(&Self::new(self.minor.saturating_abs(), self.currency).major());
        let minus = if self.minor < 0 { "-" } else { "" };
        match self.currency.sign() {
            Some(sign) => write!(f, "{minus}{sign}{amount}"),
            None => write!(f, "{minus}{amount} {}", self.currency),
        }
    }
}

/// The digits before the point in groups of three: `12,345.67`.
fn grouped(amount: &str) -> String {
    let whole = amount.find('.').unwrap_or(amount.len());
    let mut grouped = String::with_capacity(amount.len() + whole / 3);
    for (place, digit) in amount.char_indices() {
        if place > 0 && place < whole && (whole - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
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
    fn amounts_read_and_write_as_people_do() {
        for (text, minor) in [("19", 1900), ("19.9", 1990), ("0.05", 5), ("-3.20", -320), (" 7.00 ", 700)] {
            assert_eq!(Money::parse(text, Currency::USD), Ok(usd(minor)), "{text}");
        }
        for text in ["", ".", "1.", ".5", "1.234", "1e3", "+1", "1,5", "--1", "٣"] {
            assert_eq!(Money::parse(text, Currency::USD), Err(MoneyError::NoAmount), "{text}");
        }
        assert_eq!(Money::parse("99999999999999999999", Currency::USD), Err(MoneyError::TooLarge));
        let yen: Currency = "JPY".parse().unwrap();
        assert_eq!(Money::parse("500", yen).unwrap().major(), "500");
        assert_eq!(Money::parse("500.1", yen), Err(MoneyError::NoAmount));
        assert_eq!(usd(6616).to_string(), "$66.16");
        assert_eq!(Money::new(-500, Currency::EUR).to_string(), "-€5.00");
        assert_eq!(usd(123_456_789).to_string(), "$1,234,567.89");
        assert_eq!(Money::new(-100_000, yen).to_string(), "-¥100,000");
        assert_eq!(
            "CHF".parse::<Currency>().map(|chf| Money::new(6600, chf).to_string()).unwrap(),
            "66.00 CHF"
        );
    }

    #[test]
    fn only_currencies_of_the_standard_are_known() {
        for text in ["usd", "US", "USDX", "ABC", "XXX", ""] {
            assert_eq!(text.parse::<Currency>(), Err(MoneyError::NoCurrency), "{text}");
        }
        assert_eq!("BHD".parse::<Currency>().unwrap().places(), 3);
    }

    #[test]
    fn currencies_never_mix_and_sums_never_wrap() {
        assert!(matches!(usd(1).plus(Money::new(1, Currency::EUR)), Err(MoneyError::OtherCurrency(..))));
        assert_eq!(usd(MAX_MINOR).plus(usd(1)), Err(MoneyError::TooLarge));
        assert_eq!(usd(i64::MAX / 2).times(3), Err(MoneyError::TooLarge));
    }

    #[test]
    fn a_share_is_rounded_once_and_the_rest_is_the_rest() {
        assert_eq!(usd(1999).split(1000), (usd(200), usd(1799)));
        assert_eq!(usd(5).split(1000), (usd(1), usd(4)));
        assert_eq!(usd(4).split(1000), (usd(0), usd(4)));
        assert_eq!(usd(100).split(20_000), (usd(100), usd(0)));
    }

    proptest! {
        #[test]
        fn nothing_is_lost_in_a_split(minor in -MAX_MINOR..MAX_MINOR, points in 0u32..=10_000) {
            let (share, rest) = usd(minor).split(points);
            prop_assert_eq!(share.plus(rest).unwrap(), usd(minor));
            prop_assert!(share.minor.abs() <= minor.abs());
        }

        #[test]
        fn what_is_written_reads_back(minor in -MAX_MINOR..MAX_MINOR) {
            prop_assert_eq!(Money::parse(&usd(minor).major(), Currency::USD), Ok(usd(minor)));
        }

        #[test]
        fn people_read_the_same_digits_in_threes(minor in -MAX_MINOR..MAX_MINOR) {
            let shown = usd(minor).to_string();
            prop_assert_eq!(shown.replace([',', '$'], ""), usd(minor).major());
            let digits = shown.trim_start_matches(['-', '$']).trim_end_matches(|c| c != '.');
            let groups: Vec<&str> = digits.trim_end_matches('.').split(',').collect();
            prop_assert!((1..=3).contains(&groups[0].len()));
            prop_assert!(groups[1..].iter().all(|group| group.len() == 3));
        }

        #[test]
        fn any_text_is_judged_without_panic(text in ".{0,40}") {
            let _ = Money::parse(&text, Currency::USD);
            let _ = text.parse::<Currency>();
        }
    }
}
