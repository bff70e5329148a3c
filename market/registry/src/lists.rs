//! Lists of packages by who has to do with them; only what the caller may see.

use std::collections::BTreeMap;

use identity::Caller;
use identity::orgs::{self, Grant};
use store::{Tx, args};

use crate::access::{Standing, standing};
use crate::package::Package;
use crate::registry::Registry;
use crate::stars::readable;
use crate::{Ecosystem, RegistryError, sql};

impl Registry {
    /// The packages that a user maintains, with what the *user* may do there: always write. At most 1,000.
    ///
    /// # Errors
    /// [`RegistryError::NoPart`] for an unknown user.
    pub async fn packages_of_user(
        &self,
        by: &Caller,
        ecosystem: Ecosystem,
        username: &str,
    ) -> Result<BTreeMap<String, Grant>, RegistryError> {
        by.account()?;
        let (by, username) = (by.clone(), username.to_owned());
        let look = async move |tx: &mut Tx| {
            let user = identity::user_named(tx, &username).await?.ok_or(RegistryError::NoPart("user"))?;
            let packages: Vec<Package> = tx.all(&sql::LIST_OF_MAINTAINER, args![user, ecosystem]).await?;
            let seen = readable(tx, &by, packages).await?;
            Ok::<_, RegistryError>(
                seen.into_iter().map(|package| (package.name.to_string(), Grant::Write)).collect(),
            )
        };
        self.store().read(look).await
    }

    /// The packages that an organisation owns, with what the *caller* may do there. At most 1,000.
    ///
    /// # Errors
    /// [`RegistryError::NoPart`] for an unknown organisation.
    pub async fn packages_of_org(
        &self,
        by: &Caller,
        ecosystem: Ecosystem,
        org: &str,
    ) -> Result<BTreeMap<String, Grant>, RegistryError> {
        by.account()?;
        let (by, org) = (by.clone(), org.to_owned());
        let look = async move |tx: &mut Tx| {
            if !orgs::exists(tx, &org).await? {
                return Err(RegistryError::NoPart("organisation"));
            }
            let packages: Vec<Package> = tx.all(&sql::LIST_OF_OWNER, args![org, ecosystem]).await?;
            let mut seen = BTreeMap::new();
            for package in readable(tx, &by, packages).await? {
                let writes = standing(tx, &by, &package).await? >= Standing::Writer;
                seen.insert(package.name.to_string(), if writes { Grant::Write } else { Grant::Read });
            }
            Ok(seen)
        };
        self.store().read(look).await
    }

    /// What a team was granted, by name of package. At most 1,000.
    ///
    /// # Errors
    /// What `identity` says: strangers see no teams.
    pub async fn packages_of_team(
        &self,
        by: &Caller,
        ecosystem: Ecosystem,
        org: &str,
        team: &str,
    ) -> Result<BTreeMap<String, Grant>, RegistryError> {
        let grants = self.identity().grants(by, org, team).await?;
        let prefix = format!("{ecosystem}/");
        let ours = grants.into_iter().filter_map(|(subject, grant)| {
            subject.strip_prefix(&prefix).map(|name| (name.to_owned(), grant))
        });
        Ok(ours.collect())
    }
}
