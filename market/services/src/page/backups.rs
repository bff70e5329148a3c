//! `/deployments/{id}/backups`: those there are, making one, bringing one back.

use axum::extract::State;
use axum::response::IntoResponse;
use identity::{Visit, done};
use kernel::{Page, Paging};
use serde::Deserialize;
use web::face::parts::Pager;
use web::face::{self, FormState, Shell, Typed, Wrong};
use web::idempotency::{Key, Request};
use web::{Form, Path, Query};

use super::deployment::Head;
use super::{Answer, ROWS};
use crate::backups::{Backup, BackupState};
use crate::error::{ServiceError, id};
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
    draw(&services, visit, &id(&text, "deployment")?, asked.offset, FormState::default()).await
}

async fn draw(services: &Services, visit: Visit, id: &DeploymentId, offset: u32, form: FormState) -> Answer {
    let paging = Paging { limit: ROWS, offset }.checked()?;
    let deployment = services.deployment(&visit.caller, id).await?;
    let Page { items, total } = services.backups(&visit.caller, id, paging).await?;
    let template = services.catalogue().find(deployment.service.as_str());
    let offered = template.is_some_and(|template| template.recipe.backup.is_some());
    let head = Head::new(services, deployment, "Backups");
    let page = BackupsPage {
        shell: head.shell(visit.shell, "Backups"),
        pager: Pager::new(&format!("{}/backups", head.here), ROWS, offset, items.len(), total),
        head,
        form,
        backups: items,
        offered,
    };
    Ok(face::html(&page.shell, &page))
}

impl BackupsPage {
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
            let (status, form) = Wrong::of(error, &typed)?.into_parts();
            Ok((status, draw(&services, visit, &id, 0, form).await?).into_response())
        }
    }
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
        _ => {
            services.back_up(by, deployment, Request::new(Key(None), "", &())).await?;
            (list, "The backup is on its way. It counts once it was read back and checked.")
        }
    })
}
