//! Categories.

use axum::extract::State;
use axum::response::IntoResponse;
use identity::Operator;
use serde::{Deserialize, Serialize};
use store::Tx;
use web::idempotency::{Key, Request, once};
use web::{Failure, Json, Listed};

use crate::browse::Category;
use crate::error::CatalogError;
use crate::listing::CategorySlug;
use crate::room::Catalog;
use crate::sell;

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
        let effect = async |tx: &mut Tx| {
            sell::add_category(tx, &by, &slug, &body.name, body.position).await?;
            let name = body.name.trim().to_owned();
            Ok(Category { slug: slug.clone(), name, position: body.position })
        };
        once::<_, CatalogError>(tx, &request, by.now(), 201, effect).await
    };
    Ok(catalog.store.write(create).await?)
}
