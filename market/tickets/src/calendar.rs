//! An event as a calendar file (RFC 5545).

use kernel::Timestamp;

/// What a calendar keeps of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The same for every version of the same entry.
    pub uid: &'a str,
    /// Grows with every change.
    pub sequence: i64,
    /// What it is called.
    pub title: &'a str,
    /// Where it is.
    pub place: &'a str,
    /// More about it.
    pub description: &'a str,
    /// When it begins.
    pub starts_at: Timestamp,
    /// When it is over.
    pub ends_at: Timestamp,
    /// When this file was made.
    pub made_at: Timestamp,
    /// Whether it does not take place.
    pub is_cancelled: bool,
}

impl Entry<'_> {
    /// The file. Lines end with CR LF and have at most 75 bytes, as section 3.1 demands.
    #[must_use]
    pub fn to_ics(&self) -> String {
        let mut out = String::new();
        let status = if self.is_cancelled { "CANCELLED" } else { "CONFIRMED" };
        for (name, value) in [
            ("BEGIN", "VCALENDAR".to_owned()),
            ("VERSION", "2.0".to_owned()),
            ("PRODID", "-//Fondaco//Tickets//EN".to_owned()),
            ("METHOD", "PUBLISH".to_owned()),
            ("BEGIN", "VEVENT".to_owned()),
            ("UID", escape(self.uid)),
            ("SEQUENCE", self.sequence.to_string()),
            ("DTSTAMP", stamp(self.made_at)),
            ("DTSTART", stamp(self.starts_at)),
            ("DTEND", stamp(self.ends_at)),
            ("SUMMARY", escape(self.title)),
            ("LOCATION", escape(self.place)),
            ("DESCRIPTION", escape(self.description)),
            ("STATUS", status.to_owned()),
            ("END", "VEVENT".to_owned()),
            ("END", "VCALENDAR".to_owned()),
        ] {
            fold(&mut out, &format!("{name}:{value}"));
        }
        out
    }
}

/// UTC, as section 3.3.5 has it: `20261121T183000Z`.
fn stamp(at: Timestamp) -> String {
    let text = at.to_string();
    let digits: String = text.chars().take(19).filter(|c| !matches!(c, '-' | ':')).collect();
    format!("{digits}Z")
}

/// Escapes a text (section 3.3.11). Control characters other than line breaks may not stand in one.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\\' | ';' | ',' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

/// Adds a line, cut so that no piece has more than 75 bytes and none ends within a character.
fn fold(out: &mut String, line: &str) {
    let mut used = 0;
    for c in line.chars() {
        if used + c.len_utf8() > 75 {
            out.push_str("\r\n ");
            used = 1;
        }
        out.push(c);
        used += c.len_utf8();
    }
    out.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use icalendar::{Calendar, CalendarComponent, Component};
    use proptest::prelude::*;

    fn entry<'a>(title: &'a str, description: &'a str) -> Entry<'a> {
        Entry {
            uid: "event-1@fondaco",
            sequence: 2,
            title,
            place: "Teatro, Via Roma 1; Bologna",
            description,
            starts_at: "2026-11-21T18:30:00Z".parse().unwrap(),
            ends_at: "2026-11-21T20:30:00Z".parse().unwrap(),
            made_at: Timestamp::from_secs(0),
            is_cancelled: false,
        }
    }

    #[test]
    fn another_program_reads_it() {
        let text = entry("Così fan tutte", "Two acts,\none break; \\o/").to_ics();
        let calendar: Calendar = text.parse().unwrap();
        let Some(CalendarComponent::Event(event)) = calendar.components.first() else { unreachable!() };
        assert_eq!(event.get_summary(), Some("Così fan tutte"));
        assert_eq!(event.get_uid(), Some("event-1@fondaco"));
        assert_eq!(event.get_sequence(), Some(2));
        assert!(text.contains("DTSTART:20261121T183000Z\r\n"), "{text}");
        assert!(text.contains(r"DESCRIPTION:Two acts\,\none break\; \\o/"), "{text}");
    }

    fn unescape(text: &str) -> String {
        let (mut out, mut chars) = (String::new(), text.chars());
        while let Some(c) = chars.next() {
            match (c, c == '\\') {
                (_, true) => match chars.next() {
                    Some('n') => out.push('\n'),
                    other => out.extend(other),
                },
                (c, false) => out.push(c),
            }
        }
        out
    }

    proptest! {
        #[test]
        fn any_text_folds_and_reads_back(title in "\\PC{1,200}", description in "(\\PC|[\n\r\\\\;,]){0,300}") {
            let text = entry(&title, &description).to_ics();
            prop_assert!(text.split("\r\n").all(|line| line.len() <= 75 && !line.contains(['\r', '\n'])));
            let unfolded = text.replace("\r\n ", "");
            let value = |name: &str| {
                unfolded.split("\r\n").find_map(|line| line.strip_prefix(name)).map(unescape).unwrap()
            };
            let kept: String = description.chars().filter(|c| *c == '\n' || !c.is_control()).collect();
            prop_assert_eq!(value("SUMMARY:"), title.chars().filter(|c| !c.is_control()).collect::<String>());
            prop_assert_eq!(value("DESCRIPTION:"), kept);
            prop_assert!(text.parse::<Calendar>().is_ok());
        }
    }
}
