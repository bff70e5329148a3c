//! Automatic top-ups and alerts: through races, kills and declined cards, on both databases.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod house;

use futures_util::future::join_all;
use house::{House, migrations, rule, usd};
use identity::orgs::OrgRole;
use kernel::{Currency, Problem};
use store::testing::both;
use wallet::{AlertChange, AutoChange, Origin, Stopped, TopUpState, WalletError};
use web::Expected;

#[tokio::test]
async fn falling_below_the_threshold_tops_up_once() {
    both(&migrations(), async |store| {
        let house = House::on(store);
        let ada = house.ada();
        let card = house.card(&ada, "tok_visa").await;
        house.filled(&ada, 2_000).await;
        house.rule(&ada, &card).await;
        house.spend(&ada, 1_000).await.unwrap();
        house.settle().await;
        assert_eq!(house.balance(&ada).await, (1_000, 0), "at the threshold is not below it");
        // Five purchases at once, each below the threshold.
        for spent in join_all((0..5).map(|_| house.spend(&ada, 100))).await {
            spent.unwrap();
        }
        house.settle().await;
        assert_eq!(house.balance(&ada).await, (2_500, 0));
        let auto: Vec<_> =
            house.top_ups(&ada).await.into_iter().filter(|top_up| top_up.origin == Origin::Auto).collect();
        assert_eq!(auto.len(), 1);
        assert_eq!((auto[0].state, auto[0].amount), (TopUpState::Paid, usd(2_000)));
        house.audit().await;
    })
    .await;
}

/// Several processes read the log at once, and each may be killed between any two steps: the cursor and the top-up are
/// one transaction, so there is one top-up for each crossing.
#[tokio::test]
async fn races_and_kills_top_up_once() {
    both(&migrations(), async |store| {
        let house = House::on(store);
        let ada = house.ada();
        let card = house.card(&ada, "tok_visa").await;
        house.filled(&ada, 5_000).await;
        let once_a_crossing = AutoChange { max_per_day: 24, ..rule(&card) };
        house.wallets.set_auto_top_up(&ada, None, &once_a_crossing, Expected::Whatever).await.unwrap();
        for crossing in 1..=4 {
            let (available, _) = house.balance(&ada).await;
            house.spend(&ada, available - 500).await.unwrap();
            let processes: Vec<House> = (0..4).map(|_| house.again()).collect();
            let looks = processes.iter().map(|process| async {
                // A kill somewhere in the middle of reading the log.
                let look = tokio::time::timeout(
                    std::time::Duration::from_micros(300 * crossing),
                    process.wallets.catch_up(),
                );
                let _ = look.await;
                process.wallets.catch_up().await.unwrap();
            });
            join_all(looks).await;
            house.again().settle().await;
            assert_eq!(house.balance(&ada).await, (2_500, 0), "crossing {crossing}");
            let crossings = usize::try_from(crossing).unwrap();
            assert_eq!(house.top_ups(&ada).await.len(), 1 + crossings);
        }
        house.audit().await;
    })
    .await;
}

#[tokio::test]
async fn three_failures_in_a_row_switch_the_rule_off_with_a_mail() {
    both(&migrations(), async |store| {
        let house = House::on(store);
        let ada = house.registered("ada").await;
        let card = house.card(&ada, "tok_chargeDeclined").await;
        house.filled(&ada, 1_500).await;
        house.rule(&ada, &card).await;
        house.spend(&ada, 1_000).await.unwrap();
        house.settle().await;
        assert_eq!(house.rule_now(&ada).await.failures, 1);
        house.spend(&ada, 100).await.unwrap();
        house.settle().await;
        assert_eq!(house.rule_now(&ada).await.failures, 1, "it pauses after a failure");
        // The next attempts come by themselves.
        house.later(15 * 60);
        house.settle().await;
        assert_eq!(house.rule_now(&ada).await.failures, 2);
        house.later(4 * 3_600);
        house.settle().await;
        let rule = house.rule_now(&ada).await;
        assert_eq!((rule.enabled, rule.reason, rule.version), (false, Some(Stopped::Failures), 2));
        for _ in 0..3 {
            house.spend(&ada, 100).await.unwrap();
            house.later(24 * 3_600);
            house.settle().await;
        }
        assert_eq!(house.top_ups(&ada).await.iter().filter(|one| one.state == TopUpState::Failed).count(), 3);
        assert_eq!(house.mails(), ["The automatic top-up is switched off"]);
        assert_eq!(house.events("wallet.auto_top_up_stopped").await.len(), 1);
        assert_eq!(house.balance(&ada).await, (100, 0));
        // Switched on again it begins anew.
        let good = house.card(&ada, "tok_visa").await;
        house.rule(&ada, &good).await;
        house.settle().await;
        assert_eq!(house.balance(&ada).await, (2_100, 0), "what is below already is topped up at once");
    })
    .await;
}

#[tokio::test]
async fn a_bank_that_wants_a_confirmation_counts_as_a_failure() {
    both(&migrations(), async |store| {
        let house = House::on(store);
        let ada = house.ada();
        let card = house.card(&ada, "tok_threeDSecure2Required").await;
        house.rule(&ada, &card).await;
        house.settle().await;
        assert_eq!(house.top_ups(&ada).await[0].state, TopUpState::Cancelled);
        assert_eq!(house.rule_now(&ada).await.failures, 1);
    })
    .await;
}

#[tokio::test]
async fn limits_of_a_day_and_a_month_hold() {
    both(&migrations(), async |store| {
        let house = House::on(store);
        let ada = house.ada();
        let card = house.card(&ada, "tok_visa").await;
        let change = AutoChange { max_per_day: 2, monthly_limit_minor: Some(6_000), ..rule(&card) };
        house.wallets.set_auto_top_up(&ada, None, &change, Expected::Whatever).await.unwrap();
        house.settle().await;
        let spent = async || {
            let (available, _) = house.balance(&ada).await;
            if available > 100 {
                house.spend(&ada, available - 100).await.unwrap();
            } else {
                house.spend(&ada, 1).await.unwrap();
            }
            house.settle().await;
            house.top_ups(&ada).await.len()
        };
        assert_eq!(spent().await, 2);
        assert_eq!(spent().await, 2, "two a day");
        house.later(24 * 3_600);
        assert_eq!(spent().await, 3);
        assert_eq!(spent().await, 3, "60 a month");
        house.later(24 * 3_600);
        assert_eq!(spent().await, 3, "60 a month");
        house.later(30 * 24 * 3_600);
        assert_eq!(spent().await, 4);
    })
    .await;
}

#[tokio::test]
async fn a_card_that_is_gone_ends_the_rule() {
    both(&migrations(), async |store| {
        let house = House::on(store);
        let ada = house.registered("ada").await;
        let card = house.card(&ada, "tok_visa").await;
        house.filled(&ada, 1_500).await;
        house.rule(&ada, &card).await;
        house.payments.delete_method(&ada, &card.id).await.unwrap();
        house.spend(&ada, 1_000).await.unwrap();
        house.settle().await;
        assert_eq!(house.rule_now(&ada).await.reason, Some(Stopped::NoMethod));
        assert_eq!(house.mails().len(), 1);
        assert_eq!(house.top_ups(&ada).await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn rules_are_checked_and_guarded_by_their_version() {
    both(&migrations(), async |store| {
        let house = House::on(store);
        let (ada, bob) = (house.ada(), house.person("bob"));
        let card = house.card(&ada, "tok_visa").await;
        let set = |by, change, expected| {
            let house = &house;
            async move { house.wallets.set_auto_top_up(by, None, &change, expected).await }
        };
        let good = AutoChange { enabled: false, ..rule(&card) };
        for wrong in [
            AutoChange { threshold: usd(0), ..good.clone() },
            AutoChange { amount: usd(999), ..good.clone() },
            AutoChange { amount: usd(200_001), ..good.clone() },
            AutoChange { threshold: usd(900_000), amount: usd(200_000), ..good.clone() },
            AutoChange { max_per_day: 0, ..good.clone() },
            AutoChange { max_per_day: 25, ..good.clone() },
            AutoChange { monthly_limit_minor: Some(1_999), ..good.clone() },
            AutoChange { method: "method-0".parse().unwrap(), ..good.clone() },
        ] {
            assert!(
                matches!(set(&ada, wrong.clone(), Expected::Whatever).await, Err(WalletError::Invalid(_))),
                "{wrong:?}"
            );
        }
        let theirs = set(&bob, good.clone(), Expected::Whatever).await;
        assert!(matches!(theirs, Err(WalletError::Invalid(_))), "the card of somebody else");
        assert!(matches!(set(&ada, good.clone(), Expected::ByBody(1)).await, Err(WalletError::Stale(_))));
        assert_eq!(set(&ada, good.clone(), Expected::ByBody(0)).await.unwrap().version, 1);
        assert!(matches!(
            set(&ada, good.clone(), Expected::ByHeader(vec![0])).await,
            Err(WalletError::Stale(_))
        ));
        assert_eq!(set(&ada, good, Expected::ByHeader(vec![1])).await.unwrap().version, 2);
        let member = house.member("max", OrgRole::Member);
        let alert = AlertChange { enabled: true, threshold: usd(100) };
        let refused = house.wallets.set_alert(&member, Some("acme"), alert, Expected::Whatever).await;
        assert_eq!(Problem::from(refused.unwrap_err()).status, 404);
        let refused = house.wallets.auto_top_up(&member, Some("acme"), Currency::USD).await;
        assert_eq!(Problem::from(refused.unwrap_err()).status, 404);
    })
    .await;
}

#[tokio::test]
async fn a_low_balance_is_told_once_for_each_crossing() {
    both(&migrations(), async |store| {
        let house = House::on(store);
        let ada = house.registered("ada").await;
        house.alert(&ada, 1_000).await;
        house.settle().await;
        assert!(house.mails().is_empty(), "an empty wallet is no news");
        let top_up = house.filled(&ada, 2_000).await;
        for _ in 0..3 {
            house.spend(&ada, 500).await.unwrap();
            house.settle().await;
        }
        assert_eq!(house.mails(), ["The balance is low: $5.00"]);
        let alert = house.wallets.alert(&ada, None, Currency::USD).await.unwrap().unwrap();
        assert!(alert.is_low);
        house.filled(&ada, 1_000).await;
        house.wallets.refund_top_up(&ada, &top_up.id, Some(600), None).await.unwrap();
        house.settle().await;
        assert_eq!(house.mails().len(), 2, "a refund is a crossing too");
        assert_eq!(house.events("wallet.low_balance").await.len(), 2);
        let off = AlertChange { enabled: false, threshold: usd(1_000) };
        house.wallets.set_alert(&ada, None, off, Expected::Whatever).await.unwrap();
        house.spend(&ada, 500).await.unwrap();
        house.settle().await;
        assert_eq!(house.mails().len(), 2);
    })
    .await;
}
