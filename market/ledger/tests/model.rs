//! Random business against a model of it: the books always say what the model says.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::HashMap;

use kernel::{Currency, Money, Timestamp};
use ledger::{Account, LedgerError, NewTransfer};
use proptest::prelude::*;
use store::{Store, Tx, testing};

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
const CURRENCIES: [Currency; 2] = [Currency::USD, Currency::EUR];

fn account(number: usize) -> Account {
    match number {
        0 => Account::Clearing("sandbox"),
        1 => Account::PlatformFees,
        2 => Account::Seller("user-ada".parse().unwrap()),
        3 => Account::Wallet("user-ada".parse().unwrap()),
        _ => Account::Wallet("user-bob".parse().unwrap()),
    }
}

/// Debit, credit and amount of each transfer.
type Lines = Vec<(usize, usize, i64)>;

#[derive(Clone, Debug)]
enum Step {
    Post(Lines),
    Reserve(Lines),
    Settle(usize),
    Void(usize),
    Condense,
}

fn step() -> impl Strategy<Value = Step> {
    let line = (0..5_usize, 0..5_usize, 0..1000_i64);
    let line = line.prop_filter("two accounts", |(debit, credit, _)| debit != credit);
    let lines = prop::collection::vec(line, 1..6);
    prop_oneof![
        4 => lines.clone().prop_map(Step::Post),
        3 => lines.prop_map(Step::Reserve),
        2 => (0..12_usize).prop_map(Step::Settle),
        2 => (0..12_usize).prop_map(Step::Void),
        1 => Just(Step::Condense),
    ]
}

/// What the books should say: credits less debits, and what is reserved on the debit side, by account and currency.
#[derive(Clone, Default)]
struct Model {
    posted: HashMap<(usize, Currency), i64>,
    reserved: HashMap<(usize, Currency), i64>,
    /// By the number of the step, with whether it has ended.
    pending: HashMap<usize, (Currency, Lines, bool)>,
}

impl Model {
    fn moved(&mut self, currency: Currency, lines: &[(usize, usize, i64)]) {
        for (debit, credit, amount) in lines {
            *self.posted.entry((*debit, currency)).or_default() -= amount;
            *self.posted.entry((*credit, currency)).or_default() += amount;
        }
    }

    fn reserved(&mut self, currency: Currency, lines: &[(usize, usize, i64)], sign: i64) {
        for (debit, _, amount) in lines {
            *self.reserved.entry((*debit, currency)).or_default() += sign * amount;
        }
    }

    fn has_wallets_below_zero(&self) -> bool {
        let of = |map: &HashMap<_, i64>, key| map.get(&key).copied().unwrap_or_default();
        let keys = CURRENCIES.into_iter().flat_map(|currency| [(3, currency), (4, currency)]);
        keys.into_iter().any(|key| of(&self.posted, key) < of(&self.reserved, key))
    }
}

async fn run(store: &Store, steps: Vec<Step>) {
    let mut model = Model::default();
    for (number, step) in steps.into_iter().enumerate() {
        let currency = CURRENCIES[number % 2];
        let mut next = model.clone();
        let transfers = |lines: &[(usize, usize, i64)]| -> Vec<NewTransfer> {
            let transfer = |(debit, credit, amount): &(usize, usize, i64)| {
                NewTransfer::new(account(*debit), account(*credit), Money::new(*amount, currency), "test")
            };
            lines.iter().map(transfer).collect()
        };
        let journal = format!("journal-{number}");
        match step {
            Step::Post(lines) => {
                next.moved(currency, &lines);
                let all = transfers(&lines);
                let done =
                    store.write(async move |tx: &mut Tx| ledger::post(tx, NOW, &journal, &all).await).await;
                model = judge(model, next, done);
            }
            Step::Reserve(lines) => {
                next.reserved(currency, &lines, 1);
                let some = lines.iter().any(|(.., amount)| *amount > 0);
                next.pending.insert(number, (currency, lines.clone(), !some));
                let all = transfers(&lines);
                let done = store
                    .write(async move |tx: &mut Tx| ledger::reserve(tx, NOW, &journal, &all).await)
                    .await;
                model = judge(model, next, done);
            }
            Step::Settle(which) | Step::Void(which) => {
                let settles = matches!(step, Step::Settle(_));
                let name = format!("journal-{which}");
                let work = async move |tx: &mut Tx| match settles {
                    true => ledger::settle(tx, NOW, &name).await,
                    false => ledger::void(tx, NOW, &name).await,
                };
                let done = store.write(work).await;
                match model.pending.get(&which) {
                    Some((currency, lines, false)) => {
                        next.reserved(*currency, lines, -1);
                        if settles {
                            next.moved(*currency, lines);
                        }
                        next.pending.get_mut(&which).unwrap().2 = true;
                        // What was reserved always ends as it wishes.
                        assert!(done.is_ok(), "{done:?}");
                        model = next;
                    }
                    _ => assert!(
                        matches!(
                            done,
                            Err(LedgerError::NothingReserved(_) | LedgerError::AlreadyEnded { .. })
                        ),
                        "{done:?}"
                    ),
                }
            }
            Step::Condense => ledger::condense(store).await.unwrap(),
        }
    }
    compare(store, &model).await;
}

/// The books refuse exactly what would leave a wallet below zero.
fn judge(before: Model, after: Model, done: Result<(), LedgerError>) -> Model {
    match done {
        Ok(()) => {
            assert!(!after.has_wallets_below_zero());
            after
        }
        Err(LedgerError::Insufficient { .. }) => {
            assert!(after.has_wallets_below_zero());
            before
        }
        Err(other) => panic!("{other:?}"),
    }
}

async fn compare(store: &Store, model: &Model) {
    for currency in CURRENCIES {
        for number in 0..5 {
            let which = account(number);
            let is_clearing = number == 0;
            let look = async move |tx: &mut Tx| ledger::balance(tx, &which, currency).await;
            let balance = store.read(look).await.unwrap();
            let posted = model.posted.get(&(number, currency)).copied().unwrap_or_default();
            let posted = if is_clearing { -posted } else { posted };
            assert_eq!(balance.posted.minor, posted, "{} {currency}", account(number));
            let reserved = model.reserved.get(&(number, currency)).copied().unwrap_or_default();
            let found = if is_clearing { balance.incoming } else { balance.reserved };
            assert_eq!(found.minor, reserved, "{} {currency}", account(number));
        }
    }
    let trial = store.read(async |tx: &mut Tx| ledger::trial_balance(tx).await).await.unwrap();
    assert!(trial.iter().all(ledger::TrialBalance::is_balanced), "{trial:?}");
    assert_eq!(store.read(async |tx: &mut Tx| ledger::audit(tx).await).await.unwrap(), []);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn the_books_say_what_happened(steps in prop::collection::vec(step(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let store = testing::sqlite(folder.path(), &[ledger::MIGRATIONS]).await;
            run(&store, steps).await;
        });
    }
}

/// The same once on both databases, with steps that were chosen by hand.
#[tokio::test]
async fn a_long_day_on_both_databases() {
    let lines = |seed: usize| {
        (0..4)
            .map(|n| ((seed + n) % 5, (seed + n + 1 + n % 3) % 5, (seed * 37 % 400) as i64 + 1))
            .collect::<Vec<_>>()
    };
    let steps: Vec<Step> = (0..60)
        .map(|n| match n % 6 {
            0 | 1 => Step::Post(lines(n)),
            2 | 3 => Step::Reserve(lines(n + 1)),
            4 => Step::Settle(n.saturating_sub(2)),
            _ if n % 12 == 5 => Step::Void(n.saturating_sub(2)),
            _ => Step::Condense,
        })
        .collect();
    testing::both(&[ledger::MIGRATIONS], async |store| run(&store, steps.clone()).await).await;
}
