//! Signing a command line in through the browser: it shows an address, a person approves there, it polls and
//! gets a token, once. The token is made when it is collected, so that it is never stored.

use std::time::Duration;

use kernel::{Secret, Timestamp};
use serde_json::json;
use store::{Tx, args};

use crate::account::UserId;
use crate::actor::{Caller, Via};
use crate::audit::{self, Outcome};
use crate::error::IdentityError;
use crate::sign_in::as_account;
use crate::tokens::{self, CreatedToken, NewToken, hash, own_account};
use crate::{Identity, sql};

/// How long a person has to approve.
const LIFE: Duration = Duration::from_secs(10 * 60);
/// Letters and digits that are not mistaken for each other.
const CODE_LETTERS: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";

/// A sign-in that was just started.
#[derive(Clone, Debug)]
pub struct WebLogin {
    /// What stands in the address that the person opens: `/login/cli/{id}`.
    pub id: String,
    /// What the program polls with. It is worth the token: never show it.
    pub poll: Secret,
    /// A short code to compare, in case the address was forwarded by somebody else.
    pub code: String,
}

/// A sign-in as the person sees it who is to approve it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebLoginView {
    /// The code that the program shows too.
    pub code: String,
    /// The address the program asks from.
    pub client: String,
    /// The program's name for itself.
    pub user_agent: Option<String>,
    /// When it asked.
    pub created_at: Timestamp,
}

store::row!(WebLoginView { code, client, user_agent, created_at });

/// What a poll finds.
#[derive(Clone, Debug)]
pub enum Poll {
    /// Nobody has decided yet: ask again in a second.
    Pending,
    /// The token, this once.
    Approved(Box<CreatedToken>),
}

impl Identity {
    /// Starts a sign-in. The address to show is `{public_url}/login/cli/{id}`.
    ///
    /// # Errors
    /// [`IdentityError::Store`].
    pub async fn start_web_login(&self, by: &Caller) -> Result<WebLogin, IdentityError> {
        let letters = kernel::random_bytes::<8>();
        let letters = letters.map(|byte| char::from(CODE_LETTERS[usize::from(byte % 32)]));
        let (first, second) = letters.split_at(4);
        let code = format!("{}-{}", first.iter().collect::<String>(), second.iter().collect::<String>());
        let login = WebLogin {
            id: kernel::random_text::<16>(),
            poll: Secret::new(kernel::random_text::<32>()),
            code,
        };
        let (id, poll, code) = (hash(&login.id), hash(login.poll.expose()), login.code.clone());
        let (client, agent, now) = (by.ctx.client.to_string(), by.ctx.user_agent.clone(), by.now());
        let start = async move |tx: &mut Tx| {
            let ends = now.after(LIFE);
            tx.execute(&sql::INSERT_WEB_LOGIN, args![id, poll, code, client, agent, now, ends]).await
        };
        self.store.write(start).await?;
        Ok(login)
    }

    /// What is asked for, to show it to the person who is to approve it.
    ///
    /// # Errors
    /// [`IdentityError::LinkSpent`] when it was decided or is too old.
    pub async fn web_login(&self, by: &Caller, id: &str) -> Result<WebLoginView, IdentityError> {
        let (id, now) = (hash(id), by.now());
        let look = async move |tx: &mut Tx| tx.first(&sql::FIND_WEB_LOGIN, args![id, now]).await;
        self.store.read(look).await?.ok_or(IdentityError::LinkSpent)
    }

    /// Approves or refuses, as the signed-in caller.
    ///
    /// # Errors
    /// [`IdentityError::NotSignedIn`], [`IdentityError::LinkSpent`].
    pub async fn decide_web_login(&self, by: &Caller, id: &str, approve: bool) -> Result<(), IdentityError> {
        let user = own_account(by)?.user.clone();
        let (by, id) = (by.clone(), hash(id));
        let decide = async move |tx: &mut Tx| {
            let state = if approve { "approved" } else { "refused" };
            if tx.execute(&sql::DECIDE_WEB_LOGIN, args![id, user, state, by.now()]).await? == 0 {
                return Err(IdentityError::LinkSpent);
            }
            let outcome = if approve { Outcome::Done } else { Outcome::Refused };
            Ok(audit::record(tx, &by, "session.web_login_decided", user.as_str(), outcome, &json!({}))
                .await?)
        };
        self.store.write(decide).await
    }

    /// Collects the token.
    ///
    /// # Errors
    /// [`IdentityError::LinkSpent`] when it was refused, collected, or is too old.
    pub async fn poll_web_login(&self, by: &Caller, poll: &str) -> Result<Poll, IdentityError> {
        let (by, poll, seed) = (by.clone(), hash(poll), kernel::random_bytes());
        let life = self.settings.web_login_life;
        let collect = async move |tx: &mut Tx| {
            let found: Option<(String, Option<UserId>)> =
                tx.first(&sql::FIND_WEB_LOGIN_BY_POLL, args![poll, by.now()]).await?;
            let user = match found {
                Some((state, Some(user))) if state == "approved" => user,
                Some((state, _)) if state == "pending" => return Ok(Poll::Pending),
                _ => return Err(IdentityError::LinkSpent),
            };
            if tx.execute(&sql::COLLECT_WEB_LOGIN, args![poll]).await? == 0 {
                return Err(IdentityError::LinkSpent);
            }
            let (by, _) =
                as_account(tx, &by, &user, Via::Password).await.map_err(|_| IdentityError::LinkSpent)?;
            let new = NewToken::full("command line", by.now(), life);
            Ok(Poll::Approved(Box::new(tokens::insert(tx, &by, &user, None, &new, seed).await?)))
        };
        self.store.write(collect).await
    }
}
