//! One's own profile: seeing it, changing it, changing the password.

use kernel::Secret;
use serde_json::json;
use store::{Tx, args};
use web::Expected;

use crate::account::{self, Email, User, UserId};
use crate::actor::Caller;
use crate::audit::{self, Outcome};
use crate::error::IdentityError;
use crate::events::AccountUpdated;
use crate::mail_links::{self, Purpose};
use crate::permission::{Action, Subject};
use crate::register::check_display_name;
use crate::role::{Role, Roles};
use crate::tokens::own_account;
use crate::{Identity, password, sql};

/// A user with its roles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The user.
    pub user: User,
    /// Its roles.
    pub roles: Roles,
}

/// What to change; absent fields stay.
#[derive(Clone, Debug, Default)]
pub struct ProfileChange {
    /// What people call them.
    pub display_name: Option<String>,
    /// The address; a new one must be verified again, and needs the password.
    pub email: Option<String>,
    /// The password, to change the address: who finds an open browser must not take over the account.
    pub current_password: Option<Secret>,
    /// The version that the caller saw; a stale one changes nothing.
    pub expected: Expected,
}

impl Identity {
    /// The caller's profile.
    ///
    /// # Errors
    /// [`IdentityError::NotSignedIn`].
    pub async fn profile(&self, by: &Caller) -> Result<Profile, IdentityError> {
        let user = by.may(Action::Read, &Subject::Market)?.user.clone();
        self.store.read(async move |tx: &mut Tx| find(tx, &user).await).await
    }

    /// Changes the caller's profile.
    ///
    /// # Errors
    /// [`IdentityError::Invalid`], [`IdentityError::Stale`], [`IdentityError::WrongPassword`].
    pub async fn change_profile(&self, by: &Caller, change: ProfileChange) -> Result<Profile, IdentityError> {
        let actor = own_account(by)?.clone();
        if let Some(Err(detail)) = change.display_name.as_deref().map(check_display_name) {
            return Err(IdentityError::field("/displayName", detail));
        }
        let email = change.email.as_deref().map(str::parse::<Email>).transpose();
        let email = email.map_err(|detail| IdentityError::field("/email", detail))?;
        let before = self.profile(by).await?;
        let email = email.filter(|email| email.text != before.user.email);
        if email.is_some() {
            let typed = change.current_password.clone().unwrap_or_else(|| Secret::new(""));
            self.prove_again(by, &actor.username, &typed, "/currentPassword").await?;
        }
        let by = by.clone();
        let save = async move |tx: &mut Tx| {
            let now = by.now();
            let before = find(tx, &actor.user).await?.user;
            change.expected.check(before.version)?;
            let display_name = change.display_name.as_deref().unwrap_or(&before.display_name).trim();
            account::rename(tx, now, actor.user.as_str(), display_name).await?;
            if let Some(email) = &email {
                tx.execute(&sql::SET_EMAIL, args![actor.user, email.text, email.key]).await?;
                mail_links::ask(tx, Purpose::Verify, &email.key, now).await?;
            }
            let what = if email.is_some() { "email" } else { "profile" };
            updated(tx, &by, &actor.user, what, &json!({})).await?;
            find(tx, &actor.user).await
        };
        self.store.write(save).await
    }

    /// Changes the caller's password and ends all other sessions, with the tokens that their sign-ins made.
    ///
    /// # Errors
    /// [`IdentityError::Invalid`] names the wrong field, [`IdentityError::Throttled`].
    pub async fn change_password(&self, by: &Caller, old: &Secret, new: Secret) -> Result<(), IdentityError> {
        let actor = own_account(by)?.clone();
        let email = self.profile(by).await?.user.email;
        password::check(&new, &[&actor.username, &email])
            .map_err(|detail| IdentityError::field("/newPassword", detail))?;
        self.prove_again(by, &actor.username, old, "/currentPassword").await?;
        let hash = self.passwords.hash(new).await?;
        let (by, identity) = (by.clone(), self.clone());
        let save = async move |tx: &mut Tx| {
            let keep = actor.session().map_or("", |session| session.as_str());
            set_password(tx, &identity, &by, &actor.user, &hash, keep).await
        };
        self.store.write(save).await
    }

    /// Asks somebody who is signed in for the password once more. A wrong one is a wrong field, not a 401: the
    /// sign-in itself is in order.
    async fn prove_again(
        &self,
        by: &Caller,
        username: &str,
        typed: &Secret,
        pointer: &'static str,
    ) -> Result<(), IdentityError> {
        match self.prove(by, username, typed).await {
            Err(IdentityError::WrongPassword) => {
                Err(IdentityError::field(pointer, "This is not your password."))
            }
            other => other.map(|_| ()),
        }
    }
}

/// Stores a new password and ends all sessions but `keep`.
pub(crate) async fn set_password(
    tx: &mut Tx,
    identity: &Identity,
    by: &Caller,
    user: &UserId,
    hash: &str,
    keep: &str,
) -> Result<(), IdentityError> {
    tx.execute(&sql::SET_PASSWORD, args![user, hash, by.now()]).await?;
    tx.execute(&sql::DELETE_OTHER_SESSIONS, args![user, keep]).await?;
    identity.forget_after_commit(tx);
    updated(tx, by, user, "password", &json!({})).await
}

pub(crate) async fn find(tx: &mut Tx, user: &UserId) -> Result<Profile, IdentityError> {
    let found: Option<User> = tx.first(&sql::FIND_USER, args![user]).await?;
    let Some(found) = found else { return Err(IdentityError::NotFound("account")) };
    let roles: Vec<(String,)> = tx.all(&sql::LIST_ROLES, args![user]).await?;
    let roles = roles.iter().filter_map(|(role,)| role.parse::<Role>().ok()).collect();
    Ok(Profile { user: found, roles })
}

/// Counts a change of an account, keeps it in the trail, and tells the others. `changed` is one word.
pub(crate) async fn updated(
    tx: &mut Tx,
    by: &Caller,
    user: &UserId,
    changed: &'static str,
    details: &serde_json::Value,
) -> Result<(), IdentityError> {
    let (account_version,): (i64,) = tx.one(&sql::TOUCH_ACCOUNT, args![user, by.now()]).await?;
    let action = format!("account.{changed}_changed");
    audit::record(tx, by, &action, user.as_str(), Outcome::Done, details).await?;
    let (username,): (String,) = tx.one(&sql::FIND_NAME, args![user]).await?;
    let event = AccountUpdated { user_id: user.clone(), username, changed, account_version };
    events::append(tx, by.now(), &event).await?;
    Ok(())
}
