//! Offers of a listing.

use axum::extract::State;
use axum::response::IntoResponse;
use identity::{Account, Caller};
use store::Tx;
use web::idempotency::{Key, Request, once};
use web::{Failure, IfMatch, Json, Listed, Path, Tagged, expected_version};

use super::bodies::{NewOfferBody, OfferPatch};
use super::id;
use crate::error::CatalogError;
use crate::listing::ListingId;
use crate::offer::OfferId;
use crate::room::Catalog;
use crate::sell;
use crate::view::OfferView;

/// List the offers of a listing.
#[utoipa::path(get, path = "/api/listings/{id}/offers", tag = "listings",
    params(("id" = String, Path, description = "The listing's id")),
    responses((status = 200, description = "The offers in the order of the seller.", body = Listed<OfferView>),
        (status = 404, description = "None, or a draft of somebody else.")))]
pub(super) async fn list(
    State(catalog): State<Catalog>,
    by: Caller,
    Path(listing): Path<String>,
) -> Result<Json<Listed<OfferView>>, Failure> {
    let shown = catalog.find(&by, &id(&listing, "listing")?).await?;
    let items: Vec<_> = shown.offers.into_iter().map(|offer| OfferView::of(offer, shown.is_own)).collect();
    Ok(Json(Listed::whole(items)))
}

/// Add an offer to a listing.
#[utoipa::path(post, path = "/api/listings/{id}/offers", tag = "listings", request_body = NewOfferBody,
    params(("id" = String, Path, description = "The listing's id"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key and body: the same answer.")),
    responses((status = 201, description = "The offer.", body = OfferView),
        (status = 401, description = "Nobody is signed in."), (status = 403, description = "Not its seller."),
        (status = 404, description = "None, or a draft of somebody else."),
        (status = 409, description = "Tickets are listed with their event."),
        (status = 422, description = "Some fields are wrong.")))]
pub(super) async fn create(
    State(catalog): State<Catalog>,
    account: Account,
    Path(listing): Path<String>,
    key: Key,
    Json(body): Json<NewOfferBody>,
) -> Result<impl IntoResponse, Failure> {
    let scope = format!("{} POST /api/listings/{listing}/offers", account.actor.user);
    let request = Request::new(key, scope, &body);
    let (by, listing, new) = (account.caller, id::<ListingId>(&listing, "listing")?, body.offer()?);
    let create = async move |tx: &mut Tx| {
        let effect =
            async |tx: &mut Tx| Ok(OfferView::of(sell::add_offer(tx, &by, &listing, &new).await?, true));
        once::<_, CatalogError>(tx, &request, by.now(), 201, effect).await
    };
    Ok(catalog.store.write(create).await?)
}

/// Change an offer.
#[utoipa::path(patch, path = "/api/listings/{id}/offers/{offer}", tag = "listings", request_body = OfferPatch,
    params(("id" = String, Path, description = "The listing's id"), ("offer" = String, Path, description = "The offer's id"),
        ("If-Match" = Option<String>, Header, description = "The offer's version in quotes.")),
    responses((status = 200, description = "The offer as it is now.", body = OfferView,
            headers(("ETag" = String, description = "Its version now."))),
        (status = 400, description = "If-Match cannot be read, or is not the version in the body."),
        (status = 401, description = "Nobody is signed in."), (status = 403, description = "Not its seller."),
        (status = 404, description = "None, or of a draft of somebody else."),
        (status = 409, description = "Somebody is buying it at its present price (`catalog.offer_held`), more are taken \
            than there would be, or the version in the body is stale."),
        (status = 412, description = "If-Match is stale."), (status = 422, description = "Some fields are wrong.")))]
pub(super) async fn change(
    State(catalog): State<Catalog>,
    account: Account,
    Path((listing, offer)): Path<(String, String)>,
    if_match: IfMatch,
    Json(body): Json<OfferPatch>,
) -> Result<Tagged<Json<OfferView>>, Failure> {
    let expected = expected_version(if_match, body.version)?;
    let (listing, offer) = (id::<ListingId>(&listing, "listing")?, id::<OfferId>(&offer, "offer")?);
    let by = account.caller;
    let change = async move |tx: &mut Tx| {
        sell::edit_offer(tx, &by, &listing, &offer, &expected, |offer| body.applied(offer)).await
    };
    let offer = catalog.store.write(change).await?;
    Ok(Tagged(offer.version, Json(OfferView::of(offer, true))))
}

/// Take an offer off sale.
#[utoipa::path(delete, path = "/api/listings/{id}/offers/{offer}", tag = "listings",
    params(("id" = String, Path, description = "The listing's id"), ("offer" = String, Path, description = "The offer's id"),
        ("If-Match" = Option<String>, Header, description = "The offer's version in quotes.")),
    responses((status = 200, description = "The offer, withdrawn; what was sold stays sold.", body = OfferView),
        (status = 401, description = "Nobody is signed in."), (status = 403, description = "Not its seller."),
        (status = 404, description = "None, or of a draft of somebody else."),
        (status = 409, description = "It is the last one of a published listing."),
        (status = 412, description = "If-Match is stale.")))]
pub(super) async fn withdraw(
    State(catalog): State<Catalog>,
    account: Account,
    Path((listing, offer)): Path<(String, String)>,
    if_match: IfMatch,
) -> Result<Tagged<Json<OfferView>>, Failure> {
    let expected = expected_version(if_match, None)?;
    let (listing, offer) = (id::<ListingId>(&listing, "listing")?, id::<OfferId>(&offer, "offer")?);
    let by = account.caller;
    let change = async move |tx: &mut Tx| sell::withdraw_offer(tx, &by, &listing, &offer, &expected).await;
    let offer = catalog.store.write(change).await?;
    Ok(Tagged(offer.version, Json(OfferView::of(offer, true))))
}
