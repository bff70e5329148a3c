//! Log lines as the engine keeps them.

use bollard::container::LogOutput;
use bollard::query_parameters::LogsOptions;
use bytes::Bytes;
use futures_util::{StreamExt as _, future};
use kernel::Timestamp;

use super::Docker;
use super::error::failed;
use crate::{EngineError, Kind, LogLine, LogStream, Logs, Stream};

impl Docker {
    pub(super) async fn read_logs(&self, name: &str, which: Logs) -> Result<LogStream, EngineError> {
        if self.inspect(name).await?.is_none() {
            return Err(EngineError::NotThere { kind: Kind::Container, name: name.to_owned() });
        }
        let options = LogsOptions {
            follow: which.follow,
            stdout: true,
            stderr: true,
            // In whole seconds; what is too old is left out below.
            since: which.since.map_or(0, |since| i32::try_from(since.secs()).unwrap_or(i32::MAX)),
            timestamps: true,
            tail: which.tail.map_or_else(|| "all".to_owned(), |tail| tail.to_string()),
            ..LogsOptions::default()
        };
        let mut lines = Lines::default();
        let pieces = self.client().await?.logs(name, Some(options));
        let read = pieces.filter_map(move |piece| {
            let line = piece.map_err(failed).map(|piece| lines.next(piece)).transpose();
            future::ready(line.filter(|line| !is_older(line, which.since)))
        });
        Ok(read.boxed())
    }
}

fn is_older(line: &Result<LogLine, EngineError>, since: Option<Timestamp>) -> bool {
    matches!((line, since), (Ok(line), Some(since)) if line.at < since)
}

/// Makes lines of pieces. The engine cuts long lines into pieces of 16 kB, of which only the last ends with a line feed:
/// the first is kept.
#[derive(Default)]
struct Lines {
    inside: [bool; 2],
}

impl Lines {
    fn next(&mut self, piece: LogOutput) -> Option<LogLine> {
        let (stream, bytes) = match piece {
            LogOutput::StdOut { message } | LogOutput::Console { message } => (Stream::Stdout, message),
            LogOutput::StdErr { message } => (Stream::Stderr, message),
            LogOutput::StdIn { .. } => return None,
        };
        let [stdout, stderr] = &mut self.inside;
        let inside = match stream {
            Stream::Stdout => stdout,
            Stream::Stderr => stderr,
        };
        let continues = std::mem::replace(inside, !bytes.ends_with(b"\n"));
        if continues { None } else { line(stream, &bytes) }
    }
}

/// `2026-01-15T10:30:00.000000000Z text`, as the engine writes it.
fn line(stream: Stream, bytes: &Bytes) -> Option<LogLine> {
    let space = bytes.iter().position(|b| *b == b' ')?;
    let (time, text) = bytes.split_at_checked(space)?;
    let at = std::str::from_utf8(time).ok()?.parse().ok()?;
    let text = text.get(1..)?;
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    let text = text.strip_suffix(b"\r").unwrap_or(text);
    let text = text.get(..LogLine::MAX_BYTES).unwrap_or(text);
    Some(LogLine { at, stream, text: String::from_utf8_lossy(text).into_owned() })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn piece(text: &str) -> LogOutput {
        LogOutput::StdOut { message: Bytes::copy_from_slice(text.as_bytes()) }
    }

    #[test]
    fn the_rest_of_a_long_line_is_left_out() {
        let mut lines = Lines::default();
        let first = lines.next(piece("2026-01-15T10:30:00.123456789Z long")).unwrap();
        assert_eq!((first.text.as_str(), first.at.micros() % 1_000_000), ("long", 123_456));
        assert_eq!(lines.next(piece("2026-01-15T10:30:00.1Z er\n")), None);
        assert_eq!(lines.next(piece("2026-01-15T10:30:00.1Z next\r\n")).unwrap().text, "next");
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_line_or_none(bytes: Vec<u8>) {
            let whole = line(Stream::Stderr, &Bytes::from(bytes.clone()));
            prop_assert!(whole.is_none_or(|line| line.text.len() <= 3 * bytes.len()));
        }
    }
}
