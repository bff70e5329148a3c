//! `GET /api/analytics`.

use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use identity::Caller;
use kernel::{Problem, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use web::{Failure, Query};

use super::etag;
use crate::registry::Registry;
use crate::show::MAX_DAYS;

/// What to count.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// `package`.
    #[serde(rename = "type")]
    kind: String,
    /// The package's id, `pkg-…`.
    id: String,
    /// For how many days up to today: 1 to 366, 30 where absent.
    days: Option<u32>,
}

/// Counts per day.
#[derive(Serialize, ToSchema)]
pub(super) struct Analytics {
    /// `30 days`.
    period: String,
    /// Days on which something was counted, oldest first.
    analytics: Vec<Count>,
}

/// What was counted on one day (UTC).
#[derive(Serialize, ToSchema)]
struct Count {
    /// `2024-01-15`.
    date: String,
    /// `downloaded`.
    event_type: &'static str,
    count: u64,
}

/// Count downloads per day
#[utoipa::path(get, path = "/api/analytics", tag = "analytics", params(Asked), responses(
    (status = 200, description = "Counts per day.", body = Analytics),
    (status = 404, description = "There is no such package that the caller may see."),
    (status = 422, description = "A field of the query is wrong."),
))]
pub(super) async fn analytics(
    State(registry): State<Registry>,
    by: Caller,
    headers: HeaderMap,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    let days = asked.days.unwrap_or(30);
    let mut problem = Problem::invalid("analytics.invalid", "This cannot be counted.");
    if asked.kind != "package" {
        problem = problem.field("/type", "Choose package.");
    }
    if days == 0 || days > MAX_DAYS {
        problem = problem.field("/days", "Choose 1 to 366 days.");
    }
    if !problem.errors.is_empty() {
        return Err(problem.into());
    }
    let package = registry.find_by_id(&by, &asked.id).await?;
    let daily = registry.daily_downloads(&package, days, by.now()).await?;
    let counted = daily.into_iter().filter(|(_, count)| *count > 0);
    let count =
        |(day, count)| Count { date: Timestamp::from_day(day).date(), event_type: "downloaded", count };
    let period = format!("{days} {}", if days == 1 { "day" } else { "days" });
    etag::json(&headers, &Analytics { period, analytics: counted.map(count).collect() })
}
