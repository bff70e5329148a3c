//! One team of an organisation.

use askama::Template;
use axum::extract::State;
use web::face::{self, FormState, Shell, Typed};
use web::{Access, Form, Path, Routes};

use super::organisations::shell;
use super::typed::{at_field, wrong};
use super::{Answer, Pages};
use crate::orgs::{Grant, Member, Team};
use crate::permission::{Action, Subject};
use crate::visit::{Visit, done};
use crate::{Identity, IdentityError};

pub(super) fn routes() -> Routes<Identity> {
    Routes::new()
        .get("/account/organisations/{name}/teams/{team}", Access::Account, show)
        .form("/account/organisations/{name}/teams/{team}/members", Access::Account, add)
        .form("/account/organisations/{name}/teams/{team}/members/remove", Access::Account, remove)
        .form("/account/organisations/{name}/teams/{team}/delete", Access::Account, delete)
}

#[derive(Template)]
#[template(path = "team.html")]
struct TeamPage {
    shell: Shell,
    org: String,
    team: Team,
    members: Vec<Member>,
    /// What the team may do, by subject.
    grants: Vec<(String, Grant)>,
    form: FormState,
    manages: bool,
}

async fn draw(identity: &Identity, visit: Visit, org: &str, name: &str, form: FormState) -> Answer {
    let by = &visit.caller;
    let team = identity.teams(by, org).await?.into_iter().find(|team| team.name == name);
    let page = TeamPage {
        team: team.ok_or(IdentityError::NotFound("team"))?,
        members: identity.team_members(by, org, name).await?,
        grants: identity.grants(by, org, name).await?,
        manages: by.may(Action::ManageOrganisation, &Subject::Organisation(org)).is_ok(),
        org: org.to_owned(),
        shell: shell(visit, &format!("{name}, {org}"))
            .crumb(org, &format!("/account/organisations/{org}"))
            .crumb(name, ""),
        form,
    };
    Ok(face::html(&page.shell, &page))
}

fn address(org: &str, team: &str) -> String {
    format!("/account/organisations/{org}/teams/{team}")
}

async fn show(
    State(identity): State<Identity>,
    visit: Visit,
    Path((org, team)): Path<(String, String)>,
) -> Answer {
    draw(&identity, visit, &org, &team, FormState::default()).await
}

async fn add(
    State(identity): State<Identity>,
    visit: Visit,
    Path((org, team)): Path<(String, String)>,
    Form(typed): Form<Typed>,
) -> Answer {
    let username = typed.get("username").trim();
    match identity.add_team_member(&visit.caller, &org, &team, username).await {
        Ok(()) => Ok(done(&address(&org, &team), &format!("{username} is in the team {team} now."))),
        Err(error) => {
            let (status, form) = wrong(at_field(error, "/username"), &typed)?.into_parts();
            let mut page = draw(&identity, visit, &org, &team, form).await?;
            *page.status_mut() = status;
            Ok(page)
        }
    }
}

async fn remove(
    State(identity): State<Identity>,
    visit: Visit,
    Path((org, team)): Path<(String, String)>,
    Form(typed): Form<Typed>,
) -> Answer {
    let username = typed.get("username");
    identity.remove_team_member(&visit.caller, &org, &team, username).await?;
    Ok(done(&address(&org, &team), &format!("{username} is no longer in the team {team}.")))
}

async fn delete(
    State(identity): State<Identity>,
    visit: Visit,
    Path((org, team)): Path<(String, String)>,
) -> Answer {
    identity.delete_team(&visit.caller, &org, &team).await?;
    Ok(done(&format!("/account/organisations/{org}"), &format!("The team {team} is deleted.")))
}
