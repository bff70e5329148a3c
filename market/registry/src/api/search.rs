//! `GET /api/packages/search`.

use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use identity::Caller;
use kernel::Paging;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use web::{Failure, Query as UrlQuery};

use super::etag;
use crate::registry::Registry;
use crate::search::{Hit, Query, Sort};

/// What to look for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// Words, and qualifiers such as `keywords:http`, `author:ada`, `scope:elide`, `not:deprecated`.
    #[serde(default)]
    q: String,
    /// How many results at the most: 1 to 100, 20 where absent.
    limit: Option<u32>,
    /// How many results to pass over, at most 10,000.
    #[serde(default)]
    offset: u32,
    /// `relevance` where absent, `downloads` or `newest`.
    #[serde(default)]
    sort: String,
    /// Only packages for these clients: `npm`.
    ecosystem: Option<String>,
    /// Only packages with this licence.
    license: Option<String>,
}

/// A page of packages.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Results {
    results: Vec<Found>,
    /// How many packages were found on all pages.
    total: u64,
    limit: u32,
    offset: u32,
    /// The same search with words put right that are nowhere to be found.
    #[serde(skip_serializing_if = "Option::is_none")]
    did_you_mean: Option<String>,
}

/// One package that was found.
#[derive(Serialize, ToSchema)]
struct Found {
    id: String,
    name: String,
    /// The latest.
    version: String,
    description: String,
    /// How often it was fetched, ever.
    downloads: u64,
    /// Quality, popularity and maintenance as one number from 0 to 1; null while it is not known.
    score: Option<f64>,
}

/// Search packages
///
/// An exact name comes first, then names that begin so, then words of name, keywords and description; slips in the
/// spelling are forgiven. Private packages are found by those alone who may read them.
#[utoipa::path(get, path = "/api/packages/search", tag = "packages", params(Asked), responses(
    (status = 200, description = "A page of results.", body = Results),
    (status = 422, description = "Limit or offset is out of bounds."),
))]
pub(super) async fn search(
    State(registry): State<Registry>,
    by: Caller,
    headers: HeaderMap,
    UrlQuery(asked): UrlQuery<Asked>,
) -> Result<Response, Failure> {
    let paging = Paging::asked(asked.limit, asked.offset)?;
    let mut query = Query::parse(&asked.q);
    query.ecosystem = asked.ecosystem.map(|text| text.to_lowercase()).or(query.ecosystem);
    query.licence = asked.license.map(|text| text.to_lowercase()).or(query.licence);
    let viewer = registry.viewer(&by).await?;
    let found = registry.search().search(&query, &viewer, Sort::of(&asked.sort), paging).await?;
    let results = Results {
        results: found.hits.iter().map(one).collect(),
        total: found.total,
        limit: paging.limit,
        offset: paging.offset,
        did_you_mean: found.did_you_mean,
    };
    etag::json(&headers, &results)
}

fn one(hit: &Hit) -> Found {
    Found {
        id: hit.entry.id.to_string(),
        name: hit.entry.name.to_string(),
        version: hit.entry.latest.to_string(),
        description: hit.entry.description.to_string(),
        downloads: hit.downloads.total,
        score: None,
    }
}
