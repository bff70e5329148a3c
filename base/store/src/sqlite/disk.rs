//! Makes commits durable beside the writer: while one is on its way to the disk, the writer runs the transactions of
//! the next. Nobody is told of a commit before it is there.
//!
//! SQLite itself could wait in each commit (`synchronous = full`), and the writer would stand still meanwhile. With
//! `synchronous = normal` it writes the same bytes to its log in the same order and leaves the waiting to us; the log
//! is valid up to any commit that reached the disk (<https://sqlite.org/wal.html>, "Performance considerations").

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, Thread};
use std::time::Duration;

use super::{Outcomes, spawn};
use crate::StoreError;
use crate::job::Job;
use crate::tx::AfterCommit;

/// How long the writer looks away from its queue at the most while it waits for the disk.
const NAP: Duration = Duration::from_micros(100);
/// The log is taken over into the file after so many commits, or when none came for a while.
const COMMITS: u32 = 24;
/// See [`COMMITS`].
const QUIET: Duration = Duration::from_millis(250);

/// What was committed together, not yet known to be on the disk.
pub(super) struct Commit {
    pub(super) jobs: Vec<Box<dyn Job>>,
    pub(super) outcomes: Outcomes,
    pub(super) hooks: Vec<AfterCommit>,
}

impl Commit {
    fn finish(self, synced: bool) {
        if synced {
            self.hooks.into_iter().for_each(|hook| hook());
        }
        for (job, outcome) in self.jobs.into_iter().zip(self.outcomes) {
            job.finish(if synced { outcome } else { Err(StoreError::Closed) });
        }
    }
}

/// The writer's side of the disk.
pub(super) struct Disk {
    commits: SyncSender<Commit>,
    busy: Arc<AtomicBool>,
}

impl Disk {
    /// Starts the threads that make the log of `path` durable, and take it over into the file. `writer` is woken
    /// when the disk is free.
    pub(super) fn open(
        path: &Path,
        checkpoint: rusqlite::Connection,
        writer: Thread,
    ) -> Result<Self, StoreError> {
        let (grown, grew) = sync_channel(1);
        spawn("store-checkpoint", move || take_over(&checkpoint, &grew))?;
        let mut log = Log { path: log_of(path), file: None };
        Self::start(move || log.sync(), grown, writer)
    }

    fn start(
        sync: impl FnMut() -> io::Result<()> + Send + 'static,
        grown: SyncSender<()>,
        writer: Thread,
    ) -> Result<Self, StoreError> {
        let (commits, received) = sync_channel(1);
        let busy = Arc::new(AtomicBool::new(false));
        let syncing = Syncing { sync, busy: Arc::clone(&busy), writer, grown };
        spawn("store-sync", move || syncing.run(&received))?;
        Ok(Self { commits, busy })
    }

    /// Whether a commit is on its way to the disk.
    pub(super) fn is_busy(&self) -> bool {
        self.busy.load(Ordering::Acquire)
    }

    /// Waits a moment, or until the disk is free.
    pub(super) fn wait(&self) {
        if self.is_busy() {
            thread::park_timeout(NAP);
        }
    }

    /// Hands a commit over. `false`: the disk failed before, and nothing may be written any more.
    pub(super) fn take(&self, commit: Commit) -> bool {
        self.busy.store(true, Ordering::Release);
        let Err(refused) = self.commits.send(commit) else { return true };
        refused.0.finish(false);
        false
    }
}

/// The thread that waits for the disk.
struct Syncing<F> {
    sync: F,
    busy: Arc<AtomicBool>,
    writer: Thread,
    grown: SyncSender<()>,
}

impl<F: FnMut() -> io::Result<()>> Syncing<F> {
    fn run(mut self, commits: &Receiver<Commit>) {
        while let Ok(commit) = commits.recv() {
            let synced = (self.sync)();
            if let Err(error) = &synced {
                tracing::error!(%error, "the disk does not keep what is written; the database closes");
            }
            let kept = synced.is_ok();
            self.busy.store(false, Ordering::Release);
            self.writer.unpark();
            commit.finish(kept);
            // After a failed sync the system may have dropped what it could not write, so that nothing after it
            // would be safe: this thread ends, and with it the writer.
            if !kept {
                return;
            }
            // Full means that it knows already.
            let _ = self.grown.try_send(());
        }
    }
}

/// The log that SQLite keeps beside its file.
struct Log {
    path: PathBuf,
    file: Option<File>,
}

impl Log {
    /// Opened at the first commit, when the log exists, and kept: SQLite does not replace it while it is in use.
    fn sync(&mut self) -> io::Result<()> {
        let file = match self.file.take() {
            Some(file) => file,
            None => {
                // That the file exists must be on the disk too.
                let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
                File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
                File::open(&self.path)?
            }
        };
        self.file.insert(file).sync_data()
    }
}

fn log_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    PathBuf::from(name)
}

/// Copies the pages of the log into the file while the writer goes on, so that it has little left to copy when it
/// begins the log anew.
fn take_over(connection: &rusqlite::Connection, grew: &Receiver<()>) {
    while grew.recv().is_ok() {
        let mut commits = 1;
        while commits < COMMITS && grew.recv_timeout(QUIET).is_ok() {
            commits += 1;
        }
        // A busy answer means that the writer does the same at this moment.
        let done = connection.query_row("pragma wal_checkpoint(passive)", [], |_| Ok(()));
        if let Err(error) = done {
            tracing::warn!(%error, "the database's log was not taken over into its file");
        }
    }
}

#[cfg(test)]
#[path = "disk_tests.rs"]
mod tests;
