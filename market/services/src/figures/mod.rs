//! What a deployment uses and does: taken by the orchestrator, kept in the database, thinned as it ages. Who asks for a
//! status reads the database alone.

mod read;
mod sample;
mod scrape;

use std::collections::BTreeMap;

use kernel::Timestamp;
use serde::{Deserialize, Serialize};
use store::{FromValue, Value};

pub use read::{Sample, Standing};
pub(crate) use sample::Sampler;

use crate::template::MetricField;

/// How long rows of each step stand, in seconds: a quarter of a minute for two hours, five minutes for three days, an hour
/// for sixty days.
pub(crate) const STEPS: [(i64, i64); 3] = [(15, 7_200), (300, 3 * 86_400), (3_600, 60 * 86_400)];

/// What was measured at one time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Figures {
    /// Thousandths of one processor.
    pub cpu_millis: u64,
    /// Bytes of memory.
    pub memory_bytes: u64,
    /// What it may have of that.
    pub memory_limit_bytes: u64,
    /// Bytes on disk.
    pub disk_bytes: u64,
    /// What it may have of that; zero where there is no hard limit.
    pub disk_limit_bytes: u64,
    /// Bytes that came in since it was made.
    pub received_bytes: u64,
    /// Bytes that went out since it was made.
    pub sent_bytes: u64,
    /// How long its latest answers to probes took on average, in microseconds.
    pub answer_us: u64,
    /// The service's own figures by their names; those that count do so since the deployment was made.
    pub own: BTreeMap<String, f64>,
    /// What counters said last, from which their growth follows.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) raw: BTreeMap<String, f64>,
}

impl FromValue for Figures {
    fn from_value(value: Value<'_>) -> Result<Self, String> {
        serde_json::from_str(&String::from_value(value)?).map_err(|error| error.to_string())
    }
}

impl Figures {
    /// What is kept of it over time.
    pub(crate) fn without_raw(mut self) -> Self {
        self.raw.clear();
        self
    }

    /// A counter's growth is added to what it came to; one that is smaller than before began anew.
    pub(crate) fn count(&mut self, before: &Self, name: &str, raw: f64) -> f64 {
        let last = before.raw.get(name).copied().unwrap_or(0.0);
        let grown = if raw >= last { raw - last } else { raw };
        self.raw.insert(name.to_owned(), raw);
        grown
    }

    /// Takes the service's own figures.
    pub(crate) fn take_own(&mut self, before: &Self, fields: &[MetricField], said: &BTreeMap<String, f64>) {
        for field in fields {
            let Some(value) = said.get(&field.from).copied() else { continue };
            let value = if field.counter {
                let grown = self.count(before, &field.name, value);
                before.own.get(&field.name).copied().unwrap_or(0.0) + grown
            } else {
                value
            };
            self.own.insert(field.name.clone(), value);
        }
    }
}

/// Lines of `name value`, `name:value` or `name=value`; others are passed over.
pub(crate) fn parse(text: &str) -> BTreeMap<String, f64> {
    let line = |line: &str| {
        let (name, value) = line.trim().split_once([' ', '\t', ':', '='])?;
        let value: f64 = value.trim().parse().ok()?;
        value.is_finite().then(|| (name.to_owned(), value))
    };
    text.lines().take(2000).filter_map(line).collect()
}

/// The beginning of the span of `step` seconds in which a time lies.
pub(crate) fn span(at: Timestamp, step: i64) -> Timestamp {
    Timestamp::from_secs(at.secs().div_euclid(step) * step)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_three_ways_of_writing_figures() {
        let read =
            parse("# Server\nconnected_clients:3\r\nThreads_connected\t7\nsize 12.5\na=b\nnan NaN\n\n");
        assert_eq!(read.len(), 3);
        assert_eq!((read["connected_clients"], read["Threads_connected"], read["size"]), (3.0, 7.0, 12.5));
    }

    #[test]
    fn counters_go_on_over_restarts() {
        let fields = [MetricField { name: "requests".into(), from: "n".into(), counter: true }];
        let mut before = Figures::default();
        for (said, total) in [(10.0, 10.0), (15.0, 15.0), (3.0, 18.0), (4.0, 19.0)] {
            let mut now = Figures::default();
            now.take_own(&before, &fields, &BTreeMap::from([("n".to_owned(), said)]));
            assert!((now.own["requests"] - total).abs() < f64::EPSILON);
            before = now;
        }
    }

    proptest! {
        #[test]
        fn foreign_text_does_no_harm(text in "(?s).{0,300}") {
            let _ = parse(&text);
        }
    }
}
