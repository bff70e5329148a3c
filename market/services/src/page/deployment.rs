//! `/deployments/{id}`: how it is, how it is reached, and what can be done with it.

use axum::extract::State;
use axum::response::IntoResponse;
use identity::{Visit, done};
use kernel::{Money, Page, Paging};
use web::face::parts::{Choice, Command, Tab};
use web::face::{self, FormState, Shell, Typed, Wrong};
use web::{Expected, Form, Path};

use super::{Answer, console};
use crate::change::Change;
use crate::credentials::Shown;
use crate::error::{ServiceError, id};
use crate::list::Happened;
use crate::template::Template;
use crate::{Deployment, DeploymentId, Services, Status, Wanted};

/// How much of what happened stands on the page.
const EVENTS: Paging = Paging { limit: 12, offset: 0 };

/// What stands above every tab of one deployment.
pub(super) struct Head {
    pub(super) here: String,
    pub(super) about: String,
    pub(super) icon: String,
    pub(super) endpoint: String,
    pub(super) tabs: Vec<Tab>,
    pub(super) deployment: Deployment,
}

impl Head {
    pub(super) fn new(services: &Services, deployment: Deployment, tab: &str) -> Self {
        let here = format!("/deployments/{}", deployment.id);
        let template = services.catalogue().find(deployment.service.as_str());
        let tab = |label: &str, path: &str| Tab::new(label, format!("{here}{path}"), "", label == tab);
        Self {
            about: deployment.about(&services.service_name(&deployment)),
            icon: template.map_or("server", |template| template.icon()).to_owned(),
            endpoint: services.endpoint(&deployment),
            tabs: vec![tab("Overview", ""), tab("Settings", "/settings")],
            here,
            deployment,
        }
    }

    /// Whether it is on its way out, and can still be called back.
    pub(super) fn can_undo(&self, now: &kernel::Timestamp) -> bool {
        self.deployment.wanted == Wanted::Deleted
            && self.deployment.undo_until.is_some_and(|until| until > *now)
    }

    pub(super) fn shell(&self, visit: Visit, part: &str) -> Shell {
        let name = &self.deployment.name;
        let title = if part.is_empty() { name.clone() } else { format!("{part} - {name}") };
        console(visit, &title).crumb("Deployments", "/deployments").crumb(name.clone(), "")
    }
}

#[derive(askama::Template)]
#[template(path = "services/overview.html")]
struct OverviewPage {
    shell: Shell,
    head: Head,
    shown: Shown,
    /// Whether the secrets are to be read.
    is_open: bool,
    examples: Vec<Command>,
    happened: Vec<Happened>,
}

pub(super) async fn overview(
    State(services): State<Services>,
    visit: Visit,
    Path(text): Path<String>,
) -> Answer {
    visit.account()?;
    draw(&services, visit, &id(&text, "deployment")?, false).await
}

async fn draw(services: &Services, visit: Visit, id: &DeploymentId, reveal: bool) -> Answer {
    let deployment = services.deployment(&visit.caller, id).await?;
    let shown = services.credentials(&visit.caller, id, reveal).await?;
    let Page { items, .. } = services.happened(&visit.caller, id, EVENTS).await?;
    let head = Head::new(services, deployment, "Overview");
    let page = OverviewPage {
        shell: head.shell(visit, ""),
        examples: examples(&head, &shown, reveal),
        shown,
        is_open: reveal,
        happened: items,
        head,
    };
    Ok(face::html(&page.shell, &page))
}

/// How programs and people connect.
fn examples(head: &Head, shown: &Shown, reveal: bool) -> Vec<Command> {
    let by_us = format!("fondaco deployment connect {}", head.deployment.id);
    let mut all = vec![Command::new("fondaco", by_us)];
    if !shown.example.is_empty() && reveal {
        all.push(Command::new("Client", shown.example.clone()));
    }
    if !shown.uri.is_empty() && reveal {
        all.push(Command::new("URL", shown.uri.clone()));
    }
    all
}

/// All that the buttons of the page do: one address, so that who signs in anew comes back to the page.
pub(super) async fn change(
    State(services): State<Services>,
    visit: Visit,
    Path(text): Path<String>,
    Form(typed): Form<Typed>,
) -> Answer {
    visit.account()?;
    let id: DeploymentId = id(&text, "deployment")?;
    let here = format!("/deployments/{id}");
    let (change, words) = match typed.get("do") {
        "reveal" => return draw(&services, visit, &id, true).await,
        "stop" => (Change::Stop, "It is stopping. What it keeps stays."),
        "start" => (Change::Start, "It is starting."),
        "restart" => (Change::Restart, "It is starting anew."),
        "undelete" => (Change::Undelete, "It stays. Start it when you need it."),
        _ => return Ok(done(&here, "Nothing was changed.")),
    };
    services.change(&visit.caller, &id, Expected::Whatever, change).await?;
    Ok(done(&here, words))
}

#[derive(askama::Template)]
#[template(path = "services/settings.html")]
struct SettingsPage {
    shell: Shell,
    head: Head,
    name: FormState,
    scale: FormState,
    budget: FormState,
    plans: Vec<Choice>,
    /// Whether its service can change its credentials while it runs.
    rotates: bool,
}

/// Which of the forms was sent, and what is wrong with it.
enum Said {
    Nothing,
    Name(FormState),
    Scale(FormState),
    Budget(FormState),
}

pub(super) async fn settings(
    State(services): State<Services>,
    visit: Visit,
    Path(text): Path<String>,
) -> Answer {
    visit.account()?;
    settings_page(&services, visit, &id(&text, "deployment")?, Said::Nothing).await
}

async fn settings_page(services: &Services, visit: Visit, id: &DeploymentId, said: Said) -> Answer {
    let deployment = services.deployment(&visit.caller, id).await?;
    let template = services.catalogue().find(deployment.service.as_str());
    let head = Head::new(services, deployment, "Settings");
    let known = &head.deployment;
    let budget =
        known.budget_minor.map(|minor| Money::new(minor, known.plan.currency).major()).unwrap_or_default();
    let mut forms = [("name", known.name.as_str()), ("plan", &known.plan.id), ("budget", &budget)]
        .map(|value| FormState::with(&[value]));
    match said {
        Said::Nothing => {}
        Said::Name(form) => forms[0] = form,
        Said::Scale(form) => forms[1] = form,
        Said::Budget(form) => forms[2] = form,
    }
    let [name, scale, budget] = forms;
    let page = SettingsPage {
        shell: head.shell(visit, "Settings"),
        plans: template.map(|template| plans(template)).unwrap_or_default(),
        rotates: template.is_some_and(|template| template.recipe.rotate.is_some()),
        head,
        name,
        scale,
        budget,
    };
    Ok(face::html(&page.shell, &page))
}

fn plans(template: &Template) -> Vec<Choice> {
    let words = |plan: &crate::Plan| format!("{}, {} a month", plan.size(), plan.per_month());
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
        Ok((change, words)) => {
            let changed = services.change(&visit.caller, &id, Expected::Whatever, change).await;
            changed.map(|_| words)
        }
        Err(error) => Err(error),
    };
    match outcome {
        Ok(words) if typed.get("do") == "delete" => Ok(done(&here, words)),
        Ok(words) => Ok(done(&format!("{here}/settings"), words)),
        Err(error) => {
            let (status, form) = Wrong::of(error, &typed)?.into_parts();
            let said = match typed.get("do") {
                "scale" => Said::Scale(form),
                "budget" => Said::Budget(form),
                _ => Said::Name(form),
            };
            Ok((status, settings_page(&services, visit, &id, said).await?).into_response())
        }
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
    let page = RotatedPage { shell: head.shell(visit, "New credentials"), shown, head };
    Ok(face::html(&page.shell, &page))
}
