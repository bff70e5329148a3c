//! `/deployments/{id}/logs`: the latest lines, those with a word in them, and with script those that come.

use axum::extract::State;
use containers::LogLine;
use identity::Visit;
use serde::Deserialize;
use web::face::{self, FormState, Shell};
use web::{Path, Query};

use super::Answer;
use super::deployment::Head;
use crate::error::{ServiceError, id};
use crate::logs::Wanted as Lines;
use crate::{DeploymentId, Services, Status, Wanted};

/// How many lines one page shows.
const LINES: u32 = 200;

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    search: String,
}

#[derive(askama::Template)]
#[template(path = "services/logs.html")]
struct LogsPage {
    shell: Shell,
    head: Head,
    filter: FormState,
    lines: Vec<LogLine>,
    /// Why there are none; empty where that is no fault.
    fault: String,
    /// Where the lines that come are heard.
    stream: String,
}

pub(super) async fn show(
    State(services): State<Services>,
    visit: Visit,
    Path(text): Path<String>,
    Query(asked): Query<Asked>,
) -> Answer {
    visit.account()?;
    let id: DeploymentId = id(&text, "deployment")?;
    let deployment = services.deployment(&visit.caller, &id).await?;
    let search: String = asked.search.trim().chars().take(200).collect();
    let wanted =
        Lines { limit: LINES, since: None, search: Some(search.clone()).filter(|word| !word.is_empty()) };
    let (lines, fault) = match services.log(&visit.caller, &id, wanted).await {
        Ok(lines) => (lines, String::new()),
        // The page itself is of use without them.
        Err(error @ ServiceError::Engine(_)) => {
            (Vec::new(), kernel::Problem::from(error).detail.into_owned())
        }
        Err(error) => return Err(error.into()),
    };
    let head = Head::new(&services, deployment, "Logs");
    let query: String = url::form_urlencoded::byte_serialize(search.as_bytes()).collect();
    let page = LogsPage {
        shell: head.shell(visit.shell, "Logs"),
        filter: FormState::with(&[("search", &search)]),
        stream: format!("{}/logs/live?search={query}", head.here),
        head,
        lines,
        fault,
    };
    Ok(face::html(&page.shell, &page))
}

impl LogsPage {
    /// Hours, minutes and seconds.
    fn clock(&self, line: &LogLine) -> String {
        line.at.to_string().get(11..19).unwrap_or_default().to_owned()
    }

    fn class(&self, line: &LogLine) -> &'static str {
        if is_error(&line.text) { "err" } else { "" }
    }
}

/// Whether a line tells of an error, in the words of most programs. Which of its two streams it came by says nothing: many
/// write everything to the second.
pub(super) fn is_error(line: &str) -> bool {
    ["ERROR", "FATAL", "PANIC", "[error]", "[crit]"].iter().any(|word| line.contains(word))
}
