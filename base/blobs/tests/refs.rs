//! References and the collector, on both databases.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use blobs::refs::{self, Grace, RefError};
use blobs::{BlobConfig, Blobs, Digests, Sha256, Written};
use bytes::Bytes;
use kernel::{Clock, Timestamp};
use store::testing::both;
use store::{Store, StoreError};

const START: Timestamp = Timestamp::from_secs(1_800_000_000);
const HOUR: Duration = Duration::from_secs(3600);

async fn opened() -> (tempfile::TempDir, Blobs) {
    let folder = tempfile::tempdir().unwrap();
    let blobs = Blobs::open(BlobConfig::folder(folder.path())).await.unwrap();
    (folder, blobs)
}

async fn put(blobs: &Blobs, text: &str, now: Timestamp) -> Written {
    blobs.put_bytes(Bytes::copy_from_slice(text.as_bytes()), Digests::Sha256Only, now).await.unwrap()
}

async fn retain(store: &Store, written: Written, now: Timestamp) -> Result<(), RefError> {
    store.write(async move |tx| refs::retain(tx, &written, now).await).await
}

async fn release(store: &Store, sha256: Sha256, now: Timestamp) -> Result<(), RefError> {
    store.write(async move |tx| refs::release(tx, sha256, now).await).await
}

#[tokio::test]
async fn bytes_stay_while_needed_and_for_the_grace_time() {
    both(&[blobs::MIGRATIONS], async |store: Store| {
        let (_folder, blobs) = opened().await;
        let written = put(&blobs, "needed twice", START).await;
        retain(&store, written, START).await.unwrap();
        store.write(async move |tx| refs::retain_known(tx, written.sha256, START).await).await.unwrap();
        let late = START.after(HOUR * 100);
        assert_eq!(refs::collect(&store, &blobs, Grace::default(), late).await.unwrap().blobs, 0);

        release(&store, written.sha256, late).await.unwrap();
        release(&store, written.sha256, late).await.unwrap();
        assert!(matches!(release(&store, written.sha256, late).await, Err(RefError::NotHeld(_))));
        let soon = late.after(HOUR * 23);
        assert_eq!(refs::collect(&store, &blobs, Grace::default(), soon).await.unwrap().blobs, 0);
        assert!(blobs.exists(written.sha256).await.unwrap());

        let then = late.after(HOUR * 25);
        let collected = refs::collect(&store, &blobs, Grace::default(), then).await.unwrap();
        assert_eq!((collected.blobs, collected.size_bytes), (1, written.size_bytes));
        assert!(!blobs.exists(written.sha256).await.unwrap());
        let totals = store.read(async |tx| refs::totals(tx).await).await.unwrap();
        assert_eq!(totals, (0, 0));
    })
    .await;
}

#[tokio::test]
async fn what_was_written_before_a_removal_must_be_stored_again() {
    both(&[blobs::MIGRATIONS], async |store: Store| {
        let (_folder, blobs) = opened().await;
        let first = put(&blobs, "comes and goes", START).await;
        retain(&store, first, START).await.unwrap();
        release(&store, first.sha256, START).await.unwrap();
        let then = START.after(HOUR * 30);
        let seen_before = put(&blobs, "comes and goes", then.before(Duration::from_secs(1))).await;
        assert_eq!(refs::collect(&store, &blobs, Grace::default(), then).await.unwrap().blobs, 1);

        let after = then.after(Duration::from_secs(60));
        assert!(matches!(retain(&store, seen_before, after).await, Err(RefError::Vanished(_))));
        let known = store.write(async move |tx| refs::retain_known(tx, first.sha256, after).await).await;
        assert!(matches!(known, Err(RefError::Vanished(_))));

        let again = put(&blobs, "comes and goes", after).await;
        retain(&store, again, after).await.unwrap();
        assert_eq!(
            refs::collect(&store, &blobs, Grace::default(), after.after(HOUR * 99)).await.unwrap().blobs,
            0
        );
        blobs.verify(again.sha256).await.unwrap();
        assert!(matches!(retain(&store, again, after.after(HOUR * 7)).await, Err(RefError::Vanished(_))));
    })
    .await;
}

#[tokio::test]
async fn an_undone_transaction_keeps_no_reference_and_its_bytes_are_found() {
    both(&[blobs::MIGRATIONS], async |store: Store| {
        let (_folder, blobs) = opened().await;
        let kept = put(&blobs, "kept", START).await;
        retain(&store, kept, START).await.unwrap();
        let orphan = put(&blobs, "the transaction fails", START).await;
        let undone = store
            .write(async move |tx| {
                refs::retain(tx, &orphan, START).await?;
                Err::<(), RefError>(StoreError::Busy.into())
            })
            .await;
        assert!(undone.is_err());
        assert_eq!(refs::adopt_orphans(&store, &blobs, START).await.unwrap(), 1);
        assert_eq!(refs::adopt_orphans(&store, &blobs, START).await.unwrap(), 0);
        let then = START.after(HOUR * 25);
        assert_eq!(refs::collect(&store, &blobs, Grace::default(), then).await.unwrap().blobs, 1);
        assert!(!blobs.exists(orphan.sha256).await.unwrap());
        blobs.verify(kept.sha256).await.unwrap();
    })
    .await;
}

/// Publishers of the same few contents come and go while collectors without any grace remove what is idle: what
/// a publisher was promised is there for as long as it holds it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_publish_never_loses_to_the_collector() {
    both(&[blobs::MIGRATIONS], async |store: Store| {
        let (_folder, blobs) = opened().await;
        let grace = Grace { idle: Duration::ZERO, clock_skew: Duration::ZERO };
        let (stop, removed) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let collectors: Vec<_> = (0..2)
            .map(|_| {
                let (store, blobs) = (store.clone(), blobs.clone());
                let (stop, removed) = (Arc::clone(&stop), Arc::clone(&removed));
                tokio::spawn(async move {
                    while !stop.load(Ordering::Relaxed) {
                        let now = Clock::system().now();
                        let collected = refs::collect(&store, &blobs, grace, now).await.unwrap();
                        removed.fetch_add(collected.blobs, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        let publishers: Vec<_> =
            (0..6).map(|_| tokio::spawn(publish_often(store.clone(), blobs.clone()))).collect();
        for publisher in publishers {
            publisher.await.unwrap();
        }
        stop.store(true, Ordering::Relaxed);
        for collector in collectors {
            collector.await.unwrap();
        }
        assert!(removed.load(Ordering::Relaxed) > 20, "the collector hardly ran: {removed:?}");
    })
    .await;
}

async fn publish_often(store: Store, blobs: Blobs) {
    let clock = Clock::system();
    for number in 0..60 {
        let text = format!("content {}", number % 3);
        let sha256 = loop {
            let written = put(&blobs, &text, clock.now()).await;
            match retain(&store, written, clock.now()).await {
                Ok(()) => break written.sha256,
                Err(RefError::Vanished(_)) => {}
                Err(error) => panic!("{error}"),
            }
        };
        blobs.verify(sha256).await.unwrap();
        tokio::time::sleep(Duration::from_millis(number % 4)).await;
        blobs.verify(sha256).await.unwrap();
        release(&store, sha256, clock.now()).await.unwrap();
        if number % 5 == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}
