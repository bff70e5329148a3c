//! What each port answers.

use std::num::NonZeroU32;
use std::sync::Arc;

use axum::extract::Request;
use axum::response::IntoResponse;
use axum::routing::{MethodRouter, any};
use axum::{Extension, Router};
use http::HeaderValue;
use kernel::Problem;
use metrics_exporter_prometheus::PrometheusHandle;
use tower::ServiceExt;
use web::face::{Shell, Site, Theme};
use web::{Asked, Ctx, Failure, Limits, ProblemPage, Quota, Route, Routes, Stack, Surface};

use super::front::Sellers;
use super::health::{self, Health};
use super::jobs;
use super::ports::Door;
use super::problems;
use super::reference;
use super::site::site;
use crate::config::Config;
use crate::rooms::{Addresses, Rooms};

/// How many times the steady rate of a minute a client may be ahead: a whole installation comes at once.
const BURST_PARTS: u32 = 2;

/// The routers of all ports.
pub struct Surfaces {
    api: Router,
    registry: Router,
    web: Router,
    orchestrator: Router,
    limits: [Limits; 3],
    table: Vec<Route>,
}

impl Surfaces {
    /// Puts the rooms' routes together.
    #[must_use]
    pub fn new(
        config: &Config,
        rooms: &Rooms,
        addresses: &Addresses,
        metrics: &PrometheusHandle,
        demo: bool,
    ) -> Self {
        let site = Arc::new(site(config, demo));
        let health = Health {
            store: rooms.store.clone(),
            data_dir: config.server.data_dir.clone(),
            services: rooms.services.clone(),
            metrics: metrics.clone(),
        };
        let [api_limits, registry_limits, web_limits] = limits(config);
        let limits = [api_limits.clone(), registry_limits.clone(), web_limits.clone()];
        let api = api(rooms, addresses).merge(health::routes(health.clone()));
        let pages = pages(rooms);
        let table = [api.table(), pages.table()].concat();
        let assets = web::face::assets::routes();
        let api = api.into_router().merge(assets).layer(Extension(Arc::clone(&site)));
        let front: Arc<dyn registry::page::Front> = Arc::new(Sellers::new(rooms));
        let pages = pages.into_router().layer(Extension(Arc::clone(&site))).layer(Extension(front));

        let stack = |surface, limits| Stack { limits, ..stack(config, rooms, surface) };
        let registry = Stack { timeout: None, ..stack(Surface::Registry, registry_limits) }
            .around(registry::npm::router(rooms.registry.clone()));
        let web = Stack { problem_page: Some(problem_page(site)), ..stack(Surface::Web, web_limits) }
            .around(pages.merge(api.clone()).fallback(nothing))
            .route("/npm", pass_on(&registry))
            .route("/npm/{*path}", pass_on(&registry));
        Self {
            // A download over the API leads to the tarball on the port that was asked.
            api: stack(Surface::Api, api_limits)
                .around(api.fallback(nothing))
                .route("/npm/{*path}", pass_on(&registry)),
            registry,
            web,
            orchestrator: stack(Surface::Orchestrator, Limits::off())
                .around(health::routes(health).into_router().fallback(nothing)),
            limits,
            table,
        }
    }

    /// What a port answers.
    pub(super) fn router(&self, door: Door) -> Router {
        match door {
            Door::Api | Door::Services => self.api.clone(),
            Door::Registry => self.registry.clone(),
            Door::Web => self.web.clone(),
            Door::Orchestrator => self.orchestrator.clone(),
        }
    }

    /// The web port's router, which answers everything: for tests in process.
    pub fn everything(&self) -> Router {
        self.web.clone()
    }

    /// The limits in force, for their upkeep.
    pub(super) fn limits(&self) -> [Limits; 3] {
        self.limits.clone()
    }

    /// Every route of the API and the pages, for the test that knocks at each as a stranger.
    #[must_use]
    pub fn table(&self) -> &[Route] {
        &self.table
    }
}

/// The JSON API of all rooms, and its description.
fn api(rooms: &Rooms, addresses: &Addresses) -> Routes {
    identity::routes()
        .with_state(rooms.identity.clone())
        .merge(registry::api::routes(rooms.registry.clone()))
        .merge(catalog::routes().with_state(rooms.catalog.clone()))
        .merge(ledger::api::routes(rooms.ledger.clone()))
        .merge(payments::routes(rooms.payments.clone()))
        .merge(wallet::routes(rooms.wallets.clone()))
        .merge(orders::routes(rooms.orders.clone()))
        .merge(tickets::routes(rooms.tickets.clone()))
        .merge(billing::routes(rooms.billing.clone()))
        .merge(payouts::routes(rooms.payouts.clone()))
        .merge(webhooks::routes(rooms.webhooks.clone()))
        .merge(services::routes(rooms.services.clone()))
        .merge(jobs::api(rooms.store.clone(), rooms.identity.clone()))
        .merge(reference::routes(rooms.identity.clone(), &addresses.web))
        .merge(problems::routes(rooms.identity.clone()))
}

/// The pages of all rooms.
fn pages(rooms: &Rooms) -> Routes {
    identity::pages(rooms.identity.clone())
        .merge(registry::page::routes(rooms.registry.clone()))
        .merge(catalog::pages(rooms.catalog.clone()))
        .merge(ledger::page::routes(rooms.ledger.clone()))
        .merge(payments::pages(rooms.payments.clone()))
        .merge(wallet::pages(rooms.wallets.clone()))
        .merge(orders::pages(rooms.orders.clone()))
        .merge(tickets::pages(rooms.tickets.clone()))
        .merge(billing::pages(rooms.billing.clone()))
        .merge(payouts::pages(rooms.payouts.clone()))
        .merge(webhooks::pages(rooms.webhooks.clone()))
        .merge(services::pages(rooms.services.clone()))
        .merge(jobs::pages(rooms.store.clone(), rooms.identity.clone()))
}

fn stack(config: &Config, rooms: &Rooms, surface: Surface) -> Stack {
    let origins = config.server.cors_origins.iter();
    Stack {
        trusted_hops: config.server.trusted_hops,
        cors_origins: origins.filter_map(|origin| HeaderValue::from_str(origin).ok()).collect(),
        ..Stack::new(surface, rooms.clock.clone())
    }
}

/// The limits of API, registry and web.
fn limits(config: &Config) -> [Limits; 3] {
    let limits = &config.limits;
    [limits.api_per_minute, limits.registry_per_minute, limits.web_per_minute].map(|per_minute| {
        match NonZeroU32::new(per_minute) {
            Some(per_minute) if config.has_rate_limits() => {
                let burst = NonZeroU32::new(per_minute.get().div_ceil(BURST_PARTS)).unwrap_or(per_minute);
                Limits::per_client(Quota { per_minute, burst })
            }
            _ => Limits::off(),
        }
    })
}

/// Hands requests to a whole router with their paths as they are; `nest` would cut the prefix off.
fn pass_on(router: &Router) -> MethodRouter {
    let router = router.clone();
    any(move |request: Request| router.clone().oneshot(request))
}

async fn nothing() -> Failure {
    Failure(Problem::not_found("request.no_such_path", "There is nothing at this address."))
}

/// Problems as pages. Who is signed in is not looked up for them: a page that tells of a failure must not fail.
fn problem_page(site: Arc<Site>) -> ProblemPage {
    Arc::new(move |problem: &Problem, ctx: &Ctx, asked: &Asked| {
        let mut shell = Shell::new(Arc::clone(&site), &asked.path, ctx.now);
        shell.request_id = ctx.request_id.to_string();
        shell.theme = Theme::from_cookies(&asked.headers);
        web::face::pages::problem_page(problem, &shell).into_response()
    })
}
