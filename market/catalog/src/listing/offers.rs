//! Adding, changing and withdrawing offers.

use kernel::{Money, Timestamp};
use store::{StoreError, Tx, args, json_list};
use web::Expected;

use super::change::{changed, find};
use super::{Listing, ListingId};
use crate::error::CatalogError;
use crate::events::OfferUpdated;
use crate::offer::{NewOffer, Offer, OfferId, OfferState, Stock};
use crate::sql;

/// The most offers of one listing.
const MAX_OFFERS: usize = 50;

/// Adds an offer to a listing.
///
/// # Errors
/// [`CatalogError::NotFound`]; [`CatalogError::Invalid`], also for a currency other than that of the other offers.
pub async fn add_offer(
    tx: &mut Tx,
    now: Timestamp,
    listing: &ListingId,
    new: &NewOffer,
) -> Result<Offer, CatalogError> {
    let listing = find(tx, listing).await?;
    check(&listing, new)?;
    if offers(tx, std::slice::from_ref(&listing.id)).await?.len() >= MAX_OFFERS {
        return Err(CatalogError::field("/name", "A listing has at most 50 offers."));
    }
    let (id, pricing) = (OfferId::fresh(), &new.pricing);
    tx.execute(
        &sql::INSERT_OFFER,
        args![
            id,
            listing.id,
            new.name.trim(),
            new.summary.trim(),
            pricing.name(),
            pricing.period(),
            pricing.trial_days(),
            pricing.unit(),
            new.price.minor,
            new.price.currency.code(),
            new.stock.name(),
            new.stock.capacity(),
            new.hold_seconds,
            new.extension_seconds,
            now
        ],
    )
    .await?;
    told(tx, now, &listing, &id).await
}

/// Changes an offer to what `new` says. While any of it is held, what and how the buyer pays cannot change.
///
/// # Errors
/// [`CatalogError::HeldNow`] for another price or pricing while any is held; [`CatalogError::CapacityTaken`] for
/// less than is held and sold, or another kind of stock after the first sale; [`CatalogError::NotFound`],
/// [`CatalogError::Stale`], [`CatalogError::Invalid`].
pub async fn edit_offer(
    tx: &mut Tx,
    now: Timestamp,
    id: &OfferId,
    new: &NewOffer,
    expected: &Expected,
) -> Result<Offer, CatalogError> {
    let offer = find_offer(tx, id).await?;
    expected.check(offer.version)?;
    let listing = find(tx, &offer.listing).await?;
    check(&listing, new)?;
    if offer.held > 0 && (new.price != offer.price || new.pricing != offer.pricing) {
        return Err(CatalogError::HeldNow(offer.held_until));
    }
    let taken = offer.held.saturating_add(offer.sold);
    let is_other_stock = new.stock.name() != offer.stock.name();
    let has_stock = taken > 0 || (offer.stock == Stock::Units && offer.capacity != Some(0));
    if new.stock.capacity().is_some_and(|capacity| capacity < taken) || (is_other_stock && has_stock) {
        return Err(CatalogError::CapacityTaken { taken });
    }
    let pricing = &new.pricing;
    let rows = tx
        .execute(
            &sql::SET_OFFER,
            args![
                id,
                offer.version,
                new.name.trim(),
                new.summary.trim(),
                pricing.name(),
                pricing.period(),
                pricing.trial_days(),
                pricing.unit(),
                new.price.minor,
                new.stock.name(),
                new.stock.capacity(),
                new.hold_seconds,
                new.extension_seconds,
                now
            ],
        )
        .await?;
    changed(rows)?;
    told(tx, now, &listing, id).await
}

/// Changes what an offer costs, nothing else.
///
/// # Errors
/// As [`edit_offer`].
pub async fn reprice(
    tx: &mut Tx,
    now: Timestamp,
    id: &OfferId,
    price: Money,
    expected: &Expected,
) -> Result<Offer, CatalogError> {
    let same = NewOffer::from(&find_offer(tx, id).await?);
    edit_offer(tx, now, id, &NewOffer { price, ..same }, expected).await
}

/// Changes how many there are of a counted offer.
///
/// # Errors
/// As [`edit_offer`].
pub async fn set_capacity(
    tx: &mut Tx,
    now: Timestamp,
    id: &OfferId,
    capacity: u32,
    expected: &Expected,
) -> Result<Offer, CatalogError> {
    let same = NewOffer::from(&find_offer(tx, id).await?);
    if !matches!(same.stock, Stock::Counted { .. }) {
        return Err(CatalogError::field("/capacity", "This offer is not counted."));
    }
    edit_offer(tx, now, id, &NewOffer { stock: Stock::Counted { capacity }, ..same }, expected).await
}

/// Takes an offer off sale. What is held can still be paid, what is sold stays sold.
///
/// # Errors
/// [`CatalogError::NoOffer`] when it is the last one of a published listing: archive that instead;
/// [`CatalogError::NotFound`], [`CatalogError::Stale`].
pub async fn withdraw_offer(
    tx: &mut Tx,
    now: Timestamp,
    id: &OfferId,
    expected: &Expected,
) -> Result<Offer, CatalogError> {
    let offer = find_offer(tx, id).await?;
    expected.check(offer.version)?;
    if offer.state == OfferState::Withdrawn {
        return Ok(offer);
    }
    let listing = find(tx, &offer.listing).await?;
    changed(tx.execute(&sql::SET_OFFER_STATE, args![id, offer.version, OfferState::Withdrawn, now]).await?)?;
    told(tx, now, &listing, id).await
}

/// The offer of this id, with its counts.
///
/// # Errors
/// [`CatalogError::NotFound`].
pub async fn find_offer(tx: &mut Tx, id: &OfferId) -> Result<Offer, CatalogError> {
    tx.first(&sql::FIND_OFFER, args![id]).await?.ok_or(CatalogError::NotFound("offer"))
}

/// All offers of these listings, withdrawn ones too, in the order of their sellers.
///
/// # Errors
/// [`StoreError`] as any statement.
pub async fn offers(tx: &mut Tx, listings: &[ListingId]) -> Result<Vec<Offer>, StoreError> {
    tx.all(&sql::LIST_OFFERS, args![json_list(listings)]).await
}

fn check(listing: &Listing, new: &NewOffer) -> Result<(), CatalogError> {
    let mut wrong = new.wrong();
    if let Some(currency) = listing.currency.filter(|currency| *currency != new.price.currency) {
        let detail = format!("All offers of a listing are in one currency: {currency}.").into();
        wrong.push(kernel::FieldError { pointer: "/currency".into(), detail });
    }
    if wrong.is_empty() { Ok(()) } else { Err(CatalogError::Invalid(wrong)) }
}

/// Brings the listing's price up to date and writes the event.
async fn told(tx: &mut Tx, now: Timestamp, listing: &Listing, id: &OfferId) -> Result<Offer, CatalogError> {
    let offer = find_offer(tx, id).await?;
    let code = offer.price.currency.code();
    match tx.execute(&sql::SET_PRICE_FROM, args![listing.id, code, now]).await {
        Err(StoreError::Constraint(_)) => return Err(CatalogError::NoOffer),
        set => set?,
    };
    events::append(tx, now, &OfferUpdated::of(&offer, listing)).await?;
    Ok(offer)
}
