//! Times of events as people at the place read and write them.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use kernel::Timestamp;

fn zoned(at: Timestamp, zone: &str) -> Option<jiff::Zoned> {
    let zone = TimeZone::get(zone).ok()?;
    Some(jiff::Timestamp::from_microsecond(at.micros()).ok()?.to_zoned(zone))
}

/// Whether this is an IANA time zone, such as `Europe/Rome`.
#[must_use]
pub fn is_known(zone: &str) -> bool {
    zone.len() <= 60 && TimeZone::get(zone).is_ok()
}

/// The time as a clock at the place shows it, with the zone: `Sat 21 Nov 2026, 19:30 CET`.
#[must_use]
pub fn words(at: Timestamp, zone: &str) -> String {
    zoned(at, zone).map_or_else(|| at.to_string(), |at| at.strftime("%a %-d %b %Y, %H:%M %Z").to_string())
}

/// The time of day alone: `19:30`.
#[must_use]
pub fn time_of_day(at: Timestamp, zone: &str) -> String {
    zoned(at, zone).map_or_else(String::new, |at| at.strftime("%H:%M").to_string())
}

/// The time as a field of a form has it: `2026-11-21T19:30`.
#[must_use]
pub fn to_field(at: Timestamp, zone: &str) -> String {
    zoned(at, zone).map_or_else(String::new, |at| at.strftime("%Y-%m-%dT%H:%M").to_string())
}

/// Reads what a field of a form has. An hour that comes twice in autumn is the first of the two; one that spring
/// leaves out is the hour after.
#[must_use]
pub fn from_field(text: &str, zone: &str) -> Option<Timestamp> {
    let time: DateTime = text.get(..40.min(text.len()))?.parse().ok()?;
    let at = time.to_zoned(TimeZone::get(zone).ok()?).ok()?;
    Some(Timestamp::from_micros(at.timestamp().as_microsecond()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_time_is_shown_as_the_place_has_it() {
        let at: Timestamp = "2026-11-21T18:30:00Z".parse().unwrap();
        assert_eq!(words(at, "Europe/Rome"), "Sat 21 Nov 2026, 19:30 CET");
        assert_eq!(to_field(at, "America/New_York"), "2026-11-21T13:30");
        assert_eq!(from_field("2026-11-21T19:30", "Europe/Rome"), Some(at));
        assert!(is_known("Europe/Rome") && !is_known("Europe/Atlantis") && !is_known(""));
        assert_eq!(from_field("2026-11-21", "Nowhere"), None);
    }

    #[test]
    fn the_hours_of_a_clock_change_have_a_meaning() {
        let at = |text| from_field(text, "Europe/Rome").unwrap().to_string();
        assert_eq!(at("2026-03-29T02:30"), "2026-03-29T01:30:00.000Z");
        assert_eq!(at("2026-10-25T02:30"), "2026-10-25T00:30:00.000Z");
    }

    proptest! {
        #[test]
        fn any_text_is_judged_without_panic(text in "\\PC{0,60}", zone in "\\PC{0,20}", at in any::<i64>()) {
            let _ = (from_field(&text, "Europe/Rome"), is_known(&zone), words(Timestamp::from_micros(at), "UTC"));
        }

        #[test]
        fn what_a_field_shows_reads_back(minutes in 0i64..60_000_000) {
            let at = Timestamp::from_secs(minutes * 60);
            prop_assert_eq!(from_field(&to_field(at, "Asia/Kathmandu"), "Asia/Kathmandu"), Some(at));
        }
    }
}
