//! What must hold whoever is faster, on both databases: many buyers, few tickets, everything at once.
#![allow(clippy::unwrap_used, clippy::panic)]

mod market;

use catalog::Want;
use futures_util::future::join_all;
use identity::Role;
use ledger::Account;
use market::{Market, migrations, seller, usd};
use orders::{NewOrder, NewPromo, NewRefund, Off, OrderError, State, What};
use payments::Source;
use store::testing::both;
use web::Expected;

async fn on_both(test: impl AsyncFn(Market)) {
    both(&migrations(), async |store| test(Market::on(store)).await).await;
}

/// A database that lost too many races says so; whoever asked asks again.
async fn insist<T>(work: impl AsyncFn() -> Result<T, OrderError>) -> Result<T, OrderError> {
    for _ in 0..50 {
        match work().await {
            Err(
                OrderError::Store(store::StoreError::Busy)
                | OrderError::Catalog(catalog::CatalogError::Store(store::StoreError::Busy))
                | OrderError::Payment(payments::PaymentError::Store(store::StoreError::Busy)),
            ) => tokio::task::yield_now().await,
            other => return other,
        }
    }
    Err(OrderError::Store(store::StoreError::Busy))
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_buyers_ten_tickets() {
    on_both(async |market| {
        let offer = market.tickets(10).await;
        let buy = async |n: usize| {
            let by = market.person(&format!("buyer{n}"), &[Role::User]);
            let want = || vec![Want::some(offer.clone(), 1)];
            let placed = insist(async || market.order(&by, want()).await).await.ok()?;
            let id = &placed.order.id;
            match n % 3 {
                0 => insist(async || market.orders.cancel(&by, id, Expected::Whatever).await)
                    .await
                    .map(|_| ())
                    .unwrap(),
                _ => {
                    let visa = || Source::Token("tok_visa".to_owned());
                    insist(async || market.orders.pay(&by, id, visa(), None).await)
                        .await
                        .map(|_| ())
                        .unwrap();
                }
            }
            Some(())
        };
        join_all((0..60).map(buy)).await;
        market.holds_together(&offer, 10).await;
        market.settle_down().await;
        market.holds_together(&offer, 10).await;
        let (_, sold, _) = market.stock(&offer).await;
        assert!(sold > 0 && sold <= 10);
        assert_eq!(market.balance(Account::Clearing("sandbox")).await.0, i64::from(sold) * 1_900);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_seat_has_one_owner() {
    on_both(async |market| {
        let (seats, units) = market.seats(3).await;
        let buy = async |n: usize| {
            let by = market.person(&format!("buyer{n}"), &[Role::User]);
            // Two seats each, in either order: nobody may get half of what was wanted, or wait for each other.
            let mut wanted = vec![units[n % 3].clone(), units[(n + 1) % 3].clone()];
            if n.is_multiple_of(2) {
                wanted.reverse();
            }
            let want = || vec![Want { offer: seats.clone(), quantity: 0, units: wanted.clone() }];
            let Ok(placed) = insist(async || market.order(&by, want()).await).await else { return 0 };
            let visa = || Source::Token("tok_visa".to_owned());
            insist(async || market.orders.pay(&by, &placed.order.id, visa(), None).await).await.unwrap();
            1
        };
        let owners: usize = join_all((0..24).map(buy)).await.into_iter().sum();
        assert_eq!(owners, 1, "three seats are one pair");
        assert_eq!(market.stock(&seats).await, (0, 2, Some(1)));
        market.holds_together(&seats, 3).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pay_cancel_and_the_deadline_at_the_same_instant() {
    on_both(async |market| {
        let offer = market.tickets(30).await;
        let mut ids = Vec::new();
        for _ in 0..30 {
            ids.push(market.one(&offer).await.order.id);
        }
        // The payment is begun in the last microsecond in which it may, and the answer comes after the end.
        market.later(899);
        market.clock.advance(std::time::Duration::from_micros(999_999));
        let in_time = market.ada();
        market.clock.advance(std::time::Duration::from_micros(1));
        let pay = |n: usize| {
            let (market, by, id) = (market.clone(), in_time.clone(), ids[n].clone());
            async move {
                let visa = || Source::Token("tok_visa".to_owned());
                let _ = insist(async || market.orders.pay(&by, &id, visa(), None).await).await;
            }
        };
        let cancel = |n: usize| {
            let (market, by, id) = (market.clone(), in_time.clone(), ids[n].clone());
            async move {
                let _ = insist(async || market.orders.cancel(&by, &id, Expected::Whatever).await).await;
            }
        };
        let expire = || {
            let market = market.clone();
            async move { while insist(async || market.orders.expire_due().await).await.unwrap_or(1) > 0 {} }
        };
        tokio::join!(
            join_all((0..30).map(pay)),
            join_all((0..30).filter(|n| n % 3 == 0).map(cancel)),
            expire(),
            expire()
        );
        market.holds_together(&offer, 30).await;
        market.settle_down().await;
        market.orders.expire_due().await.unwrap();
        market.holds_together(&offer, 30).await;
        let all = market.all_orders().await;
        assert!(all.iter().all(|placed| placed.order.state != State::Pending));
        let paid = all.iter().filter(|placed| placed.order.state == State::Paid).count();
        let brought = i64::try_from(paid).unwrap() * 1_900;
        assert_eq!(
            market.balance(Account::Clearing("sandbox")).await.0,
            brought,
            "money only for what is delivered"
        );
        assert_eq!(market.balance(Account::RefundReserve).await.0, 0);
        for (kind, wanted) in [("order.paid", paid), ("order.created", 30), ("charge.created", paid)] {
            assert_eq!(market.events(kind).await.len(), wanted, "{kind}");
        }
        let ends = market.events("order.expired").await.len() + market.events("order.cancelled").await.len();
        assert!(ends + paid >= 30, "each order ended");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_pays_at_once_take_money_once() {
    on_both(async |market| {
        let offer = market.tickets(1).await;
        let id = market.one(&offer).await.order.id;
        market.fill_wallet(10_000).await;
        let pay = async |n: usize| {
            let source =
                || if n.is_multiple_of(2) { Source::Token("tok_visa".to_owned()) } else { Source::Wallet };
            insist(async || market.orders.pay(&market.ada(), &id, source(), Some(format!("key-{n}"))).await)
                .await
        };
        let answers = join_all((0..12).map(pay)).await;
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
        market.settle_down().await;
        let wallet = market.balance(Account::Wallet("user-ada".parse().unwrap())).await.0;
        let clearing = market.balance(Account::Clearing("sandbox")).await.0;
        assert_eq!(clearing - wallet, 1_900, "paid once");
        assert_eq!(market.balance(Account::Seller(seller())).await.0, 1_710);
        market.holds_together(&offer, 1).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_key_at_once_is_one_payment() {
    on_both(async |market| {
        let offer = market.tickets(1).await;
        let id = market.one(&offer).await.order.id;
        let pay = async |_| {
            let visa = || Source::Token("tok_visa".to_owned());
            insist(async || market.orders.pay(&market.ada(), &id, visa(), Some("same".to_owned())).await)
                .await
        };
        let answers = join_all((0..8).map(pay)).await;
        let mut payments: Vec<_> = answers.iter().flatten().map(|paid| paid.payment.id.clone()).collect();
        payments.dedup();
        assert_eq!(payments.len(), 1);
        let refused = answers.iter().filter_map(|answer| answer.as_ref().err());
        assert!(refused.into_iter().all(|error| matches!(error, OrderError::PaymentInFlight)));
        market.settle_down().await;
        assert_eq!(market.balance(Account::Clearing("sandbox")).await.0, 1_900);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refunds_at_once_never_exceed_what_was_paid() {
    on_both(async |market| {
        let offer = market.tickets(2).await;
        let placed = market.paid(&offer, 2).await;
        let refund = async |n: i64| {
            let new = NewRefund { what: What::Amount(1_000 + n), give_back: false, reason: String::new() };
            insist(async || market.orders.refund(&market.seller(), &placed.order.id, new.clone()).await)
                .await
                .is_ok()
        };
        let done = join_all((0..10).map(refund)).await.into_iter().filter(|done| *done).count();
        assert_eq!(done, 3, "3,800 holds three of about 1,000");
        market.settle_down().await;
        let order = market.find(&placed.order.id).await.order;
        assert_eq!((order.state, order.refunding_minor), (State::PartiallyRefunded, 0));
        assert_eq!(market.balance(Account::Clearing("sandbox")).await.0, 3_800 - order.refunded_minor);
        market.holds_together(&offer, 2).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_used_as_often_as_it_may() {
    on_both(async |market| {
        let offer = market.tickets(40).await;
        let new = NewPromo {
            code: "FIVE".into(),
            by_market: false,
            org: None,
            off: Off::Amount(usd(100)),
            valid_from: None,
            valid_until: None,
            max_uses: Some(5),
            max_per_buyer: Some(2),
        };
        market.orders.create_promo(&market.seller(), new).await.unwrap();
        let buy = async |n: usize| {
            let by = market.person(&format!("buyer{}", n % 2), &[Role::User]);
            let new = || NewOrder {
                items: vec![Want::some(offer.clone(), 1)],
                promo: Some("FIVE".to_owned()),
                ..NewOrder::default()
            };
            let place = async || market.orders.place(&by, new()).await;
            insist(place).await.is_ok().then_some(n % 2)
        };
        let used: Vec<usize> = join_all((0..20).map(buy)).await.into_iter().flatten().collect();
        assert_eq!(used.len(), 4, "two buyers, two each");
        assert_eq!(market.stock(&offer).await.0, 4, "who was refused holds nothing");
        market.holds_together(&offer, 40).await;
    })
    .await;
}
