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
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, Thread};
use std::time::Duration;

use super::{Outcomes, spawn};
use crate::StoreError;
use crate::job::Job;
use crate::tx::AfterCommit;

/// How many commits may be on their way to the disk: while one is, a second joins it when the writer would otherwise stand
/// still for want of work, because everybody waits for the disk.
const AT_ONCE: usize = 2;
/// How many transactions are worth a commit of their own meanwhile: each commit writes the same hot pages again.
const WORTH: usize = 12;
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
    commits: async_channel::Sender<Commit>,
    under_way: Arc<AtomicUsize>,
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
        let path = log_of(path);
        let log = || {
            let mut log = Log { path: path.clone(), file: None };
            move || log.sync()
        };
        Self::start(log, &grown, &writer)
    }

    /// `log` makes what each of the threads waits with. Each has the log open by itself, so that each hears of an error.
    fn start<F: FnMut() -> io::Result<()> + Send + 'static>(
        log: impl Fn() -> F,
        grown: &SyncSender<()>,
        writer: &Thread,
    ) -> Result<Self, StoreError> {
        let (commits, received) = async_channel::bounded(AT_ONCE);
        let under_way = Arc::new(AtomicUsize::new(0));
        for _ in 0..AT_ONCE {
            let (writer, grown) = (writer.clone(), grown.clone());
            let syncing = Syncing { sync: log(), under_way: Arc::clone(&under_way), writer, grown };
            let received = received.clone();
            spawn("store-sync", move || syncing.run(&received))?;
        }
        Ok(Self { commits, under_way })
    }

    /// Whether commits are on their way to the disk.
    pub(super) fn is_busy(&self) -> bool {
        self.under_way.load(Ordering::Acquire) > 0
    }

    /// Whether so many transactions are better committed beside what is on its way than kept for the next commit.
    pub(super) fn is_worth(&self, transactions: usize) -> bool {
        transactions >= WORTH && self.under_way.load(Ordering::Acquire) < AT_ONCE
    }

    /// Waits a moment, or until a commit has reached the disk.
    pub(super) fn wait(&self) {
        if self.is_busy() {
            thread::park_timeout(NAP);
        }
    }

    /// Hands a commit over. `false`: the disk failed before, and nothing may be written any more.
    pub(super) fn take(&self, commit: Commit) -> bool {
        self.under_way.fetch_add(1, Ordering::AcqRel);
        let Err(refused) = self.commits.send_blocking(commit) else { return true };
        refused.0.finish(false);
        false
    }
}

/// The thread that waits for the disk.
struct Syncing<F> {
    sync: F,
    under_way: Arc<AtomicUsize>,
    writer: Thread,
    grown: SyncSender<()>,
}

impl<F: FnMut() -> io::Result<()>> Syncing<F> {
    fn run(mut self, commits: &async_channel::Receiver<Commit>) {
        while let Ok(commit) = commits.recv_blocking() {
            let synced = (self.sync)();
            if let Err(error) = &synced {
                tracing::error!(%error, "the disk does not keep what is written; the database closes");
            }
            let kept = synced.is_ok();
            // After a failed sync the system may have dropped what it could not write, so that nothing after it
            // would be safe: no commit is taken any more, and the writer ends. A commit that is on its way beside this
            // one hears of the error itself.
            if !kept {
                commits.close();
            }
            self.under_way.fetch_sub(1, Ordering::AcqRel);
            self.writer.unpark();
            commit.finish(kept);
            if !kept {
                // What still waits is not safe either.
                while let Ok(commit) = commits.try_recv() {
                    commit.finish(false);
                }
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
