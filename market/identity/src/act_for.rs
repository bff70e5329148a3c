//! What an operator does in the place of a user: the command line on the server's machine.

use kernel::Secret;
use store::Tx;

use crate::account::UserId;
use crate::actor::Caller;
use crate::error::IdentityError;
use crate::profile::set_password;
use crate::tokens::{self, CreatedToken, NewToken};
use crate::{Identity, password};

impl Identity {
    /// Makes a token that acts as `user`. The trail names the operator who made it.
    ///
    /// # Errors
    /// [`IdentityError::Denied`] for who is no operator, [`IdentityError::NotFound`], [`IdentityError::Invalid`].
    pub async fn create_token_for(
        &self,
        by: &Caller,
        user: UserId,
        new: NewToken,
    ) -> Result<CreatedToken, IdentityError> {
        self.user(by, user.clone()).await?;
        let (by, seed) = (by.clone(), kernel::random_bytes());
        let make = async move |tx: &mut Tx| tokens::insert(tx, &by, &user, None, &new, seed).await;
        self.store.write(make).await
    }

    /// Gives a user another password; all sessions and the tokens made by signing in end.
    ///
    /// # Errors
    /// [`IdentityError::Denied`] for who is no operator, [`IdentityError::NotFound`], [`IdentityError::Invalid`].
    pub async fn set_password_for(
        &self,
        by: &Caller,
        user: UserId,
        new: Secret,
    ) -> Result<(), IdentityError> {
        let account = self.user(by, user.clone()).await?.user;
        password::check(&new, &[&account.username, &account.email])
            .map_err(|detail| IdentityError::field("/password", detail))?;
        let hash = self.passwords.hash(new).await?;
        let (by, identity) = (by.clone(), self.clone());
        let save = async move |tx: &mut Tx| set_password(tx, &identity, &by, &user, &hash, "").await;
        self.store.write(save).await
    }
}
