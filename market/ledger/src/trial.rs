//! The trial balance, and the list of accounts.

use kernel::{Currency, Money, Page, Paging};
use store::{FromRow, Row, StoreError, Tx, args};

use crate::account::Side;
use crate::sql;
use crate::transfer::{Balance, Sums};

/// All accounts of one kind and currency together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KindSums {
    /// The currency.
    pub currency: Currency,
    /// `clearing`, `seller`, ….
    pub kind: String,
    /// On which side they grow.
    pub side: Side,
    /// How many accounts.
    pub accounts: u64,
    /// Their sums.
    pub sums: Sums,
}

/// One account and its sums.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountView {
    /// Its text: `wallet:user-…`.
    pub name: String,
    /// `wallet`.
    pub kind: String,
    /// The currency.
    pub currency: Currency,
    /// On which side it grows.
    pub side: Side,
    /// Its sums.
    pub sums: Sums,
}

impl AccountView {
    /// What it has.
    #[must_use]
    pub const fn balance(&self) -> Balance {
        self.sums.balance(self.side, self.currency)
    }

    /// What stands after the colon of its text.
    #[must_use]
    pub fn owner(&self) -> Option<&str> {
        self.name.split_once(':').map(|(_, owner)| owner)
    }
}

impl KindSums {
    /// What they have together.
    #[must_use]
    pub const fn balance(&self) -> Balance {
        self.sums.balance(self.side, self.currency)
    }
}

/// Which accounts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountFilter {
    /// Only of this kind; all where empty.
    pub kind: String,
    /// Only in this currency; all where empty.
    pub currency: String,
    /// Only of this owner, or the account of this text; all where empty.
    pub owner: String,
}

/// What all accounts of a currency add up to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrialBalance {
    /// The currency.
    pub currency: Currency,
    /// By kind: first what grows by debits.
    pub kinds: Vec<KindSums>,
}

impl TrialBalance {
    /// Balances of what grows by debits, and of what grows by credits: the same, or the books are wrong.
    #[must_use]
    pub fn totals(&self) -> (Money, Money) {
        let total = |side| {
            let kinds = self.kinds.iter().filter(|kind| kind.side == side);
            Money::new(kinds.map(|kind| kind.sums.posted(side)).sum(), self.currency)
        };
        (total(Side::Debit), total(Side::Credit))
    }

    /// Whether both sides are the same.
    #[must_use]
    pub fn is_balanced(&self) -> bool {
        let (debits, credits) = self.totals();
        debits == credits
    }
}

fn currency(row: &Row<'_>, index: usize) -> Result<Currency, StoreError> {
    let bad = |reason: String| StoreError::Decode { statement: "ledger", index, reason };
    row.get::<String>(index)?.parse().map_err(|error| bad(format!("{error}")))
}

fn side(row: &Row<'_>, index: usize) -> Result<Side, StoreError> {
    Ok(if row.get(index)? { Side::Debit } else { Side::Credit })
}

fn sums(row: &Row<'_>) -> Result<Sums, StoreError> {
    Ok(Sums {
        debits: row.get(4)?,
        credits: row.get(5)?,
        pending_debits: row.get(6)?,
        pending_credits: row.get(7)?,
    })
}

impl FromRow for KindSums {
    fn from_row(row: &Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            currency: currency(row, 0)?,
            kind: row.get(1)?,
            side: side(row, 2)?,
            accounts: row.get(3)?,
            sums: sums(row)?,
        })
    }
}

impl FromRow for AccountView {
    fn from_row(row: &Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            name: row.get(0)?,
            kind: row.get(1)?,
            currency: currency(row, 2)?,
            side: side(row, 3)?,
            sums: sums(row)?,
        })
    }
}

/// All accounts by currency and kind.
///
/// # Errors
/// [`StoreError`] as any statement.
pub async fn trial_balance(tx: &mut Tx) -> Result<Vec<TrialBalance>, StoreError> {
    let mut all: Vec<TrialBalance> = Vec::new();
    for kind in tx.all::<KindSums>(&sql::SUM_KINDS, &[]).await? {
        match all.last_mut().filter(|last| last.currency == kind.currency) {
            Some(last) => last.kinds.push(kind),
            None => all.push(TrialBalance { currency: kind.currency, kinds: vec![kind] }),
        }
    }
    Ok(all)
}

/// Accounts with what they have.
///
/// # Errors
/// [`StoreError`] as any statement.
pub async fn accounts(
    tx: &mut Tx,
    filter: &AccountFilter,
    paging: Paging,
) -> Result<Page<AccountView>, StoreError> {
    let AccountFilter { kind, currency, owner } = filter;
    let args = args![kind, currency, owner, paging.limit, paging.offset];
    let items = tx.all(&sql::LIST_ACCOUNTS, args).await?;
    let (total,) = tx.one(&sql::COUNT_ACCOUNTS, args![kind, currency, owner]).await?;
    Ok(Page { items, total })
}
