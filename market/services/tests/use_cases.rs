//! Who may have which deployments, on both databases.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod market;

use std::time::Duration;

use identity::Caller;
use kernel::{Paging, Problem};
use market::{Market, code, migrations, request, wanted};
use services::{Change, NewDeployment, Status, Wanted};
use web::Expected;
use web::idempotency::{Key, Request};

async fn both(test: impl AsyncFn(Market)) {
    store::testing::both(&migrations(), async |store| test(Market::on(store).await).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_is_its_owners_alone() {
    both(async |market| {
        let (ada, bob) = (market.person("ada"), market.person("bob"));
        let id = market.deploy(&ada, "one").await.deployment.id;
        let all = |by: Caller| {
            let (room, id) = (market.services.clone(), id.clone());
            async move {
                [
                    room.deployment(&by, &id).await.map(drop),
                    room.change(&by, &id, Expected::Whatever, Change::Stop).await.map(drop),
                    room.change(&by, &id, Expected::Whatever, Change::Delete { at_once: true })
                        .await
                        .map(drop),
                    room.credentials(&by, &id, true).await.map(drop),
                    room.credentials(&by, &id, false).await.map(drop),
                    room.rotate(&by, &id).await.map(drop),
                    room.happened(&by, &id, Paging::default()).await.map(drop),
                ]
            }
        };
        for answer in all(bob.clone()).await {
            assert_eq!(code(answer.unwrap_err()), "services.not_found");
        }
        for answer in all(Caller::stranger(market.clock.now())).await {
            assert_eq!(code(answer.unwrap_err()), "identity.not_signed_in");
        }
        assert_eq!(market.services.list(&bob, None, Paging::default()).await.unwrap().total, 0);
        assert_eq!(market.services.list(&ada, None, Paging::default()).await.unwrap().total, 1);
        assert_eq!(market.services.deployment(&ada, &id).await.unwrap().wanted, Wanted::Running);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_fields_are_named_and_nothing_is_made() {
    both(async |market| {
        let ada = market.person("ada");
        let wrong =
            NewDeployment { plan: Some("huge".into()), region: Some("nowhere".into()), ..wanted("a/b") };
        let problem = Problem::from(market.services.deploy(&ada, wrong, request()).await.unwrap_err());
        let pointers: Vec<_> = problem.errors.iter().map(|error| &*error.pointer).collect();
        assert_eq!(pointers, ["/name", "/config/tier", "/config/region"]);
        let deploy = |new: NewDeployment| market.services.deploy(&ada, new, request());
        let paid = NewDeployment { plan: Some("paid".into()), ..wanted("x") };
        assert_eq!(code(deploy(paid).await.unwrap_err()), "services.not_bought");
        let foreign = NewDeployment { organisation: Some("acme".into()), ..wanted("x") };
        assert_eq!(code(deploy(foreign).await.unwrap_err()), "services.not_found");
        let missing =
            NewDeployment { service: "postgres-managed".into(), plan: Some("free".into()), ..wanted("x") };
        assert_eq!(code(deploy(missing).await.unwrap_err()), "services.not_available");
        market.deploy(&ada, "x").await;
        assert_eq!(code(deploy(wanted("x")).await.unwrap_err()), "services.name_taken");
        market.deploy(&ada, "y").await;
        market.deploy(&ada, "z").await;
        assert_eq!(code(deploy(wanted("more")).await.unwrap_err()), "services.too_many_free");
        assert_eq!(market.services.list(&ada, None, Paging::default()).await.unwrap().total, 3);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_request_again_makes_one_deployment_with_the_same_password() {
    both(async |market| {
        let ada = market.person("ada");
        let keyed = |new: &NewDeployment| Request::new(Key(Some("k".into())), "ada", new);
        let deploy = |new: NewDeployment| market.services.deploy(&ada, new.clone(), keyed(&new));
        let first = deploy(wanted("one")).await.unwrap();
        let again = deploy(wanted("one")).await.unwrap();
        assert_eq!((&first.deployment.id, &first.shown.uri), (&again.deployment.id, &again.shown.uri));
        assert_eq!(code(deploy(wanted("two")).await.unwrap_err()), "idempotency.reused");
        assert_eq!(market.services.list(&ada, None, Paging::default()).await.unwrap().total, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_shown_when_made_and_hidden_afterwards_unless_asked_for() {
    both(async |market| {
        let ada = market.person("ada");
        let made = market.deploy(&ada, "one").await;
        let password = &made.shown.named.iter().find(|(name, _)| name == "password").unwrap().1;
        assert!(password.len() == 32 && made.shown.uri.contains(password.as_str()));
        assert!(!made.deployment.credentials.contains(password.as_str()), "what is stored is sealed");
        let id = &made.deployment.id;
        let hidden = market.services.credentials(&ada, id, false).await.unwrap();
        assert!(!hidden.uri.contains(password.as_str()) && !hidden.example.contains(password.as_str()));
        assert!(hidden.uri.starts_with("sleep://u_"), "what is no secret stays to be seen");
        assert_eq!(market.services.credentials(&ada, id, true).await.unwrap().uri, made.shown.uri);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_change_changes_nothing_and_what_is_so_already_is_no_error() {
    both(async |market| {
        let ada = market.person("ada");
        let made = market.deploy(&ada, "one").await.deployment;
        let change = |seen: Expected, change: Change| market.services.change(&ada, &made.id, seen, change);
        let seen = Expected::ByBody(made.version);
        let name = |name: &str| Change::Rename { name: name.into() };
        let renamed = change(seen.clone(), name("two")).await.unwrap();
        assert_eq!(Problem::from(change(seen, name("three")).await.unwrap_err()).status, 409);
        let same = change(Expected::Whatever, name("two")).await.unwrap();
        assert_eq!((same.name.as_str(), same.version), ("two", renamed.version));
        let stopped = change(Expected::Whatever, Change::Stop).await.unwrap();
        assert_eq!((stopped.wanted, stopped.status), (Wanted::Stopped, Status::Stopping));
        assert_eq!(change(Expected::Whatever, Change::Stop).await.unwrap().version, stopped.version);
        let shrunk = change(Expected::Whatever, Change::Scale { plan: "big".into() }).await.unwrap();
        assert_eq!(shrunk.plan.id, "big");
        let refused = change(Expected::Whatever, Change::Scale { plan: "free".into() }).await.unwrap_err();
        assert_eq!(code(refused), "services.disk_shrinks");
        let refused = change(Expected::Whatever, Change::Scale { plan: "paid".into() }).await.unwrap_err();
        assert_eq!(code(refused), "services.not_bought");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removal_can_be_undone_until_its_time_is_over() {
    both(async |market| {
        let ada = market.person("ada");
        let id = market.deploy(&ada, "one").await.deployment.id;
        let change = |change: Change| market.services.change(&ada, &id, Expected::Whatever, change);
        let gone = change(Change::Delete { at_once: false }).await.unwrap();
        assert!(gone.undo_until.is_some());
        assert_eq!(code(change(Change::Start).await.unwrap_err()), "services.not_now");
        let other = market.deploy(&ada, "one").await.deployment.id;
        assert_eq!(code(change(Change::Undelete).await.unwrap_err()), "services.name_taken");
        let rename = Change::Rename { name: "other".into() };
        market.services.change(&ada, &other, Expected::Whatever, rename).await.unwrap();
        assert_eq!(change(Change::Undelete).await.unwrap().wanted, Wanted::Stopped);
        change(Change::Delete { at_once: false }).await.unwrap();
        market.clock.advance(Duration::from_secs(25 * 3600));
        let ada = market.person("ada");
        let late = market.services.change(&ada, &id, Expected::Whatever, Change::Undelete).await.unwrap_err();
        assert_eq!(code(late), "services.gone");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_deployment_has_a_port_of_its_own_until_there_are_no_more() {
    store::testing::both(&migrations(), async |store| {
        let settings = services::Settings {
            ports: (30_000, 30_003),
            free_deployments: 99,
            ..services::Settings::default()
        };
        let market = Market::with(store, settings).await;
        let ada = market.person("ada");
        let mut ports = Vec::new();
        for name in ["a", "b", "c", "d"] {
            ports.push(market.deploy(&ada, name).await.deployment.port.unwrap());
        }
        assert_eq!(ports, [30_000, 30_001, 30_002, 30_003]);
        let refused = market.services.deploy(&ada, wanted("e"), request()).await.unwrap_err();
        assert_eq!(code(refused), "services.no_port");
        let list = market.services.list(&ada, None, Paging::default()).await.unwrap();
        let second = list.items.iter().find(|known| known.port == Some(30_001)).unwrap();
        let delete = Change::Delete { at_once: true };
        market.services.change(&ada, &second.id, Expected::Whatever, delete).await.unwrap();
        market.reconciler().pass().await.unwrap();
        assert_eq!(market.deploy(&ada, "e").await.deployment.port, Some(30_001));
    })
    .await;
}
