//! Pages behind mailed links: a new password, a confirmed address.
//!
//! Opening a link changes nothing, a button does: programs that read mail open links too.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Deserialize;
use web::face::{self, FormState, Shell, Typed};
use web::{Access, Failure, Form, Query, Routes};

use super::typed::wrong;
use super::{Answer, Outcome};
use crate::visit::{Visit, done};
use crate::{Identity, IdentityError};

pub(super) fn routes() -> Routes<Identity> {
    Routes::new()
        .get("/forgot", Access::Public, show_forgot)
        .post("/forgot", Access::Public, forgot)
        .get("/reset", Access::Public, show_reset)
        .post("/reset", Access::Public, reset)
        .get("/verify", Access::Public, show_verify)
        .post("/verify", Access::Public, verify)
}

/// Which of the three pages.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Forgot,
    Reset,
    Verify,
}

#[derive(Template)]
#[template(path = "mailed.html")]
struct MailedPage {
    shell: Shell,
    form: FormState,
    step: Step,
}

fn page(shell: Shell, form: FormState, step: Step) -> Response {
    let title = match step {
        Step::Forgot => "Forgotten password - Account",
        Step::Reset => "New password - Account",
        Step::Verify => "Confirm your address - Account",
    };
    let page = MailedPage { shell: shell.page(title, ""), form, step };
    face::html(&page.shell, &page)
}

#[derive(Deserialize)]
struct Link {
    #[serde(default)]
    token: String,
}

async fn show_forgot(visit: Visit) -> Response {
    page(visit.shell, FormState::default(), Step::Forgot)
}

async fn forgot(State(identity): State<Identity>, visit: Visit, Form(typed): Form<Typed>) -> Answer {
    let email = typed.get("email").trim();
    if let Err(error) = identity.ask_for_reset(&visit.caller, email).await {
        return Ok(wrong(error, &typed)?.answer(|form| page(visit.shell, form, Step::Forgot)));
    }
    let text = format!(
        "If an account has the address {email}, a link for a new password is on its way there. It works for an hour."
    );
    let sent = Outcome {
        shell: visit.shell.page("Look into your mail - Account", ""),
        icon: "mail",
        title: "Look into your mail",
        text: &text,
        way: Some(("Back to sign-in", "/login")),
    };
    Ok(sent.answer())
}

async fn show_reset(visit: Visit, Query(Link { token }): Query<Link>) -> Response {
    page(visit.shell, FormState::with(&[("token", &token)]), Step::Reset)
}

async fn reset(State(identity): State<Identity>, visit: Visit, Form(typed): Form<Typed>) -> Answer {
    match identity.reset_password(&visit.caller, typed.get("token"), typed.secret("newPassword")).await {
        Ok(_) => Ok(done(
            "/login",
            "The password is changed, and every session of the account has ended. Sign in with the new one.",
        )),
        Err(error @ IdentityError::LinkSpent) => spent(error, visit.shell, ("Ask for a new link", "/forgot")),
        Err(error) => Ok(wrong(error, &typed)?.answer(|form| page(visit.shell, form, Step::Reset))),
    }
}

async fn show_verify(visit: Visit, Query(Link { token }): Query<Link>) -> Response {
    page(visit.shell, FormState::with(&[("token", &token)]), Step::Verify)
}

async fn verify(State(identity): State<Identity>, visit: Visit, Form(typed): Form<Typed>) -> Answer {
    let signed_in = visit.caller.actor.is_some();
    match identity.verify_email(&visit.caller, typed.get("token")).await {
        Ok(_) if signed_in => Ok(done("/account", "Your address is confirmed.")),
        Ok(_) => {
            let confirmed = Outcome {
                shell: visit.shell.page("Confirmed - Account", ""),
                icon: "check",
                title: "Your address is confirmed",
                text: "You can close this page.",
                way: Some(("Sign in", "/login")),
            };
            Ok(confirmed.answer())
        }
        Err(error) => spent(error, visit.shell, ("Ask for a new link", "/account/email")),
    }
}

fn spent(error: IdentityError, shell: Shell, way: (&str, &str)) -> Answer {
    if !matches!(error, IdentityError::LinkSpent) {
        return Err(Failure::from(error));
    }
    let spent = Outcome {
        shell: shell.page("Link too old - Account", ""),
        icon: "clock",
        title: "This link no longer works",
        text: "It was used before, or it is too old. Nothing was changed.",
        way: Some(way),
    };
    Ok((StatusCode::GONE, spent.answer()).into_response())
}
