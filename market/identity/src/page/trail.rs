//! The audit trail: one's own part of it, and all of it for operators.

use std::time::Duration;

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use kernel::{Page, Paging, Problem, Timestamp};
use serde::Deserialize;
use web::face::parts::{Choice, Pager};
use web::face::{self, FormState, Shell};
use web::{Access, Query, Routes};

use super::{Answer, own_shell, words};
use crate::audit::{Entry, Filter};
use crate::visit::Visit;
use crate::{Identity, Operator};

/// How many rows a page shows.
const ROWS: u32 = 50;

pub(super) fn routes() -> Routes<Identity> {
    Routes::new().get("/account/activity", Access::Account, own).get("/operator/audit", Access::Operator, all)
}

/// What the address of a list says.
#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Asked {
    actor: String,
    action: String,
    subject: String,
    outcome: String,
    since: String,
    until: String,
    offset: u32,
}

fn paging(offset: u32) -> Result<Paging, Problem> {
    Paging { limit: ROWS, offset }.checked()
}

#[derive(Template)]
#[template(path = "activity.html")]
struct ActivityPage {
    shell: Shell,
    rows: Vec<Entry>,
    pager: Pager,
}

async fn own(State(identity): State<Identity>, visit: Visit, Query(asked): Query<Asked>) -> Answer {
    let found = identity.own_audit(&visit.caller, paging(asked.offset)?).await?;
    let pager = Pager::new("/account/activity?", ROWS, asked.offset, found.items.len(), found.total);
    let page = ActivityPage { shell: own_shell(visit, "Activity", "activity"), rows: found.items, pager };
    Ok(face::html(&page.shell, &page))
}

#[derive(Template)]
#[template(path = "audit.html")]
struct AuditPage {
    shell: Shell,
    form: FormState,
    outcomes: Vec<Choice>,
    rows: Vec<Entry>,
    pager: Pager,
    /// Whether the list is narrowed down.
    filtered: bool,
}

async fn all(
    State(identity): State<Identity>,
    _: Operator,
    visit: Visit,
    Query(asked): Query<Asked>,
) -> Answer {
    match filter(&asked) {
        Ok(filter) => {
            let found = identity.audit(&visit.caller, filter, paging(asked.offset)?).await?;
            Ok(audit_page(visit, asked.form(), &asked, found))
        }
        Err(problem) => {
            let nothing = Page { items: Vec::new(), total: 0 };
            let page = audit_page(visit, asked.form().failed(&problem), &asked, nothing);
            Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
        }
    }
}

fn audit_page(visit: Visit, form: FormState, asked: &Asked, found: Page<Entry>) -> Response {
    let page = AuditPage {
        shell: visit
            .shell
            .page("Audit trail - Operator", "audit")
            .crumb("Operator", "/operator/users")
            .crumb("Audit trail", ""),
        form,
        outcomes: vec![
            Choice::new("", "Done and refused", ""),
            Choice::new("done", "Done", ""),
            Choice::new("refused", "Refused", ""),
        ],
        pager: Pager::new(&asked.address(), ROWS, asked.offset, found.items.len(), found.total),
        rows: found.items,
        filtered: asked.pairs().iter().any(|(_, value)| !value.is_empty()),
    };
    face::html(&page.shell, &page)
}

impl Asked {
    fn pairs(&self) -> [(&'static str, &str); 6] {
        [
            ("actor", &self.actor),
            ("action", &self.action),
            ("subject", &self.subject),
            ("outcome", &self.outcome),
            ("since", &self.since),
            ("until", &self.until),
        ]
    }

    fn form(&self) -> FormState {
        FormState::with(&self.pairs())
    }

    /// The address of this list, up to where its offset follows.
    fn address(&self) -> String {
        const LIST: &str = "/operator/audit?";
        let mut query = url::form_urlencoded::Serializer::for_suffix(LIST.to_owned(), LIST.len());
        query.extend_pairs(self.pairs().into_iter().filter(|(_, value)| !value.is_empty()));
        let query = query.finish();
        if query == LIST { query } else { query + "&" }
    }
}

fn filter(asked: &Asked) -> Result<Filter, Problem> {
    let mut problem =
        Problem::invalid("identity.wrong_filter", "The list cannot be narrowed down like this.");
    let mut day = |text: &str, pointer: &'static str, days: u64| match text.trim() {
        "" => None,
        text => {
            let start = format!("{text}T00:00:00Z").parse::<Timestamp>();
            if start.is_err() {
                problem = problem.clone().field(pointer, "Write a day such as 2026-01-31.");
            }
            start.ok().map(|start| start.after(Duration::from_secs(days * 86_400)))
        }
    };
    let (since, until) = (day(&asked.since, "/since", 0), day(&asked.until, "/until", 1));
    if !problem.errors.is_empty() {
        return Err(problem);
    }
    let text = |text: &str| Some(text.trim().to_owned());
    Ok(Filter {
        actor: text(&asked.actor),
        action: text(&asked.action),
        subject: text(&asked.subject),
        outcome: text(&asked.outcome),
        since,
        until,
    })
}

kernel::problems! {
    "identity.wrong_filter":
        "The audit trail cannot be narrowed down like this; `errors` names the fields.",
        "Only reading was tried.",
        "Write days as 2026-01-31.";
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_last_day_is_part_of_the_list() {
        let asked = Asked { since: "2026-01-31".into(), until: "2026-01-31".into(), ..Asked::default() };
        let filter = filter(&asked).unwrap();
        assert_eq!(filter.until.unwrap().since(filter.since.unwrap()), Duration::from_secs(86_400));
    }

    #[test]
    fn pages_keep_what_was_asked() {
        assert_eq!(Asked::default().address(), "/operator/audit?");
        let asked = Asked { actor: "a&b".into(), outcome: "done".into(), ..Asked::default() };
        assert_eq!(asked.address(), "/operator/audit?actor=a%26b&outcome=done&");
    }
}
