//! Organisations: accounts that own things and have members and teams.
//!
//! A *member* has a standing: owner, admin or member. A *team* groups members and holds *grants*: what its
//! members may do with a subject. The subject is a text of the room that owns the thing (`packages:@acme/x`), so
//! that no word of another room is needed here.

mod found;
mod grants;
mod members;
mod teams;

pub(crate) use found::create_in as create_org_in;
pub(crate) use teams::create_in as create_team_in;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use kernel::Timestamp;
use serde::Serialize;
use store::{FromValue, Tx, Value, args};

use crate::account::{OrgId, UserId};
use crate::actor::{Caller, Membership};
use crate::error::IdentityError;
use crate::events::OrganisationUpdated;
use crate::permission::{Action, Denied, Subject};
use crate::sql;

kernel::id!(
    /// A team of an organisation.
    TeamId,
    "team"
);
store::id_values!(TeamId);

/// The standing of a member; later ones include earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum OrgRole {
    /// Belongs to it and sees it.
    Member,
    /// Manages members, teams and grants.
    Admin,
    /// Decides over owners.
    Owner,
}

impl OrgRole {
    /// The name in API, database and pages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }
}

impl fmt::Display for OrgRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for OrgRole {
    type Err = &'static str;

    /// `developer` is npm's word for a member.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "member" | "developer" => Ok(Self::Member),
            "admin" => Ok(Self::Admin),
            "owner" => Ok(Self::Owner),
            _ => Err("Choose owner, admin or member."),
        }
    }
}

impl FromValue for OrgRole {
    fn from_value(value: Value<'_>) -> Result<Self, String> {
        String::from_value(value)?.parse().map_err(str::to_owned)
    }
}

/// What a team may do with a subject; `Write` includes `Read`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Grant {
    /// See and download it.
    Read,
    /// Change it too.
    Write,
}

impl Grant {
    /// The name in API and database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}

impl FromStr for Grant {
    type Err = &'static str;

    /// `read-only` and `read-write` are npm's words.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "read" | "read-only" => Ok(Self::Read),
            "write" | "read-write" => Ok(Self::Write),
            _ => Err("Choose read or write."),
        }
    }
}

impl FromValue for Grant {
    fn from_value(value: Value<'_>) -> Result<Self, String> {
        String::from_value(value)?.parse().map_err(str::to_owned)
    }
}

/// An organisation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Organisation {
    /// Its id.
    #[schema(value_type = String)]
    pub id: OrgId,
    /// Its name: the scope of its packages, without `@`.
    #[schema(value_type = String)]
    pub name: Arc<str>,
    /// What people call it.
    pub display_name: String,
    /// Counts the changes.
    pub version: i64,
    /// When it was founded.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// How many members it has.
    pub members: u64,
}

store::row!(Organisation { id, name, display_name, version, created_at, members });

/// A member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Member {
    /// The account's id.
    #[schema(value_type = String)]
    pub user_id: UserId,
    /// The account's name.
    pub username: String,
    /// What people call it.
    pub display_name: String,
    /// The standing.
    pub role: OrgRole,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
}

store::row!(Member { user_id, username, display_name, role, since });

/// A team.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Team {
    /// Its id.
    #[schema(value_type = String)]
    pub id: TeamId,
    /// Its name, unique in the organisation.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// How many members it has.
    pub members: u64,
}

store::row!(Team { id, name, description, members });

impl store::FromRow for Membership {
    fn from_row(row: &store::Row<'_>) -> Result<Self, store::StoreError> {
        Ok(Self { id: row.get(0)?, org: row.get(1)?, role: row.get(2)? })
    }
}

/// Who belongs to which organisation, for other rooms to ask within their own transactions.
///
/// The standing of `user` in the organisation named `org`; `None` for a stranger, and where there is no such
/// organisation.
///
/// # Errors
/// [`store::StoreError`] as any statement.
pub async fn standing(tx: &mut Tx, org: &str, user: &UserId) -> Result<Option<OrgRole>, store::StoreError> {
    let row: Option<(OrgRole,)> = tx.first(&sql::FIND_STANDING, args![org, user]).await?;
    Ok(row.map(|(role,)| role))
}

/// Whether there is an organisation of this name.
///
/// # Errors
/// [`store::StoreError`] as any statement.
pub async fn exists(tx: &mut Tx, org: &str) -> Result<bool, store::StoreError> {
    let row: Option<(OrgId, i64)> = tx.first(&sql::FIND_ORG, args![org]).await?;
    Ok(row.is_some())
}

/// The most that the teams of `user` are granted on `subject`.
///
/// # Errors
/// [`store::StoreError`] as any statement.
pub async fn granted(tx: &mut Tx, user: &UserId, subject: &str) -> Result<Option<Grant>, store::StoreError> {
    let rows: Vec<(Grant,)> = tx.all(&sql::LIST_GRANTS_OF_USER, args![user, subject]).await?;
    Ok(rows.into_iter().map(|(grant,)| grant).max())
}

/// Everything that the teams of `user` were granted anything on, for lists of many things at once.
///
/// # Errors
/// [`store::StoreError`] as any statement.
pub async fn granted_subjects(tx: &mut Tx, user: &UserId) -> Result<Vec<String>, store::StoreError> {
    let rows: Vec<(String,)> = tx.all(&sql::LIST_SUBJECTS_OF_USER, args![user]).await?;
    Ok(rows.into_iter().map(|(subject,)| subject).collect())
}

/// An organisation that the caller may do something with.
#[derive(Clone, Debug)]
pub struct Open {
    /// Its id.
    pub id: OrgId,
    /// Its name.
    pub name: String,
}

/// Finds an organisation for a use case, of this room or another. To a stranger it looks the same as one that does
/// not exist.
///
/// # Errors
/// [`IdentityError::NotSignedIn`], [`IdentityError::NotFound`], and [`IdentityError::Denied`] for members whose
/// standing or token does not suffice.
pub async fn open(tx: &mut Tx, by: &Caller, org: &str, action: Action) -> Result<Open, IdentityError> {
    let actor = by.account()?;
    let found: Option<(OrgId, i64)> = tx.first(&sql::FIND_ORG, args![org]).await?;
    let Some((id, _)) = found else { return Err(IdentityError::NotFound("organisation")) };
    match by.may(action, &Subject::Organisation(org)) {
        Err(IdentityError::Denied(Denied::NotYours)) if actor.standing_in(org).is_none() => {
            Err(IdentityError::NotFound("organisation"))
        }
        Err(error) => Err(error),
        Ok(_) => Ok(Open { id, name: org.to_owned() }),
    }
}

/// Counts a change of an organisation; its version after it. Events about an organisation from all rooms carry that
/// version, so that their order is known.
///
/// # Errors
/// [`store::StoreError`] as any statement.
pub async fn touch(tx: &mut Tx, org: &Open, now: Timestamp) -> Result<i64, store::StoreError> {
    let (version,): (i64,) = tx.one(&sql::TOUCH_ACCOUNT, args![org.id, now]).await?;
    Ok(version)
}

/// Counts a change of an organisation and tells the others.
async fn changed(tx: &mut Tx, by: &Caller, org: &Open, what: &'static str) -> Result<(), IdentityError> {
    let version = touch(tx, org, by.now()).await?;
    let event = OrganisationUpdated {
        org_id: org.id.clone(),
        name: org.name.clone(),
        changed: what,
        account_version: version,
    };
    events::append(tx, by.now(), &event).await?;
    Ok(())
}

/// Finds an account that is to be added somewhere.
async fn user_named(tx: &mut Tx, name: &str) -> Result<UserId, IdentityError> {
    let found: Option<(UserId,)> = tx.first(&sql::FIND_USER_BY_NAME, args![name]).await?;
    found.map(|(id,)| id).ok_or(IdentityError::NotFound("account"))
}
