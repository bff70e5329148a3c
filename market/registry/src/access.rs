//! Who may read and change a package.

use std::sync::Arc;

use identity::orgs::{self, Grant, OrgRole};
use identity::{Action, Actor, Caller, Denied, IdentityError, Role, Scope, Subject};
use store::{StoreError, Tx, args};

use crate::package::{Access, MaintainerRole, OwnerKind, Package};
use crate::{Ecosystem, RegistryError, sql};

/// The kind of thing that a token can be limited to.
const KIND: &str = "packages";

/// What somebody may do with a package; each includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// Not even know that it is there.
    Stranger,
    /// Read it.
    Reader,
    /// Publish, deprecate, unpublish and tag too.
    Writer,
    /// Say who else may, too.
    Owner,
}

/// What a grant to a team is about, as `identity` keeps it: `npm/@scope/name`.
#[must_use]
pub fn grant_subject(ecosystem: Ecosystem, name: &str) -> String {
    format!("{ecosystem}/{name}")
}

/// Whether the caller is an operator of the market who uses that.
pub(crate) fn operates(by: &Caller) -> bool {
    by.actor.as_ref().is_some_and(|actor| actor.roles.has(Role::Admin) && actor.scopes.has(Scope::Admin))
}

/// What `by` may do with `package`, by what the account is; a token may narrow that, see [`require`].
///
/// # Errors
/// [`StoreError`].
pub async fn standing(tx: &mut Tx, by: &Caller, package: &Package) -> Result<Standing, StoreError> {
    let public = if package.access == Access::Public { Standing::Reader } else { Standing::Stranger };
    let Some(actor) = &by.actor else { return Ok(public) };
    if operates(by) {
        return Ok(Standing::Owner);
    }
    let maintains: Option<(MaintainerRole,)> =
        tx.first(&sql::FIND_MAINTAINER, args![package.id, actor.user]).await?;
    let maintains = match maintains {
        Some((MaintainerRole::Owner,)) => return Ok(Standing::Owner),
        Some((MaintainerRole::Writer,)) => Standing::Writer,
        None => Standing::Stranger,
    };
    let belongs = match package.owner_kind {
        OwnerKind::User => Standing::Stranger,
        OwnerKind::Organisation => match orgs::standing(tx, &package.owner, &actor.user).await? {
            Some(OrgRole::Owner | OrgRole::Admin) => return Ok(Standing::Owner),
            Some(OrgRole::Member) if package.access == Access::Organisation => Standing::Reader,
            _ => Standing::Stranger,
        },
    };
    let granted = orgs::granted(tx, &actor.user, &grant_subject(package.ecosystem, &package.name)).await?;
    let granted = match granted {
        Some(Grant::Write) => Standing::Writer,
        Some(Grant::Read) => Standing::Reader,
        None => Standing::Stranger,
    };
    Ok(public.max(maintains).max(belongs).max(granted))
}

/// Whether the caller's token lets it read a package that is not public.
fn token_reads(by: &Caller, package: &Package) -> bool {
    let allowed =
        |actor: &Actor| identity::can(actor, Action::Read, &Subject::Thing(KIND, &package.name)).is_ok();
    package.access == Access::Public || by.actor.as_ref().is_some_and(allowed)
}

/// Whether the caller's token and roles let it change things of this name.
///
/// # Errors
/// [`RegistryError::Identity`] with what is missing.
pub(crate) fn may_publish<'c>(by: &'c Caller, name: &str) -> Result<&'c Actor, RegistryError> {
    Ok(by.may(Action::Publish, &Subject::Thing(KIND, name))?)
}

/// Finds a package for somebody who wants to read it.
///
/// # Errors
/// [`RegistryError::NotFound`] also where the caller may not know that it is there.
pub async fn find(
    tx: &mut Tx,
    by: &Caller,
    ecosystem: Ecosystem,
    name: &str,
) -> Result<Package, RegistryError> {
    let package: Option<Package> = tx.first(&sql::FIND_PACKAGE, args![ecosystem, name]).await?;
    let package = package.filter(|package| package.deleted_at.is_none()).ok_or(RegistryError::NotFound)?;
    if may_read(tx, by, &package).await? { Ok(package) } else { Err(RegistryError::NotFound) }
}

/// Whether the caller may read it.
pub(crate) async fn may_read(tx: &mut Tx, by: &Caller, package: &Package) -> Result<bool, StoreError> {
    if package.access == Access::Public {
        return Ok(true);
    }
    Ok(token_reads(by, package) && standing(tx, by, package).await? >= Standing::Reader)
}

/// Finds a package for somebody who wants to change it.
///
/// # Errors
/// [`IdentityError::NotSignedIn`] for strangers, [`RegistryError::NotFound`] where the caller may not know that it
/// is there, [`RegistryError::NotYours`] for readers.
pub async fn require(
    tx: &mut Tx,
    by: &Caller,
    ecosystem: Ecosystem,
    name: &str,
    needed: Standing,
) -> Result<Package, RegistryError> {
    by.account()?;
    let package = find(tx, by, ecosystem, name).await?;
    check(tx, by, &package, needed).await?;
    Ok(package)
}

/// Whether the caller may do what needs `needed` with a package that it has found.
///
/// # Errors
/// As [`require`].
pub(crate) async fn check(
    tx: &mut Tx,
    by: &Caller,
    package: &Package,
    needed: Standing,
) -> Result<(), RegistryError> {
    if standing(tx, by, package).await? < needed {
        return Err(RegistryError::NotYours(package.name.to_string()));
    }
    if needed >= Standing::Writer {
        may_publish(by, &package.name)?;
    }
    Ok(())
}

/// Who owns a new package of this scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewOwner {
    pub(crate) kind: OwnerKind,
    pub(crate) name: Arc<str>,
}

/// Decides who will own a new package: the organisation that its scope names, or the one who publishes.
///
/// # Errors
/// [`RegistryError::ForeignScope`] when the scope is another account's.
pub(crate) async fn new_owner(
    tx: &mut Tx,
    by: &Caller,
    scope: Option<&str>,
) -> Result<NewOwner, RegistryError> {
    let actor = by.account()?;
    let themselves = NewOwner { kind: OwnerKind::User, name: Arc::clone(&actor.username) };
    let Some(scope) = scope.filter(|scope| **scope != *actor.username) else { return Ok(themselves) };
    if orgs::exists(tx, scope).await? {
        let member = orgs::standing(tx, scope, &actor.user).await?.is_some();
        let limited = by.may(Action::SeeOrganisation, &Subject::Organisation(scope));
        return match limited {
            Err(IdentityError::Denied(Denied::Restricted)) => {
                Err(RegistryError::ForeignScope(scope.to_owned()))
            }
            _ if member || operates(by) => Ok(NewOwner { kind: OwnerKind::Organisation, name: scope.into() }),
            _ => Err(RegistryError::ForeignScope(scope.to_owned())),
        };
    }
    match identity::user_named(tx, scope).await? {
        Some(_) => Err(RegistryError::ForeignScope(scope.to_owned())),
        None => Ok(themselves),
    }
}
