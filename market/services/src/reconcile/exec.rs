//! Commands in containers: what they read is written while what they write is read.

use std::time::Duration;

use containers::{Engine, Exec, Finished};
use kernel::Secret;
use tokio::io::AsyncWriteExt;

/// How much of each output is kept, in bytes.
const KEEP: usize = 64 << 10;
/// How long a command may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs a command to its end.
///
/// # Errors
/// Why it did not end, in words.
pub(crate) async fn run(
    engine: &Engine,
    name: &str,
    exec: &Exec,
    stdin: Option<&Secret>,
) -> Result<Finished, String> {
    let work = async {
        let mut running = engine.exec(name, exec).await.map_err(|error| error.to_string())?;
        let input = running.stdin.take();
        let write = async {
            if let (Some(mut input), Some(text)) = (input, stdin) {
                // Whoever ends before it has read everything says so by its exit code.
                let _ = input.write_all(text.expose().as_bytes()).await;
                let _ = input.shutdown().await;
            }
        };
        let ((), finished) = tokio::join!(write, running.finish(KEEP));
        finished.map_err(|error| error.to_string())
    };
    tokio::time::timeout(PATIENCE, work).await.unwrap_or_else(|_| Err("it did not end in time".to_owned()))
}
