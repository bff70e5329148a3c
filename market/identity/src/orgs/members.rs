//! The members of an organisation.

use serde_json::json;
use store::{Tx, args};

use super::found::MAX_MEMBERSHIPS;
use super::{Member, Open, OrgRole, changed, open, user_named};
use crate::account::UserId;
use crate::actor::Caller;
use crate::audit::{self, Outcome};
use crate::error::IdentityError;
use crate::permission::Action;
use crate::{Identity, sql};

impl Identity {
    /// The members of an organisation by name, for its members; at most 1,000.
    ///
    /// # Errors
    /// [`IdentityError::NotFound`], also for strangers to it.
    pub async fn members(&self, by: &Caller, org: &str) -> Result<Vec<Member>, IdentityError> {
        let (by, org) = (by.clone(), org.to_owned());
        let look = async move |tx: &mut Tx| {
            let org = open(tx, &by, &org, Action::SeeOrganisation).await?;
            Ok(tx.all(&sql::LIST_MEMBERS, args![org.id]).await?)
        };
        self.store.read(look).await
    }

    /// Adds a member or changes a standing. Only owners make, and unmake, owners.
    ///
    /// # Errors
    /// [`IdentityError::NotFound`] for the organisation or the account, [`IdentityError::Denied`],
    /// [`IdentityError::LastOwner`], [`IdentityError::TooMany`].
    pub async fn set_member(
        &self,
        by: &Caller,
        org: &str,
        username: &str,
        role: OrgRole,
    ) -> Result<Member, IdentityError> {
        let (by, identity) = (by.clone(), self.clone());
        let (org, username) = (org.to_owned(), username.to_owned());
        let set = async move |tx: &mut Tx| {
            let org = open(tx, &by, &org, Action::ManageOrganisation).await?;
            let user = user_named(tx, &username).await?;
            set_in(tx, &identity, &by, &org, &user, role).await?;
            Ok(tx.one(&sql::FIND_MEMBER, args![org.id, user]).await?)
        };
        self.store.write(set).await
    }

    /// Takes a member out of the organisation and its teams. Everybody may leave by themselves.
    ///
    /// # Errors
    /// As [`Identity::set_member`].
    pub async fn remove_member(&self, by: &Caller, org: &str, username: &str) -> Result<(), IdentityError> {
        let (by, identity) = (by.clone(), self.clone());
        let (org, username) = (org.to_owned(), username.to_owned());
        let remove = async move |tx: &mut Tx| {
            let leaves = &*by.account()?.username == username.as_str();
            let needed = if leaves { Action::SeeOrganisation } else { Action::ManageOrganisation };
            let org = open(tx, &by, &org, needed).await?;
            let user = user_named(tx, &username).await?;
            let standing = super::standing(tx, &org.name, &user).await?;
            let Some(standing) = standing else { return Err(IdentityError::NotFound("member")) };
            if standing == OrgRole::Owner {
                keep_an_owner(tx, &by, &org, leaves).await?;
            }
            tx.execute(&sql::DELETE_TEAM_MEMBERSHIPS, args![org.id, user]).await?;
            tx.execute(&sql::DELETE_MEMBERSHIP, args![org.id, user]).await?;
            identity.forget_after_commit(tx);
            let details = json!({"organisation": org.name, "member": user});
            audit::record(tx, &by, "organisation.member_removed", org.id.as_str(), Outcome::Done, &details)
                .await?;
            changed(tx, &by, &org, "members").await
        };
        self.store.write(remove).await
    }
}

async fn set_in(
    tx: &mut Tx,
    identity: &Identity,
    by: &Caller,
    org: &Open,
    user: &UserId,
    role: OrgRole,
) -> Result<(), IdentityError> {
    let before = super::standing(tx, &org.name, user).await?;
    if before == Some(role) {
        return Ok(());
    }
    if role == OrgRole::Owner {
        open(tx, by, &org.name, Action::OwnOrganisation).await?;
    }
    if before == Some(OrgRole::Owner) {
        keep_an_owner(tx, by, org, false).await?;
    }
    let (count,): (u64,) = tx.one(&sql::COUNT_MEMBERSHIPS, args![user]).await?;
    if before.is_none() && count >= MAX_MEMBERSHIPS {
        return Err(IdentityError::TooMany("organisation"));
    }
    tx.execute(&sql::SET_MEMBERSHIP, args![org.id, user, role.name(), by.now()]).await?;
    identity.forget_after_commit(tx);
    let details = json!({"organisation": org.name, "member": user, "role": role});
    audit::record(tx, by, "organisation.member_set", org.id.as_str(), Outcome::Done, &details).await?;
    changed(tx, by, org, "members").await
}

/// An owner is to go: only another owner may do that, or the owner itself, and one must stay.
async fn keep_an_owner(tx: &mut Tx, by: &Caller, org: &Open, leaves: bool) -> Result<(), IdentityError> {
    if !leaves {
        open(tx, by, &org.name, Action::OwnOrganisation).await?;
    }
    let (owners,): (u64,) = tx.one(&sql::COUNT_OWNERS, args![org.id]).await?;
    if owners <= 1 { Err(IdentityError::LastOwner) } else { Ok(()) }
}
