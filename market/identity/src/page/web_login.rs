//! Letting a command line in: the page that `npm login` and `fondaco login` send people to.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use kernel::Problem;
use web::face::{self, Shell, Typed};
use web::{Access, Failure, Form, Path, Routes};

use super::{Answer, Outcome, words};
use crate::visit::Visit;
use crate::web_login::WebLoginView;
use crate::{Identity, IdentityError};

pub(super) fn routes() -> Routes<Identity> {
    Routes::new()
        .get("/login/cli/{id}", Access::Public, show)
        .post("/login/cli/{id}", Access::Account, decide)
        .get("/login/cli/approved", Access::Public, approved)
        .get("/login/cli/refused", Access::Public, refused)
}

#[derive(Template)]
#[template(path = "web_login.html")]
struct WebLoginPage {
    shell: Shell,
    asked: WebLoginView,
    username: String,
}

async fn show(State(identity): State<Identity>, visit: Visit, Path(id): Path<String>) -> Answer {
    let asked = match identity.web_login(&visit.caller, &id).await {
        Ok(asked) => asked,
        Err(error) => return spent(error, visit.shell),
    };
    let Some(actor) = &visit.caller.actor else {
        return Ok(Redirect::to(&visit.shell.sign_in_href()).into_response());
    };
    let username = actor.username.to_string();
    let page =
        WebLoginPage { shell: visit.shell.page("Let in a command line - Account", ""), asked, username };
    Ok(face::html(&page.shell, &page))
}

async fn decide(
    State(identity): State<Identity>,
    visit: Visit,
    Path(id): Path<String>,
    Form(typed): Form<Typed>,
) -> Answer {
    visit.account()?;
    let approve = typed.has("approve");
    if approve == typed.has("refuse") {
        let detail = "Nothing was decided. Press one of the two buttons.";
        return Err(Problem::bad_request("identity.undecided", detail).into());
    }
    match identity.decide_web_login(&visit.caller, &id, approve).await {
        Ok(()) => {
            Ok(Redirect::to(if approve { "/login/cli/approved" } else { "/login/cli/refused" })
                .into_response())
        }
        Err(error) => spent(error, visit.shell),
    }
}

async fn approved(visit: Visit) -> Response {
    Outcome {
        shell: visit.shell.page("Let in - Account", ""),
        icon: "check",
        title: "The command line is let in",
        text: "It goes on by itself. You can close this page.",
        way: None,
    }
    .answer()
}

async fn refused(visit: Visit) -> Response {
    Outcome {
        shell: visit.shell.page("Refused - Account", ""),
        icon: "shield-check",
        title: "The command line is refused",
        text: "It got nothing. If you did not start it yourself, you need do no more. You can close this page.",
        way: None,
    }
    .answer()
}

fn spent(error: IdentityError, shell: Shell) -> Answer {
    if !matches!(error, IdentityError::LinkSpent) {
        return Err(Failure::from(error));
    }
    let spent = Outcome {
        shell: shell.page("Link too old - Account", ""),
        icon: "clock",
        title: "This sign-in was decided, or is too old",
        text: "Nothing was let in just now. Start the sign-in again in your terminal: it prints a fresh address.",
        way: None,
    };
    Ok((StatusCode::GONE, spent.answer()).into_response())
}

kernel::problems! {
    "identity.undecided":
        "The form that lets a command line in was sent without a decision.",
        "Nobody was let in.",
        "Open the link again and press one of its two buttons.";
}
