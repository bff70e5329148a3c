//! Subscriptions from the order to their end, on both databases: the real orders and payments, the sandbox as bank.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod house;

use billing::invoice::{Kind, Standing};
use billing::{BillingError, Cancel, ChangePlan, Manner, PayBy, Side, State, When};
use house::{DAY, House, account, metered, migrations, monthly, usd, yearly};
use identity::Caller;
use ledger::Account;
use payments::Source;
use store::testing::both;
use web::Expected;
use web::idempotency::{Key, Request};

async fn on_both(test: impl AsyncFn(House)) {
    both(&migrations(), async |store| test(House::on(store)).await).await;
}

fn once(key: &str) -> Request {
    Request::new(Key(Some(key.to_owned())), "test", &())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paid_order_begins_a_subscription_that_renews_by_the_calendar() {
    on_both(async |house| {
        let (_, offers) = house.sells("hosting", vec![monthly("Pro", 1_900, 0)]).await;
        let sub = house.subscribed(&offers[0], "tok_visa").await;
        assert_eq!((sub.state, sub.number), (State::Active, 1));
        assert!(matches!(sub.pay_by, PayBy::Method(_)), "the card that paid first pays the next");
        assert_eq!(sub.span.end.date(), "2027-02-28");
        house.until("2027-02-28T10:32:00Z");
        house.settle_down().await;
        let sub = house.find(&sub.id).await;
        assert_eq!((sub.state, sub.number, sub.span.end.date()), (State::Active, 2, "2027-03-31".to_owned()));
        let [invoice]: [_; 1] = house.invoices(&sub).await.try_into().unwrap();
        assert_eq!((invoice.state, invoice.total(), invoice.period), (Standing::Paid, usd(1_900), Some(2)));
        assert_eq!(invoice.number(), "2027-000002", "the receipt of the order is number 1");
        assert_eq!(house.balance(Account::Seller(account("seller"))).await, 2 * 1_710);
        assert_eq!(house.balance(Account::PlatformFees).await, 2 * 190);
        assert!(house.entitled("ada", "hosting").await);
        let renewed = house.events("subscription.renewed").await;
        assert_eq!(renewed.len(), 1);
        assert!(
            renewed[0].concerns("user-ada")
                && renewed[0].concerns("user-seller")
                && !renewed[0].concerns("user-ben")
        );
        house.holds_together().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trial_costs_nothing_and_then_the_first_period_is_charged() {
    on_both(async |house| {
        let (_, offers) = house.sells("hosting", vec![monthly("Pro", 1_900, 14)]).await;
        let sub = house.subscribed(&offers[0], "tok_visa").await;
        assert_eq!(
            (sub.state, sub.number, sub.span.end.date()),
            (State::Trialing, 0, "2027-02-14".to_owned())
        );
        assert!(house.invoices(&sub).await.is_empty());
        house.later(14 * DAY);
        house.settle_down().await;
        let sub = house.find(&sub.id).await;
        assert_eq!((sub.state, sub.number, sub.span.end.date()), (State::Active, 1, "2027-03-14".to_owned()));
        assert_eq!(house.invoices(&sub).await[0].state, Standing::Paid);
        house.holds_together().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_that_is_declined_is_tried_on_four_days_and_then_it_ends() {
    on_both(async |house| {
        let (_, offers) = house.sells("hosting", vec![monthly("Pro", 1_900, 14)]).await;
        let sub = house.subscribed(&offers[0], "tok_chargeDeclinedInsufficientFunds").await;
        house.later(14 * DAY);
        house.settle_down().await;
        assert_eq!(house.find(&sub.id).await.state, State::PastDue);
        assert!(house.entitled("ada", "hosting").await, "it goes on during the grace");
        for (day, attempts) in [(1, 2), (3, 3), (5, 4), (7, 5)] {
            house.until(&format!("2027-02-{}T11:30:00Z", 14 + day));
            house.settle_down().await;
            let invoice = &house.invoices(&sub).await[0];
            assert_eq!((invoice.attempts, invoice.state), (attempts, Standing::Open), "after {day} days");
            assert!(!invoice.failure.is_empty());
        }
        house.until("2027-02-24T12:00:00Z");
        house.settle_down().await;
        let sub = house.find(&sub.id).await;
        assert_eq!((sub.state, sub.end_reason.as_deref()), (State::Ended, Some("not paid")));
        let invoice = &house.invoices(&sub).await[0];
        assert_eq!((invoice.state, invoice.sequence), (Standing::Uncollectible, None));
        assert!(!house.entitled("ada", "hosting").await);
        assert_eq!(house.events("subscription.past_due").await.len(), 1);
        assert_eq!(house.events("subscription.ended").await.len(), 1);
        house.holds_together().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_card_pays_what_was_past_due() {
    on_both(async |house| {
        let (_, offers) = house.sells("hosting", vec![monthly("Pro", 1_900, 14)]).await;
        let sub = house.subscribed(&offers[0], "tok_chargeDeclined").await;
        house.later(15 * DAY);
        house.settle_down().await;
        assert_eq!(house.find(&sub.id).await.state, State::PastDue);
        let good = house.saves(&house.ada(), "tok_mastercard").await;
        let manner = Manner { pay_by: Some(PayBy::Method(good.id)), limit_minor: None };
        house.billing.manage(&house.ada(), &sub.id, manner.clone(), Expected::Whatever).await.unwrap();
        house.settle_down().await;
        let sub = house.find(&sub.id).await;
        assert_eq!((sub.state, sub.grace_ends_at), (State::Active, None));
        let of_ben = house.saves(&house.ben(), "tok_visa").await;
        let manner = Manner { pay_by: Some(PayBy::Method(of_ben.id)), limit_minor: None };
        let refused = house.billing.manage(&house.ada(), &sub.id, manner, Expected::Whatever).await;
        assert!(matches!(refused, Err(BillingError::Invalid(_))), "a card of somebody else: {refused:?}");
        house.holds_together().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_that_wants_a_confirmation_waits_for_its_buyer() {
    on_both(async |house| {
        let (_, offers) = house.sells("hosting", vec![monthly("Pro", 1_900, 14)]).await;
        let sub = house.subscribed(&offers[0], "tok_threeDSecure2Required").await;
        house.later(14 * DAY);
        house.settle_down().await;
        assert_eq!(house.find(&sub.id).await.state, State::PastDue);
        let invoice = house.invoices(&sub).await.remove(0);
        let bill = house.billing.bill(&house.ada(), &invoice.id).await.unwrap();
        assert!(bill.confirm_page.is_some(), "the page leads to the bank");
        let attempt = invoice.attempt.unwrap();
        house.payments.confirm_at_bank(&house.ada(), &attempt, true).await.unwrap();
        house.settle_down().await;
        assert_eq!(house.find(&sub.id).await.state, State::Active);
        house.holds_together().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_wallet_pays_again_and_an_empty_one_is_past_due() {
    on_both(async |house| {
        let (_, offers) = house.sells("hosting", vec![monthly("Pro", 1_900, 0)]).await;
        house.fill_wallet("ada", 4_000).await;
        let sub = house.subscribes(&house.ada(), &offers[0], Source::Wallet).await;
        assert_eq!(sub.pay_by, PayBy::Wallet);
        house.until("2027-02-28T10:40:00Z");
        house.settle_down().await;
        assert_eq!(house.balance(Account::Wallet(account("ada"))).await, 200);
        house.until("2027-03-31T10:40:00Z");
        house.settle_down().await;
        let sub = house.find(&sub.id).await;
        assert_eq!(sub.state, State::PastDue);
        let invoice = house.invoices(&sub).await.pop().unwrap();
        assert!(invoice.failure.contains("$17.00"), "what is missing is named: {}", invoice.failure);
        house.fill_wallet("ada", 1_700).await;
        house.billing.pay(&house.ada(), &invoice.id, Source::Wallet, Some("k".to_owned())).await.unwrap();
        let again = house.billing.pay(&house.ada(), &invoice.id, Source::Wallet, Some("k".to_owned())).await;
        assert_eq!(again.unwrap().amount, usd(1_900), "the same key is the same payment");
        assert_eq!(house.find(&sub.id).await.state, State::Active);
        assert_eq!(house.balance(Account::Wallet(account("ada"))).await, 0);
        house.holds_together().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_better_plan_is_charged_for_the_rest_of_the_period_and_a_smaller_one_comes_later() {
    on_both(async |house| {
        let plans = vec![monthly("Pro", 1_900, 0), monthly("Max", 4_900, 0), yearly("Year", 19_000)];
        let (_, offers) = house.sells("hosting", plans).await;
        let sub = house.subscribed(&offers[0], "tok_visa").await;
        house.until("2027-02-14T10:30:10Z");
        let wish = ChangePlan { offer: offers[1].clone(), when: None };
        let by = house.ada();
        let changed =
            house.billing.change_plan(&by, &sub.id, wish, Expected::Whatever, once("up")).await.unwrap();
        let (invoice, sub) = (changed.invoice.unwrap(), changed.subscription);
        assert_eq!(
            (invoice.kind, invoice.state, invoice.total()),
            (Kind::Change, Standing::Paid, usd(1_500))
        );
        assert_eq!(sub.plan.name, "Max");
        let bill = house.billing.bill(&by, &invoice.id).await.unwrap();
        assert_eq!(bill.lines.iter().map(|line| line.amount_minor).collect::<Vec<_>>(), [2_450, -950]);
        let wish = ChangePlan { offer: offers[0].clone(), when: None };
        let changed = house
            .billing
            .change_plan(&house.ada(), &sub.id, wish, Expected::Whatever, once("down"))
            .await
            .unwrap();
        assert!(changed.invoice.is_none());
        assert_eq!(changed.subscription.next.as_ref().unwrap().name, "Pro");
        house.until("2027-02-28T10:32:00Z");
        house.settle_down().await;
        let sub = house.find(&sub.id).await;
        assert_eq!((sub.plan.name.as_str(), sub.next.as_ref(), sub.number), ("Pro", None, 2));
        // To a year at once: a period of its own, and the unused month taken off.
        let wish = ChangePlan { offer: offers[2].clone(), when: Some(When::Now) };
        let changed = house
            .billing
            .change_plan(&house.ada(), &sub.id, wish, Expected::Whatever, once("year"))
            .await
            .unwrap();
        assert_eq!(changed.subscription.span.end.date(), "2028-02-28");
        house.settle_down().await;
        house.holds_together().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_cannot_be_charged_stays_and_a_credit_pays_the_next_invoices() {
    on_both(async |house| {
        let (_, offers) =
            house.sells("hosting", vec![monthly("Pro", 1_900, 0), monthly("Max", 4_900, 0)]).await;
        let sub = house.subscribed(&offers[0], "tok_visa").await;
        house.until("2027-02-14T10:30:10Z");
        let bad = house.saves(&house.ada(), "tok_chargeDeclined").await;
        let manner = Manner { pay_by: Some(PayBy::Method(bad.id)), limit_minor: None };
        house.billing.manage(&house.ada(), &sub.id, manner, Expected::Whatever).await.unwrap();
        let up = ChangePlan { offer: offers[1].clone(), when: None };
        let refused =
            house.billing.change_plan(&house.ada(), &sub.id, up.clone(), Expected::Whatever, once("a")).await;
        assert!(matches!(refused, Err(BillingError::NotPaid(_))), "{refused:?}");
        let now = house.find(&sub.id).await;
        assert_eq!((now.plan.name.as_str(), now.state), ("Pro", State::Active));
        assert_eq!(house.invoices(&sub).await[0].state, Standing::Void);
        let good = house.saves(&house.ada(), "tok_visa").await;
        let manner = Manner { pay_by: Some(PayBy::Method(good.id)), limit_minor: None };
        house.billing.manage(&house.ada(), &sub.id, manner, Expected::Whatever).await.unwrap();
        house.billing.change_plan(&house.ada(), &sub.id, up, Expected::Whatever, once("b")).await.unwrap();
        let down = ChangePlan { offer: offers[0].clone(), when: Some(When::Now) };
        let changed = house
            .billing
            .change_plan(&house.ada(), &sub.id, down, Expected::Whatever, once("c"))
            .await
            .unwrap();
        assert_eq!((changed.invoice, changed.subscription.credit_minor), (None, 1_500));
        house.until("2027-02-28T10:32:00Z");
        house.settle_down().await;
        let invoice = house.invoices(&sub).await.pop().unwrap();
        assert_eq!((invoice.amounts.discount, invoice.total()), (1_500, usd(400)));
        assert_eq!(house.find(&sub.id).await.credit_minor, 0);
        house.holds_together().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_keeps_what_is_paid_or_gets_the_unused_part_back() {
    on_both(async |house| {
        let (_, offers) = house.sells("hosting", vec![monthly("Pro", 1_900, 0)]).await;
        let sub = house.subscribed(&offers[0], "tok_visa").await;
        let at_end = Cancel { when: When::PeriodEnd, refund: None };
        let leave = async |by: Caller, wish: Cancel, key: &str| {
            house.billing.cancel(&by, &sub.id, wish, Expected::Whatever, once(key), |sub| sub.version).await
        };
        leave(house.ada(), at_end, "a").await.unwrap();
        assert!(leave(house.ada(), at_end, "a").await.unwrap().replayed);
        house.billing.resume(&house.ada(), &sub.id, Expected::Whatever).await.unwrap();
        house.until("2027-02-28T10:32:00Z");
        house.settle_down().await;
        let now = house.find(&sub.id).await;
        assert_eq!((now.state, now.number), (State::Active, 2), "who stays is charged");
        let decides = Cancel { when: When::Now, refund: Some(true) };
        assert!(leave(house.ada(), decides, "b").await.is_err(), "the buyer does not decide over the refund");
        house.until("2027-03-16T00:00:00Z");
        leave(house.seller(), decides, "c").await.unwrap();
        house.settle_down().await;
        assert!(!house.entitled("ada", "hosting").await);
        let documents = house.invoices(&sub).await;
        let note =
            documents.iter().find(|document| document.kind == Kind::CreditNote).expect("a credit note");
        assert_eq!((note.state, note.number()), (Standing::Paid, "2027-000003".to_owned()));
        assert!((900..1_000).contains(&note.amounts.total), "about half a month: {}", note.total());
        house.holds_together().await;
        assert!(matches!(
            leave(house.ada(), at_end, "d").await,
            Err(BillingError::WrongState(State::Cancelled))
        ));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_over_at_the_end_of_the_period_and_after_a_refund_of_its_order() {
    on_both(async |house| {
        let (_, offers) = house.sells("hosting", vec![monthly("Pro", 1_900, 0)]).await;
        let sub = house.subscribed(&offers[0], "tok_visa").await;
        let at_end = Cancel::default();
        let by = house.ada();
        house.billing.cancel(&by, &sub.id, at_end, Expected::Whatever, once("a"), |_| 0).await.unwrap();
        house.until("2027-02-28T10:29:00Z");
        assert!(house.entitled("ada", "hosting").await, "what is paid can be used");
        house.until("2027-02-28T10:32:00Z");
        assert!(!house.entitled("ada", "hosting").await, "without anybody doing anything");
        house.settle_down().await;
        assert_eq!(house.find(&sub.id).await.state, State::Cancelled);
        let other = house.subscribes(&house.ada(), &offers[0], Source::Token("tok_visa".to_owned())).await;
        let refund = orders::NewRefund { what: orders::What::Whole, give_back: true, reason: String::new() };
        house.orders.refund(&house.seller(), &other.order, refund).await.unwrap();
        house.settle_down().await;
        assert_eq!(house.find(&other.id).await.state, State::Ended);
        let documents = house.documents(&house.ada()).await;
        let note = documents.iter().find(|document| document.kind == Kind::CreditNote).unwrap();
        assert_eq!((note.total(), note.order.as_ref()), (usd(1_900), Some(&other.order)));
        house.holds_together().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_and_other_accounts_are_refused() {
    on_both(async |house| {
        let (_, offers) =
            house.sells("hosting", vec![monthly("Pro", 1_900, 0), monthly("Max", 4_900, 0)]).await;
        let sub = house.subscribed(&offers[0], "tok_visa").await;
        let receipt = house.documents(&house.ada()).await.remove(0);
        for by in [Caller::stranger(house.clock.now()), house.ben()] {
            let billing = &house.billing;
            let wish = ChangePlan { offer: offers[1].clone(), when: None };
            let any = || Expected::Whatever;
            assert!(billing.find(&by, &sub.id).await.is_err());
            assert!(billing.choices(&by, &sub.id).await.is_err());
            assert!(billing.bill(&by, &receipt.id).await.is_err());
            assert!(billing.pay(&by, &receipt.id, Source::Wallet, None).await.is_err());
            assert!(billing.cancel(&by, &sub.id, Cancel::default(), any(), once("x"), |_| 0).await.is_err());
            assert!(billing.resume(&by, &sub.id, any()).await.is_err());
            assert!(billing.change_plan(&by, &sub.id, wish, any(), once("y")).await.is_err());
            assert!(billing.manage(&by, &sub.id, Manner::default(), any()).await.is_err());
            assert!(billing.totals(&by, Side::Operator).await.is_err());
        }
        let nobody = Caller::stranger(house.clock.now());
        assert!(house.billing.export(&nobody, Side::Buyer).is_err());
        assert!(house.billing.seller_setting(&nobody, None).await.is_err());
        assert!(house.billing.totals(&house.ada(), Side::Seller).await.is_err(), "who does not sell");
        assert!(house.mine(&house.ben()).await.is_empty());
        assert!(house.documents(&house.ben()).await.is_empty());
        let seen = house.billing.find(&house.seller(), &sub.id).await.unwrap();
        assert_eq!(seen.1, Side::Seller);
        let manner = Manner { pay_by: Some(PayBy::Wallet), limit_minor: None };
        assert!(house.billing.manage(&house.seller(), &sub.id, manner, Expected::Whatever).await.is_err());
        let stale = Expected::ByHeader(vec![99]);
        let refused = house.billing.manage(&house.ada(), &sub.id, Manner::default(), stale).await;
        assert!(matches!(refused, Err(BillingError::Stale(_))));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_is_a_document_without_the_fee() {
    on_both(async |house| {
        let (_, offers) = house.sells("hosting", vec![metered(10)]).await;
        let (_, other) = house
            .sells("book", vec![catalog::NewOffer::one_off("Paper", usd(1_900), catalog::Stock::Unlimited)])
            .await;
        house.subscribes(&house.ada(), &offers[0], Source::Wallet).await;
        let placed = house.place(&house.ada(), &other[0]).await;
        house
            .orders
            .pay(&house.ada(), &placed.order.id, Source::Token("tok_visa".to_owned()), None)
            .await
            .unwrap();
        house.settle_down().await;
        let documents = house.documents(&house.ada()).await;
        let receipt =
            documents.iter().find(|document| document.order.as_ref() == Some(&placed.order.id)).unwrap();
        assert_eq!((receipt.kind, receipt.number()), (Kind::Receipt, "2027-000002".to_owned()));
        let bill = house.billing.bill(&house.ada(), &receipt.id).await.unwrap();
        assert_eq!(bill.sums(), [("Total".to_owned(), 1_900)]);
        let paper = house.billing.paper(&bill).unwrap();
        assert!(paper.starts_with(b"%PDF-"));
        assert_eq!(house.billing.paper(&bill).unwrap(), paper, "the same content gives the same bytes");
        house.holds_together().await;
    })
    .await;
}
