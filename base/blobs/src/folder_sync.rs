//! Makes renames durable: one thread flushes folders for all writers at once.
//!
//! A rename survives a power loss only after the folder was flushed too. Each flush costs a commit of the
//! file system's journal; writers that finish at the same moment share one, as ext4 and XFS commit
//! everything that is in the journal with the first flush and have nothing left to do for the next.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::mpsc;

use tokio::sync::oneshot;

/// The most writers that share one round; more only wait longer.
const MAX_ROUND: usize = 512;

type Answer = oneshot::Sender<io::Result<()>>;

/// The thread's entrance. The thread ends when the last clone is gone.
#[derive(Clone)]
pub(crate) struct FolderSync {
    queue: mpsc::Sender<(Vec<PathBuf>, Answer)>,
}

impl FolderSync {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn start() -> io::Result<Self> {
        let (queue, orders) = mpsc::channel();
        std::thread::Builder::new().name("blob-folder-sync".to_owned()).spawn(move || run(&orders))?;
        Ok(Self { queue })
    }

    /// Answers after every folder in `folders` is on the disk.
    pub(crate) async fn flush(&self, folders: Vec<PathBuf>) -> io::Result<()> {
        let (answer, done) = oneshot::channel();
        let gone = || io::Error::other("the thread that flushes folders is gone");
        self.queue.send((folders, answer)).map_err(|_| gone())?;
        done.await.unwrap_or_else(|_| Err(gone()))
    }
}

fn run(orders: &mpsc::Receiver<(Vec<PathBuf>, Answer)>) {
    while let Ok(first) = orders.recv() {
        let round: Vec<_> = std::iter::once(first).chain(orders.try_iter().take(MAX_ROUND - 1)).collect();
        let mut flushed: HashMap<PathBuf, Result<(), io::ErrorKind>> = HashMap::new();
        for (folders, answer) in round {
            let mut outcome = Ok(());
            for folder in folders {
                let result = flushed.entry(folder).or_insert_with_key(|folder| {
                    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| error.kind())
                });
                outcome = outcome.and(result.map_err(io::Error::from));
            }
            // A writer that went away needs no answer.
            let _ = answer.send(outcome);
        }
    }
}
