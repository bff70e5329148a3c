//! A plan of which there are so many: a place is taken as long as somebody has it, and is back on sale once.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod house;

use billing::{Cancel, ChangePlan, State, Subscription, When};
use catalog::{NewOffer, OfferId, Stock, listing};
use futures_util::future::join_all;
use house::{DAY, House, migrations, monthly};
use orders::{NewRefund, What};
use payments::Source;
use store::Tx;
use store::testing::both;
use web::Expected;
use web::idempotency::{Key, Request};

async fn on_both(test: impl AsyncFn(House)) {
    both(&migrations(), async |store| test(House::on(store)).await).await;
}

fn places(name: &str, minor: i64, trial_days: u32, capacity: u32) -> NewOffer {
    NewOffer { stock: Stock::Counted { capacity }, ..monthly(name, minor, trial_days) }
}

/// How many are held and sold.
async fn taken(house: &House, offer: &OfferId) -> (u32, u32) {
    let offer = offer.clone();
    let look = async move |tx: &mut Tx| listing::find_offer(tx, &offer).await;
    let offer = house.store.read(look).await.unwrap();
    (offer.held, offer.sold)
}

async fn leaves(house: &House, sub: &Subscription, when: When) {
    let once = Request::new(Key(None), "test", &());
    let wish = Cancel { when, refund: None };
    house.billing.cancel(&house.ada(), &sub.id, wish, Expected::Whatever, once, |_| ()).await.unwrap();
}

fn refund(give_back: bool) -> NewRefund {
    NewRefund { what: What::Whole, give_back, reason: String::new() }
}

async fn refunds(house: &House, sub: &Subscription, give_back: bool) {
    house.orders.refund(&house.seller(), &sub.order, refund(give_back)).await.unwrap();
    house.settle_down().await;
}

#[tokio::test]
async fn a_place_is_free_when_the_subscription_is_over_and_not_before() {
    on_both(async |house| {
        let (_, offers) = house.sells("parking", vec![places("Place", 1_900, 0, 1)]).await;
        let sub = house.subscribed(&offers[0], "tok_visa").await;
        leaves(&house, &sub, When::PeriodEnd).await;
        house.settle_down().await;
        assert_eq!(taken(&house, &offers[0]).await, (0, 1), "it is paid for until the end of the period");
        house.until("2027-02-28T10:31:00Z");
        house.settle_down().await;
        assert_eq!(house.find(&sub.id).await.state, State::Cancelled);
        assert_eq!(taken(&house, &offers[0]).await, (0, 0));
        let next = house.subscribed(&offers[0], "tok_visa").await;
        assert_eq!(taken(&house, &offers[0]).await, (0, 1));
        leaves(&house, &next, When::Now).await;
        assert_eq!(taken(&house, &offers[0]).await, (0, 0));
    })
    .await;
}

#[tokio::test]
async fn a_place_that_nobody_pays_for_is_free_after_the_grace() {
    on_both(async |house| {
        let (_, offers) = house.sells("parking", vec![places("Place", 1_900, 14, 1)]).await;
        let sub = house.subscribed(&offers[0], "tok_chargeDeclined").await;
        for day in 0..30 {
            house.later(DAY);
            house.settle_down().await;
            let is_live = house.find(&sub.id).await.state.is_live();
            assert_eq!(taken(&house, &offers[0]).await, (0, u32::from(is_live)), "day {day}");
        }
        assert_eq!(house.find(&sub.id).await.state, State::Ended);
    })
    .await;
}

#[tokio::test]
async fn a_refund_before_or_after_the_end_gives_a_place_back_once() {
    on_both(async |house| {
        let (_, offers) = house.sells("parking", vec![places("Place", 1_900, 0, 5)]).await;
        let stays = house.subscribed(&offers[0], "tok_visa").await;
        let after = house.subscribed(&offers[0], "tok_visa").await;
        leaves(&house, &after, When::Now).await;
        assert_eq!(taken(&house, &offers[0]).await, (0, 1));
        refunds(&house, &after, true).await;
        assert_eq!(taken(&house, &offers[0]).await, (0, 1), "it was on sale again");
        let before = house.subscribed(&offers[0], "tok_visa").await;
        refunds(&house, &before, true).await;
        assert_eq!(house.find(&before.id).await.state, State::Ended);
        assert_eq!(taken(&house, &offers[0]).await, (0, 1));
        let kept = house.subscribed(&offers[0], "tok_visa").await;
        refunds(&house, &kept, false).await;
        assert_eq!(taken(&house, &offers[0]).await, (0, 2), "whoever refunds may keep it off sale");
        assert_eq!(house.find(&stays.id).await.state, State::Active);
        let disputed = house.subscribed(&offers[0], "tok_createDispute").await;
        house.later(3_600);
        house.settle_down().await;
        house.later(3_600);
        house.settle_down().await;
        assert_eq!(house.find(&disputed.id).await.state, State::Ended);
        assert_eq!(taken(&house, &offers[0]).await, (0, 2), "what the bank took back is free");
    })
    .await;
}

#[tokio::test]
async fn who_changes_to_another_plan_frees_the_place() {
    on_both(async |house| {
        let plans = vec![places("Founder", 1_900, 0, 1), monthly("Max", 4_900, 0), monthly("Basic", 900, 0)];
        let (_, offers) = house.sells("hosting", plans).await;
        for (index, cheaper) in [(1, false), (2, true)] {
            let sub = house.subscribed(&offers[0], "tok_visa").await;
            let wish = ChangePlan { offer: offers[index].clone(), when: None };
            let once = Request::new(Key(None), "test", &());
            house.billing.change_plan(&house.ada(), &sub.id, wish, Expected::Whatever, once).await.unwrap();
            house.settle_down().await;
            assert_eq!(
                taken(&house, &offers[0]).await,
                (0, u32::from(cheaper)),
                "a cheaper plan comes later"
            );
            house.later(31 * DAY);
            house.settle_down().await;
            assert_eq!(house.find(&sub.id).await.plan.offer, offers[index]);
            assert_eq!(taken(&house, &offers[0]).await, (0, 0));
            leaves(&house, &sub, When::Now).await;
            assert_eq!(taken(&house, &offers[0]).await, (0, 0));
        }
    })
    .await;
}

/// Several processes end the same subscriptions while their seller refunds and others order: never are more places
/// taken than there are, and in the end each is taken by who has it.
#[tokio::test(flavor = "multi_thread")]
async fn ends_refunds_and_orders_at_once_lose_and_make_no_place() {
    on_both(async |house| {
        let (_, offers) = house.sells("parking", vec![places("Place", 1_900, 0, 4)]).await;
        let mut subs = Vec::new();
        for _ in 0..4 {
            let sub = house.subscribed(&offers[0], "tok_visa").await;
            leaves(&house, &sub, When::PeriodEnd).await;
            subs.push(sub);
        }
        assert_eq!(taken(&house, &offers[0]).await, (0, 4));
        house.until("2027-02-28T11:00:00Z");
        let processes: Vec<House> = (0..4).map(|_| house.beside()).collect();
        let ends = join_all(processes.iter().map(async |process| {
            for _ in 0..4 {
                let _ = process.billing.sweep().await;
                tokio::task::yield_now().await;
            }
        }));
        let refunds = join_all(subs.iter().take(2).map(async |sub| {
            let _ = house.beside().orders.refund(&house.seller(), &sub.order, refund(true)).await;
        }));
        let buys = join_all((0..3).map(async |_| {
            let process = house.beside();
            for _ in 0..20 {
                let items = vec![catalog::Want::some(offers[0].clone(), 1)];
                let new = orders::NewOrder { items, ..orders::NewOrder::default() };
                if let Ok(placed) = process.orders.place(&house.ben(), new).await {
                    let visa = Source::Token("tok_visa".to_owned());
                    return process.orders.pay(&house.ben(), &placed.order.id, visa, None).await.is_ok();
                }
                tokio::task::yield_now().await;
            }
            false
        }));
        let (_, _, bought) = tokio::join!(ends, refunds, buys);
        house.settle_down().await;
        house.settle_down().await;
        assert!(house.mine(&house.ada()).await.iter().all(|sub| !sub.state.is_live()));
        let live = house.mine(&house.ben()).await.iter().filter(|sub| sub.state.is_live()).count();
        assert_eq!(live, bought.iter().filter(|bought| **bought).count());
        assert_eq!(taken(&house, &offers[0]).await, (0, u32::try_from(live).unwrap()));
        house.holds_together().await;
    })
    .await;
}
