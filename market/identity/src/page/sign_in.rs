//! Signing in and out.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use http::{HeaderValue, header};
use serde::Deserialize;
use web::face::{self, FormState, Shell, Typed};
use web::{Access, Form, Query, Routes};

use super::typed::wrong;
use super::{Answer, Pages};
use crate::sessions::{self, NewSession};
use crate::visit::{Visit, done};
use crate::{Identity, Settings};

pub(super) fn routes() -> Routes<Identity> {
    Routes::new().get("/login", Access::Public, show).post("/login", Access::Public, sign_in).form(
        "/logout",
        Access::Public,
        sign_out,
    )
}

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage {
    shell: Shell,
    form: FormState,
    /// Whether signing in lets in a command line.
    for_program: bool,
}

fn page(shell: Shell, form: FormState) -> Response {
    let for_program = form.value("next").starts_with("/login/cli/");
    let page = SignInPage { shell: shell.page("Sign in - Account", ""), form, for_program };
    face::html(&page.shell, &page)
}

/// The longest way to go on, in bytes: a hundred seats that somebody chose before signing in fit.
const MAX_NEXT: usize = 4_000;

/// Where to go afterwards.
#[derive(Deserialize)]
pub(super) struct Next {
    #[serde(default)]
    pub(super) next: String,
}

async fn show(visit: Visit, Query(Next { next }): Query<Next>) -> Response {
    let next = local(&next);
    match visit.caller.actor {
        Some(_) => Redirect::to(next).into_response(),
        None => page(visit.shell, FormState::with(&[("next", next)])),
    }
}

async fn sign_in(State(identity): State<Identity>, visit: Visit, Form(typed): Form<Typed>) -> Answer {
    let (name, password) = (typed.get("username"), typed.secret("password"));
    match identity.sign_in_browser(&visit.caller, name, &password).await {
        Ok(session) => {
            let answer = Redirect::to(local(typed.get("next"))).into_response();
            Ok(with_session(identity.settings(), &session, answer))
        }
        Err(error) => Ok(wrong(error, &typed)?.answer(|form| page(visit.shell, form))),
    }
}

async fn sign_out(State(identity): State<Identity>, visit: Visit) -> Answer {
    if visit.caller.actor.is_some() {
        identity.sign_out(&visit.caller).await?;
    }
    let cookie = sessions::no_cookie(identity.settings());
    Ok(with_cookie(&cookie, done("/", "You are signed out.")))
}

/// The answer that gives a browser its session.
pub(super) fn with_session(settings: &Settings, session: &NewSession, answer: Response) -> Response {
    with_cookie(&sessions::cookie(settings, session), answer)
}

fn with_cookie(cookie: &str, mut answer: Response) -> Response {
    if let Ok(cookie) = HeaderValue::from_str(cookie) {
        answer.headers_mut().append(header::SET_COOKIE, cookie);
    }
    answer
}

/// `next` where it is a path of this site, else the start page: a link must not lead from our sign-in to a site
/// that looks like ours. Browsers read a backslash as a slash, and `//host` as another site.
pub(super) fn local(next: &str) -> &str {
    let plain = next.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
    let is_path = next.starts_with('/') && !next.starts_with("//");
    if plain && is_path && next.len() <= MAX_NEXT && next != "/logout" { next } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_this_site_are_gone_on_to() {
        for path in ["/", "/account/tokens", "/packages/@a%2Fb?tab=versions#top"] {
            assert_eq!(local(path), path);
        }
        let elsewhere = [
            "",
            "account",
            "//evil.example.com",
            "/\\evil.example.com",
            "https://evil.example.com",
            "/a\r\nb",
            "/\t/x",
            "/logout",
        ];
        for path in elsewhere {
            assert_eq!(local(path), "/", "{path:?}");
        }
    }
}
