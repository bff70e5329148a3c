//! What becomes of stock that is held or sold.

use std::collections::BTreeMap;

use store::{Sql, Tx, args, json_list};

use super::Held;
use crate::error::CatalogError;
use crate::offer::OfferId;
use crate::sql;

/// Sells what is held.
///
/// # Errors
/// [`CatalogError::NotHeld`] when some of it is not; the caller's transaction must then be undone.
pub async fn consume(tx: &mut Tx, held: &[Held], holder: &str) -> Result<(), CatalogError> {
    settle(tx, held, holder, &sql::CONSUME_COUNTED, &sql::CONSUME_UNITS).await
}

/// Puts what is held back on sale.
///
/// # Errors
/// As [`consume`].
pub async fn release(tx: &mut Tx, held: &[Held], holder: &str) -> Result<(), CatalogError> {
    settle(tx, held, holder, &sql::RELEASE_COUNTED, &sql::RELEASE_UNITS).await
}

/// Puts what was sold back on sale.
///
/// # Errors
/// [`CatalogError::NotHeld`] when some of it was not sold to `holder`; the caller's transaction must then be undone.
pub async fn give_back(tx: &mut Tx, sold: &[Held], holder: &str) -> Result<(), CatalogError> {
    settle(tx, sold, holder, &sql::GIVE_BACK_COUNTED, &sql::GIVE_BACK_UNITS).await
}

/// One statement per counted offer, in the order of their ids so that two orders never wait for each other, and one
/// for all units.
async fn settle(
    tx: &mut Tx,
    held: &[Held],
    holder: &str,
    counted: &'static Sql,
    units: &'static Sql,
) -> Result<(), CatalogError> {
    let mut pieces: BTreeMap<&OfferId, u64> = BTreeMap::new();
    let mut named = Vec::new();
    for one in held {
        match &one.unit {
            Some(unit) => named.push(unit),
            None => *pieces.entry(&one.offer).or_default() += u64::from(one.quantity),
        }
    }
    for (offer, quantity) in pieces {
        if tx.execute(counted, args![offer, quantity]).await? != 1 {
            return Err(CatalogError::NotHeld(holder.to_owned()));
        }
    }
    named.sort();
    named.dedup();
    if !named.is_empty() {
        let settled = tx.execute(units, args![json_list(&named), holder]).await?;
        if settled != named.len() as u64 {
            return Err(CatalogError::NotHeld(holder.to_owned()));
        }
    }
    Ok(())
}
