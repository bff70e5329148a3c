//! What flows from and to a container: a command's input and output, logs, news.

use std::pin::Pin;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use kernel::Timestamp;
use serde::Serialize;
use tokio::io::AsyncWrite;

use crate::EngineError;

/// A command to run inside a running container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exec {
    /// The program and its arguments; no shell looks at them.
    pub argv: Vec<String>,
    /// Environment besides the container's own. The engine keeps it until the container is gone: no secrets.
    pub env: Vec<(String, String)>,
    /// The user instead of the container's own.
    pub user: Option<String>,
    /// Whether it reads what is written to [`Running::stdin`]; otherwise its input is empty.
    pub stdin: bool,
}

impl Exec {
    /// `argv` as the container's own user, without input.
    pub fn new(argv: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { argv: argv.into_iter().map(Into::into).collect(), ..Self::default() }
    }
}

/// Which of a program's two outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// A piece of what a command wrote, cut anywhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Where it wrote it.
    pub stream: Stream,
    /// What.
    pub bytes: Bytes,
}

/// What a command writes, both outputs in the order in which they came.
pub type OutputStream = BoxStream<'static, Result<Output, EngineError>>;

/// A command's standard input; `shutdown` is its end of file.
pub type Stdin = Pin<Box<dyn AsyncWrite + Send>>;

/// A command that runs in a container. Dropping it leaves the command running until it notices that nobody
/// reads: give it a time-out of its own.
pub struct Running {
    /// Its standard input, where it was asked for. Write while reading [`Running::output`], or both wait for
    /// each other.
    pub stdin: Option<Stdin>,
    /// What it writes; ends when it ended.
    pub output: OutputStream,
    /// Its exit code, known after `output` ended.
    pub exit: BoxFuture<'static, Result<i64, EngineError>>,
}

/// A command that ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// Its exit code.
    pub code: i64,
    /// The first bytes of its standard output.
    pub stdout: Bytes,
    /// The first bytes of its standard error.
    pub stderr: Bytes,
}

impl Running {
    /// Closes its input, reads it to its end, and keeps at most `limit` bytes of each output.
    ///
    /// # Errors
    /// What the engine says when it loses the command.
    pub async fn finish(mut self, limit: usize) -> Result<Finished, EngineError> {
        drop(self.stdin.take());
        let (mut stdout, mut stderr) = (BytesMut::new(), BytesMut::new());
        while let Some(piece) = self.output.next().await {
            let piece = piece?;
            let kept = match piece.stream {
                Stream::Stdout => &mut stdout,
                Stream::Stderr => &mut stderr,
            };
            let room = limit.saturating_sub(kept.len()).min(piece.bytes.len());
            kept.extend_from_slice(piece.bytes.get(..room).unwrap_or_default());
        }
        let code = self.exit.await?;
        Ok(Finished { code, stdout: stdout.freeze(), stderr: stderr.freeze() })
    }
}

/// Which log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Logs {
    /// Only so many of the last ones.
    pub tail: Option<u32>,
    /// Only those at or after this time.
    pub since: Option<Timestamp>,
    /// Whether to go on with new lines until the container ends.
    pub follow: bool,
}

/// A line of a container's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LogLine {
    /// When the engine received it.
    pub at: Timestamp,
    /// Where the program wrote it.
    pub stream: Stream,
    /// The line without its end, cut at [`LogLine::MAX_BYTES`]; what is no UTF-8 is replaced.
    pub text: String,
}

impl LogLine {
    /// The most bytes of a line that are kept.
    pub const MAX_BYTES: usize = 16 * 1024;
}

/// Lines of a log, oldest first.
pub type LogStream = BoxStream<'static, Result<LogLine, EngineError>>;

/// Names of containers whose state changed. A name may come twice or for nothing. It ends when the engine goes
/// away: observe everything, and ask for a new one.
pub type ChangeStream = BoxStream<'static, String>;
