//! `/deployments/{id}/backups`: those there are, making one, bringing one back.

use axum::extract::State;
use axum::response::IntoResponse;
use identity::{Visit, done};
use kernel::{Page, Paging, Problem};
use serde::Deserialize;
use web::face::parts::{Choice, Pager};
use web::face::{self, FormState, Shell, Typed, Wrong};
use web::idempotency::{Key, Request};
use web::{Form, Path, Query};

use super::deployment::Head;
use super::{Answer, ROWS};
use crate::backups::{Backup, BackupState};
use crate::error::{ServiceError, id};
use crate::schedule::{Every, Schedule, Scheduled};
use crate::{BackupId, DeploymentId, Services, Status, Wanted};

#[derive(askama::Template)]
#[template(path = "services/backups.html")]
struct BackupsPage {
    shell: Shell,
    head: Head,
    form: FormState,
    backups: Vec<Backup>,
    /// Whether its service can be saved at all.
    offered: bool,
    schedule: Option<Scheduled>,
    /// What the form of the schedule says.
    plan: FormState,
    /// Names the next backup, so that a button that is pressed twice makes one.
    key: String,
    pager: Pager,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    offset: u32,
}

pub(super) async fn show(
    State(services): State<Services>,
    visit: Visit,
    Path(text): Path<String>,
    Query(asked): Query<Asked>,
) -> Answer {
    visit.account()?;
    draw(&services, visit, &id(&text, "deployment")?, asked.offset, Said::Nothing).await
}

/// Which of the forms was sent, and what is wrong with it.
enum Said {
    Nothing,
    Backup(FormState),
    Schedule(FormState),
}

async fn draw(services: &Services, visit: Visit, id: &DeploymentId, offset: u32, said: Said) -> Answer {
    let paging = Paging { limit: ROWS, offset }.checked()?;
    let deployment = services.deployment(&visit.caller, id).await?;
    let Page { items, total } = services.backups(&visit.caller, id, paging).await?;
    let template = services.catalogue().find(deployment.service.as_str());
    let offered = template.is_some_and(|template| template.recipe.backup.is_some());
    let schedule = services.schedule(&visit.caller, id).await?;
    let (form, plan) = match said {
        Said::Nothing => (FormState::default(), plan_of(schedule.as_ref())),
        Said::Backup(form) => (form, plan_of(schedule.as_ref())),
        Said::Schedule(plan) => (FormState::default(), plan),
    };
    let head = Head::new(services, deployment, "Backups");
    let page = BackupsPage {
        shell: head.shell(visit.shell, "Backups"),
        pager: Pager::new(&format!("{}/backups", head.here), ROWS, offset, items.len(), total),
        head,
        form,
        backups: items,
        offered,
        schedule,
        plan,
        key: kernel::random_text::<16>(),
    };
    Ok(face::html(&page.shell, &page))
}

/// The form as the schedule is; every day at night where there is none.
fn plan_of(scheduled: Option<&Scheduled>) -> FormState {
    let usual = Schedule { every: Every::Day, weekday: 0, hour: 3, minute: 0, keep: 7 };
    let schedule = scheduled.map_or(usual, |scheduled| scheduled.schedule);
    let every = scheduled.map_or("", |_| schedule.every.as_str());
    FormState::with(&[
        ("every", every),
        ("weekday", &schedule.weekday.to_string()),
        ("at", &format!("{:02}:{:02}", schedule.hour, schedule.minute)),
        ("keep", &schedule.keep.to_string()),
    ])
}

/// What the form asks for; none: not by itself.
fn asked_plan(typed: &Typed) -> Result<Option<Schedule>, ServiceError> {
    let Ok(every) = typed.get("every").parse::<Every>() else { return Ok(None) };
    let at = typed.get("at").trim().split_once(':');
    let at = at.and_then(|(hour, minute)| Some((hour.parse().ok()?, minute.parse().ok()?)));
    let (hour, minute) = at.ok_or(ServiceError::field("/at", "Write a time such as 03:30."))?;
    let number = |name| typed.get(name).trim().parse().ok();
    let keep = number("keep").ok_or(ServiceError::field("/keep", "Keep 1 to 40."))?;
    Ok(Some(Schedule { every, weekday: number("weekday").unwrap_or_default(), hour, minute, keep }))
}

impl BackupsPage {
    /// How often, as the form offers it.
    fn periods() -> Vec<Choice> {
        let choice = |(value, label)| Choice::new(value, label, "");
        [("", "Not by itself"), ("hour", "Every hour"), ("day", "Every day"), ("week", "Every week")]
            .map(choice)
            .into()
    }

    /// The days of the week.
    fn days() -> Vec<Choice> {
        let names = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
        (0..).zip(names).map(|(number, name): (u32, _)| Choice::new(&number.to_string(), name, "")).collect()
    }

    /// Whether one can be made or brought back now.
    fn can(&self) -> bool {
        self.offered && self.head.deployment.status == Status::Running
    }

    /// The state in words, and the kind and the icon of its badge.
    fn state(&self, backup: &Backup) -> (&'static str, &'static str, &'static str) {
        match backup.state {
            BackupState::Waiting => ("Waiting", "", "clock"),
            BackupState::Dumping => ("Being written", "", "clock"),
            BackupState::Verifying => ("Being checked", "", "clock"),
            BackupState::Done => ("Whole", "ok", "check"),
            BackupState::Failed => ("Failed", "bad", "circle-x"),
            BackupState::Removed => ("Removed", "", "x"),
        }
    }
}

/// All that the page's buttons do.
pub(super) async fn change(
    State(services): State<Services>,
    visit: Visit,
    Path(text): Path<String>,
    Form(typed): Form<Typed>,
) -> Answer {
    visit.account()?;
    let id: DeploymentId = id(&text, "deployment")?;
    match run(&services, &visit, &id, &typed).await {
        Ok((to, words)) => Ok(done(&to, words)),
        Err(error) => {
            let (status, form) = Wrong::of(by_field(error), &typed)?.into_parts();
            let said = if typed.get("do") == "schedule" { Said::Schedule(form) } else { Said::Backup(form) };
            Ok((status, draw(&services, visit, &id, 0, said).await?).into_response())
        }
    }
}

/// The problem with the fields of the form instead of those of the API.
fn by_field(error: ServiceError) -> Problem {
    let mut problem = Problem::from(error);
    for error in &mut problem.errors {
        if matches!(error.pointer.as_ref(), "/hour" | "/minute") {
            error.pointer = "/at".into();
        }
    }
    problem
}

async fn run(
    services: &Services,
    visit: &Visit,
    deployment: &DeploymentId,
    typed: &Typed,
) -> Result<(String, &'static str), ServiceError> {
    let (by, here) = (&visit.caller, format!("/deployments/{deployment}"));
    let list = format!("{here}/backups");
    Ok(match typed.get("do") {
        "restore" => {
            services.restore(by, deployment, &id::<BackupId>(typed.get("backup"), "backup")?).await?;
            (here, "It is being brought back. It answers again in a moment.")
        }
        "remove" => {
            let backup = id::<BackupId>(typed.get("backup"), "backup")?;
            services.remove_backup(by, deployment, &backup).await?;
            (list, "The backup is removed.")
        }
        "schedule" => {
            let words = match services.set_schedule(by, deployment, asked_plan(typed)?).await? {
                Some(_) => "The schedule is saved.",
                None => "It is saved only when you say so.",
            };
            (list, words)
        }
        _ => {
            let key = Some(typed.get("key").to_owned()).filter(|key| !key.is_empty());
            let scope = format!("{} POST {list}", visit.account()?.user);
            services.back_up(by, deployment, Request::new(Key(key), scope, &())).await?;
            (list, "The backup is on its way. It counts once it was read back and checked.")
        }
    })
}
