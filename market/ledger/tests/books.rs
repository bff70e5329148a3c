//! What the books promise, on SQLite and on PostgreSQL.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use identity::AccountId;
use kernel::{Currency, Money, Paging, Timestamp};
use ledger::{Account, Balance, LedgerError, NewTransfer, Phase, Which};
use store::{Migrations, Store, StoreError, Tx, args, sql, testing};

const MIGRATIONS: &[Migrations] = &[ledger::MIGRATIONS];
const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

fn usd(minor: i64) -> Money {
    Money::new(minor, Currency::USD)
}

fn ada() -> AccountId {
    "user-ada".parse().unwrap()
}

fn clearing() -> Account {
    Account::Clearing("sandbox")
}

fn wallet() -> Account {
    Account::Wallet(ada())
}

fn top_up(minor: i64) -> Vec<NewTransfer> {
    vec![NewTransfer::new(clearing(), wallet(), usd(minor), "top-up")]
}

/// A sale of 66.16: the seller's part matures in a week.
fn sale() -> Vec<NewTransfer> {
    let seller = NewTransfer::new(clearing(), Account::Seller(ada()), usd(5400), "sale");
    vec![
        seller.maturing(NOW.after(Duration::from_secs(7 * 86_400))),
        NewTransfer::new(clearing(), Account::PlatformFees, usd(600), "fee"),
        NewTransfer::new(clearing(), Account::Tax, usd(616), "tax"),
    ]
}

async fn post(store: &Store, journal: &str, transfers: Vec<NewTransfer>) -> Result<(), LedgerError> {
    let journal = journal.to_owned();
    store.write(async move |tx: &mut Tx| ledger::post(tx, NOW, &journal, &transfers).await).await
}

async fn reserve(store: &Store, journal: &str, transfers: Vec<NewTransfer>) -> Result<(), LedgerError> {
    let journal = journal.to_owned();
    store.write(async move |tx: &mut Tx| ledger::reserve(tx, NOW, &journal, &transfers).await).await
}

async fn end(store: &Store, journal: &str, phase: Phase) -> Result<(), LedgerError> {
    let journal = journal.to_owned();
    let work = async move |tx: &mut Tx| match phase {
        Phase::Settled => ledger::settle(tx, NOW, &journal).await,
        _ => ledger::void(tx, NOW, &journal).await,
    };
    store.write(work).await
}

async fn balance(store: &Store, account: Account) -> Balance {
    let look = async move |tx: &mut Tx| ledger::balance(tx, &account, Currency::USD).await;
    store.read(look).await.unwrap()
}

async fn findings(store: &Store) -> Vec<ledger::Finding> {
    store.read(async |tx: &mut Tx| ledger::audit(tx).await).await.unwrap()
}

#[tokio::test]
async fn a_sale_is_posted_once_and_adds_up() {
    testing::both(MIGRATIONS, async |store| {
        post(&store, "payment-1/capture", sale()).await.unwrap();
        let again = post(&store, "payment-1/capture", sale()).await;
        assert!(matches!(again, Err(LedgerError::AlreadyPosted(_))), "{again:?}");
        assert_eq!(balance(&store, clearing()).await.posted, usd(6616));
        assert_eq!(balance(&store, Account::Seller(ada())).await.available(), usd(5400));
        assert_eq!(balance(&store, Account::PlatformFees).await.posted, usd(600));
        let trial = store.read(async |tx: &mut Tx| ledger::trial_balance(tx).await).await.unwrap();
        assert_eq!(trial.len(), 1);
        assert_eq!(trial[0].totals(), (usd(6616), usd(6616)));
        assert_eq!(findings(&store).await, []);
    })
    .await;
}

/// The caller may treat a second post as done and go on in the same transaction.
#[tokio::test]
async fn a_transaction_goes_on_after_a_second_post() {
    testing::both(MIGRATIONS, async |store| {
        post(&store, "payment-1/capture", sale()).await.unwrap();
        let work = async |tx: &mut Tx| {
            match ledger::post(tx, NOW, "payment-1/capture", &top_up(100)).await {
                Err(LedgerError::AlreadyPosted(_)) => {}
                other => panic!("{other:?}"),
            }
            ledger::post(tx, NOW, "payment-2/capture", &top_up(200)).await
        };
        store.write(work).await.unwrap();
        assert_eq!(balance(&store, wallet()).await.posted, usd(200));
    })
    .await;
}

#[tokio::test]
async fn what_is_reserved_is_not_available_and_ends_once() {
    testing::both(MIGRATIONS, async |store| {
        post(&store, "top-up", top_up(1000)).await.unwrap();
        let spend = || vec![NewTransfer::new(wallet(), Account::PlatformFees, usd(700), "fee")];
        reserve(&store, "spend-1", spend()).await.unwrap();
        let held = balance(&store, wallet()).await;
        assert_eq!((held.posted, held.reserved, held.available()), (usd(1000), usd(700), usd(300)));
        let more = reserve(&store, "spend-2", spend()).await;
        assert!(matches!(more, Err(LedgerError::Insufficient { .. })), "{more:?}");
        assert_eq!(balance(&store, Account::PlatformFees).await.incoming, usd(700));

        end(&store, "spend-1", Phase::Voided).await.unwrap();
        assert_eq!(balance(&store, wallet()).await.available(), usd(1000));
        let late = end(&store, "spend-1", Phase::Settled).await;
        assert!(matches!(late, Err(LedgerError::AlreadyEnded { settled: false, .. })), "{late:?}");

        // The refused name was undone with its transaction, so it can be used.
        reserve(&store, "spend-2", spend()).await.unwrap();
        end(&store, "spend-2", Phase::Settled).await.unwrap();
        let paid = balance(&store, wallet()).await;
        assert_eq!((paid.posted, paid.reserved), (usd(300), usd(0)));
        assert_eq!(balance(&store, Account::PlatformFees).await.posted, usd(700));
        let late = end(&store, "spend-2", Phase::Voided).await;
        assert!(matches!(late, Err(LedgerError::AlreadyEnded { settled: true, .. })), "{late:?}");
        let never = end(&store, "spend-3", Phase::Voided).await;
        assert!(matches!(never, Err(LedgerError::NothingReserved(_))), "{never:?}");
        assert_eq!(findings(&store).await, []);
    })
    .await;
}

#[tokio::test]
async fn two_ends_at_once_leave_one() {
    testing::both(MIGRATIONS, async |store| {
        post(&store, "top-up", top_up(1000)).await.unwrap();
        for round in 0..10 {
            let journal = format!("spend-{round}");
            let spend = vec![NewTransfer::new(wallet(), Account::Tax, usd(100), "tax")];
            reserve(&store, &journal, spend).await.unwrap();
            let (settled, voided) =
                tokio::join!(end(&store, &journal, Phase::Settled), end(&store, &journal, Phase::Voided));
            assert!(settled.is_ok() != voided.is_ok(), "{settled:?} {voided:?}");
        }
        assert_eq!(balance(&store, wallet()).await.reserved, usd(0));
        assert_eq!(findings(&store).await, []);
    })
    .await;
}

#[tokio::test]
async fn a_wallet_never_goes_below_zero_whoever_spends_at_once() {
    testing::both(MIGRATIONS, async |store| {
        post(&store, "top-up", top_up(1000)).await.unwrap();
        let spend = |n: i64| {
            let (store, journal) = (store.clone(), format!("spend-{n}"));
            let transfers = vec![NewTransfer::new(wallet(), Account::Tax, usd(90), "tax")];
            async move {
                match n % 2 {
                    0 => post(&store, &journal, transfers).await,
                    _ => reserve(&store, &journal, transfers).await,
                }
            }
        };
        let mut spends = tokio::task::JoinSet::new();
        (0..32).for_each(|n| {
            spends.spawn(spend(n));
        });
        let outcomes = spends.join_all().await;
        let spent = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        for outcome in outcomes {
            assert!(matches!(outcome, Ok(()) | Err(LedgerError::Insufficient { .. })), "{outcome:?}");
        }
        assert_eq!(spent, 11);
        assert_eq!(balance(&store, wallet()).await.available(), usd(10));
        assert_eq!(findings(&store).await, []);
    })
    .await;
}

#[tokio::test]
async fn one_business_event_is_posted_once_whoever_posts_it_at_once() {
    testing::both(MIGRATIONS, async |store| {
        let mut posts = tokio::task::JoinSet::new();
        for _ in 0..16 {
            let store = store.clone();
            posts.spawn(async move { post(&store, "payment-1/capture", sale()).await });
        }
        let outcomes = posts.join_all().await;
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{outcomes:?}");
        assert_eq!(balance(&store, clearing()).await.posted, usd(6616));
    })
    .await;
}

#[tokio::test]
async fn a_sale_matures_and_its_refund_leaves_with_it() {
    testing::both(MIGRATIONS, async |store| {
        let later = NOW.after(Duration::from_secs(8 * 86_400));
        let maturing = async |now| {
            let look = async move |tx: &mut Tx| {
                ledger::maturing(tx, now, &Account::Seller(ada()), Currency::USD).await
            };
            store.read(look).await.unwrap()
        };
        post(&store, "payment-1/capture", sale()).await.unwrap();
        assert_eq!((maturing(NOW).await, maturing(later).await), (usd(5400), usd(0)));
        let refund = NewTransfer::new(Account::Seller(ada()), clearing(), usd(400), "refund");
        let refund = refund.maturing(NOW.after(Duration::from_secs(7 * 86_400)));
        reserve(&store, "refund-1", vec![refund]).await.unwrap();
        assert_eq!(maturing(NOW).await, usd(5400));
        end(&store, "refund-1", Phase::Settled).await.unwrap();
        assert_eq!((maturing(NOW).await, maturing(later).await), (usd(5000), usd(0)));
    })
    .await;
}

#[tokio::test]
async fn what_cannot_stand_in_the_books_is_refused() {
    testing::both(MIGRATIONS, async |store| {
        let same = NewTransfer::new(clearing(), clearing(), usd(1), "mistake");
        let negative = NewTransfer::new(clearing(), wallet(), usd(-1), "mistake");
        for (journal, transfer) in [("a", same), ("b", negative.clone())] {
            let refused = post(&store, journal, vec![transfer]).await;
            assert!(matches!(refused, Err(LedgerError::Malformed { .. })), "{refused:?}");
        }
        let long = "x".repeat(ledger::MAX_JOURNAL + 1);
        for journal in ["", long.as_str()] {
            assert!(matches!(post(&store, journal, sale()).await, Err(LedgerError::Malformed { .. })));
        }
        // What costs nothing is left out, but has happened.
        post(&store, "free", top_up(0)).await.unwrap();
        assert!(matches!(post(&store, "free", top_up(0)).await, Err(LedgerError::AlreadyPosted(_))));
    })
    .await;
}

sql! {
    UPDATE_TRANSFER = "update ledger_transfer set amount = amount + 1";
    DELETE_TRANSFER = "delete from ledger_transfer";
    UPDATE_JOURNAL = "update ledger_journal set name = name || 'x'";
    DELETE_JOURNAL = "delete from ledger_journal";
    UPDATE_ACCOUNT = "update ledger_account set currency = 'EUR'";
    DELETE_ACCOUNT = "delete from ledger_account";
    REPLACE_TRANSFER = "insert or replace into ledger_transfer (seq, phase, debit, credit, amount, reason) \
        values (256, 0, 1, 2, 1, 'theft')", postgres "truncate ledger_transfer";
    REPLACE_JOURNAL = "insert or replace into ledger_journal (seq, name, created_at) values (1, 'other', 0)",
        postgres "truncate ledger_journal";
    REPLACE_ACCOUNT = "insert or replace into ledger_account \
        (key, name, kind, currency, debit_normal, guarded, created_at) values (1, 'x', 'x', 'USD', 0, 0, 0)",
        postgres "truncate ledger_account cascade";
    BREAK_BALANCE = "update ledger_balance set posted = reserved - 1";
}

#[tokio::test]
async fn the_database_refuses_to_rewrite_the_books() {
    testing::both(MIGRATIONS, async |store| {
        post(&store, "top-up", top_up(1000)).await.unwrap();
        for statement in [
            &UPDATE_TRANSFER,
            &DELETE_TRANSFER,
            &UPDATE_JOURNAL,
            &DELETE_JOURNAL,
            &UPDATE_ACCOUNT,
            &DELETE_ACCOUNT,
            &REPLACE_TRANSFER,
            &REPLACE_JOURNAL,
            &REPLACE_ACCOUNT,
            &BREAK_BALANCE,
        ] {
            let work = async move |tx: &mut Tx| tx.execute(statement, &[]).await;
            let refused: Result<u64, StoreError> = store.write(work).await;
            assert!(matches!(refused, Err(StoreError::Constraint(_))), "{} {refused:?}", statement.name());
        }
        assert_eq!(balance(&store, wallet()).await.posted, usd(1000));
    })
    .await;
}

sql! {
    PLANT_ACCOUNT = "insert into ledger_account (name, kind, currency, debit_normal, guarded, created_at) \
        values ('tax', 'tax', 'EUR', 0, 0, 0) returning key";
    PLANT_JOURNAL = "insert into ledger_journal (name, created_at) values ('planted', 0) returning seq";
    PLANT = "insert into ledger_transfer (seq, phase, pending, debit, credit, amount, reason) \
        values ($1, $2, $3, $4, $5, $6, 'planted')";
    PLANT_BALANCE = "update ledger_balance set posted = posted + 1";
    PLANT_CHECKPOINT = "insert into ledger_checkpoint (account, debits, credits, pending_debits, pending_credits) \
        values (1, 5, 0, 0, 0)";
    FIND_KEYS = "select debit, credit from ledger_transfer where seq = 256";
}

/// Each row that breaks a rule is found, whoever wrote it.
#[tokio::test]
async fn the_audit_finds_what_must_never_be() {
    testing::both(MIGRATIONS, async |store| {
        post(&store, "top-up", top_up(1000)).await.unwrap();
        assert_eq!(findings(&store).await, []);
        let plant = async |tx: &mut Tx| {
            let (debit, credit): (i64, i64) = tx.one(&FIND_KEYS, &[]).await?;
            let (euros,): (i64,) = tx.one(&PLANT_ACCOUNT, &[]).await?;
            let (seq,): (i64,) = tx.one(&PLANT_JOURNAL, &[]).await?;
            let nothing: Option<i64> = None;
            tx.execute(&PLANT, args![seq * 256, 0, nothing, debit, 999, 5]).await?;
            tx.execute(&PLANT, args![seq * 256 + 1, 0, nothing, debit, euros, 5]).await?;
            tx.execute(&PLANT, args![seq * 256 + 2, 3, 256, debit, credit, 1000]).await?;
            tx.execute(&PLANT_BALANCE, &[]).await?;
            tx.execute(&PLANT_CHECKPOINT, &[]).await?;
            Ok::<_, StoreError>(())
        };
        store.write(plant).await.unwrap();
        let mut rules: Vec<_> = findings(&store).await.into_iter().map(|finding| finding.rule).collect();
        rules.dedup();
        assert_eq!(rules, ["orphan", "currencies", "end", "unbalanced", "balance", "checkpoint"]);
        // A second end of one pending transfer cannot even be planted.
        let twice = async |tx: &mut Tx| {
            let (debit, credit): (i64, i64) = tx.one(&FIND_KEYS, &[]).await?;
            tx.execute(&PLANT, args![9999, 2, 256, debit, credit, 1000]).await
        };
        let refused: Result<u64, StoreError> = store.write(twice).await;
        assert!(matches!(refused, Err(StoreError::Unique(_))), "{refused:?}");
    })
    .await;
}

#[tokio::test]
async fn balances_are_the_same_before_and_after_checkpoints() {
    testing::both(MIGRATIONS, async |store| {
        let all = [clearing(), wallet(), Account::Seller(ada()), Account::PlatformFees, Account::Tax];
        post(&store, "top-up", top_up(1000)).await.unwrap();
        for round in 0..5 {
            post(&store, &format!("payment-{round}/capture"), sale()).await.unwrap();
            let spend = vec![NewTransfer::new(Account::Seller(ada()), clearing(), usd(100), "payout")];
            reserve(&store, &format!("payout-{round}"), spend).await.unwrap();
            let mut before = Vec::new();
            for account in &all {
                before.push(balance(&store, account.clone()).await);
            }
            ledger::condense(&store).await.unwrap();
            ledger::condense(&store).await.unwrap();
            for (account, before) in all.iter().zip(before) {
                assert_eq!(balance(&store, account.clone()).await, before, "{account} in round {round}");
            }
            let phase = if round % 2 == 0 { Phase::Settled } else { Phase::Voided };
            end(&store, &format!("payout-{round}"), phase).await.unwrap();
        }
        let seller = balance(&store, Account::Seller(ada())).await;
        assert_eq!((seller.posted, seller.reserved), (usd(5 * 5400 - 300), usd(0)));
        assert_eq!(findings(&store).await, []);
        let filter = ledger::AccountFilter { kind: "seller".to_owned(), ..Default::default() };
        let list = async move |tx: &mut Tx| ledger::accounts(tx, &filter, Paging::default()).await;
        let list = store.read(list).await.unwrap();
        assert_eq!((list.total, list.items[0].balance()), (1, seller));
    })
    .await;
}

#[tokio::test]
async fn history_can_be_paged_and_searched() {
    testing::both(MIGRATIONS, async |store| {
        post(&store, "top-up-1", top_up(1000)).await.unwrap();
        for round in 0..5 {
            let spend = vec![NewTransfer::new(wallet(), Account::Tax, usd(10), "tax")];
            reserve(&store, &format!("spend-{round}"), spend).await.unwrap();
        }
        end(&store, "spend-3", Phase::Settled).await.unwrap();
        let list = async |which: Which, limit, offset| {
            let look = async move |tx: &mut Tx| ledger::transfers(tx, &which, Paging { limit, offset }).await;
            store.read(look).await.unwrap()
        };
        let own = Which::Account(wallet(), Currency::USD);
        let page = list(own.clone(), 3, 1).await;
        assert_eq!(page.total, 7);
        let names: Vec<_> = page.items.iter().map(|item| item.journal.as_str()).collect();
        assert_eq!(names, ["spend-4", "spend-3", "spend-2"]);
        assert_eq!(page.items[1].ended, Some(Phase::Settled));
        assert_eq!((page.items[1].debit.as_str(), page.items[1].amount), ("wallet:user-ada", usd(10)));
        let found = list(Which::Journals("spend-3".to_owned()), 10, 0).await;
        let phases: Vec<_> = found.items.iter().map(|item| (item.phase, item.has_moved())).collect();
        assert_eq!((found.total, phases), (2, vec![(Phase::Settled, true), (Phase::Pending, false)]));
        assert_eq!(list(Which::All, 10, 0).await.total, 7);
        let nobody = Account::Wallet("user-nobody".parse().unwrap());
        assert_eq!(list(Which::Account(nobody, Currency::USD), 10, 0).await.total, 0);

        // An export goes on where it was, whatever is written meanwhile.
        let (mut before, mut seen) = (i64::MAX, Vec::new());
        loop {
            let own = own.clone();
            let look = async move |tx: &mut Tx| ledger::transfers_before(tx, &own, before, 2).await;
            let some = store.read(look).await.unwrap();
            let Some(last) = some.last() else { break };
            before = last.seq;
            seen.extend(some.into_iter().map(|item| item.seq));
            post(&store, &format!("meanwhile-{before}"), top_up(1)).await.unwrap();
        }
        assert_eq!(seen.len(), 7);
        assert!(seen.is_sorted_by(|a, b| a > b), "{seen:?}");
    })
    .await;
}
