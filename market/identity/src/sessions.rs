//! Sessions: what a sign-in starts and a sign-out ends. The cookie is random; stored is its SHA-256.

use std::time::Duration;

use kernel::{Secret, Timestamp};
use serde_json::json;
use store::{Tx, args};

use crate::Identity;
use crate::account::UserId;
use crate::actor::{Caller, Via};
use crate::audit::{self, Outcome};
use crate::error::IdentityError;
use crate::permission::{Action, Subject};
use crate::tokens::{hash, own_account};
use crate::{Settings, sql};

kernel::id!(
    /// Names a session in lists, JWTs and the audit trail. It is no secret.
    SessionId,
    "session"
);
store::id_values!(SessionId);

/// A browser's session ends when it was not used for so long,
pub const IDLE: Duration = Duration::from_secs(14 * 86_400);
/// and after so long in any case.
pub const ABSOLUTE: Duration = Duration::from_secs(60 * 86_400);

/// A session as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// Whether a browser holds its cookie; else a program signed in over the API.
    pub in_browser: bool,
    /// The address it began from.
    pub client: String,
    /// The client's name for itself.
    pub user_agent: Option<String>,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was last used, to about five minutes.
    pub last_seen_at: Timestamp,
    /// When it ends in any case.
    pub expires_at: Timestamp,
}

store::row!(Session { id, in_browser, client, user_agent, created_at, last_seen_at, expires_at });

/// A browser's new session: the id, and the value of its cookie.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// Its id.
    pub id: SessionId,
    /// The value of the cookie.
    pub cookie: Secret,
}

/// Starts a browser's session.
pub(crate) async fn start_in_browser(
    tx: &mut Tx,
    by: &Caller,
    user: &UserId,
) -> Result<NewSession, IdentityError> {
    let session = NewSession { id: SessionId::fresh(), cookie: Secret::new(kernel::random_text::<32>()) };
    let secret_hash = hash(session.cookie.expose());
    start(tx, by, &session.id, user, Some(secret_hash), IDLE, by.now().after(ABSOLUTE)).await?;
    Ok(session)
}

/// Starts a program's session, which lives as long as its JWT.
pub(crate) async fn start_for_program(
    tx: &mut Tx,
    by: &Caller,
    user: &UserId,
    ends: Timestamp,
) -> Result<SessionId, IdentityError> {
    let id = SessionId::fresh();
    start(tx, by, &id, user, None, ends.since(by.now()), ends).await?;
    Ok(id)
}

async fn start(
    tx: &mut Tx,
    by: &Caller,
    id: &SessionId,
    user: &UserId,
    secret_hash: Option<[u8; 32]>,
    idle: Duration,
    ends: Timestamp,
) -> Result<(), IdentityError> {
    let idle_micros = i64::try_from(idle.as_micros()).unwrap_or(i64::MAX);
    let (client, now) = (by.ctx.client.to_string(), by.now());
    let row = args![id, user, secret_hash, client, by.ctx.user_agent, now, idle_micros, ends];
    tx.execute(&sql::INSERT_SESSION, row).await?;
    let details = json!({"session": id});
    audit::record(tx, by, "session.started", user.as_str(), Outcome::Done, &details).await?;
    Ok(())
}

impl Identity {
    /// The caller's sessions, the last used first.
    ///
    /// # Errors
    /// [`IdentityError::NotSignedIn`], [`IdentityError::Denied`].
    pub async fn sessions(&self, by: &Caller) -> Result<Vec<Session>, IdentityError> {
        let user = own_account(by)?.user.clone();
        self.sessions_of(user, by.now()).await
    }

    pub(crate) async fn sessions_of(
        &self,
        user: UserId,
        now: Timestamp,
    ) -> Result<Vec<Session>, IdentityError> {
        self.store
            .read(async move |tx: &mut Tx| Ok(tx.all(&sql::LIST_SESSIONS, args![user, now]).await?))
            .await
    }

    /// Ends a session and the tokens that its sign-in made: one's own, or as an operator anybody's.
    ///
    /// # Errors
    /// [`IdentityError::NotFound`] when there is no such session that the caller may end.
    pub async fn end_session(&self, by: &Caller, session: SessionId) -> Result<(), IdentityError> {
        let (by, identity) = (by.clone(), self.clone());
        let end = async move |tx: &mut Tx| {
            let owner: Option<(UserId,)> = tx.first(&sql::FIND_SESSION_OWNER, args![session]).await?;
            let may = |owner: &UserId| by.may(Action::EditAccount, &Subject::Account(owner)).is_ok();
            let Some((owner,)) = owner.filter(|(owner,)| may(owner)) else {
                return Err(IdentityError::NotFound("session"));
            };
            end_in(tx, &identity, &by, &owner, &session).await
        };
        self.store.write(end).await
    }

    /// Ends what the caller is signed in with: its session, or its API token when no session goes with it.
    ///
    /// # Errors
    /// [`IdentityError::NotSignedIn`] for a stranger.
    pub async fn sign_out(&self, by: &Caller) -> Result<(), IdentityError> {
        let actor = by.account()?.clone();
        let (by, identity) = (by.clone(), self.clone());
        let end = async move |tx: &mut Tx| match (&actor.via, actor.session()) {
            (_, Some(session)) => end_in(tx, &identity, &by, &actor.user, session).await,
            (Via::Token(token, None), None) => {
                crate::tokens::revoke_in(tx, &identity, &by, &actor.user, token).await
            }
            _ => Ok(()),
        };
        self.store.write(end).await
    }
}

async fn end_in(
    tx: &mut Tx,
    identity: &Identity,
    by: &Caller,
    owner: &UserId,
    session: &SessionId,
) -> Result<(), IdentityError> {
    tx.execute(&sql::DELETE_SESSION, args![session]).await?;
    identity.forget_after_commit(tx);
    let details = json!({"session": session});
    audit::record(tx, by, "session.ended", owner.as_str(), Outcome::Done, &details).await?;
    Ok(())
}

/// The `Set-Cookie` value that gives a browser its session. `Secure` wherever the public address is https.
#[must_use]
pub fn cookie(settings: &Settings, session: &NewSession) -> String {
    set_cookie(settings, session.cookie.expose(), ABSOLUTE.as_secs())
}

/// The `Set-Cookie` value that takes the session away again.
#[must_use]
pub fn no_cookie(settings: &Settings) -> String {
    set_cookie(settings, "", 0)
}

fn set_cookie(settings: &Settings, value: &str, max_age: u64) -> String {
    let secure = if settings.is_https() { "; Secure" } else { "" };
    format!("{}={value}; Path=/; Max-Age={max_age}; HttpOnly; SameSite=Lax{secure}", web::SESSION_COOKIE)
}
