//! The life of orders, on both databases.
#![allow(clippy::unwrap_used, clippy::panic)]

mod market;

use catalog::{CatalogError, NewOffer, Stock, Want};
use identity::Role;
use kernel::Problem;
use ledger::Account;
use market::{Market, migrations, seller, usd};
use orders::{NewPromo, NewRefund, Off, OrderError, State, What};
use payments::{PaymentError, Purpose, Source};
use store::testing::both;
use web::Expected;

async fn on_both(test: impl AsyncFn(Market)) {
    both(&migrations(), async |store| test(Market::on(store)).await).await;
}

const CLEARING: Account = Account::Clearing("sandbox");

fn code_of(error: OrderError) -> String {
    Problem::from(error).code.into_owned()
}

#[tokio::test]
async fn an_order_is_held_paid_delivered_and_settled() {
    on_both(async |market| {
        let offer = market.tickets(10).await;
        let placed = market.order(&market.ada(), vec![Want::some(offer.clone(), 2)]).await.unwrap();
        let order = &placed.order;
        assert_eq!((order.state, order.version, order.amounts.total), (State::Pending, 1, 3_800));
        assert_eq!(order.hold.ends_at, market::START.after(std::time::Duration::from_secs(900)));
        assert_eq!(market.stock(&offer).await, (2, 0, Some(8)));
        assert!(!market.entitled("concert").await);
        let paid = market.pay(&order.id, "tok_visa").await.unwrap();
        assert_eq!(paid.payment.state, payments::State::Authorised);
        let now = market.find(&order.id).await.order;
        assert_eq!((now.state, now.version, now.payment), (State::Paid, 2, Some(paid.payment.id)));
        assert_eq!(market.stock(&offer).await, (0, 2, Some(8)));
        assert!(market.entitled("concert").await);
        assert_eq!(market.told(), ["reserve 2", "deliver 2"]);
        market.settle_down().await;
        assert_eq!(market.balance(CLEARING).await.0, 3_800);
        assert_eq!(market.balance(Account::Seller(seller())).await.0, 3_420);
        assert_eq!(market.balance(Account::PlatformFees).await.0, 380);
        let told = market.events("order.paid").await;
        assert_eq!((told.len(), told[0].version, &told[0].data()["status"]), (1, 2, &"paid".into()));
        assert!(
            told[0].concerns("user-ada") && told[0].concerns("user-seller") && !told[0].concerns("user-eve")
        );
        assert_eq!(market.events("charge.created").await.len(), 1);
        market.holds_together(&offer, 10).await;
    })
    .await;
}

#[tokio::test]
async fn all_of_a_cart_or_nothing() {
    on_both(async |market| {
        let (tickets, (seats, units)) = (market.tickets(1).await, market.seats(3).await);
        let want = |seat: usize| Want { offer: seats.clone(), quantity: 0, units: vec![units[seat].clone()] };
        market.order(&market.ada(), vec![want(0)]).await.unwrap();
        let both_of = vec![Want::some(tickets.clone(), 1), want(0)];
        let refused = market.order(&market.ada(), both_of).await;
        assert!(matches!(refused, Err(OrderError::Catalog(CatalogError::UnitTaken(_)))), "{refused:?}");
        assert_eq!(market.stock(&tickets).await, (0, 0, Some(1)), "what could be had was not taken either");
        let placed = market
            .order(&market.ada(), vec![Want::some(tickets.clone(), 1), want(1), want(2)])
            .await
            .unwrap();
        assert_eq!((placed.lines.len(), placed.order.amounts.total), (3, 11_900));
        assert_eq!(market.events("order.created").await.len(), 2);
        market.pay(&placed.order.id, "tok_visa").await.unwrap();
        market.holds_together(&seats, 3).await;
    })
    .await;
}

#[tokio::test]
async fn what_is_not_paid_in_time_is_back_on_sale() {
    on_both(async |market| {
        let offer = market.tickets(1).await;
        let placed = market.one(&offer).await;
        market.later(899);
        assert_eq!(market.orders.expire_due().await.unwrap(), 0);
        market.later(1);
        let late = market.pay(&placed.order.id, "tok_visa").await;
        assert!(
            matches!(late, Err(OrderError::HoldEnded)),
            "the deadline counts before the timer does: {late:?}"
        );
        assert_eq!(market.orders.expire_due().await.unwrap(), 1);
        assert_eq!(market.orders.expire_due().await.unwrap(), 0);
        assert_eq!(market.stock(&offer).await, (0, 0, Some(1)));
        assert_eq!(market.find(&placed.order.id).await.order.state, State::Expired);
        for kind in ["order.expired", "expiration.complete"] {
            let told = market.events(kind).await;
            assert_eq!((told.len(), told[0].version), (1, 2), "{kind}");
        }
        assert_eq!(market.told(), ["reserve 1", "release 1"]);
    })
    .await;
}

#[tokio::test]
async fn the_timer_ends_holds_by_itself_within_a_second() {
    both(&migrations(), async |store| {
        let market = Market::with(store, kernel::Clock::system());
        let short = NewOffer {
            hold_seconds: Some(1),
            ..NewOffer::one_off("Short", usd(100), Stock::Counted { capacity: 50 })
        };
        let offer = market.sells("short", short).await;
        let room = market.orders.clone();
        let timer = tokio::spawn(async move { room.run().await });
        let mut last = None;
        for _ in 0..50 {
            last = Some(market.one(&offer).await.order.hold.ends_at);
        }
        while market.stock(&offer).await.0 > 0 {
            assert!(
                market.clock.now().since(last.unwrap()).as_millis() < 1_000,
                "back on sale within a second"
            );
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        timer.abort();
    })
    .await;
}

#[tokio::test]
async fn more_time_once() {
    on_both(async |market| {
        let offer = market.tickets(1).await;
        let placed = market.one(&offer).await;
        let longer =
            market.orders.extend(&market.ada(), &placed.order.id, Expected::ByBody(1)).await.unwrap();
        assert_eq!(longer.order.hold.ends_at.since(placed.order.hold.ends_at).as_secs(), 300);
        assert_eq!(longer.order.version, 2);
        let stale = market.orders.extend(&market.ada(), &placed.order.id, Expected::ByBody(1)).await;
        assert!(matches!(stale, Err(OrderError::Stale(_))));
        let again = market.orders.extend(&market.ada(), &placed.order.id, Expected::Whatever).await;
        assert!(matches!(again, Err(OrderError::NoMoreTime)));
        market.later(1_000);
        assert_eq!(market.orders.expire_due().await.unwrap(), 0);
        assert_eq!(
            market.pay(&placed.order.id, "tok_visa").await.unwrap().payment.state,
            payments::State::Authorised
        );
    })
    .await;
}

#[tokio::test]
async fn given_up_is_back_on_sale_at_once() {
    on_both(async |market| {
        let offer = market.tickets(1).await;
        let placed = market.one(&offer).await;
        let id = &placed.order.id;
        let cancelled = market.orders.cancel(&market.ada(), id, Expected::Whatever).await.unwrap();
        assert_eq!((cancelled.order.state, cancelled.order.version), (State::Cancelled, 2));
        assert_eq!(market.stock(&offer).await, (0, 0, Some(1)));
        let again = market.orders.cancel(&market.ada(), id, Expected::Whatever).await.unwrap();
        assert_eq!(again.order.version, 2, "a second time changes nothing");
        assert_eq!(market.events("order.cancelled").await.len(), 1);
        let paying = market.pay(id, "tok_visa").await;
        assert!(matches!(paying, Err(OrderError::WrongState(State::Cancelled))));
    })
    .await;
}

#[tokio::test]
async fn nobody_else_touches_an_order() {
    on_both(async |market| {
        let offer = market.tickets(5).await;
        let id = market.one(&offer).await.order.id;
        let strangers = [
            market.person("eve", &[Role::User]),
            market.seller(),
            identity::Caller::stranger(market.clock.now()),
        ];
        for (by, is_stranger) in strangers.iter().zip([false, false, true]) {
            let whole = NewRefund { what: What::Whole, give_back: true, reason: String::new() };
            let tried = [
                market.orders.find(by, &id).await.map(|_| ()),
                market.orders.details(by, &id).await.map(|_| ()),
                market.orders.cancel(by, &id, Expected::Whatever).await.map(|_| ()),
                market.orders.extend(by, &id, Expected::Whatever).await.map(|_| ()),
                market.orders.locate(by, &id, "DE", "", Expected::Whatever).await.map(|_| ()),
                market.orders.pay(by, &id, Source::Wallet, None).await.map(|_| ()),
            ];
            for tried in tried {
                let wanted = if is_stranger { "identity.not_signed_in" } else { "orders.missing" };
                assert_eq!(code_of(tried.unwrap_err()), wanted);
            }
            if by.actor != market.seller().actor {
                assert!(market.orders.refund(by, &id, whole).await.is_err());
            }
            assert!(market.orders.rules(by).await.is_err());
        }
        let eve = market.person("eve", &[Role::User]);
        let paging = kernel::Paging::default();
        assert!(market.orders.promos(&eve, true, paging).await.is_err());
        let new = NewPromo {
            code: "EVE".into(),
            by_market: true,
            org: None,
            off: Off::Percent(1_000),
            valid_from: None,
            valid_until: None,
            max_uses: None,
            max_per_buyer: None,
        };
        assert!(market.orders.create_promo(&eve, new.clone()).await.is_err());
        assert!(
            market.orders.create_promo(&market.seller(), new).await.is_err(),
            "a seller does not spend the market's money"
        );
        assert_eq!(
            market
                .orders
                .list(&eve, orders::Side::Buyer, orders::Filter::default(), paging)
                .await
                .unwrap()
                .total,
            0
        );
        assert!(
            market
                .orders
                .list(&eve, orders::Side::Operator, orders::Filter::default(), paging)
                .await
                .is_err()
        );
        assert_eq!(market.find(&id).await.order.version, 1);
    })
    .await;
}

#[tokio::test]
async fn a_declined_card_leaves_the_order_payable() {
    on_both(async |market| {
        let offer = market.tickets(1).await;
        let id = market.one(&offer).await.order.id;
        let declined = market.pay(&id, "tok_chargeDeclined").await.unwrap().payment;
        assert_eq!(declined.state, payments::State::Failed);
        let order = market.find(&id).await.order;
        assert_eq!((order.state, order.payment), (State::Pending, None));
        market.pay(&id, "tok_visa").await.unwrap();
        assert_eq!(market.find(&id).await.order.state, State::Paid);
        market.settle_down().await;
        assert_eq!(market.balance(CLEARING).await.0, 1_900);
    })
    .await;
}

#[tokio::test]
async fn one_key_is_one_payment() {
    on_both(async |market| {
        let offer = market.tickets(2).await;
        let id = market.one(&offer).await.order.id;
        let visa = || Source::Token("tok_visa".to_owned());
        let key = || Some("key-1".to_owned());
        let first = market.orders.pay(&market.ada(), &id, visa(), key()).await.unwrap();
        market.later(1);
        let second = market.orders.pay(&market.ada(), &id, visa(), key()).await.unwrap();
        assert_eq!(first.payment.id, second.payment.id);
        assert!(!first.is_known && second.is_known);
        let fresh = market.orders.pay(&market.ada(), &id, visa(), Some("key-2".to_owned())).await;
        assert!(matches!(fresh, Err(OrderError::WrongState(State::Paid))), "{fresh:?}");
        let other = market.one(&offer).await.order.id;
        let reused = market.orders.pay(&market.ada(), &other, visa(), key()).await;
        assert!(matches!(reused, Err(OrderError::Payment(PaymentError::KeyReused))), "{reused:?}");
    })
    .await;
}

#[tokio::test]
async fn the_same_request_once_more_does_not_call_its_own_payment_off() {
    on_both(async |market| {
        let offer = market.tickets(1).await;
        let id = market.one(&offer).await.order.id;
        let card = || Source::Token("tok_threeDSecure2Required".to_owned());
        let key = || Some("key-1".to_owned());
        let first = market.orders.pay(&market.ada(), &id, card(), key()).await.unwrap().payment;
        assert!(first.state.is_open() && first.next_action.is_some(), "{first:?}");
        market.later(1);
        let again = market.orders.pay(&market.ada(), &id, card(), key()).await.unwrap();
        assert!(again.is_known && again.payment.id == first.id, "{again:?}");
        assert_eq!((again.payment.version, again.payment.failure), (first.version, None));
    })
    .await;
}

#[tokio::test]
async fn an_unknown_payment_blocks_a_second_until_the_bank_has_said() {
    on_both(async |market| {
        let offer = market.tickets(1).await;
        let id = market.one(&offer).await.order.id;
        let unknown = market.pay(&id, "tok_timeoutFound").await.unwrap().payment;
        assert_eq!(unknown.state, payments::State::Unknown);
        let second = market.pay(&id, "tok_visa").await;
        assert!(matches!(second, Err(OrderError::PaymentInFlight)), "nobody pays twice: {second:?}");
        market.settle_down().await;
        assert_eq!(market.find(&id).await.order.state, State::Paid, "the bank had accepted it");
        assert_eq!(market.balance(CLEARING).await.0, 1_900);
    })
    .await;
}

#[tokio::test]
async fn money_that_comes_late_buys_again_or_goes_back() {
    on_both(async |market| {
        let offer = market.tickets(1).await;
        let id = market.one(&offer).await.order.id;
        market.later(890);
        market.pay(&id, "tok_late").await.unwrap();
        market.later(11);
        market.orders.expire_due().await.unwrap();
        assert_eq!(market.stock(&offer).await, (0, 0, Some(1)));
        market.settle_down().await;
        let order = market.find(&id).await.order;
        assert!(matches!(order.state, State::Expired | State::Paid));
        market.holds_together(&offer, 1).await;
        if order.state == State::Expired {
            assert_eq!(market.balance(Account::Seller(seller())).await.0, 0, "nothing was kept");
            assert_eq!(market.balance(CLEARING).await.0, 0);
        }
    })
    .await;
}

#[tokio::test]
async fn a_success_after_the_end_claims_the_same_again_if_it_can_be_had() {
    on_both(async |market| {
        let (offer, units) = market.seats(1).await;
        let want = || vec![Want { offer: offer.clone(), quantity: 0, units: vec![units[0].clone()] }];
        let lost = market.order(&market.ada(), want()).await.unwrap().order.id;
        market.later(901);
        market.orders.expire_due().await.unwrap();
        // The purpose is told of a success as the payments tell it, when the bank took money after all.
        let told = late_success(&market, &lost).await;
        assert_eq!(told, payments::Verdict::Capture);
        let placed = market.find(&lost).await;
        assert_eq!((placed.order.state, placed.order.hold.state), (State::Paid, orders::HoldState::Consumed));
        market.holds_together(&offer, 1).await;
        let again = late_success(&market, &lost).await;
        assert!(matches!(again, payments::Verdict::GiveBack(_)), "it was paid before");
    })
    .await;
}

#[tokio::test]
async fn a_success_after_somebody_else_bought_it_goes_back() {
    on_both(async |market| {
        let (seats, units) = market.seats(2).await;
        let want = |n: usize| Want { offer: seats.clone(), quantity: 0, units: vec![units[n].clone()] };
        let lost = market.order(&market.ada(), vec![want(0), want(1)]).await.unwrap().order.id;
        market.later(901);
        market.orders.expire_due().await.unwrap();
        market.order(&market.person("bob", &[Role::User]), vec![want(1)]).await.unwrap();
        assert!(matches!(late_success(&market, &lost).await, payments::Verdict::GiveBack(_)));
        assert_eq!(market.stock(&seats).await, (1, 0, Some(1)), "the one that was free is free again");
        market.holds_together(&seats, 2).await;
        let given_up = market.order(&market.ada(), vec![want(0)]).await.unwrap().order.id;
        market.orders.cancel(&market.ada(), &given_up, Expected::Whatever).await.unwrap();
        assert!(matches!(late_success(&market, &given_up).await, payments::Verdict::GiveBack(_)));
    })
    .await;
}

/// A payment of this order succeeds although the order is over: begun for another order of the same buyer and told for
/// this one, as a bank does that forgot to cancel.
async fn late_success(market: &Market, id: &orders::OrderId) -> payments::Verdict {
    let (orders, id, now) = (market.orders.clone(), id.clone(), market.clock.now());
    let payments = market.payments.clone();
    let write = async move |tx: &mut store::Tx| {
        let new = payments::NewPayment {
            purpose: "order",
            subject: id.to_string(),
            payer: "user-ada".parse().unwrap(),
            amount: usd(5_000),
            source: Source::Token("tok_visa".to_owned()),
            key: None,
            description: String::new(),
        };
        let payment = payments.begin(tx, now, &new).await?;
        orders.purpose().authorised(tx, now, &payment).await
    };
    market.store.write::<_, _, PaymentError>(write).await.unwrap()
}
