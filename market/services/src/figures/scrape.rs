//! A service's own figures over HTTP: the text format of Prometheus, or one flat JSON object. The bytes are the service's, so
//! they are bounded in size and time, and what makes no sense is passed over.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::StreamExt as _;
use kernel::Secret;

/// The most bytes of an answer.
const MOST_BYTES: usize = 1 << 20;
/// The most lines or members that are read.
const MOST_FIGURES: usize = 20_000;
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks for the figures; none where the answer is no good one.
pub(super) async fn ask(
    address: SocketAddr,
    path: &str,
    bearer: Option<&Secret>,
) -> Option<BTreeMap<String, f64>> {
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(PATIENCE)
        .build()
        .ok()?;
    let request = client.get(format!("http://{address}{path}"));
    let request = match bearer {
        Some(bearer) => request.bearer_auth(bearer.expose()),
        None => request,
    };
    let answer = request.send().await.ok().filter(|answer| answer.status().is_success())?;
    let (mut body, mut text) = (answer.bytes_stream(), Vec::new());
    while let Some(piece) = body.next().await {
        let piece = piece.ok()?;
        if text.len() + piece.len() > MOST_BYTES {
            return None;
        }
        text.extend_from_slice(&piece);
    }
    Some(read(&String::from_utf8_lossy(&text)))
}

/// Figures by name; those of Prometheus are summed over their labels.
fn read(text: &str) -> BTreeMap<String, f64> {
    if text.trim_start().starts_with('{') {
        let members: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(text).unwrap_or_default();
        let numbers = members.into_iter().filter_map(|(name, value)| Some((name, value.as_f64()?)));
        return numbers.take(MOST_FIGURES).collect();
    }
    let mut figures = BTreeMap::new();
    for (name, value) in text.lines().take(MOST_FIGURES).filter_map(sample) {
        *figures.entry(name.to_owned()).or_insert(0.0) += value;
    }
    figures
}

/// `name{labels} value [time]` of the text format 0.0.4.
fn sample(line: &str) -> Option<(&str, f64)> {
    let line = line.trim();
    let end = line.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'))?;
    let (name, rest) = line.split_at(end);
    let rest = match rest.strip_prefix('{') {
        Some(labels) => behind_labels(labels)?,
        None => rest,
    };
    let value: f64 = rest.split_whitespace().next()?.parse().ok()?;
    (!name.is_empty() && value.is_finite()).then_some((name, value))
}

/// What stands behind the brace that ends labels; one within quotes does not.
fn behind_labels(labels: &str) -> Option<&str> {
    let (mut quoted, mut escaped) = (false, false);
    for (at, c) in labels.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '}' if !quoted => return labels.get(at + 1..),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn prometheus_is_summed_and_json_is_flat() {
        let text = "# HELP requests_total x\n# TYPE requests_total counter\n\
            requests_total{key=\"a\",code=\"200\"} 3\nrequests_total{key=\"}\\\"\"} 4 1700000000\nup 1\nbad\nnan NaN\n";
        let figures = read(text);
        assert_eq!(figures, BTreeMap::from([("requests_total".into(), 7.0), ("up".into(), 1.0)]));
        let figures = read(r#"{"requests": 5, "avgResponseMs": 1.5, "name": "x", "deep": {"a": 1}}"#);
        assert_eq!(figures, BTreeMap::from([("avgResponseMs".into(), 1.5), ("requests".into(), 5.0)]));
    }

    proptest! {
        #[test]
        fn foreign_text_does_no_harm(text in "(?s)[a-z{}\\\\\"= 0-9.\n\\PC]{0,200}") {
            let _ = read(&text);
        }
    }
}
