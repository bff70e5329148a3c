//! The teams of an organisation.

use serde_json::json;
use store::{Tx, args};

use super::{Member, Open, Team, TeamId, changed, open, user_named};
use crate::account::Name;
use crate::actor::Caller;
use crate::audit::{self, Outcome};
use crate::error::IdentityError;
use crate::permission::Action;
use crate::{Identity, sql};

/// The most teams of one organisation.
const MAX_TEAMS: usize = 200;

impl Identity {
    /// The teams of an organisation by name, for its members.
    ///
    /// # Errors
    /// [`IdentityError::NotFound`], also for strangers to the organisation.
    pub async fn teams(&self, by: &Caller, org: &str) -> Result<Vec<Team>, IdentityError> {
        let (by, org) = (by.clone(), org.to_owned());
        let look = async move |tx: &mut Tx| {
            let org = open(tx, &by, &org, Action::SeeOrganisation).await?;
            Ok(tx.all(&sql::LIST_TEAMS, args![org.id]).await?)
        };
        self.store.read(look).await
    }

    /// Makes a team.
    ///
    /// # Errors
    /// [`IdentityError::Invalid`], [`IdentityError::Exists`], [`IdentityError::TooMany`]; as for all of
    /// the organisation.
    pub async fn create_team(
        &self,
        by: &Caller,
        org: &str,
        name: &str,
        description: &str,
    ) -> Result<Team, IdentityError> {
        let by = by.clone();
        let (org, name, description) = (org.to_owned(), name.to_owned(), description.to_owned());
        let create = async move |tx: &mut Tx| create_in(tx, &by, &org, &name, &description).await;
        self.store.write(create).await
    }

    /// Deletes a team with its grants.
    ///
    /// # Errors
    /// [`IdentityError::NotFound`], [`IdentityError::Denied`].
    pub async fn delete_team(&self, by: &Caller, org: &str, name: &str) -> Result<(), IdentityError> {
        let (by, org, name) = (by.clone(), org.to_owned(), name.to_owned());
        let delete = async move |tx: &mut Tx| {
            let (org, team) = find(tx, &by, &org, &name, Action::ManageOrganisation).await?;
            tx.execute(&sql::DELETE_TEAM, args![team]).await?;
            note(tx, &by, &org, "organisation.team_deleted", &json!({"team": name})).await
        };
        self.store.write(delete).await
    }

    /// The members of a team by name; at most 1,000.
    ///
    /// # Errors
    /// [`IdentityError::NotFound`], also for strangers to the organisation.
    pub async fn team_members(
        &self,
        by: &Caller,
        org: &str,
        team: &str,
    ) -> Result<Vec<Member>, IdentityError> {
        let (by, org, team) = (by.clone(), org.to_owned(), team.to_owned());
        let look = async move |tx: &mut Tx| {
            let (_, team) = find(tx, &by, &org, &team, Action::SeeOrganisation).await?;
            Ok(tx.all(&sql::LIST_TEAM_MEMBERS, args![team]).await?)
        };
        self.store.read(look).await
    }

    /// Adds a member of the organisation to a team.
    ///
    /// # Errors
    /// [`IdentityError::NotFound`] for the team, or for an account that is no member of the organisation.
    pub async fn add_team_member(
        &self,
        by: &Caller,
        org: &str,
        team: &str,
        username: &str,
    ) -> Result<(), IdentityError> {
        let by = by.clone();
        let (org, name, username) = (org.to_owned(), team.to_owned(), username.to_owned());
        let add = async move |tx: &mut Tx| {
            let (org, team) = find(tx, &by, &org, &name, Action::ManageOrganisation).await?;
            let user = user_named(tx, &username).await?;
            if super::standing(tx, &org.name, &user).await?.is_none() {
                return Err(IdentityError::NotFound("member"));
            }
            tx.execute(&sql::INSERT_TEAM_MEMBER, args![team, user]).await?;
            note(tx, &by, &org, "organisation.team_member_added", &json!({"team": name, "member": user}))
                .await
        };
        self.store.write(add).await
    }

    /// Takes a member out of a team.
    ///
    /// # Errors
    /// [`IdentityError::NotFound`], [`IdentityError::Denied`].
    pub async fn remove_team_member(
        &self,
        by: &Caller,
        org: &str,
        team: &str,
        username: &str,
    ) -> Result<(), IdentityError> {
        let by = by.clone();
        let (org, name, username) = (org.to_owned(), team.to_owned(), username.to_owned());
        let remove = async move |tx: &mut Tx| {
            let (org, team) = find(tx, &by, &org, &name, Action::ManageOrganisation).await?;
            let user = user_named(tx, &username).await?;
            if tx.execute(&sql::DELETE_TEAM_MEMBER, args![team, user]).await? == 0 {
                return Err(IdentityError::NotFound("member"));
            }
            note(tx, &by, &org, "organisation.team_member_removed", &json!({"team": name, "member": user}))
                .await
        };
        self.store.write(remove).await
    }
}

pub(crate) async fn create_in(
    tx: &mut Tx,
    by: &Caller,
    org: &str,
    name: &str,
    description: &str,
) -> Result<Team, IdentityError> {
    let org = open(tx, by, org, Action::ManageOrganisation).await?;
    let name: Name = name.parse().map_err(|detail: &str| IdentityError::field("/name", detail))?;
    if description.chars().count() > 200 || description.contains(char::is_control) {
        return Err(IdentityError::field("/description", "Use at most 200 characters on one line."));
    }
    let teams: Vec<Team> = tx.all(&sql::LIST_TEAMS, args![org.id]).await?;
    if teams.len() >= MAX_TEAMS {
        return Err(IdentityError::TooMany("team"));
    }
    let id = TeamId::fresh();
    let (name, description, now) = (name.as_str(), description.trim(), by.now());
    let row = args![id, org.id, name, description, now];
    if tx.execute(&sql::INSERT_TEAM, row).await? == 0 {
        return Err(IdentityError::Exists("team"));
    }
    note(tx, by, &org, "organisation.team_created", &json!({"team": name})).await?;
    Ok(Team { id, name: name.to_owned(), description: description.to_owned(), members: 0 })
}

pub(super) async fn find(
    tx: &mut Tx,
    by: &Caller,
    org: &str,
    team: &str,
    action: Action,
) -> Result<(Open, TeamId), IdentityError> {
    let org = open(tx, by, org, action).await?;
    let found: Option<(TeamId,)> = tx.first(&sql::FIND_TEAM, args![org.id, team]).await?;
    let Some((team,)) = found else { return Err(IdentityError::NotFound("team")) };
    Ok((org, team))
}

async fn note(
    tx: &mut Tx,
    by: &Caller,
    org: &Open,
    action: &str,
    details: &serde_json::Value,
) -> Result<(), IdentityError> {
    audit::record(tx, by, action, org.id.as_str(), Outcome::Done, details).await?;
    changed(tx, by, org, "teams").await
}
