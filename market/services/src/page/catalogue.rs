//! `/services`: what there is, what it costs, what is promised.

use std::sync::Arc;

use axum::extract::State;
use identity::Visit;
use serde::Deserialize;
use web::face::parts::Tab;
use web::face::{self, Html, Sheet, Shell, markdown};
use web::{Path, Query};

use super::{Answer, public};
use crate::Services;
use crate::error::ServiceError;
use crate::template::{Category, Template};

/// One service in the list.
struct Entry {
    template: Arc<Template>,
    active: u64,
    /// Why it cannot be deployed here; empty where it can.
    missing: String,
}

#[derive(askama::Template)]
#[template(path = "services/catalogue.html")]
struct CataloguePage {
    shell: Shell,
    tabs: Vec<Tab>,
    /// The category, with its services.
    groups: Vec<(&'static str, Vec<Entry>)>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    category: String,
}

pub(super) async fn browse(
    State(services): State<Services>,
    visit: Visit,
    Query(asked): Query<Asked>,
) -> Answer {
    let only = asked.category.parse::<Category>().ok();
    let active = services.active().await?;
    let mut groups = Vec::new();
    for category in Category::ALL.iter().filter(|category| only.is_none_or(|only| only == **category)) {
        let mut entries = Vec::new();
        for template in services.catalogue().templates().filter(|template| template.category == *category) {
            let missing = why_not(&services, template).await;
            let active = active.get(template.id.as_str()).copied().unwrap_or_default();
            entries.push(Entry { template: Arc::clone(template), active, missing });
        }
        if !entries.is_empty() {
            groups.push((category.title(), entries));
        }
    }
    let shell = public(visit, "").describe("Databases, gateways, storage and more, running in seconds.");
    let page = CataloguePage { shell, tabs: tabs(&services, only), groups };
    Ok(face::html(&page.shell, &page))
}

/// Why a service cannot be deployed here, and what mends that; empty where it can.
async fn why_not(services: &Services, template: &Template) -> String {
    let missing = services.missing(template).await;
    missing.map_or_else(String::new, |missing| format!("Here {} {}", missing.reason, missing.remedy))
}

/// All, and each category in which there is something.
fn tabs(services: &Services, only: Option<Category>) -> Vec<Tab> {
    let count = |category: Option<Category>| {
        let all = services.catalogue().templates();
        all.filter(|template| category.is_none_or(|category| template.category == category)).count()
    };
    let all = Tab::new("All", "/services", count(None).to_string(), only.is_none());
    let some = Category::ALL.iter().filter(|category| count(Some(**category)) > 0).map(|category| {
        let href = format!("/services?category={category}");
        Tab::new(category.title(), href, count(Some(*category)).to_string(), only == Some(*category))
    });
    std::iter::once(all).chain(some).collect()
}

#[derive(askama::Template)]
#[template(path = "services/service.html")]
struct ServicePage {
    shell: Shell,
    template: Arc<Template>,
    description: Html,
    active: u64,
    missing: String,
    /// The command that deploys it.
    command: String,
    request: String,
}

pub(super) async fn show(State(services): State<Services>, visit: Visit, Path(slug): Path<String>) -> Answer {
    let found = services.catalogue().find(&slug).filter(|template| template.slug == slug);
    let template = Arc::clone(found.ok_or(ServiceError::NotFound("service"))?);
    let active = services.active().await?.get(template.id.as_str()).copied().unwrap_or_default();
    let missing = why_not(&services, &template).await;
    let plan = template.plans.first().map(|plan| plan.id.as_str()).unwrap_or_default();
    let region = template.regions.first().map(String::as_str).unwrap_or_default();
    let request = serde_json::json!({
        "serviceId": template.id, "name": "my-deployment", "config": { "tier": plan, "region": region }
    });
    let page = ServicePage {
        shell: public(visit, &template.name).with_sheet(Sheet::Prose).describe(template.summary.clone()),
        description: markdown::render(&template.description, None),
        command: format!("fondaco deploy {}", template.slug),
        request: format!("POST /api/deployments\n{request:#}"),
        active,
        missing,
        template,
    };
    Ok(face::html(&page.shell, &page))
}
