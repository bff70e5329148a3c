//! Who may read a package, and which teams may do what with it.

use std::collections::BTreeMap;

use identity::orgs::Grant;
use identity::{Caller, audit};
use store::{Tx, args};

use crate::access::{self, Standing, check, grant_subject, require, standing};
use crate::events::PackageAccessChanged;
use crate::package::{Access, Changed, MaintainerRole, OwnerKind, Package};
use crate::publish::about;
use crate::registry::{Registry, bump, changed};
use crate::{Ecosystem, RegistryError, sql};

/// A person has no members: what only an organisation can have becomes private.
pub(crate) fn suitable(access: Access, owner: OwnerKind) -> Access {
    if access == Access::Organisation && owner == OwnerKind::User { Access::Private } else { access }
}

/// What a publish that names an access does to a package that is there: nothing, unless the publisher may say so.
pub(crate) async fn on_publish(
    tx: &mut Tx,
    by: &Caller,
    package: Package,
    wanted: Option<Access>,
) -> Result<Package, RegistryError> {
    match wanted.map(|access| suitable(access, package.owner_kind)) {
        Some(access) if access != package.access && standing(tx, by, &package).await? == Standing::Owner => {
            set(tx, by, package, access).await
        }
        _ => Ok(package),
    }
}

async fn set(
    tx: &mut Tx,
    by: &Caller,
    mut package: Package,
    access: Access,
) -> Result<Package, RegistryError> {
    tx.execute(&sql::SET_ACCESS, args![package.id, access]).await?;
    package.access = access;
    let details = serde_json::json!({"access": access.as_str(), "package": package.id});
    audit::record(tx, by, "package.access_changed", &package.name, audit::Outcome::Done, &details).await?;
    let event = PackageAccessChanged { about: about(&package, by), access: access.as_str() };
    events::append(tx, by.now(), &event).await?;
    Ok(package)
}

impl Registry {
    /// Who may read a package.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`].
    pub async fn visibility(
        &self,
        by: &Caller,
        ecosystem: Ecosystem,
        name: &str,
    ) -> Result<Access, RegistryError> {
        Ok(self.find(by, ecosystem, name).await?.access)
    }

    /// A package that the caller may read.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`].
    pub async fn find(
        &self,
        by: &Caller,
        ecosystem: Ecosystem,
        name: &str,
    ) -> Result<Package, RegistryError> {
        let (by, name) = (by.clone(), name.to_owned());
        self.store().read(async move |tx: &mut Tx| access::find(tx, &by, ecosystem, &name).await).await
    }

    /// Sets who may read a package.
    ///
    /// # Errors
    /// [`RegistryError::NotYours`] unless the caller is an owner.
    pub async fn set_access(
        &self,
        by: &Caller,
        ecosystem: Ecosystem,
        name: &str,
        access: Access,
    ) -> Result<Changed, RegistryError> {
        let (registry, by, name) = (self.clone(), by.clone(), name.to_owned());
        let write = async move |tx: &mut Tx| {
            let mut package = require(tx, &by, ecosystem, &name, Standing::Owner).await?;
            let access = suitable(access, package.owner_kind);
            if access != package.access {
                bump(tx, &mut package, None, by.now()).await?;
                registry.forget_after_commit(tx, ecosystem, &package.name);
                package = set(tx, &by, package, access).await?;
            }
            Ok::<_, RegistryError>(changed(&package))
        };
        self.store().write(write).await
    }

    /// Who may do what with a package by name of account, for those who may write it.
    ///
    /// # Errors
    /// [`RegistryError::NotYours`] for mere readers.
    pub async fn collaborators(
        &self,
        by: &Caller,
        ecosystem: Ecosystem,
        name: &str,
    ) -> Result<BTreeMap<String, MaintainerRole>, RegistryError> {
        let (by, name) = (by.clone(), name.to_owned());
        let look = async move |tx: &mut Tx| {
            let package = require(tx, &by, ecosystem, &name, Standing::Writer).await?;
            let rows: Vec<(String, String, MaintainerRole)> =
                tx.all(&sql::LIST_MAINTAINERS, args![package.id]).await?;
            Ok::<_, RegistryError>(rows.into_iter().map(|(_, username, role)| (username, role)).collect())
        };
        self.store().read(look).await
    }

    /// Lets a team read or write a package, or no longer. The caller must own the package and manage the team's
    /// organisation.
    ///
    /// # Errors
    /// [`RegistryError::NotYours`], and what `identity` says about the team.
    pub async fn grant(
        &self,
        by: &Caller,
        (org, team): (&str, &str),
        ecosystem: Ecosystem,
        name: &str,
        grant: Option<Grant>,
    ) -> Result<(), RegistryError> {
        let (caller, owned) = (by.clone(), name.to_owned());
        let look = async move |tx: &mut Tx| {
            let package = access::find(tx, &caller, ecosystem, &owned).await?;
            check(tx, &caller, &package, Standing::Owner).await
        };
        self.store().read(look).await?;
        Ok(self.identity().set_grant(by, org, team, &grant_subject(ecosystem, name), grant).await?)
    }
}
