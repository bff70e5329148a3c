//! Categories.

use axum::extract::State;
use axum::response::IntoResponse;
use http::StatusCode;
use identity::Operator;
use serde::{Deserialize, Serialize};
use store::Tx;
use web::idempotency::{Key, Request, once};
use web::{Failure, IfMatch, Json, Listed, Path, Tagged, expected_version};

use crate::browse::Category;
use crate::categories;
use crate::error::CatalogError;
use crate::listing::CategorySlug;
use crate::room::Catalog;

/// A category to add.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct NewCategory {
    /// Its name in addresses: lower-case letters, digits and dashes, at most 40.
    slug: String,
    /// What people call it: 1 to 60 characters.
    name: String,
    /// The order in which categories are shown.
    #[serde(default)]
    position: u32,
}

/// List the categories.
#[utoipa::path(get, path = "/api/categories", tag = "listings",
    responses((status = 200, description = "The categories in their order.", body = Listed<Category>)))]
pub(super) async fn list(State(catalog): State<Catalog>) -> Result<Json<Listed<Category>>, Failure> {
    let items = catalog.categories().await?;
    Ok(Json(Listed::whole(items)))
}

/// Add a category.
#[utoipa::path(post, path = "/api/categories", tag = "listings", request_body = NewCategory,
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key and body: the same answer.")),
    responses((status = 201, description = "The category.", body = Category),
        (status = 401, description = "Nobody is signed in."), (status = 403, description = "No operator."),
        (status = 409, description = "It is there already."), (status = 422, description = "Some fields are wrong.")))]
pub(super) async fn create(
    State(catalog): State<Catalog>,
    Operator { caller: by }: Operator,
    key: Key,
    Json(body): Json<NewCategory>,
) -> Result<impl IntoResponse, Failure> {
    let user = by.account()?.user.clone();
    let request = Request::new(key, format!("{user} POST /api/categories"), &body);
    let slug: Result<CategorySlug, _> = body.slug.parse();
    let slug = slug.map_err(|detail| CatalogError::field("/slug", detail))?;
    let create = async move |tx: &mut Tx| {
        let effect = async |tx: &mut Tx| categories::add(tx, &by, &slug, &body.name, body.position).await;
        once::<_, CatalogError>(tx, &request, by.now(), 201, effect).await
    };
    Ok(catalog.store.write(create).await?)
}

/// What changes of a category; what is left out stays.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct CategoryPatch {
    /// What people call it: 1 to 60 characters.
    name: Option<String>,
    /// The order in which categories are shown.
    position: Option<u32>,
    /// The version that this is a change of.
    version: Option<i64>,
}

fn slug(text: &str) -> Result<CategorySlug, CatalogError> {
    text.parse().map_err(|_| CatalogError::NotFound("category"))
}

/// Change a category. Its slug stays.
#[utoipa::path(patch, path = "/api/categories/{slug}", tag = "listings", request_body = CategoryPatch,
    params(("slug" = String, Path, description = "Its name in addresses"),
        ("If-Match" = Option<String>, Header, description = "Its version in quotes.")),
    responses((status = 200, description = "The category as it is now.", body = Category,
            headers(("ETag" = String, description = "Its version now."))),
        (status = 400, description = "If-Match cannot be read, or is not the version in the body."),
        (status = 401, description = "Nobody is signed in."), (status = 403, description = "No operator."),
        (status = 404, description = "No such category."), (status = 409, description = "The version in the body is stale."),
        (status = 412, description = "If-Match is stale."), (status = 422, description = "Some fields are wrong.")))]
pub(super) async fn change(
    State(catalog): State<Catalog>,
    Operator { caller: by }: Operator,
    Path(text): Path<String>,
    if_match: IfMatch,
    Json(body): Json<CategoryPatch>,
) -> Result<Tagged<Json<Category>>, Failure> {
    let (slug, expected) = (slug(&text)?, expected_version(if_match, body.version)?);
    let change = async move |tx: &mut Tx| {
        let (name, position) = (body.name.as_deref(), body.position);
        categories::change(tx, &by, &slug, name, position, &expected).await
    };
    let category = catalog.store.write(change).await?;
    Ok(Tagged(category.version, Json(category)))
}

/// Remove a category that no listing stands in.
#[utoipa::path(delete, path = "/api/categories/{slug}", tag = "listings",
    params(("slug" = String, Path, description = "Its name in addresses"),
        ("If-Match" = Option<String>, Header, description = "Its version in quotes.")),
    responses((status = 204, description = "It is gone."),
        (status = 401, description = "Nobody is signed in."), (status = 403, description = "No operator."),
        (status = 404, description = "No such category."),
        (status = 409, description = "Listings stand in it (`catalog.category_used`)."),
        (status = 412, description = "If-Match is stale.")))]
pub(super) async fn remove(
    State(catalog): State<Catalog>,
    Operator { caller: by }: Operator,
    Path(text): Path<String>,
    if_match: IfMatch,
) -> Result<StatusCode, Failure> {
    let (slug, expected) = (slug(&text)?, expected_version(if_match, None)?);
    let remove = async move |tx: &mut Tx| categories::remove(tx, &by, &slug, &expected).await;
    catalog.store.write(remove).await?;
    Ok(StatusCode::NO_CONTENT)
}
