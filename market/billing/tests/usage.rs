//! Metering: each record counts once and is on one invoice, whatever is sent again, late, or at the same moment.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod house;

use billing::invoice::Standing;
use billing::{BillingError, Cancel, Manner, State, Subscription, Usage, When};
use futures_util::future::join_all;
use house::{House, metered, migrations, monthly, usd};
use identity::Caller;
use payments::Source;
use store::testing::both;
use web::Expected;
use web::idempotency::{Key, Request};

async fn on_both(test: impl AsyncFn(House)) {
    both(&migrations(), async |store| test(House::on(store)).await).await;
}

fn record(sub: &Subscription, id: &str, quantity: i64, at: &str) -> Usage {
    Usage {
        source: "gateway".to_owned(),
        id: id.to_owned(),
        subscription_id: sub.id.clone(),
        quantity,
        at: at.parse().unwrap(),
    }
}

async fn by_use(house: &House) -> Subscription {
    let (_, offers) = house.sells("api", vec![metered(10)]).await;
    house.saves(&house.ada(), "tok_visa").await;
    house.subscribes(&house.ada(), &offers[0], Source::Wallet).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_used_is_billed_at_the_end_of_the_period_once() {
    on_both(async |house| {
        let sub = by_use(&house).await;
        house.until("2027-02-10T00:00:00Z");
        let batch = vec![
            record(&sub, "1", 100, "2027-02-09T23:00:00Z"),
            record(&sub, "2", 50, "2027-02-09T23:30:00Z"),
        ];
        let counted = house.billing.count(&house.seller(), batch.clone()).await.unwrap();
        assert_eq!((counted.accepted, counted.repeated), (2, 0));
        let again = house.billing.count(&house.seller(), batch).await.unwrap();
        assert_eq!((again.accepted, again.repeated), (0, 2), "sent again it changes nothing");
        let now = house.find(&sub.id).await;
        let (so_far, projected) = now.cost(house.clock.now()).unwrap();
        assert_eq!(so_far, usd(1_500));
        assert!((4_200..4_500).contains(&projected.minor), "a third of the month is gone: {projected}");
        house.until("2027-02-28T10:30:30Z");
        // Used before the end of the period and told after it, but before it is billed.
        house
            .billing
            .count(&house.seller(), vec![record(&sub, "3", 7, "2027-02-28T10:29:00Z")])
            .await
            .unwrap();
        house.until("2027-02-28T10:32:00Z");
        house.settle_down().await;
        let invoice = house.invoices(&sub).await.remove(0);
        assert_eq!((invoice.state, invoice.total(), invoice.period), (Standing::Paid, usd(1_570), Some(1)));
        house
            .billing
            .count(&house.seller(), vec![record(&sub, "4", 1, "2027-02-28T10:00:00Z")])
            .await
            .unwrap();
        house.until("2027-03-31T10:32:00Z");
        house.settle_down().await;
        let invoices = house.invoices(&sub).await;
        assert_eq!(invoices[1].total(), usd(10), "what came late is on the next one");
        assert_eq!(house.find(&sub.id).await.open_quantity, 0);
        house.holds_together().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_is_refused_with_its_reason() {
    on_both(async |house| {
        let sub = by_use(&house).await;
        let (_, offers) = house.sells("flat", vec![monthly("Pro", 1_900, 5)]).await;
        let flat = house.subscribes(&house.ada(), &offers[0], Source::Wallet).await;
        house.until("2027-02-10T00:00:00Z");
        let at = "2027-02-09T23:00:00Z";
        let same = record(&sub, "same", 1, at);
        let batch = vec![
            same.clone(),
            Usage { quantity: 2, ..same.clone() },
            record(&sub, "early", 1, "2027-01-01T00:00:00Z"),
            record(&sub, "late", 1, "2027-02-08T23:00:00Z"),
            record(&sub, "future", 1, "2027-02-10T00:06:00Z"),
            record(&sub, "none", 0, at),
            record(&sub, "much", 1_000_000_001, at),
            record(&sub, "", 1, at),
            record(&flat, "flat", 1, at),
        ];
        let counted = house.billing.count(&house.seller(), batch).await.unwrap();
        let codes: Vec<_> = counted.refused.iter().map(|refusal| (refusal.index, refusal.code)).collect();
        assert_eq!(counted.accepted, 1);
        assert_eq!(
            codes,
            [
                (1, "billing.usage_reused"),
                (2, "billing.usage_early"),
                (3, "billing.usage_late"),
                (4, "billing.usage_early"),
                (5, "billing.invalid"),
                (6, "billing.invalid"),
                (7, "billing.invalid"),
                (8, "billing.invalid"),
            ]
        );
        let foreign = house.billing.count(&house.ben(), vec![record(&sub, "x", 1, at)]).await.unwrap();
        assert_eq!(foreign.refused[0].code, "billing.missing", "who does not sell it does not count it");
        let many = vec![same.clone(); 1_001];
        assert!(matches!(house.billing.count(&house.seller(), many).await, Err(BillingError::Invalid(_))));
        assert!(house.billing.count(&house.seller(), vec![]).await.is_err());
        assert!(house.billing.count(&house.ada(), vec![same.clone()]).await.is_err());
        assert!(house.billing.count(&Caller::stranger(house.clock.now()), vec![same]).await.is_err());
        house.holds_together().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limit_is_told_once_in_a_period() {
    on_both(async |house| {
        let sub = by_use(&house).await;
        let manner = Manner { pay_by: None, limit_minor: Some(Some(1_000)) };
        house.billing.manage(&house.ada(), &sub.id, manner, Expected::Whatever).await.unwrap();
        house.until("2027-02-10T00:00:00Z");
        for (id, quantity, told) in [("1", 99, 0), ("2", 1, 1), ("3", 500, 1)] {
            let batch = vec![record(&sub, id, quantity, "2027-02-09T23:00:00Z")];
            house.billing.count(&house.seller(), batch).await.unwrap();
            let events = house.events("billing.threshold").await;
            assert_eq!(events.len(), told, "after {quantity} more");
            assert!(events.iter().all(|event| event.concerns("user-ada") && !event.concerns("user-seller")));
        }
        house.until("2027-02-28T10:32:00Z");
        house.settle_down().await;
        let batch = vec![record(&sub, "4", 100, "2027-02-28T10:32:30Z")];
        house.billing.count(&house.seller(), batch).await.unwrap();
        assert_eq!(house.events("billing.threshold").await.len(), 2, "once more in the next period");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_pays_what_was_used() {
    on_both(async |house| {
        let sub = by_use(&house).await;
        house.until("2027-02-10T00:00:00Z");
        house
            .billing
            .count(&house.seller(), vec![record(&sub, "1", 30, "2027-02-10T00:01:00Z")])
            .await
            .unwrap();
        let wish = Cancel { when: When::Now, refund: None };
        let request = Request::new(Key(None), "test", &());
        house.billing.cancel(&house.ada(), &sub.id, wish, Expected::Whatever, request, |_| 0).await.unwrap();
        house.settle_down().await;
        assert_eq!(house.find(&sub.id).await.state, State::Cancelled);
        let invoice = house.invoices(&sub).await.remove(0);
        assert_eq!((invoice.state, invoice.total()), (Standing::Paid, usd(300)));
        let late = record(&sub, "2", 30, "2027-02-10T00:01:00Z");
        let counted = house.billing.count(&house.seller(), vec![late]).await.unwrap();
        assert_eq!(counted.refused[0].code, "billing.wrong_state");
        house.holds_together().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_senders_of_the_same_records_while_the_period_is_billed() {
    on_both(async |house| {
        let sub = by_use(&house).await;
        house.until("2027-02-28T10:29:00Z");
        let other = house.beside();
        let send = async |n: i64| {
            let at = "2027-02-28T10:28:00Z";
            let batch =
                vec![record(&sub, &format!("{}", n % 5), 10, at), record(&sub, &format!("own-{n}"), 1, at)];
            loop {
                match house.billing.count(&house.seller(), batch.clone()).await {
                    Ok(counted) => break counted.accepted,
                    Err(BillingError::Store(_)) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        };
        let bill = async || {
            for _ in 0..10 {
                house.later(60);
                let _ = other.billing.sweep().await;
                tokio::task::yield_now().await;
            }
        };
        let (accepted, ()) = tokio::join!(join_all((0..20).map(send)), bill());
        assert_eq!(accepted.iter().sum::<usize>(), 25, "five that all send and twenty of their own");
        house.until("2027-03-31T10:40:00Z");
        house.settle_down().await;
        let billed: i64 = house.invoices(&sub).await.iter().map(|invoice| invoice.amounts.total).sum();
        assert_eq!(billed, (5 * 10 + 20) * 10, "every record is billed once");
        house.holds_together().await;
    })
    .await;
}
