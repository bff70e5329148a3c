//! What is wanted comes true, whatever goes wrong on the way.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod market;

use std::time::Duration;

use containers::memory::Faults;
use containers::{Driver, State};
use identity::Caller;
use kernel::Paging;
use market::{Market, migrations};
use proptest::prelude::*;
use services::backups::BackupState;
use services::{Change, Deployment, DeploymentId, NewDeployment, Reconciler, Status};
use web::Expected;

async fn both(test: impl AsyncFn(Market)) {
    store::testing::both(&migrations(), async |store| test(Market::on(store).await).await).await;
}

/// Looks and lets time go by until nothing is to be done.
async fn settle(market: &Market, reconciler: &Reconciler) {
    for _ in 0..40 {
        let _ = reconciler.pass().await;
        market.clock.advance(Duration::from_secs(11));
    }
}

async fn find(market: &Market, id: &DeploymentId) -> Deployment {
    market.services.deployment(&market.person("ada"), id).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_deployed_stopped_started_and_removed_and_each_is_told() {
    both(async |market| {
        let (ada, reconciler) = (market.person("ada"), market.reconciler());
        let id = market.deploy(&ada, "one").await.deployment.id;
        assert_eq!(find(&market, &id).await.status, Status::Provisioning);
        reconciler.pass().await.unwrap();
        assert_eq!(find(&market, &id).await.status, Status::Running);
        assert_eq!(market.news().await, ["service.deployed", "deployment.started"]);
        let seen = market.engine.seen().await.unwrap();
        assert_eq!((seen.containers.len(), seen.volumes.len(), seen.networks.len()), (1, 1, 1));
        assert_eq!(seen.containers[0].name, format!("fondaco-{id}"));

        let change = |change: Change| market.services.change(&ada, &id, Expected::Whatever, change);
        change(Change::Stop).await.unwrap();
        reconciler.pass().await.unwrap();
        assert_eq!(find(&market, &id).await.status, Status::Stopped);
        change(Change::Start).await.unwrap();
        reconciler.pass().await.unwrap();
        assert_eq!(market.news().await, ["deployment.stopped", "deployment.started"]);

        change(Change::Delete { at_once: false }).await.unwrap();
        reconciler.pass().await.unwrap();
        let seen = market.engine.seen().await.unwrap();
        assert!(
            matches!(seen.containers[0].state, State::Exited { .. }),
            "it rests while that can be undone"
        );
        assert_eq!(seen.volumes.len(), 1);
        market.clock.advance(Duration::from_secs(25 * 3600));
        reconciler.pass().await.unwrap();
        reconciler.pass().await.unwrap();
        assert_eq!(market.engine.seen().await.unwrap(), containers::Seen::default());
        assert_eq!(market.news().await, ["deployment.deleted"]);
        assert_eq!(find(&market, &id).await.port, None);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_and_another_plan_make_the_container_afresh_and_keep_the_volume() {
    both(async |market| {
        let (ada, reconciler) = (market.person("ada"), market.reconciler());
        let id = market.deploy(&ada, "one").await.deployment.id;
        reconciler.pass().await.unwrap();
        let first = market.engine.seen().await.unwrap();
        for change in [Change::Restart, Change::Scale { plan: "big".into() }] {
            market.services.change(&ada, &id, Expected::Whatever, change).await.unwrap();
            assert_eq!(find(&market, &id).await.status, Status::Provisioning);
            reconciler.pass().await.unwrap();
            assert_eq!(find(&market, &id).await.status, Status::Running);
        }
        let last = market.engine.seen().await.unwrap();
        assert_ne!(first.containers[0].fingerprint, last.containers[0].fingerprint);
        assert_eq!((first.volumes[0].size_bytes, last.volumes[0].size_bytes), (16 << 20, 32 << 20));
        assert_eq!(last.volumes.len(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn new_credentials_hold_once_the_service_has_taken_them() {
    both(async |market| {
        let (ada, reconciler) = (market.person("ada"), market.reconciler());
        let made = market.deploy(&ada, "one").await;
        let id = made.deployment.id;
        let refused = market.services.rotate(&ada, &id).await.unwrap_err();
        assert_eq!(market::code(refused), "services.not_now");
        reconciler.pass().await.unwrap();
        let rotate = market.services.rotate(&ada, &id);
        let work = async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            reconciler.pass().await.unwrap();
        };
        let (shown, ()) = tokio::join!(rotate, work);
        let shown = shown.unwrap().unwrap();
        assert_ne!(shown.uri, made.shown.uri);
        assert_eq!(market.services.credentials(&ada, &id, true).await.unwrap().uri, shown.uri);
        assert_eq!(shown.named[0], made.shown.named[0], "the name stays");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_dies_is_started_again_and_what_dies_too_often_is_a_failure_with_a_reason() {
    both(async |market| {
        let (ada, reconciler) = (market.person("ada"), market.reconciler());
        let id = market.deploy(&ada, "one").await.deployment.id;
        let name = format!("fondaco-{id}");
        reconciler.pass().await.unwrap();
        market.engine.die(&name, 3);
        reconciler.pass().await.unwrap();
        settle(&market, &reconciler).await;
        assert_eq!(find(&market, &id).await.status, Status::Running);
        market.news().await;
        for _ in 0..10 {
            market.engine.die(&name, 3);
            reconciler.pass().await.unwrap();
            market.clock.advance(Duration::from_secs(5));
            reconciler.pass().await.unwrap();
            if find(&market, &id).await.status == Status::Failed {
                break;
            }
        }
        let failed = find(&market, &id).await;
        assert_eq!(failed.status, Status::Failed);
        assert!(failed.reason.contains("the code 3"), "{}", failed.reason);
        assert!(market.news().await.contains(&"deployment.failed".to_owned()));
        settle(&market, &reconciler).await;
        assert_eq!(find(&market, &id).await.status, Status::Running, "it is tried again by itself");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_run_with_its_settings_says_why_at_once_until_they_are_others() {
    both(async |market| {
        let (ada, reconciler) = (market.person("ada"), market.reconciler());
        let settings = |mode: &str, words: &str| {
            let settings = serde_json::json!({ "mode": mode, "words": words });
            settings.as_object().unwrap().clone()
        };
        let new = services::NewDeployment {
            service: "tuned".into(),
            settings: settings("refuse", "no such road"),
            ..market::wanted("one")
        };
        let id = market.services.deploy(&ada, new, market::request()).await.unwrap().deployment.id;
        for _ in 0..3 {
            reconciler.pass().await.unwrap();
            market.clock.advance(Duration::from_secs(1));
        }
        let failed = find(&market, &id).await;
        assert_eq!((failed.status, failed.reason.as_str()), (Status::Failed, "no such road"));
        let events = market.news().await;
        assert_eq!(events.iter().filter(|kind| *kind == "deployment.failed").count(), 1, "{events:?}");
        let configure = async |mode, words| {
            let change = Change::Configure { settings: settings(mode, words) };
            market.services.change(&market.person("ada"), &id, Expected::Whatever, change).await.unwrap();
            settle(&market, &reconciler).await;
            find(&market, &id).await
        };
        assert_eq!(configure("refuse", "nor that").await.reason, "nor that");
        let fine = configure("sleep", "well").await;
        assert_eq!((fine.status, fine.reason.as_str()), (Status::Running, ""));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_orchestrators_never_work_at_once_and_the_second_adopts_what_runs() {
    both(async |market| {
        let (first, second) = (market.reconciler(), market.reconciler());
        let ada = market.person("ada");
        let id = market.deploy(&ada, "one").await.deployment.id;
        first.pass().await.unwrap();
        let before = market.engine.seen().await.unwrap();
        market.services.change(&ada, &id, Expected::Whatever, Change::Stop).await.unwrap();
        second.pass().await.unwrap();
        assert_eq!(find(&market, &id).await.status, Status::Stopping, "the first has the lease");
        market.services.change(&ada, &id, Expected::Whatever, Change::Start).await.unwrap();
        market.clock.advance(Duration::from_secs(6));
        second.pass().await.unwrap();
        first.pass().await.unwrap();
        assert_eq!(find(&market, &id).await.status, Status::Running);
        let after = market.engine.seen().await.unwrap();
        assert_eq!(before.containers[0].started_at, after.containers[0].started_at, "it was left running");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_engine_answers_nothing_is_lost() {
    both(async |market| {
        let (ada, reconciler) = (market.person("ada"), market.reconciler());
        let id = market.deploy(&ada, "one").await.deployment.id;
        reconciler.pass().await.unwrap();
        market.engine.set_reachable(false);
        assert!(reconciler.pass().await.is_err());
        assert_eq!(find(&market, &id).await.status, Status::Running);
        market.engine.set_reachable(true);
        market.engine.reboot();
        settle(&market, &reconciler).await;
        assert_eq!(find(&market, &id).await.status, Status::Running);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_done_when_it_was_restored_and_nothing_of_the_trial_is_left() {
    both(async |market| {
        let (ada, reconciler) = (market.person("ada"), market.reconciler());
        let new = |name| NewDeployment { service: "keeper".into(), ..market::wanted(name) };
        let id = market.services.deploy(&ada, new("one"), market::request()).await.unwrap().deployment.id;
        let refused = market.services.back_up(&ada, &id, market::request()).await.unwrap_err();
        assert_eq!(market::code(refused), "services.not_now");
        reconciler.pass().await.unwrap();
        let backup = market.services.back_up(&ada, &id, market::request()).await.unwrap();
        let early = market.services.restore(&ada, &id, &backup.id).await.unwrap_err();
        assert_eq!(market::code(early), "services.not_found");
        reconciler.pass().await.unwrap();
        let list = market.services.backups(&ada, &id, Paging::default()).await.unwrap();
        assert_eq!((list.items[0].state, list.items[0].reason.as_str()), (BackupState::Done, ""));
        assert!(list.items[0].blob.is_some() && list.items[0].size_bytes == 10);
        assert_eq!(market.engine.seen().await.unwrap().containers.len(), 1);

        market.services.restore(&ada, &id, &backup.id).await.unwrap();
        settle(&market, &reconciler).await;
        assert_eq!(find(&market, &id).await.status, Status::Running);
        let happened = market.services.happened(&ada, &id, Paging::default()).await.unwrap().items;
        assert!(happened.iter().any(|one| one.words == "It was brought back from a backup."));

        let new = NewDeployment { backup: Some(backup.id.clone()), ..new("two") };
        let bob = market.person("bob");
        let foreign = market.services.deploy(&bob, new.clone(), market::request()).await.unwrap_err();
        assert_eq!(market::code(foreign), "services.not_found");
        let copy = market.services.deploy(&ada, new, market::request()).await.unwrap().deployment.id;
        settle(&market, &reconciler).await;
        assert_eq!(find(&market, &copy).await.status, Status::Running);
        market.services.remove_backup(&ada, &id, &backup.id).await.unwrap();
        assert_eq!(market.services.backups(&ada, &id, Paging::default()).await.unwrap().total, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn time_is_counted_and_the_budget_told_once_a_month() {
    store::testing::both(&migrations(), async |store| {
        let settings = services::Settings { paid: services::Paid::Off, ..services::Settings::default() };
        let market = Market::with(store, settings).await;
        let (ada, reconciler) = (market.person("ada"), market.reconciler());
        let new = NewDeployment { plan: Some("paid".into()), ..market::wanted("one") };
        let id = market.services.deploy(&ada, new, market::request()).await.unwrap().deployment.id;
        let budget = Change::Budget { minor: Some(1) };
        market.services.change(&ada, &id, Expected::Whatever, budget).await.unwrap();
        for _ in 0..120 {
            reconciler.pass().await.unwrap();
            market.clock.advance(Duration::from_secs(30));
        }
        let standing = market.services.standing(&market.person("ada"), &id).await.unwrap();
        // An hour of 744 in January 2027, at 19 dollars: 2.55 cents.
        assert_eq!(standing.cost.current_minor, 3);
        assert!((20..=1900).contains(&standing.cost.projected_minor));
        assert!(standing.uptime > 99_000, "{}", standing.uptime);
        assert!(standing.figures.is_some());
        let told = market.news().await.into_iter().filter(|kind| kind == "billing.threshold").count();
        assert_eq!(told, 1);
        let since = market.clock.now().before(Duration::from_secs(3600));
        let (step, samples) = market.services.samples(&market.person("ada"), &id, since).await.unwrap();
        assert!(step == 15 && samples.len() > 100, "{}", samples.len());
    })
    .await;
}

/// What somebody does.
#[derive(Clone, Debug)]
enum Deed {
    Deploy,
    Change(usize, Change),
    Wait(u32),
    Look,
    NewProcess,
    Reboot,
}

fn deed() -> impl Strategy<Value = Deed> {
    let change = prop_oneof![
        Just(Change::Stop),
        Just(Change::Start),
        Just(Change::Restart),
        Just(Change::Scale { plan: "big".into() }),
        Just(Change::Delete { at_once: false }),
        Just(Change::Delete { at_once: true }),
        Just(Change::Undelete),
    ];
    prop_oneof![
        2 => Just(Deed::Deploy),
        4 => (0usize..8, change).prop_map(|(which, change)| Deed::Change(which, change)),
        2 => (1u32..400).prop_map(Deed::Wait),
        6 => Just(Deed::Look),
        1 => Just(Deed::NewProcess),
        1 => Just(Deed::Reboot),
    ]
}

async fn act(market: &Market, reconciler: &mut Reconciler, ids: &mut Vec<DeploymentId>, deed: Deed) {
    let ada = market.person("ada");
    match deed {
        Deed::Deploy => {
            let new = market::wanted(&format!("d{}", ids.len()));
            if let Ok(made) = market.services.deploy(&ada, new, market::request()).await {
                ids.push(made.deployment.id);
            }
        }
        Deed::Change(which, change) => {
            if let Some(id) = ids.get(which % ids.len().max(1)) {
                let _ = market.services.change(&ada, id, Expected::Whatever, change).await;
            }
        }
        Deed::Wait(seconds) => market.clock.advance(Duration::from_secs(seconds.into())),
        Deed::Look => drop(reconciler.pass().await),
        Deed::NewProcess => {
            reconciler.leave().await;
            *reconciler = market.reconciler();
        }
        Deed::Reboot => market.engine.reboot(),
    }
}

/// What is wanted is what is there, for all of them.
async fn is_true(market: &Market, ada: &Caller, ids: &[DeploymentId]) -> Result<(), String> {
    let seen = market.engine.seen().await.unwrap();
    let mut left = seen.containers.len();
    let mut volumes = seen.volumes.len();
    for id in ids {
        let known = market.services.deployment(ada, id).await.unwrap();
        let name = format!("fondaco-{id}");
        let container = seen.containers.iter().find(|container| container.name == name);
        let runs = container.is_some_and(|container| container.state == State::Running);
        left -= usize::from(container.is_some());
        volumes -= usize::from(seen.volumes.iter().any(|volume| volume.name == name));
        let right = match known.status {
            Status::Running => runs && known.wanted == services::Wanted::Running,
            Status::Stopped => !runs && known.wanted == services::Wanted::Stopped,
            Status::Deleted => container.is_none() && known.port.is_none(),
            Status::Deleting => !runs && known.undo_until.is_some_and(|until| until > market.clock.now()),
            _ => false,
        };
        if !right {
            return Err(format!("{id}: wanted {}, is {} ({})", known.wanted, known.status, known.reason));
        }
    }
    if left + volumes > 0 {
        return Err(format!("{left} containers and {volumes} volumes belong to nobody"));
    }
    Ok(())
}

async fn converges(seed: u64, deeds: Vec<Deed>) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let store = store::testing::sqlite(folder.path(), &migrations()).await;
    let market = Market::on(store).await;
    let (mut reconciler, mut ids) = (market.reconciler(), Vec::new());
    market.engine.set_faults(seed, Faults { before: 60, after: 60, mischief: 60 });
    for deed in deeds {
        act(&market, &mut reconciler, &mut ids, deed).await;
    }
    market.engine.set_faults(seed, Faults::default());
    settle(&market, &reconciler).await;
    let ada = market.person("ada");
    is_true(&market, &ada, &ids).await?;
    for id in &ids {
        let _ = market.services.change(&ada, id, Expected::Whatever, Change::Delete { at_once: true }).await;
    }
    settle(&market, &reconciler).await;
    is_true(&market, &ada, &ids).await?;
    let left = market.engine.seen().await.unwrap();
    let total = market.services.list(&ada, None, Paging::default()).await.unwrap().total;
    if left == containers::Seen::default() && total == 0 { Ok(()) } else { Err(format!("left: {left:?}")) }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 60, ..ProptestConfig::default() })]

    /// Thousands of deeds, faults and deaths: in the end everything is as it is wanted, and nothing is left over.
    #[test]
    fn it_always_converges(seed: u64, deeds in proptest::collection::vec(deed(), 60..160)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let converged = runtime.block_on(converges(seed, deeds));
        prop_assert!(converged.is_ok(), "{}", converged.unwrap_err());
    }
}
