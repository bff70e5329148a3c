//! Ending what was reserved.

use kernel::Timestamp;
use store::{Tx, args};

use crate::error::LedgerError;
use crate::post::{apply, insert, open};
use crate::sql;
use crate::transfer::{Entry, Phase, changes};

/// A pending transfer, and how it ended if it did.
struct Reserved {
    seq: i64,
    debit: i64,
    credit: i64,
    amount: i64,
    reason: String,
    matures_at: Option<Timestamp>,
    debit_guarded: bool,
    credit_guarded: bool,
    ended: Option<i64>,
}
store::row!(Reserved {
    seq,
    debit,
    credit,
    amount,
    reason,
    matures_at,
    debit_guarded,
    credit_guarded,
    ended,
});

/// Lets everything that was reserved under `journal` move.
///
/// # Errors
/// [`LedgerError::NothingReserved`]; [`LedgerError::AlreadyEnded`] for a second end.
pub async fn settle(tx: &mut Tx, now: Timestamp, journal: &str) -> Result<(), LedgerError> {
    end(tx, now, journal, Phase::Settled).await
}

/// Gives up everything that was reserved under `journal`.
///
/// # Errors
/// As [`settle`].
pub async fn void(tx: &mut Tx, now: Timestamp, journal: &str) -> Result<(), LedgerError> {
    end(tx, now, journal, Phase::Voided).await
}

async fn end(tx: &mut Tx, now: Timestamp, journal: &str, phase: Phase) -> Result<(), LedgerError> {
    let reserved: Vec<Reserved> = tx.all(&sql::LIST_RESERVED, args![journal]).await?;
    if reserved.is_empty() {
        return Err(LedgerError::NothingReserved(journal.to_owned()));
    }
    if let Some(ended) = reserved.iter().find_map(|row| row.ended) {
        let settled = ended == Phase::Settled.number();
        return Err(LedgerError::AlreadyEnded { journal: journal.to_owned(), settled });
    }
    let entries: Vec<_> = reserved
        .iter()
        .map(|row| Entry {
            phase,
            pending: Some(row.seq),
            debit: row.debit,
            credit: row.credit,
            amount: row.amount,
            reason: &row.reason,
            matures_at: row.matures_at,
        })
        .collect();
    let seq = open(tx, now, &format!("{journal}/{}", phase.name())).await?;
    let guarded = |key| {
        reserved
            .iter()
            .any(|row| (row.debit == key && row.debit_guarded) || (row.credit == key && row.credit_guarded))
    };
    for (key, change) in changes(&entries, guarded) {
        if !apply(tx, key, change).await? {
            let reason = "its reservation is not in the balance row";
            return Err(LedgerError::Malformed { journal: journal.to_owned(), reason });
        }
    }
    insert(tx, seq, &entries).await
}
