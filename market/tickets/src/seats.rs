//! Plans of seats from a few words. One line for each block of rows:
//!
//! ```text
//! Stalls rows A-F seats 1-20 aisle after 5, 15 blocked A1-A3, F20
//! Balcony rows 1-3 seats 1-12
//! ```
//!
//! Rows are single letters or numbers. An aisle is a gap: neighbours across it are no neighbours. Blocked seats are
//! left out. Rows come best first, as they are written; within a row the middle is best.

use std::ops::RangeInclusive;

use catalog::NewUnit;

/// The longest description, in bytes.
pub const MAX_BYTES: usize = 8_000;
/// The most seats of one description.
pub const MAX_SEATS: usize = 5_000;

/// Reads a description into seats, the best first.
///
/// # Errors
/// What to write instead, with the line.
pub fn seats(text: &str) -> Result<Vec<NewUnit>, String> {
    if text.len() > MAX_BYTES {
        return Err(format!("Write at most {MAX_BYTES} characters."));
    }
    let mut all: Vec<NewUnit> = Vec::new();
    let mut row_number = 0;
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let wrong = |detail: String| format!("Line {}: {detail}", number + 1);
        let block = Block::read(line.trim()).map_err(wrong)?;
        for row in &block.rows {
            all.extend(block.row(row, row_number));
            row_number += 1;
        }
        if all.len() > MAX_SEATS {
            return Err(format!("A plan has at most {MAX_SEATS} seats; make another category for the rest."));
        }
    }
    let mut labels: Vec<&str> = all.iter().map(|unit| unit.label.as_str()).collect();
    labels.sort_unstable();
    if let Some(twice) = labels.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(format!("`{}` is there twice.", twice[0]));
    }
    if all.is_empty() {
        return Err("Write at least one line, such as: Stalls rows A-F seats 1-20".to_owned());
    }
    Ok(all)
}

struct Block {
    section: String,
    rows: Vec<String>,
    seats: RangeInclusive<u32>,
    aisles: Vec<u32>,
    blocked: Vec<(String, RangeInclusive<u32>)>,
}

impl Block {
    fn read(line: &str) -> Result<Self, String> {
        const FORM: &str = "write it as: Stalls rows A-F seats 1-20";
        let lower = line.to_ascii_lowercase();
        // Offsets of the lower-case text fit the line: ASCII letters keep their length.
        let part = |from: usize, to: usize| line.get(from..to).unwrap_or_default().trim();
        let rows_at = find_word(&lower, &["rows", "row"], 0).ok_or(FORM)?;
        let seats_at = find_word(&lower, &["seats", "seat"], rows_at.1).ok_or(FORM)?;
        let aisle_at = find_word(&lower, &["aisles after", "aisle after"], seats_at.1);
        let blocked_at = find_word(&lower, &["blocked"], seats_at.1);
        if let (Some(aisle), Some(blocked)) = (aisle_at, blocked_at)
            && blocked.0 < aisle.0
        {
            return Err("write the aisles before the blocked seats".to_owned());
        }
        let end = line.len();
        let blocked_from = blocked_at.map_or(end, |place| place.0);
        let seats_end = aisle_at.map_or(blocked_from, |place| place.0);
        let section = part(0, rows_at.0).trim_start_matches("Section ").trim();
        if section.is_empty() || section.chars().count() > 40 {
            return Err("begin with the name of the section, at most 40 characters".to_owned());
        }
        let numbers = |text: &str| -> Result<Vec<u32>, String> {
            list(text).map(|word| word.parse().map_err(|_| format!("`{word}` is no seat number"))).collect()
        };
        let blocked = blocked_at.map_or("", |place| part(place.1, end));
        Ok(Self {
            section: section.to_owned(),
            rows: rows(part(rows_at.1, seats_at.0))?,
            seats: range(part(seats_at.1, seats_end))?,
            aisles: numbers(aisle_at.map_or("", |place| part(place.1, blocked_from)))?,
            blocked: list(blocked).map(blocked_seats).collect::<Result<_, _>>()?,
        })
    }

    /// The seats of one row, from its middle outwards.
    fn row(&self, row: &str, number: i32) -> Vec<NewUnit> {
        let mut place = 0;
        let mut seats = Vec::new();
        for seat in self.seats.clone() {
            place += 1;
            if !self.blocked.iter().any(|(name, seats)| name == row && seats.contains(&seat)) {
                seats.push(NewUnit {
                    label: format!("{}, row {row}, seat {seat}", self.section),
                    section: self.section.clone(),
                    row: row.to_owned(),
                    seat: seat.to_string(),
                    place,
                    x: place,
                    y: number,
                });
            }
            if self.aisles.contains(&seat) {
                place += 1;
            }
        }
        let middle = place + 1;
        seats.sort_by_key(|unit| ((unit.place * 2 - middle).abs(), unit.place));
        seats
    }
}

/// Where one of these words stands between spaces: its start, and where the text after it begins.
fn find_word(text: &str, words: &[&str], from: usize) -> Option<(usize, usize)> {
    let is_edge = |at: Option<u8>| at.is_none_or(|byte| byte.is_ascii_whitespace());
    let found = words.iter().flat_map(|word| {
        let tail = text.get(from..).unwrap_or_default();
        tail.match_indices(word).map(move |(at, _)| (from + at, from + at + word.len()))
    });
    let edges = |(start, end): &(usize, usize)| {
        let before = start.checked_sub(1).and_then(|at| text.as_bytes().get(at).copied());
        is_edge(before) && is_edge(text.as_bytes().get(*end).copied())
    };
    found.filter(edges).min()
}

fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split([',', ' ']).map(str::trim).filter(|word| !word.is_empty())
}

/// The two ends of `1-20`, `1–20` or `7`.
fn ends(text: &str) -> (&str, &str) {
    let (first, last) = text.split_once(['-', '–']).unwrap_or((text, text));
    (first.trim(), last.trim())
}

fn range(text: &str) -> Result<RangeInclusive<u32>, String> {
    let (first, last) = ends(text);
    match (first.parse::<u32>(), last.parse::<u32>()) {
        (Ok(first), Ok(last)) if (1..=last).contains(&first) && last <= 999 => Ok(first..=last),
        _ => Err(format!("`{text}` are no seats: write 1-20, at most 999")),
    }
}

fn rows(text: &str) -> Result<Vec<String>, String> {
    let (first, last) = ends(text);
    let letter = |text: &str| -> Option<char> {
        let mut letters = text.chars();
        letters.next().filter(|c| c.is_ascii_uppercase() && letters.next().is_none())
    };
    if let (Some(first), Some(last)) = (letter(first), letter(last))
        && first <= last
    {
        return Ok((first..=last).map(String::from).collect());
    }
    match range(text) {
        Ok(rows) => Ok(rows.map(|row| row.to_string()).collect()),
        Err(_) => Err(format!("`{text}` are no rows: write A-F or 1-10")),
    }
}

/// `A1`, `A1-A3`, `A1-3`; for numbered rows `2/7`, `2/7-9`.
fn blocked_seats(word: &str) -> Result<(String, RangeInclusive<u32>), String> {
    let wrong = || format!("`{word}` is no blocked seat: write A1-A3 or 2/7-9");
    let (first, last) = ends(word);
    let split = |text: &str| -> Option<(String, u32)> {
        let (row, seat) = match text.split_once('/') {
            Some((row, seat)) => (row, seat),
            None => text.split_at_checked(1)?,
        };
        Some((row.to_owned(), seat.parse().ok()?))
    };
    let (row, from) = split(first).ok_or_else(wrong)?;
    let to =
        last.parse::<u32>().ok().or_else(|| split(last).filter(|(other, _)| *other == row).map(|(_, to)| to));
    match to {
        Some(to) if from <= to => Ok((row, from..=to)),
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_house_is_read_from_a_few_words() {
        let text =
            "Section Stalls rows A-B seats 1–6 aisle after 2 blocked A1-A2, B6\n\nBalcony rows 1-2 seats 1-3";
        let units = seats(text).unwrap();
        let labels: Vec<&str> = units.iter().map(|unit| unit.label.as_str()).collect();
        assert_eq!(units.len(), 4 + 5 + 6);
        assert!(labels.contains(&"Stalls, row A, seat 3") && !labels.contains(&"Stalls, row A, seat 1"));
        assert!(!labels.contains(&"Stalls, row B, seat 6"));
        let place = |label: &str| units.iter().find(|unit| unit.label == label).unwrap().place;
        assert_eq!(
            place("Stalls, row B, seat 3") - place("Stalls, row B, seat 2"),
            2,
            "an aisle lies between"
        );
        assert_eq!(units.last().unwrap().y, 3);
        assert_eq!(units[0].row, "A", "the first row is the best");
        assert!(["3", "4"].contains(&units[0].seat.as_str()), "the middle of it: {}", units[0].label);
    }

    #[test]
    fn what_cannot_be_read_says_where_and_why() {
        for (text, words) in [
            ("", "at least one line"),
            ("Stalls", "Line 1: write it as"),
            ("A rows A-C seats 1-3\nrows A seats 1", "Line 2: begin with the name"),
            ("A rows C-A seats 1-3", "`C-A` are no rows"),
            ("A rows A seats 3-1", "`3-1` are no seats"),
            ("A rows A seats 1-3 aisle after x", "`x` is no seat number"),
            ("A rows A seats 1-3 blocked ?", "`?` is no blocked seat"),
            ("A rows A seats 1-3 blocked A1 aisle after 2", "aisles before"),
            ("A rows A seats 1-3\nA rows A seats 3-5", "`A, row A, seat 3` is there twice"),
            ("A rows 1-99 seats 1-99", "at most 5000 seats"),
        ] {
            let said = seats(text).unwrap_err();
            assert!(said.contains(words), "{text}: {said}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_judged_without_panic(text in "(\\PC|\n){0,120}|(A|rows|seats|aisle after|blocked|1-9|B|,| |\n|–|é){0,20}") {
            let _ = seats(&text);
        }

        #[test]
        fn every_seat_is_there_once(rows in 1u32..20, wide in 1u32..30, aisle in 1u32..30) {
            let units = seats(&format!("A rows 1-{rows} seats 1-{wide} aisle after {aisle}")).unwrap();
            prop_assert_eq!(units.len(), (rows * wide) as usize);
            let mut spots: Vec<_> = units.iter().map(|unit| (unit.x, unit.y)).collect();
            spots.sort_unstable();
            spots.dedup();
            prop_assert_eq!(spots.len(), units.len());
        }
    }
}
