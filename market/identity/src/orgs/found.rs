//! Founding an organisation, and finding one's own.

use serde_json::json;
use store::{Tx, args};
use web::Expected;

use super::{Organisation, changed, open};
use crate::account::{self, Name, OrgId};
use crate::actor::Caller;
use crate::audit::{self, Outcome};
use crate::error::IdentityError;
use crate::events::OrganisationCreated;
use crate::permission::{Action, Subject};
use crate::register::check_display_name;
use crate::{Identity, sql};

/// The most organisations one account belongs to: they travel with every [`Actor`](crate::Actor).
pub(super) const MAX_MEMBERSHIPS: u64 = 100;

impl Identity {
    /// Founds an organisation; the caller is its first owner.
    ///
    /// # Errors
    /// [`IdentityError::Invalid`], [`IdentityError::NameTaken`], [`IdentityError::TooMany`].
    pub async fn create_org(
        &self,
        by: &Caller,
        name: &str,
        display_name: &str,
    ) -> Result<Organisation, IdentityError> {
        let (by, identity) = (by.clone(), self.clone());
        let (name, display_name) = (name.to_owned(), display_name.to_owned());
        let create = async move |tx: &mut Tx| create_in(tx, &identity, &by, &name, &display_name).await;
        self.store.write(create).await
    }

    /// The organisations that the caller belongs to, by name.
    ///
    /// # Errors
    /// [`IdentityError::NotSignedIn`].
    pub async fn orgs(&self, by: &Caller) -> Result<Vec<Organisation>, IdentityError> {
        let user = by.may(Action::SeeOrganisation, &Subject::Market)?.user.clone();
        self.store.read(async move |tx: &mut Tx| Ok(tx.all(&sql::LIST_ORGS, args![user]).await?)).await
    }

    /// One organisation, for its members.
    ///
    /// # Errors
    /// [`IdentityError::NotFound`], also for strangers to it.
    pub async fn org(&self, by: &Caller, name: &str) -> Result<Organisation, IdentityError> {
        let (by, name) = (by.clone(), name.to_owned());
        let look = async move |tx: &mut Tx| {
            let org = open(tx, &by, &name, Action::SeeOrganisation).await?;
            Ok(tx.one(&sql::FIND_ORGANISATION, args![org.id]).await?)
        };
        self.store.read(look).await
    }

    /// Changes what people call an organisation. Its name stays: it is the scope of its packages.
    ///
    /// # Errors
    /// [`IdentityError::Invalid`], [`IdentityError::Stale`]; as for all of the organisation.
    pub async fn change_org(
        &self,
        by: &Caller,
        name: &str,
        display_name: &str,
        expected: Expected,
    ) -> Result<Organisation, IdentityError> {
        check_display_name(display_name).map_err(|detail| IdentityError::field("/displayName", detail))?;
        let (by, name, display_name) = (by.clone(), name.to_owned(), display_name.trim().to_owned());
        let change = async move |tx: &mut Tx| {
            let org = open(tx, &by, &name, Action::ManageOrganisation).await?;
            let before: Organisation = tx.one(&sql::FIND_ORGANISATION, args![org.id]).await?;
            expected.check(before.version)?;
            account::rename(tx, by.now(), org.id.as_str(), &display_name).await?;
            let details = json!({"displayName": display_name});
            audit::record(tx, &by, "organisation.renamed", org.id.as_str(), Outcome::Done, &details).await?;
            changed(tx, &by, &org, "profile").await?;
            Ok(tx.one(&sql::FIND_ORGANISATION, args![org.id]).await?)
        };
        self.store.write(change).await
    }
}

pub(crate) async fn create_in(
    tx: &mut Tx,
    identity: &Identity,
    by: &Caller,
    name: &str,
    display_name: &str,
) -> Result<Organisation, IdentityError> {
    let actor = by.may(Action::CreateOrganisation, &Subject::Market)?;
    let name: Name = name.parse().map_err(|detail: &str| IdentityError::field("/name", detail))?;
    check_display_name(display_name).map_err(|detail| IdentityError::field("/displayName", detail))?;
    let (count,): (u64,) = tx.one(&sql::COUNT_MEMBERSHIPS, args![actor.user]).await?;
    if count >= MAX_MEMBERSHIPS {
        return Err(IdentityError::TooMany("organisation"));
    }
    let (id, now) = (OrgId::fresh(), by.now());
    let is_reserved = name.is_reserved();
    let (name, display_name) = (name.as_str(), display_name.trim());
    let row = args![id, "organisation", name, display_name, now];
    if is_reserved || tx.execute(&sql::INSERT_ACCOUNT, row).await? == 0 {
        return Err(IdentityError::NameTaken);
    }
    tx.execute(&sql::SET_MEMBERSHIP, args![id, actor.user, "owner", now]).await?;
    identity.forget_after_commit(tx);
    let details = json!({"name": name});
    audit::record(tx, by, "organisation.created", id.as_str(), Outcome::Done, &details).await?;
    let event = OrganisationCreated { org_id: id.clone(), name: name.to_owned(), owner: actor.user.clone() };
    events::append(tx, now, &event).await?;
    Ok(tx.one(&sql::FIND_ORGANISATION, args![id]).await?)
}
