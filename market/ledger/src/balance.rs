//! What accounts have.

use kernel::{Currency, Money, Timestamp};
use store::{Tx, args};

use crate::account::{Account, Side};
use crate::error::LedgerError;
use crate::transfer::{Balance, Sums};
use crate::{keys, sql};

/// What an account has: posted, reserved, incoming, available. A guarded account answers from its row, others from a
/// checkpoint and the transfers after it.
///
/// # Errors
/// [`LedgerError::Store`].
pub async fn balance(tx: &mut Tx, account: &Account, currency: Currency) -> Result<Balance, LedgerError> {
    let Some(key) = keys::find(tx, account, currency).await? else { return Ok(Balance::zero(currency)) };
    if account.is_guarded() {
        let row: Option<(i64, i64)> = tx.first(&sql::FIND_BALANCE, args![key]).await?;
        let (posted, reserved) = row.unwrap_or_default();
        let (incoming,) = tx.one(&sql::SUM_INCOMING, args![key]).await?;
        return Ok(Balance {
            posted: Money::new(posted, currency),
            reserved: Money::new(reserved, currency),
            incoming: Money::new(incoming, currency),
        });
    }
    let sums: Sums = tx.one(&sql::SUM_ACCOUNT, args![key]).await?;
    Ok(sums.balance(account.side(), currency))
}

/// What of the posted credits of an account matures after `now`, less the debits that mature with them: it is in the
/// balance, and cannot be paid out yet.
///
/// # Errors
/// [`LedgerError::Store`].
pub async fn maturing(
    tx: &mut Tx,
    now: Timestamp,
    account: &Account,
    currency: Currency,
) -> Result<Money, LedgerError> {
    let Some(key) = keys::find(tx, account, currency).await? else { return Ok(Money::zero(currency)) };
    let (minor,) = tx.one(&sql::SUM_MATURING, args![key, now]).await?;
    Ok(Money::new(minor, currency))
}

/// What had moved in an account before the transfer `before`, positive on its side: where the running balance of a
/// page of its history begins. `i64::MAX` for now.
///
/// # Errors
/// [`LedgerError::Store`].
pub async fn balance_before(
    tx: &mut Tx,
    account: &Account,
    currency: Currency,
    before: i64,
) -> Result<Money, LedgerError> {
    let now = balance(tx, account, currency).await?.posted;
    let Some(key) = keys::find(tx, account, currency).await?.filter(|_| before < i64::MAX) else {
        return Ok(now);
    };
    let (credits,): (i64,) = tx.one(&sql::SUM_MOVED_SINCE, args![key, before]).await?;
    let since = if account.side() == Side::Debit { -credits } else { credits };
    Ok(Money::new(now.minor - since, currency))
}
