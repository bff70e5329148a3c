//! The keys of accounts. They never change, so each process looks each of them up once.

use std::collections::HashMap;
use std::sync::{LazyLock, PoisonError, RwLock};

use kernel::{Currency, Timestamp};
use store::{StoreError, Tx, args};

use crate::account::{Account, Side};
use crate::sql;

/// How many keys of one database are remembered before all are forgotten: some tens of megabytes.
const MAX_KEYS: usize = 200_000;

type Keys = HashMap<Currency, HashMap<Account, i64>>;

/// By database, since a process may open several.
static KEYS: LazyLock<RwLock<HashMap<u64, Keys>>> = LazyLock::new(RwLock::default);

fn known(database: u64, account: &Account, currency: Currency) -> Option<i64> {
    let keys = KEYS.read().unwrap_or_else(PoisonError::into_inner);
    keys.get(&database)?.get(&currency)?.get(account).copied()
}

/// Only after the commit: until then the row may still be undone, and its key given to another account.
fn remember(tx: &mut Tx, account: &Account, currency: Currency, key: i64) {
    let (database, account) = (tx.database(), account.clone());
    tx.after_commit(move || {
        let mut keys = KEYS.write().unwrap_or_else(PoisonError::into_inner);
        let keys = keys.entry(database).or_default().entry(currency).or_default();
        if keys.len() >= MAX_KEYS {
            keys.clear();
        }
        keys.insert(account, key);
    });
}

/// The key of an account if the books know it.
pub(crate) async fn find(
    tx: &mut Tx,
    account: &Account,
    currency: Currency,
) -> Result<Option<i64>, StoreError> {
    if let Some(key) = known(tx.database(), account, currency) {
        return Ok(Some(key));
    }
    let found = tx.first(&sql::FIND_ACCOUNT, args![account.to_string(), currency.code()]).await?;
    let Some((key,)) = found else { return Ok(None) };
    remember(tx, account, currency, key);
    Ok(Some(key))
}

/// The key of an account; the account is opened where the books do not know it.
pub(crate) async fn open(
    tx: &mut Tx,
    now: Timestamp,
    account: &Account,
    currency: Currency,
) -> Result<i64, StoreError> {
    if let Some(key) = find(tx, account, currency).await? {
        return Ok(key);
    }
    let (name, debit_normal) = (account.to_string(), account.side() == Side::Debit);
    let (code, guarded) = (currency.code(), account.is_guarded());
    // On PostgreSQL another transaction may open it at the same moment: this one is then run again.
    let (key,) =
        tx.one(&sql::INSERT_ACCOUNT, args![name, account.kind(), code, debit_normal, guarded, now]).await?;
    remember(tx, account, currency, key);
    Ok(key)
}
