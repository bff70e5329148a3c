//! What deployments write.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use containers::LogLine;
use futures_util::{Stream, StreamExt as _};
use identity::Account;
use kernel::Timestamp;
use serde::{Deserialize, Serialize};
use web::{Failure, Json, Path, Query};

use crate::error::{ServiceError, id};
use crate::logs::Wanted;
use crate::{DeploymentId, Services};

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(default)]
pub(super) struct Asked {
    /// How many of the latest lines: 1 to 1,000.
    limit: u32,
    /// Only those since this time (RFC 3339).
    since: Option<String>,
    /// Only those with this in them, whatever the case of its letters.
    search: Option<String>,
}

impl Default for Asked {
    fn default() -> Self {
        Self { limit: 100, since: None, search: None }
    }
}

#[derive(Serialize, utoipa::ToSchema)]
struct LineView {
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// `stdout` or `stderr`.
    stream: &'static str,
    text: String,
}

impl From<LogLine> for LineView {
    fn from(line: LogLine) -> Self {
        let stream = match line.stream {
            containers::Stream::Stdout => "stdout",
            containers::Stream::Stderr => "stderr",
        };
        Self { at: line.at, stream, text: line.text }
    }
}

#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct LineList {
    lines: Vec<LineView>,
}

/// Read what a deployment wrote.
#[utoipa::path(get, path = "/api/deployments/{id}/logs", tag = "deployments",
    params(("id" = String, Path, description = "The deployment's id"), Asked),
    responses((status = 200, description = "The latest lines, oldest first.", body = LineList),
        (status = 401, description = "Nobody is signed in."), (status = 404, description = "No such deployment of yours."),
        (status = 503, description = "The engine does not answer.")))]
pub(super) async fn lines(
    State(services): State<Services>,
    account: Account,
    Path(deployment): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Json<LineList>, Failure> {
    let id = id::<DeploymentId>(&deployment, "deployment")?;
    let since =
        asked.since.as_deref().filter(|text| !text.is_empty()).map(str::parse::<Timestamp>).transpose();
    let since = since.map_err(|error| ServiceError::field("/since", error.to_string()))?;
    let search = asked.search.filter(|word| !word.is_empty());
    let found = services.log(&account.caller, &id, Wanted { limit: asked.limit, since, search }).await?;
    Ok(Json(LineList { lines: found.into_iter().map(Into::into).collect() }))
}

/// Follow what a deployment writes.
#[utoipa::path(get, path = "/api/deployments/{id}/logs/stream", tag = "deployments",
    params(("id" = String, Path, description = "The deployment's id")),
    responses((status = 200, description = "Server-sent events, one line each, until the container ends.", content_type = "text/event-stream"),
        (status = 401, description = "Nobody is signed in."), (status = 404, description = "No such deployment of yours."),
        (status = 503, description = "The engine does not answer.")))]
pub(super) async fn stream(
    State(services): State<Services>,
    account: Account,
    Path(deployment): Path<String>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Failure> {
    let id = id::<DeploymentId>(&deployment, "deployment")?;
    let lines = services.follow(&account.caller, &id, 100).await?;
    // A line that cannot be read ends the stream; browsers then ask anew.
    let lines = lines.take_while(|line| std::future::ready(line.is_ok())).filter_map(async |line| {
        let line = LineView::from(line.ok()?);
        let event = Event::default().event("line").json_data(line).ok()?;
        Some(Ok(event))
    });
    Ok(Sse::new(lines).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))))
}
