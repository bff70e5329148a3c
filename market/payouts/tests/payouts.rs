//! What is promised about payouts, on SQLite and on PostgreSQL.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod market;

use std::time::Duration;

use identity::{Caller, Operator};
use kernel::{Currency, Paging};
use market::{Does, Market, NOW, WEEK, migrations, usd};
use payouts::{Every, PayoutError, State};
use store::testing;
use web::Expected;

#[tokio::test]
async fn only_what_has_matured_is_paid_out() {
    testing::both(&migrations(), async |store| {
        let market = Market::on(store);
        market.sell("1", 10_000).await;
        let balance = market.balance().await;
        assert_eq!((balance.pending, balance.available), (usd(10_000), usd(0)));
        assert!(matches!(market.request(None, None).await, Err(PayoutError::Nothing(_))));

        market.clock.advance(WEEK);
        market.sell("2", 3_000).await;
        let balance = market.balance().await;
        assert_eq!((balance.pending, balance.available), (usd(3_000), usd(10_000)));
        assert!(matches!(market.request(Some(10_001), None).await, Err(PayoutError::TooMuch { .. })));
        assert!(matches!(market.request(Some(499), None).await, Err(PayoutError::TooLittle { .. })));

        let id = market.request(None, None).await.unwrap();
        let balance = market.balance().await;
        assert_eq!((balance.available, balance.in_transit), (usd(0), usd(10_000)));
        let paid = market.payouts.submit(&id).await.unwrap();
        assert_eq!((paid.state, paid.amount), (State::Paid, usd(10_000)));
        let balance = market.balance().await;
        assert_eq!((balance.pending, balance.available, balance.in_transit), (usd(3_000), usd(0), usd(0)));
        assert_eq!(market.bank.total(), 10_000);
        assert_eq!(market.events().await, ["payout.paid"]);
        market.check().await;
    })
    .await;
}

#[tokio::test]
async fn requests_at_once_never_pay_twice() {
    testing::both(&migrations(), async |store| {
        let market = Market::on(store);
        market.sell("1", 10_000).await;
        market.clock.advance(WEEK);
        market.balance().await;
        let all = (0..8).map(|_| market.request(Some(8_000), None));
        let outcomes = futures_util::future::join_all(all).await;
        let done: Vec<_> = outcomes.iter().filter_map(|outcome| outcome.as_ref().ok()).collect();
        assert_eq!(done.len(), 1, "{outcomes:?}");
        // Whoever submits it at the same time, the bank pays it once.
        let submits = (0..4).map(|_| market.payouts.submit(done[0]));
        futures_util::future::join_all(submits).await;
        market.payouts.sweep().await.unwrap();
        assert_eq!((market.bank.total(), market.find(done[0]).await.state), (8_000, State::Paid));
        // What is left can be asked for; more cannot.
        assert!(matches!(market.request(Some(2_001), None).await, Err(PayoutError::TooMuch { .. })));
        let rest = market.request(None, None).await.unwrap();
        market.payouts.submit(&rest).await.unwrap();
        assert_eq!(market.bank.total(), 10_000);
        market.check().await;
    })
    .await;
}

#[tokio::test]
async fn the_same_key_asks_once() {
    testing::both(&migrations(), async |store| {
        let market = Market::on(store);
        market.sell("1", 10_000).await;
        market.clock.advance(WEEK);
        let first = market.request(Some(1_000), Some("k")).await.unwrap();
        market.payouts.submit(&first).await.unwrap();
        assert_eq!(market.request(Some(1_000), Some("k")).await.unwrap(), first);
        assert!(matches!(market.request(Some(2_000), Some("k")).await, Err(PayoutError::Reused(_))));
        assert_eq!(market.balance().await.available, usd(9_000));
    })
    .await;
}

/// The process dies after the gateway was asked and before its answer was written down.
#[tokio::test]
async fn a_kill_before_the_answer_pays_once() {
    testing::both(&migrations(), async |store| {
        let market = Market::on(store);
        market.sell("1", 10_000).await;
        market.clock.advance(WEEK);
        let id = market.request(None, None).await.unwrap();
        market.bank.will(&[Does::PayAndKill]);
        let killed = tokio::time::timeout(Duration::from_millis(300), market.payouts.submit(&id)).await;
        assert!(killed.is_err(), "the call must not come back");
        assert_eq!(market.find(&id).await.state, State::Submitted);
        assert_eq!((market.bank.total(), market.balance().await.in_transit), (10_000, usd(10_000)));
        // Nothing is due yet; then it is asked for with the same key.
        assert_eq!(market.payouts.sweep().await.unwrap(), 0);
        market.clock.advance(Duration::from_secs(60));
        assert_eq!(market.payouts.sweep().await.unwrap(), 1);
        assert_eq!((market.bank.total(), market.find(&id).await.state), (10_000, State::Paid));
        market.check().await;
    })
    .await;
}

/// The process dies after the request was written down and before any gateway was asked.
#[tokio::test]
async fn a_kill_before_the_question_is_taken_up() {
    testing::both(&migrations(), async |store| {
        let market = Market::on(store);
        market.sell("1", 10_000).await;
        market.clock.advance(WEEK);
        let id = market.request(None, None).await.unwrap();
        assert_eq!(market.payouts.sweep().await.unwrap(), 1);
        assert_eq!((market.bank.total(), market.find(&id).await.state), (10_000, State::Paid));
    })
    .await;
}

#[tokio::test]
async fn what_is_not_answered_is_unknown_and_asked_again() {
    testing::both(&migrations(), async |store| {
        let market = Market::on(store);
        market.sell("1", 10_000).await;
        market.clock.advance(WEEK);
        let id = market.request(None, None).await.unwrap();
        market.bank.will(&[Does::Nothing, Does::PayInSilence, Does::Pay]);
        assert_eq!(market.payouts.submit(&id).await.unwrap().state, State::Unknown);
        // Unknown money is not available, and no second payout begins.
        assert_eq!(market.balance().await.available, usd(0));
        market.sell("2", 6_000).await;
        market.clock.advance(WEEK);
        assert!(matches!(market.request(Some(6_000), None).await, Err(PayoutError::UnderWay(_))));
        market.payouts.sweep().await.unwrap();
        assert_eq!(market.find(&id).await.state, State::Unknown);
        market.clock.advance(Duration::from_secs(3600));
        market.payouts.sweep().await.unwrap();
        let paid = market.find(&id).await;
        assert_eq!((paid.state, paid.attempts, market.bank.total()), (State::Paid, 3, 10_000));
        assert_eq!(market.events().await, ["payout.paid"]);
        market.check().await;
    })
    .await;
}

#[tokio::test]
async fn what_is_refused_is_available_again() {
    testing::both(&migrations(), async |store| {
        let market = Market::on(store);
        market.sell("1", 10_000).await;
        market.clock.advance(WEEK);
        let id = market.request(Some(4_000), None).await.unwrap();
        market.bank.will(&[Does::Refuse]);
        let failed = market.payouts.submit(&id).await.unwrap();
        assert_eq!(failed.state, State::Failed);
        assert_eq!(failed.failure.unwrap().0, "account_closed");
        assert_eq!((market.balance().await.available, market.bank.total()), (usd(10_000), 0));
        assert_eq!(market.events().await, ["payout.failed"]);
        // It has ended: nobody asks again.
        market.clock.advance(WEEK);
        assert_eq!(market.payouts.sweep().await.unwrap(), 0);
        assert_eq!(market.payouts.submit(&id).await.unwrap().state, State::Failed);
        market.check().await;
    })
    .await;
}

#[tokio::test]
async fn a_refund_after_the_payout_is_a_debt_that_the_next_sales_pay_off() {
    testing::both(&migrations(), async |store| {
        let market = Market::on(store);
        market.sell("1", 10_000).await;
        market.clock.advance(WEEK);
        let id = market.request(None, None).await.unwrap();
        market.payouts.submit(&id).await.unwrap();
        market.refund("1", 4_000).await;
        let balance = market.balance().await;
        assert_eq!((balance.debt, balance.available), (usd(4_000), usd(0)));
        assert!(matches!(market.request(None, None).await, Err(PayoutError::Nothing(_))));
        market.sell("2", 5_000).await;
        assert_eq!(market.balance().await.debt, usd(4_000));
        market.clock.advance(WEEK);
        let balance = market.balance().await;
        assert_eq!((balance.debt, balance.available), (usd(0), usd(1_000)));
        let id = market.request(None, None).await.unwrap();
        market.payouts.submit(&id).await.unwrap();
        assert_eq!(market.bank.total(), 11_000);
        market.check().await;
    })
    .await;
}

#[tokio::test]
async fn schedules_pay_out_by_themselves_once() {
    testing::both(&migrations(), async |store| {
        let market = Market::on(store);
        market.sell("1", 10_000).await;
        let ada = market.ada();
        let set = market.payouts.set_schedule(&ada, None, Every::Daily, 150, Expected::default()).await;
        let set = set.unwrap();
        assert_eq!((set.version, set.next_at), (1, Every::Daily.next(NOW)));
        market.clock.advance(WEEK);
        // 100 dollars have matured; the seller wants at least 150.
        market.payouts.sweep().await.unwrap();
        assert_eq!(market.bank.total(), 0);
        market.sell("2", 6_000).await;
        market.clock.advance(WEEK);
        tokio::join!(async { market.payouts.sweep().await.unwrap() }, async {
            market.payouts.sweep().await.unwrap()
        });
        market.clock.advance(Duration::from_secs(60));
        market.payouts.sweep().await.unwrap();
        assert_eq!(market.bank.total(), 16_000);
        let list = market.payouts.list(&ada, None, Paging::default()).await.unwrap();
        assert_eq!((list.total, list.items[0].requested_by.clone()), (1, None));
        let next = market.payouts.schedule(&ada, None).await.unwrap().next_at.unwrap();
        assert!(next > market.clock.now());
        market.check().await;
    })
    .await;
}

#[tokio::test]
async fn a_seller_connects_before_money_can_leave() {
    testing::both(&migrations(), async |store| {
        let market = Market::with(store, "stripe", false);
        market.sell("1", 10_000).await;
        market.clock.advance(WEEK);
        assert!(matches!(market.request(None, None).await, Err(PayoutError::NotConnected)));
        let link = market.payouts.connect(&market.ada(), None).await.unwrap();
        assert!(link.contains("acct-user-ada") && link.contains("/sell/payouts/account"), "{link}");
        assert!(matches!(market.request(None, None).await, Err(PayoutError::NotReady)));
        *market.bank.ready.lock().unwrap() = true;
        let account = market.payouts.refresh_account(&market.ada(), None).await.unwrap().unwrap();
        assert!(account.ready && account.missing.is_empty());
        let id = market.request(None, None).await.unwrap();
        assert_eq!(market.payouts.submit(&id).await.unwrap().state, State::Paid);
    })
    .await;
}

#[tokio::test]
async fn strangers_and_others_see_and_move_nothing() {
    testing::both(&migrations(), async |store| {
        let market = Market::on(store);
        market.sell("1", 10_000).await;
        market.clock.advance(WEEK);
        let id = market.request(None, None).await.unwrap();
        let (stranger, bob) = (Caller::stranger(NOW), market.person("bob"));
        assert!(matches!(market.payouts.overview(&stranger, None).await, Err(PayoutError::Identity(_))));
        assert!(matches!(market.payouts.find(&stranger, &id).await, Err(PayoutError::Identity(_))));
        assert!(matches!(market.payouts.find(&bob, &id).await, Err(PayoutError::NotFound)));
        assert!(market.payouts.overview(&bob, None).await.unwrap().balances.is_empty());
        for org in ["acme", "ada"] {
            assert!(matches!(market.payouts.overview(&bob, Some(org)).await, Err(PayoutError::Identity(_))));
            let set =
                market.payouts.set_schedule(&bob, Some(org), Every::Daily, 0, Expected::default()).await;
            assert!(matches!(set, Err(PayoutError::Identity(_))));
            assert!(matches!(market.payouts.connect(&bob, Some(org)).await, Err(PayoutError::Identity(_))));
        }
        assert!(Operator::of(bob).is_err());
        let operator = Operator::of(Caller::system(NOW)).unwrap();
        let all = market.payouts.all(&operator, Some(State::Requested), Paging::default()).await.unwrap();
        assert_eq!((all.total, all.items[0].id.clone()), (1, id));
    })
    .await;
}

#[tokio::test]
async fn the_statement_tells_what_moved_and_what_is_reserved() {
    testing::both(&migrations(), async |store| {
        let market = Market::on(store);
        market.sell("1", 10_000).await;
        market.clock.advance(WEEK);
        market.sell("2", 500).await;
        let lines = async || {
            let page = market.payouts.statement(&market.ada(), None, Currency::USD, Paging::default()).await;
            let page = page.unwrap();
            assert_eq!(page.total, page.items.len() as u64);
            let now = market.clock.now();
            page.items.iter().map(|line| (line.amount.minor, line.state(now))).collect::<Vec<_>>()
        };
        assert_eq!(lines().await, [(500, "pending"), (10_000, "settled")]);
        let id = market.request(None, None).await.unwrap();
        assert_eq!(lines().await, [(-10_000, "reserved"), (500, "pending"), (10_000, "settled")]);
        market.payouts.submit(&id).await.unwrap();
        assert_eq!(lines().await, [(-10_000, "settled"), (500, "pending"), (10_000, "settled")]);
        let csv = market.payouts.export(&market.ada(), None, Currency::USD).unwrap();
        let bytes = http_body_util::BodyExt::collect(csv.into_body()).await.unwrap().to_bytes();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        assert_eq!(text.lines().count(), 4, "{text}");
        assert!(text.lines().nth(1).unwrap().contains(",payout,-100.00,USD,settled,,payout-"), "{text}");
    })
    .await;
}
