//! What was measured, as lines over time.

use std::collections::BTreeSet;

use kernel::Timestamp;
use web::face::chart::{Chart, Series, sparkline};
use web::face::{Html, text};

use crate::Plan;
use crate::figures::Sample;
use crate::template::MetricField;

/// How far back a page looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) word: &'static str,
    pub(super) seconds: u64,
}

pub(super) const RANGES: [Range; 4] = [
    Range { word: "15m", seconds: 900 },
    Range { word: "1h", seconds: 3_600 },
    Range { word: "24h", seconds: 86_400 },
    Range { word: "7d", seconds: 7 * 86_400 },
];

impl Range {
    /// The range of this word; an hour for any other.
    pub(super) fn of(word: &str) -> Self {
        RANGES.into_iter().find(|range| range.word == word).unwrap_or(RANGES[1])
    }
}

/// The charts of what was measured, with their titles: the service's own figures, then its part of the machine.
pub(super) fn charts(
    samples: &[Sample],
    plan: &Plan,
    fields: &[MetricField],
    range: Range,
) -> Vec<(String, Html)> {
    let labels: Vec<String> = samples.iter().map(|sample| label(sample.at, range)).collect();
    let draw = |title: &str, unit: &str, series: Vec<Series>| {
        let summary = summary(title, unit, &series);
        let chart = Chart {
            title: title.to_owned(),
            summary,
            label_name: "Time, UTC".to_owned(),
            labels: labels.clone(),
            unit: unit.to_owned(),
            series,
        };
        (title.to_owned(), chart.render())
    };
    let mut all = Vec::new();
    for group in own(samples, fields) {
        all.push(draw(&group.0, &group.1, vec![group.2]));
    }
    let cpu = values(samples, |sample| percent(sample.figures.cpu_millis, u64::from(plan.cpu_millis)));
    let memory = values(samples, |sample| percent(sample.figures.memory_bytes, plan.memory_bytes));
    let mut part = vec![series("CPU", cpu, false), series("Memory", memory, true)];
    if plan.disk_bytes > 0 {
        part.push(series(
            "Disk",
            values(samples, |sample| percent(sample.figures.disk_bytes, plan.disk_bytes)),
            false,
        ));
    }
    all.push(draw("Used of the plan", " %", part));
    let kilo = |rates: Vec<f64>| rates.into_iter().map(|rate| rate / 1_000.0).collect();
    let received = kilo(rates(samples, |sample| as_float(sample.figures.received_bytes)));
    let sent = kilo(rates(samples, |sample| as_float(sample.figures.sent_bytes)));
    all.push(draw("Network", " kB/s", vec![series("In", received, false), series("Out", sent, true)]));
    all
}

/// The response time as a small line.
pub(super) fn answer_line(samples: &[Sample]) -> Html {
    let times = values(samples, |sample| as_float(sample.figures.answer_us) / 1_000.0);
    sparkline(&times, "Response time over the time shown")
}

/// Each figure of the service's own: what counts as a rate, anything else as it is.
fn own(samples: &[Sample], fields: &[MetricField]) -> Vec<(String, String, Series)> {
    let names: BTreeSet<&str> =
        samples.iter().flat_map(|sample| sample.figures.own.keys()).map(String::as_str).collect();
    let of = |name: &'_ str| {
        let name = name.to_owned();
        move |sample: &Sample| sample.figures.own.get(&name).copied().unwrap_or_default()
    };
    names
        .into_iter()
        .map(|name| {
            let counts = fields.iter().any(|field| field.name == name && field.counter);
            let title = title(name);
            if counts {
                (
                    format!("{title} per second"),
                    String::new(),
                    series(&title, rates(samples, of(name)), false),
                )
            } else {
                let (unit, part) = match name {
                    _ if name.ends_with("Ms") => (" ms", 1.0),
                    _ if name.ends_with("Bytes") => (" MB", 1e-6),
                    _ => ("", 1.0),
                };
                let of = of(name);
                let values = values(samples, |sample| of(sample) * part);
                (title.clone(), unit.to_owned(), series(&title, values, false))
            }
        })
        .collect()
}

/// `avgResponseMs` is `Average response`.
pub(super) fn title(name: &str) -> String {
    if name == "avgResponseMs" {
        return "Average response".to_owned();
    }
    let mut words = String::new();
    for letter in name.trim_end_matches("Ms").trim_end_matches("Bytes").chars() {
        if letter.is_uppercase() || letter == '_' {
            words.push(' ');
        }
        words.extend(letter.to_lowercase().filter(|letter| *letter != '_'));
    }
    let first =
        words.chars().next().map(|first| first.to_uppercase().collect::<String>()).unwrap_or_default();
    first + words.get(words.chars().next().map_or(0, char::len_utf8)..).unwrap_or_default()
}

fn series(name: &str, values: Vec<f64>, dashed: bool) -> Series {
    Series { name: name.to_owned(), values, dashed }
}

fn values(samples: &[Sample], of: impl Fn(&Sample) -> f64) -> Vec<f64> {
    samples.iter().map(of).collect()
}

/// How much a counter grew per second before each sample; nothing before the first.
fn rates(samples: &[Sample], of: impl Fn(&Sample) -> f64) -> Vec<f64> {
    let first = (!samples.is_empty()).then_some(0.0);
    let rate = |pair: &[Sample]| {
        let [before, after] = pair else { return 0.0 };
        let seconds = after.at.since(before.at).as_secs_f64();
        if seconds > 0.0 { ((of(after) - of(before)) / seconds).max(0.0) } else { 0.0 }
    };
    first.into_iter().chain(samples.windows(2).map(rate)).collect()
}

/// A part of a whole; nothing of nothing.
pub(super) fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { as_float(part) * 100.0 / as_float(whole) }
}

#[allow(clippy::cast_precision_loss, reason = "a chart shows far fewer digits")]
const fn as_float(number: u64) -> f64 {
    number as f64
}

fn label(at: Timestamp, range: Range) -> String {
    let time = text::utc(at);
    // `2026-01-15 10:30:00 UTC` or alike: the day counts only where there are several.
    let clock = at.to_string();
    let (day, hour) = (clock.get(5..10).unwrap_or(&time), clock.get(11..16).unwrap_or_default());
    if range.seconds > 86_400 { format!("{day} {hour}") } else { hour.to_owned() }
}

/// For those who do not see the lines: the latest value and the largest of each.
fn summary(title: &str, unit: &str, series: &[Series]) -> String {
    let words = series.iter().map(|series| {
        let last = series.values.last().copied().unwrap_or_default();
        let most = series.values.iter().copied().fold(0.0, f64::max);
        format!("{}: now {last:.1}{unit}, at most {most:.1}{unit}.", series.name)
    });
    format!("{title}. {}", words.collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::Figures;

    fn sample(second: i64, requests: f64) -> Sample {
        let own = [("requests".to_owned(), requests)].into();
        Sample { at: Timestamp::from_secs(second), figures: Figures { own, ..Figures::default() } }
    }

    #[test]
    fn what_counts_is_a_rate() {
        let samples = [sample(0, 100.0), sample(10, 150.0), sample(20, 150.0), sample(30, 10.0)];
        let fields = [MetricField { name: "requests".into(), from: "n".into(), counter: true }];
        let own = own(&samples, &fields);
        assert_eq!(own[0].0, "Requests per second");
        assert_eq!(own[0].2.values, [0.0, 5.0, 0.0, 0.0]);
        assert_eq!(super::own(&samples, &[])[0].2.values, [100.0, 150.0, 150.0, 10.0]);
    }

    #[test]
    fn titles_are_words() {
        assert_eq!(title("avgResponseMs"), "Average response");
        assert_eq!(title("slowQueries"), "Slow queries");
        assert_eq!(title("cache_hits"), "Cache hits");
        assert_eq!(title("databaseBytes"), "Database");
        assert_eq!(title(""), "");
    }

    #[test]
    fn nothing_of_nothing() {
        assert!(percent(5, 0).abs() < f64::EPSILON);
        assert!((percent(1, 4) - 25.0).abs() < f64::EPSILON);
        assert!(rates(&[], |_| 1.0).is_empty());
    }
}
