//! The JSON API and the pages from outside: who may, what they see, and the way of a buyer through the sandbox.
#![allow(clippy::unwrap_used, clippy::panic)]

mod till;

use axum::body::Body;
use http_body_util::BodyExt;
use identity::{Caller, Role};
use kernel::Paging;
use payments::sandbox::CARDS;
use payments::{NewMethod, PaymentError, Source, State};
use serde_json::{Value, json};
use store::testing::both;
use till::{Market, add, card, migrations};
use tower::ServiceExt;

/// Calls the API without signing in.
async fn stranger(market: &Market, method: &str, path: &str) -> (u16, Value) {
    let router = payments::routes(market.payments.clone()).into_router();
    let router = web::Stack::new(web::Surface::Api, market.clock.clone()).around(router);
    let request = http::Request::builder().method(method).uri(path).body(Body::from("{}")).unwrap();
    let answer = router.oneshot(request).await.unwrap();
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap_or(json!(null)))
}

#[tokio::test]
async fn strangers_are_refused_everywhere() {
    both(&migrations(), async |store| {
        let market = Market::on(store);
        let routes = payments::routes(market.payments.clone());
        for route in routes.table().iter().filter(|route| route.access != web::Access::Public) {
            let path = route.path.replace("{id}", "payment-1").replace("{gateway}", "stripe");
            let (status, body) = stranger(&market, route.method.as_str(), &path).await;
            assert_eq!(status, 401, "{} {}: {body}", route.method, route.path);
        }
        let (status, body) = stranger(&market, "POST", "/api/payments/webhook").await;
        assert_eq!((status, body["code"].as_str()), (404, Some("payments.webhooks_off")));
    })
    .await;
}

#[tokio::test]
async fn nobody_sees_or_pays_or_changes_what_is_somebody_elses() {
    both(&migrations(), async |store| {
        let market = Market::on(store);
        let (ada, bob) = (market.ada(), market.person("bob", &[Role::User]));
        let room = &market.payments;
        let payment = market.paid("order-1", "tok_visa").await;
        assert!(room.payment(&ada, &payment.id).await.is_ok());
        assert!(matches!(room.payment(&bob, &payment.id).await, Err(PaymentError::NotFound(_))));
        assert_eq!(room.own_payments(&bob, Paging::default()).await.unwrap().total, 0);
        assert_eq!(room.own_payments(&ada, Paging::default()).await.unwrap().total, 1);
        let saved = add(room, &ada, &NewMethod::Token("tok_visa".into()), false).await.unwrap();
        assert!(matches!(room.set_default_method(&bob, &saved.id).await, Err(PaymentError::NotFound(_))));
        assert!(matches!(room.delete_method(&bob, &saved.id).await, Err(PaymentError::NotFound(_))));
        let mut bobs = Market::sale("order-2", 500, Source::Method(saved.id.clone()));
        bobs.payer = "user-bob".parse().unwrap();
        assert!(matches!(market.begin(bobs).await, Err(PaymentError::NotFound(_))), "with Ada's card");
        for result in [
            room.search(&ada, "", "", Paging::default()).await.map(|_| ()),
            room.ask_now(&ada, &payment.id).await.map(|_| ()),
            room.replay(&ada, "stripe", "evt_1").await,
            room.refund(&ada, refund(&payment)).await.map(|_| ()),
        ] {
            assert!(matches!(result, Err(PaymentError::Identity(_))));
        }
        let operator = market.person("op", &[Role::Admin]);
        assert_eq!(room.search(&operator, "order-1", "captured", Paging::default()).await.unwrap().total, 1);
        assert_eq!(room.search(&operator, "order-1", "failed", Paging::default()).await.unwrap().total, 0);
        assert!(room.refund(&operator, refund(&payment)).await.is_ok());
    })
    .await;
}

fn refund(payment: &payments::Payment) -> payments::NewRefund {
    payments::NewRefund { payment: payment.id.clone(), amount: till::usd(100), key: None, reason: "x".into() }
}

#[tokio::test]
async fn cards_are_saved_without_their_numbers() {
    both(&migrations(), async |store| {
        let market = Market::on(store);
        let (room, ada) = (&market.payments, market.ada());
        let first = add(room, &ada, &NewMethod::Card(card("4242424242424242")), false).await.unwrap();
        let second = add(room, &ada, &NewMethod::Token("tok_mastercard".into()), true).await.unwrap();
        assert!(first.is_default && second.is_default, "each when it was saved");
        let listed = room.methods(&ada, None).await.unwrap();
        assert_eq!(listed.iter().map(|method| method.is_default).collect::<Vec<_>>(), [true, false]);
        assert_eq!(listed[0].id, second.id);
        let shown = serde_json::to_string(&listed).unwrap();
        assert!(!shown.contains("4242424242424242") && shown.contains("4242"), "{shown}");
        let again = async |key: &str| {
            let key = web::idempotency::Key(Some(key.to_owned()));
            let new = NewMethod::Token("tok_visa".into());
            let stored = room.add_method(&ada, None, &new, false, key).await.unwrap();
            serde_json::from_slice::<Value>(&stored.body).unwrap()["methodId"]
                .as_str()
                .unwrap()
                .parse()
                .unwrap()
        };
        let (once, twice): (payments::MethodId, payments::MethodId) =
            (again("key-1").await, again("key-1").await);
        assert_eq!(once, twice, "the same key saves one card");
        room.delete_method(&ada, &once).await.unwrap();
        room.delete_method(&ada, &second.id).await.unwrap();
        assert!(room.methods(&ada, None).await.unwrap()[0].is_default, "the other one is it now");
        let paid = market.begin(Market::sale("order-1", 500, Source::Method(first.id))).await.unwrap();
        assert_eq!(market.payments.submit(&paid).await.unwrap().state, State::Authorised);
        for org in [Some("acme"), Some("")] {
            assert!(room.methods(&ada, org).await.is_err(), "Ada administers no organisation");
        }
    })
    .await;
}

/// The number of a card is in no column of any table.
#[tokio::test]
async fn no_number_is_stored() {
    let folder = tempfile::tempdir().unwrap();
    let store = store::testing::sqlite(folder.path(), &migrations()).await;
    let market = Market::on(store);
    for test_card in CARDS.iter().filter(|card| card.brand() != "amex") {
        let begun =
            market.begin(Market::sale("order-1", 500, Source::Card(card(test_card.number)))).await.unwrap();
        market.payments.submit(&begun).await.unwrap();
    }
    market.settle_down().await;
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        for test_card in CARDS {
            let number = test_card.number.as_bytes();
            assert!(!bytes.windows(number.len()).any(|part| part == number), "{}", test_card.number);
        }
    }
}

/// An operator and a buyer look at everything that there is.
#[tokio::test]
async fn what_is_seen_is_complete() {
    both(&migrations(), async |store| {
        let market = Market::on(store);
        let operator: Caller = market.person("op", &[Role::Admin]);
        let payment = market.paid("order-1", "tok_visa").await;
        market.refund(&payment, 300).await.unwrap();
        let seen = market.payments.payment(&operator, &payment.id).await.unwrap();
        assert_eq!((seen.refunds.len(), seen.payment.refunded_minor), (1, 300));
        assert_eq!(seen.payment.refundable(), till::usd(700));
    })
    .await;
}
