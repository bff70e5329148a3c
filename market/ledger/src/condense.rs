//! Moving the checkpoints forward, so that balances add up only what is new.

use store::{Store, StoreError, Tx, args};

use crate::post::LINES;
use crate::sql;

/// How many journals one transaction condenses: tens of milliseconds, in which other writers wait.
const STEP: i64 = 20_000 * LINES;

/// How far checkpoints reach, and how far they may go next.
struct Horizon {
    condensed: i64,
    next: i64,
    mark: i64,
}
store::row!(Horizon { condensed, next, mark });

/// Brings the checkpoints as far forward as is safe. To be called once in a while; on PostgreSQL each call reaches to
/// where the call before it saw the end of the books, once all transactions of that time have ended.
///
/// # Errors
/// [`StoreError`] as any statement; what was condensed stays.
pub async fn condense(store: &Store) -> Result<(), StoreError> {
    while store.write(step).await? {}
    store.write(look_ahead).await?;
    // Where one process writes alone, what was just seen is complete.
    while store.write(step).await? {}
    Ok(())
}

/// Condenses some; answers whether there is more.
async fn step(tx: &mut Tx) -> Result<bool, StoreError> {
    let horizon: Horizon = tx.one(&sql::FIND_HORIZON, &[]).await?;
    let (passed,): (bool,) = tx.one(&sql::HAS_MARK_PASSED, args![horizon.mark]).await?;
    if !passed || horizon.condensed >= horizon.next {
        return Ok(false);
    }
    let to = horizon.next.min(horizon.condensed + STEP);
    tx.execute(&sql::CONDENSE, args![horizon.condensed, to]).await?;
    tx.execute(&sql::SET_HORIZON, args![to, horizon.next, horizon.mark]).await?;
    Ok(to < horizon.next)
}

/// Sets where the next call may reach to.
async fn look_ahead(tx: &mut Tx) -> Result<(), StoreError> {
    let horizon: Horizon = tx.one(&sql::FIND_HORIZON, &[]).await?;
    if horizon.condensed < horizon.next {
        return Ok(());
    }
    let (mark,): (i64,) = tx.one(&sql::TAKE_MARK, &[]).await?;
    let (next,): (i64,) = tx.one(&sql::FIND_LAST_TRANSFER, &[]).await?;
    tx.execute(&sql::SET_HORIZON, args![horizon.condensed, next.max(horizon.condensed), mark]).await?;
    Ok(())
}
