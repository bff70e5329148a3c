//! Numbers, sizes and times as people read them. Templates call these by path:
//! `{{ web::face::text::count(n) }}`.

use kernel::Timestamp;

use super::Html;

/// How long ago `then` was, seen from `now`: "3 days ago", "in 2 hours", "just now".
#[must_use]
pub fn distance(then: Timestamp, now: Timestamp) -> String {
    let seconds = now.secs().saturating_sub(then.secs());
    if seconds.unsigned_abs() < 45 {
        return "just now".to_owned();
    }
    let units = [
        ("year", 31_557_600),
        ("month", 2_629_800),
        ("week", 604_800),
        ("day", 86_400),
        ("hour", 3_600),
        ("minute", 60),
    ];
    let past = seconds.unsigned_abs();
    let (name, n) =
        units.iter().map(|(name, size)| (*name, past / size)).find(|(_, n)| *n > 0).unwrap_or(("minute", 1));
    let s = if n == 1 { "" } else { "s" };
    if seconds > 0 { format!("{n} {name}{s} ago") } else { format!("in {n} {name}{s}") }
}

/// A `<time>` with the distance as text and the full UTC time on hover; the page script keeps it fresh.
#[must_use]
pub fn ago(then: &Timestamp, now: &Timestamp) -> Html {
    let stamp = then.to_string();
    let words = distance(*then, *now);
    Html::trusted(format!(r#"<time datetime="{stamp}" title="{}" data-ago>{words}</time>"#, utc(*then)))
}

/// The full time in words: `2026-11-17 10:30 UTC`.
#[must_use]
pub fn utc(at: Timestamp) -> String {
    let stamp = at.to_string();
    match (stamp.get(..10), stamp.get(11..16)) {
        (Some(date), Some(time)) => format!("{date} {time} UTC"),
        _ => stamp,
    }
}

/// How many whole seconds are left until `at`, seen from `now`; 0 when it has come.
#[must_use]
pub fn seconds_until(at: &Timestamp, now: &Timestamp) -> i64 {
    at.secs().saturating_sub(now.secs()).max(0)
}

/// The time of day in words: `10:30 UTC`.
#[must_use]
pub fn utc_time(at: &Timestamp) -> String {
    utc(*at).split_once(' ').map_or_else(String::new, |(_, time)| time.to_owned())
}

/// A `<time>` with the time of day, the full time on hover.
#[must_use]
pub fn clock(at: &Timestamp) -> Html {
    Html::trusted(format!(r#"<time datetime="{at}" title="{}">{}</time>"#, utc(*at), utc_time(at)))
}

/// A `<time>` as a leaf of a calendar: the month's short name and the day.
#[must_use]
pub fn calendar(at: &Timestamp) -> Html {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let date = at.date();
    let number = |part: Option<&str>| part.and_then(|text| text.parse::<usize>().ok()).unwrap_or(0);
    let month = MONTHS.get(number(date.get(5..7)).wrapping_sub(1)).copied().unwrap_or_default();
    let day = number(date.get(8..10));
    Html::trusted(format!(
        r#"<time class="cal" datetime="{at}" title="{}"><span>{month}</span><b>{day}</b></time>"#,
        utc(*at)
    ))
}

/// A `<time>` with the date alone: `2026-11-17`.
#[must_use]
pub fn date(at: &Timestamp) -> Html {
    Html::trusted(format!(r#"<time datetime="{at}" title="{}">{}</time>"#, utc(*at), at.date()))
}

/// A whole number, by value or by reference, since templates pass references.
pub trait Whole {
    /// Its value.
    fn whole(&self) -> i128;
}

macro_rules! whole {
    ($($kind:ty)*) => {$(impl Whole for $kind {
        fn whole(&self) -> i128 {
            i128::try_from(*self).unwrap_or(i128::MAX)
        }
    })*};
}
whole!(u8 u16 u32 u64 usize i16 i32 i64 i128 isize);

impl<T: Whole> Whole for &T {
    fn whole(&self) -> i128 {
        (**self).whole()
    }
}

/// A whole number with thousands apart: `1,234`.
#[must_use]
pub fn count(n: impl Whole) -> String {
    let n = n.whole();
    let digits = n.unsigned_abs().to_string();
    let mut out = String::with_capacity(digits.len() * 4 / 3 + 1);
    if n < 0 {
        out.push('-');
    }
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A number with its noun: `1 release`, `24 releases`.
#[must_use]
pub fn counted(n: impl Whole, noun: &str) -> String {
    let text = count(&n);
    if n.whole() == 1 { format!("{text} {noun}") } else { format!("{text} {noun}s") }
}

/// A size in bytes, kB, MB, GB (powers of 1000, as disks and networks count).
#[must_use]
pub fn bytes(n: impl Whole) -> String {
    let n = u64::try_from(n.whole()).unwrap_or(0);
    if n < 1000 {
        return format!("{n} bytes");
    }
    let mut tenths = n / 100;
    for unit in ["kB", "MB", "GB", "TB"] {
        if tenths < 1000 {
            return format!("{}.{} {unit}", tenths / 10, tenths % 10);
        }
        if tenths < 10_000 || unit == "TB" {
            return format!("{} {unit}", count(tenths / 10));
        }
        tenths /= 1000;
    }
    String::new()
}

/// Two letters that stand for a name in an avatar.
#[must_use]
pub fn initials(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).take(2).flat_map(char::to_uppercase).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn times_read_as_a_colleague_would_say_them() {
        let now = Timestamp::from_secs(1_800_000_000);
        let past = |seconds| distance(now.before(Duration::from_secs(seconds)), now);
        assert_eq!(past(3), "just now");
        assert_eq!(past(50), "1 minute ago");
        assert_eq!(past(3_599), "59 minutes ago");
        assert_eq!(past(3 * 86_400), "3 days ago");
        assert_eq!(past(40_000_000), "1 year ago");
        assert_eq!(distance(now.after(Duration::from_secs(7_300)), now), "in 2 hours");
        let extreme = Timestamp::from_micros(i64::MIN);
        assert!(distance(extreme, Timestamp::from_micros(i64::MAX)).ends_with("ago"));
    }

    #[test]
    fn the_full_time_is_on_hover() {
        let then = Timestamp::from_secs(1_763_375_400);
        let html = ago(&then, &then.after(Duration::from_secs(3 * 86_400)));
        assert_eq!(
            html.as_str(),
            r#"<time datetime="2025-11-17T10:30:00.000Z" title="2025-11-17 10:30 UTC" data-ago>3 days ago</time>"#
        );
    }

    #[test]
    fn a_calendar_leaf_and_a_clock_tell_the_day_and_the_time() {
        let at = Timestamp::from_secs(1_763_375_400);
        assert!(calendar(&at).as_str().contains("<span>Nov</span><b>17</b>"), "{}", calendar(&at));
        assert_eq!(utc_time(&at), "10:30 UTC");
        assert!(clock(&at).as_str().ends_with(">10:30 UTC</time>"));
        let later = at.after(Duration::from_secs(862));
        assert_eq!((seconds_until(&later, &at), seconds_until(&at, &later)), (862, 0));
    }

    #[test]
    fn numbers_and_sizes() {
        assert_eq!(count(0), "0");
        assert_eq!(count(1_234_567_u64), "1,234,567");
        assert_eq!(count(-1_234), "-1,234");
        assert_eq!(counted(1, "release"), "1 release");
        assert_eq!(counted(24, "release"), "24 releases");
        assert_eq!(bytes(999), "999 bytes");
        assert_eq!(bytes(48_230), "48.2 kB");
        assert_eq!(bytes(999_999), "999 kB");
        assert_eq!(bytes(1_000_000), "1.0 MB");
        assert_eq!(bytes(5_340_000_000_i64), "5.3 GB");
        assert_eq!(bytes(u64::MAX), "18,446,744 TB");
        assert_eq!(initials("@elide/http"), "EL");
    }
}
