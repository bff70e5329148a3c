//! What sellers do: each function is a use case, within the transaction of its caller, that checks the permission,
//! changes, and keeps who did it in the audit trail.

use identity::audit::{self, Outcome};
use identity::orgs::OrgRole;
use identity::{Action, Caller, Denied, Subject};
use serde_json::json;
use store::Tx;
use web::Expected;

use crate::error::CatalogError;
use crate::listing::{self, Kind, Listing, ListingId, ListingText, NewListing};
use crate::offer::{NewOffer, Offer, OfferId};
use crate::room::owned;
use crate::unit::{NewUnit, UnitId};

/// Begins a listing, in the caller's own name or in that of an organisation where it is an admin.
///
/// # Errors
/// [`CatalogError::Identity`], [`CatalogError::Invalid`]; [`CatalogError::ChangedElsewhere`] for tickets.
pub async fn draft(
    tx: &mut Tx,
    by: &Caller,
    org: Option<&str>,
    kind: Kind,
    text: &ListingText,
) -> Result<Listing, CatalogError> {
    let actor = by.may(Action::Sell, &Subject::Market)?;
    let seller = actor.account_in(org, OrgRole::Admin);
    let seller = seller.ok_or(identity::IdentityError::Denied(Denied::NotYours))?;
    if kind == Kind::Ticket {
        return Err(CatalogError::ChangedElsewhere);
    }
    let new = NewListing { kind, seller, subject: None, text: text.clone() };
    let listing = listing::create(tx, by.now(), &new).await?;
    note(tx, by, "listing.created", &listing, json!({"title": listing.text.title})).await?;
    Ok(listing)
}

/// Changes what a listing says; `change` gets it as it is.
///
/// # Errors
/// As [`listing::edit`], or what `change` says; [`CatalogError::Identity`] for who may not.
pub async fn edit(
    tx: &mut Tx,
    by: &Caller,
    id: &ListingId,
    expected: &Expected,
    change: impl FnOnce(&ListingText) -> Result<ListingText, CatalogError>,
) -> Result<Listing, CatalogError> {
    let text = change(&owned(tx, by, id).await?.text)?;
    let listing = listing::edit(tx, by.now(), id, &text, expected).await?;
    note(tx, by, "listing.updated", &listing, json!({"title": listing.text.title})).await?;
    Ok(listing)
}

/// Puts a listing on sale.
///
/// # Errors
/// As [`listing::publish`]; [`CatalogError::Identity`] for who may not.
pub async fn publish(
    tx: &mut Tx,
    by: &Caller,
    id: &ListingId,
    expected: &Expected,
) -> Result<Listing, CatalogError> {
    owned(tx, by, id).await?;
    let listing = listing::publish(tx, by.now(), id, expected).await?;
    note(tx, by, "listing.published", &listing, json!({})).await?;
    Ok(listing)
}

/// Takes a listing off sale.
///
/// # Errors
/// As [`listing::archive`]; [`CatalogError::Identity`] for who may not.
pub async fn archive(
    tx: &mut Tx,
    by: &Caller,
    id: &ListingId,
    expected: &Expected,
) -> Result<Listing, CatalogError> {
    owned(tx, by, id).await?;
    let listing = listing::archive(tx, by.now(), id, expected).await?;
    note(tx, by, "listing.archived", &listing, json!({})).await?;
    Ok(listing)
}

/// Adds an offer to a listing.
///
/// # Errors
/// As [`listing::add_offer`]; [`CatalogError::Identity`] for who may not.
pub async fn add_offer(
    tx: &mut Tx,
    by: &Caller,
    id: &ListingId,
    new: &NewOffer,
) -> Result<Offer, CatalogError> {
    let listing = owned(tx, by, id).await?;
    let offer = listing::add_offer(tx, by.now(), id, new).await?;
    note(tx, by, "offer.added", &listing, about(&offer)).await?;
    Ok(offer)
}

/// Changes an offer of a listing; `change` gets it as it is.
///
/// # Errors
/// As [`listing::edit_offer`], or what `change` says; [`CatalogError::Identity`] for who may not.
pub async fn edit_offer(
    tx: &mut Tx,
    by: &Caller,
    id: &ListingId,
    offer: &OfferId,
    expected: &Expected,
    change: impl FnOnce(&Offer) -> Result<NewOffer, CatalogError>,
) -> Result<Offer, CatalogError> {
    let listing = owned(tx, by, id).await?;
    let new = change(&offer_of(tx, id, offer).await?)?;
    let offer = listing::edit_offer(tx, by.now(), offer, &new, expected).await?;
    note(tx, by, "offer.changed", &listing, about(&offer)).await?;
    Ok(offer)
}

/// Takes an offer off sale.
///
/// # Errors
/// As [`listing::withdraw_offer`]; [`CatalogError::Identity`] for who may not.
pub async fn withdraw_offer(
    tx: &mut Tx,
    by: &Caller,
    id: &ListingId,
    offer: &OfferId,
    expected: &Expected,
) -> Result<Offer, CatalogError> {
    let listing = owned(tx, by, id).await?;
    offer_of(tx, id, offer).await?;
    let offer = listing::withdraw_offer(tx, by.now(), offer, expected).await?;
    note(tx, by, "offer.withdrawn", &listing, about(&offer)).await?;
    Ok(offer)
}

/// Adds units to an offer, the best first.
///
/// # Errors
/// As [`listing::add_units`]; [`CatalogError::Identity`] for who may not.
pub async fn add_units(
    tx: &mut Tx,
    by: &Caller,
    id: &ListingId,
    offer: &OfferId,
    new: &[NewUnit],
) -> Result<Vec<UnitId>, CatalogError> {
    let listing = owned(tx, by, id).await?;
    offer_of(tx, id, offer).await?;
    let units = listing::add_units(tx, by.now(), offer, new).await?;
    note(tx, by, "units.added", &listing, json!({"offer": offer, "count": units.len()})).await?;
    Ok(units)
}

/// Takes units off sale that nobody holds or has bought.
///
/// # Errors
/// As [`listing::withdraw_units`]; [`CatalogError::Identity`] for who may not.
pub async fn withdraw_units(
    tx: &mut Tx,
    by: &Caller,
    id: &ListingId,
    offer: &OfferId,
    units: &[UnitId],
) -> Result<(), CatalogError> {
    let listing = owned(tx, by, id).await?;
    offer_of(tx, id, offer).await?;
    listing::withdraw_units(tx, by.now(), offer, units).await?;
    note(tx, by, "units.withdrawn", &listing, json!({"offer": offer, "count": units.len()})).await?;
    Ok(())
}

/// An offer, if it is one of this listing.
pub(crate) async fn offer_of(tx: &mut Tx, id: &ListingId, offer: &OfferId) -> Result<Offer, CatalogError> {
    let found = listing::find_offer(tx, offer).await?;
    if &found.listing == id { Ok(found) } else { Err(CatalogError::NotFound("offer")) }
}

fn about(offer: &Offer) -> serde_json::Value {
    json!({"offer": offer.id, "name": offer.name, "price": offer.price.to_string(), "stock": offer.stock})
}

async fn note(
    tx: &mut Tx,
    by: &Caller,
    action: &str,
    listing: &Listing,
    details: serde_json::Value,
) -> Result<(), CatalogError> {
    audit::record(tx, by, action, listing.id.as_str(), Outcome::Done, &details).await?;
    Ok(())
}
