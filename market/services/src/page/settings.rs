//! `/deployments/{id}/settings`: its name, plan, budget, credentials and end.

use axum::extract::State;
use axum::response::{IntoResponse, Redirect};
use identity::{Visit, done};
use kernel::{Money, Problem};
use web::face::parts::Choice;
use web::face::{self, FormState, Shell, Typed, Wrong};
use web::{Expected, Form, Path};

use super::Answer;
use super::deployment::Head;
use super::fields::{self, FieldKind, SettingField};
use crate::change::Change;
use crate::credentials::Shown;
use crate::error::{ServiceError, id};
use crate::template::Template;
use crate::{DeploymentId, Scaled, Services, Status, Wanted};

#[derive(askama::Template)]
#[template(path = "services/settings.html")]
struct SettingsPage {
    shell: Shell,
    head: Head,
    name: FormState,
    scale: FormState,
    budget: FormState,
    /// What its service lets choose.
    config: FormState,
    fields: Vec<SettingField>,
    plans: Vec<Choice>,
    /// Whether its service can change its credentials while it runs.
    rotates: bool,
    /// Whether its plan is paid.
    is_sold: bool,
}

/// Which of the forms was sent, and what is wrong with it.
enum Said {
    Nothing,
    Name(FormState),
    Scale(FormState),
    Budget(FormState),
    Config(FormState),
}

pub(super) async fn show(State(services): State<Services>, visit: Visit, Path(text): Path<String>) -> Answer {
    visit.account()?;
    settings_page(&services, visit, &id(&text, "deployment")?, Said::Nothing).await
}

async fn settings_page(services: &Services, visit: Visit, id: &DeploymentId, said: Said) -> Answer {
    let deployment = services.deployment(&visit.caller, id).await?;
    let (settings, chosen) = services.settings_of(&visit.caller, id).await?;
    let template = services.catalogue().find(deployment.service.as_str());
    let head = Head::new(services, deployment, "Settings");
    let known = &head.deployment;
    let budget =
        known.budget_minor.map(|minor| Money::new(minor, known.plan.currency).major()).unwrap_or_default();
    let mut forms = [("name", known.name.as_str()), ("plan", &known.plan.id), ("budget", &budget)]
        .map(|value| FormState::with(&[value]));
    let mut config = fields::form(&settings, &chosen);
    match said {
        Said::Nothing => {}
        Said::Name(form) => forms[0] = form,
        Said::Scale(form) => forms[1] = form,
        Said::Budget(form) => forms[2] = form,
        Said::Config(form) => config = form,
    }
    let [name, scale, budget] = forms;
    let page = SettingsPage {
        shell: head.shell(visit.shell, "Settings"),
        plans: template.map(|template| plans(template)).unwrap_or_default(),
        is_sold: services.is_sold(head.deployment.plan.pricing),
        rotates: template.is_some_and(|template| template.recipe.rotate.is_some()),
        fields: fields::of(&settings),
        config,
        head,
        name,
        scale,
        budget,
    };
    Ok(face::html(&page.shell, &page))
}

fn plans(template: &Template) -> Vec<Choice> {
    let words = |plan: &crate::Plan| format!("{}; {}", plan.size(), plan.month_words());
    template.plans.iter().map(|plan| Choice::new(&plan.id, &plan.name, &words(plan))).collect()
}

pub(super) async fn save(
    State(services): State<Services>,
    visit: Visit,
    Path(text): Path<String>,
    Form(typed): Form<Typed>,
) -> Answer {
    visit.account()?;
    let id: DeploymentId = id(&text, "deployment")?;
    let here = format!("/deployments/{id}");
    if typed.get("do") == "rotate" {
        return rotate(&services, visit, &id).await;
    }
    let asked = asked(&services, &visit, &id, &typed).await;
    let outcome = match asked {
        Ok((Change::Scale { plan }, _)) => match scale(&services, &visit, &id, plan).await {
            Ok(Moved::Elsewhere(page)) => return Ok(Redirect::to(&page).into_response()),
            Ok(Moved::Here(words)) => Ok(words),
            Err(error) => Err(error),
        },
        Ok((change, words)) => {
            let changed = services.change(&visit.caller, &id, Expected::Whatever, change).await;
            changed.map(|_| words.to_owned())
        }
        Err(error) => Err(error),
    };
    match outcome {
        Ok(words) if typed.get("do") == "delete" => Ok(done(&here, &words)),
        Ok(words) => Ok(done(&format!("{here}/settings"), &words)),
        Err(error) => {
            let mut problem = Problem::from(error);
            if typed.get("do") == "configure" {
                fields::point(&mut problem, &services.settings_of(&visit.caller, &id).await?.0);
            }
            let (status, form) = Wrong::of(problem, &typed)?.into_parts();
            let said = match typed.get("do") {
                "scale" => Said::Scale(form),
                "budget" => Said::Budget(form),
                "configure" => Said::Config(form),
                _ => Said::Name(form),
            };
            Ok((status, settings_page(&services, visit, &id, said).await?).into_response())
        }
    }
}

/// Where a wish for another plan leads.
enum Moved {
    Here(String),
    Elsewhere(String),
}

async fn scale(
    services: &Services,
    visit: &Visit,
    id: &DeploymentId,
    plan: String,
) -> Result<Moved, ServiceError> {
    match services.change_plan(&visit.caller, id, Expected::Whatever, plan).await {
        Ok(Scaled::Now(_)) => Ok(Moved::Here("It is moving to the other plan.".to_owned())),
        Ok(Scaled::Later(_, at)) => Ok(Moved::Here(format!(
            "It gets the other plan on {}, when what is paid for is used.",
            at.date()
        ))),
        Ok(Scaled::Confirm(_, page)) => Ok(Moved::Elsewhere(page)),
        Err(ServiceError::ToPay(to_pay)) => Ok(Moved::Elsewhere(to_pay.page())),
        Err(error) => Err(error),
    }
}

/// What a form of the settings asks for.
async fn asked(
    services: &Services,
    visit: &Visit,
    id: &DeploymentId,
    typed: &Typed,
) -> Result<(Change, &'static str), ServiceError> {
    Ok(match typed.get("do") {
        "scale" => (Change::Scale { plan: typed.get("plan").to_owned() }, "It is moving to the other plan."),
        "budget" => {
            let currency = services.deployment(&visit.caller, id).await?.plan.currency;
            let text = typed.get("budget").trim();
            let minor = match Money::parse(text, currency) {
                _ if text.is_empty() => None,
                Ok(money) if money.minor > 0 => Some(money.minor),
                _ => {
                    return Err(ServiceError::field(
                        "/budget",
                        "Use an amount such as 25 or 25.50, or nothing.",
                    ));
                }
            };
            (Change::Budget { minor }, "The budget is saved.")
        }
        "configure" => {
            let (settings, _) = services.settings_of(&visit.caller, id).await?;
            let settings = fields::typed(&settings, typed);
            (Change::Configure { settings }, "The settings are saved. It starts anew with them.")
        }
        "delete" => {
            let at_once = typed.get("at_once") == "yes";
            (Change::Delete { at_once }, "It is being deleted.")
        }
        _ => (Change::Rename { name: typed.get("name").trim().to_owned() }, "The name is saved."),
    })
}

#[derive(askama::Template)]
#[template(path = "services/rotated.html")]
struct RotatedPage {
    shell: Shell,
    head: Head,
    shown: Shown,
}

async fn rotate(services: &Services, visit: Visit, id: &DeploymentId) -> Answer {
    let Some(shown) = services.rotate(&visit.caller, id).await? else {
        let here = format!("/deployments/{id}");
        return Ok(done(&here, "New credentials are on their way. Reveal them in a moment."));
    };
    let head = Head::new(services, services.deployment(&visit.caller, id).await?, "");
    let page = RotatedPage { shell: head.shell(visit.shell, "New credentials"), shown, head };
    Ok(face::html(&page.shell, &page))
}
