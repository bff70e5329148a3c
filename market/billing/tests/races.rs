//! One invoice for a period and one charge for an invoice, whoever is faster and whenever somebody is killed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod house;

use std::time::Duration;

use billing::invoice::{Kind, Standing};
use billing::{BillingError, ChangePlan, State};
use futures_util::future::join_all;
use house::{DAY, House, account, migrations, monthly, usd};
use ledger::Account;
use payments::Source;
use store::testing::both;
use web::Expected;
use web::idempotency::{Key, Request};

async fn on_both(test: impl AsyncFn(House)) {
    both(&migrations(), async |store| test(House::on(store)).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_processes_renew_the_same_subscriptions() {
    on_both(async |house| {
        let (_, offers) = house.sells("hosting", vec![monthly("Pro", 1_900, 0)]).await;
        for _ in 0..4 {
            house.subscribed(&offers[0], "tok_visa").await;
        }
        house.until("2027-02-28T10:40:00Z");
        let processes: Vec<House> = (0..8).map(|_| house.beside()).collect();
        join_all(processes.iter().map(async |process| {
            for _ in 0..4 {
                let _ = process.billing.sweep().await;
                let _ = process.payments.sweep().await;
                tokio::task::yield_now().await;
            }
        }))
        .await;
        house.settle_down().await;
        for sub in house.mine(&house.ada()).await {
            assert_eq!((sub.state, sub.number), (State::Active, 2));
            let invoices = house.invoices(&sub).await;
            assert_eq!(invoices.len(), 1);
            assert_eq!((invoices[0].state, invoices[0].attempts), (Standing::Paid, 1));
        }
        assert_eq!(house.balance(Account::Seller(account("seller"))).await, 8 * 1_710);
        house.holds_together().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_buyer_pays_by_hand_while_it_is_charged() {
    on_both(async |house| {
        let (_, offers) = house.sells("hosting", vec![monthly("Pro", 1_900, 14)]).await;
        let sub = house.subscribed(&offers[0], "tok_chargeDeclined").await;
        house.later(14 * DAY);
        house.settle_down().await;
        let invoice = house.invoices(&sub).await.remove(0);
        house.saves(&house.ada(), "tok_visa").await;
        house.later(DAY);
        let by = house.ada();
        let pay = async |n: u32| {
            let source = Source::Token("tok_visa".to_owned());
            house.billing.pay(&by, &invoice.id, source, Some(format!("{n}"))).await.map(|_| ())
        };
        let charge = async || house.beside().billing.charge(&invoice.id).await.map(|_| ());
        let (by_hand, by_us) = tokio::join!(join_all((0..6).map(pay)), charge());
        for refused in by_hand.into_iter().chain([by_us]).filter_map(Result::err) {
            let is_fair = matches!(
                refused,
                BillingError::InFlight
                    | BillingError::NotOpen(_)
                    | BillingError::Changed
                    | BillingError::Store(_)
                    | BillingError::Payment(_)
            );
            assert!(is_fair, "{refused}");
        }
        house.settle_down().await;
        house.settle_down().await;
        assert_eq!(house.invoices(&sub).await[0].state, Standing::Paid);
        assert_eq!(house.find(&sub.id).await.state, State::Active);
        assert_eq!(house.balance(Account::Seller(account("seller"))).await, 1_710, "paid once");
        house.holds_together().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_changes_of_the_plan_at_once_are_one() {
    on_both(async |house| {
        let (_, offers) =
            house.sells("hosting", vec![monthly("Pro", 1_900, 0), monthly("Max", 4_900, 0)]).await;
        let sub = house.subscribed(&offers[0], "tok_visa").await;
        house.until("2027-02-14T10:30:10Z");
        let (by, any) = (house.ada(), || Expected::Whatever);
        let change = async |n: u32| {
            let wish = ChangePlan { offer: offers[1].clone(), when: None };
            let once = Request::new(Key(Some(format!("key-{n}"))), "test", &());
            house.billing.change_plan(&by, &sub.id, wish, any(), once).await.map(|_| ())
        };
        join_all((0..6).map(change)).await;
        house.settle_down().await;
        let paid: Vec<_> = house.invoices(&sub).await;
        let paid: Vec<_> =
            paid.iter().filter(|i| i.kind == Kind::Change && i.state == Standing::Paid).collect();
        assert_eq!(paid.len(), 1, "{paid:?}");
        assert_eq!(paid[0].total(), usd(1_500));
        house.holds_together().await;
    })
    .await;
}

/// Work is cut off at any point, as by a kill: what was written stays, what was not is done by the next process.
#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_point_every_period_is_billed_and_charged_once() {
    on_both(async |house| {
        let (_, offers) = house.sells("hosting", vec![monthly("Pro", 1_900, 0)]).await;
        for _ in 0..3 {
            house.subscribed(&offers[0], "tok_visa").await;
        }
        for month in 0..4_u64 {
            house.later(31 * DAY);
            for kill in 0..15_u64 {
                let process = house.beside();
                let work = async move {
                    loop {
                        let _ = process.billing.sweep().await;
                        let _ = process.payments.sweep().await;
                    }
                };
                // Times that differ from kill to kill, from before the first statement to after the last.
                let micros = (kill * 977 + month * 613) % 9_000;
                let _ = tokio::time::timeout(Duration::from_micros(micros), work).await;
            }
            house.later(3_700);
            house.settle_down().await;
            house.later(60);
            house.settle_down().await;
            house.holds_together().await;
        }
        let mut charged = 0;
        for sub in house.mine(&house.ada()).await {
            assert_eq!(sub.state, State::Active);
            let invoices = house.invoices(&sub).await;
            assert!(invoices.iter().all(|invoice| invoice.state == Standing::Paid), "{invoices:?}");
            charged += invoices.len();
        }
        assert!(charged >= 9, "there was something to bill: {charged}");
        let brought = house.balance(Account::Seller(account("seller"))).await;
        assert_eq!(brought, (3 + i64::try_from(charged).unwrap()) * 1_710, "every invoice was charged once");
    })
    .await;
}
