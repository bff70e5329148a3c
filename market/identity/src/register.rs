//! Making an account: by oneself, by an operator, or as demo data.

use std::time::Duration;

use kernel::{FieldError, Secret};
use serde_json::json;
use store::{Tx, args};

use crate::account::{Email, Name, UserId};
use crate::actor::{Caller, Via};
use crate::audit::{self, Outcome};
use crate::error::IdentityError;
use crate::events::AccountRegistered;
use crate::mail_links::{self, Purpose};
use crate::permission::{Action, Subject};
use crate::role::Roles;
use crate::sign_in::as_account;
use crate::tokens::{self, CreatedToken, NewToken};
use crate::{Identity, password, sql};

/// How long the token lives that a registration answers with.
const FIRST_TOKEN_LIFE: Duration = Duration::from_secs(90 * 86_400);

/// What somebody types who wants an account.
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// The name, see [`Name`].
    pub username: String,
    /// The address, see [`Email`].
    pub email: String,
    /// The password.
    pub password: Secret,
    /// What people call them; may be empty.
    pub display_name: String,
}

/// What makes an account another than a registered one.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// Its roles.
    pub roles: Roles,
    /// Whether its address counts as verified.
    pub verified: bool,
    /// Whether its password may be easy: for demo data alone.
    pub easy_password: bool,
}

/// A new account with its first token.
#[derive(Clone, Debug)]
pub struct Registered {
    /// Its id.
    pub user: UserId,
    /// Its name.
    pub username: String,
    /// A token that may do all that the account may.
    pub token: CreatedToken,
}

/// A [`NewAccount`] whose fields are in order and whose password is hashed.
#[derive(Clone)]
pub(crate) struct Checked {
    name: Name,
    email: Email,
    display_name: String,
    password_hash: String,
    terms: Terms,
}

impl Identity {
    /// Makes an account for whoever asks, where registration is open.
    ///
    /// Says whether a *name* is taken, since names are public. An address that another account has is no
    /// error: who owns it is decided by the mail, so nothing can be learnt about addresses here.
    ///
    /// # Errors
    /// [`IdentityError::Invalid`] with every wrong field, [`IdentityError::NameTaken`],
    /// [`IdentityError::RegistrationClosed`].
    pub async fn register(&self, by: &Caller, new: NewAccount) -> Result<Registered, IdentityError> {
        let checked = self.check_registration(new).await?;
        let (by, seed) = (by.clone(), kernel::random_bytes());
        let register = async move |tx: &mut Tx| register_in(tx, &by, &checked, seed).await;
        self.store.write(register).await
    }

    pub(crate) async fn check_registration(&self, new: NewAccount) -> Result<Checked, IdentityError> {
        if !self.settings.registration_open {
            return Err(IdentityError::RegistrationClosed);
        }
        let terms = Terms { roles: self.settings.default_roles, verified: false, easy_password: false };
        self.check_new(new, terms).await
    }

    /// Makes an account for somebody else: operators, the command line, demo data.
    ///
    /// # Errors
    /// As [`Identity::register`]; [`IdentityError::Denied`] for who is no operator.
    pub async fn create_user(
        &self,
        by: &Caller,
        new: NewAccount,
        terms: Terms,
    ) -> Result<UserId, IdentityError> {
        let checked = self.check_new_user(by, new, terms).await?;
        let by = by.clone();
        self.store.write(async move |tx: &mut Tx| insert(tx, &by, &checked).await).await
    }

    pub(crate) async fn check_new_user(
        &self,
        by: &Caller,
        new: NewAccount,
        terms: Terms,
    ) -> Result<Checked, IdentityError> {
        by.may(Action::ManageUsers, &Subject::Market)?;
        if terms.easy_password && !matches!(by.account()?.via, Via::System) {
            return Err(IdentityError::field("/password", "Only demo data may have easy passwords."));
        }
        self.check_new(new, terms).await
    }

    pub(crate) async fn check_new(&self, new: NewAccount, terms: Terms) -> Result<Checked, IdentityError> {
        let mut errors = Vec::new();
        let mut wrong = |pointer: &'static str, detail: &'static str| {
            errors.push(FieldError { pointer: pointer.into(), detail: detail.into() });
        };
        let name = new.username.parse::<Name>().map_err(|detail| wrong("/username", detail)).ok();
        let email = new.email.parse::<Email>().map_err(|detail| wrong("/email", detail)).ok();
        if let Err(detail) = check_display_name(&new.display_name) {
            wrong("/displayName", detail);
        }
        let own_names = [new.username.as_str(), new.email.trim()];
        if !terms.easy_password
            && let Err(detail) = password::check(&new.password, &own_names)
        {
            wrong("/password", detail);
        }
        let (Some(name), Some(email), true) = (name, email, errors.is_empty()) else {
            return Err(IdentityError::Invalid(errors));
        };
        if name.is_reserved() {
            return Err(IdentityError::NameTaken);
        }
        let password_hash = self.passwords.hash(new.password).await?;
        Ok(Checked { name, email, display_name: new.display_name.trim().to_owned(), password_hash, terms })
    }
}

/// Says what is wrong with a display name.
pub(crate) fn check_display_name(text: &str) -> Result<(), &'static str> {
    if text.chars().count() > 100 || text.contains(char::is_control) {
        return Err("Use at most 100 characters on one line.");
    }
    Ok(())
}

pub(crate) async fn register_in(
    tx: &mut Tx,
    by: &Caller,
    checked: &Checked,
    seed: [u8; 32],
) -> Result<Registered, IdentityError> {
    let user = insert(tx, by, checked).await?;
    let (by, actor) = as_account(tx, by, &user, Via::Password).await?;
    let new = NewToken::full("registration", by.now(), FIRST_TOKEN_LIFE);
    let token = tokens::insert(tx, &by, &user, None, &new, seed).await?;
    Ok(Registered { user, username: actor.username.to_string(), token })
}

pub(crate) async fn insert(tx: &mut Tx, by: &Caller, new: &Checked) -> Result<UserId, IdentityError> {
    let (user, now) = (UserId::fresh(), by.now());
    let name = new.name.as_str();
    let account = args![user, "user", name, new.display_name, now];
    if tx.execute(&sql::INSERT_ACCOUNT, account).await? == 0 {
        return Err(IdentityError::NameTaken);
    }
    let verified_at = new.terms.verified.then_some(now);
    if verified_at.is_some() {
        let taken: Option<(UserId,)> = tx.first(&sql::FIND_VERIFIED_EMAIL, args![new.email.key]).await?;
        if taken.is_some() {
            return Err(IdentityError::field("/email", "Another account has this address."));
        }
    }
    let login = args![user, new.email.text, new.email.key, verified_at, new.password_hash, now];
    tx.execute(&sql::INSERT_LOGIN, login).await?;
    for role in new.terms.roles.iter() {
        tx.execute(&sql::INSERT_ROLE, args![user, role.name(), now]).await?;
    }
    let details = json!({"username": name, "roles": new.terms.roles});
    if verified_at.is_none() {
        mail_links::ask(tx, Purpose::Verify, &new.email.key, now).await?;
    }
    audit::record(tx, by, "account.registered", user.as_str(), Outcome::Done, &details).await?;
    let event = AccountRegistered { user_id: user.clone(), username: name.to_owned() };
    events::append(tx, now, &event).await?;
    Ok(user)
}
