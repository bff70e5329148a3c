//! Payments, refunds and disputes, on both databases.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

mod till;

use std::sync::atomic::Ordering;

use futures_util::future::join_all;
use kernel::Problem;
use ledger::{Account, NewTransfer};
use payments::{NextAction, Outcome, PaymentError, RefundState, Source, State};
use store::Tx;
use store::testing::both;
use till::{Market, card, migrations, seller, usd};

const CLEARING: Account = Account::Clearing("sandbox");

#[tokio::test]
async fn a_card_is_authorised_then_captured_once() {
    both(&migrations(), async |store| {
        let market = Market::on(store);
        let payment = market.pay("order-1", "tok_visa").await;
        assert_eq!(payment.state, State::Authorised);
        assert_eq!(market.balance(CLEARING).await, (0, 0), "nothing is ours before the capture");
        market.settle_down().await;
        let payment = market.payments.find(&payment.id).await.unwrap();
        assert_eq!((payment.state, payment.version), (State::Captured, 3));
        assert_eq!(payment.method.unwrap().last4, "4242");
        assert_eq!(market.balance(CLEARING).await, (1_000, 0));
        assert_eq!(market.balance(Account::Seller(seller())).await, (1_000, 0));
        let told = market.events("charge.created", 1).await;
        assert_eq!(told[0].data()["amountMinor"], 1_000);
        assert!(told[0].concerns("user-ada") && !told[0].concerns("user-bob") && !told[0].is_public());
    })
    .await;
}

#[tokio::test]
async fn the_worker_captures_without_being_asked() {
    both(&migrations(), async |store| {
        let market = Market::on(store);
        let room = market.payments.clone();
        let worker = tokio::spawn(async move { room.run().await });
        let payments = join_all((0..100).map(|n| {
            let market = &market;
            async move { market.pay(&format!("order-{n}"), "tok_visa").await }
        }))
        .await;
        for _ in 0..200 {
            if market.balance(CLEARING).await.0 == 100_000 {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        worker.abort();
        assert_eq!(market.balance(CLEARING).await, (100_000, 0));
        for payment in payments {
            assert_eq!(market.payments.find(&payment.id).await.unwrap().state, State::Captured);
        }
    })
    .await;
}

#[tokio::test]
async fn refused_cards_say_why_and_take_nothing() {
    both(&migrations(), async |store| {
        let market = Market::on(store);
        for (token, code) in [
            ("tok_chargeDeclined", "card_declined"),
            ("tok_chargeDeclinedInsufficientFunds", "insufficient_funds"),
            ("tok_chargeDeclinedExpiredCard", "expired_card"),
        ] {
            let payment = market.pay("order-1", token).await;
            assert_eq!(payment.state, State::Failed);
            let failure = payment.failure.unwrap();
            assert_eq!(failure.code, code);
            assert!(failure.message.contains("You were not charged."));
        }
        market.settle_down().await;
        assert_eq!(market.told(), ["failed"; 3]);
        market.events("payment.failed", 3).await;
        assert_eq!(market.balance(CLEARING).await, (0, 0));
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_paid_is_refused() {
    both(&migrations(), async |store| {
        let market = Market::on(store);
        let wrong = market.begin(Market::sale("order-1", 100, Source::Card(card("4242424242424241")))).await;
        let problem = Problem::from(wrong.unwrap_err());
        assert_eq!((problem.status, problem.errors[0].pointer.as_ref()), (422, "/card/number"));
        for minor in [0, -5] {
            let new = Market::sale("order-1", minor, Source::Token("tok_visa".into()));
            assert!(matches!(market.begin(new).await, Err(PaymentError::NothingToPay)));
        }
        let unknown = market.begin(Market::sale("order-1", 100, Source::Token("tok_nonsense".into()))).await;
        assert!(matches!(unknown, Err(PaymentError::Invalid(_))));
        let mut new = Market::sale("order-1", 100, Source::Token("tok_visa".into()));
        new.purpose = "nobody";
        assert!(matches!(market.begin(new).await, Err(PaymentError::NoPurpose(_))));
    })
    .await;
}

#[tokio::test]
async fn time_outs_are_unknown_until_the_bank_is_asked_again() {
    both(&migrations(), async |store| {
        let market = Market::on(store);
        let found = market.pay("order-1", "tok_timeoutFound").await;
        let never = market.pay("order-2", "tok_timeoutNever").await;
        assert_eq!((found.state, never.state), (State::Unknown, State::Unknown));
        assert!(market.told().is_empty(), "nobody knows yet");
        market.later(2);
        market.payments.sweep().await.unwrap();
        assert_eq!(market.payments.find(&found.id).await.unwrap().state, State::Unknown, "still no answer");
        market.settle_down().await;
        assert_eq!(market.payments.find(&found.id).await.unwrap().state, State::Captured);
        let never = market.payments.find(&never.id).await.unwrap();
        assert_eq!((never.state, never.failure.unwrap().code.as_str()), (State::Failed, "never_reached"));
        assert_eq!(market.told(), ["failed", "captured"]);
        assert_eq!(market.balance(CLEARING).await, (1_000, 0));
    })
    .await;
}

#[tokio::test]
async fn the_buyer_confirms_or_refuses_at_the_bank() {
    both(&migrations(), async |store| {
        let market = Market::on(store);
        let payment = market.pay("order-1", "tok_threeDSecure2Required").await;
        assert_eq!(payment.state, State::Submitted);
        assert!(matches!(payment.next_action, Some(NextAction::Redirect { .. })));
        let bob = market.person("bob", &[identity::Role::User]);
        let strange = market.payments.confirm_at_bank(&bob, &payment.id, true).await;
        assert!(matches!(strange, Err(PaymentError::NotFound(_))), "it is not Bob's to confirm");
        let confirmed = market.payments.confirm_at_bank(&market.ada(), &payment.id, true).await.unwrap();
        assert_eq!(confirmed.state, State::Authorised);
        let twice = market.payments.confirm_at_bank(&market.ada(), &payment.id, false).await;
        assert!(matches!(twice, Err(PaymentError::WrongState(State::Authorised))));
        let refused = market.pay("order-2", "tok_threeDSecure2Required").await;
        let refused = market.payments.confirm_at_bank(&market.ada(), &refused.id, false).await.unwrap();
        assert_eq!(refused.failure.unwrap().code, "authentication_failed");
        market.settle_down().await;
        assert_eq!(market.balance(CLEARING).await, (1_000, 0));
    })
    .await;
}

#[tokio::test]
async fn an_intent_gets_its_card_later_and_is_called_off_when_forgotten() {
    both(&migrations(), async |store| {
        let market = Market::on(store);
        let begun = market.begin(Market::sale("order-1", 1_000, Source::Browser)).await.unwrap();
        assert_eq!(begun.state, State::Created);
        let intent = market.payments.submit(&begun).await.unwrap();
        assert_eq!((intent.state, intent.next_action), (State::Submitted, Some(NextAction::Card)));
        let declined = card("4000000000000002");
        let failed = market.payments.confirm_with_card(&market.ada(), &begun.id, &declined).await.unwrap();
        assert_eq!(failed.state, State::Failed);
        let forgotten = market.begin(Market::sale("order-2", 1_000, Source::Browser)).await.unwrap();
        market.payments.submit(&forgotten).await.unwrap();
        market.settle_down().await;
        assert_eq!(market.payments.find(&forgotten.id).await.unwrap().state, State::Submitted);
        market.later(25 * 3_600);
        market.payments.sweep().await.unwrap();
        assert_eq!(market.payments.find(&forgotten.id).await.unwrap().state, State::Cancelled);
    })
    .await;
}

#[tokio::test]
async fn what_comes_late_is_given_back() {
    both(&migrations(), async |store| {
        let market = Market::on(store);
        // Reserved after the thing was gone: released, never captured.
        let late = market.pay("order-1", "tok_late").await;
        assert_eq!(late.state, State::Submitted);
        market.till.is_shut.store(true, Ordering::SeqCst);
        market.settle_down().await;
        let late = market.payments.find(&late.id).await.unwrap();
        assert_eq!((late.state, late.failure.unwrap().code.as_str()), (State::Cancelled, "gone"));
        assert_eq!(market.door.captures.load(Ordering::SeqCst), 0);
        // Taken at once by the bank: refunded by itself, and the books are even.
        let taken = market.paid("order-2", "tok_automatic").await;
        assert_eq!((taken.state, taken.refunded_minor, taken.refunding_minor), (State::Captured, 1_000, 0));
        assert_eq!(market.balance(CLEARING).await, (0, 0));
        assert_eq!(market.balance(Account::RefundReserve).await, (0, 0));
        assert_eq!(market.told(), ["cancelled"], "the till never saw the money");
        market.events("refund.settled", 1).await;
        market.events("charge.created", 0).await;
    })
    .await;
}

#[tokio::test]
async fn what_is_called_off_takes_nothing() {
    both(&migrations(), async |store| {
        let market = Market::on(store);
        let tokens = ["tok_threeDSecure2Required", "tok_late", "tok_timeoutFound"];
        let mut live = Vec::new();
        for token in tokens {
            live.push(market.pay("order-1", token).await);
        }
        let done = market.pay("order-1", "tok_visa").await;
        assert_eq!(market.payments.cancel_live("order-1").await.unwrap(), 3);
        assert_eq!(market.payments.cancel_live("order-1").await.unwrap(), 0);
        market.settle_down().await;
        for payment in live {
            assert_eq!(market.payments.find(&payment.id).await.unwrap().state, State::Cancelled);
        }
        assert_eq!(market.payments.find(&done.id).await.unwrap().state, State::Captured, "that was paid");
        assert_eq!(market.told().iter().filter(|told| **told == "cancelled").count(), 3);
    })
    .await;
}

#[tokio::test]
async fn a_reservation_that_lapses_is_told_as_a_failure() {
    both(&migrations(), async |store| {
        let market = Market::on(store);
        let payment = market.paid("order-1", "tok_captureLapses").await;
        assert_eq!(
            (payment.state, payment.failure.unwrap().code.as_str()),
            (State::Failed, "reservation_lapsed")
        );
        assert_eq!(market.told(), ["failed"]);
    })
    .await;
}

#[tokio::test]
async fn a_wallet_pays_at_once_and_never_too_much() {
    both(&migrations(), async |store| {
        let market = Market::on(store);
        let wallet = Account::Wallet("user-ada".parse().unwrap());
        let poor = market.begin(Market::sale("order-1", 700, Source::Wallet)).await.unwrap_err();
        assert!(matches!(poor, PaymentError::WalletTooLow { missing } if missing == usd(700)));
        let into = wallet.clone();
        let now = market.clock.now();
        let top_up = async move |tx: &mut Tx| {
            let gift = NewTransfer::new(Account::Promotions, into.clone(), usd(1_000), "gift");
            ledger::post(tx, now, "gift-1", &[gift]).await
        };
        market.store.write(top_up).await.unwrap();
        let paid = market.begin(Market::sale("order-1", 700, Source::Wallet)).await.unwrap();
        assert_eq!((paid.state, paid.gateway), (State::Captured, "wallet"));
        assert_eq!(market.payments.submit(&paid).await.unwrap(), paid, "nothing is left to ask");
        let poor = market.begin(Market::sale("order-2", 700, Source::Wallet)).await.unwrap_err();
        let problem = Problem::from(poor);
        assert_eq!((problem.status, problem.code.as_ref()), (402, "payments.wallet_too_low"));
        assert!(problem.detail.contains("$4.00"), "{}", problem.detail);
        assert_eq!(market.balance(wallet.clone()).await, (300, 0));
        let refund = market.refund(&paid, 200).await.unwrap();
        assert_eq!(refund.state, RefundState::Settled);
        assert_eq!(market.balance(wallet.clone()).await, (500, 0));
        // Ten at once, of which one can be paid.
        let tries =
            join_all((0..10).map(|n| market.begin(Market::sale(&format!("order-{n}"), 400, Source::Wallet))))
                .await;
        assert_eq!(tries.iter().filter(|done| done.is_ok()).count(), 1);
        assert_eq!(market.balance(wallet).await, (100, 0));
    })
    .await;
}

#[tokio::test]
async fn refunds_never_exceed_the_capture() {
    both(&migrations(), async |store| {
        let market = Market::on(store);
        let payment = market.paid("order-1", "tok_visa").await;
        let tries = join_all((0..20).map(|_| market.refund(&payment, 300))).await;
        let done = tries.iter().filter(|refund| refund.is_ok()).count();
        assert_eq!(done, 3, "three of 3.00 fit into 10.00");
        assert!(tries.iter().filter_map(|refund| refund.as_ref().err()).all(
            |error| matches!(error, PaymentError::TooMuch { .. })
        ));
        let payment = market.payments.find(&payment.id).await.unwrap();
        assert_eq!((payment.refunded_minor, payment.refunding_minor), (900, 0));
        assert_eq!(market.balance(CLEARING).await, (100, 0));
        assert!(matches!(market.refund(&payment, 101).await, Err(PaymentError::TooMuch { left }) if left == usd(100)));
        assert_eq!(market.refund(&payment, 100).await.unwrap().state, RefundState::Settled);
        assert_eq!(market.balance(Account::Seller(seller())).await, (0, 0));
    })
    .await;
}

#[tokio::test]
async fn refunds_that_are_refused_or_time_out_come_right() {
    both(&migrations(), async |store| {
        let market = Market::on(store);
        let payment = market.paid("order-1", "tok_refundFails").await;
        let refund = market.refund(&payment, 400).await.unwrap();
        assert_eq!(refund.state, RefundState::Failed);
        let payment = market.payments.find(&payment.id).await.unwrap();
        assert_eq!((payment.refunded_minor, payment.refunding_minor), (0, 0), "it can be refunded again");
        assert_eq!(market.balance(Account::Seller(seller())).await, (1_000, 0));
        let payment = market.paid("order-2", "tok_refundUnknown").await;
        let refund = market.refund(&payment, 400).await.unwrap();
        assert_eq!(refund.state, RefundState::Unknown);
        assert_eq!(market.balance(Account::Seller(seller())).await, (2_000, 400), "it stays reserved");
        market.settle_down().await;
        assert_eq!(market.payments.find(&payment.id).await.unwrap().refunded_minor, 400);
        assert_eq!(market.balance(Account::Seller(seller())).await, (1_600, 0));
    })
    .await;
}

#[tokio::test]
async fn disputes_are_opened_and_end() {
    both(&migrations(), async |store| {
        let market = Market::on(store);
        let (won, lost) = (
            market.pay("order-1", "tok_createDisputeWon").await,
            market.pay("order-2", "tok_createDispute").await,
        );
        market.later(6);
        market.payments.sweep().await.unwrap();
        assert_eq!(market.balance(CLEARING).await, (2_000, 0));
        market.later(5);
        market.payments.sweep().await.unwrap();
        assert_eq!(market.balance(CLEARING).await, (0, 0), "both amounts are withheld");
        market.settle_down().await;
        assert_eq!(market.balance(CLEARING).await, (1_000, 0));
        assert_eq!(market.balance(Account::Seller(seller())).await, (1_000, 0));
        assert_eq!(market.balance(Account::Disputes("sandbox")).await, (0, 0));
        let admin = market.person("op", &[identity::Role::Admin]);
        for (payment, state) in [(won, "won"), (lost, "lost")] {
            let details = market.payments.payment(&admin, &payment.id).await.unwrap();
            assert_eq!(details.disputes[0].state.as_str(), state);
        }
        market.events("payment.disputed", 4).await;
    })
    .await;
}

/// The process dies in every call to the gateway, after the bank did its work; the next process heals it.
#[tokio::test]
async fn a_kill_at_any_point_takes_the_money_once() {
    both(&migrations(), async |store| {
        let mut market = Market::on(store);
        for hangs_at in 1..=4 {
            let before = market.balance(CLEARING).await.0;
            market.door.calls.store(0, Ordering::SeqCst);
            market.door.hangs_at.store(hangs_at, Ordering::SeqCst);
            let subject = format!("order-{hangs_at}");
            let begun =
                market.begin(Market::sale(&subject, 1_000, Source::Token("tok_visa".into()))).await.unwrap();
            let (room, payment) = (market.payments.clone(), begun.clone());
            let work = tokio::spawn(async move {
                let _ = room.submit(&payment).await;
                room.run().await;
            });
            tokio::time::sleep(std::time::Duration::from_millis(300)).await;
            work.abort();
            let _ = work.await;
            market = market.again();
            market.settle_down().await;
            let payment = market.payments.find(&begun.id).await.unwrap();
            assert_eq!(payment.state, State::Captured, "killed in call {hangs_at}");
            assert_eq!(market.balance(CLEARING).await.0 - before, 1_000, "killed in call {hangs_at}");
        }
        // And between the steps: begun and never submitted; reserved and never handed to the worker.
        let begun =
            market.begin(Market::sale("order-x", 1_000, Source::Token("tok_visa".into()))).await.unwrap();
        let reserved = market.pay("order-y", "tok_visa").await;
        let market = market.again();
        market.settle_down().await;
        for id in [&begun.id, &reserved.id] {
            assert_eq!(market.payments.find(id).await.unwrap().state, State::Captured);
        }
        market.events("charge.created", 6).await;
        assert_eq!(market.told(), ["captured"; 6]);
    })
    .await;
}

#[tokio::test]
async fn a_kill_during_a_refund_pays_it_once() {
    both(&migrations(), async |store| {
        let market = Market::on(store);
        let payment = market.paid("order-1", "tok_visa").await;
        market.door.calls.store(0, Ordering::SeqCst);
        market.door.hangs_at.store(1, Ordering::SeqCst);
        let killed =
            tokio::time::timeout(std::time::Duration::from_millis(200), market.refund(&payment, 600));
        assert!(killed.await.is_err());
        let market = market.again();
        assert_eq!(
            market.balance(Account::Seller(seller())).await,
            (1_000, 600),
            "reserved before it was asked"
        );
        market.settle_down().await;
        assert_eq!(market.payments.find(&payment.id).await.unwrap().refunded_minor, 600);
        assert_eq!(market.balance(Account::Seller(seller())).await, (400, 0));
    })
    .await;
}

/// Two processes and the buyer's own request at once: one capture.
#[tokio::test]
async fn racing_workers_take_the_money_once() {
    both(&migrations(), async |store| {
        let market = Market::on(store);
        let begun =
            market.begin(Market::sale("order-1", 1_000, Source::Token("tok_visa".into()))).await.unwrap();
        market.later(60);
        let (one, two) = (market.again(), market.again());
        let asks = (0..8).map(|n| {
            let room = if n % 2 == 0 { one.payments.clone() } else { two.payments.clone() };
            let payment = begun.clone();
            tokio::spawn(async move {
                let _ = room.submit(&payment).await;
                let _ = room.sweep().await;
            })
        });
        join_all(asks).await;
        market.settle_down().await;
        assert_eq!(market.balance(CLEARING).await, (1_000, 0));
        assert_eq!(market.told(), ["captured"]);
    })
    .await;
}

/// The bank tells of one success twice, by webhooks: the second changes nothing, also when an operator replays it.
#[tokio::test]
async fn what_is_told_twice_happens_once() {
    both(&migrations(), async |store| {
        let market = Market::on(store);
        let payment = market.paid("order-1", "tok_twice").await;
        assert_eq!(payment.state, State::Captured);
        let admin = market.person("op", &[identity::Role::Admin]);
        let inbox =
            market.payments.inbox(&admin, payment.id.as_str(), kernel::Paging::default()).await.unwrap();
        assert_eq!(inbox.total, 2);
        assert!(inbox.items.iter().all(|notice| notice.handled_at.is_some()));
        market.payments.replay(&admin, "sandbox", &inbox.items[0].id).await.unwrap();
        market.settle_down().await;
        assert_eq!(market.told(), ["captured"]);
        assert_eq!(market.balance(CLEARING).await, (1_000, 0));
    })
    .await;
}

/// A bank takes the money after we had to believe that it never heard of it: the till decides.
#[tokio::test]
async fn money_that_comes_after_a_failure_is_used_or_given_back() {
    both(&migrations(), async |store| {
        let market = Market::on(store);
        let admin = market.person("op", &[identity::Role::Admin]);
        for (is_shut, refunded) in [(false, 0), (true, 1_000)] {
            let payment = market.paid("order-1", "tok_timeoutNever").await;
            assert_eq!(payment.state, State::Failed);
            market.till.is_shut.store(is_shut, Ordering::SeqCst);
            market.door.says.lock().unwrap().push_back(Outcome::Captured);
            market.payments.ask_now(&admin, &payment.id).await.unwrap();
            market.settle_down().await;
            let payment = market.payments.find(&payment.id).await.unwrap();
            assert_eq!((payment.state, payment.refunded_minor), (State::Captured, refunded));
        }
        assert_eq!(market.balance(CLEARING).await, (1_000, 0));
        assert_eq!(market.told(), ["failed", "captured", "failed"]);
    })
    .await;
}

/// Whatever a bank says in whatever order, with calls to call it off in between: what the till was told, the books
/// and the payment agree, and every payment ends.
#[tokio::test]
async fn a_confused_bank_cannot_make_the_books_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let store = store::testing::sqlite(folder.path(), &migrations()).await;
    let market = Market::on(store);
    let admin = market.person("op", &[identity::Role::Admin]);
    let outcomes = [
        Outcome::Authorised,
        Outcome::Captured,
        Outcome::Cancelled,
        Outcome::Pending,
        Outcome::NeverHappened,
        Outcome::Unknown("?".into()),
        Outcome::Declined(payments::Reason::new("card_declined", "No.")),
        Outcome::NeedsBuyer(NextAction::Card),
    ];
    let mut random = 20_261_121_u64;
    let mut next = |most: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(random >> 33).unwrap() % most
    };
    for round in 0..120 {
        market.till.told.lock().unwrap().clear();
        let before = market.balance(CLEARING).await.0;
        let subject = format!("order-{round}");
        market.till.is_shut.store(next(3) == 0, Ordering::SeqCst);
        let token = ["tok_visa", "tok_timeoutFound", "tok_late", "tok_automatic"][next(4)];
        let payment = market.pay(&subject, token).await;
        for _ in 0..next(6) {
            market.door.says.lock().unwrap().push_back(outcomes[next(outcomes.len())].clone());
            match next(4) {
                0 => drop(market.payments.cancel_live(&subject).await.unwrap()),
                1 => market.settle_down().await,
                _ => drop(market.payments.ask_now(&admin, &payment.id).await.unwrap()),
            }
        }
        market.door.says.lock().unwrap().clear();
        market.later(25 * 3_600);
        market.settle_down().await;
        let after = market.payments.find(&payment.id).await.unwrap();
        assert!(!after.state.is_open() && after.state != State::Authorised, "{round}: {after:?}");
        let told = market.told().iter().filter(|told| **told == "captured").count();
        let kept = if after.state == State::Captured { 1_000 - after.refunded_minor } else { 0 };
        assert_eq!(market.balance(CLEARING).await.0 - before, kept, "{round}: {after:?}");
        assert_eq!(usize::from(kept > 0), told, "{round}: {after:?}");
        assert_eq!(after.refunding_minor, 0, "{round}: {after:?}");
    }
    assert_eq!(market.balance(Account::RefundReserve).await, (0, 0));
}

/// How many payments a second begin, are submitted and captured, with 64 buyers at once.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement: cargo nextest run -p payments --run-ignored only --no-capture measure"]
async fn measure_payments_per_second() {
    let folder = tempfile::tempdir().unwrap();
    let store = store::testing::sqlite(folder.path(), &migrations()).await;
    let market = std::sync::Arc::new(Market::on(store));
    let room = market.payments.clone();
    let worker = tokio::spawn(async move { room.run().await });
    let began = std::time::Instant::now();
    let buyers = (0..64).map(|buyer| {
        let market = std::sync::Arc::clone(&market);
        tokio::spawn(async move {
            for n in 0..200 {
                market.pay(&format!("order-{buyer}-{n}"), "tok_visa").await;
            }
        })
    });
    join_all(buyers).await;
    let paid = began.elapsed();
    while market.balance(CLEARING).await.0 < 64 * 200 * 1_000 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let all = began.elapsed();
    worker.abort();
    println!("{:.0} paid/s, {:.0} captured/s", 12_800.0 / paid.as_secs_f64(), 12_800.0 / all.as_secs_f64());
}
