//! The key of a payment: the same again, or refused.
#![allow(clippy::unwrap_used, clippy::panic)]

mod till;

use payments::{NewMethod, PaymentError, Source, State};
use store::testing::both;
use till::{Market, add, migrations};

#[tokio::test]
async fn a_key_is_refused_with_another_way_to_pay() {
    both(&migrations(), async |store| {
        let market = Market::on(store);
        let ada = market.ada();
        let new = NewMethod::Token("tok_visa".into());
        let saved = add(&market.payments, &ada, &new, true).await.unwrap();
        let twin = add(&market.payments, &ada, &new, false).await.unwrap();
        let visa = || Source::Token("tok_visa".into());
        let ways = [
            visa(),
            Source::Token("tok_mastercard".into()),
            Source::Method(saved.id),
            Source::Method(twin.id),
            Source::Browser,
        ];
        for (index, first) in ways.iter().enumerate() {
            let begin = async |source: &Source| {
                let mut new = Market::sale(&format!("order-{index}"), 500, source.clone());
                new.key = Some(format!("key-{index}"));
                market.begin(new).await
            };
            let known = begin(first).await.unwrap();
            if matches!(first, Source::Browser) {
                // What its buyer types in later does not make it another way to pay.
                let card = till::card("4242424242424242");
                market.payments.submit(&known).await.unwrap();
                market.payments.confirm_with_card(&ada, &known.id, &card).await.unwrap();
            }
            for (other, way) in ways.iter().enumerate() {
                let again = begin(way).await;
                match other == index {
                    true => assert_eq!(again.unwrap().id, known.id),
                    false => assert!(matches!(again, Err(PaymentError::KeyReused)), "{first:?}, {way:?}"),
                }
            }
        }
        // A test card and its token are the same card.
        let mut typed = Market::sale("order-0", 500, Source::Card(till::card("4242 4242 4242 4242")));
        typed.key = Some("key-0".into());
        assert!(market.begin(typed).await.is_ok());
    })
    .await;
}

#[tokio::test]
async fn a_key_names_one_payment() {
    both(&migrations(), async |store| {
        let market = Market::on(store);
        let new = |subject: &str, minor| {
            let mut new = Market::sale(subject, minor, Source::Token("tok_visa".into()));
            new.key = Some("key-1".into());
            new
        };
        let first = market.begin(new("order-1", 500)).await.unwrap();
        let paid = market.payments.submit(&first).await.unwrap();
        let again = market.begin(new("order-1", 500)).await.unwrap();
        assert_eq!((again.id.clone(), again.state), (paid.id, State::Authorised));
        assert_eq!(market.payments.submit(&again).await.unwrap().version, 2, "it is not asked for twice");
        for other in [new("order-2", 500), new("order-1", 501)] {
            assert!(matches!(market.begin(other).await, Err(PaymentError::KeyReused)));
        }
        let mut bobs = new("order-2", 700);
        bobs.payer = "user-bob".parse().unwrap();
        assert_ne!(market.begin(bobs).await.unwrap().id, first.id, "keys are each payer's own");
    })
    .await;
}
