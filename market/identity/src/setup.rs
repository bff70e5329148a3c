//! The first run: a one-time link with which the first operator makes an account.

use std::time::Duration;

use kernel::{Secret, Timestamp};
use store::{StoreError, Tx, args};
use subtle::ConstantTimeEq;

use crate::actor::Caller;
use crate::error::IdentityError;
use crate::register::{NewAccount, Terms, insert};
use crate::role::{Role, Roles};
use crate::sessions::NewSession;
use crate::tokens::hash;
use crate::{Identity, sql};

/// How long the link works; a restart of the program makes a new one.
const LIFE: Duration = Duration::from_secs(3600);

impl Identity {
    /// The link to make the first operator with, replacing an earlier one; `None` once there is an operator. It is a
    /// secret: show it on the console and keep it in a file that only the owner reads.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn setup_link(&self, now: Timestamp) -> Result<Option<Secret>, StoreError> {
        let secret = Secret::new(kernel::random_text::<32>());
        let stored = hash(secret.expose());
        let make = async move |tx: &mut Tx| {
            if has_admin(tx).await? {
                tx.execute(&sql::DELETE_SETUP_LINK, &[]).await?;
                return Ok::<_, StoreError>(false);
            }
            let ends = now.after(LIFE);
            tx.execute(&sql::SET_SETUP_LINK, args![stored, ends]).await?;
            Ok(true)
        };
        let made = self.store.write(make).await?;
        Ok(made.then(|| Secret::new(format!("{}/setup?token={}", self.settings.public_url, secret.expose()))))
    }

    /// Whether the link of this secret would work now.
    ///
    /// # Errors
    /// [`IdentityError::LinkSpent`].
    pub async fn check_setup_link(&self, by: &Caller, secret: &str) -> Result<(), IdentityError> {
        let (now, secret) = (by.now(), hash(secret));
        self.store.read(async move |tx: &mut Tx| check(tx, now, &secret).await).await
    }

    /// Makes the first operator and signs the browser in. The link works once, and never when there is an operator.
    ///
    /// # Errors
    /// [`IdentityError::LinkSpent`]; else as [`Identity::register`].
    pub async fn set_up(
        &self,
        by: &Caller,
        secret: &str,
        new: NewAccount,
    ) -> Result<NewSession, IdentityError> {
        self.check_setup_link(by, secret).await?;
        let roles = Roles::of(&[Role::User, Role::Publisher, Role::Admin, Role::CloudOperator]);
        let checked = self.check_new(new, Terms { roles, verified: true, easy_password: false }).await?;
        let (caller, secret) = (by.clone(), hash(secret));
        let make = async move |tx: &mut Tx| {
            check(tx, caller.now(), &secret).await?;
            let user = insert(tx, &caller, &checked).await?;
            tx.execute(&sql::DELETE_SETUP_LINK, &[]).await?;
            Ok::<_, IdentityError>(user)
        };
        let user = self.store.write(make).await?;
        self.open_in_browser(by, user).await
    }
}

async fn has_admin(tx: &mut Tx) -> Result<bool, StoreError> {
    let (admins,): (u64,) = tx.one(&sql::COUNT_OTHER_ADMINS, args![""]).await?;
    Ok(admins > 0)
}

async fn check(tx: &mut Tx, now: Timestamp, secret: &[u8; 32]) -> Result<(), IdentityError> {
    let known: Option<([u8; 32], Timestamp)> = tx.first(&sql::FIND_SETUP_LINK, &[]).await?;
    match known {
        Some((stored, ends)) if ends > now && bool::from(stored.ct_eq(secret)) && !has_admin(tx).await? => {
            Ok(())
        }
        _ => Err(IdentityError::LinkSpent),
    }
}
