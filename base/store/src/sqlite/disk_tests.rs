//! What the disk's side of the writer promises.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::mpsc::{Sender, channel};

use super::*;
use crate::Tx;
use crate::job::Running;

/// A job that has run: it only tells what its caller hears.
struct Told(Sender<Result<(), String>>);

impl Job for Told {
    fn run<'a>(&'a mut self, _: &'a mut Tx) -> Running<'a> {
        Box::pin(async { true })
    }

    fn finish(self: Box<Self>, outcome: Result<(), StoreError>) {
        self.0.send(outcome.map_err(|error| error.to_string())).unwrap();
    }
}

fn commit(told: &Sender<Result<(), String>>, hook: impl FnOnce() + Send + 'static) -> Commit {
    Commit { jobs: vec![Box::new(Told(told.clone()))], outcomes: vec![Ok(())], hooks: vec![Box::new(hook)] }
}

#[test]
fn nobody_hears_of_a_commit_before_the_disk_has_it() {
    let (told, heard) = channel();
    let (let_go, held) = channel();
    let (grown, grew) = sync_channel(1);
    let held = Arc::new(std::sync::Mutex::new(held));
    let log = || {
        let held = Arc::clone(&held);
        move || held.lock().unwrap().recv().map_err(io::Error::other)
    };
    let disk = Disk::start(log, &grown, &thread::current()).unwrap();

    let hook = told.clone();
    assert!(disk.take(commit(&told, move || hook.send(Err("the hook".to_owned())).unwrap())));
    assert!(disk.is_busy());
    assert!(heard.recv_timeout(Duration::from_millis(50)).is_err(), "told too early");
    let_go.send(()).unwrap();
    assert_eq!(heard.recv().unwrap(), Err("the hook".to_owned()));
    assert_eq!(heard.recv().unwrap(), Ok(()));
    assert!(!disk.is_busy());
    grew.recv().unwrap();
}

#[test]
fn after_a_disk_that_failed_nothing_is_acknowledged_any_more() {
    let (told, heard) = channel();
    let (grown, _grew) = sync_channel(1);
    let log = || || Err(io::Error::other("worn out"));
    let disk = Disk::start(log, &grown, &thread::current()).unwrap();
    let closed = Err(StoreError::Closed.to_string());

    assert!(disk.take(commit(&told, || panic!("nothing is kept"))));
    assert_eq!(heard.recv().unwrap(), closed);
    // The thread is about to end: a commit that still reaches it is never synced.
    while disk.take(Commit { jobs: Vec::new(), outcomes: Vec::new(), hooks: Vec::new() }) {}
    assert!(!disk.take(commit(&told, || panic!("nothing is kept"))));
    assert_eq!(heard.recv().unwrap(), closed);
}
