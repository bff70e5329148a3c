//! The pages of accounts: signing in, one's own account, organisations, and what operators see of users.
//!
//! Every form works without script: it posts, and the answer is a redirect with a message, or the same page with
//! what was typed and what is wrong. A form posts to its own page, or to an address right below it, so that whoever
//! comes back to that address after signing in anew lands on the page, see [`Pages::form`].

mod mailed;
mod organisations;
mod profile;
mod sessions;
mod sign_in;
mod sign_up;
mod team;
mod tokens;
mod trail;
mod typed;
mod users;
mod web_login;
mod words;

use axum::extract::OriginalUri;
use axum::handler::Handler;
use axum::response::{IntoResponse, Redirect, Response};
use web::face::{self, Shell};
use web::{Access, Failure, Routes};

use crate::Identity;
use crate::visit::Visit;

/// What handlers answer.
type Answer = Result<Response, Failure>;

/// The pages of this room.
#[must_use]
pub fn pages(identity: Identity) -> Routes {
    Routes::new()
        .merge(sign_in::routes())
        .merge(sign_up::routes())
        .merge(web_login::routes())
        .merge(mailed::routes())
        .merge(profile::routes())
        .merge(tokens::routes())
        .merge(sessions::routes())
        .merge(organisations::routes())
        .merge(team::routes())
        .merge(trail::routes())
        .merge(users::routes())
        .with_state(identity)
}

/// Adds forms that have no page at their own address.
trait Pages {
    /// A form that posts to `path`; who opens that address is led to the page above it.
    fn form<T: 'static>(self, path: &'static str, access: Access, handler: impl Handler<T, Identity>)
    -> Self;
}

impl Pages for Routes<Identity> {
    fn form<T: 'static>(
        self,
        path: &'static str,
        access: Access,
        handler: impl Handler<T, Identity>,
    ) -> Self {
        self.post(path, access, handler).get(path, Access::Public, page_above)
    }
}

async fn page_above(OriginalUri(address): OriginalUri) -> Redirect {
    let above = address.path().rsplit_once('/').map_or("/", |(above, _)| above);
    Redirect::to(if above.is_empty() { "/" } else { above })
}

/// The frame of a page of one's own account, at `place` of the navigation.
fn own_shell(visit: Visit, title: &str, place: &'static str) -> Shell {
    visit.shell.page(format!("{title} - Account"), place).crumb("Account", "/account").crumb(title, "")
}

/// What came of something, on a page of its own: one thing to read, one way on.
#[derive(askama::Template)]
#[template(path = "outcome.html")]
struct Outcome<'a> {
    shell: Shell,
    icon: &'static str,
    title: &'a str,
    text: &'a str,
    /// Words and address of the way on.
    way: Option<(&'a str, &'a str)>,
}

impl Outcome<'_> {
    fn answer(&self) -> Response {
        face::html(&self.shell, self).into_response()
    }
}
