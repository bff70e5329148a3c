//! What reaches a receiver, when, and how often.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod market;

use std::time::Duration;

use identity::Role;
use market::{Market, Receiver, migrations};
use webhooks::{DeliveryState, WebhookId};

const HOUR: Duration = Duration::from_secs(3600);

async fn both(test: impl AsyncFn(Market)) {
    store::testing::both(&migrations(), async |store| test(Market::on(store)).await).await;
}

/// Waits until the newest delivery of an endpoint is so far.
async fn reaches(market: &Market, by: &identity::Caller, id: &WebhookId, state: DeliveryState) {
    for _ in 0..1000 {
        if market.deliveries(by, id).await.first().is_some_and(|delivery| delivery.state == state) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never {state}: {:?}", market.deliveries(by, id).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_event_comes_once_signed_and_only_to_whom_it_concerns() {
    both(async |market| {
        let (at_ada, at_bob) = (Receiver::answering(&[]).await, Receiver::answering(&[]).await);
        market.paint("wall-0", 1, None).await;
        market.clock.advance(Duration::from_secs(1));
        let (ada, bob) = (market.person("ada", &[Role::User]), market.person("bob", &[Role::User]));
        let hook = market.hook(&ada, &at_ada.url).await;
        market.hook(&bob, &at_bob.url).await;
        let _running = (market.running(), market.again(&["127.0.0.1"]).running());
        market.paint("wall-1", 1, Some(&ada)).await;
        market.paint("wall-2", 1, None).await;
        let got = at_ada.called(2).await;
        at_bob.called(1).await;
        reaches(&market, &ada, &hook.endpoint.id, DeliveryState::Delivered).await;
        // Two processes send and nothing comes twice, though there is time for it.
        tokio::time::sleep(Duration::from_millis(700)).await;
        assert_eq!((at_ada.got().len(), at_bob.got().len()), (2, 1));
        assert_eq!(at_bob.got()[0].json()["subject"], "wall-2");
        let first = got.iter().find(|got| got.json()["subject"] == "wall-1").unwrap();
        assert_eq!(first.json()["type"], "wall.painted");
        assert_eq!(first.json()["version"], 1);
        assert_eq!(first.headers["webhook-id"], first.json()["id"].as_str().unwrap());
        assert_eq!(first.headers["webhook-timestamp"], market.clock.now().secs().to_string().as_str());
        assert!(first.is_signed_with(&hook.secret));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_is_tried_again_and_holds_back_what_follows_on_its_subject() {
    both(async |market| {
        let ada = market.person("ada", &[Role::User]);
        let receiver = Receiver::answering(&[500, 503]).await;
        let hook = market.hook(&ada, &receiver.url).await.endpoint;
        let _running = market.running();
        market.paint("wall-1", 1, None).await;
        receiver.called(1).await;
        market.paint("wall-1", 2, None).await;
        tokio::time::sleep(Duration::from_millis(700)).await;
        assert_eq!(receiver.got().len(), 1, "the second coat waits for the first");
        market.clock.advance(Duration::from_secs(6));
        receiver.called(2).await;
        market.clock.advance(Duration::from_secs(360));
        let got = receiver.called(4).await;
        let coats: Vec<_> = got.iter().map(|got| got.json()["version"].as_i64().unwrap()).collect();
        assert_eq!(coats, [1, 1, 1, 2]);
        assert_eq!(got[0].headers["webhook-id"], got[2].headers["webhook-id"]);
        reaches(&market, &ada, &hook.id, DeliveryState::Delivered).await;
        let first = market.deliveries(&ada, &hook.id).await.pop().unwrap();
        let (_, log) = market.webhooks.delivery(&ada, &hook.id, &first.id).await.unwrap();
        let told: Vec<_> = log.iter().map(|attempt| (attempt.number, attempt.status.unwrap())).collect();
        assert_eq!(told, [(3, 200), (2, 503), (1, 500)]);
        assert_eq!(log[2].answer, "answered 500");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_three_days_it_is_dead_the_endpoint_off_and_both_can_be_revived() {
    both(async |market| {
        let ada = market.person("ada", &[Role::User]);
        let receiver = Receiver::answering(&[500; 10]).await;
        let hook = market.hook(&ada, &receiver.url).await.endpoint;
        let _running = market.running();
        market.paint("wall-1", 1, None).await;
        for tries in 1..=10 {
            receiver.called(tries).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
            market.clock.advance(27 * HOUR);
        }
        reaches(&market, &ada, &hook.id, DeliveryState::Dead).await;
        let off = market.webhooks.endpoint(&ada, &hook.id).await.unwrap();
        assert!(!off.enabled && off.reason.contains("three days"), "{off:?}");
        market.paint("wall-1", 2, None).await;
        let on = webhooks::EndpointChange { enabled: Some(true), ..Default::default() };
        market.webhooks.change(&ada, &hook.id, web::Expected::Whatever, on).await.unwrap();
        let dead = market.deliveries(&ada, &hook.id).await.pop().unwrap();
        market.webhooks.replay(&ada, &hook.id, &dead.id).await.unwrap();
        let got = receiver.called(11).await;
        assert_eq!(got[10].headers["webhook-id"], got[0].headers["webhook-id"]);
        assert!(market.webhooks.endpoint(&ada, &hook.id).await.unwrap().reason.is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_is_gone_is_left_alone() {
    both(async |market| {
        let ada = market.person("ada", &[Role::User]);
        let receiver = Receiver::answering(&[410]).await;
        let hook = market.hook(&ada, &receiver.url).await.endpoint;
        let _running = market.running();
        market.paint("wall-1", 1, None).await;
        reaches(&market, &ada, &hook.id, DeliveryState::Dead).await;
        assert!(!market.webhooks.endpoint(&ada, &hook.id).await.unwrap().enabled);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_secret_is_replaced_both_sign() {
    both(async |market| {
        let ada = market.person("ada", &[Role::User]);
        let receiver = Receiver::answering(&[]).await;
        let old = market.hook(&ada, &receiver.url).await;
        let new = market.webhooks.rotate(&ada, &old.endpoint.id).await.unwrap();
        let _running = market.running();
        market.webhooks.test(&ada, &old.endpoint.id).await.unwrap();
        let got = receiver.called(1).await;
        assert_eq!(got[0].json()["type"], "webhook.test");
        assert!(got[0].is_signed_with(&old.secret) && got[0].is_signed_with(&new.secret));
        market.clock.advance(25 * HOUR);
        market.webhooks.test(&ada, &old.endpoint.id).await.unwrap();
        let got = receiver.called(2).await;
        assert!(!got[1].is_signed_with(&old.secret) && got[1].is_signed_with(&new.secret));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_no_longer_allowed_is_not_called() {
    both(async |market| {
        let ada = market.person("ada", &[Role::User]);
        let receiver = Receiver::answering(&[]).await;
        let hook = market.hook(&ada, &receiver.url).await.endpoint;
        let _running = market.again(&[]).running();
        let delivery = market.webhooks.test(&ada, &hook.id).await.unwrap();
        for _ in 0..500 {
            let (_, log) = market.webhooks.delivery(&ada, &hook.id, &delivery).await.unwrap();
            if let Some(attempt) = log.first() {
                assert_eq!(attempt.status, None);
                assert!(attempt.answer.contains("https"), "{}", attempt.answer);
                assert!(receiver.got().is_empty());
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("it was never tried");
    })
    .await;
}
