//! Who may have which deployments, on both databases.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod market;

use std::time::Duration;

use identity::Caller;
use kernel::{Paging, Problem};
use market::{Market, code, migrations, request, wanted};
use serde_json::json;
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

fn object(value: serde_json::Value) -> serde_json::Map<String, serde_json::Value> {
    value.as_object().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_are_checked_sealed_shown_without_their_secrets_and_changed() {
    both(async |market| {
        let ada = market.person("ada");
        let tuned =
            |settings| NewDeployment { service: "tuned".into(), settings: object(settings), ..wanted("one") };
        let deploy = |settings| market.services.deploy(&ada, tuned(settings), request());
        let wrong = json!({"count": 10, "words": "A", "mood": "good", "routes": 5, "loud": "maybe"});
        let problem = Problem::from(deploy(wrong).await.unwrap_err());
        let pointers: Vec<_> = problem.errors.iter().map(|error| &*error.pointer).collect();
        assert_eq!(
            pointers,
            ["/config/mood", "/config/words", "/config/count", "/config/loud", "/config/routes"]
        );
        let problem = Problem::from(deploy(json!({})).await.unwrap_err());
        assert_eq!(problem.errors[0].detail, "Say this: Words.");
        let good = json!({"words": "good night", "token": "t0psecret", "routes": "- path: /a"});
        let made = deploy(good).await.unwrap();
        assert_eq!(made.shown.example, "say good night t0psecret", "shown once");
        let id = made.deployment.id;
        let hidden = market.services.credentials(&ada, &id, false).await.unwrap();
        assert_eq!(hidden.example, "say good night ********");
        let shown = |settings: Vec<(String, serde_json::Value)>| serde_json::Map::from_iter(settings);
        let expected = json!({"mode": "sleep", "words": "good night", "count": 3, "loud": false,
            "routes": [{"path": "/a"}], "token": "********"});
        assert_eq!(shown(hidden.settings), object(expected));
        let look = async |tx: &mut store::Tx| tx.all::<(String,)>(&SEALED, &[]).await;
        let sealed = market.store.read(look).await.unwrap();
        assert!(sealed.len() == 1 && !sealed[0].0.contains("t0psecret") && !sealed[0].0.contains("good"));

        let configure = |settings| {
            let change = Change::Configure { settings: object(settings) };
            market.services.change(&ada, &id, Expected::Whatever, change)
        };
        let before = market.services.deployment(&ada, &id).await.unwrap();
        let same = configure(json!({"words": "good night", "token": "********"})).await.unwrap();
        assert_eq!(same.version, before.version, "what is so already changes nothing");
        let refused = Problem::from(configure(json!({"words": null})).await.unwrap_err());
        assert_eq!(refused.errors[0].pointer, "/config/words");
        let changed = configure(json!({"count": 4, "routes": null})).await.unwrap();
        assert!(changed.run > before.run && changed.status == Status::Provisioning);
        let open = market.services.credentials(&ada, &id, true).await.unwrap();
        assert_eq!(open.example, "say good night t0psecret", "what was not named stays");
        let expected = json!({"mode": "sleep", "words": "good night", "count": 4, "loud": false,
            "routes": [{"path": "/"}], "token": "t0psecret"});
        assert_eq!(shown(open.settings), object(expected));
    })
    .await;
}

store::sql! {
    SEALED = "select sealed from deployment_settings";
}

#[tokio::test(flavor = "multi_thread")]
async fn buyers_choose_images_only_where_the_operator_lets_them() {
    let hoster = market::SLEEPER
        .replace("svc-sleeper", "svc-hoster")
        .replace("slug: sleeper", "slug: hoster")
        .replace("image: test/sleeper", "image: \"{{settings.image}}\"")
        .replace("number: 1,", "number: \"{{settings.port}}\",")
        + "settings: [{ name: image, title: Image, kind: text, required: true }, \
            { name: port, title: Port, kind: number, min: 1, max: 65535, default: 8080 }]";
    assert!(services::Template::parse(&hoster).is_ok());
    let optional = hoster.replace("required: true", "required: false");
    let flaws = services::Template::parse(&optional).unwrap_err();
    assert!(flaws[0].words.contains("an image is chosen by a required setting"), "{flaws:?}");
    store::testing::both(&migrations(), async |store| {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("hoster.yaml"), &hoster).unwrap();
        let clock = kernel::Clock::fixed(kernel::Timestamp::from_secs(1_800_000_000));
        let engine = containers::memory::Memory::new("tests", clock.clone()).with_image("test/sleeper");
        let open = async |hosted_images: Vec<String>| {
            let templates = Some(folder.path().to_owned());
            let settings = services::Settings { templates, hosted_images, ..services::Settings::default() };
            market::room(&store, &clock, &engine, folder.path(), settings).await
        };
        let ada = market::person("ada", clock.now());
        let hosted = |image: &str| NewDeployment {
            service: "hoster".into(),
            settings: object(json!({"image": image})),
            ..wanted("one")
        };
        let closed = open(Vec::new()).await;
        let refused =
            Problem::from(closed.deploy(&ada, hosted("test/sleeper"), request()).await.unwrap_err());
        assert_eq!(refused.errors[0].pointer, "/config/image");
        let room = open(vec!["test/*".into()]).await;
        for other in ["evil/x", "test/../x y", "test/x\ny"] {
            let refused = Problem::from(room.deploy(&ada, hosted(other), request()).await.unwrap_err());
            assert_eq!(refused.errors[0].pointer, "/config/image", "{other}");
        }
        let id = room.deploy(&ada, hosted("test/nothing"), request()).await.unwrap().deployment.id;
        let reconciler = room.reconciler(services::Doors::Closed);
        reconciler.pass().await.unwrap();
        let failed = room.deployment(&ada, &id).await.unwrap();
        assert!(failed.status == Status::Failed && failed.reason.contains("was not fetched"), "{failed:?}");
        let settings = object(json!({"image": "test/sleeper"}));
        let change = Change::Configure { settings };
        room.change(&ada, &id, Expected::Whatever, change).await.unwrap();
        reconciler.pass().await.unwrap();
        assert_eq!(room.deployment(&ada, &id).await.unwrap().status, Status::Running);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn others_reach_a_deployment_by_its_name_which_it_keeps_until_it_is_started_anew() {
    both(async |market| {
        let (ada, bob) = (market.person("ada"), market.person("bob"));
        let inside = async |by: &Caller, id: &services::DeploymentId| {
            market.services.credentials(by, id, false).await.unwrap().internal
        };
        let first = market.deploy(&ada, "My API").await;
        assert_eq!(first.shown.internal, "my-api:1");
        let first = first.deployment.id;
        let second = market.deploy(&ada, "my-api").await.deployment.id;
        assert_eq!(inside(&ada, &second).await, format!("{second}:1"), "the first has it");
        assert_eq!(market.deploy(&bob, "my-api").await.shown.internal, "my-api:1", "of another account");
        let change = |id: &services::DeploymentId, change: Change| {
            let (room, ada, id) = (market.services.clone(), ada.clone(), id.clone());
            async move { room.change(&ada, &id, Expected::Whatever, change).await.unwrap() }
        };
        change(&first, Change::Rename { name: "old".into() }).await;
        change(&second, Change::Restart).await;
        assert_eq!(inside(&ada, &first).await, "my-api:1", "nobody is cut off");
        change(&first, Change::Restart).await;
        change(&second, Change::Restart).await;
        assert_eq!(inside(&ada, &first).await, "old:1");
        assert_eq!(inside(&ada, &second).await, "my-api:1");
        change(&first, Change::Delete { at_once: false }).await;
        assert_eq!(market.deploy(&ada, "Old").await.shown.internal, "old:1", "who goes gives it up");
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

#[tokio::test(flavor = "multi_thread")]
async fn who_had_it_running_rates_it_once() {
    both(async |market| {
        let (ada, bob) = (market.person("ada"), market.person("bob"));
        let made = market.deploy(&ada, "one").await.deployment;
        let rate = |by: Caller, stars: u32| {
            let (room, service) = (market.services.clone(), made.service.clone());
            async move { room.rate(&by, &service, stars, "  It sleeps well. ").await }
        };
        assert_eq!(code(rate(ada.clone(), 5).await.unwrap_err()), "services.never_had", "it never ran");
        let reconciler = market.reconciler();
        for _ in 0..3 {
            reconciler.pass().await.unwrap();
        }
        assert_eq!(market.services.deployment(&ada, &made.id).await.unwrap().status, Status::Running);
        for stars in [5, 4] {
            rate(ada.clone(), stars).await.unwrap();
        }
        assert_eq!(code(rate(ada.clone(), 6).await.unwrap_err()), "services.invalid");
        assert_eq!(code(rate(bob.clone(), 1).await.unwrap_err()), "services.never_had");
        assert_eq!(market.services.own_review(&bob, &made.service).await.unwrap(), (None, false));
        let (page, _) = market.services.reviews(&made.service, Paging::default()).await.unwrap();
        assert_eq!((page.total, page.items[0].stars, &*page.items[0].words), (1, 4, "It sleeps well."));
        let rating = market.services.ratings().await.unwrap()[made.service.as_str()];
        assert_eq!(rating.tenths(), Some(40));
        let other = Some("user-ada".parse().unwrap());
        assert_eq!(
            code(market.services.unrate(&bob, &made.service, other).await.unwrap_err()),
            "identity.role_missing"
        );
        market.services.unrate(&ada, &made.service, None).await.unwrap();
        assert!(market.services.ratings().await.unwrap().is_empty());
    })
    .await;
}
