//! Listings.

use axum::extract::State;
use axum::response::IntoResponse;
use identity::{Account, Caller};
use kernel::{Currency, Paging};
use serde::Deserialize;
use store::Tx;
use web::idempotency::{Key, Request, once};
use web::{Expected, Failure, IfMatch, Json, Listed, Path, Query, Tagged, expected_version};

use super::bodies::{ListingPatch, NewListingBody};
use super::id;
use crate::browse::{Filter, Shown, Sort, show_one};
use crate::error::CatalogError;
use crate::listing::{Kind, ListingId, ListingState};
use crate::room::Catalog;
use crate::sell;
use crate::view::ListingView;

/// The largest price of a filter.
const MOST: i64 = kernel::money::MAX_MINOR;

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// Words that title or summary have.
    #[serde(default)]
    q: String,
    /// Only this kind.
    kind: Option<Kind>,
    /// Only this category.
    category: Option<String>,
    /// Only what this account sells, by name; `me` for one's own in any state.
    seller: Option<String>,
    /// Only in this state; others than `published` only for one's own.
    state: Option<ListingState>,
    /// Only with an offer from so much on, in minor units.
    min_price_minor: Option<i64>,
    /// Only with an offer up to so much, in minor units.
    max_price_minor: Option<i64>,
    /// The currency of the prices.
    #[param(value_type = Option<String>)]
    currency: Option<Currency>,
    /// `newest` (as without it) or `price`.
    #[serde(default)]
    sort: String,
    #[serde(default = "limit")]
    limit: u32,
    #[serde(default)]
    offset: u32,
}

const fn limit() -> u32 {
    Paging::DEFAULT_LIMIT
}

impl Asked {
    fn filter(&self) -> Result<Filter, CatalogError> {
        let category = self.category.as_deref().filter(|text| !text.is_empty()).map(str::parse);
        let category = category.transpose().map_err(|detail| CatalogError::field("/category", detail))?;
        let has_price = self.min_price_minor.is_some() || self.max_price_minor.is_some();
        let currency = self.currency.or(has_price.then_some(Currency::USD));
        let (least, most) = (self.min_price_minor.unwrap_or(0), self.max_price_minor.unwrap_or(MOST));
        Ok(Filter {
            text: self.q.clone(),
            kind: self.kind,
            category,
            seller: None,
            price: currency.map(|currency| (currency, least, most)),
            sort: if self.sort == "price" { Sort::Cheapest } else { Sort::Newest },
        })
    }
}

/// List what is for sale.
#[utoipa::path(get, path = "/api/listings", tag = "listings", params(Asked),
    responses((status = 200, description = "The listings; without their descriptions.", body = Listed<ListingView>),
        (status = 401, description = "Nobody is signed in, whose own could be listed."),
        (status = 403, description = "Drafts of somebody else."), (status = 404, description = "No such account."),
        (status = 422, description = "A filter is wrong.")))]
pub(super) async fn list(
    State(catalog): State<Catalog>,
    by: Caller,
    Query(asked): Query<Asked>,
) -> Result<Json<Listed<ListingView>>, Failure> {
    let paging = Paging { limit: asked.limit, offset: asked.offset }.checked()?;
    let mut filter = asked.filter()?;
    let is_mine = asked.seller.as_deref() == Some("me");
    if let Some(name) = asked.seller.as_deref().filter(|name| !name.is_empty() && !is_mine) {
        filter.seller = Some(catalog.account(name).await?);
    }
    let is_public = asked.state.is_none_or(|state| state == ListingState::Published);
    let page = if is_public && !is_mine {
        catalog.market(&by, filter, paging).await?.page
    } else {
        catalog.own(&by, asked.state, filter, paging).await?
    };
    Ok(Json(Listed::of(page, ListingView::in_list)))
}

/// Begin a listing.
#[utoipa::path(post, path = "/api/listings", tag = "listings", request_body = NewListingBody,
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key and body: the same answer.")),
    responses((status = 201, description = "The draft; add an offer and publish it.", body = ListingView),
        (status = 401, description = "Nobody is signed in."), (status = 403, description = "No seller."),
        (status = 409, description = "Tickets are listed with their event."),
        (status = 422, description = "Some fields are wrong.")))]
pub(super) async fn create(
    State(catalog): State<Catalog>,
    account: Account,
    key: Key,
    Json(body): Json<NewListingBody>,
) -> Result<impl IntoResponse, Failure> {
    let request = Request::new(key, format!("{} POST /api/listings", account.actor.user), &body);
    let (by, text) = (account.caller, body.text()?);
    let create = async move |tx: &mut Tx| {
        let effect = async |tx: &mut Tx| {
            let listing = sell::draft(tx, &by, body.organisation.as_deref(), body.kind, &text).await?;
            Ok(ListingView::whole(show_one(tx, &by, listing).await?))
        };
        once::<_, CatalogError>(tx, &request, by.now(), 201, effect).await
    };
    Ok(catalog.store.write(create).await?)
}

/// Read a listing.
#[utoipa::path(get, path = "/api/listings/{id}", tag = "listings",
    params(("id" = String, Path, description = "The listing's id")),
    responses((status = 200, description = "The listing with its offers.", body = ListingView,
            headers(("ETag" = String, description = "Its version, for If-Match."))),
        (status = 404, description = "None, or a draft of somebody else.")))]
pub(super) async fn find(
    State(catalog): State<Catalog>,
    by: Caller,
    Path(listing): Path<String>,
) -> Result<Tagged<Json<ListingView>>, Failure> {
    Ok(tagged(catalog.find(&by, &id(&listing, "listing")?).await?))
}

/// Change what a listing says.
#[utoipa::path(patch, path = "/api/listings/{id}", tag = "listings", request_body = ListingPatch,
    params(("id" = String, Path, description = "The listing's id"),
        ("If-Match" = Option<String>, Header, description = "The ETag that was read.")),
    responses((status = 200, description = "The listing as it is now.", body = ListingView,
            headers(("ETag" = String, description = "Its version now."))),
        (status = 400, description = "If-Match cannot be read, or is not the version in the body."),
        (status = 401, description = "Nobody is signed in."), (status = 403, description = "Not its seller."),
        (status = 404, description = "None, or a draft of somebody else."),
        (status = 409, description = "The version in the body is stale."), (status = 412, description = "If-Match is stale."),
        (status = 422, description = "Some fields are wrong.")))]
pub(super) async fn change(
    State(catalog): State<Catalog>,
    account: Account,
    Path(listing): Path<String>,
    if_match: IfMatch,
    Json(body): Json<ListingPatch>,
) -> Result<Tagged<Json<ListingView>>, Failure> {
    let expected = expected_version(if_match, body.version)?;
    let (by, listing) = (account.caller, id::<ListingId>(&listing, "listing")?);
    let change = async move |tx: &mut Tx| {
        let changed = sell::edit(tx, &by, &listing, &expected, |text| body.applied(text)).await?;
        show_one(tx, &by, changed).await
    };
    Ok(tagged(catalog.store.write(change).await?))
}

/// Put a listing on sale.
#[utoipa::path(post, path = "/api/listings/{id}/publish", tag = "listings",
    params(("id" = String, Path, description = "The listing's id"),
        ("If-Match" = Option<String>, Header, description = "The ETag that was read.")),
    responses((status = 200, description = "The listing, on sale.", body = ListingView),
        (status = 401, description = "Nobody is signed in."), (status = 403, description = "Not its seller."),
        (status = 404, description = "None, or a draft of somebody else."),
        (status = 409, description = "It has no offer, or is on sale."), (status = 412, description = "If-Match is stale.")))]
pub(super) async fn publish(
    State(catalog): State<Catalog>,
    account: Account,
    Path(listing): Path<String>,
    if_match: IfMatch,
) -> Result<Tagged<Json<ListingView>>, Failure> {
    set_state(&catalog, account, &listing, if_match, ListingState::Published).await
}

/// Take a listing off sale.
#[utoipa::path(post, path = "/api/listings/{id}/archive", tag = "listings",
    params(("id" = String, Path, description = "The listing's id"),
        ("If-Match" = Option<String>, Header, description = "The ETag that was read.")),
    responses((status = 200, description = "The listing; what is held can still be paid.", body = ListingView),
        (status = 401, description = "Nobody is signed in."), (status = 403, description = "Not its seller."),
        (status = 404, description = "None, or a draft of somebody else."),
        (status = 409, description = "It is archived."), (status = 412, description = "If-Match is stale.")))]
pub(super) async fn archive(
    State(catalog): State<Catalog>,
    account: Account,
    Path(listing): Path<String>,
    if_match: IfMatch,
) -> Result<Tagged<Json<ListingView>>, Failure> {
    set_state(&catalog, account, &listing, if_match, ListingState::Archived).await
}

async fn set_state(
    catalog: &Catalog,
    account: Account,
    listing: &str,
    if_match: IfMatch,
    state: ListingState,
) -> Result<Tagged<Json<ListingView>>, Failure> {
    let expected: Expected = expected_version(if_match, None)?;
    let (by, listing) = (account.caller, id::<ListingId>(listing, "listing")?);
    let change = async move |tx: &mut Tx| {
        let changed = match state {
            ListingState::Published => sell::publish(tx, &by, &listing, &expected).await?,
            _ => sell::archive(tx, &by, &listing, &expected).await?,
        };
        show_one(tx, &by, changed).await
    };
    Ok(tagged(catalog.store.write(change).await?))
}

fn tagged(shown: Shown) -> Tagged<Json<ListingView>> {
    Tagged(shown.listing.version, Json(ListingView::whole(shown)))
}
