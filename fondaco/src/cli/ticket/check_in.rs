//! `ticket check-in`: one code, or one in each line of a file or of standard input.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use serde_json::{Value, json};

use super::super::answer::{list, text, time, word};
use super::super::args::CheckIn;
use super::super::client::{Client, checked_id};
use super::super::failure::{Failure, code};
use super::super::terminal::Terminal;

/// The longest line that is read, in bytes: codes have some 150.
const MAX_LINE: u64 = 1_024;
/// How many codes of a file are sent at once; the API takes 500.
const AT_ONCE: usize = 200;

/// How many scans came to what.
#[derive(Debug, Default)]
struct Tally {
    admitted: u64,
    again: u64,
    refused: u64,
}

impl Tally {
    fn count(&mut self, said: &Value) {
        match text(said, "verdict").as_str() {
            "admitted" => self.admitted += 1,
            "again" => self.again += 1,
            _ => self.refused += 1,
        }
    }

    /// That all were let in, or why not.
    fn outcome(&self, terminal: &Terminal) -> Result<(), Failure> {
        let Self { admitted, again, refused } = self;
        let (exit, title) = match (again, refused) {
            (0, 0) => {
                terminal.done(format!("{admitted} let in."));
                return Ok(());
            }
            (_, 0) => (code::CONFLICT, "Used before"),
            _ => (code::REFUSED, "Not good here"),
        };
        let detail = format!("{admitted} let in, {again} used before, {refused} not good here.");
        Err(Failure::new(exit, "cli.not_admitted", title, detail))
    }
}

/// Checks in what was scanned, and prints a row for each.
pub(super) async fn check_in(terminal: &Terminal, client: &Client, args: &CheckIn) -> Result<(), Failure> {
    let path = format!("/api/events/{}/check-ins", checked_id("event", &args.event)?);
    let mut tally = Tally::default();
    match (&args.code, &args.file) {
        (Some(code), _) => {
            let said = client.post(&path, None, &scan(code, &args.device)).await?;
            tally.count(&said);
            if terminal.json {
                terminal.data_json(&said);
            } else {
                show(terminal, &said);
            }
        }
        (None, Some(file)) if file == Path::new("-") => {
            while let Some(code) = next_typed().await? {
                let said = client.post(&path, None, &scan(&code, &args.device)).await?;
                report(terminal, &mut tally, &said);
            }
        }
        (None, Some(file)) => from_file(terminal, client, &path, file, &args.device, &mut tally).await?,
        (None, None) => return Err(Failure::usage("Name a code, or a file of codes with --file.")),
    }
    tally.outcome(terminal)
}

/// A scan with an id of its own: when an answer is lost on the way and the scan is sent again, it is the same one.
fn scan(code: &str, device: &str) -> Value {
    json!({"code": code, "device": device, "id": kernel::random_text::<12>()})
}

fn report(terminal: &Terminal, tally: &mut Tally, said: &Value) {
    tally.count(said);
    if terminal.json {
        // One object in each line, so that a program can follow.
        terminal.data(said.to_string());
    } else {
        show(terminal, said);
    }
}

fn show(terminal: &Terminal, said: &Value) {
    let first = match text(said, "verdict").as_str() {
        "again" => format!("first at {} by {}", time(said, "firstAt"), text(said, "firstDevice")),
        _ => String::new(),
    };
    let row = [word(said, "verdict"), text(said, "admits"), text(said, "ticketId"), first];
    terminal.data(row.map(|cell| super::super::terminal::plain(&cell)).join("\t").trim_end());
}

async fn from_file(
    terminal: &Terminal,
    client: &Client,
    path: &str,
    file: &Path,
    device: &str,
    tally: &mut Tally,
) -> Result<(), Failure> {
    let opened = File::open(file).map_err(|error| {
        Failure::local("The file cannot be read", format!("{}: {error}.", file.display()))
    })?;
    let mut lines = BufReader::new(opened);
    loop {
        let mut scans = Vec::with_capacity(AT_ONCE);
        while scans.len() < AT_ONCE
            && let Some(code) = next_line(&mut lines)?
        {
            scans.push(scan(&code, device));
        }
        if scans.is_empty() {
            return Ok(());
        }
        let answer = client.post(&format!("{path}/batch"), None, &json!({"scans": scans})).await?;
        list(&answer, "items").iter().for_each(|said| report(terminal, tally, said));
    }
}

/// The next code that is typed or piped in. Waits on a thread of its own, since a person may take long.
async fn next_typed() -> Result<Option<String>, Failure> {
    let line = tokio::task::spawn_blocking(|| next_line(&mut std::io::stdin().lock())).await;
    line.map_err(|error| Failure::local("Standard input cannot be read", error))?
}

/// The next line that is not empty, without the space around it; none at the end.
fn next_line(reader: &mut impl BufRead) -> Result<Option<String>, Failure> {
    loop {
        let mut line = Vec::new();
        if reader.by_ref().take(MAX_LINE).read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        if line.len() as u64 == MAX_LINE && !line.ends_with(b"\n") {
            let detail = format!(
                "A line has more than {MAX_LINE} bytes, so it is no code. The lines before it were checked in."
            );
            return Err(Failure::usage(detail));
        }
        let code = String::from_utf8_lossy(&line).trim().to_owned();
        if !code.is_empty() {
            return Ok(Some(code));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn lines_are_read_one_by_one_and_never_whole_files() {
        let mut text = "T1.a\r\n\n  T1.b  \nT1.c".as_bytes();
        let mut read = || next_line(&mut text).unwrap();
        assert_eq!(
            [read(), read(), read(), read()].map(Option::unwrap_or_default),
            ["T1.a", "T1.b", "T1.c", ""]
        );
        let endless = vec![b'x'; 5_000];
        assert_eq!(next_line(&mut endless.as_slice()).unwrap_err().exit, 2);
        let mut full = vec![b'x'; MAX_LINE as usize - 1];
        full.push(b'\n');
        assert_eq!(next_line(&mut full.as_slice()).unwrap().unwrap().len() as u64, MAX_LINE - 1);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_lines_or_refused(bytes in proptest::collection::vec(0u8..255, 0..3_000)) {
            let mut reader = bytes.as_slice();
            while let Ok(Some(line)) = next_line(&mut reader) {
                assert!(!line.is_empty() && line.len() <= 3 * MAX_LINE as usize && !line.contains('\n'));
            }
        }
    }

    #[test]
    fn the_worst_of_all_scans_decides() {
        let terminal =
            Terminal::new(&super::super::super::args::Global { quiet: true, ..Default::default() });
        let exit = |verdicts: &[&str]| {
            let mut tally = Tally::default();
            verdicts.iter().for_each(|verdict| tally.count(&json!({"verdict": verdict})));
            tally.outcome(&terminal).map_err(|failure| failure.exit)
        };
        assert_eq!(exit(&["admitted", "admitted"]), Ok(()));
        assert_eq!(exit(&["admitted", "again"]), Err(6));
        assert_eq!(exit(&["again", "superseded"]), Err(8));
        assert_eq!(exit(&["unknown"]), Err(8));
    }
}
