//! Maintainers: who may change a package.

use identity::{Caller, UserId, audit};
use store::{Tx, args};

use crate::access::{self, Standing, require};
use crate::events::PackageOwnersChanged;
use crate::package::{Changed, MaintainerRole, OwnerKind, Package};
use crate::publish::about;
use crate::registry::{Registry, bump, changed};
use crate::{Ecosystem, RegistryError, sql};

/// The most maintainers of one package.
const MAX_MAINTAINERS: usize = 200;

/// A change of who maintains a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwnerChange {
    /// These and no others; with the revision that the caller saw.
    Set(Vec<String>, String),
    /// This one too.
    Add(String),
    /// This one no longer.
    Remove(String),
}

type Maintainer = (UserId, String, MaintainerRole);

impl Registry {
    /// The usernames of a package's maintainers.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`].
    pub async fn owners(
        &self,
        by: &Caller,
        ecosystem: Ecosystem,
        name: &str,
    ) -> Result<Vec<String>, RegistryError> {
        let (by, name) = (by.clone(), name.to_owned());
        let look = async move |tx: &mut Tx| {
            let package = access::find(tx, &by, ecosystem, &name).await?;
            let rows = list(tx, &package).await?;
            Ok::<_, RegistryError>(rows.into_iter().map(|(_, username, _)| username).collect())
        };
        self.store().read(look).await
    }

    /// Changes who maintains a package. Who is there already keeps the role; new ones are owners.
    ///
    /// # Errors
    /// [`RegistryError::NoPart`] for an unknown account, [`RegistryError::Malformed`] when nobody would be left,
    /// [`RegistryError::Stale`].
    pub async fn change_owners(
        &self,
        by: &Caller,
        ecosystem: Ecosystem,
        name: &str,
        change: OwnerChange,
    ) -> Result<Changed, RegistryError> {
        let (registry, by, name) = (self.clone(), by.clone(), name.to_owned());
        let write = async move |tx: &mut Tx| {
            let mut package = require(tx, &by, ecosystem, &name, Standing::Owner).await?;
            let present = list(tx, &package).await?;
            let (wanted, rev) = wanted(&present, &change);
            if wanted.is_empty() {
                let text = "A package needs an owner: add another one first.";
                return Err(RegistryError::Malformed(text.to_owned()));
            }
            if wanted.len() > MAX_MAINTAINERS {
                let text = format!("A package has at most {MAX_MAINTAINERS} maintainers: use a team.");
                return Err(RegistryError::Malformed(text));
            }
            bump(tx, &mut package, rev, by.now()).await?;
            let left = apply(tx, &by, &package, present, &wanted).await?;
            told(tx, &registry, &by, &package, &left).await?;
            Ok(changed(&package))
        };
        self.store().write(write).await
    }
}

async fn list(tx: &mut Tx, package: &Package) -> Result<Vec<Maintainer>, RegistryError> {
    Ok(tx.all(&sql::LIST_MAINTAINERS, args![package.id]).await?)
}

/// The usernames after the change, and the revision it expects.
fn wanted<'c>(present: &[Maintainer], change: &'c OwnerChange) -> (Vec<String>, Option<&'c str>) {
    let names = || present.iter().map(|(_, username, _)| username.clone());
    match change {
        OwnerChange::Set(wanted, rev) => (wanted.clone(), Some(rev)),
        OwnerChange::Add(name) => {
            (names().filter(|present| present != name).chain([name.clone()]).collect(), None)
        }
        OwnerChange::Remove(name) => (names().filter(|present| present != name).collect(), None),
    }
}

async fn apply(
    tx: &mut Tx,
    by: &Caller,
    package: &Package,
    present: Vec<Maintainer>,
    wanted: &[String],
) -> Result<Vec<Maintainer>, RegistryError> {
    let (mut left, gone): (Vec<_>, Vec<_>) =
        present.into_iter().partition(|(_, username, _)| wanted.contains(username));
    for (account, _, _) in gone {
        tx.execute(&sql::DELETE_MAINTAINER, args![package.id, account]).await?;
    }
    for username in wanted {
        if left.iter().any(|(_, present, _)| present == username) {
            continue;
        }
        let account = identity::user_named(tx, username).await?.ok_or(RegistryError::NoPart("user"))?;
        let now = by.now();
        let row = args![package.id, account, username, MaintainerRole::Owner, now];
        tx.execute(&sql::SET_MAINTAINER, row).await?;
        left.push((account, username.clone(), MaintainerRole::Owner));
    }
    let owners = left.iter().filter(|(_, _, role)| *role == MaintainerRole::Owner);
    let first = owners.map(|(_, username, _)| username).next();
    match (package.owner_kind, first) {
        (OwnerKind::Organisation, _) => {}
        (OwnerKind::User, None) => {
            let text = "A package needs an owner: add another one first.";
            return Err(RegistryError::Malformed(text.to_owned()));
        }
        (OwnerKind::User, Some(first)) => {
            if !left.iter().any(|(_, username, _)| *username == package.owner) {
                tx.execute(&sql::SET_OWNER, args![package.id, first]).await?;
            }
        }
    }
    Ok(left)
}

async fn told(
    tx: &mut Tx,
    registry: &Registry,
    by: &Caller,
    package: &Package,
    left: &[Maintainer],
) -> Result<(), RegistryError> {
    let maintainers: Vec<String> = left.iter().map(|(_, username, _)| username.clone()).collect();
    let details = serde_json::json!({"maintainers": maintainers, "package": package.id});
    audit::record(tx, by, "package.owners_changed", &package.name, audit::Outcome::Done, &details).await?;
    let event = PackageOwnersChanged { about: about(package, by), maintainers };
    events::append(tx, by.now(), &event).await?;
    registry.forget_after_commit(tx, package.ecosystem, &package.name);
    Ok(())
}
