//! The accounts of the instance, for operators.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::{FromRequestParts, State};
use axum::response::Response;
use http::StatusCode;
use http::request::Parts;
use kernel::{Paging, Problem};
use serde::Deserialize;
use store::{StoreError, Tx, args, sql};
use web::face::parts::{Choice, Pager};
use web::face::{self, FormState, Shell, Typed, Wrong};
use web::{Access, Failure, Form, Path, Query, Routes};

use super::sessions::end_all_but;
use super::typed::wrong;
use super::{Answer, Pages, words};
use crate::account::{User, UserId};
use crate::profile::Profile;
use crate::register::{NewAccount, Terms};
use crate::role::{Role, Roles};
use crate::sessions::{Session, SessionId};
use crate::tokens::{Token, TokenId};
use crate::visit::{Visit, done};
use crate::{Identity, IdentityError, Operator};

/// How many users a page shows.
const ROWS: u32 = 25;

sql! {
    ROLES_OF = "select user_id, role from account_role where user_id in each($1)";
}

pub(super) fn routes() -> Routes<Identity> {
    Routes::new()
        .get("/operator/users", Access::Operator, list)
        .get("/operator/users/new", Access::Operator, show_new)
        .post("/operator/users/new", Access::Operator, create)
        .get("/operator/users/{name}", Access::Operator, show)
        .form("/operator/users/{name}/roles", Access::Operator, set_roles)
        .form("/operator/users/{name}/state", Access::Operator, set_state)
        .form("/operator/users/{name}/sessions", Access::Operator, end_sessions)
        .form("/operator/users/{name}/tokens", Access::Operator, revoke_token)
}

fn shell(visit: Visit, title: &str) -> Shell {
    visit.shell.page(format!("{title} - Users"), "users").crumb("Operator", "/operator/users")
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Asked {
    q: String,
    offset: u32,
}

#[derive(Template)]
#[template(path = "users.html")]
struct UsersPage {
    shell: Shell,
    form: FormState,
    /// Each with its roles.
    users: Vec<(User, Roles)>,
    pager: Pager,
}

async fn list(
    State(identity): State<Identity>,
    _: Operator,
    visit: Visit,
    Query(asked): Query<Asked>,
) -> Answer {
    let paging = Paging { limit: ROWS, offset: asked.offset }.checked()?;
    let found = identity.users(&visit.caller, &asked.q, paging).await?;
    let mut roles = roles_of(&identity, &found.items).await?;
    let users = found.items.into_iter().map(|user| {
        let roles = roles.remove(&user.id).unwrap_or_default();
        (user, roles)
    });
    let users: Vec<_> = users.collect();
    let q: String = url::form_urlencoded::byte_serialize(asked.q.as_bytes()).collect();
    let base = format!("/operator/users?q={q}&");
    let page = UsersPage {
        pager: Pager::new(&base, ROWS, asked.offset, users.len(), found.total),
        form: FormState::with(&[("q", &asked.q)]),
        users,
        shell: visit
            .shell
            .page("Users - Operator", "users")
            .crumb("Operator", "/operator/users")
            .crumb("Users", ""),
    };
    Ok(face::html(&page.shell, &page))
}

/// The roles of all users of a page, by one statement.
async fn roles_of(identity: &Identity, users: &[User]) -> Result<BTreeMap<UserId, Roles>, StoreError> {
    let ids: Vec<&str> = users.iter().map(|user| user.id.as_str()).collect();
    let ids = serde_json::json!(ids).to_string();
    let look = async move |tx: &mut Tx| tx.all(&ROLES_OF, args![ids]).await;
    let rows: Vec<(UserId, String)> = identity.store.read(look).await?;
    let mut roles = BTreeMap::<UserId, Roles>::new();
    for (user, role) in rows {
        let of_user = roles.entry(user).or_default();
        *of_user = of_user.iter().chain(role.parse()).collect();
    }
    Ok(roles)
}

fn role_choices() -> Vec<Choice> {
    let choice = |role: Role| match role {
        Role::User => Choice::new("user", "User", "Searches, installs, buys."),
        Role::Publisher => Choice::new("publisher", "Publisher", "Publishes packages and other listings."),
        Role::Admin => Choice::new("admin", "Admin", "Operates everything, these pages too."),
        Role::CloudUser => Choice::new("cloud-user", "Cloud user", "Deploys workloads."),
        Role::CloudProvider => Choice::new("cloud-provider", "Cloud provider", "Brings nodes."),
        Role::CloudOperator => {
            Choice::new("cloud-operator", "Cloud operator", "Sets the cloud's prices and policies.")
        }
    };
    Role::ALL.into_iter().map(choice).collect()
}

fn typed_roles(typed: &Typed) -> Result<Roles, IdentityError> {
    let roles: Result<Roles, _> = typed.all("roles").map(str::parse::<Role>).collect();
    roles.map_err(|error| IdentityError::field("/roles", error.to_string()))
}

#[derive(Template)]
#[template(path = "new_user.html")]
struct NewUserPage {
    shell: Shell,
    form: FormState,
    roles: Vec<Choice>,
}

fn new_page(visit: Visit, form: FormState) -> Response {
    let shell = shell(visit, "New account").crumb("Users", "/operator/users").crumb("New account", "");
    let page = NewUserPage { shell, form, roles: role_choices() };
    face::html(&page.shell, &page)
}

async fn show_new(State(identity): State<Identity>, _: Operator, visit: Visit) -> Answer {
    let roles = identity.settings().default_roles.iter().map(|role| ("roles", role.name()));
    let form = FormState::with(&roles.collect::<Vec<_>>());
    Ok(new_page(visit, form))
}

async fn create(
    State(identity): State<Identity>,
    _: Operator,
    visit: Visit,
    Form(typed): Form<Typed>,
) -> Answer {
    let name = typed.get("username").trim().to_owned();
    let new = NewAccount {
        username: name.clone(),
        email: typed.get("email").to_owned(),
        password: typed.secret("password"),
        display_name: String::new(),
    };
    let made = match typed_roles(&typed) {
        Ok(roles) => {
            let terms = Terms { roles, verified: false, easy_password: false };
            identity.create_user(&visit.caller, new, terms).await
        }
        Err(error) => Err(error),
    };
    match made {
        Ok(_) => Ok(done(
            &address(&name),
            &format!("The account {name} is made. Tell its owner the password; it can be changed."),
        )),
        Err(error) => Ok(wrong(error, &typed)?.answer(|form| new_page(visit, form))),
    }
}

fn address(name: &str) -> String {
    format!("/operator/users/{name}")
}

#[derive(Template)]
#[template(path = "user.html")]
struct UserPage {
    shell: Shell,
    profile: Profile,
    form: FormState,
    state_form: FormState,
    roles: Vec<Choice>,
    sessions: Vec<Session>,
    tokens: Vec<Token>,
}

/// What a form of the page left to say.
enum Said {
    Nothing,
    WrongRoles(Wrong),
    WrongState(Wrong),
}

/// The user that an address names, for an operator: whoever is none learns nothing of who is there.
struct Named {
    visit: Visit,
    name: String,
    user: UserId,
}

impl FromRequestParts<Identity> for Named {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, identity: &Identity) -> Result<Self, Failure> {
        let visit = Visit::from_request_parts(parts, identity).await?;
        Operator::of(visit.caller.clone())?;
        let Path(name) = Path::<String>::from_request_parts(parts, identity).await?;
        let user = identity.user_named(&visit.caller, &name).await?;
        Ok(Self { visit, name, user })
    }
}

impl Named {
    /// Back to the user's page, with a message of what was done.
    fn done(&self, message: &str) -> Response {
        done(&address(&self.name), message)
    }
}

async fn draw(identity: &Identity, Named { visit, name, user }: Named, said: Said) -> Answer {
    let by = &visit.caller;
    let profile = identity.user(by, user.clone()).await?;
    let (tokens, sessions) = identity.access_of(by, user).await?;
    let stored: Vec<_> = profile.roles.iter().map(|role| ("roles", role.name())).collect();
    let (mut status, mut form, mut state_form) =
        (StatusCode::OK, FormState::with(&stored), FormState::default());
    match said {
        Said::Nothing => {}
        Said::WrongRoles(wrong) => (status, form) = wrong.into_parts(),
        Said::WrongState(wrong) => (status, state_form) = wrong.into_parts(),
    }
    let page = UserPage {
        shell: shell(visit, &name).crumb("Users", "/operator/users").crumb(&*name, ""),
        profile,
        form,
        state_form,
        roles: role_choices(),
        sessions,
        tokens,
    };
    let mut page = face::html(&page.shell, &page);
    *page.status_mut() = status;
    Ok(page)
}

async fn show(State(identity): State<Identity>, named: Named) -> Answer {
    draw(&identity, named, Said::Nothing).await
}

async fn set_roles(State(identity): State<Identity>, named: Named, Form(typed): Form<Typed>) -> Answer {
    let set = match typed_roles(&typed) {
        Ok(roles) => identity.set_roles(&named.visit.caller, named.user.clone(), roles).await,
        Err(error) => Err(error),
    };
    match set {
        Ok(_) => Ok(named.done(&format!("The roles of {} are saved.", named.name))),
        Err(error) => draw(&identity, named, Said::WrongRoles(wrong(error, &typed)?)).await,
    }
}

async fn set_state(State(identity): State<Identity>, named: Named, Form(typed): Form<Typed>) -> Answer {
    let disable = match typed.get("state") {
        "disabled" => true,
        "active" => false,
        _ => {
            return Err(
                Problem::bad_request("identity.no_such_state", "A user is active or disabled.").into()
            );
        }
    };
    match identity.set_disabled(&named.visit.caller, named.user.clone(), disable).await {
        Ok(_) if disable => {
            Ok(named
                .done(&format!("{} is disabled: no session and no token of it works any more.", named.name)))
        }
        Ok(_) => Ok(named.done(&format!("{} may sign in again.", named.name))),
        Err(error) => draw(&identity, named, Said::WrongState(wrong(error, &typed)?)).await,
    }
}

/// Ends one session, or all of them.
async fn end_sessions(State(identity): State<Identity>, named: Named, Form(typed): Form<Typed>) -> Answer {
    if !typed.has("all") {
        let session: SessionId =
            typed.get("session").parse().map_err(|_| IdentityError::NotFound("session"))?;
        identity.end_session(&named.visit.caller, session).await?;
        return Ok(named.done("The session has ended."));
    }
    end_all_but(&identity, &named.visit.caller, named.user.clone(), String::new()).await?;
    Ok(named.done(&format!("All sessions of {} have ended.", named.name)))
}

async fn revoke_token(State(identity): State<Identity>, named: Named, Form(typed): Form<Typed>) -> Answer {
    let token: TokenId = typed.get("token").parse().map_err(|_| IdentityError::NotFound("token"))?;
    identity.revoke_token(&named.visit.caller, token).await?;
    Ok(named.done("The token is revoked."))
}

kernel::problems! {
    "identity.no_such_state":
        "A form named a state that a user cannot have.",
        "Nothing was changed.",
        "Open the page of the user again and use its buttons.";
}
