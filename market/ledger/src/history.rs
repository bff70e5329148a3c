//! Reading what happened: transfers of an account, of journals, of all.

use kernel::{Currency, Money, Page, Paging, Timestamp};
use serde::Serialize;
use store::{FromRow, Row, StoreError, Tx, args};

use crate::account::Account;
use crate::error::LedgerError;
use crate::transfer::Phase;
use crate::{keys, sql};

/// A row of the books.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TransferView {
    /// Its number; later ones are larger within one writer.
    pub seq: i64,
    /// The business event.
    pub journal: String,
    /// When.
    pub at: Timestamp,
    /// What it does.
    pub phase: Phase,
    /// How it ended, for a pending one that has.
    pub ended: Option<Phase>,
    /// The account on the debit side.
    pub debit: String,
    /// The account on the credit side.
    pub credit: String,
    /// How much.
    #[serde(skip)]
    pub amount: Money,
    /// Why.
    pub reason: String,
    /// From when on it can be paid out.
    pub matures_at: Option<Timestamp>,
}

impl TransferView {
    /// Whether money moved: pending and voided ones only reserve and give up.
    #[must_use]
    pub const fn has_moved(&self) -> bool {
        matches!(self.phase, Phase::Posted | Phase::Settled)
    }
}

impl FromRow for TransferView {
    fn from_row(row: &Row<'_>) -> Result<Self, StoreError> {
        let decode = |index, reason: String| StoreError::Decode { statement: "transfers", index, reason };
        let phase = |number: i64, index| Phase::of(number).ok_or_else(|| decode(index, "a phase".to_owned()));
        let currency: Currency =
            row.get::<String>(8)?.parse().map_err(|error| decode(8, format!("{error}")))?;
        Ok(Self {
            seq: row.get(0)?,
            journal: row.get(1)?,
            at: row.get(2)?,
            phase: phase(row.get(3)?, 3)?,
            ended: row.get::<Option<i64>>(4)?.map(|number| phase(number, 4)).transpose()?,
            debit: row.get(5)?,
            credit: row.get(6)?,
            amount: Money::new(row.get(7)?, currency),
            reason: row.get(9)?,
            matures_at: row.get(10)?,
        })
    }
}

/// Which transfers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Which {
    /// All.
    #[default]
    All,
    /// Those of journals whose name begins like this: `order-…` or `payment-…/capture`.
    Journals(String),
    /// Those of an account.
    Account(Account, Currency),
    /// Those of an account that moved or are still reserved: what its owner sees.
    Statement(Account, Currency),
}

impl Which {
    const fn is_statement(&self) -> bool {
        matches!(self, Self::Statement(..))
    }
}

/// The transfers of an account, the newest first.
///
/// # Errors
/// [`LedgerError::Store`].
pub async fn history(
    tx: &mut Tx,
    account: &Account,
    currency: Currency,
    paging: Paging,
) -> Result<Page<TransferView>, LedgerError> {
    transfers(tx, &Which::Account(account.clone(), currency), paging).await
}

/// Transfers, the newest first.
///
/// # Errors
/// [`LedgerError::Store`].
pub async fn transfers(
    tx: &mut Tx,
    which: &Which,
    paging: Paging,
) -> Result<Page<TransferView>, LedgerError> {
    let items = list(tx, which, i64::MAX, paging).await?;
    let (total,): (u64,) = match which {
        Which::All => tx.one(&sql::COUNT_TRANSFERS, args![""]).await?,
        Which::Journals(name) => tx.one(&sql::COUNT_TRANSFERS_OF_JOURNALS, args![name]).await?,
        Which::Account(account, currency) | Which::Statement(account, currency) => {
            match keys::find(tx, account, *currency).await? {
                Some(key) => {
                    tx.one(&sql::COUNT_TRANSFERS_OF_ACCOUNT, args![key, which.is_statement()]).await?
                }
                None => (0,),
            }
        }
    };
    Ok(Page { items, total })
}

/// At most `limit` transfers older than the transfer `before`, the newest first: for exports, which go on with the last
/// one's `seq`. Begin with `i64::MAX`.
///
/// # Errors
/// [`LedgerError::Store`].
pub async fn transfers_before(
    tx: &mut Tx,
    which: &Which,
    before: i64,
    limit: u32,
) -> Result<Vec<TransferView>, LedgerError> {
    list(tx, which, before, Paging { limit, offset: 0 }).await
}

async fn list(
    tx: &mut Tx,
    which: &Which,
    before: i64,
    Paging { limit, offset }: Paging,
) -> Result<Vec<TransferView>, LedgerError> {
    Ok(match which {
        Which::All => tx.all(&sql::LIST_TRANSFERS, args!["", before, limit, offset]).await?,
        Which::Journals(name) => {
            tx.all(&sql::LIST_TRANSFERS_OF_JOURNALS, args![name, before, limit, offset]).await?
        }
        Which::Account(account, currency) | Which::Statement(account, currency) => {
            let Some(key) = keys::find(tx, account, *currency).await? else { return Ok(Vec::new()) };
            // Of each side as many as could be on the page.
            let most = limit.saturating_add(offset);
            let only_own = which.is_statement();
            let args = args![key, before, limit, offset, most, only_own];
            tx.all(&sql::LIST_TRANSFERS_OF_ACCOUNT, args).await?
        }
    })
}
