//! `admin jobs`: the background work, on the server's machine.

use identity::{Caller, Operator};
use jobs::{Filter, JobView};
use kernel::{Paging, Problem};
use serde_json::{Value, json};

use super::super::args::{AdminJob, AdminJobList, AdminJobs};
use super::super::failure::Failure;
use super::super::terminal::Terminal;
use super::admin::seconds;
use super::open;
use crate::rooms::Rooms;
use crate::work::{self, Change, WorkError};

impl From<WorkError> for Failure {
    fn from(error: WorkError) -> Self {
        Problem::from(error).into()
    }
}

pub(super) async fn run(terminal: &Terminal, command: &AdminJobs) -> Result<(), Failure> {
    match command {
        AdminJobs::List(args) => list(terminal, args).await,
        AdminJobs::Retry(job) => change(terminal, job, Change::Retry, "waits again").await,
        AdminJobs::Cancel(job) => change(terminal, job, Change::Cancel, "is stopped").await,
    }
}

fn operator(rooms: &Rooms) -> Result<Operator, Failure> {
    Ok(Operator::of(Caller::system(rooms.clock.now()))?)
}

async fn list(terminal: &Terminal, args: &AdminJobList) -> Result<(), Failure> {
    let state = args.state.as_ref().map(|word| serde_json::from_value(Value::from(word.as_str())));
    let state = state.transpose().map_err(|_| {
        Failure::usage("A job is waiting, running, done, dead or cancelled.")
            .next("fondaco admin jobs list --state dead")
    })?;
    let rooms = open(terminal, &args.place).await?.rooms;
    let filter = Filter { state, kind: args.kind.clone() };
    let paging = Paging { limit: args.limit, offset: args.offset };
    let page = work::list(&rooms.store, &operator(&rooms)?, filter, paging).await?;
    if terminal.json {
        terminal.data_json(&json!({"jobs": page.items, "total": page.total}));
        return Ok(());
    }
    let row = |job: &JobView| {
        let error = job.last_error.clone().unwrap_or_else(|| "-".to_owned());
        vec![
            job.id.to_string(),
            job.kind.clone(),
            job.state.to_string(),
            seconds(job.run_at),
            job.attempts.to_string(),
            error,
        ]
    };
    let head = ["id", "kind", "state", "due", "attempts", "last error"];
    terminal.table(&head, page.items.iter().map(row).collect());
    Ok(())
}

async fn change(terminal: &Terminal, job: &AdminJob, change: Change, now: &str) -> Result<(), Failure> {
    let id = work::id(&job.id).map_err(|problem| Failure::from(problem).next("fondaco admin jobs list"))?;
    let rooms = open(terminal, &job.place).await?.rooms;
    let view = work::change(&rooms.store, &operator(&rooms)?, id, change).await?;
    if terminal.json {
        terminal.data_json(&json!(view));
    }
    terminal.done(format!("The job {} {now}.", view.id));
    Ok(())
}
