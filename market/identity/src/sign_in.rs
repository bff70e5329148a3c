//! Signing in with name or address and password.

use kernel::{Secret, Timestamp};
use serde_json::json;
use store::{Tx, args};

use crate::account::UserId;
use crate::actor::{Actor, Caller, Via};
use crate::audit::{self, Outcome};
use crate::error::IdentityError;
use crate::jwt::Claims;
use crate::resolve::actor_in;
use crate::scope::Scopes;
use crate::sessions::{self, NewSession, SessionId};
use crate::throttle::{self, Guess};
use crate::tokens::{self, CreatedToken, NewToken};
use crate::{Identity, sql};

/// What a program gets that signs in: it uses one of the two.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// Who signed in.
    pub actor: Actor,
    /// An API token that ends with the session.
    pub token: CreatedToken,
    /// A short-lived JWT of the same session.
    pub jwt: Secret,
    /// When both end.
    pub expires_at: Timestamp,
}

struct Found {
    user: UserId,
    password_hash: String,
    disabled_at: Option<Timestamp>,
}

store::row!(Found { user, password_hash, disabled_at });

impl Identity {
    /// Signs a program in: `POST /api/auth/login`, `npm login`.
    ///
    /// # Errors
    /// [`IdentityError::WrongPassword`] whether or not there is such an account, [`IdentityError::Throttled`].
    pub async fn sign_in(
        &self,
        by: &Caller,
        name: &str,
        password: &Secret,
    ) -> Result<SignedIn, IdentityError> {
        let user = self.prove(by, name, password).await?;
        let (by, expires_at) = (by.clone(), by.now().after(self.settings.token_expiry));
        let seed = kernel::random_bytes();
        let name = name_of_program(&by);
        let life = self.settings.token_expiry;
        let start = async move |tx: &mut Tx| {
            let (by, actor) = as_account(tx, &by, &user, Via::Password).await?;
            let session = sessions::start_for_program(tx, &by, &user, expires_at).await?;
            let new = NewToken::full(name.as_str(), by.now(), life);
            let token = tokens::insert(tx, &by, &user, Some(&session), &new, seed).await?;
            Ok::<_, IdentityError>((actor, session, token))
        };
        let (actor, session, token) = self.store.write(start).await?;
        let jwt = self.jwt(&actor.user, session, by_now(&token), expires_at)?;
        Ok(SignedIn { actor, token, jwt, expires_at })
    }

    /// Signs a browser in: the answer is the cookie's value.
    ///
    /// # Errors
    /// As [`Identity::sign_in`].
    pub async fn sign_in_browser(
        &self,
        by: &Caller,
        name: &str,
        password: &Secret,
    ) -> Result<NewSession, IdentityError> {
        let user = self.prove(by, name, password).await?;
        self.open_in_browser(by, user).await
    }

    /// Starts a browser's session for an account that has proved who it is.
    pub(crate) async fn open_in_browser(
        &self,
        by: &Caller,
        user: UserId,
    ) -> Result<NewSession, IdentityError> {
        let by = by.clone();
        let start = async move |tx: &mut Tx| {
            let (by, _) = as_account(tx, &by, &user, Via::Password).await?;
            sessions::start_in_browser(tx, &by, &user).await
        };
        self.store.write(start).await
    }

    /// Checks a password: the one place that does, so that every guess is counted and takes the same time.
    ///
    /// # Errors
    /// [`IdentityError::WrongPassword`], [`IdentityError::Throttled`].
    pub(crate) async fn prove(
        &self,
        by: &Caller,
        name: &str,
        password: &Secret,
    ) -> Result<UserId, IdentityError> {
        let guess = Guess::at(name, by.ctx.client);
        let (now, typed) = (by.now(), name.trim().to_lowercase());
        let count = async move |tx: &mut Tx| {
            throttle::count(tx, &guess, now).await?;
            let statement =
                if typed.contains('@') { &sql::FIND_LOGIN_BY_EMAIL } else { &sql::FIND_LOGIN_BY_NAME };
            Ok::<Option<Found>, IdentityError>(tx.first(statement, args![typed]).await?)
        };
        let found = self.store.write(count).await?.filter(|found| found.disabled_at.is_none());
        let (user, stored) = found.map(|found| (found.user, found.password_hash)).unzip();
        let right = self.passwords.verify(password.clone(), stored).await?;
        let by = by.clone();
        let conclude = async move |tx: &mut Tx| match (&user, right) {
            (Some(user), true) => {
                throttle::forgive(tx, &guess).await?;
                Ok(Some(user.clone()))
            }
            (user, _) => {
                // What was typed as the name is not kept: it may be a password.
                let subject = user.as_ref().map_or("unknown", UserId::as_str);
                audit::record(tx, &by, "session.refused", subject, Outcome::Refused, &json!({})).await?;
                Ok::<_, IdentityError>(None)
            }
        };
        self.store.write(conclude).await?.ok_or(IdentityError::WrongPassword)
    }

    pub(crate) fn jwt(
        &self,
        user: &UserId,
        session: SessionId,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<Secret, IdentityError> {
        let claims = Claims { sub: user.clone(), sid: session, iat: now.secs(), exp: expires_at.secs() };
        // Without any secret nothing can be signed; the configuration makes one on the first start.
        self.keys.sign(&claims).ok_or(IdentityError::Hashing)
    }
}

fn by_now(token: &CreatedToken) -> Timestamp {
    token.token.created_at
}

/// What to call the token of a sign-in: the client's own name, as far as it gives one.
fn name_of_program(by: &Caller) -> String {
    let program = by.ctx.user_agent.as_deref().and_then(|agent| agent.split([' ', '(']).next());
    let program: String = program.unwrap_or_default().chars().filter(|c| !c.is_control()).take(60).collect();
    if program.is_empty() { "sign-in".to_owned() } else { format!("sign-in with {program}") }
}

/// The same caller, now as the account that it proved to be: for the audit trail.
pub(crate) async fn as_account(
    tx: &mut Tx,
    by: &Caller,
    user: &UserId,
    via: Via,
) -> Result<(Caller, Actor), IdentityError> {
    let actor = actor_in(tx, user, via, Scopes::all()).await?.ok_or(IdentityError::WrongPassword)?;
    Ok((Caller { ctx: by.ctx.clone(), actor: Some(actor.clone()) }, actor))
}
