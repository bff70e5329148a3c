//! `deployment logs`, `metrics`.

use serde_json::Value;
use web::face::text::bytes;

use super::super::answer::{list, text, time};
use super::super::args::Logs;
use super::super::client::{Client, Query, next_chunk};
use super::super::failure::Failure;
use super::super::terminal::{Terminal, plain};
use super::path;

/// The longest event that is read, in bytes: a line of a log has 16 kB at most.
const MAX_EVENT: usize = 256 * 1024;

/// Shows the last lines, or with `-f` those that come.
pub(super) async fn logs(terminal: &Terminal, client: &Client, args: &Logs) -> Result<(), Failure> {
    let path = format!("{}/logs", path(client, &args.deployment).await?);
    if args.follow {
        return follow(terminal, client, &path, args.search.as_deref()).await;
    }
    let query = Query::default().and("limit", args.tail).maybe("search", args.search.as_ref());
    let answer = client.get(&path, query).await?;
    if terminal.json {
        terminal.data_json(&answer);
        return Ok(());
    }
    let lines = list(&answer, "lines");
    lines.iter().for_each(|line| show(terminal, line));
    if lines.is_empty() {
        terminal.say("It wrote nothing like that.");
    }
    Ok(())
}

/// One line; with `--json` one object.
fn show(terminal: &Terminal, line: &Value) {
    if terminal.json {
        terminal.data(line.to_string());
    } else {
        terminal.data(format!("{}  {}", time(line, "at"), plain(&text(line, "text"))));
    }
}

async fn follow(
    terminal: &Terminal,
    client: &Client,
    path: &str,
    search: Option<&str>,
) -> Result<(), Failure> {
    let address = client.address(&format!("{path}/stream"), Query::default())?;
    let request = client.request(reqwest::Method::GET, &address).header("accept", "text/event-stream");
    let mut response = client.send(request).await?;
    let word = search.map(str::to_lowercase).unwrap_or_default();
    let mut events = Events::default();
    while let Some(chunk) = next_chunk(&mut response, 0).await? {
        let lines = events.take(&chunk).into_iter();
        let wanted = lines.filter(|line| text(line, "text").to_lowercase().contains(&word));
        wanted.for_each(|line| show(terminal, &line));
    }
    terminal.say("It ended.");
    Ok(())
}

/// Server-sent events, cut anywhere on their way.
#[derive(Default)]
struct Events {
    rest: Vec<u8>,
}

impl Events {
    /// The data of every line that is whole now. What grows without end is dropped.
    fn take(&mut self, chunk: &[u8]) -> Vec<Value> {
        self.rest.extend_from_slice(chunk);
        let mut found = Vec::new();
        while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            let data = line.strip_prefix(b"data:").and_then(|data| serde_json::from_slice(data).ok());
            found.extend(data);
        }
        if self.rest.len() > MAX_EVENT {
            self.rest.clear();
        }
        found
    }
}

/// Shows figures over time, one row per sample.
pub(super) async fn metrics(
    terminal: &Terminal,
    client: &Client,
    which: &str,
    hours: u32,
) -> Result<(), Failure> {
    let path = format!("{}/metrics", path(client, which).await?);
    let answer = client.get(&path, Query::default().and("hours", hours)).await?;
    if terminal.json {
        terminal.data_json(&answer);
        return Ok(());
    }
    let samples = list(&answer, "samples");
    let mut names: Vec<&str> = Vec::new();
    for name in samples.iter().filter_map(|sample| sample.get("own")?.as_object()).flat_map(|own| own.keys())
    {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    let row = |sample: &Value| {
        let whole = |name: &str| sample.get(name).and_then(Value::as_u64).unwrap_or_default();
        let own = |name: &&str| {
            let value = sample.get("own").and_then(|own| own.get(*name));
            value.map(ToString::to_string).unwrap_or_default()
        };
        let fixed = [
            time(sample, "at"),
            format!("{} m", whole("cpuMillis")),
            bytes(whole("memoryBytes")),
            bytes(whole("diskBytes")),
            format!("{}.{} ms", whole("answerUs") / 1000, whole("answerUs") % 1000 / 100),
        ];
        fixed.into_iter().chain(names.iter().map(own)).collect()
    };
    let head: Vec<&str> =
        ["at", "cpu", "memory", "disk", "answer"].into_iter().chain(names.iter().copied()).collect();
    terminal.table(&head, samples.iter().map(row).collect());
    if samples.is_empty() {
        terminal.say("Nothing was measured in this time.");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn events_may_be_cut_anywhere() {
        let whole = b": hello\n\ndata: {\"text\":\"a\"}\n\nid: 2\ndata:{\"text\":\"b\"}\r\n\ndata: x\n\n";
        for cut in 0..whole.len() {
            let mut events = Events::default();
            let mut found = events.take(&whole[..cut]);
            found.extend(events.take(&whole[cut..]));
            let texts: Vec<String> = found.iter().map(|line| text(line, "text")).collect();
            assert_eq!(texts, ["a", "b"], "cut at {cut}");
        }
    }

    #[test]
    fn a_line_without_end_is_not_kept() {
        let mut events = Events::default();
        assert!(events.take(&vec![b'x'; MAX_EVENT + 1]).is_empty() && events.rest.is_empty());
    }
}
