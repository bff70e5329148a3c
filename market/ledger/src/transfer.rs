//! Transfers and what they do to balances: rules without a database.

use std::collections::BTreeMap;

use kernel::{Currency, Money, Timestamp};

use crate::account::{Account, Side};
use crate::error::LedgerError;

/// The most transfers of one journal.
pub const MAX_LINES: usize = 200;
/// The longest name of a journal, in bytes.
pub const MAX_JOURNAL: usize = 160;

/// A movement to be: the same amount on the debit side of one account and the credit side of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTransfer {
    /// Debited: a clearing account gets more, a seller or wallet gets less.
    pub debit: Account,
    /// Credited: a seller or wallet gets more, a clearing account gets less.
    pub credit: Account,
    /// How much; nothing is left out of the books, less than nothing is refused.
    pub amount: Money,
    /// Why, in a word or two: `sale`, `fee`.
    pub reason: &'static str,
    /// From when on what it moves can be paid out; at once where there is none. A refund of a sale that has not
    /// matured names the sale's time too, so that both leave what is maturing together.
    pub matures_at: Option<Timestamp>,
}

impl NewTransfer {
    /// A transfer that matures at once.
    #[must_use]
    pub const fn new(debit: Account, credit: Account, amount: Money, reason: &'static str) -> Self {
        Self { debit, credit, amount, reason, matures_at: None }
    }

    /// The same, to be paid out from `at` on.
    #[must_use]
    pub const fn maturing(mut self, at: Timestamp) -> Self {
        self.matures_at = Some(at);
        self
    }
}

/// What a row of the books does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// It moved at once.
    Posted = 0,
    /// It is reserved, and moves or is given up later.
    Pending = 1,
    /// A pending one moved.
    Settled = 2,
    /// A pending one was given up.
    Voided = 3,
}

impl Phase {
    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Posted => "posted",
            Self::Pending => "pending",
            Self::Settled => "settled",
            Self::Voided => "voided",
        }
    }

    pub(crate) const fn number(self) -> i64 {
        self as i64
    }

    pub(crate) const fn of(number: i64) -> Option<Self> {
        match number {
            0 => Some(Self::Posted),
            1 => Some(Self::Pending),
            2 => Some(Self::Settled),
            3 => Some(Self::Voided),
            _ => None,
        }
    }
}

/// Sums of one account's rows, in minor units: everything a balance is made of. They only ever add up, so a
/// checkpoint of them plus the rows after it are the whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Moved on the debit side.
    pub debits: i64,
    /// Moved on the credit side.
    pub credits: i64,
    /// Reserved on the debit side and not ended.
    pub pending_debits: i64,
    /// Reserved on the credit side and not ended.
    pub pending_credits: i64,
}
store::row!(Sums { debits, credits, pending_debits, pending_credits });

impl Sums {
    /// What has moved, positive on the side on which the account grows.
    #[must_use]
    pub const fn posted(&self, side: Side) -> i64 {
        match side {
            Side::Debit => self.debits - self.credits,
            Side::Credit => self.credits - self.debits,
        }
    }

    /// The balance that they make.
    #[must_use]
    pub const fn balance(&self, side: Side, currency: Currency) -> Balance {
        let (out, incoming) = match side {
            Side::Debit => (self.pending_credits, self.pending_debits),
            Side::Credit => (self.pending_debits, self.pending_credits),
        };
        Balance {
            posted: Money::new(self.posted(side), currency),
            reserved: Money::new(out, currency),
            incoming: Money::new(incoming, currency),
        }
    }
}

/// What an account has, positive on the side on which it grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Balance {
    /// What has moved.
    pub posted: Money,
    /// What pending transfers will take out of it unless they are given up.
    pub reserved: Money,
    /// What pending transfers will bring unless they are given up. It is not available.
    pub incoming: Money,
}

impl Balance {
    /// Nothing.
    #[must_use]
    pub const fn zero(currency: Currency) -> Self {
        let zero = Money::zero(currency);
        Self { posted: zero, reserved: zero, incoming: zero }
    }

    /// What can be spent: posted without what is reserved. Below zero where an unguarded account owes.
    #[must_use]
    pub const fn available(&self) -> Money {
        Money::new(self.posted.minor - self.reserved.minor, self.posted.currency)
    }
}

/// A row of the books about to be written, with the keys of its accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry<'a> {
    pub phase: Phase,
    pub pending: Option<i64>,
    pub debit: i64,
    pub credit: i64,
    pub amount: i64,
    pub reason: &'a str,
    pub matures_at: Option<Timestamp>,
}

/// How a guarded account's balance row changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Change {
    pub posted: i64,
    pub reserved: i64,
}

/// What the entries of one journal do together to each guarded account, in the order of their keys, so that two
/// journals never wait for each other. Guarded accounts grow by credits.
pub(crate) fn changes(entries: &[Entry<'_>], guarded: impl Fn(i64) -> bool) -> BTreeMap<i64, Change> {
    let mut changes = BTreeMap::<i64, Change>::new();
    for entry in entries {
        let (posted, reserved) = match entry.phase {
            Phase::Posted => (entry.amount, 0),
            Phase::Pending => (0, entry.amount),
            Phase::Settled => (entry.amount, -entry.amount),
            Phase::Voided => (0, -entry.amount),
        };
        if guarded(entry.debit) {
            let change = changes.entry(entry.debit).or_default();
            change.posted -= posted;
            change.reserved += reserved;
        }
        if guarded(entry.credit) && posted != 0 {
            changes.entry(entry.credit).or_default().posted += posted;
        }
    }
    changes.retain(|_, change| *change != Change::default());
    changes
}

/// Whether a journal can stand in the books.
pub(crate) fn check(journal: &str, transfers: &[NewTransfer]) -> Result<(), LedgerError> {
    let malformed = |reason| Err(LedgerError::Malformed { journal: journal.to_owned(), reason });
    if journal.is_empty() || journal.len() > MAX_JOURNAL {
        return malformed("its name is empty or too long");
    }
    if transfers.len() > MAX_LINES {
        return malformed("it has too many transfers");
    }
    for transfer in transfers {
        if transfer.amount.minor < 0 || transfer.amount.times(1).is_err() {
            return malformed("an amount is below zero or too large");
        }
        if transfer.debit == transfer.credit {
            return malformed("a transfer has the same account on both sides");
        }
    }
    Ok(())
}
