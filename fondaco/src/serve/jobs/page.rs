//! `/operator/jobs`.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use identity::{Operator, Visit, done};
use jobs::{Filter, JobView};
use kernel::Paging;
use serde::Deserialize;
use web::face::parts::{Choice, Pager};
use web::face::{self, FormState, Shell};
use web::{Access, Failure, Form, Path, Query, Routes};

use super::Work;
use crate::work::{self, Change};

/// How many jobs one page shows.
const ROWS: u32 = 50;

pub(super) fn routes() -> Routes<Work> {
    Routes::new().get("/operator/jobs", Access::Operator, list).post(
        "/operator/jobs/{id}",
        Access::Operator,
        change,
    )
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
    change: Pressed,
}

/// Which button was pressed.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Pressed {
    Retry,
    Cancel,
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

async fn list(
    State(at): State<Work>,
    operator: Operator,
    visit: Visit,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    let state = serde_json::from_value(asked.state.clone().into()).ok();
    let paging = Paging { limit: ROWS, offset: asked.offset }.checked()?;
    let found = work::list(&at.store, &operator, Filter { state, kind: None }, paging).await?;
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
        pager: Pager::new(&address(&asked.state), ROWS, asked.offset, found.items.len(), found.total),
        rows: found.items,
    };
    Ok(face::html(&page.shell, &page))
}

/// The address of the list, up to where its offset is added.
fn address(state: &str) -> String {
    let state: String = url::form_urlencoded::byte_serialize(state.as_bytes()).collect();
    format!("/operator/jobs?state={state}&")
}

async fn change(
    State(at): State<Work>,
    operator: Operator,
    Path(id): Path<String>,
    Form(Wish { change }): Form<Wish>,
) -> Result<Response, Failure> {
    let (change, said) = match change {
        Pressed::Retry => (Change::Retry, "The job is tried again."),
        Pressed::Cancel => (Change::Cancel, "The job is stopped."),
    };
    work::change(&at.store, &operator, work::id(&id)?, change).await?;
    Ok(done("/operator/jobs", said))
}
