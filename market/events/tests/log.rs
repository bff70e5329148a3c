//! What the event log promises, on both databases.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use events::{Audience, DomainEvent, Log, MIGRATIONS, Position};
use kernel::Timestamp;
use serde::Serialize;
use store::{Store, StoreError, Tx, testing};

#[derive(Serialize)]
struct Painted {
    wall: String,
    coats: i64,
}

impl DomainEvent for Painted {
    const TYPE: &'static str = "wall.painted";
    fn subject(&self) -> &str {
        &self.wall
    }
    fn version(&self) -> i64 {
        self.coats
    }
    fn audience(&self) -> Audience<'_> {
        if self.coats == 1 { Audience::Everybody } else { Audience::Accounts(vec!["user-1", "org-2"]) }
    }
}

events::catalogue! {
    Painted = "A wall got another coat.";
}

async fn paint(store: &Store, coats: i64) {
    let painted = Painted { wall: "wall-1".to_owned(), coats };
    let ran =
        store.write(async move |tx: &mut Tx| events::append(tx, Timestamp::from_secs(coats), &painted).await);
    ran.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn events_come_back_in_order_and_as_they_were() {
    testing::both(&[MIGRATIONS], async |store| {
        let log = Log::new(store.clone());
        assert_eq!(log.end().await.unwrap(), Position::START);
        for coats in 1..=3 {
            paint(&store, coats).await;
        }
        let read = log.after(Position::START).await.unwrap();
        assert_eq!(read.iter().map(|event| event.version).collect::<Vec<_>>(), [1, 2, 3]);
        let json = serde_json::to_value(&read[0]).unwrap();
        assert_eq!(json["type"], "wall.painted");
        assert_eq!(json["data"]["wall"], "wall-1");
        assert_eq!(json["occurredAt"], "1970-01-01T00:00:01.000Z");
        assert!(read[0].is_public() && read[0].concerns("user-9"));
        assert!(read[1].concerns("user-1") && read[1].concerns("org-2"));
        assert!(!read[1].concerns("user") && !read[1].concerns("") && !read[1].is_public());
        assert!(log.after(log.end().await.unwrap()).await.unwrap().is_empty());
        assert!(events::is_known("wall.painted") && !events::is_known("wall.broken"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undone_change_leaves_no_event() {
    testing::both(&[MIGRATIONS], async |store| {
        let undone = store.write(async |tx: &mut Tx| {
            events::append(tx, Timestamp::from_secs(1), &Painted { wall: "w".to_owned(), coats: 1 }).await?;
            Err::<(), _>(StoreError::Closed)
        });
        assert!(undone.await.is_err());
        assert!(Log::new(store).after(Position::START).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_misses_nothing_under_concurrent_writers() {
    testing::both(&[MIGRATIONS], async |store| {
        let mut follower = Log::new(store.clone()).follow(Position::START);
        let writers: Vec<_> = (0..8)
            .map(|_| {
                let store = store.clone();
                tokio::spawn(async move {
                    for coats in 1..=25 {
                        paint(&store, coats).await;
                    }
                })
            })
            .collect();
        let mut seen = 0;
        while seen < 200 {
            let next = tokio::time::timeout(Duration::from_secs(20), follower.next()).await;
            seen += next.expect("events keep coming").unwrap().len();
        }
        for writer in writers {
            writer.await.unwrap();
        }
        assert_eq!(seen, 200);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_takes_each_event_once_and_again_after_an_error() {
    testing::both(&[MIGRATIONS], async |store| {
        let log = Log::new(store.clone());
        paint(&store, 1).await;
        paint(&store, 2).await;
        log.follow(Position::START).next().await.unwrap();
        let failed = log.consume("painter", async |_: &mut Tx, _: &events::Event| Err(StoreError::Closed));
        assert!(failed.await.is_err());
        take(&log, 2).await;
        let again = log.consume("painter", async |_: &mut Tx, _: &events::Event| Ok::<_, StoreError>(()));
        assert_eq!(again.await.unwrap(), 0);
        paint(&store, 3).await;
        take(&log, 1).await;
    })
    .await;
}

/// Consumes until `wanted` events were taken. On PostgreSQL an event may be seen a moment later: any transaction
/// of the server that is older and still running holds it back.
async fn take(log: &Log, wanted: usize) {
    let all = async {
        let mut taken = 0;
        while taken < wanted {
            let take = log.consume("painter", async |_: &mut Tx, _: &events::Event| Ok::<_, StoreError>(()));
            taken += take.await.unwrap();
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(taken, wanted);
    };
    tokio::time::timeout(Duration::from_secs(20), all).await.expect("the events come");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_may_skip_what_it_never_wants() {
    testing::both(&[MIGRATIONS], async |store| {
        let log = Log::new(store.clone());
        paint(&store, 1).await;
        log.follow(Position::START).next().await.unwrap();
        store.write(async |tx: &mut Tx| events::skip(tx, "painter").await).await.unwrap();
        paint(&store, 2).await;
        take(&log, 1).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_rebase_order_and_cursors_are_the_same() {
    testing::both(&[MIGRATIONS], async |store| {
        let log = Log::new(store.clone());
        paint(&store, 1).await;
        paint(&store, 2).await;
        take(&log, 2).await;
        paint(&store, 3).await;
        store.write(async |tx: &mut Tx| events::rebase(tx).await).await.unwrap();
        let events = log.after(Position::START).await.unwrap();
        assert_eq!(events.iter().map(|event| event.version).collect::<Vec<_>>(), [1, 2, 3]);
        take(&log, 1).await;
        paint(&store, 4).await;
        take(&log, 1).await;
    })
    .await;
}
