//! `/account/organisations/{org}/upstream-policy`: what members may take from upstream, and what they do not get
//! just now. Works without script: three forms, each a post that comes back here.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use identity::{Visit, done};
use kernel::Problem;
use serde::Deserialize;
use web::face::parts::Choice;
use web::face::{self, FormState, Shell};
use web::{Expected, Failure, Form, Path, Query};

use super::encoded;
use crate::NpmName;
use crate::registry::Registry;
use crate::uplink::{ExemptionDraft, Inspected, PolicyDraft, PolicyError, UpstreamPolicy, Whose};

/// What the address says beside the organisation.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    package: String,
}

/// What a form sends; which fields there are depends on `action`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Sent {
    action: String,
    version: i64,
    age: String,
    unit: String,
    allow: String,
    block: String,
    name: String,
    reason: String,
}

#[derive(Template)]
#[template(path = "organisation/upstream_policy.html")]
struct PolicyPage {
    shell: Shell,
    address: String,
    policy: UpstreamPolicy,
    /// The rules.
    form: FormState,
    /// A new exemption.
    exempt: FormState,
    units: Vec<Choice>,
    has_uplinks: bool,
    /// The age in words, if it counts.
    age: Option<String>,
    check: FormState,
    inspected: Option<Inspected>,
}

/// The forms that may come back with something wrong in them.
#[derive(Default)]
struct Forms {
    rules: Option<FormState>,
    exempt: Option<FormState>,
}

/// `GET /account/organisations/{org}/upstream-policy`.
pub(super) async fn show(
    State(registry): State<Registry>,
    visit: Visit,
    Path(org): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    visit.account()?;
    draw(&registry, visit, &org, asked.package.trim(), Forms::default()).await
}

async fn draw(
    registry: &Registry,
    visit: Visit,
    org: &str,
    package: &str,
    forms: Forms,
) -> Result<Response, Failure> {
    let policy = registry.upstream_policy(&visit.caller, org).await?;
    let (check, inspected) = inspect(registry, &visit, org, package).await?;
    let hours = policy.minimum_release_age_hours;
    let shell = visit
        .shell
        .page(format!("Upstream policy - {org} - Organisations"), "organisations")
        .crumb("Account", "/account")
        .crumb("Organisations", "/account/organisations")
        .crumb(org, &format!("/account/organisations/{}", encoded(org)))
        .crumb("Upstream policy", "");
    let page = PolicyPage {
        shell,
        address: address(org),
        form: forms.rules.unwrap_or_else(|| rules_form(&policy)),
        exempt: forms.exempt.unwrap_or_default(),
        units: vec![Choice::new("days", "days", ""), Choice::new("hours", "hours", "")],
        has_uplinks: registry.uplinks().is_some(),
        age: (hours > 0).then(|| words_of(hours)),
        check,
        inspected,
        policy,
    };
    Ok(face::html(&page.shell, &page))
}

/// What the members get of a package, if one is asked for.
async fn inspect(
    registry: &Registry,
    visit: &Visit,
    org: &str,
    package: &str,
) -> Result<(FormState, Option<Inspected>), Failure> {
    if package.is_empty() {
        return Ok((FormState::default(), None));
    }
    let form = FormState::with(&[("package", package)]);
    let wrong = |detail: String| {
        let problem = Problem::invalid("registry.form", "This package cannot be checked.");
        (form.clone().failed(&problem.field("/package", detail)), None)
    };
    let name = match NpmName::parse(package) {
        Ok(name) => name,
        Err(error) => return Ok(wrong(error.to_string())),
    };
    match registry.inspect_upstream(&visit.caller, org, &name).await {
        Ok(inspected) => Ok((form, Some(inspected))),
        Err(PolicyError::Uplink(error)) => Ok(wrong(error.to_string())),
        Err(error) => Err(error.into()),
    }
}

fn address(org: &str) -> String {
    format!("/account/organisations/{}/upstream-policy", encoded(org))
}

/// Whole days as days, anything else as hours.
fn age_and_unit(hours: u32) -> (u32, &'static str) {
    if hours.is_multiple_of(24) { (hours / 24, "days") } else { (hours, "hours") }
}

fn words_of(hours: u32) -> String {
    let (age, unit) = age_and_unit(hours);
    web::face::text::counted(age, unit.trim_end_matches('s'))
}

fn rules_form(policy: &UpstreamPolicy) -> FormState {
    let (age, unit) = age_and_unit(policy.minimum_release_age_hours);
    let (age, allow, block) = (age.to_string(), policy.allow.join("\n"), policy.block.join("\n"));
    FormState::with(&[("age", &age), ("unit", unit), ("allow", &allow), ("block", &block)])
}

/// `POST /account/organisations/{org}/upstream-policy`.
pub(super) async fn change(
    State(registry): State<Registry>,
    visit: Visit,
    Path(org): Path<String>,
    Form(sent): Form<Sent>,
) -> Result<Response, Failure> {
    visit.account()?;
    let before = registry.upstream_policy(&visit.caller, &org).await?;
    let result = match draft(&before, &sent) {
        Ok((draft, words)) => {
            let set = registry
                .set_upstream_policy(&visit.caller, &org, Expected::ByBody(sent.version), draft)
                .await;
            set.map(|_| words).map_err(Problem::from)
        }
        Err(problem) => Err(problem),
    };
    match result {
        Ok(words) => Ok(done(&address(&org), &words)),
        Err(problem) if !matches!(problem.status, 409 | 422) => Err(problem.into()),
        Err(problem) => {
            let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::UNPROCESSABLE_ENTITY);
            let mut page = draw(&registry, visit, &org, "", again(&sent, &problem)).await?;
            *page.status_mut() = status;
            Ok(page)
        }
    }
}

/// What was typed, with what is wrong with it.
fn again(sent: &Sent, problem: &Problem) -> Forms {
    if sent.action == "save" {
        let typed =
            [("age", &*sent.age), ("unit", &*sent.unit), ("allow", &*sent.allow), ("block", &*sent.block)];
        let rules = FormState::with(&typed).failed(&named(problem, &[("/minimumReleaseAgeHours", "/age")]));
        return Forms { rules: Some(rules), ..Forms::default() };
    }
    let typed = [("name", &*sent.name), ("reason", &*sent.reason)];
    let exempt = FormState::with(&typed).failed(problem);
    Forms { exempt: Some(exempt), ..Forms::default() }
}

/// The problem with the names that fields have on the page.
fn named(problem: &Problem, names: &[(&str, &'static str)]) -> Problem {
    let mut problem = problem.clone();
    for error in &mut problem.errors {
        if let Some((_, name)) = names.iter().find(|(pointer, _)| *pointer == error.pointer) {
            error.pointer = (*name).into();
        }
    }
    problem
}

/// The policy as the form wants it, and what to say once it is so.
fn draft(before: &UpstreamPolicy, sent: &Sent) -> Result<(PolicyDraft, String), Problem> {
    let unknown = || Problem::invalid("registry.form", "This form is not known here. Nothing was changed.");
    let mut draft = before.draft();
    let words = match sent.action.as_str() {
        "save" => {
            draft.minimum_release_age_hours = hours_of(sent)?;
            draft.allow = lines(&sent.allow);
            draft.block = lines(&sent.block);
            "The policy holds from now on.".to_owned()
        }
        "exempt" => {
            let (name, reason) = (sent.name.trim(), sent.reason.trim());
            let missing = |pointer: &'static str, words: &'static str| {
                Problem::invalid("registry.form", "Nothing was exempted.").field(pointer, words)
            };
            if name.is_empty() {
                return Err(missing("/name", "Name a package, such as left-pad@1.3.1."));
            }
            if reason.is_empty() {
                return Err(missing("/reason", "Say why it cannot wait. It stays in the audit trail."));
            }
            if draft.exempt.iter().any(|one| one.name == name) {
                return Err(missing("/name", "This is exempt already."));
            }
            draft.exempt.push(ExemptionDraft { name: name.to_owned(), reason: reason.to_owned() });
            format!("{name} need not wait any more.")
        }
        "unexempt" => {
            draft.exempt.retain(|one| one.name != sent.name);
            format!("{} has to be old enough again.", sent.name)
        }
        _ => return Err(unknown()),
    };
    Ok((draft, words))
}

fn hours_of(sent: &Sent) -> Result<u32, Problem> {
    let wrong = || {
        let problem = Problem::invalid("registry.form", "The policy was not changed.");
        problem.field("/age", "Write a whole number; 0 where age does not count.")
    };
    let typed = sent.age.trim();
    let age: u32 = if typed.is_empty() { 0 } else { typed.parse().map_err(|_| wrong())? };
    let unit = if sent.unit == "hours" { 1 } else { 24 };
    age.checked_mul(unit).ok_or_else(wrong)
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_read_and_shown_as_people_say_them() {
        for (hours, age, unit) in
            [(0, 0, "days"), (5, 5, "hours"), (24, 1, "days"), (168, 7, "days"), (25, 25, "hours")]
        {
            assert_eq!(age_and_unit(hours), (age, unit));
            let sent = Sent { age: age.to_string(), unit: unit.to_owned(), ..Sent::default() };
            assert_eq!(hours_of(&sent).ok(), Some(hours));
        }
        for age in ["-1", "x", "1.5", "4000000000", "999999999"] {
            assert!(hours_of(&Sent { age: age.to_owned(), ..Sent::default() }).is_err(), "{age}");
        }
        assert_eq!(
            (words_of(24), words_of(168), words_of(5)),
            ("1 day".to_owned(), "7 days".to_owned(), "5 hours".to_owned())
        );
    }
}
