//! The pages: the catalogue for everybody, and what an account has deployed. Everything works without script; with it,
//! what runs is shown live.

mod backups;
mod bought;
mod catalogue;
mod charts;
mod deployment;
mod example;
mod fields;
mod list;
mod live;
mod logs;
mod new;
mod settings;
mod words;

use axum::response::Response;
use identity::Visit;
use web::face::{Sheet, Shell};
use web::{Access, Failure, Routes};

use crate::Services;

/// How many rows one page shows.
const ROWS: u32 = 30;

type Answer = Result<Response, Failure>;

/// The pages of this room.
#[must_use]
pub fn pages(services: Services) -> Routes {
    Routes::new()
        .get("/services", Access::Public, catalogue::browse)
        .get("/services/{slug}", Access::Public, catalogue::show)
        .post("/services/{slug}", Access::Account, catalogue::rate)
        .get("/deployments", Access::Account, list::list)
        .get("/deployments/new", Access::Account, new::show)
        .post("/deployments/new", Access::Account, new::create)
        .get("/deployments/bought/{order}", Access::Account, bought::show)
        .get("/deployments/{id}", Access::Account, deployment::overview)
        .post("/deployments/{id}", Access::Account, deployment::change)
        .get("/deployments/{id}/backups", Access::Account, backups::show)
        .post("/deployments/{id}/backups", Access::Account, backups::change)
        .get("/deployments/{id}/live", Access::Account, live::overview)
        .get("/deployments/{id}/logs", Access::Account, logs::show)
        .get("/deployments/{id}/logs/live", Access::Account, live::log)
        .get("/deployments/{id}/settings", Access::Account, settings::show)
        .post("/deployments/{id}/settings", Access::Account, settings::save)
        .with_state(services)
}

/// A page of the catalogue.
fn public(visit: Visit, title: &str) -> Shell {
    let title = if title.is_empty() { "Services".to_owned() } else { format!("{title} - Services") };
    visit.shell.page(title, "services").with_sheet(Sheet::Market)
}

/// A page about deployments.
fn console(shell: Shell, title: &str) -> Shell {
    let title = if title.is_empty() { "Deployments".to_owned() } else { format!("{title} - Deployments") };
    shell.page(title, "deployments").with_sheet(Sheet::Market).with_sheet(Sheet::Services)
}
