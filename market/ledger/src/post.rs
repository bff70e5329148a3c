//! Writing into the books.

use kernel::Timestamp;
use store::{Tx, Value, args};

use crate::error::LedgerError;
use crate::transfer::{Change, Entry, NewTransfer, Phase, changes, check};
use crate::{keys, sql};

/// How many numbers each journal has for its transfers.
pub(crate) const LINES: i64 = 256;

/// Posts transfers, all or nothing. `journal` names the business event once and for all (`payment-…/capture`).
/// Amounts of zero are left out.
///
/// # Errors
/// [`LedgerError::AlreadyPosted`] for a second post of the same journal: nothing is written then and the transaction
/// can go on. [`LedgerError::Insufficient`] when a wallet has less: the transaction must be undone.
pub async fn post(
    tx: &mut Tx,
    now: Timestamp,
    journal: &str,
    transfers: &[NewTransfer],
) -> Result<(), LedgerError> {
    write(tx, now, journal, Phase::Posted, transfers).await
}

/// Reserves transfers: they count against what is available at once and move when [`settle`](crate::settle) is
/// called with the same `journal`, or never when [`void`](crate::void) is.
///
/// # Errors
/// As [`post`].
pub async fn reserve(
    tx: &mut Tx,
    now: Timestamp,
    journal: &str,
    transfers: &[NewTransfer],
) -> Result<(), LedgerError> {
    write(tx, now, journal, Phase::Pending, transfers).await
}

async fn write(
    tx: &mut Tx,
    now: Timestamp,
    journal: &str,
    phase: Phase,
    transfers: &[NewTransfer],
) -> Result<(), LedgerError> {
    check(journal, transfers)?;
    let mut entries = Vec::with_capacity(transfers.len());
    let mut guarded = Vec::new();
    for transfer in transfers.iter().filter(|transfer| !transfer.amount.is_zero()) {
        let currency = transfer.amount.currency;
        let debit = keys::open(tx, now, &transfer.debit, currency).await?;
        let credit = keys::open(tx, now, &transfer.credit, currency).await?;
        for (account, key) in [(&transfer.debit, debit), (&transfer.credit, credit)] {
            if account.is_guarded() {
                guarded.push((key, account.to_string(), currency));
            }
        }
        entries.push(Entry {
            phase,
            pending: None,
            debit,
            credit,
            amount: transfer.amount.minor,
            reason: transfer.reason,
            matures_at: transfer.matures_at,
        });
    }
    let seq = open(tx, now, journal).await?;
    for (key, change) in changes(&entries, |key| guarded.iter().any(|(known, ..)| *known == key)) {
        if !apply(tx, key, change).await? {
            let (_, account, currency) =
                guarded.into_iter().find(|(known, ..)| *known == key).ok_or_else(|| malformed(journal))?;
            return Err(LedgerError::Insufficient { account, currency: currency.to_string() });
        }
    }
    insert(tx, seq, &entries).await
}

fn malformed(journal: &str) -> LedgerError {
    LedgerError::Malformed { journal: journal.to_owned(), reason: "its accounts changed under way" }
}

/// Changes a balance row; answers whether the account has enough.
pub(crate) async fn apply(tx: &mut Tx, key: i64, change: Change) -> Result<bool, LedgerError> {
    if change.posted >= 0 && change.reserved == 0 {
        tx.execute(&sql::RAISE_BALANCE, args![key, change.posted]).await?;
        return Ok(true);
    }
    Ok(tx.execute(&sql::CHANGE_BALANCE, args![key, change.posted, change.reserved]).await? == 1)
}

/// Enters the name of a journal; answers the number of its first transfer.
pub(crate) async fn open(tx: &mut Tx, now: Timestamp, journal: &str) -> Result<i64, LedgerError> {
    let inserted: Option<(i64,)> = tx.first(&sql::INSERT_JOURNAL, args![journal, now]).await?;
    inserted.map(|(seq,)| seq * LINES).ok_or_else(|| LedgerError::AlreadyPosted(journal.to_owned()))
}

/// Writes the rows of a journal.
pub(crate) async fn insert(tx: &mut Tx, seq: i64, entries: &[Entry<'_>]) -> Result<(), LedgerError> {
    let rows: Vec<_> = (seq..).zip(entries).map(|(seq, entry)| row(seq, entry)).collect();
    tx.execute_each(&sql::INSERT_TRANSFER, rows.iter().map(<[_; 8]>::as_slice)).await?;
    Ok(())
}

fn row<'a>(seq: i64, entry: &Entry<'a>) -> [Value<'a>; 8] {
    let matures_at = entry.matures_at.map_or(Value::Null, |at| Value::Int(at.micros()));
    let pending = entry.pending.map_or(Value::Null, Value::Int);
    let (phase, reason) = (Value::Int(entry.phase.number()), Value::Text(entry.reason));
    let [seq, debit, credit, amount] = [seq, entry.debit, entry.credit, entry.amount].map(Value::Int);
    [seq, phase, pending, debit, credit, amount, reason, matures_at]
}
