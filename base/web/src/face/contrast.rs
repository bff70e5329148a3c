//! Every text and edge colour of `tokens.css` can be read, in both themes: WCAG 2.2 contrast (1.4.3, 1.4.11).
//! Change a colour and this test says what became unreadable.
#![allow(clippy::unwrap_used)]

use std::collections::HashMap;

const TOKENS: &str = include_str!("../../assets/css/tokens.css");
const TEXT: f64 = 4.5;
const EDGE: f64 = 3.0;

/// The light and dark value of every token that is a plain pair of colours.
fn tokens() -> HashMap<&'static str, [[f64; 3]; 2]> {
    let pair = |rest: &'static str| {
        let (name, value) = rest.split_once(':')?;
        let (light, dark) = value.trim().strip_prefix("light-dark(")?.split_once(')')?.0.split_once(',')?;
        Some((name.trim(), [colour(light.trim())?, colour(dark.trim())?]))
    };
    TOKENS.split("--").filter_map(pair).collect()
}

fn colour(hex: &str) -> Option<[f64; 3]> {
    let hex = hex.strip_prefix('#').filter(|hex| hex.len() == 6)?;
    let part = |i: usize| u8::from_str_radix(&hex[i..i + 2], 16).ok().map(f64::from);
    Some([part(0)?, part(2)?, part(4)?])
}

/// Relative luminance as WCAG defines it.
fn luminance(rgb: [f64; 3]) -> f64 {
    let linear = |v: f64| {
        if v / 255.0 <= 0.03928 { v / 255.0 / 12.92 } else { ((v / 255.0 + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * linear(rgb[0]) + 0.7152 * linear(rgb[1]) + 0.0722 * linear(rgb[2])
}

fn ratio(a: [f64; 3], b: [f64; 3]) -> f64 {
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

fn pairs() -> Vec<(&'static str, String, f64)> {
    let surfaces = ["canvas", "surface", "sunken", "raised"];
    let mut pairs = Vec::new();
    for surface in surfaces {
        for ink in ["ink", "muted", "subtle", "accent"] {
            pairs.push((ink, surface.to_owned(), TEXT));
        }
        pairs.push(("line-strong", surface.to_owned(), EDGE));
    }
    for background in ["accent", "accent-hover"] {
        pairs.push(("on-accent", background.to_owned(), TEXT));
    }
    pairs.push(("accent-ink", "accent-soft".to_owned(), TEXT));
    for meaning in ["ok", "warn", "bad"] {
        for background in [format!("{meaning}-soft"), "surface".to_owned(), "canvas".to_owned()] {
            pairs.push((meaning, background, TEXT));
        }
    }
    pairs.extend(["c1", "c2", "c3", "c4", "c5"].map(|series| (series, "surface".to_owned(), EDGE)));
    let code = ["syn-key", "syn-str", "syn-num", "syn-com", "syn-fn", "ink"];
    pairs.extend(code.map(|part| (part, "code-bg".to_owned(), TEXT)));
    pairs
}

#[test]
fn every_pair_can_be_read_in_both_themes() {
    let (tokens, pairs) = (tokens(), pairs());
    assert_eq!(pairs.len(), 43);
    let mut failures = Vec::new();
    for (front, back, need) in &pairs {
        for (theme, name) in ["light", "dark"].iter().enumerate() {
            let found = ratio(tokens[front][theme], tokens[back.as_str()][theme]);
            if found < *need {
                failures.push(format!("{name}: {front} on {back} is {found:.2}, needs {need}"));
            }
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

#[test]
fn the_measure_is_the_standards() {
    assert!((ratio([0.0; 3], [255.0; 3]) - 21.0).abs() < 1e-9);
    assert!((ratio([119.0; 3], [255.0; 3]) - 4.48).abs() < 0.01);
}
