//! The test cards: Stripe's well-known numbers where they exist, ours where they don't.

use std::fmt;

use kernel::{FieldError, Timestamp};
use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};
use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, Type};

use crate::gateway::Instrument;
use crate::method::MethodView;

/// A card as it is typed. It is checked, turned into an outcome code, and forgotten: `Debug` hides it.
#[derive(Clone, Default, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Card {
    /// 12 to 19 digits; spaces and dashes may stand between them.
    pub number: String,
    /// 1 to 12.
    #[serde(deserialize_with = "number_or_text")]
    #[schema(schema_with = number_or_text_schema)]
    pub exp_month: String,
    /// With two or four digits.
    #[serde(deserialize_with = "number_or_text")]
    #[schema(schema_with = number_or_text_schema)]
    pub exp_year: String,
    /// Three digits, four for American Express.
    pub cvc: String,
}

/// Programs send months and years as numbers, forms as text. What it is worth is [`Card::check`]'s to say.
fn number_or_text<'de, D: Deserializer<'de>>(input: D) -> Result<String, D::Error> {
    struct Either;

    impl Visitor<'_> for Either {
        type Value = String;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a whole number, or its digits as text")
        }

        fn visit_u64<E: Error>(self, number: u64) -> Result<String, E> {
            Ok(number.to_string())
        }

        fn visit_i64<E: Error>(self, number: i64) -> Result<String, E> {
            Ok(number.to_string())
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<String, E> {
            Ok(text.to_owned())
        }
    }
    input.deserialize_any(Either)
}

fn number_or_text_schema() -> utoipa::openapi::schema::Schema {
    let number = ObjectBuilder::new().schema_type(Type::Integer);
    OneOfBuilder::new().item(number).item(ObjectBuilder::new().schema_type(Type::String)).build().into()
}

impl fmt::Debug for Card {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Card(hidden)")
    }
}

/// What happens to a payment with a test card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TestCard {
    /// Its digits.
    pub number: &'static str,
    /// The token that stands for it.
    pub token: &'static str,
    /// What is kept of it with a payment.
    pub code: &'static str,
    /// What happens, for people.
    pub does: &'static str,
}

/// Every card that the sandbox knows. Any date in the future and any CVC go with them.
pub const CARDS: &[TestCard] = &[
    card("4242424242424242", "tok_visa", "ok", "Is accepted."),
    card("5555555555554444", "tok_mastercard", "ok_mastercard", "Is accepted (Mastercard)."),
    card("378282246310005", "tok_amex", "ok_amex", "Is accepted (American Express, CVC of four digits)."),
    card("4000000000000002", "tok_chargeDeclined", "declined", "Is declined."),
    card(
        "4000000000009995",
        "tok_chargeDeclinedInsufficientFunds",
        "no_funds",
        "Is declined: insufficient funds.",
    ),
    card("4000000000000069", "tok_chargeDeclinedExpiredCard", "expired", "Is declined: expired card."),
    card("4000000000000127", "tok_chargeDeclinedIncorrectCvc", "wrong_cvc", "Is declined: wrong CVC."),
    card(
        "4000000000000119",
        "tok_chargeDeclinedProcessingError",
        "processing",
        "Is declined: processing error.",
    ),
    card(
        "4000002500003155",
        "tok_threeDSecure2Required",
        "confirm",
        "Wants a confirmation on a page of the bank.",
    ),
    card(
        "4000000000000259",
        "tok_createDispute",
        "dispute_lost",
        "Is accepted, disputed 10 s later, and lost.",
    ),
    card(
        "4000000000002685",
        "tok_createDisputeWon",
        "dispute_won",
        "Is accepted, disputed 10 s later, and won.",
    ),
    card("4000000000050007", "tok_timeoutFound", "lost_answer", "Times out; the bank had accepted it."),
    card("4000000000050015", "tok_timeoutNever", "lost_request", "Times out; it never reached the bank."),
    card("4000000000050023", "tok_late", "late", "Succeeds after 20 s."),
    card("4000000000050031", "tok_twice", "twice", "Is accepted, and the bank tells so twice."),
    card("4000000000050049", "tok_automatic", "automatic", "Is taken at once, without a capture."),
    card("4000000000050056", "tok_captureLapses", "lapses", "Is accepted, but the capture is refused."),
    card("4000000000050064", "tok_refundFails", "no_refund", "Is accepted; refunds are refused."),
    card("4000000000050072", "tok_refundUnknown", "slow_refund", "Is accepted; refunds time out at first."),
];

const fn card(number: &'static str, token: &'static str, code: &'static str, does: &'static str) -> TestCard {
    TestCard { number, token, code, does }
}

impl TestCard {
    /// The card with this outcome code.
    #[must_use]
    pub fn by_code(code: &str) -> Option<&'static Self> {
        CARDS.iter().find(|card| card.code == code)
    }

    /// The card that this token stands for.
    #[must_use]
    pub fn by_token(token: &str) -> Option<&'static Self> {
        CARDS.iter().find(|card| card.token == token)
    }

    /// `visa`, `mastercard`, `amex`.
    #[must_use]
    pub fn brand(&self) -> &'static str {
        brand(self.number)
    }

    /// What people see of it.
    #[must_use]
    pub fn view(&self) -> MethodView {
        let last4 = self.number.get(self.number.len() - 4..).unwrap_or_default();
        MethodView { brand: self.brand().to_owned(), last4: last4.to_owned() }
    }

    /// The number in groups of four, as on a card.
    #[must_use]
    pub fn spaced(&self) -> String {
        let digits: Vec<char> = self.number.chars().collect();
        digits.chunks(4).map(|part| part.iter().collect::<String>()).collect::<Vec<_>>().join(" ")
    }

    pub(crate) fn instrument(&self) -> Instrument {
        Instrument { code: self.code.to_owned(), view: Some(self.view()) }
    }
}

fn brand(digits: &str) -> &'static str {
    match digits.as_bytes() {
        [b'4', ..] => "visa",
        [b'5', b'1'..=b'5', ..] => "mastercard",
        [b'3', b'4' | b'7', ..] => "amex",
        _ => "card",
    }
}

/// A card that was typed well and is one of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Checked {
    pub(crate) card: &'static TestCard,
    pub(crate) exp_month: u32,
    pub(crate) exp_year: u32,
}

impl Card {
    /// What may be kept of it to tell it from other cards: the outcome code of the test card, if it is one. A digest
    /// of the number could be undone.
    #[must_use]
    pub fn code(&self) -> Option<&'static str> {
        let digits = digits(&self.number, 19)?;
        CARDS.iter().find(|card| card.number == digits).map(|card| card.code)
    }

    /// Checks what was typed, every field at once; `at` stands before the names of the fields (`/card`).
    pub(crate) fn check(&self, at: &str, now: Timestamp) -> Result<Checked, Vec<FieldError>> {
        let mut errors = Vec::new();
        let wrong = |name: &str, detail: &'static str| FieldError {
            pointer: format!("{at}/{name}").into(),
            detail: detail.into(),
        };
        let number = digits(&self.number, 19);
        let known = match &number {
            Some(digits) if digits.len() < 12 || !luhn(digits) => {
                errors.push(wrong("number", "This is no card number. Check the digits."));
                None
            }
            None => {
                errors.push(wrong("number", "Type the 12 to 19 digits of the card."));
                None
            }
            Some(digits) => {
                let known = CARDS.iter().find(|card| card.number == digits);
                if known.is_none() {
                    errors.push(wrong("number", "Only test cards are taken here, such as 4242 4242 4242 4242. Never type a real card."));
                }
                known
            }
        };
        let month = self.exp_month.trim().parse().ok().filter(|month| (1..=12).contains(month));
        let year = year(self.exp_year.trim());
        if month.is_none() {
            errors.push(wrong("expMonth", "Type the month as 1 to 12."));
        }
        match (month, year) {
            (_, None) => errors.push(wrong("expYear", "Type the year with two or four digits.")),
            (Some(month), Some(year)) if has_expired(month, year, now) => {
                errors.push(wrong("expYear", "This card has expired. Use another one."));
            }
            _ => {}
        }
        let cvc_len = if number.as_deref().is_some_and(|digits| brand(digits) == "amex") { 4 } else { 3 };
        if digits(&self.cvc, 4).is_none_or(|cvc| cvc.len() != cvc_len) {
            let detail = if cvc_len == 4 { "Type the four digits." } else { "Type the three digits." };
            errors.push(wrong("cvc", detail));
        }
        match (known, month, year) {
            (Some(card), Some(exp_month), Some(exp_year)) if errors.is_empty() => {
                Ok(Checked { card, exp_month, exp_year })
            }
            _ => Err(errors),
        }
    }
}

/// The digits of a text in which only spaces and dashes stand between them; at most `most`.
fn digits(text: &str, most: usize) -> Option<String> {
    if text.len() > 40 {
        return None;
    }
    let digits: String = text.chars().filter(|c| !matches!(c, ' ' | '-')).collect();
    let is_plain = !digits.is_empty() && digits.len() <= most && digits.bytes().all(|b| b.is_ascii_digit());
    is_plain.then_some(digits)
}

/// The check digit of ISO/IEC 7812-1.
fn luhn(digits: &str) -> bool {
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(place, byte)| {
            let digit = u32::from(byte - b'0');
            if place % 2 == 0 { digit } else { digit * 2 - if digit > 4 { 9 } else { 0 } }
        })
        .sum();
    sum.is_multiple_of(10)
}

fn year(text: &str) -> Option<u32> {
    let number: u32 = text.parse().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit()))?;
    match text.len() {
        2 => Some(2000 + number),
        4 if (2000..2100).contains(&number) => Some(number),
        _ => None,
    }
}

/// A card is good up to the end of its month.
fn has_expired(month: u32, year: u32, now: Timestamp) -> bool {
    let date = now.date();
    let mut parts = date.split('-').filter_map(|part| part.parse::<u32>().ok());
    let (this_year, this_month) = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    (year, month) < (this_year, this_month)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn now() -> Timestamp {
        "2026-11-21T00:00:00Z".parse().unwrap()
    }

    fn typed(number: &str, month: &str, year: &str, cvc: &str) -> Card {
        Card { number: number.into(), exp_month: month.into(), exp_year: year.into(), cvc: cvc.into() }
    }

    fn wrong(card: &Card) -> Vec<String> {
        let errors = card.check("/card", now()).map(|_| ()).unwrap_err();
        errors.into_iter().map(|error| error.pointer.into_owned()).collect()
    }

    #[test]
    fn every_test_card_can_be_typed() {
        for card in CARDS {
            let cvc = if card.brand() == "amex" { "1234" } else { "123" };
            let checked = typed(&card.spaced(), "12", "30", cvc).check("", now());
            assert_eq!(checked.map(|checked| checked.card), Ok(card), "{}", card.number);
            let same = CARDS.iter().filter(|other| {
                other.number == card.number || other.code == card.code || other.token == card.token
            });
            assert_eq!(same.count(), 1, "{}", card.number);
        }
    }

    #[test]
    fn the_docs_have_every_card() {
        let docs = include_str!("../../docs/sandbox.md");
        for card in CARDS {
            let row = format!("| {} | `{}` | {} |", card.spaced(), card.token, card.does);
            assert!(docs.contains(&row), "missing: {row}");
        }
        assert_eq!(docs.lines().filter(|line| line.contains("| `tok_")).count(), CARDS.len());
    }

    #[test]
    fn each_bad_field_is_named() {
        assert_eq!(wrong(&typed("4242 4242 4242 4241", "12", "30", "123")), ["/card/number"]);
        assert_eq!(wrong(&typed("4111 1111 1111 1111", "12", "30", "123")), ["/card/number"]);
        assert_eq!(wrong(&typed("4242424242424242", "13", "30", "123")), ["/card/expMonth"]);
        assert_eq!(wrong(&typed("4242424242424242", "10", "2026", "123")), ["/card/expYear"]);
        assert_eq!(wrong(&typed("4242424242424242", "1", "026", "123")), ["/card/expYear"]);
        assert_eq!(wrong(&typed("4242424242424242", "1", "30", "12")), ["/card/cvc"]);
        assert_eq!(wrong(&typed("378282246310005", "1", "30", "123")), ["/card/cvc"]);
        assert_eq!(wrong(&Card::default()).len(), 4);
        assert!(
            typed("4242424242424242", "11", "26", "123").check("", now()).is_ok(),
            "good to the month's end"
        );
    }

    #[test]
    fn a_card_hides_itself() {
        assert!(!format!("{:?}", typed("4242424242424242", "1", "30", "123")).contains("42"));
    }

    fn read(month: &serde_json::Value, year: &serde_json::Value) -> Result<Card, serde_json::Error> {
        let number = "4242424242424242";
        let card = serde_json::json!({ "number": number, "expMonth": month, "expYear": year, "cvc": "123" });
        serde_json::from_str(&card.to_string())
    }

    #[test]
    fn a_date_is_a_whole_number_or_text() {
        let good = serde_json::json!("12");
        for odd in ["true", "null", "1.5", "[1]", "{}"] {
            let odd = serde_json::from_str(odd).unwrap();
            assert!(read(&odd, &good).is_err() && read(&good, &odd).is_err(), "{odd}");
        }
        assert_eq!(wrong(&read(&(-1).into(), &2030.into()).unwrap()), ["/card/expMonth"]);
        assert_eq!(wrong(&read(&1.into(), &u64::MAX.into()).unwrap()), ["/card/expYear"]);
    }

    proptest! {
        /// A month and a year mean the same as a number and as text, whether they are good or not.
        #[test]
        fn numbers_and_texts_mean_the_same(month in -3i64..20, year in -3i64..2200) {
            let numbers = read(&month.into(), &year.into()).unwrap();
            let texts = read(&month.to_string().into(), &year.to_string().into()).unwrap();
            let (numbers, texts) = (numbers.check("/card", now()), texts.check("/card", now()));
            prop_assert_eq!(&numbers, &texts);
            let is_good = (1..=12).contains(&month) && matches!(year, 27..=99 | 2027..=2099);
            prop_assert!(!is_good || numbers.is_ok());
            prop_assert!(numbers.is_err() || (1..=12).contains(&month) && matches!(year, 26..=99 | 2026..=2099));
        }

        #[test]
        fn whatever_is_typed_is_judged(number in ".{0,60}", month in ".{0,6}", year in ".{0,6}", cvc in ".{0,6}") {
            let _ = typed(&number, &month, &year, &cvc).check("/card", now());
        }

        /// One wrong digit or two neighbours swapped are what the check digit is for.
        #[test]
        fn a_wrong_digit_is_found(place in 0usize..16, by in 1u8..10) {
            let mut digits = b"4242424242424242".to_vec();
            digits[place] = b'0' + (digits[place] - b'0' + by) % 10;
            prop_assert!(!luhn(&String::from_utf8(digits).unwrap()));
        }
    }
}
