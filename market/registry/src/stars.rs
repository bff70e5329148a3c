//! Stars: which packages an account likes. They change no document, so they count no revision.

use identity::Caller;
use store::{Tx, args};

use crate::access;
use crate::package::{Access, Package, PackageId};
use crate::registry::Registry;
use crate::{Ecosystem, RegistryError, sql};

impl Registry {
    /// Sets or takes away the caller's star.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`], [`identity::IdentityError::NotSignedIn`].
    pub async fn star(
        &self,
        by: &Caller,
        ecosystem: Ecosystem,
        name: &str,
        starred: bool,
    ) -> Result<Package, RegistryError> {
        by.may(identity::Action::Read, &identity::Subject::Thing("packages", name))?;
        let (by, name) = (by.clone(), name.to_owned());
        let write = async move |tx: &mut Tx| {
            let (actor, now) = (by.account()?, by.now());
            let package = access::find(tx, &by, ecosystem, &name).await?;
            if starred {
                let row = args![package.id, actor.user, actor.username, now];
                tx.execute(&sql::INSERT_STAR, row).await?;
            } else {
                tx.execute(&sql::DELETE_STAR, args![package.id, actor.user]).await?;
            }
            Ok::<_, RegistryError>(package)
        };
        self.store().write(write).await
    }

    /// The names of the packages that `username` starred and the caller may read; at most 1,000.
    ///
    /// # Errors
    /// [`identity::IdentityError::NotSignedIn`].
    pub async fn stars_of(
        &self,
        by: &Caller,
        ecosystem: Ecosystem,
        username: &str,
    ) -> Result<Vec<String>, RegistryError> {
        by.account()?;
        let (by, username) = (by.clone(), username.to_owned());
        let look = async move |tx: &mut Tx| {
            let packages: Vec<Package> = tx.all(&sql::LIST_STARRED_BY, args![username, ecosystem]).await?;
            readable(tx, &by, packages).await
        };
        let packages = self.store().read(look).await?;
        Ok(packages.into_iter().map(|package| package.name.to_string()).collect())
    }

    /// Who starred a package; at most 1,000 usernames.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`].
    pub async fn starrers(
        &self,
        by: &Caller,
        ecosystem: Ecosystem,
        name: &str,
    ) -> Result<Vec<String>, RegistryError> {
        let (by, name) = (by.clone(), name.to_owned());
        let look = async move |tx: &mut Tx| {
            let package = access::find(tx, &by, ecosystem, &name).await?;
            starrers(tx, &package.id).await
        };
        self.store().read(look).await
    }
}

/// Who starred a package.
pub(crate) async fn starrers(tx: &mut Tx, package: &PackageId) -> Result<Vec<String>, RegistryError> {
    let rows: Vec<(String,)> = tx.all(&sql::LIST_STARRERS, args![package]).await?;
    Ok(rows.into_iter().map(|(username,)| username).collect())
}

/// Those of `packages` that the caller may read. Public ones cost no further statement.
pub(crate) async fn readable(
    tx: &mut Tx,
    by: &Caller,
    packages: Vec<Package>,
) -> Result<Vec<Package>, RegistryError> {
    let mut seen = Vec::with_capacity(packages.len());
    for package in packages {
        if package.access == Access::Public || access::may_read(tx, by, &package).await? {
            seen.push(package);
        }
    }
    Ok(seen)
}
