//! What operators do with accounts: find them, give roles, disable them.

use kernel::{Page, Paging};
use serde_json::json;
use store::{Tx, args};
use web::Expected;

use crate::account::{User, UserId};
use crate::actor::Caller;
use crate::error::IdentityError;
use crate::permission::{Action, Subject};
use crate::profile::{self, Profile, updated};
use crate::role::{Role, Roles};
use crate::sessions::Session;
use crate::tokens::Token;
use crate::{Identity, sql};

impl Identity {
    /// The users whose name, display name or address contains `search`, the newest first.
    ///
    /// # Errors
    /// [`IdentityError::Denied`] for who is no operator.
    pub async fn users(
        &self,
        by: &Caller,
        search: &str,
        paging: Paging,
    ) -> Result<Page<User>, IdentityError> {
        by.may(Action::ManageUsers, &Subject::Market)?;
        let search = search.trim().to_lowercase();
        let look = async move |tx: &mut Tx| {
            let items = tx.all(&sql::LIST_USERS, args![search, paging.limit, paging.offset]).await?;
            let (total,): (u64,) = tx.one(&sql::COUNT_USERS, args![search]).await?;
            Ok(Page { items, total })
        };
        self.store.read(look).await
    }

    /// One user with its roles.
    ///
    /// # Errors
    /// [`IdentityError::Denied`], [`IdentityError::NotFound`].
    pub async fn user(&self, by: &Caller, user: UserId) -> Result<Profile, IdentityError> {
        by.may(Action::ManageUsers, &Subject::Account(&user))?;
        self.store.read(async move |tx: &mut Tx| profile::find(tx, &user).await).await
    }

    /// The id of the user with this name.
    ///
    /// # Errors
    /// [`IdentityError::Denied`] for who is no operator, [`IdentityError::NotFound`].
    pub async fn user_named(&self, by: &Caller, name: &str) -> Result<UserId, IdentityError> {
        by.may(Action::ManageUsers, &Subject::Market)?;
        let name = name.to_owned();
        let look = async move |tx: &mut Tx| {
            let found: Option<(UserId,)> = tx.first(&sql::FIND_USER_BY_NAME, args![name]).await?;
            found.map(|(id,)| id).ok_or(IdentityError::NotFound("account"))
        };
        self.store.read(look).await
    }

    /// The live tokens and sessions of a user.
    ///
    /// # Errors
    /// [`IdentityError::Denied`] for who is no operator.
    pub async fn access_of(
        &self,
        by: &Caller,
        user: UserId,
    ) -> Result<(Vec<Token>, Vec<Session>), IdentityError> {
        by.may(Action::ManageUsers, &Subject::Account(&user))?;
        let tokens = self.tokens_of(user.clone(), by.now()).await?;
        Ok((tokens, self.sessions_of(user, by.now()).await?))
    }

    /// Gives a user these roles and no others.
    ///
    /// # Errors
    /// [`IdentityError::Denied`], [`IdentityError::NotFound`], [`IdentityError::LastAdmin`].
    pub async fn set_roles(&self, by: &Caller, user: UserId, roles: Roles) -> Result<Profile, IdentityError> {
        self.change_user(by, user, UserChange { roles: Some(roles), ..UserChange::default() }).await
    }

    /// Disables a user, whose sessions and tokens stop working, or lets them in again.
    ///
    /// # Errors
    /// [`IdentityError::Denied`], [`IdentityError::NotFound`], [`IdentityError::LastAdmin`].
    pub async fn set_disabled(
        &self,
        by: &Caller,
        user: UserId,
        disabled: bool,
    ) -> Result<Profile, IdentityError> {
        self.change_user(by, user, UserChange { disabled: Some(disabled), ..UserChange::default() }).await
    }

    /// Changes roles and state of a user at once: all of it, or nothing.
    ///
    /// # Errors
    /// [`IdentityError::Denied`], [`IdentityError::NotFound`], [`IdentityError::LastAdmin`],
    /// [`IdentityError::Stale`].
    pub async fn change_user(
        &self,
        by: &Caller,
        user: UserId,
        change: UserChange,
    ) -> Result<Profile, IdentityError> {
        by.may(Action::ManageUsers, &Subject::Account(&user))?;
        let (by, identity) = (by.clone(), self.clone());
        let set = async move |tx: &mut Tx| {
            let before = profile::find(tx, &user).await?;
            change.expected.check(before.user.version)?;
            if let Some(roles) = change.roles.filter(|roles| *roles != before.roles) {
                set_roles_in(tx, &by, &before, roles).await?;
            }
            let now_disabled = before.user.disabled_at.is_some();
            if let Some(disabled) = change.disabled.filter(|disabled| *disabled != now_disabled) {
                set_disabled_in(tx, &by, &user, disabled).await?;
            }
            identity.forget_after_commit(tx);
            profile::find(tx, &user).await
        };
        self.store.write(set).await
    }
}

/// What to change of a user; absent fields stay.
#[derive(Clone, Debug, Default)]
pub struct UserChange {
    /// The roles that it has afterwards.
    pub roles: Option<Roles>,
    /// Whether it may do nothing.
    pub disabled: Option<bool>,
    /// The version that the operator saw; a stale one changes nothing.
    pub expected: Expected,
}

async fn set_roles_in(tx: &mut Tx, by: &Caller, before: &Profile, roles: Roles) -> Result<(), IdentityError> {
    let user = &before.user.id;
    if before.roles.has(Role::Admin) && !roles.has(Role::Admin) {
        keep_an_admin(tx, user).await?;
    }
    tx.execute(&sql::DELETE_ROLES, args![user]).await?;
    for role in roles.iter() {
        tx.execute(&sql::INSERT_ROLE, args![user, role.name(), by.now()]).await?;
    }
    updated(tx, by, user, "roles", &json!({"before": before.roles, "after": roles})).await
}

async fn set_disabled_in(
    tx: &mut Tx,
    by: &Caller,
    user: &UserId,
    disabled: bool,
) -> Result<(), IdentityError> {
    // The roles are looked at anew: this change may have given or taken one.
    if disabled && profile::find(tx, user).await?.roles.has(Role::Admin) {
        keep_an_admin(tx, user).await?;
    }
    let at = disabled.then_some(by.now());
    tx.execute(&sql::SET_DISABLED, args![user, at]).await?;
    if disabled {
        tx.execute(&sql::DELETE_OTHER_SESSIONS, args![user, ""]).await?;
    }
    updated(tx, by, user, "state", &json!({"disabled": disabled})).await
}

/// The market must not be left without somebody who can operate it.
async fn keep_an_admin(tx: &mut Tx, going: &UserId) -> Result<(), IdentityError> {
    let (others,): (u64,) = tx.one(&sql::COUNT_OTHER_ADMINS, args![going]).await?;
    if others == 0 { Err(IdentityError::LastAdmin) } else { Ok(()) }
}
