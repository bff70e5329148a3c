//! `/services`: what there is, what it costs, what is promised.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Redirect};
use identity::{Visit, done};
use kernel::Paging;
use serde::Deserialize;
use web::face::parts::Tab;
use web::face::{self, FormState, Html, Sheet, Shell, Typed, Wrong, markdown};
use web::{Form, Path, Query};

use super::{Answer, example, public};
use crate::Services;
use crate::error::ServiceError;
use crate::ratings::{Rating, Review};
use crate::template::{Category, Setting, Template};

/// How many ratings stand on the page of a service.
const REVIEWS: Paging = Paging { limit: 20, offset: 0 };

/// One service in the list.
struct Entry {
    template: Arc<Template>,
    active: u64,
    /// Stars with a tenth; empty where nobody rated it.
    stars: String,
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
    let (active, ratings) = (services.active().await?, services.ratings().await?);
    let mut groups = Vec::new();
    for category in Category::ALL.iter().filter(|category| only.is_none_or(|only| only == **category)) {
        let mut entries = Vec::new();
        for template in services.catalogue().templates().filter(|template| template.category == *category) {
            let missing = why_not(&services, template).await;
            let active = active.get(template.id.as_str()).copied().unwrap_or_default();
            let stars = ratings.get(template.id.as_str()).copied().map(words).unwrap_or_default();
            entries.push(Entry { template: Arc::clone(template), active, stars, missing });
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
    rating: Rating,
    stars: String,
    reviews: Vec<(String, Review)>,
    /// What the visitor says of it, where it may.
    form: Option<FormState>,
    /// Whether the visitor said something already.
    has_said: bool,
    /// What can be chosen, with what holds otherwise.
    choices: Vec<(Setting, String)>,
    /// The command that deploys it.
    command: String,
    request: String,
}

/// Stars with a tenth: `4.5`.
fn words(rating: Rating) -> String {
    rating.tenths().map_or_else(String::new, |tenths| format!("{}.{}", tenths / 10, tenths % 10))
}

pub(super) async fn show(State(services): State<Services>, visit: Visit, Path(slug): Path<String>) -> Answer {
    draw(&services, visit, &slug, None).await
}

/// What the form of the ratings does.
pub(super) async fn rate(
    State(services): State<Services>,
    visit: Visit,
    Path(slug): Path<String>,
    Form(typed): Form<Typed>,
) -> Answer {
    visit.account()?;
    let found = services.catalogue().find(&slug).filter(|template| template.slug == slug);
    let id = found.ok_or(ServiceError::NotFound("service"))?.id.clone();
    let here = format!("/services/{slug}#ratings");
    if typed.get("do") == "remove" {
        services.unrate(&visit.caller, &id, None).await?;
        return Ok(done(&here, "Your rating is removed."));
    }
    let stars = typed.get("stars").parse().unwrap_or_default();
    match services.rate(&visit.caller, &id, stars, typed.get("text")).await {
        Ok(()) => Ok(done(&here, "Thank you. Your rating is saved.")),
        Err(error) => {
            let (status, form) = Wrong::of(error, &typed)?.into_parts();
            Ok((status, draw(&services, visit, &slug, Some(form)).await?).into_response())
        }
    }
}

async fn draw(services: &Services, visit: Visit, slug: &str, said: Option<FormState>) -> Answer {
    let found = services.catalogue().find(slug);
    // The catalogue of the market knows services by their ids.
    if let Some(template) = found.filter(|template| template.slug != slug) {
        return Ok(Redirect::to(&format!("/services/{}", template.slug)).into_response());
    }
    let template = Arc::clone(found.ok_or(ServiceError::NotFound("service"))?);
    let active = services.active().await?.get(template.id.as_str()).copied().unwrap_or_default();
    let missing = why_not(services, &template).await;
    let rating = services.ratings().await?.remove(template.id.as_str()).unwrap_or_default();
    let (page, names) = services.reviews(&template.id, REVIEWS).await?;
    let (own, may_rate) = services.own_review(&visit.caller, &template.id).await?;
    let stars = own.as_ref().map(|own| own.stars.to_string()).unwrap_or_default();
    let text = own.as_ref().map(|own| own.words.as_str()).unwrap_or_default();
    let form = said.unwrap_or_else(|| FormState::with(&[("stars", &stars), ("text", text)]));
    let page = ServicePage {
        shell: public(visit, &template.name).with_sheet(Sheet::Prose).describe(template.summary.clone()),
        description: markdown::render(&template.description, None),
        choices: template.settings.iter().map(|known| (known.clone(), example::unsaid(known))).collect(),
        command: example::command(&template),
        request: example::request(&template),
        active,
        missing,
        stars: words(rating),
        rating,
        reviews: page
            .items
            .into_iter()
            .map(|review| (names.of(&review.account).to_owned(), review))
            .collect(),
        form: may_rate.then_some(form),
        has_said: own.is_some(),
        template,
    };
    Ok(face::html(&page.shell, &page))
}
