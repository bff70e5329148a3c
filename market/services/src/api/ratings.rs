//! What accounts say of services.

use axum::extract::State;
use identity::{Account, AccountId, Operator};
use kernel::Timestamp;
use serde::{Deserialize, Serialize};
use web::{DONE, Done, Failure, Json, Part, Path, Query};

use crate::error::{ServiceError, id};
use crate::{ServiceId, Services};

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct ReviewView {
    /// The name of the account.
    author: String,
    /// 1 to 5.
    rating: u32,
    text: String,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ReviewList {
    reviews: Vec<ReviewView>,
    /// Absent where nobody has rated it yet.
    average_rating: Option<f64>,
    total: u64,
}

/// The service of this slug or id, offered or not any more.
fn service(services: &Services, slug: &str) -> Result<ServiceId, ServiceError> {
    let found = services.catalogue().find(slug).map(|template| template.id.clone());
    found.ok_or(ServiceError::NotFound("service"))
}

/// Stars with a tenth, as they are shown.
pub(super) fn stars(tenths: u64) -> f64 {
    f64::from(u32::try_from(tenths).unwrap_or_default()) / 10.0
}

/// List what is said of a service.
#[utoipa::path(get, path = "/api/services/{slug}/reviews", tag = "services",
    params(("slug" = String, Path, description = "The service's slug or id."), Part),
    responses((status = 200, description = "Newest first.", body = ReviewList), (status = 404, description = "No such service.")))]
pub(super) async fn list(
    State(services): State<Services>,
    Path(slug): Path<String>,
    Query(part): Query<Part>,
) -> Result<Json<ReviewList>, Failure> {
    let service = service(&services, &slug)?;
    let rating = services.ratings().await?.remove(service.as_str()).unwrap_or_default();
    let (page, names) = services.reviews(&service, part.checked()?).await?;
    let view = |review: crate::ratings::Review| ReviewView {
        author: names.of(&review.account).to_owned(),
        rating: review.stars,
        text: review.words,
        updated_at: review.at,
    };
    Ok(Json(ReviewList {
        average_rating: rating.tenths().map(stars),
        total: page.total,
        reviews: page.items.into_iter().map(view).collect(),
    }))
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RatingBody {
    /// 1 to 5.
    rating: u32,
    /// At most 2,000 characters.
    #[serde(default)]
    text: String,
}

/// Rate a service.
#[utoipa::path(put, path = "/api/services/{slug}/rating", tag = "services", request_body = RatingBody,
    params(("slug" = String, Path, description = "The service's slug or id.")),
    responses((status = 200, description = "It replaces what you said before.", body = Done),
        (status = 401, description = "Nobody is signed in."), (status = 404, description = "No such service."),
        (status = 409, description = "You never had it running."), (status = 422, description = "Some fields are wrong.")))]
pub(super) async fn rate(
    State(services): State<Services>,
    account: Account,
    Path(slug): Path<String>,
    Json(body): Json<RatingBody>,
) -> Result<Json<Done>, Failure> {
    let service = service(&services, &slug)?;
    services.rate(&account.caller, &service, body.rating, &body.text).await?;
    Ok(DONE)
}

/// Take back your rating of a service.
#[utoipa::path(delete, path = "/api/services/{slug}/rating", tag = "services",
    params(("slug" = String, Path, description = "The service's slug or id.")),
    responses((status = 200, description = "You say nothing of it.", body = Done),
        (status = 401, description = "Nobody is signed in."), (status = 404, description = "No such service.")))]
pub(super) async fn unrate(
    State(services): State<Services>,
    account: Account,
    Path(slug): Path<String>,
) -> Result<Json<Done>, Failure> {
    services.unrate(&account.caller, &service(&services, &slug)?, None).await?;
    Ok(DONE)
}

/// Remove what an account says of a service.
#[utoipa::path(delete, path = "/api/services/{slug}/reviews/{account}", tag = "operator",
    params(("slug" = String, Path, description = "The service's slug or id."),
        ("account" = String, Path, description = "The account's id.")),
    responses((status = 200, description = "It is gone.", body = Done), (status = 401, description = "Nobody is signed in."),
        (status = 403, description = "You do not operate the market."), (status = 404, description = "No such service.")))]
pub(super) async fn remove(
    State(services): State<Services>,
    operator: Operator,
    Path((slug, account)): Path<(String, String)>,
) -> Result<Json<Done>, Failure> {
    let account: AccountId = id(&account, "account")?;
    services.unrate(&operator.caller, &service(&services, &slug)?, Some(account)).await?;
    Ok(DONE)
}
