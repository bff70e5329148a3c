//! The units of an offer.

use kernel::{FieldError, Page, Paging, Timestamp};
use serde::Serialize;
use store::{StoreError, Tx, args, json_list};

use super::change::find;
use super::offers::find_offer;
use crate::error::CatalogError;
use crate::events::OfferUpdated;
use crate::offer::{OfferId, Stock};
use crate::sql;
use crate::unit::{NewUnit, Unit, UnitId};

/// The most units added at once.
const MAX_ADDED: usize = 10_000;
/// The most units of one offer: the largest houses of the world have about as many seats.
const MAX_UNITS: u64 = 200_000;

/// A row as the statement reads it.
#[derive(Serialize)]
struct Entry<'a> {
    id: &'a UnitId,
    rank: u64,
    #[serde(flatten)]
    unit: &'a NewUnit,
}

/// Adds units to an offer of units, the best first; earlier ones are better than those added later.
///
/// # Errors
/// [`CatalogError::Exists`] when two have one label; [`CatalogError::Invalid`], [`CatalogError::NotFound`].
pub async fn add_units(
    tx: &mut Tx,
    now: Timestamp,
    offer: &OfferId,
    new: &[NewUnit],
) -> Result<Vec<UnitId>, CatalogError> {
    let of = find_offer(tx, offer).await?;
    if of.stock != Stock::Units {
        return Err(CatalogError::field("/units", "This offer has no units."));
    }
    let (rank, count): (u64, u64) = tx.one(&sql::FIND_NEXT_RANK, args![offer]).await?;
    check(new, count)?;
    let ids: Vec<UnitId> = new.iter().map(|_| UnitId::fresh()).collect();
    let entries: Vec<Entry<'_>> =
        ids.iter().zip(new).zip(rank..).map(|((id, unit), rank)| Entry { id, rank, unit }).collect();
    let entries = serde_json::to_string(&entries).map_err(|error| StoreError::Database(error.to_string()))?;
    match tx.execute(&sql::INSERT_UNITS, args![offer, entries]).await {
        Err(StoreError::Unique(_)) => return Err(CatalogError::Exists("unit")),
        inserted => inserted?,
    };
    told(tx, now, offer).await?;
    Ok(ids)
}

/// The units of an offer, the best first. `paging` may ask for more than lists on pages have: a map shows all.
///
/// # Errors
/// [`StoreError`] as any statement.
pub async fn units(tx: &mut Tx, offer: &OfferId, paging: Paging) -> Result<Page<Unit>, StoreError> {
    let items = tx.all(&sql::LIST_UNITS, args![offer, paging.limit, paging.offset]).await?;
    let (total,): (u64,) = tx.one(&sql::COUNT_UNITS, args![offer]).await?;
    Ok(Page { items, total })
}

/// Takes units off sale that nobody holds or has bought.
///
/// # Errors
/// [`CatalogError::UnitTaken`] with those that somebody has; then none is withdrawn.
pub async fn withdraw_units(
    tx: &mut Tx,
    now: Timestamp,
    offer: &OfferId,
    ids: &[UnitId],
) -> Result<(), CatalogError> {
    let unique: std::collections::BTreeSet<&UnitId> = ids.iter().collect();
    let list = json_list(unique.iter().copied());
    let withdrawn = tx.execute(&sql::WITHDRAW_UNITS, args![offer, list]).await?;
    if withdrawn != unique.len() as u64 {
        let labels: Vec<(String,)> = tx.all(&sql::LIST_TAKEN, args![offer, list]).await?;
        return Err(CatalogError::UnitTaken(labels.into_iter().map(|(label,)| label).collect()));
    }
    told(tx, now, offer).await
}

/// Counts the change in the offer's version and tells of it.
async fn told(tx: &mut Tx, now: Timestamp, id: &OfferId) -> Result<(), CatalogError> {
    let offer = find_offer(tx, id).await?;
    tx.execute(&sql::SET_OFFER_STATE, args![id, offer.version, offer.state, now]).await?;
    let (offer, listing) = (find_offer(tx, id).await?, find(tx, &offer.listing).await?);
    events::append(tx, now, &OfferUpdated::of(&offer, &listing)).await?;
    Ok(())
}

fn check(new: &[NewUnit], count: u64) -> Result<(), CatalogError> {
    if new.is_empty() || new.len() > MAX_ADDED {
        return Err(CatalogError::field("/units", "Add 1 to 10,000 units at once."));
    }
    if count + new.len() as u64 > MAX_UNITS {
        return Err(CatalogError::field("/units", "An offer has at most 200,000 units."));
    }
    let long = |text: &str| text.chars().count() > 80;
    let is_bad = |unit: &NewUnit| {
        unit.label.trim().is_empty()
            || [&unit.label, &unit.section, &unit.row, &unit.seat].into_iter().any(|text| long(text))
    };
    let wrong: Vec<FieldError> = new
        .iter()
        .enumerate()
        .filter(|(_, unit)| is_bad(unit))
        .take(20)
        .map(|(index, _)| FieldError {
            pointer: format!("/units/{index}").into(),
            detail: "A label is needed; label, section, row and seat have at most 80 characters.".into(),
        })
        .collect();
    if wrong.is_empty() { Ok(()) } else { Err(CatalogError::Invalid(wrong)) }
}
