//! available → held.

use std::collections::BTreeMap;
use std::time::Duration;

use identity::AccountId;
use kernel::{Money, Timestamp};
use store::{FromRow, Row, StoreError, Tx, args, json_list};

use super::{Claimed, HoldTerms, MAX_QUANTITY, Want, best};
use crate::error::CatalogError;
use crate::listing::{Kind, ListingId};
use crate::offer::{OfferId, Pricing, money_from_row};
use crate::sql;
use crate::unit::UnitId;

/// What a claim reads of an offer and its listing.
pub(super) struct OnSale {
    pub(super) offer: OfferId,
    listing: ListingId,
    pub(super) name: String,
    pricing: Pricing,
    price: Money,
    hold_seconds: Option<u32>,
    extension_seconds: Option<u32>,
    kind: Kind,
    seller: AccountId,
    subject: Option<String>,
    title: String,
}

impl FromRow for OnSale {
    fn from_row(row: &Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            offer: row.get(0)?,
            listing: row.get(1)?,
            name: row.get(2)?,
            pricing: Pricing::from_row(row, 3)?,
            price: money_from_row(row, 7)?,
            hold_seconds: row.get(9)?,
            extension_seconds: row.get(10)?,
            kind: row.get(11)?,
            seller: row.get(12)?,
            subject: row.get(13)?,
            title: row.get(14)?,
        })
    }
}

/// The same with what says whether it can be had.
struct Found {
    on_sale: OnSale,
    is_for_sale: bool,
    stock: String,
    left: Option<u32>,
}

impl FromRow for Found {
    fn from_row(row: &Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            on_sale: OnSale::from_row(row)?,
            is_for_sale: row.get(15)?,
            stock: row.get(16)?,
            left: row.get(17)?,
        })
    }
}

/// Holds everything that is wanted for `holder`, or nothing: on an error the caller's transaction must be undone.
/// Pieces of a counted offer take one statement, named units two. The claims come in the order of the offers' ids.
///
/// `terms` are for offers whose seller did not say how long they are held.
///
/// # Errors
/// [`CatalogError::SoldOut`], [`CatalogError::UnitTaken`], [`CatalogError::NotOnSale`], [`CatalogError::NotFound`];
/// [`CatalogError::Invalid`] for no quantity or more than [`MAX_QUANTITY`].
pub async fn claim(
    tx: &mut Tx,
    now: Timestamp,
    wants: &[Want],
    holder: &str,
    terms: HoldTerms,
) -> Result<Vec<Claimed>, CatalogError> {
    let wants = joined(wants)?;
    let mut claim = Claim { now, holder, terms, claimed: Vec::with_capacity(wants.len()) };
    for (offer, want) in wants {
        if want.units.is_empty() {
            claim.pieces(tx, offer, want.quantity).await?;
        } else {
            claim.named(tx, offer, want).await?;
        }
    }
    Ok(claim.claimed)
}

#[derive(Default)]
struct Joined<'a> {
    quantity: u32,
    units: Vec<&'a UnitId>,
}

/// The wants by offer, each offer once, sorted: so that two carts never wait for each other.
fn joined(wants: &[Want]) -> Result<BTreeMap<&OfferId, Joined<'_>>, CatalogError> {
    let mut joined: BTreeMap<&OfferId, Joined<'_>> = BTreeMap::new();
    for want in wants {
        let one = joined.entry(&want.offer).or_default();
        one.units.extend(&want.units);
        if want.units.is_empty() {
            one.quantity = one.quantity.saturating_add(want.quantity);
        }
    }
    let mut total: u64 = 0;
    for want in joined.values_mut() {
        want.units.sort();
        want.units.dedup();
        if want.quantity > 0 && !want.units.is_empty() {
            return Err(CatalogError::field("/items", "Name all units of an offer, or none."));
        }
        if want.quantity == 0 && want.units.is_empty() {
            return Err(CatalogError::field("/items", "Ask for at least 1 of each."));
        }
        total += u64::from(want.quantity) + want.units.len() as u64;
    }
    if total == 0 || total > u64::from(MAX_QUANTITY) {
        return Err(CatalogError::field("/items", "Ask for 1 to 1,000 pieces in all."));
    }
    Ok(joined)
}

struct Claim<'a> {
    now: Timestamp,
    holder: &'a str,
    terms: HoldTerms,
    claimed: Vec<Claimed>,
}

impl Claim<'_> {
    /// So many of an offer, no matter which.
    async fn pieces(&mut self, tx: &mut Tx, offer: &OfferId, quantity: u32) -> Result<(), CatalogError> {
        let HoldTerms { hold_seconds, extension_seconds } = self.terms;
        let wanted = args![offer, quantity, self.now, hold_seconds, extension_seconds];
        let counted: Option<OnSale> = tx.first(&sql::CLAIM_COUNTED, wanted).await?;
        if let Some(on_sale) = counted {
            self.claimed.push(self.one(&on_sale, quantity, None));
            return Ok(());
        }
        let found = find(tx, offer).await?;
        if found.stock != "units" {
            let left = found.left.unwrap_or_default();
            return Err(CatalogError::SoldOut { offer: offer.clone(), name: found.on_sale.name, left });
        }
        let units = best::choose(tx, &found.on_sale, quantity).await?;
        match self.units(tx, found.on_sale, &units.iter().collect::<Vec<_>>()).await {
            // Somebody else took one of them after they were chosen: there are others.
            Err(CatalogError::UnitTaken(_)) => Err(tx.lost_race().into()),
            claimed => claimed,
        }
    }

    /// These units of an offer.
    async fn named(&mut self, tx: &mut Tx, offer: &OfferId, want: Joined<'_>) -> Result<(), CatalogError> {
        let found = find(tx, offer).await?;
        self.units(tx, found.on_sale, &want.units).await
    }

    async fn units(&mut self, tx: &mut Tx, on_sale: OnSale, units: &[&UnitId]) -> Result<(), CatalogError> {
        let until = self.now.after(Duration::from_secs(self.seconds(&on_sale)));
        let list = json_list(units);
        let mut got: Vec<(UnitId, String)> =
            tx.all(&sql::CLAIM_UNITS, args![on_sale.offer, list, self.holder, until]).await?;
        if got.len() != units.len() {
            return Err(missing(tx, &on_sale, units, &got).await?);
        }
        got.sort();
        for unit in got {
            self.claimed.push(self.one(&on_sale, 1, Some(unit)));
        }
        Ok(())
    }

    fn one(&self, on_sale: &OnSale, quantity: u32, unit: Option<(UnitId, String)>) -> Claimed {
        let (unit, unit_label) = unit.unzip();
        Claimed {
            listing: on_sale.listing.clone(),
            offer: on_sale.offer.clone(),
            kind: on_sale.kind,
            seller: on_sale.seller.clone(),
            subject: on_sale.subject.clone(),
            title: on_sale.title.clone(),
            offer_name: on_sale.name.clone(),
            unit,
            unit_label,
            quantity,
            unit_price: on_sale.price,
            pricing: on_sale.pricing.clone(),
            hold_seconds: on_sale.hold_seconds.unwrap_or(self.terms.hold_seconds),
            extension_seconds: on_sale.extension_seconds.unwrap_or(self.terms.extension_seconds),
        }
    }

    fn seconds(&self, on_sale: &OnSale) -> u64 {
        let hold = on_sale.hold_seconds.unwrap_or(self.terms.hold_seconds);
        let extension = on_sale.extension_seconds.unwrap_or(self.terms.extension_seconds);
        u64::from(hold) + u64::from(extension)
    }
}

async fn find(tx: &mut Tx, offer: &OfferId) -> Result<Found, CatalogError> {
    let found: Option<Found> = tx.first(&sql::FIND_ON_SALE, args![offer]).await?;
    let found = found.ok_or(CatalogError::NotFound("offer"))?;
    if !found.is_for_sale {
        return Err(CatalogError::NotOnSale(found.on_sale.name));
    }
    Ok(found)
}

/// Says which of the wanted units somebody else has.
async fn missing(
    tx: &mut Tx,
    on_sale: &OnSale,
    wanted: &[&UnitId],
    got: &[(UnitId, String)],
) -> Result<CatalogError, CatalogError> {
    let missing: Vec<_> = wanted.iter().filter(|id| !got.iter().any(|(unit, _)| unit == **id)).collect();
    let labels: Vec<(String,)> =
        tx.all(&sql::LIST_LABELS, args![on_sale.offer, json_list(missing.iter().copied())]).await?;
    if labels.len() < missing.len() {
        return Ok(CatalogError::NotFound("unit of this offer"));
    }
    Ok(CatalogError::UnitTaken(labels.into_iter().map(|(label,)| label).collect()))
}
