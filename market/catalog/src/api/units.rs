//! Units of an offer.

use axum::extract::State;
use axum::response::IntoResponse;
use identity::{Account, Caller};
use serde::{Deserialize, Serialize};
use store::Tx;
use web::idempotency::{Key, Request, once};
use web::{Failure, Json, Listed, Part, Path, Query};

use super::id;
use crate::error::CatalogError;
use crate::listing::ListingId;
use crate::offer::OfferId;
use crate::room::Catalog;
use crate::sell;
use crate::unit::{NewUnit, Unit, UnitId};

/// Units to add.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct NewUnits {
    /// 1 to 10,000, the best first.
    units: Vec<NewUnit>,
}

/// What was added.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct AddedUnits {
    /// Their ids, in the order of the request.
    #[schema(value_type = Vec<String>)]
    unit_ids: Vec<UnitId>,
}

/// What was taken off sale.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct WithdrawnUnit {
    /// Which.
    #[schema(value_type = String)]
    unit_id: UnitId,
}

/// List the units of an offer, the best first.
#[utoipa::path(get, path = "/api/listings/{id}/offers/{offer}/units", tag = "listings",
    params(("id" = String, Path, description = "The listing's id"), ("offer" = String, Path, description = "The offer's id"),
        Part),
    responses((status = 200, description = "The units and where each is.", body = Listed<Unit>),
        (status = 404, description = "None, or of a draft of somebody else.")))]
pub(super) async fn list(
    State(catalog): State<Catalog>,
    by: Caller,
    Path((listing, offer)): Path<(String, String)>,
    Query(part): Query<Part>,
) -> Result<Json<Listed<Unit>>, Failure> {
    let (listing, offer) = (id::<ListingId>(&listing, "listing")?, id::<OfferId>(&offer, "offer")?);
    let page = catalog.units(&by, &listing, &offer, part.checked()?).await?;
    Ok(Json(Listed::page(page)))
}

/// Add units to an offer.
#[utoipa::path(post, path = "/api/listings/{id}/offers/{offer}/units", tag = "listings", request_body = NewUnits,
    params(("id" = String, Path, description = "The listing's id"), ("offer" = String, Path, description = "The offer's id"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key and body: the same answer.")),
    responses((status = 201, description = "They are there.", body = AddedUnits),
        (status = 401, description = "Nobody is signed in."), (status = 403, description = "Not its seller."),
        (status = 404, description = "None, or of a draft of somebody else."),
        (status = 409, description = "A label is there already."), (status = 422, description = "Some fields are wrong.")))]
pub(super) async fn add(
    State(catalog): State<Catalog>,
    account: Account,
    Path((listing, offer)): Path<(String, String)>,
    key: Key,
    Json(body): Json<NewUnits>,
) -> Result<impl IntoResponse, Failure> {
    let scope = format!("{} POST /api/listings/{listing}/offers/{offer}/units", account.actor.user);
    let request = Request::new(key, scope, &body);
    let (listing, offer) = (id::<ListingId>(&listing, "listing")?, id::<OfferId>(&offer, "offer")?);
    let by = account.caller;
    let add = async move |tx: &mut Tx| {
        let effect = async |tx: &mut Tx| {
            let unit_ids = sell::add_units(tx, &by, &listing, &offer, &body.units).await?;
            Ok(AddedUnits { unit_ids })
        };
        once::<_, CatalogError>(tx, &request, by.now(), 201, effect).await
    };
    Ok(catalog.store.write(add).await?)
}

/// Take a unit off sale.
#[utoipa::path(delete, path = "/api/listings/{id}/offers/{offer}/units/{unit}", tag = "listings",
    params(("id" = String, Path, description = "The listing's id"), ("offer" = String, Path, description = "The offer's id"),
        ("unit" = String, Path, description = "The unit's id")),
    responses((status = 200, description = "It is off sale.", body = WithdrawnUnit),
        (status = 401, description = "Nobody is signed in."), (status = 403, description = "Not its seller."),
        (status = 404, description = "None, or of a draft of somebody else."),
        (status = 409, description = "Somebody holds or bought it.")))]
pub(super) async fn withdraw(
    State(catalog): State<Catalog>,
    account: Account,
    Path((listing, offer, unit)): Path<(String, String, String)>,
) -> Result<Json<WithdrawnUnit>, Failure> {
    let (listing, offer) = (id::<ListingId>(&listing, "listing")?, id::<OfferId>(&offer, "offer")?);
    let (by, unit_id) = (account.caller, id::<UnitId>(&unit, "unit")?);
    let unit = unit_id.clone();
    let withdraw = async move |tx: &mut Tx| {
        sell::withdraw_units(tx, &by, &listing, &offer, std::slice::from_ref(&unit)).await
    };
    catalog.store.write(withdraw).await?;
    Ok(Json(WithdrawnUnit { unit_id }))
}
