//! Top-ups, refunds, disputes, spending and history, on both databases.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod house;

use futures_util::future::join_all;
use house::{House, migrations, usd};
use identity::orgs::OrgRole;
use identity::{Caller, Scope, Scopes};
use kernel::{Currency, Paging, Problem};
use ledger::Account;
use payments::{PaymentError, Source};
use store::testing::both;
use wallet::{Direction, Filter, NewTopUp, TopUpState, WalletError};

#[tokio::test]
async fn a_top_up_is_in_the_wallet_once_it_is_captured() {
    both(&migrations(), async |store| {
        let house = House::on(store);
        let ada = house.ada();
        let (top_up, payment) = house.begin(&ada, 2_500, "tok_visa").await.unwrap();
        assert_eq!((top_up.state, payment.state), (TopUpState::Pending, payments::State::Authorised));
        assert_eq!(house.balance(&ada).await, (0, 0), "nothing is there before the capture");
        house.settle().await;
        let top_up = house.top_up(&ada, &top_up).await;
        assert_eq!((top_up.state, top_up.method.as_str()), (TopUpState::Paid, "visa 4242"));
        assert_eq!(house.balance(&ada).await, (2_500, 0));
        assert_eq!(house.books(Account::Clearing("sandbox")).await, 2_500);
        let told = house.events("wallet.topped_up").await;
        assert_eq!((told.len(), told[0].version), (1, top_up.version));
        assert!(told[0].concerns("user-ada") && !told[0].concerns("user-bob") && !told[0].is_public());
        house.audit().await;
    })
    .await;
}

#[tokio::test]
async fn every_test_card_ends_as_it_says() {
    both(&migrations(), async |store| {
        let house = House::on(store);
        let ada = house.ada();
        let cases = [
            ("tok_chargeDeclined", TopUpState::Failed),
            ("tok_timeoutFound", TopUpState::Paid),
            ("tok_timeoutNever", TopUpState::Failed),
            ("tok_late", TopUpState::Paid),
            ("tok_twice", TopUpState::Paid),
            ("tok_automatic", TopUpState::Paid),
            ("tok_captureLapses", TopUpState::Failed),
            ("tok_threeDSecure2Required", TopUpState::Pending),
        ];
        let mut paid = 0;
        for (card, expected) in cases {
            let (top_up, _) = house.begin(&ada, 1_000, card).await.unwrap();
            house.settle().await;
            let top_up = house.top_up(&ada, &top_up).await;
            assert_eq!(top_up.state, expected, "{card}");
            paid += i64::from(expected == TopUpState::Paid);
            assert_eq!(top_up.failure.is_some(), expected == TopUpState::Failed, "{card}");
        }
        assert_eq!(house.balance(&ada).await, (paid * 1_000, 0));
        assert_eq!(house.events("wallet.top_up_failed").await.len(), 3);
        house.audit().await;
    })
    .await;
}

#[tokio::test]
async fn limits_are_kept_also_with_what_is_on_its_way() {
    both(&migrations(), async |store| {
        let house = House::on(store);
        let ada = house.ada();
        for minor in [0, -500, 499, 200_001] {
            assert!(
                matches!(house.begin(&ada, minor, "tok_visa").await, Err(WalletError::Invalid(_))),
                "{minor}"
            );
        }
        let from_wallet = NewTopUp { amount: usd(500), source: Source::Wallet };
        let refused = house.wallets.top_up(&ada, None, &from_wallet, House::request(&ada, None, "")).await;
        assert!(matches!(refused, Err(WalletError::Invalid(_))));
        // Eleven at once of 1,000 each: ten fit into 10,000.
        let all = join_all((0..11).map(|_| house.begin(&ada, 100_000, "tok_visa"))).await;
        assert_eq!(all.iter().filter(|one| one.is_ok()).count(), 10);
        let refused = all.into_iter().find_map(Result::err).unwrap();
        assert_eq!(Problem::from(refused).code, "wallet.too_full");
        house.settle().await;
        assert_eq!(house.balance(&ada).await, (1_000_000, 0));
    })
    .await;
}

#[tokio::test]
async fn the_same_key_is_the_same_top_up() {
    both(&migrations(), async |store| {
        let house = House::on(store);
        let ada = house.ada();
        let new = NewTopUp { amount: usd(1_000), source: Source::Token("tok_visa".into()) };
        let send = |body: &'static str| {
            house.wallets.top_up(&ada, None, &new, House::request(&ada, Some("k1"), body))
        };
        let both = join_all([send("a"), send("a")]).await;
        let ids: Vec<_> = both.into_iter().map(|one| one.unwrap().0.id).collect();
        assert_eq!(ids[0], ids[1]);
        assert!(matches!(send("b").await, Err(WalletError::Reused(_))));
        house.settle().await;
        assert_eq!(send("a").await.unwrap().0.state, TopUpState::Paid);
        assert_eq!(house.balance(&ada).await, (1_000, 0));
    })
    .await;
}

#[tokio::test]
async fn nobody_touches_the_wallet_of_somebody_else() {
    both(&migrations(), async |store| {
        let house = House::on(store);
        let (ada, bob) = (house.ada(), house.person("bob"));
        let stranger = Caller::stranger(house.clock.now());
        let top_up = house.filled(&ada, 2_000).await;
        let new = NewTopUp { amount: usd(1_000), source: Source::Token("tok_visa".into()) };
        let status = |error: WalletError| Problem::from(error).status;
        assert_eq!(status(house.wallets.balances(&stranger, None).await.unwrap_err()), 401);
        assert_eq!(status(house.wallets.top_up_of(&bob, &top_up.id).await.unwrap_err()), 404);
        assert_eq!(status(house.wallets.refund_top_up(&bob, &top_up.id, None, None).await.unwrap_err()), 404);
        assert!(house.wallets.top_up_of(&house.operator(), &top_up.id).await.is_ok());
        let mut reader = house.ada();
        reader.actor.as_mut().unwrap().scopes = Scopes::of(&[Scope::Read]);
        assert!(house.wallets.balances(&reader, None).await.is_ok());
        let asked = House::request(&reader, None, "");
        assert_eq!(status(house.wallets.top_up(&reader, None, &new, asked).await.unwrap_err()), 403);
        assert_eq!(
            status(house.wallets.refund_top_up(&reader, &top_up.id, None, None).await.unwrap_err()),
            403
        );

        let (admin, member) = (house.member("eve", OrgRole::Admin), house.member("max", OrgRole::Member));
        let by_admin =
            house.wallets.top_up(&admin, Some("acme"), &new, House::request(&admin, None, "")).await;
        assert_eq!(by_admin.unwrap().0.account.as_str(), "org-acme");
        for by in [&member, &bob] {
            assert_eq!(status(house.wallets.balances(by, Some("acme")).await.unwrap_err()), 404);
            let asked = House::request(by, None, "");
            assert_eq!(status(house.wallets.top_up(by, Some("acme"), &new, asked).await.unwrap_err()), 404);
            let history =
                house.wallets.history(by, Some("acme"), Currency::USD, Filter::default(), None, 10).await;
            assert_eq!(status(history.unwrap_err()), 404);
            let paging = Paging::default();
            let list = house.wallets.top_ups(by, Some("acme"), Currency::USD, paging).await;
            assert_eq!(status(list.unwrap_err()), 404);
        }
        house.settle().await;
        assert_eq!(house.balance(&admin).await, (0, 0), "the organisation's money is not its admin's");
        assert_eq!(house.books(Account::Wallet("org-acme".parse().unwrap())).await, 1_000);
    })
    .await;
}

#[tokio::test]
async fn a_top_up_goes_back_only_as_far_as_it_is_there() {
    both(&migrations(), async |store| {
        let house = House::on(store);
        let ada = house.ada();
        let top_up = house.filled(&ada, 2_000).await;
        house.spend(&ada, 1_500).await.unwrap();
        let back = |minor| house.wallets.refund_top_up(&ada, &top_up.id, minor, None);
        assert!(
            matches!(back(Some(501)).await, Err(WalletError::Spent { available }) if available == usd(500))
        );
        assert!(matches!(back(Some(2_001)).await, Err(WalletError::Payment(PaymentError::TooMuch { .. }))));
        // Two at once, of which one can be.
        let both = join_all([back(Some(400)), back(Some(400))]).await;
        assert_eq!(both.iter().filter(|one| one.is_ok()).count(), 1);
        house.settle().await;
        assert_eq!(house.balance(&ada).await, (100, 0));
        assert_eq!(house.top_up(&ada, &top_up).await.refunded_minor, 400);
        assert_eq!(house.events("wallet.top_up_refunded").await.len(), 1);
        assert_eq!(back(None).await.unwrap().amount, usd(100), "the rest that is there");
        assert!(matches!(back(None).await, Err(WalletError::Spent { .. })));
        house.audit().await;
    })
    .await;
}

#[tokio::test]
async fn a_refund_that_the_bank_refuses_is_back_in_the_wallet() {
    both(&migrations(), async |store| {
        let house = House::on(store);
        let ada = house.ada();
        let (top_up, _) = house.begin(&ada, 2_000, "tok_refundFails").await.unwrap();
        house.settle().await;
        house.wallets.refund_top_up(&ada, &top_up.id, None, None).await.unwrap();
        house.settle().await;
        assert_eq!(house.balance(&ada).await, (2_000, 0));
        let (slow, _) = house.begin(&ada, 1_000, "tok_refundUnknown").await.unwrap();
        // The bank answers this one late: the money is reserved until then.
        for _ in 0..3 {
            house.payments.sweep().await.unwrap();
        }
        house.settle().await;
        house.wallets.refund_top_up(&ada, &slow.id, Some(1_000), None).await.unwrap();
        house.settle().await;
        assert_eq!(house.balance(&ada).await, (2_000, 0));
        house.audit().await;
    })
    .await;
}

/// Twenty purchases at once that together cost twice what is there: exactly what fits goes through.
#[tokio::test]
async fn the_balance_never_goes_below_zero() {
    both(&migrations(), async |store| {
        let house = House::on(store);
        let ada = house.ada();
        house.filled(&ada, 1_000).await;
        let all = join_all((0..20).map(|_| house.spend(&ada, 100))).await;
        assert_eq!(all.iter().filter(|one| one.is_ok()).count(), 10);
        for error in all.into_iter().filter_map(Result::err) {
            let code = Problem::from(error).code;
            assert!(code == "payments.wallet_too_low" || code == "ledger.insufficient", "{code}");
        }
        assert_eq!(house.balance(&ada).await, (0, 0));
        house.audit().await;
    })
    .await;
}

#[tokio::test]
async fn a_disputed_top_up_cannot_be_spent_and_may_become_a_debt() {
    both(&migrations(), async |store| {
        let house = House::on(store);
        let (ada, bob) = (house.ada(), house.person("bob"));
        let debt = |name: &str| Account::SellerDebt(format!("user-{name}").parse().unwrap());
        for (name, card) in [("ada", "tok_createDispute"), ("bob", "tok_createDisputeWon")] {
            let by = &house.person(name);
            house.begin(by, 2_000, card).await.unwrap();
            for _ in 0..3 {
                house.payments.sweep().await.unwrap();
                house.later(3);
            }
            house.spend(by, 500).await.unwrap();
            house.later(10);
            house.payments.sweep().await.unwrap();
            assert_eq!(house.balance(by).await, (0, 1_500), "{card}: what is left cannot be spent");
            house.settle().await;
        }
        assert_eq!(house.balance(&ada).await, (0, 0), "lost");
        assert_eq!(house.books(debt("ada")).await, 500);
        assert_eq!(house.balance(&bob).await, (1_500, 0), "won");
        assert_eq!(house.books(debt("bob")).await, 0);
        assert_eq!(house.books(Account::Disputes("sandbox")).await, 0);
        house.audit().await;
    })
    .await;
}

#[tokio::test]
async fn the_history_tells_the_balance_after_each_entry() {
    both(&migrations(), async |store| {
        let house = House::on(store);
        let ada = house.ada();
        house.filled(&ada, 2_000).await;
        house.later(60);
        let bought = house.spend(&ada, 500).await.unwrap();
        house.later(60);
        let middle = house.clock.now();
        house.give_back(&bought, 200).await;
        house.later(60);
        for _ in 0..3 {
            house.spend(&ada, 100).await.unwrap();
            house.later(60);
        }
        let part = async |filter: Filter, before, limit| {
            house.wallets.history(&ada, None, Currency::USD, filter, before, limit).await.unwrap()
        };
        let all = part(Filter::default(), None, 100).await;
        let seen: Vec<_> = all
            .entries
            .iter()
            .map(|entry| (entry.what.as_str(), entry.amount.minor, entry.balance.unwrap().minor))
            .collect();
        let expected = [
            ("Purchase", -100, 1_400),
            ("Purchase", -100, 1_500),
            ("Purchase", -100, 1_600),
            ("Refund", 200, 1_700),
            ("Purchase", -500, 1_500),
            ("Top-up (visa 4242)", 2_000, 2_000),
        ];
        assert_eq!(seen, expected);
        assert_eq!(all.next, None);
        let things: Vec<_> =
            all.entries.iter().map(|entry| entry.thing.as_ref().map(|thing| thing.name.as_str())).collect();
        let thing = Some("A thing");
        assert_eq!(things, [thing, thing, thing, thing, thing, None], "a refund is of what was bought");
        // In parts of each size it is the same.
        for limit in 1..=6 {
            let (mut entries, mut before) = (Vec::new(), None);
            loop {
                let some = part(Filter::default(), before, limit).await;
                assert!(some.entries.len() <= limit as usize);
                entries.extend(some.entries);
                before = some.next;
                if before.is_none() {
                    break;
                }
            }
            assert_eq!(entries, all.entries, "in parts of {limit}");
        }
        let only = part(Filter { direction: Some(Direction::In), ..Filter::default() }, None, 10).await;
        assert_eq!(
            only.entries.iter().map(|entry| entry.balance.unwrap().minor).collect::<Vec<_>>(),
            [1_700, 2_000]
        );
        let late = part(Filter { from: Some(middle), ..Filter::default() }, None, 10).await;
        assert_eq!((late.entries.len(), late.next), (4, None));
        let early = part(Filter { until: Some(middle), ..Filter::default() }, None, 10).await;
        assert_eq!(early.entries, all.entries[4..]);
    })
    .await;
}

#[tokio::test]
async fn the_history_is_a_table_too() {
    both(&migrations(), async |store| {
        let house = House::on(store);
        let ada = house.ada();
        house.filled(&ada, 2_000).await;
        house.spend(&ada, 500).await.unwrap();
        let response = house.wallets.export(&ada, None, Currency::USD, Filter::default()).unwrap();
        let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        let text = String::from_utf8(body.to_vec()).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(lines[0].starts_with("time,what,reference,state,amount"));
        assert!(lines[1].contains("Purchase") && lines[1].ends_with(",-5.00,USD,15.00"), "{}", lines[1]);
        assert!(lines[2].ends_with(",20.00,USD,20.00"));
        assert!(
            house
                .wallets
                .export(&house.person("bob"), Some("acme"), Currency::USD, Filter::default())
                .is_err()
        );
    })
    .await;
}
