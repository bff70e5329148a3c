//! Making an account: by oneself, and the first operator's with the set-up link.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use store::Tx;
use web::face::{self, FormState, Shell, Typed};
use web::{Access, Failure, Form, Query, Routes};

use super::sign_in::{Next, local, with_session};
use super::typed::wrong;
use super::{Answer, Outcome};
use crate::actor::Caller;
use crate::register::{NewAccount, insert};
use crate::sessions::NewSession;
use crate::visit::{Visit, done};
use crate::{Identity, IdentityError};

pub(super) fn routes() -> Routes<Identity> {
    Routes::new()
        .get("/signup", Access::Public, show)
        .post("/signup", Access::Public, sign_up)
        .get("/setup", Access::Public, show_setup)
        .post("/setup", Access::Public, set_up)
}

#[derive(Template)]
#[template(path = "sign_up.html")]
struct SignUpPage {
    shell: Shell,
    form: FormState,
    /// Whether this is the first operator's account.
    is_setup: bool,
}

fn page(shell: Shell, form: FormState, is_setup: bool) -> Response {
    let title = if is_setup { "Set up - Operator" } else { "Make an account - Account" };
    let page = SignUpPage { shell: shell.page(title, ""), form, is_setup };
    face::html(&page.shell, &page)
}

async fn show(State(identity): State<Identity>, visit: Visit, Query(Next { next }): Query<Next>) -> Response {
    if visit.caller.actor.is_some() {
        return Redirect::to(after(&next)).into_response();
    }
    if !identity.settings().registration_open {
        return closed(visit.shell);
    }
    page(visit.shell, FormState::with(&[("next", local(&next))]), false)
}

async fn sign_up(State(identity): State<Identity>, visit: Visit, Form(typed): Form<Typed>) -> Answer {
    match register(&identity, &visit.caller, account(&typed)).await {
        Ok(session) => {
            let welcome = done(
                after(typed.get("next")),
                "Your account is made. To confirm your address, open the link we mailed you.",
            );
            Ok(with_session(identity.settings(), &session, welcome))
        }
        Err(IdentityError::RegistrationClosed) => Ok(closed(visit.shell)),
        Err(error) => Ok(wrong(error, &typed)?.answer(|form| page(visit.shell, form, false))),
    }
}

/// Where a new account goes on: to what its owner was at, or to its profile.
fn after(next: &str) -> &str {
    match local(next) {
        "/" => "/account",
        next => next,
    }
}

fn account(typed: &Typed) -> NewAccount {
    NewAccount {
        username: typed.get("username").trim().to_owned(),
        email: typed.get("email").to_owned(),
        password: typed.secret("password"),
        display_name: typed.get("displayName").to_owned(),
    }
}

/// As [`Identity::register`], with a browser's session instead of a token that nobody would see.
async fn register(identity: &Identity, by: &Caller, new: NewAccount) -> Result<NewSession, IdentityError> {
    let checked = identity.check_registration(new).await?;
    let caller = by.clone();
    let user = identity.store.write(async move |tx: &mut Tx| insert(tx, &caller, &checked).await).await?;
    identity.open_in_browser(by, user).await
}

fn closed(shell: Shell) -> Response {
    Outcome {
        shell: shell.page("Make an account - Account", ""),
        icon: "lock",
        title: "New accounts are made by the operator here",
        text: "Ask the operator for an account. If you have one, sign in.",
        way: Some(("Sign in", "/login")),
    }
    .answer()
}

#[derive(Deserialize)]
struct Link {
    #[serde(default)]
    token: String,
}

async fn show_setup(
    State(identity): State<Identity>,
    visit: Visit,
    Query(Link { token }): Query<Link>,
) -> Answer {
    match identity.check_setup_link(&visit.caller, &token).await {
        Ok(()) => Ok(page(visit.shell, FormState::with(&[("token", &token)]), true)),
        Err(error) => setup_refused(error, visit.shell),
    }
}

async fn set_up(State(identity): State<Identity>, visit: Visit, Form(typed): Form<Typed>) -> Answer {
    match identity.set_up(&visit.caller, typed.get("token"), account(&typed)).await {
        Ok(session) => {
            let welcome =
                done("/operator/users", "You are the operator now. Here are the accounts of this instance.");
            Ok(with_session(identity.settings(), &session, welcome))
        }
        Err(IdentityError::LinkSpent) => setup_refused(IdentityError::LinkSpent, visit.shell),
        Err(error) => Ok(wrong(error, &typed)?.answer(|form| page(visit.shell, form, true))),
    }
}

fn setup_refused(error: IdentityError, shell: Shell) -> Answer {
    if !matches!(error, IdentityError::LinkSpent) {
        return Err(Failure::from(error));
    }
    let refused = Outcome {
        shell: shell.page("Set up - Operator", ""),
        icon: "clock",
        title: "This set-up link no longer works",
        text: "It works once and for an hour, and only while there is no operator. \
               Start the program anew for a fresh link, or sign in.",
        way: Some(("Sign in", "/login")),
    };
    Ok((http::StatusCode::GONE, refused.answer()).into_response())
}
