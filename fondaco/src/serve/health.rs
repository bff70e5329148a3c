//! Whether the program lives, whether it can do its work, and what it counts.

use std::path::PathBuf;
use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use metrics_exporter_prometheus::PrometheusHandle;
use serde::Serialize;
use services::Services;
use store::{Store, StoreError, Tx, args, sql};
use web::{Access, Json, Routes};

sql! {
    PING = "select 1";
}

/// How long a part may take to answer before it counts as failed.
const PATIENCE: Duration = Duration::from_secs(2);

/// What the health routes look at.
#[derive(Clone)]
pub(super) struct Health {
    pub(super) store: Store,
    pub(super) data_dir: PathBuf,
    pub(super) services: Services,
    pub(super) metrics: PrometheusHandle,
}

#[derive(Serialize)]
struct Part {
    name: &'static str,
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

#[derive(Serialize)]
struct Readiness {
    status: &'static str,
    parts: Vec<Part>,
}

/// `/healthz`, `/readyz` and `/metrics`.
pub(super) fn routes(health: Health) -> Routes {
    Routes::new()
        .get("/healthz", Access::Public, async || "ok\n")
        .get("/readyz", Access::Public, ready)
        .get("/metrics", Access::Public, scrape)
        .with_state(health)
}

async fn ready(State(health): State<Health>) -> Response {
    let mut parts = vec![database(&health.store).await, disk(&health.data_dir)];
    let all = parts.iter().all(|part| part.ok);
    // Without it nothing can be deployed; everything else works.
    parts.push(engine(&health.services).await);
    let status = if all { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Readiness { status: if all { "ready" } else { "not ready" }, parts })).into_response()
}

async fn database(store: &Store) -> Part {
    let ping = store.read(async |tx: &mut Tx| tx.one::<(i64,)>(&PING, args![]).await);
    let failure = match tokio::time::timeout(PATIENCE, ping).await {
        Ok(Ok(_)) => None,
        Ok(Err(error)) => Some(StoreError::to_string(&error)),
        Err(_) => Some(format!("no answer within {} s", PATIENCE.as_secs())),
    };
    Part { name: "database", ok: failure.is_none(), detail: failure }
}

async fn engine(services: &Services) -> Part {
    let failure = match tokio::time::timeout(PATIENCE, services.engine_about()).await {
        Ok(Ok(_)) => None,
        Ok(Err(error)) => Some(format!("{error}; fondaco doctor says what to install")),
        Err(_) => Some(format!("no answer within {} s", PATIENCE.as_secs())),
    };
    Part { name: "engine", ok: failure.is_none(), detail: failure }
}

fn disk(folder: &std::path::Path) -> Part {
    match crate::disk::free_bytes(folder) {
        Ok(free) if free < crate::disk::LEAST_FREE_BYTES => Part {
            name: "disk",
            ok: false,
            detail: Some(format!("only {} MB free for {}", free / 1_000_000, folder.display())),
        },
        Ok(_) => Part { name: "disk", ok: true, detail: None },
        Err(error) => Part { name: "disk", ok: false, detail: Some(error.to_string()) },
    }
}

async fn scrape(State(health): State<Health>) -> Response {
    let kind = HeaderValue::from_static("text/plain; version=0.0.4");
    ([(header::CONTENT_TYPE, kind)], health.metrics.render()).into_response()
}
