//! `/deployments`: what the account runs.

use axum::extract::State;
use identity::Visit;
use kernel::{Page, Paging};
use serde::Deserialize;
use web::Query;
use web::face::parts::{Choice, Pager};
use web::face::{self, FormState, Shell};

use super::{Answer, ROWS, console};
use crate::{Deployment, Services, Status};

/// One deployment in the list.
struct Row {
    deployment: Deployment,
    service: String,
    endpoint: String,
}

#[derive(askama::Template)]
#[template(path = "services/deployments.html")]
struct ListPage {
    shell: Shell,
    rows: Vec<Row>,
    states: Vec<Choice>,
    filter: FormState,
    is_filtered: bool,
    pager: Pager,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    status: String,
    offset: u32,
}

pub(super) async fn list(
    State(services): State<Services>,
    visit: Visit,
    Query(asked): Query<Asked>,
) -> Answer {
    visit.account()?;
    let status = asked.status.parse::<Status>().ok();
    let paging = Paging { limit: ROWS, offset: asked.offset }.checked()?;
    let Page { items, total } = services.list(&visit.caller, status, paging).await?;
    let base =
        status.map_or_else(|| "/deployments".to_owned(), |status| format!("/deployments?status={status}"));
    let pager = Pager::new(&base, ROWS, asked.offset, items.len(), total);
    let all = Choice::new("", "All that there are", "");
    let shown = Status::ALL.iter().filter(|status| **status != Status::Deleted);
    let page = ListPage {
        shell: console(visit.shell, "").crumb("Deployments", ""),
        rows: items.into_iter().map(|deployment| row(&services, deployment)).collect(),
        states: std::iter::once(all)
            .chain(shown.map(|status| Choice::new(status.as_str(), status.label(), "")))
            .collect(),
        filter: FormState::with(&[("status", status.map_or("", |status| status.as_str()))]),
        is_filtered: status.is_some(),
        pager,
    };
    Ok(face::html(&page.shell, &page))
}

fn row(services: &Services, deployment: Deployment) -> Row {
    Row { service: services.service_name(&deployment), endpoint: services.endpoint(&deployment), deployment }
}

impl Services {
    /// What the service of a deployment is called now; its short name where it is not offered any more.
    pub(super) fn service_name(&self, deployment: &Deployment) -> String {
        let found = self.catalogue().find(deployment.service.as_str());
        found.map_or_else(|| deployment.slug.clone(), |template| template.name.clone())
    }

    /// Name and port under which a deployment is reached; empty when it is gone.
    pub(super) fn endpoint(&self, deployment: &Deployment) -> String {
        deployment.port.map_or_else(String::new, |port| format!("{}:{port}", self.host(&deployment.id)))
    }
}
