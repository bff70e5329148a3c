//! Links by mail: to prove that one reads an address, and to choose a new password.
//!
//! Asking for one does the same work and gets the same answer whether or not anybody has the address: it only
//! enqueues a job. The job makes the link, so that no secret of it is ever stored, and sends the mail.

use std::time::Duration;

use jobs::{Failure, Job, NewJob, Policy, Runner};
use kernel::{Secret, Timestamp};
use mail::{Mailer, Message};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{StoreError, Tx, args};

use crate::account::{Email, UserId};
use crate::actor::{Caller, Via};
use crate::error::IdentityError;
use crate::profile::{set_password, updated};
use crate::sign_in::as_account;
use crate::throttle::{self, Guess};
use crate::tokens::{hash, own_account};
use crate::{Identity, password, sql};

const JOB: &str = "identity.mail_link";
/// The most accounts that one mail address gets links for.
const MAX_ACCOUNTS: u32 = 5;

/// What a link is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Purpose {
    Verify,
    Reset,
}

impl Purpose {
    const fn name(self) -> &'static str {
        match self {
            Self::Verify => "verify",
            Self::Reset => "reset",
        }
    }

    const fn life(self) -> Duration {
        match self {
            Self::Verify => Duration::from_secs(24 * 3600),
            Self::Reset => Duration::from_secs(3600),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Payload {
    purpose: Purpose,
    email_key: String,
}

/// Enqueues the mail for whoever has this address.
pub(crate) async fn ask(
    tx: &mut Tx,
    purpose: Purpose,
    email_key: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let payload = Payload { purpose, email_key: email_key.to_owned() };
    let job = NewJob::new(JOB, &payload).map_err(|error| StoreError::Database(error.to_string()))?;
    let job = job.unique(format!("{}:{email_key}", purpose.name()));
    jobs::enqueue(tx, &job, now).await.map(|_| ())
}

impl Identity {
    /// Sends a link for a new password to this address, if an account has it. The answer never tells.
    ///
    /// # Errors
    /// [`IdentityError::Invalid`] for what is no address, [`IdentityError::Throttled`].
    pub async fn ask_for_reset(&self, by: &Caller, email: &str) -> Result<(), IdentityError> {
        let email: Email = email.parse().map_err(|detail| IdentityError::field("/email", detail))?;
        let (now, guess) = (by.now(), Guess::at(&format!("reset:{}", email.key), by.ctx.client));
        let ask = async move |tx: &mut Tx| {
            throttle::count(tx, &guess, now).await?;
            Ok(ask(tx, Purpose::Reset, &email.key, now).await?)
        };
        self.store.write(ask).await
    }

    /// Sends the link once more that proves the caller's address.
    ///
    /// # Errors
    /// [`IdentityError::NotSignedIn`], [`IdentityError::Throttled`].
    pub async fn ask_for_verification(&self, by: &Caller) -> Result<(), IdentityError> {
        let user = own_account(by)?.user.clone();
        let (now, guess) = (by.now(), Guess::at(&format!("verify:{user}"), by.ctx.client));
        let ask = async move |tx: &mut Tx| {
            throttle::count(tx, &guess, now).await?;
            let email = crate::profile::find(tx, &user).await?.user.email;
            Ok(ask(tx, Purpose::Verify, &email.to_lowercase(), now).await?)
        };
        self.store.write(ask).await
    }

    /// Takes the link of a verification mail: the address is proved. Works once.
    ///
    /// # Errors
    /// [`IdentityError::LinkSpent`].
    pub async fn verify_email(&self, by: &Caller, secret: &str) -> Result<UserId, IdentityError> {
        let (by, secret) = (by.clone(), hash(secret));
        let verify = async move |tx: &mut Tx| {
            let user = spend(tx, &by, Purpose::Verify, secret).await?;
            let (by, _) =
                as_account(tx, &by, &user, Via::Password).await.map_err(|_| IdentityError::LinkSpent)?;
            updated(tx, &by, &user, "verification", &json!({})).await?;
            Ok::<_, IdentityError>(user)
        };
        self.store.write(verify).await
    }

    /// Takes the link of a reset mail and sets the new password; ends every session. Works once.
    ///
    /// # Errors
    /// [`IdentityError::LinkSpent`], [`IdentityError::Invalid`].
    pub async fn reset_password(
        &self,
        by: &Caller,
        secret: &str,
        new: Secret,
    ) -> Result<UserId, IdentityError> {
        password::check(&new, &[]).map_err(|detail| IdentityError::field("/newPassword", detail))?;
        let password_hash = self.passwords.hash(new).await?;
        let (by, identity, secret) = (by.clone(), self.clone(), hash(secret));
        let reset = async move |tx: &mut Tx| {
            let user = spend(tx, &by, Purpose::Reset, secret).await?;
            let (by, actor) =
                as_account(tx, &by, &user, Via::Password).await.map_err(|_| IdentityError::LinkSpent)?;
            set_password(tx, &identity, &by, &user, &password_hash, "").await?;
            throttle::forgive(tx, &Guess::at(&actor.username, by.ctx.client)).await?;
            Ok::<_, IdentityError>(user)
        };
        self.store.write(reset).await
    }

    /// Registers this room's jobs: the mails, and the tidying up of what ended.
    #[must_use]
    pub fn jobs(&self, runner: Runner, mailer: Mailer) -> Runner {
        let (identity, tidy) = (self.clone(), self.clone());
        runner
            .register(JOB, Policy::default(), move |job| {
                let (identity, mailer) = (identity.clone(), mailer.clone());
                async move { identity.send_links(&mailer, &job).await }
            })
            .every("identity.forget_what_ended", Duration::from_secs(3600), move |_| {
                let identity = tidy.clone();
                async move {
                    let done = identity.forget_what_ended(identity.clock.now()).await;
                    done.map(|_| ()).map_err(|error| Failure::again(error.to_string()))
                }
            })
    }

    async fn send_links(&self, mailer: &Mailer, job: &Job) -> Result<(), Failure> {
        let Payload { purpose, email_key } = job.payload()?;
        let now = self.clock.now();
        for (to, message) in self
            .make_links(purpose, email_key, now)
            .await
            .map_err(|error| Failure::again(error.to_string()))?
        {
            mailer.send(&message, now).await.map_err(|error| match error.is_temporary() {
                true => Failure::again(error.to_string()),
                false => Failure::dead(format!("the mail to {to} is refused: {error}")),
            })?;
        }
        Ok(())
    }

    /// Makes the links for an address, each replacing the one before, and writes the mails.
    async fn make_links(
        &self,
        purpose: Purpose,
        email_key: String,
        now: Timestamp,
    ) -> Result<Vec<(String, Message)>, StoreError> {
        let secrets: Vec<Secret> =
            (0..MAX_ACCOUNTS).map(|_| Secret::new(kernel::random_text::<32>())).collect();
        let url = self.settings.public_url.clone();
        let make = async move |tx: &mut Tx| {
            let statement = match purpose {
                Purpose::Verify => &sql::LIST_UNVERIFIED,
                Purpose::Reset => &sql::LIST_ACCOUNTS_OF_EMAIL,
            };
            let accounts: Vec<(UserId, String, String)> =
                tx.all(statement, args![email_key, MAX_ACCOUNTS]).await?;
            let mut messages = Vec::new();
            for ((user, username, email), secret) in accounts.iter().zip(&secrets) {
                tx.execute(&sql::DELETE_LINKS, args![user, purpose.name()]).await?;
                let (hash, ends, name) = (hash(secret.expose()), now.after(purpose.life()), purpose.name());
                let row = args![hash, user, name, email_key, now, ends];
                tx.execute(&sql::INSERT_LINK, row).await?;
                messages.push((email.clone(), write(purpose, &url, username, email, secret)));
            }
            Ok::<_, StoreError>(messages)
        };
        self.store.write(make).await
    }
}

/// Uses a link up and marks its address as proved: whoever has the link reads the mail. Answers whose it was.
async fn spend(
    tx: &mut Tx,
    by: &Caller,
    purpose: Purpose,
    secret: [u8; 32],
) -> Result<UserId, IdentityError> {
    let found: Option<(UserId, String)> =
        tx.first(&sql::SPEND_LINK, args![secret, purpose.name(), by.now()]).await?;
    let Some((user, email_key)) = found else { return Err(IdentityError::LinkSpent) };
    let owner: Option<(UserId,)> = tx.first(&sql::FIND_VERIFIED_EMAIL, args![email_key]).await?;
    match owner {
        // Somebody else proved it first; a reset still changes the password, a verification has nothing to give.
        Some((owner,)) if owner != user && purpose == Purpose::Verify => Err(IdentityError::LinkSpent),
        Some(_) => Ok(user),
        None => {
            tx.execute(&sql::SET_VERIFIED, args![user, email_key, by.now()]).await?;
            Ok(user)
        }
    }
}

fn write(purpose: Purpose, url: &str, username: &str, email: &str, secret: &Secret) -> Message {
    let secret = secret.expose();
    let (subject, text) = match purpose {
        Purpose::Verify => (
            "Confirm your e-mail address",
            format!(
                "Somebody gave this address to the account `{username}` at {url}.\n\n\
                 If that was you, confirm it within 24 hours:\n\n{url}/verify?token={secret}\n\n\
                 If it was not, do nothing: the address is not used.\n"
            ),
        ),
        Purpose::Reset => (
            "Choose a new password",
            format!(
                "Somebody asked for a new password for the account `{username}` at {url}.\n\n\
                 If that was you, choose one within an hour:\n\n{url}/reset?token={secret}\n\n\
                 If it was not, do nothing: the password stays as it is.\n"
            ),
        ),
    };
    Message { to: email.to_owned(), subject: subject.to_owned(), text, html: None }
}
