//! What the server's answers say, in the words that people read.

use kernel::{Currency, Money, Timestamp};
use serde_json::Value;

/// A text field; a boolean `false` and what is no text are empty, and of an object its address.
pub(crate) fn text(value: &Value, name: &str) -> String {
    match value.get(name) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Bool(true)) => "yes".to_owned(),
        Some(Value::Object(object)) => {
            object.get("url").and_then(Value::as_str).unwrap_or_default().to_owned()
        }
        _ => String::new(),
    }
}

/// A whole number; empty where there is none.
pub(crate) fn number(value: &Value, name: &str) -> String {
    value.get(name).and_then(Value::as_u64).map_or_else(String::new, |number| number.to_string())
}

/// The things in a field; none where there is no list.
pub(crate) fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// The amount in a field of minor units, in the currency that stands beside it.
pub(crate) fn money(value: &Value, name: &str) -> String {
    money_in(value, name, value)
}

/// The amount in a field of minor units, in the currency that `of` has: lines have that of their order.
pub(crate) fn money_in(value: &Value, name: &str, of: &Value) -> String {
    let minor = value.get(name).and_then(Value::as_i64);
    match (minor, text(of, "currency").parse::<Currency>()) {
        (Some(minor), Ok(currency)) => Money::new(minor, currency).to_string(),
        _ => String::new(),
    }
}

/// A time to the second; empty where there is none.
pub(crate) fn time(value: &Value, name: &str) -> String {
    let time = text(value, name);
    time.split_once('.').map_or_else(|| time.clone(), |(seconds, _)| format!("{seconds}Z"))
}

/// How long it is from `now` until the time in a field, as `14 min 32 s`; nothing when it is over or there is none.
pub(crate) fn time_left(value: &Value, name: &str, now: Timestamp) -> Option<String> {
    let until: Timestamp = text(value, name).parse().ok()?;
    let seconds = until.since(now).as_secs();
    let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
    match (hours, minutes) {
        _ if seconds == 0 => None,
        (0, 0) => Some(format!("{seconds} s")),
        (0, _) => Some(format!("{minutes} min {} s", seconds % 60)),
        _ => Some(format!("{hours} h {minutes} min")),
    }
}

/// A word of the API without its underscores: `partially refunded`.
pub(crate) fn word(value: &Value, name: &str) -> String {
    text(value, name).replace('_', " ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn amounts_have_the_currency_beside_them_or_the_one_of_the_whole() {
        let order = json!({"totalMinor": 3800, "currency": "USD", "items": [{"totalMinor": 1900}]});
        assert_eq!(money(&order, "totalMinor"), "$38.00");
        assert_eq!(money_in(&order["items"][0], "totalMinor", &order), "$19.00");
        assert_eq!(money(&order["items"][0], "totalMinor"), "");
        assert_eq!(money(&json!({"totalMinor": 5, "currency": "JPY"}), "totalMinor"), "¥5");
    }

    #[test]
    fn times_are_short_and_say_what_is_left() {
        let hold = json!({"endsAt": "2026-11-21T09:26:13.228Z", "never": null});
        assert_eq!(time(&hold, "endsAt"), "2026-11-21T09:26:13Z");
        assert_eq!(time(&hold, "never"), "");
        let left = |now: &str| now.parse().ok().and_then(|now| time_left(&hold, "endsAt", now));
        assert_eq!(left("2026-11-21T09:11:40.000Z").as_deref(), Some("14 min 33 s"));
        assert_eq!(left("2026-11-21T09:26:10.000Z").as_deref(), Some("3 s"));
        assert_eq!(left("2026-11-21T07:11:13.000Z").as_deref(), Some("2 h 15 min"));
        assert_eq!(left("2026-11-21T09:26:14.000Z"), None);
        assert_eq!(time_left(&hold, "never", Timestamp::from_secs(0)), None);
    }
}
