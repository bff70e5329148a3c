//! What happens when several do something at once.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use std::sync::Arc;

use http::StatusCode;
use serde_json::{Value, json};
use store::testing::both;

use crate::bench::{Answer, Bench, MIGRATIONS};

/// Runs `count` calls at once.
async fn at_once<F>(count: usize, call: impl Fn(usize) -> F) -> Vec<Answer>
where
    F: Future<Output = Answer> + Send + 'static,
{
    let tasks: Vec<_> = (0..count).map(|n| tokio::spawn(call(n))).collect();
    let mut answers = Vec::new();
    for task in tasks {
        answers.push(task.await.unwrap());
    }
    answers
}

fn count(answers: &[Answer], status: StatusCode) -> usize {
    answers.iter().filter(|answer| answer.status == status).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn different_versions_at_once_lose_none() {
    both(MIGRATIONS, async |store| {
        let bench = Arc::new(Bench::new(store).await);
        let ada = bench.account("ada").await;
        let answers = at_once(16, |n| {
            let (bench, ada) = (bench.clone(), ada.clone());
            async move { bench.publish("pad", &format!("1.0.{n}"), &ada).await }
        })
        .await;
        assert_eq!(count(&answers, StatusCode::CREATED), 16, "{answers:?}");
        let document = bench.get("/npm/pad", "").await.expect(200).json();
        assert_eq!(document["versions"].as_object().unwrap().len(), 16);
        assert!(document["_rev"].as_str().unwrap().starts_with("16-"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_same_version_at_once_is_published_once() {
    both(MIGRATIONS, async |store| {
        let bench = Arc::new(Bench::new(store).await);
        let ada = bench.account("ada").await;
        let answers = at_once(12, |_| {
            let (bench, ada) = (bench.clone(), ada.clone());
            async move { bench.publish("pad", "1.0.0", &ada).await }
        })
        .await;
        assert_eq!(count(&answers, StatusCode::CREATED), 1);
        assert_eq!(count(&answers, StatusCode::FORBIDDEN), 11);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn publishing_and_unpublishing_do_not_mix_up() {
    both(MIGRATIONS, async |store| {
        let bench = Arc::new(Bench::new(store).await);
        let ada = bench.account("ada").await;
        bench.publish("pad", "1.0.0", &ada).await.expect(201);
        let rev = bench.rev("pad", &ada).await;
        let answers = at_once(6, |n| {
            let (bench, ada, rev) = (bench.clone(), ada.clone(), rev.clone());
            async move {
                match n % 2 {
                    0 => bench.publish("pad", &format!("2.0.{n}"), &ada).await,
                    _ => bench.delete(&format!("/npm/pad/-rev/{rev}"), &ada).await,
                }
            }
        })
        .await;
        let published = (0..6).step_by(2).filter(|n| answers[*n].status == StatusCode::CREATED);
        let published: Vec<String> = published.map(|n| format!("2.0.{n}")).collect();
        assert_eq!(published.len(), 3, "a publish never fails because of a removal: {answers:?}");
        let removed = [1, 3, 5].iter().filter(|n| answers[**n].status == StatusCode::OK).count();
        let document = bench.get("/npm/pad", "").await.expect(200).json();
        let versions: Vec<&String> = document["versions"].as_object().unwrap().keys().collect();
        for version in &published {
            assert!(versions.contains(&version), "{version} in {versions:?}, {removed} removals");
        }
        assert!(removed <= 1);
        assert_eq!(versions.contains(&&"1.0.0".to_owned()), removed == 0);
        let latest = document["dist-tags"]["latest"].as_str().unwrap();
        assert!(versions.iter().any(|version| *version == latest), "the tag points to something");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn tags_set_at_once_are_all_there() {
    both(MIGRATIONS, async |store| {
        let bench = Arc::new(Bench::new(store).await);
        let ada = bench.account("ada").await;
        bench.publish("pad", "1.0.0", &ada).await.expect(201);
        let answers = at_once(8, |n| {
            let (bench, ada) = (bench.clone(), ada.clone());
            async move { bench.put(&format!("/npm/-/package/pad/dist-tags/t{n}"), &ada, json!("1.0.0")).await }
        })
        .await;
        let done = count(&answers, StatusCode::OK);
        assert_eq!(done, 8, "{answers:?}");
        let tags = bench.get("/npm/-/package/pad/dist-tags", "").await.json();
        assert_eq!(tags.as_object().unwrap().len(), 9);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_see_every_change_at_once() {
    both(MIGRATIONS, async |store| {
        let bench = Arc::new(Bench::new(store).await);
        let ada = bench.account("ada").await;
        bench.publish("pad", "1.0.0", &ada).await.expect(201);
        let reading = Arc::new(std::sync::atomic::AtomicBool::new(true));
        let readers: Vec<_> = (0..4)
            .map(|_| {
                let (bench, reading) = (bench.clone(), reading.clone());
                tokio::spawn(async move {
                    while reading.load(std::sync::atomic::Ordering::SeqCst) {
                        bench.get("/npm/pad", "").await.expect(200);
                    }
                })
            })
            .collect();
        for n in 1..30 {
            bench.publish("pad", &format!("1.0.{n}"), &ada).await.expect(201);
            let document: Value = bench.get("/npm/pad", "").await.expect(200).json();
            assert_eq!(
                document["dist-tags"]["latest"],
                format!("1.0.{n}"),
                "never an old document after the answer"
            );
        }
        reading.store(false, std::sync::atomic::Ordering::SeqCst);
        for reader in readers {
            reader.await.unwrap();
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_another_process_changes_is_seen() {
    both(MIGRATIONS, async |store| {
        let here = Bench::new(store.clone()).await;
        let there = Bench::new(store).await;
        let ada = here.account("ada").await;
        here.publish("pad", "1.0.0", &ada).await.expect(201);
        let follow = tokio::spawn({
            let registry = there.registry.clone();
            async move { registry.run().await }
        });
        there.get("/npm/pad", "").await.expect(200);
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        here.publish("pad", "1.0.1", &ada).await.expect(201);
        for wait in 0.. {
            let seen = there.get("/npm/pad", "").await.json()["dist-tags"]["latest"].clone();
            if seen == "1.0.1" {
                break;
            }
            assert!(wait < 100, "still {seen} after 5 s");
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        follow.abort();
    })
    .await;
}
