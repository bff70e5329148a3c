//! Where one is signed in.

use askama::Template;
use axum::extract::State;
use serde_json::json;
use store::{Tx, args};
use web::face::{self, Shell, Typed};
use web::{Access, Form, Routes};

use super::{Answer, Pages, own_shell, words};
use crate::account::UserId;
use crate::actor::Caller;
use crate::audit::{self, Outcome};
use crate::permission::{Action, Subject};
use crate::sessions::{Session, SessionId};
use crate::visit::{Visit, done};
use crate::{Identity, IdentityError, sql};

pub(super) fn routes() -> Routes<Identity> {
    Routes::new()
        .get("/account/sessions", Access::Account, list)
        .form("/account/sessions/end", Access::Account, end)
        .form("/account/sessions/end-others", Access::Account, end_others)
}

#[derive(Template)]
#[template(path = "sessions.html")]
struct SessionsPage {
    shell: Shell,
    sessions: Vec<Session>,
    /// The one that looks at the page.
    here: Option<SessionId>,
}

async fn list(State(identity): State<Identity>, visit: Visit) -> Answer {
    let here = visit.account()?.session().cloned();
    let sessions = identity.sessions(&visit.caller).await?;
    let page = SessionsPage { shell: own_shell(visit, "Sessions", "sessions"), sessions, here };
    Ok(face::html(&page.shell, &page))
}

async fn end(State(identity): State<Identity>, visit: Visit, Form(typed): Form<Typed>) -> Answer {
    visit.account()?;
    let session: SessionId = typed.get("session").parse().map_err(|_| IdentityError::NotFound("session"))?;
    identity.end_session(&visit.caller, session).await?;
    Ok(done("/account/sessions", "The session has ended, and the tokens that its sign-in made with it."))
}

async fn end_others(State(identity): State<Identity>, visit: Visit) -> Answer {
    let actor = visit.account()?;
    let keep = actor.session().map_or_else(String::new, |session| session.as_str().to_owned());
    end_all_but(&identity, &visit.caller, actor.user.clone(), keep).await?;
    Ok(done("/account/sessions", "All other sessions have ended, and the tokens that their sign-ins made."))
}

/// Ends all sessions of `user` but the one whose id is `keep`, at once.
pub(super) async fn end_all_but(
    identity: &Identity,
    by: &Caller,
    user: UserId,
    keep: String,
) -> Result<(), IdentityError> {
    by.may(Action::EditAccount, &Subject::Account(&user))?;
    let (by, room) = (by.clone(), identity.clone());
    let end = async move |tx: &mut Tx| {
        let ended = tx.execute(&sql::DELETE_OTHER_SESSIONS, args![user, keep]).await?;
        room.forget_after_commit(tx);
        let details = json!({"sessions": ended});
        audit::record(tx, &by, "session.others_ended", user.as_str(), Outcome::Done, &details).await?;
        Ok(())
    };
    identity.store.write(end).await
}
