//! One's organisations, and one of them with its members and teams.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use web::face::parts::Choice;
use web::face::{self, FormState, Shell, Typed, Wrong};
use web::{Access, Form, Path, Routes};

use super::typed::{at_field, wrong};
use super::{Answer, Pages, own_shell};
use crate::actor::Actor;
use crate::orgs::{Member, OrgRole, Organisation, Team};
use crate::permission::{Action, Subject};
use crate::visit::{Visit, done};
use crate::{Identity, IdentityError};

pub(super) fn routes() -> Routes<Identity> {
    Routes::new()
        .get("/account/organisations", Access::Account, list)
        .post("/account/organisations", Access::Account, found)
        .get("/account/organisations/{name}", Access::Account, show)
        .form("/account/organisations/{name}/members", Access::Account, set_member)
        .form("/account/organisations/{name}/members/remove", Access::Account, remove_member)
        .form("/account/organisations/{name}/teams", Access::Account, create_team)
}

pub(super) fn shell(visit: Visit, title: &str) -> Shell {
    visit
        .shell
        .page(format!("{title} - Organisations"), "organisations")
        .crumb("Account", "/account")
        .crumb("Organisations", "/account/organisations")
}

#[derive(Template)]
#[template(path = "organisations.html")]
struct OrganisationsPage {
    shell: Shell,
    form: FormState,
    /// Each with the caller's standing in it.
    orgs: Vec<(Organisation, &'static str)>,
}

fn list_page(visit: Visit, form: FormState, orgs: Vec<Organisation>) -> Response {
    let standing = |actor: Option<&Actor>, org: &Organisation| {
        actor.and_then(|actor| actor.standing_in(&org.name)).map_or("", OrgRole::name)
    };
    let orgs = orgs.into_iter().map(|org| {
        let standing = standing(visit.caller.actor.as_ref(), &org);
        (org, standing)
    });
    let orgs = orgs.collect();
    let shell = own_shell(visit, "Organisations", "organisations");
    let page = OrganisationsPage { shell, form, orgs };
    face::html(&page.shell, &page)
}

async fn list(State(identity): State<Identity>, visit: Visit) -> Answer {
    let orgs = identity.orgs(&visit.caller).await?;
    Ok(list_page(visit, FormState::default(), orgs))
}

async fn found(State(identity): State<Identity>, visit: Visit, Form(typed): Form<Typed>) -> Answer {
    let name = typed.get("name").trim();
    match identity.create_org(&visit.caller, name, typed.get("displayName")).await {
        Ok(org) => {
            Ok(done(&address(&org.name), &format!("{} is founded. Add the people who work in it.", org.name)))
        }
        Err(error) => {
            let wrong = wrong(at_field(error, "/name"), &typed)?;
            let orgs = identity.orgs(&visit.caller).await?;
            Ok(wrong.answer(|form| list_page(visit, form, orgs)))
        }
    }
}

fn address(org: &str) -> String {
    format!("/account/organisations/{org}")
}

#[derive(Template)]
#[template(path = "organisation.html")]
struct OrganisationPage {
    shell: Shell,
    org: Organisation,
    members: Vec<Member>,
    teams: Vec<Team>,
    member_form: FormState,
    team_form: FormState,
    /// The standings that the caller may give; none for who does not manage it.
    roles: Vec<Choice>,
    username: String,
}

/// The two forms of the page.
#[derive(Default)]
struct Forms {
    member: FormState,
    team: FormState,
}

async fn draw(identity: &Identity, visit: Visit, name: &str, forms: Forms) -> Answer {
    let by = &visit.caller;
    let org = identity.org(by, name).await?;
    let (members, teams) = (identity.members(by, name).await?, identity.teams(by, name).await?);
    let may = |action| by.may(action, &Subject::Organisation(name)).is_ok();
    let page = OrganisationPage {
        roles: roles_to_give(may(Action::ManageOrganisation), may(Action::OwnOrganisation)),
        username: by.account()?.username.to_string(),
        shell: shell(visit, name).crumb(name, ""),
        org,
        members,
        teams,
        member_form: forms.member,
        team_form: forms.team,
    };
    Ok(face::html(&page.shell, &page))
}

fn roles_to_give(manages: bool, owns: bool) -> Vec<Choice> {
    let all = [
        Choice::new("member", "Member", "Sees it and works in its teams."),
        Choice::new("admin", "Admin", "Manages members and teams too."),
        Choice::new("owner", "Owner", "Decides over owners too."),
    ];
    let count = if owns { 3 } else { 2 };
    if manages { all.into_iter().take(count).collect() } else { Vec::new() }
}

/// The page again, with what is wrong in one of its forms.
async fn redraw(
    identity: &Identity,
    visit: Visit,
    org: &str,
    wrong: Wrong,
    forms: impl FnOnce(FormState) -> Forms,
) -> Answer {
    let (status, form) = wrong.into_parts();
    let mut page = draw(identity, visit, org, forms(form)).await?;
    *page.status_mut() = status;
    Ok(page)
}

async fn show(State(identity): State<Identity>, visit: Visit, Path(name): Path<String>) -> Answer {
    draw(&identity, visit, &name, Forms::default()).await
}

async fn set_member(
    State(identity): State<Identity>,
    visit: Visit,
    Path(org): Path<String>,
    Form(typed): Form<Typed>,
) -> Answer {
    let username = typed.get("username").trim();
    let set = match typed.get("role").parse::<OrgRole>() {
        Ok(role) => identity.set_member(&visit.caller, &org, username, role).await,
        Err(detail) => Err(IdentityError::field("/role", detail)),
    };
    match set {
        Ok(member) => {
            Ok(done(&address(&org), &format!("{} is {} of {org} now.", member.username, member.role)))
        }
        Err(error) => {
            let wrong = wrong(at_field(error, "/username"), &typed)?;
            redraw(&identity, visit, &org, wrong, |member| Forms { member, ..Forms::default() }).await
        }
    }
}

async fn remove_member(
    State(identity): State<Identity>,
    visit: Visit,
    Path(org): Path<String>,
    Form(typed): Form<Typed>,
) -> Answer {
    let username = typed.get("username");
    let leaves = *visit.account()?.username == *username;
    match identity.remove_member(&visit.caller, &org, username).await {
        Ok(()) if leaves => Ok(done("/account/organisations", &format!("You have left {org}."))),
        Ok(()) => Ok(done(&address(&org), &format!("{username} is no longer a member of {org}."))),
        Err(error) => {
            let wrong = wrong(error, &Typed::default())?;
            redraw(&identity, visit, &org, wrong, |member| Forms { member, ..Forms::default() }).await
        }
    }
}

async fn create_team(
    State(identity): State<Identity>,
    visit: Visit,
    Path(org): Path<String>,
    Form(typed): Form<Typed>,
) -> Answer {
    let name = typed.get("name").trim();
    match identity.create_team(&visit.caller, &org, name, typed.get("description")).await {
        Ok(team) => Ok(done(
            &format!("{}/teams/{}", address(&org), team.name),
            &format!("The team {} is made. Add its members.", team.name),
        )),
        Err(error) => {
            let wrong = wrong(at_field(error, "/name"), &typed)?;
            redraw(&identity, visit, &org, wrong, |team| Forms { team, ..Forms::default() }).await
        }
    }
}
