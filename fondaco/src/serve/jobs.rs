//! `/operator/jobs`: the background work, for operators. The queue itself knows no accounts, so the permission is
//! checked here, in the two use cases.

use std::collections::HashMap;

use askama::Template;
use axum::extract::{FromRef, State};
use axum::response::Response;
use identity::audit::{self, Outcome};
use identity::{Action, Caller, Identity, IdentityError, Subject, Visit, done};
use jobs::{Filter, JobError, JobId, JobView};
use kernel::{Clock, Page, Paging, Problem};
use serde::Deserialize;
use store::{Store, StoreError, Tx};
use web::face::Shell;
use web::face::parts::{Choice, Pager};
use web::face::{self, FormState};
use web::{Access, Failure, Form, Path, Query, Routes};

/// How many jobs one page shows.
const ROWS: u32 = 50;

/// What the page works on.
#[derive(Clone)]
struct Work {
    store: Store,
    clock: Clock,
    identity: Identity,
}

impl FromRef<Work> for Identity {
    fn from_ref(work: &Work) -> Self {
        work.identity.clone()
    }
}

#[derive(Debug, thiserror::Error)]
enum WorkError {
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error(transparent)]
    Job(#[from] JobError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<WorkError> for Problem {
    fn from(error: WorkError) -> Self {
        match error {
            WorkError::Identity(error) => error.into(),
            WorkError::Job(error) => error.into(),
            WorkError::Store(error) => error.into(),
        }
    }
}

/// What an operator can do with a job.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Change {
    Retry,
    Cancel,
}

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    state: String,
    #[serde(default)]
    offset: u32,
}

#[derive(Deserialize)]
struct Wish {
    change: Change,
}

#[derive(Template)]
#[template(path = "jobs.html")]
struct JobsPage {
    shell: Shell,
    form: FormState,
    states: Vec<Choice>,
    rows: Vec<JobView>,
    pager: Pager,
}

/// The page and its forms.
pub(super) fn routes(store: Store, clock: Clock, identity: Identity) -> Routes {
    Routes::new()
        .get("/operator/jobs", Access::Operator, list)
        .post("/operator/jobs/{id}", Access::Operator, change)
        .with_state(Work { store, clock, identity })
}

impl Work {
    async fn list(&self, by: &Caller, filter: Filter, paging: Paging) -> Result<Page<JobView>, WorkError> {
        by.may(Action::OperateJobs, &Subject::Market)?;
        let read = async move |tx: &mut Tx| jobs::list(tx, &filter, paging).await;
        Ok(self.store.read(read).await?)
    }

    async fn change(&self, by: &Caller, id: JobId, change: Change) -> Result<(), WorkError> {
        by.may(Action::OperateJobs, &Subject::Market)?;
        let (by, now) = (by.clone(), self.clock.now());
        let write = async move |tx: &mut Tx| {
            let action = match change {
                Change::Retry => jobs::retry(tx, &id, now).await.map(|()| "job.retried"),
                Change::Cancel => jobs::cancel(tx, &id, now).await.map(|()| "job.cancelled"),
            }?;
            audit::record(tx, &by, action, id.as_str(), Outcome::Done, &serde_json::json!({})).await?;
            Ok::<_, WorkError>(())
        };
        self.store.write(write).await
    }
}

async fn list(
    State(work): State<Work>,
    visit: Visit,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    let state = serde_json::from_value(asked.state.clone().into()).ok();
    let paging = Paging { limit: ROWS, offset: asked.offset }.checked()?;
    let found = work.list(&visit.caller, Filter { state, kind: None }, paging).await?;
    let address =
        if asked.state.is_empty() { "/operator/jobs".to_owned() } else { state_address(&asked.state) };
    let page = JobsPage {
        shell: visit
            .shell
            .page("Jobs - Operator", "jobs")
            .crumb("Operator", "/operator/users")
            .crumb("Jobs", ""),
        form: FormState::with(&[("state", &asked.state)]),
        states: [
            ("", "All"),
            ("waiting", "Waiting"),
            ("running", "Running"),
            ("done", "Done"),
            ("dead", "Dead"),
            ("cancelled", "Cancelled"),
        ]
        .map(|(value, label)| Choice::new(value, label, ""))
        .into(),
        pager: Pager::new(&address, ROWS, asked.offset, found.items.len(), found.total),
        rows: found.items,
    };
    Ok(face::html(&page.shell, &page))
}

fn state_address(state: &str) -> String {
    let state: String = url::form_urlencoded::byte_serialize(state.as_bytes()).collect();
    format!("/operator/jobs?state={state}")
}

async fn change(
    State(work): State<Work>,
    visit: Visit,
    Path(ids): Path<HashMap<String, String>>,
    form: Result<Form<Wish>, Failure>,
) -> Result<Response, Failure> {
    visit.caller.may(Action::OperateJobs, &Subject::Market)?;
    let Form(Wish { change }) = form?;
    let id = ids.get("id").and_then(|id| id.parse().ok());
    let id = id.ok_or_else(|| Problem::not_found("jobs.missing", "There is no such job."))?;
    work.change(&visit.caller, id, change).await?;
    Ok(done(
        "/operator/jobs",
        match change {
            Change::Retry => "The job is tried again.",
            Change::Cancel => "The job is stopped.",
        },
    ))
}
