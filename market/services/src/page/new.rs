//! `/deployments/new`: choose, see the price, deploy. The answer shows the credentials, this once.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use identity::Visit;
use kernel::Problem;
use serde::Deserialize;
use web::face::parts::Choice;
use web::face::{self, FormState, Shell, Typed, Wrong};
use web::idempotency::{Key, Request};
use web::{Form, Query};

use super::fields::{self, FieldKind, SettingField};
use super::{Answer, console};
use crate::deploy::Made;
use crate::error::{ServiceError, id};
use crate::template::{Setting, Template};
use crate::{NewDeployment, Services};

const HERE: &str = "/deployments/new";

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    service: String,
    plan: String,
    /// What it begins with.
    backup: String,
}

#[derive(askama::Template)]
#[template(path = "services/choose.html")]
struct ChoosePage {
    shell: Shell,
    form: FormState,
    services: Vec<Choice>,
}

#[derive(askama::Template)]
#[template(path = "services/new.html")]
struct NewPage {
    shell: Shell,
    form: FormState,
    template: Arc<Template>,
    regions: Vec<Choice>,
    /// Whose it can be; empty where there is nothing to choose.
    owners: Vec<Choice>,
    /// The service's own settings.
    fields: Vec<SettingField>,
    /// Whether plans with a price can be had.
    sells: bool,
}

pub(super) async fn show(
    State(services): State<Services>,
    visit: Visit,
    Query(asked): Query<Asked>,
) -> Answer {
    visit.account()?;
    let Some(template) = services.catalogue().find(&asked.service) else {
        return Ok(choose(&services, visit));
    };
    let first = |list: &[String]| list.first().cloned().unwrap_or_default();
    let plan = template.plan(&asked.plan).or_else(|| template.plans.first());
    let plan = plan.map(|plan| plan.id.clone()).unwrap_or_default();
    let key = kernel::random_text::<16>();
    let region = first(&template.regions);
    let mut values = vec![
        ("plan", plan.as_str()),
        ("region", region.as_str()),
        ("key", key.as_str()),
        ("backup", asked.backup.as_str()),
    ];
    let defaults = fields::defaults(&template.settings);
    values.extend(defaults.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    Ok(form_page(&services, visit, &asked.service, FormState::with(&values)))
}

fn choose(services: &Services, visit: Visit) -> Response {
    let choice = |template: &Arc<Template>| Choice::new(&template.slug, &template.name, &template.summary);
    let page = ChoosePage {
        shell: console(visit.shell, "New deployment")
            .crumb("Deployments", "/deployments")
            .crumb("New deployment", ""),
        form: FormState::default(),
        services: services.catalogue().templates().map(choice).collect(),
    };
    face::html(&page.shell, &page)
}

fn form_page(services: &Services, visit: Visit, service: &str, form: FormState) -> Response {
    let Some(template) = services.catalogue().find(service).map(Arc::clone) else {
        return choose(services, visit);
    };
    let orgs = visit.caller.actor.iter().flat_map(|actor| actor.memberships.iter());
    let mut owners: Vec<Choice> = orgs.map(|own| Choice::new(&own.org, &own.org, "")).collect();
    if !owners.is_empty() {
        owners.insert(0, Choice::new("", "You", ""));
    }
    let title = format!("New {}", template.name);
    let page = NewPage {
        shell: console(visit.shell, &title).crumb("Deployments", "/deployments").crumb(title.clone(), ""),
        form,
        regions: template.regions.iter().map(|region| Choice::new(region, region, "")).collect(),
        owners,
        fields: fields::of(&template.settings),
        sells: services.can_be_had(),
        template,
    };
    face::html(&page.shell, &page)
}

#[derive(askama::Template)]
#[template(path = "services/made.html")]
struct MadePage {
    shell: Shell,
    made: Made,
    service: String,
    endpoint: String,
}

/// Kinds of pages that are no redirect after a form: the credentials are shown now, and masked from then on.
fn made_page(services: &Services, visit: Visit, made: Made) -> Response {
    let name = made.deployment.name.clone();
    let page = MadePage {
        shell: console(visit.shell, &name).crumb("Deployments", "/deployments").crumb(name, ""),
        service: services.service_name(&made.deployment),
        endpoint: services.endpoint(&made.deployment),
        made,
    };
    face::html(&page.shell, &page)
}

pub(super) async fn create(
    State(services): State<Services>,
    visit: Visit,
    Form(typed): Form<Typed>,
) -> Answer {
    let actor = visit.account()?;
    let some = |name: &str| Some(typed.get(name).to_owned()).filter(|text| !text.is_empty());
    let template = services.catalogue().find(typed.get("service"));
    let new = NewDeployment {
        service: typed.get("service").to_owned(),
        name: typed.get("name").trim().to_owned(),
        plan: some("plan"),
        region: some("region"),
        settings: template.map(|template| fields::typed(&template.settings, &typed)).unwrap_or_default(),
        organisation: some("organisation"),
        backup: some("backup").map(|text| id(&text, "backup")).transpose()?,
    };
    // The form has a key of its own: sent twice, it makes one deployment.
    let scope = format!("{} POST {HERE}", actor.user);
    let request = Request::new(Key(some("key")), scope, &new);
    let service = new.service.clone();
    let settings = template.map(|template| template.settings.clone()).unwrap_or_default();
    match services.deploy(&visit.caller, new, request).await {
        Ok(made) => Ok(made_page(&services, visit, made)),
        Err(ServiceError::ToPay(to_pay)) => Ok(Redirect::to(&to_pay.page()).into_response()),
        Err(error) => {
            let wrong = Wrong::of(by_field(error, &settings), &typed)?;
            Ok(wrong.answer(|form| form_page(&services, visit, &service, form)))
        }
    }
}

/// The problem with the fields of the form instead of those of the API.
fn by_field(error: ServiceError, settings: &[Setting]) -> Problem {
    let mut problem = Problem::from(error);
    // A plan that is not paid for is mended by choosing another.
    if problem.status == 402 {
        problem = problem.field("/plan", "Choose a plan without a price.");
        problem.status = 422;
    }
    for error in &mut problem.errors {
        let field = match error.pointer.as_ref() {
            "/serviceId" => "/service",
            "/config/tier" => "/plan",
            "/config/region" => "/region",
            "/backupId" | "/config/backupId" => "/backup",
            _ => continue,
        };
        error.pointer = field.into();
    }
    fields::point(&mut problem, settings);
    problem
}
