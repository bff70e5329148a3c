//! Backups that are made by themselves, on both databases.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod market;

use std::time::Duration;

use kernel::Paging;
use market::{Market, code, migrations, request, wanted};
use services::schedule::{Every, Schedule};
use services::{Change, DeploymentId, NewDeployment, Reconciler};
use web::Expected;
use web::idempotency::{Key, Request};

const DAILY: Schedule = Schedule { every: Every::Day, weekday: 0, hour: 3, minute: 0, keep: 2 };

async fn both(test: impl AsyncFn(Market)) {
    store::testing::both(&migrations(), async |store| test(Market::on(store).await).await).await;
}

async fn passes(reconciler: &Reconciler) {
    for _ in 0..4 {
        reconciler.pass().await.unwrap();
    }
}

/// A deployment whose service can be saved, running.
async fn keeper(market: &Market, reconciler: &Reconciler) -> DeploymentId {
    let new = NewDeployment { service: "keeper".into(), ..wanted("one") };
    let made = market.services.deploy(&market.person("ada"), new, request()).await.unwrap();
    passes(reconciler).await;
    made.deployment.id
}

async fn backups(market: &Market, id: &DeploymentId) -> Vec<String> {
    let all = market.services.backups(&market.person("ada"), id, Paging::default()).await.unwrap();
    all.items.iter().map(|backup| backup.state.to_string()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_due_is_made_once_and_the_oldest_go() {
    both(async |market| {
        let reconciler = market.reconciler();
        let id = keeper(&market, &reconciler).await;
        let (ada, room) = (market.person("ada"), &market.services);
        let set = room.set_schedule(&ada, &id, Some(DAILY)).await.unwrap().unwrap();
        assert!(set.next_at > market.clock.now() && room.run_schedules().await.unwrap() == 0);
        // Three days in which nothing ran are made up for once.
        market.clock.advance(Duration::from_secs(3 * 86_400));
        assert_eq!((room.run_schedules().await.unwrap(), room.run_schedules().await.unwrap()), (1, 0));
        passes(&reconciler).await;
        assert_eq!(backups(&market, &id).await, ["done"]);
        let by_hand = room.back_up(&market.person("ada"), &id, request()).await.unwrap();
        for _ in 0..3 {
            passes(&reconciler).await;
            market.clock.advance(Duration::from_secs(86_400));
            assert_eq!(room.run_schedules().await.unwrap(), 1);
        }
        passes(&reconciler).await;
        let all = room.backups(&market.person("ada"), &id, Paging::default()).await.unwrap();
        assert_eq!(all.total, 3, "two that it made, and the one made by hand");
        assert!(all.items.iter().any(|backup| backup.id == by_hand.id));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_rests_is_saved_when_it_runs_again() {
    both(async |market| {
        let reconciler = market.reconciler();
        let id = keeper(&market, &reconciler).await;
        let room = &market.services;
        let change = |change: Change| {
            let (room, by, id) = (room.clone(), market.person("ada"), id.clone());
            async move { room.change(&by, &id, Expected::Whatever, change).await.unwrap() }
        };
        room.set_schedule(&market.person("ada"), &id, Some(DAILY)).await.unwrap();
        change(Change::Stop).await;
        passes(&reconciler).await;
        market.clock.advance(Duration::from_secs(2 * 86_400));
        assert_eq!(room.run_schedules().await.unwrap(), 0);
        change(Change::Start).await;
        passes(&reconciler).await;
        assert_eq!((room.run_schedules().await.unwrap(), room.run_schedules().await.unwrap()), (1, 0));
        room.set_schedule(&market.person("ada"), &id, None).await.unwrap();
        market.clock.advance(Duration::from_secs(2 * 86_400));
        assert_eq!(room.run_schedules().await.unwrap(), 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn schedules_are_their_owners_alone_and_checked() {
    both(async |market| {
        let reconciler = market.reconciler();
        let id = keeper(&market, &reconciler).await;
        let (ada, bob, room) = (market.person("ada"), market.person("bob"), &market.services);
        let set = |by, schedule| room.set_schedule(by, &id, Some(schedule));
        assert_eq!(code(set(&bob, DAILY).await.unwrap_err()), "services.not_found");
        assert_eq!(code(room.schedule(&bob, &id).await.unwrap_err()), "services.not_found");
        let wrong = Schedule { weekday: 7, hour: 24, minute: 60, keep: 0, ..DAILY };
        assert_eq!(code(set(&ada, wrong).await.unwrap_err()), "services.invalid");
        assert_eq!(room.schedule(&ada, &id).await.unwrap(), None);
        let plain = market.deploy(&ada, "two").await.deployment.id;
        let none = room.set_schedule(&ada, &plain, Some(DAILY)).await;
        assert_eq!(code(none.unwrap_err()), "services.not_offered");
        // One key is one backup, however often the button is pressed.
        let keyed = || Request::new(Key(Some("k".into())), "ada", &());
        let first = room.back_up(&ada, &id, keyed()).await.unwrap();
        assert_eq!(room.back_up(&ada, &id, keyed()).await.unwrap().id, first.id);
        assert_eq!(backups(&market, &id).await.len(), 1);
    })
    .await;
}
