//! `/deployments/{id}`: how it is, how it is reached, and what can be done with it.

use std::time::Duration;

use askama::Template as _;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect};
use identity::{Visit, done};
use kernel::{Money, Paging};
use serde::Deserialize;
use web::face::parts::{Command, Tab};
use web::face::{self, Html, Shell, Typed, text};
use web::{Expected, Form, Path, Query};

use super::charts::{self, RANGES, Range};
use super::words::percent_words;
use super::{Answer, console};
use crate::change::Change;
use crate::cost::Cost;
use crate::credentials::Shown;
use crate::error::{ServiceError, id};
use crate::figures::Figures;
use crate::list::Happened;
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
            tabs: vec![
                tab("Overview", ""),
                tab("Logs", "/logs"),
                tab("Backups", "/backups"),
                tab("Settings", "/settings"),
            ],
            here,
            deployment,
        }
    }

    /// Whether it is on its way out, and can still be called back.
    pub(super) fn can_undo(&self, now: &kernel::Timestamp) -> bool {
        self.deployment.wanted == Wanted::Deleted
            && self.deployment.undo_until.is_some_and(|until| until > *now)
    }

    pub(super) fn shell(&self, shell: Shell, part: &str) -> Shell {
        let name = &self.deployment.name;
        let title = if part.is_empty() { name.clone() } else { format!("{part} - {name}") };
        console(shell, &title).crumb("Deployments", "/deployments").crumb(name.clone(), "")
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
    range: Range,
    figures: Option<Figures>,
    uptime: String,
    answers: Html,
    charts: Vec<(String, Html)>,
    cost: Cost,
    /// The page of what it is paid by; empty where it was not bought.
    paid_by: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    r: String,
}

pub(super) async fn overview(
    State(services): State<Services>,
    visit: Visit,
    Path(text): Path<String>,
    Query(asked): Query<Asked>,
) -> Answer {
    visit.account()?;
    let page = read(&services, &visit, &id(&text, "deployment")?, Range::of(&asked.r), false).await?;
    Ok(face::html(&page.shell, &page))
}

/// The same page as text, for those who look at it already.
pub(super) async fn page_of(
    services: &Services,
    visit: &Visit,
    id: &DeploymentId,
    range: Range,
) -> Result<String, ServiceError> {
    let page = read(services, visit, id, range, false).await?;
    page.render().map_err(|error| store::StoreError::Database(error.to_string()).into())
}

async fn read(
    services: &Services,
    visit: &Visit,
    id: &DeploymentId,
    range: Range,
    reveal: bool,
) -> Result<OverviewPage, ServiceError> {
    let by = &visit.caller;
    let standing = services.standing(by, id).await?;
    let shown = services.credentials(by, id, reveal).await?;
    let since = by.now().before(Duration::from_secs(range.seconds));
    let (_, samples) = services.samples(by, id, since).await?;
    let happened = services.happened(by, id, EVENTS).await?.items;
    let template = services.catalogue().find(standing.deployment.service.as_str());
    let metrics = template.and_then(|template| template.recipe.metrics.as_ref());
    let fields = metrics.map_or(&[][..], |metrics| &metrics.fields);
    let head = Head::new(services, standing.deployment, "Overview");
    Ok(OverviewPage {
        shell: head.shell(visit.shell.clone(), ""),
        examples: examples(&head, &shown, reveal),
        shown,
        is_open: reveal,
        happened,
        range,
        uptime: percent_words(standing.uptime),
        answers: charts::answer_line(&samples),
        charts: charts::charts(&samples, &head.deployment.plan, fields, range),
        figures: standing.figures,
        cost: standing.cost,
        paid_by: standing.subscription.map_or_else(String::new, |id| format!("/billing/subscriptions/{id}")),
        head,
    })
}

impl OverviewPage {
    /// One of the service's own figures, as a whole number.
    fn own(&self, name: &str) -> Option<String> {
        let value = *self.figures.as_ref()?.own.get(name)?;
        Some(text::count(value.max(0.0).round() as u64))
    }

    /// How many are connected now.
    fn connections(&self) -> Option<String> {
        let value = *self.figures.as_ref()?.own.get("connections")?;
        Some(text::counted(value.max(0.0).round() as u64, "connection"))
    }

    /// How long an answer takes: as the service says, or as its probes found.
    fn answer_ms(&self) -> Option<String> {
        let figures = self.figures.as_ref()?;
        let own = figures.own.get("avgResponseMs").copied();
        let probed = Duration::from_micros(figures.answer_us).as_secs_f64() * 1_000.0;
        Some(own.unwrap_or(probed)).filter(|ms| *ms > 0.0).map(|ms| format!("{ms:.1}"))
    }

    /// Of what the cost is told.
    fn cost_title(&self) -> &'static str {
        if self.paid_by.is_empty() { "Cost this month" } else { "Cost this period" }
    }

    fn money(&self, minor: &i64) -> String {
        Money::new(*minor, self.head.deployment.plan.currency).to_string()
    }

    /// How much of the budget is used up, from 0 to 100.
    fn budget_used(&self, budget: &i64) -> i64 {
        (self.cost.current_minor.saturating_mul(100) / (*budget).max(1)).clamp(0, 100)
    }

    /// How much of the plan is in use, from 0 to 100, with words.
    fn uses(&self) -> Vec<(&'static str, u32, String)> {
        let Some(figures) = &self.figures else { return Vec::new() };
        let plan = &self.head.deployment.plan;
        let size = |part: u64, whole: u64| format!("{} of {}", text::bytes(part), text::bytes(whole));
        let cpu = charts::percent(figures.cpu_millis, u64::from(plan.cpu_millis));
        let mut uses = vec![
            ("CPU", cpu, format!("{cpu:.0} % of {} CPU", plan.cpu())),
            (
                "Memory",
                charts::percent(figures.memory_bytes, plan.memory_bytes),
                size(figures.memory_bytes, plan.memory_bytes),
            ),
        ];
        if plan.disk_bytes > 0 {
            let used = charts::percent(figures.disk_bytes, plan.disk_bytes);
            uses.push(("Disk", used, size(figures.disk_bytes, plan.disk_bytes)));
        }
        uses.into_iter().map(|(name, used, words)| (name, used.clamp(0.0, 100.0) as u32, words)).collect()
    }
}

/// How programs and people connect.
fn examples(head: &Head, shown: &Shown, reveal: bool) -> Vec<Command> {
    let by_us = format!("fondaco deployment connect {}", head.deployment.id);
    let mut all = vec![Command::new("fondaco", by_us)];
    for (tool, line) in [("Client", &shown.example), ("URL", &shown.uri)] {
        if !line.is_empty() && reveal {
            all.push(Command::new(tool, line.clone()));
        }
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
        "reveal" => {
            let page = read(&services, &visit, &id, RANGES[1], true).await?;
            return Ok(face::html(&page.shell, &page));
        }
        "stop" => (Change::Stop, "It is stopping. What it keeps stays."),
        "start" => (Change::Start, "It is starting."),
        "restart" => (Change::Restart, "It is starting anew."),
        "undelete" => (Change::Undelete, "It stays. Start it when you need it."),
        _ => return Ok(done(&here, "Nothing was changed.")),
    };
    match services.change_or_order(&visit.caller, &id, Expected::Whatever, change).await {
        Err(ServiceError::ToPay(to_pay)) => Ok(Redirect::to(&to_pay.page()).into_response()),
        changed => changed.map(|_| done(&here, words)).map_err(Into::into),
    }
}
