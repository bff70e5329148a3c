//! Where the money of orders goes and comes back from, on both databases.
#![allow(clippy::unwrap_used, clippy::panic)]

mod market;

use catalog::{NewOffer, Stock, Want};
use identity::Role;
use kernel::Problem;
use ledger::Account;
use market::{Market, migrations, seller, usd};
use orders::{
    FeeRule, NewOrder, NewPromo, NewRefund, Off, OrderError, Part, PlanState, RuleChange, State, TaxRate,
    What,
};
use payments::{PaymentError, Source};
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
async fn a_wallet_pays_at_once_or_says_what_is_missing() {
    on_both(async |market| {
        let offer = market.tickets(2).await;
        let id = market.one(&offer).await.order.id;
        let poor = market.orders.pay(&market.ada(), &id, Source::Wallet, None).await;
        let Err(OrderError::Payment(PaymentError::WalletTooLow { missing })) = poor else {
            panic!("{poor:?}")
        };
        assert_eq!(missing, usd(1_900));
        market.fill_wallet(2_000).await;
        let paid = market.orders.pay(&market.ada(), &id, Source::Wallet, Some("w".into())).await.unwrap();
        assert_eq!(paid.payment.state, payments::State::Captured);
        assert_eq!(market.find(&id).await.order.state, State::Paid);
        market.later(1);
        let again = market.orders.pay(&market.ada(), &id, Source::Wallet, Some("w".into())).await;
        assert!(again.is_ok_and(|again| again.is_known), "the same key answers with the same payment");
        let ada = Account::Wallet("user-ada".parse().unwrap());
        assert_eq!(market.balance(ada.clone()).await.0, 100);
        assert_eq!(market.balance(Account::Seller(seller())).await.0, 1_710);
        let whole = NewRefund { what: What::Whole, give_back: true, reason: "Rain".into() };
        let plan = market.orders.refund(&market.operator(), &id, whole).await.unwrap();
        assert_eq!(plan.state, PlanState::Settled);
        assert_eq!(market.balance(ada).await.0, 2_000);
        assert_eq!(market.balance(Account::Seller(seller())).await.0, 0);
        assert_eq!(market.stock(&offer).await, (0, 0, Some(2)));
    })
    .await;
}

#[tokio::test]
async fn refunds_take_back_exact_shares_and_never_more_than_was_paid() {
    on_both(async |market| {
        let offer = market.tickets(3).await;
        let placed = market.paid(&offer, 3).await;
        let id = &placed.order.id;
        let part = |minor| NewRefund { what: What::Amount(minor), give_back: false, reason: "Late".into() };
        let eve = market.person("eve", &[Role::User, Role::Publisher]);
        assert_eq!(code_of(market.orders.refund(&eve, id, part(1)).await.unwrap_err()), "orders.missing");
        assert_eq!(
            code_of(market.orders.refund(&market.ada(), id, part(1)).await.unwrap_err()),
            "orders.missing"
        );
        let plan = market.orders.refund(&market.seller(), id, part(333)).await.unwrap();
        assert!(plan.refund.is_some());
        let order = market.find(id).await.order;
        assert_eq!(
            (order.state, order.refunded_minor, order.refunding_minor),
            (State::PartiallyRefunded, 333, 0)
        );
        assert!(market.entitled("concert").await, "money alone takes nothing back");
        let one = vec![Part { number: 1, quantity: Some(1), amount_minor: None }];
        let one = NewRefund { what: What::Lines(one), give_back: true, reason: String::new() };
        market.orders.refund(&market.seller(), id, one).await.unwrap();
        assert_eq!(market.stock(&offer).await, (0, 2, Some(1)), "one is on sale again");
        assert_eq!(market.told().last().unwrap(), "revoke 1");
        let too_much = market.orders.refund(&market.seller(), id, part(5_000)).await;
        assert!(
            matches!(too_much, Err(OrderError::RefundTooLarge { left }) if left == usd(5_700 - 333 - 1_900))
        );
        let rest = NewRefund { what: What::Whole, give_back: true, reason: String::new() };
        market.orders.refund(&market.operator(), id, rest.clone()).await.unwrap();
        let order = market.find(id).await.order;
        assert_eq!((order.state, order.refunded_minor), (State::Refunded, 5_700));
        assert!(!market.entitled("concert").await);
        assert_eq!(market.stock(&offer).await, (0, 0, Some(3)));
        for account in [CLEARING, Account::Seller(seller()), Account::PlatformFees] {
            assert_eq!(market.balance(account).await, (0, 0), "all of it went back, to the cent");
        }
        assert_eq!(market.events("order.refunded").await.len(), 3);
        assert_eq!(market.events("entitlement.ended").await.len(), 1);
        let again = market.orders.refund(&market.operator(), id, rest).await;
        assert!(matches!(again, Err(OrderError::WrongState(State::Refunded))));
        market.holds_together(&offer, 3).await;
    })
    .await;
}

#[tokio::test]
async fn a_refund_that_the_bank_refuses_frees_what_it_reserved() {
    on_both(async |market| {
        let offer = market.tickets(1).await;
        let id = market.one(&offer).await.order.id;
        market.pay(&id, "tok_refundFails").await.unwrap();
        market.settle_down().await;
        let whole = || NewRefund { what: What::Whole, give_back: true, reason: String::new() };
        market.orders.refund(&market.seller(), &id, whole()).await.unwrap();
        market.settle_down().await;
        let placed = market.find(&id).await;
        assert_eq!((placed.order.state, placed.order.refundable()), (State::Paid, usd(1_900)));
        assert_eq!(placed.lines[0].refundable_minor(), 1_900);
        assert!(market.entitled("concert").await);
        assert_eq!(market.balance(Account::Seller(seller())).await, (1_710, 0));
        let details = market.orders.details(&market.seller(), &id).await.unwrap();
        assert_eq!(details.refunds[0].state, PlanState::Failed);
    })
    .await;
}

#[tokio::test]
async fn a_capture_that_falls_through_takes_everything_back() {
    on_both(async |market| {
        let offer = market.tickets(1).await;
        let id = market.one(&offer).await.order.id;
        market.pay(&id, "tok_captureLapses").await.unwrap();
        assert_eq!(market.find(&id).await.order.state, State::Paid);
        market.settle_down().await;
        assert_eq!(market.find(&id).await.order.state, State::Failed);
        assert_eq!(market.stock(&offer).await, (0, 0, Some(1)));
        assert!(!market.entitled("concert").await);
        assert_eq!(market.told(), ["reserve 1", "deliver 1", "revoke 1"]);
        market.holds_together(&offer, 1).await;
    })
    .await;
}

#[tokio::test]
async fn disputes_are_lost_by_the_seller_or_won() {
    on_both(async |market| {
        let offer = market.tickets(2).await;
        for (card, state, sellers) in
            [("tok_createDispute", State::Refunded, 0), ("tok_createDisputeWon", State::Paid, 1_710)]
        {
            let id = market.one(&offer).await.order.id;
            market.pay(&id, card).await.unwrap();
            for _ in 0..20 {
                market.settle_down().await;
            }
            assert_eq!(market.find(&id).await.order.state, state, "{card}");
            assert_eq!(market.balance(Account::Seller(seller())).await.0, sellers, "{card}");
            assert_eq!(market.balance(Account::Disputes("sandbox")).await.0, 0);
            assert_eq!(market.balance(CLEARING).await.0, sellers + sellers / 9);
        }
        assert_eq!(market.events("order.disputed").await.len(), 4);
    })
    .await;
}

#[tokio::test]
async fn what_costs_nothing_is_delivered_at_once_and_can_be_returned() {
    on_both(async |market| {
        let offer =
            market.sells("free", NewOffer::one_off("Free", usd(0), Stock::Counted { capacity: 2 })).await;
        let placed = market.one(&offer).await;
        assert_eq!((placed.order.state, placed.order.version), (State::Paid, 2));
        assert!(market.entitled("free").await);
        let whole = NewRefund { what: What::Whole, give_back: true, reason: String::new() };
        let plan = market.orders.refund(&market.seller(), &placed.order.id, whole).await.unwrap();
        assert_eq!((plan.state, plan.refund), (PlanState::Settled, None));
        assert_eq!(market.find(&placed.order.id).await.order.state, State::Refunded);
        assert!(!market.entitled("free").await);
        assert_eq!(market.stock(&offer).await, (0, 0, Some(2)));
    })
    .await;
}

#[tokio::test]
async fn promo_codes_take_off_for_whom_and_as_often_as_they_may() {
    on_both(async |market| {
        let offer = market.tickets(10).await;
        let promo = |code: &str, by_market, off| NewPromo {
            code: code.into(),
            by_market,
            org: None,
            off,
            valid_from: None,
            valid_until: None,
            max_uses: Some(2),
            max_per_buyer: Some(1),
        };
        market
            .orders
            .create_promo(&market.seller(), promo("half", false, Off::Percent(5_000)))
            .await
            .unwrap();
        market
            .orders
            .create_promo(&market.operator(), promo("FREE", true, Off::Amount(usd(9_999))))
            .await
            .unwrap();
        let taken = market.orders.create_promo(&market.seller(), promo("Half", false, Off::Percent(1))).await;
        assert!(matches!(taken, Err(OrderError::PromoExists)));
        let with = |code: &str| NewOrder {
            items: vec![Want::some(offer.clone(), 1)],
            promo: Some(code.into()),
            ..NewOrder::default()
        };
        let half = market.orders.place(&market.ada(), with(" half ")).await.unwrap();
        assert_eq!(
            (half.order.amounts.total, half.order.amounts.discount, half.order.amounts.fee),
            (950, 950, 95)
        );
        let again = market.orders.place(&market.ada(), with("HALF")).await;
        assert!(matches!(again, Err(OrderError::Promo(_))), "{again:?}");
        market.orders.cancel(&market.ada(), &half.order.id, Expected::Whatever).await.unwrap();
        market.orders.place(&market.ada(), with("HALF")).await.unwrap();
        let free = market.orders.place(&market.ada(), with("FREE")).await.unwrap();
        assert_eq!((free.order.state, free.order.amounts.total), (State::Paid, 0));
        assert_eq!(
            market.balance(Account::Seller(seller())).await.0,
            1_710,
            "the market pays its own promises"
        );
        assert_eq!(market.balance(Account::Promotions).await.0, 1_900);
        let whole = NewRefund { what: What::Whole, give_back: true, reason: String::new() };
        market.orders.refund(&market.seller(), &free.order.id, whole).await.unwrap();
        assert_eq!(market.balance(Account::Promotions).await.0, 0);
        for wrong in ["NONE", "", "half; drop"] {
            assert_eq!(
                code_of(market.orders.place(&market.ada(), with(wrong)).await.unwrap_err()),
                "orders.promo_refused"
            );
        }
        market.orders.end_promo(&market.seller(), "half", Expected::ByBody(1)).await.unwrap();
        let bob = market.person("bob", &[Role::User]);
        assert!(matches!(market.orders.place(&bob, with("HALF")).await, Err(OrderError::Promo(_))));
        let foreign = market.orders.end_promo(&market.seller(), "free", Expected::Whatever).await;
        assert_eq!(code_of(foreign.unwrap_err()), "orders.missing");
    })
    .await;
}

#[tokio::test]
async fn taxes_follow_the_buyer_and_fees_the_rules() {
    on_both(async |market| {
        let offer = market.tickets(3).await;
        let rate = |country: &str, basis_points, inclusive| TaxRate {
            country: country.into(),
            region: String::new(),
            kind: String::new(),
            name: "VAT".into(),
            basis_points,
            inclusive,
        };
        let fee = FeeRule { kind: "ticket".into(), seller: String::new(), basis_points: 500 };
        let changes = [
            RuleChange::SetTax(rate("DE", 1_900, false)),
            RuleChange::SetTax(rate("AT", 2_000, true)),
            RuleChange::SetFee(fee),
        ];
        for change in changes {
            let refused = market.orders.change_rules(&market.seller(), change.clone()).await;
            assert!(matches!(refused, Err(OrderError::Identity(_))), "{refused:?}");
            market.orders.change_rules(&market.operator(), change).await.unwrap();
        }
        let id = market.one(&offer).await.order.id;
        let wrong = market.orders.locate(&market.ada(), &id, "Germany", "", Expected::Whatever).await;
        assert!(matches!(wrong, Err(OrderError::Invalid(_))));
        let inside = market.orders.locate(&market.ada(), &id, "at", "", Expected::Whatever).await.unwrap();
        assert_eq!((inside.order.amounts.total, inside.order.amounts.tax), (1_900, 317));
        let on_top = market.orders.locate(&market.ada(), &id, "de", "", Expected::ByBody(2)).await.unwrap();
        assert_eq!(
            (on_top.order.amounts.total, on_top.order.amounts.tax, on_top.order.amounts.fee),
            (2_261, 361, 95)
        );
        market.pay(&id, "tok_visa").await.unwrap();
        market.settle_down().await;
        let parts = [
            (CLEARING, 2_261),
            (Account::Tax, 361),
            (Account::PlatformFees, 95),
            (Account::Seller(seller()), 1_805),
        ];
        for (account, minor) in parts {
            assert_eq!(market.balance(account.clone()).await.0, minor, "{account}");
        }
        let late = market.orders.locate(&market.ada(), &id, "AT", "", Expected::Whatever).await;
        assert!(matches!(late, Err(OrderError::WrongState(State::Paid))));
        market.holds_together(&offer, 3).await;
    })
    .await;
}
