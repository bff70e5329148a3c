//! One key, one effect, one answer; on both databases.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use kernel::{Problem, Timestamp};
use store::{Migration, Migrations, Store, StoreError, Tx, args, sql, testing};
use web::idempotency::{Key, Request, Reused, Stored, forget, once};

const COUNTER: Migrations = Migrations {
    room: "counter",
    files: &[Migration {
        name: "0001_counter.sql",
        sql: "create table hit (id integer primary key autoincrement, who text not null) strict;",
    }],
};

sql! {
    HIT = "insert into hit (who) values ($1) returning id";
    COUNT = "select count(*) from hit";
}

#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Reused(#[from] Reused),
    #[error("on purpose")]
    OnPurpose,
}

async fn hit(store: &Store, key: Option<&str>, who: &'static str, fail: bool) -> Result<Stored, Failed> {
    let request = Request::new(Key(key.map(str::to_owned)), "ada POST /hits", &who);
    let now = Timestamp::from_secs(100);
    let work = async move |tx: &mut Tx| {
        once(tx, &request, now, 201, async |tx: &mut Tx| {
            let (id,): (i64,) = tx.one(&HIT, args![who]).await?;
            if fail { Err(Failed::OnPurpose) } else { Ok(serde_json::json!({ "id": id })) }
        })
        .await
    };
    store.write(work).await
}

async fn count(store: &Store) -> i64 {
    store.read(async |tx: &mut Tx| tx.one::<(i64,)>(&COUNT, &[]).await).await.unwrap().0
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_request_twice_has_one_effect_and_one_answer() {
    testing::both(&[web::MIGRATIONS, COUNTER], async |store| {
        let first = hit(&store, Some("k1"), "ada", false).await.unwrap();
        let again = hit(&store, Some("k1"), "ada", false).await.unwrap();
        assert_eq!((first.status, first.replayed, again.replayed), (201, false, true));
        assert_eq!(first.body, again.body);
        assert_eq!(count(&store).await, 1);
        let other = hit(&store, Some("k1"), "bob", false).await;
        assert!(matches!(other, Err(Failed::Reused(_))), "{other:?}");
        assert_eq!(Problem::from(Reused).status, 422);
        hit(&store, None, "ada", false).await.unwrap();
        hit(&store, None, "ada", false).await.unwrap();
        assert_eq!(count(&store).await, 3, "without a key every request counts");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_may_be_tried_again_with_the_same_key() {
    testing::both(&[web::MIGRATIONS, COUNTER], async |store| {
        assert!(hit(&store, Some("k"), "ada", true).await.is_err());
        assert!(!hit(&store, Some("k"), "ada", false).await.unwrap().replayed);
        assert_eq!(count(&store).await, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_have_one_effect() {
    testing::both(&[web::MIGRATIONS, COUNTER], async |store| {
        let tasks: Vec<_> = (0..16)
            .map(|_| {
                let store = store.clone();
                tokio::spawn(async move { hit(&store, Some("race"), "ada", false).await })
            })
            .collect();
        let mut fresh = 0;
        for task in tasks {
            fresh += usize::from(!task.await.unwrap().unwrap().replayed);
        }
        assert_eq!((fresh, count(&store).await), (1, 1));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn old_answers_are_forgotten() {
    testing::both(&[web::MIGRATIONS, COUNTER], async |store| {
        hit(&store, Some("k"), "ada", false).await.unwrap();
        let gone =
            store.write(async |tx: &mut Tx| forget(tx, Timestamp::from_secs(101)).await).await.unwrap();
        assert_eq!(gone, 1);
        assert!(!hit(&store, Some("k"), "ada", false).await.unwrap().replayed);
    })
    .await;
}
