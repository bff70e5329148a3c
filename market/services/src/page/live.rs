//! What goes on while somebody looks: server-sent events for the pages of one deployment.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use containers::LogLine;
use futures_util::{Stream, StreamExt as _, stream};
use identity::Visit;
use serde::Deserialize;
use serde_json::json;
use web::{Path, Query};

use super::Answer;
use super::charts::Range;
use super::deployment::page_of;
use crate::error::id;
use crate::{DeploymentId, Services};

/// How often a page is drawn anew while somebody looks at it.
const EVERY: Duration = Duration::from_secs(2);
/// How many times; then the browser asks again by itself, and is known anew.
const TIMES: usize = 300;
/// How many lines a log begins with.
const TAIL: u32 = 200;
/// Browsers drop an event without data.
const NOTHING: &str = "-";
/// How often a connection says that it is there.
const ALIVE: Duration = Duration::from_secs(10);

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    r: String,
    search: String,
}

/// The overview, whenever it changed.
pub(super) async fn overview(
    State(services): State<Services>,
    visit: Visit,
    Path(text): Path<String>,
    Query(asked): Query<Asked>,
) -> Answer {
    visit.account()?;
    let id: DeploymentId = id(&text, "deployment")?;
    services.deployment(&visit.caller, &id).await?;
    let (range, ticks) = (Range::of(&asked.r), tokio::time::interval(EVERY));
    let begun = (services, visit, id, ticks, String::new());
    let pages = stream::unfold(begun, move |(services, mut visit, id, mut ticks, before)| async move {
        ticks.tick().await;
        visit.caller.ctx.now = services.clock.now();
        visit.shell.now = visit.caller.ctx.now;
        // Who may not see it any more, or a database that fails, ends this; the browser asks again, and hears why.
        let page = page_of(&services, &visit, &id, range).await.ok()?;
        let event = if page == before { event("alive", NOTHING) } else { event("page", &page) };
        Some((event, (services, visit, id, ticks, page)))
    });
    Ok(events(pages.take(TIMES)))
}

/// The latest lines of its log, and those that come.
pub(super) async fn log(
    State(services): State<Services>,
    visit: Visit,
    Path(text): Path<String>,
    Query(asked): Query<Asked>,
) -> Answer {
    visit.account()?;
    let id: DeploymentId = id(&text, "deployment")?;
    let lines = services.follow(&visit.caller, &id, TAIL).await?;
    let word = asked.search.to_lowercase();
    let wanted = move |line: &LogLine| word.is_empty() || line.text.to_lowercase().contains(&word);
    let lines = lines.filter_map(move |line| {
        let line = line.ok().filter(|line| wanted(line)).map(|line| event("line", &said(&line)));
        std::future::ready(line)
    });
    let start = stream::once(std::future::ready(event("start", NOTHING)));
    // The container ended: whoever looks asks again, and sees what the next one writes.
    Ok(events(start.chain(lines)))
}

/// A line as the script of the page reads it.
fn said(line: &LogLine) -> String {
    json!({ "at": line.at, "text": line.text, "error": super::logs::is_error(&line.text) }).to_string()
}

fn event(kind: &str, data: &str) -> Event {
    Event::default().event(kind).data(data.replace('\r', ""))
}

fn events(events: impl Stream<Item = Event> + Send + 'static) -> Response {
    let alive = KeepAlive::new().interval(ALIVE).event(event("alive", NOTHING));
    let mut response = Sse::new(events.map(Ok::<_, Infallible>)).keep_alive(alive).into_response();
    // What stands between must neither keep nor collect it.
    let headers = response.headers_mut();
    headers.insert(http::header::CACHE_CONTROL, http::HeaderValue::from_static("no-store"));
    headers.insert("x-accel-buffering", http::HeaderValue::from_static("no"));
    response
}
