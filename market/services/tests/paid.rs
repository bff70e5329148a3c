//! Plans with a price: bought, carried, lapsed, gone, on both databases.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bank;
mod market;

use std::time::Duration;

use bank::{Bank, metered, paid};
use kernel::{Paging, Problem};
use market::{code, request, wanted};
use payments::Source;
use services::{Change, NewDeployment, Scaled, ServiceError, Status, ToPay, Wanted};
use web::Expected;
use web::idempotency::{Key, Request};

async fn both(test: impl AsyncFn(Bank)) {
    store::testing::both(&bank::migrations(), async |store| test(Bank::on(store).await).await).await;
}

fn to_pay(error: ServiceError) -> ToPay {
    match error {
        ServiceError::ToPay(to_pay) => *to_pay,
        error => panic!("{error:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_bought_is_deployed_once_it_is_paid() {
    both(async |bank| {
        let (ada, new) = (bank.person("ada"), paid("one"));
        let keyed = || Request::new(Key(Some("k".into())), "ada", &new);
        let deploy = || bank.services.deploy(&ada, new.clone(), keyed());
        let first = to_pay(deploy().await.unwrap_err());
        let again = to_pay(deploy().await.unwrap_err());
        assert_eq!((&first.order, first.total.minor), (&again.order, 1900), "asked twice, it is one order");
        assert_eq!(bank.services.list(&ada, None, Paging::default()).await.unwrap().total, 0);
        bank.pay(&ada, &first.order).await;
        let made = deploy().await.unwrap();
        assert_eq!((made.deployment.plan.id.as_str(), made.deployment.name.as_str()), ("paid", "one"));
        assert_eq!(deploy().await.unwrap().deployment.id, made.deployment.id);
        bank.settle().await;
        assert_eq!(bank.services.list(&ada, None, Paging::default()).await.unwrap().total, 1);
        // The same order carries no second one, and a stranger none at all.
        let second = bank.services.deploy(&ada, paid("two"), request()).await.unwrap_err();
        assert_ne!(to_pay(second).order, first.order);
        let stranger = bank.services.deploy(&bank.person("bob"), paid("three"), request()).await.unwrap_err();
        assert_ne!(to_pay(stranger).order, first.order);
        // What is deleted makes room for another, and cannot be called back without being paid.
        let delete = Change::Delete { at_once: false };
        bank.services.change(&ada, &made.deployment.id, Expected::Whatever, delete).await.unwrap();
        let next = bank.services.deploy(&ada, paid("two"), request()).await.unwrap();
        assert_ne!(next.deployment.id, made.deployment.id);
        let undelete =
            bank.services.change(&ada, &made.deployment.id, Expected::Whatever, Change::Undelete).await;
        assert_eq!(code(undelete.unwrap_err()), "services.not_bought");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wish_is_carried_out_without_being_asked_for_again() {
    both(async |bank| {
        let ada = bank.person("ada");
        let order = to_pay(bank.services.deploy(&ada, paid("one"), request()).await.unwrap_err()).order;
        bank.pay(&ada, &order).await;
        bank.settle().await;
        let list = bank.services.list(&ada, None, Paging::default()).await.unwrap();
        assert_eq!(list.items.iter().map(|known| known.name.as_str()).collect::<Vec<_>>(), ["one"]);
        bank.market.reconciler().pass().await.unwrap();
        bank.market.reconciler().pass().await.unwrap();
        let known = bank.services.deployment(&ada, &list.items[0].id).await.unwrap();
        assert_eq!(known.status, Status::Running);
        // A name that was taken meanwhile keeps what was bought for another one.
        let order = to_pay(bank.services.deploy(&ada, paid("x"), request()).await.unwrap_err()).order;
        bank.services.deploy(&ada, wanted("x"), request()).await.unwrap();
        bank.pay(&ada, &order).await;
        bank.settle().await;
        assert_eq!(bank.services.list(&ada, None, Paging::default()).await.unwrap().total, 2);
        let made = bank.services.deploy(&ada, paid("y"), request()).await.unwrap();
        assert_eq!(made.deployment.plan.id, "paid");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_refunded_stops_and_is_deleted_after_the_grace() {
    both(async |bank| {
        let ada = bank.person("ada");
        let (id, order) = bank.deployed(&ada, "one").await;
        bank.refund(&order).await;
        bank.settle().await;
        let known = bank.services.deployment(&ada, &id).await.unwrap();
        assert_eq!((known.wanted, known.status), (Wanted::Stopped, Status::Stopping));
        assert!(known.reason.contains("not paid any more"), "{}", known.reason);
        assert!(bank.market.news().await.contains(&"deployment.lapsed".to_owned()));
        assert_eq!(bank.mails().await, ["one: stopped, because it is not paid"]);
        let start = bank.services.change(&ada, &id, Expected::Whatever, Change::Start).await;
        assert_eq!(code(start.unwrap_err()), "services.not_bought");
        bank.later(8 * 86_400).await;
        let known = bank.services.deployment(&bank.person("ada"), &id).await.unwrap();
        assert!(known.wanted == Wanted::Deleted && known.undo_until.is_some());
        assert_eq!(bank.settle().await, 0, "it is done once");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_pays_again_goes_on_with_what_was_kept() {
    both(async |bank| {
        let ada = bank.person("ada");
        let (id, order) = bank.deployed(&ada, "one").await;
        bank.refund(&order).await;
        bank.settle().await;
        let again = || bank.services.change_or_order(&ada, &id, Expected::Whatever, Change::Start);
        let order = to_pay(again().await.unwrap_err()).order;
        assert_eq!(to_pay(again().await.unwrap_err()).order, order, "asked twice, it is one order");
        bank.pay(&ada, &order).await;
        bank.settle().await;
        let known = bank.services.deployment(&ada, &id).await.unwrap();
        assert_eq!((known.wanted, known.reason.as_str()), (Wanted::Running, ""));
        bank.settle().await; // what was refunded carries nothing any more, and is over
        assert_eq!(bank.settle().await, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_larger_plan_is_paid_at_once_and_a_smaller_one_waits_for_the_period() {
    both(async |bank| {
        let ada = bank.person("ada");
        let (id, _) = bank.deployed(&ada, "one").await;
        let scale = |plan: &str| bank.services.change_plan(&ada, &id, Expected::Whatever, plan.to_owned());
        let scaled = scale("large").await.unwrap();
        assert!(matches!(scaled, Scaled::Now(_)), "{scaled:?}");
        assert_eq!(scaled.deployment().plan.id, "large");
        assert_eq!(bank.subscription(&ada).await.plan.unit_price_minor, 4900);
        assert_eq!(bank.settle().await, 0, "what is paid and what runs agree");
        assert!(matches!(scale("paid").await.unwrap(), Scaled::Later(..)));
        assert_eq!(code(scale("free").await.unwrap_err()), "services.disk_shrinks");
        assert_eq!(code(scale("hourly").await.unwrap_err()), "services.paid_otherwise");
        bank.later(32 * 86_400).await;
        let ada = bank.person("ada");
        assert_eq!(bank.services.deployment(&ada, &id).await.unwrap().plan.id, "paid");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_used_by_the_hour_is_billed_once_and_as_it_is_told() {
    both(async |bank| {
        let ada = bank.person("ada");
        let made = bank.services.deploy(&ada, metered("one"), request()).await.unwrap();
        let reconciler = bank.market.reconciler();
        for _ in 0..3 {
            reconciler.pass().await.unwrap();
        }
        bank.settle().await;
        for _ in 0..310 {
            bank.clock.advance(Duration::from_secs(60));
            reconciler.pass().await.unwrap();
        }
        bank.services.tell_usage().await.unwrap();
        assert_eq!(bank.services.tell_usage().await.unwrap(), 0, "told once");
        let ada = bank.person("ada");
        let sub = bank.subscription(&ada).await;
        let cost = bank.services.standing(&ada, &made.deployment.id).await.unwrap().cost;
        // 5 whole hours at 3.00 an hour, and the beginning of the sixth.
        assert!((1400..=1500).contains(&sub.open_quantity), "{}", sub.open_quantity);
        assert!((0..=300).contains(&(cost.current_minor - sub.open_quantity)), "{cost:?}");
        assert!(cost.projected_minor > 100_000);
        bank.later(31 * 86_400).await;
        let ada = bank.person("ada");
        let invoices = bank
            .billing
            .invoices(&ada, billing::Side::Buyer, None, None, Paging { limit: 50, offset: 0 })
            .await
            .unwrap();
        let billed: i64 = invoices.items.iter().map(|invoice| invoice.amounts.total).sum();
        assert_eq!(billed, sub.open_quantity, "the invoice is what was told");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn plans_are_on_sale_as_the_templates_say() {
    both(async |bank| {
        let ada = bank.person("ada");
        let filter = catalog::Filter { kind: Some(catalog::Kind::Service), ..catalog::Filter::default() };
        let listed = bank.catalog.market(&ada, filter.clone(), Paging::default()).await.unwrap();
        let sleeper = listed.page.items.iter().find(|shown| shown.listing.text.title == "Sleeper").unwrap();
        let offers: Vec<_> = sleeper.offers.iter().map(|offer| (&*offer.name, offer.price.minor)).collect();
        assert_eq!(offers, [("Paid", 1900), ("Large", 4900), ("Hourly", 1)]);
        let keeper = listed.page.items.iter().find(|shown| shown.listing.text.title == "Keeper").unwrap();
        let bob = bank.person("bob").actor.unwrap().user;
        assert_eq!(keeper.listing.seller.as_str(), bob.as_str(), "its template says who sells it");
        let before = sleeper.listing.version;
        bank.services.put_on_sale().await.unwrap();
        let listed = bank.catalog.market(&ada, filter, Paging::default()).await.unwrap();
        let sleeper = listed.page.items.iter().find(|shown| shown.listing.text.title == "Sleeper").unwrap();
        assert_eq!(sleeper.listing.version, before, "what is so already is not written again");
        let two = catalog::Want::some(sleeper.offers[0].id.clone(), 2);
        let new = orders::NewOrder { items: vec![two], ..orders::NewOrder::default() };
        let refused = Problem::from(bank.orders.place(&ada, new).await.unwrap_err());
        assert_eq!(refused.code, "services.one_at_a_time");
        let hostile = orders::NewOrder {
            items: vec![catalog::Want::some(sleeper.offers[0].id.clone(), 1)],
            pass: Some("deploy-x {\"deploy\":{}}".into()),
            ..orders::NewOrder::default()
        };
        let placed = bank.orders.place(&ada, hostile).await.unwrap();
        bank.orders.pay(&ada, &placed.order.id, Source::Wallet, None).await.unwrap_err();
        bank.pay(&ada, &placed.order.id).await;
        bank.settle().await;
        assert_eq!(bank.services.list(&ada, None, Paging::default()).await.unwrap().total, 0);
        assert_eq!(bank.settle().await, 0, "what cannot be read is let go of");
        bank.services.deploy(&ada, paid("own"), request()).await.unwrap();
        let plain = NewDeployment { plan: Some("free".into()), ..wanted("free") };
        bank.services.deploy(&ada, plain, request()).await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_form_leads_through_the_checkout_to_the_deployment() {
    both(async |bank| {
        let form = "service=sleeper&plan=paid&region=here&name=one&key=abcdefgh";
        let (status, checkout) = bank.sends("ada", "/deployments/new", form).await;
        assert!(status == 303 && checkout.starts_with("/checkout/order-"), "{status} {checkout}");
        let again = bank.sends("ada", "/deployments/new", form).await.1;
        assert_eq!(again, checkout, "sent twice, it is one order");
        let card = "way=card&cardNumber=4242424242424242&expMonth=12&expYear=40&cvc=123&key=abcdefghij";
        let (status, bought) = bank.sends("ada", &format!("{checkout}/pay"), card).await;
        assert!(status == 303 && bought.starts_with("/deployments/bought/order-"), "{status} {bought}");
        bank.settle().await;
        let ada = bank.person("ada");
        let list = bank.services.list(&ada, None, Paging::default()).await.unwrap();
        let id = list.items[0].id.clone();
        // What is not paid any more is started by paying for it.
        bank.refund_of(&checkout).await;
        bank.settle().await;
        let here = format!("/deployments/{id}");
        let (status, to) = bank.sends("ada", &here, "do=start").await;
        assert!(status == 303 && to.starts_with("/checkout/order-"), "{status} {to}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_at_once_one_has_what_was_bought() {
    both(async |bank| {
        let ada = bank.person("ada");
        let (id, _) = bank.deployed(&ada, "first").await;
        let delete = Change::Delete { at_once: true };
        bank.services.change(&ada, &id, Expected::Whatever, delete).await.unwrap();
        let ask = |number: u32| {
            let (room, by) = (bank.services.clone(), ada.clone());
            tokio::spawn(async move { room.deploy(&by, paid(&format!("n{number}")), request()).await })
        };
        let asked: Vec<_> = (0..8).map(ask).collect();
        let mut made = 0;
        for answer in asked {
            match answer.await.unwrap() {
                Ok(_) => made += 1,
                Err(error) => drop(to_pay(error)),
            }
        }
        assert_eq!(made, 1);
        let list = bank.services.list(&ada, None, Paging::default()).await.unwrap();
        let live = list.items.iter().filter(|known| known.wanted != Wanted::Deleted).count();
        assert_eq!(live, 1, "the others wait for their own orders to be paid");
    })
    .await;
}
