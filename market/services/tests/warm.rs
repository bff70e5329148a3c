//! What runs before anybody wants it, and how it becomes somebody's.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod market;

use std::collections::HashSet;
use std::time::Duration;

use containers::memory::{Faults, Memory};
use containers::{Driver, Seen, State};
use kernel::{Clock, Paging, Timestamp};
use market::{Market, migrations, request, wanted};
use proptest::prelude::*;
use services::{Change, Doors, NewDeployment, Reconciler, Services, Settings, Status, Warm};
use store::Store;
use web::Expected;

store::sql! {
    SPARES = "select id from deployment where owner = 'user-warm' order by id";
}

fn settings(warm: &[&str]) -> Settings {
    let warm: Vec<Warm> = warm.iter().map(|text| text.parse().unwrap()).collect();
    Settings { warm, free_deployments: 9, ..Settings::default() }
}

async fn both(warm: &[&str], test: impl AsyncFn(Market)) {
    let open = async |store| test(Market::with(store, settings(warm)).await).await;
    store::testing::both(&migrations(), open).await;
}

/// Looks and lets time go by until nothing is to be done.
async fn settle(clock: &Clock, reconciler: &Reconciler, looks: u32) {
    for _ in 0..looks {
        let _ = reconciler.pass().await;
        clock.advance(Duration::from_secs(11));
    }
}

async fn spares(store: &Store) -> Vec<String> {
    let list = async |tx: &mut store::Tx| tx.all::<(String,)>(&SPARES, &[]).await;
    store.read(list).await.unwrap().into_iter().map(|(id,)| id).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_wants_what_is_ready_is_given_it_without_a_restart() {
    both(&["sleeper:free:2"], async |market| {
        let (ada, reconciler) = (market.person("ada"), market.reconciler());
        settle(&market.clock, &reconciler, 8).await;
        let ready = spares(&market.store).await;
        let before = market.engine.seen().await.unwrap();
        assert_eq!((ready.len(), before.containers.len(), before.networks.len()), (2, 2, 2));
        assert!(market.news().await.is_empty(), "nobody is told");
        assert!(market.services.active().await.unwrap().is_empty());
        assert_eq!(market.services.list(&ada, None, Paging::default()).await.unwrap().total, 0);

        let (ada, now) = (market.person("ada"), market.clock.now());
        let made = market.deploy(&ada, "one").await;
        let id = made.deployment.id.clone();
        assert_eq!(id.as_str(), ready[0], "the oldest");
        assert_eq!((made.deployment.status, made.deployment.created_at), (Status::Provisioning, now));
        assert_eq!((made.deployment.name.as_str(), made.deployment.deployed_at), ("one", None));
        reconciler.pass().await.unwrap();
        let known = market.services.deployment(&ada, &id).await.unwrap();
        assert_eq!((known.status, known.deployed_at), (Status::Running, Some(now)));
        assert_eq!(market.news().await, ["service.deployed", "deployment.started"]);
        let happened = market.services.happened(&ada, &id, Paging::default()).await.unwrap().items;
        let words: Vec<&str> = happened.iter().map(|one| one.words.as_str()).collect();
        assert_eq!(words, ["It answers.", "It was asked for, and one that was ready is taken."]);

        let name = format!("fondaco-{id}");
        let container = market.engine.container(&name).await.unwrap().unwrap();
        let was = before.containers.iter().find(|container| container.name == name).unwrap();
        assert_eq!((container.started_at, container.address), (was.started_at, was.address));
        assert_eq!(container.networks, [format!("{name}-peers"), "fondaco-user-ada-peers".to_owned()]);

        settle(&market.clock, &reconciler, 6).await;
        assert_eq!(spares(&market.store).await.len(), 2, "another takes its place");
        let delete = Change::Delete { at_once: true };
        market.services.change(&market.person("ada"), &id, Expected::Whatever, delete).await.unwrap();
        reconciler.pass().await.unwrap();
        let left = market.engine.seen().await.unwrap();
        assert_eq!((left.containers.len(), left.networks.len(), left.volumes.len()), (2, 2, 2));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_like_it_is_made_as_ever() {
    both(&["keeper:free:1"], async |market| {
        let (ada, reconciler) = (market.person("ada"), market.reconciler());
        settle(&market.clock, &reconciler, 5).await;
        let ready = spares(&market.store).await;
        let keeper = |name: &str| NewDeployment { service: "keeper".into(), ..wanted(name) };
        let others = [
            wanted("service"),
            NewDeployment { plan: Some("big".into()), ..keeper("plan") },
            NewDeployment { region: Some("there".into()), ..keeper("region") },
        ];
        for new in others {
            let made = market.services.deploy(&ada, new, request()).await.unwrap();
            assert_ne!(made.deployment.id.as_str(), ready[0]);
        }
        settle(&market.clock, &reconciler, 2).await;
        let ada = market.person("ada");
        let list = market.services.list(&ada, Some(Status::Running), Paging::default()).await.unwrap();
        assert_eq!(list.total, 3);
        let made = market.services.deploy(&ada, keeper("like"), request()).await.unwrap();
        assert_eq!(made.deployment.id.as_str(), ready[0]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_who_come_at_once_never_get_the_same() {
    both(&["sleeper:free:1"], async |market| {
        let reconciler = market.reconciler();
        for round in 0..4 {
            settle(&market.clock, &reconciler, 5).await;
            let ready = spares(&market.store).await;
            assert_eq!(ready.len(), 1);
            let one = async |who: &str| {
                market.deploy(&market.person(who), &format!("d{round}")).await.deployment.id.to_string()
            };
            let (a, b, c) = tokio::join!(one("ada"), one("bob"), one("cid"));
            let given: HashSet<&String> = [&a, &b, &c].into();
            assert_eq!(given.len(), 3);
            assert!(given.contains(&ready[0]), "and one of them got it");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spare_that_died_is_made_anew_for_who_was_given_it() {
    both(&["sleeper:free:1"], async |market| {
        let (ada, reconciler) = (market.person("ada"), market.reconciler());
        settle(&market.clock, &reconciler, 5).await;
        let id = market.deploy(&ada, "one").await.deployment.id;
        let name = format!("fondaco-{id}");
        market.engine.die(&name, 1);
        settle(&market.clock, &reconciler, 4).await;
        assert_eq!(market.services.deployment(&ada, &id).await.unwrap().status, Status::Running);
        let container = market.engine.container(&name).await.unwrap().unwrap();
        assert_eq!((container.state, container.networks.len()), (State::Running, 1));
        let networks = market.engine.seen().await.unwrap().networks;
        assert!(networks.iter().all(|network| !network.name.starts_with(&name)), "what it had alone is gone");
    })
    .await;
}

/// The room on a folder with one template, and with others of the settings.
async fn open(store: &Store, engine: &Memory, clock: &Clock, template: &str, warm: &[&str]) -> Services {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("sleeper.yaml"), template).unwrap();
    let settings = Settings { templates: Some(folder.path().to_owned()), ..settings(warm) };
    market::room(store, clock, engine, folder.path(), settings).await
}

#[tokio::test(flavor = "multi_thread")]
async fn spares_of_yesterday_go_and_with_none_wanted_nothing_is_left() {
    store::testing::both(&migrations(), async |store| {
        let clock = Clock::fixed(Timestamp::from_secs(1_800_000_000));
        let engine = Memory::new("tests", clock.clone()).with_image("test/sleeper");
        let mut seen = Vec::new();
        let mut template = market::SLEEPER.to_owned();
        for change in ["", "time", "template", "count"] {
            if change == "time" {
                clock.advance(Duration::from_secs(24 * 3600));
            }
            if change == "template" {
                template = template.replace("It sleeps.", "It sleeps well.");
            }
            let warm: &[&str] = if change == "count" { &["sleeper:free:1"] } else { &["sleeper:free:2"] };
            let room = open(&store, &engine, &clock, &template, warm).await;
            let reconciler = room.reconciler(Doors::Closed);
            settle(&clock, &reconciler, 16).await;
            reconciler.leave().await;
            let now = spares(&store).await;
            if change == "count" {
                assert!(now.len() == 1 && seen.contains(&now[0]));
            } else {
                assert!(now.len() == 2 && now.iter().all(|id| !seen.contains(id)), "{change}");
            }
            seen = now;
        }
        let reconciler = open(&store, &engine, &clock, &template, &[]).await.reconciler(Doors::Closed);
        settle(&clock, &reconciler, 4).await;
        assert_eq!(engine.seen().await.unwrap(), Seen::default());
        assert!(spares(&store).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn what_cannot_run_in_advance_is_told_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = store::testing::sqlite(folder.path(), &migrations()).await;
    for (warm, words) in [
        (&["nothing:free:1"][..], "there is no service nothing"),
        (&["sleeper:tiny:1"], "has no plan tiny, only free, big"),
        (&["tuned:free:1"], "needs settings of its buyer"),
        (&["sleeper:free:1", "svc-sleeper:free:2"], "is there twice"),
    ] {
        let market = Market::with(store.clone(), settings(warm)).await;
        let why = market.services.check_warm().unwrap_err();
        assert!(why.contains(words), "{why}");
    }
    let market = Market::with(store, settings(&["sleeper:free:1", "sleeper:big:0"])).await;
    assert_eq!(market.services.check_warm(), Ok(()));
}

/// What happens to the market.
#[derive(Clone, Debug)]
enum Deed {
    Deploy(&'static str),
    Delete(usize),
    Wait(u32),
    Look,
    NewProcess,
    Reboot,
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        3 => prop_oneof![Just("ada"), Just("bob")].prop_map(Deed::Deploy),
        2 => (0usize..8).prop_map(Deed::Delete),
        2 => (1u32..4000).prop_map(Deed::Wait),
        8 => Just(Deed::Look),
        1 => Just(Deed::NewProcess),
        1 => Just(Deed::Reboot),
    ]
}

async fn converges(seed: u64, deeds: Vec<Deed>) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let store = store::testing::sqlite(folder.path(), &migrations()).await;
    let market = Market::with(store, settings(&["sleeper:free:2"])).await;
    let (mut reconciler, mut given) = (market.reconciler(), Vec::new());
    market.engine.set_faults(seed, Faults { before: 40, after: 40, mischief: 40 });
    for deed in deeds {
        match deed {
            Deed::Deploy(who) => {
                let new = wanted(&format!("d{}", given.len()));
                if let Ok(made) = market.services.deploy(&market.person(who), new, request()).await {
                    given.push((who, made.deployment.id));
                }
            }
            Deed::Delete(which) => {
                if let Some((who, id)) = given.get(which % given.len().max(1)) {
                    let delete = Change::Delete { at_once: true };
                    let by = market.person(who);
                    let _ = market.services.change(&by, id, Expected::Whatever, delete).await;
                }
            }
            Deed::Wait(seconds) => market.clock.advance(Duration::from_secs(seconds.into())),
            Deed::Look => drop(reconciler.pass().await),
            Deed::NewProcess => {
                reconciler.leave().await;
                reconciler = market.reconciler();
            }
            Deed::Reboot => market.engine.reboot(),
        }
    }
    market.engine.set_faults(seed, Faults::default());
    settle(&market.clock, &reconciler, 50).await;
    let ids: HashSet<String> = given.iter().map(|(_, id)| id.to_string()).collect();
    if ids.len() != given.len() {
        return Err("one was given twice".into());
    }
    let mut expected: HashSet<String> = spares(&market.store).await.into_iter().collect();
    if expected.len() != 2 || !expected.is_disjoint(&ids) {
        return Err(format!("spares: {expected:?}"));
    }
    for (who, id) in &given {
        let known = market.services.deployment(&market.person(who), id).await.unwrap();
        match known.status {
            Status::Running => drop(expected.insert(id.to_string())),
            Status::Deleted => {}
            other => return Err(format!("{id} is {other}: {}", known.reason)),
        }
    }
    let seen = market.engine.seen().await.unwrap();
    let names: HashSet<String> = expected.iter().map(|id| format!("fondaco-{id}")).collect();
    let runs: HashSet<String> = seen
        .containers
        .iter()
        .filter(|one| one.state == State::Running)
        .map(|one| one.name.clone())
        .collect();
    let volumes: HashSet<String> = seen.volumes.iter().map(|volume| volume.name.clone()).collect();
    let is_placed = |(who, id): &(&str, services::DeploymentId)| {
        let found = seen.containers.iter().find(|one| one.name == format!("fondaco-{id}"));
        found.is_none_or(|one| one.networks.contains(&format!("fondaco-user-{who}-peers")))
    };
    let unused = |name: &String| !seen.containers.iter().any(|one| one.networks.contains(name));
    let left: Vec<&String> =
        seen.networks.iter().map(|network| &network.name).filter(|name| unused(name)).collect();
    if names != runs || names != volumes || seen.containers.len() != runs.len() || !left.is_empty() {
        return Err(format!("expected {names:?}, there is {seen:?}, nobody uses {left:?}"));
    }
    if given.iter().all(is_placed) { Ok(()) } else { Err("one is not in its owner's network".into()) }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 60, ..ProptestConfig::default() })]

    /// Whatever goes wrong: each is given once, as many as wanted are there in the end, and nothing is left over.
    #[test]
    fn spares_are_given_once_and_there_again(seed: u64, deeds in proptest::collection::vec(deed(), 40..120)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let converged = runtime.block_on(converges(seed, deeds));
        prop_assert!(converged.is_ok(), "{}", converged.unwrap_err());
    }
}
