//! What teams may do with things of other rooms.

use serde_json::json;
use store::{Tx, args};

use super::teams::find;
use super::{Grant, changed};
use crate::actor::Caller;
use crate::audit::{self, Outcome};
use crate::error::IdentityError;
use crate::permission::Action;
use crate::{Identity, sql};

/// The longest subject, in bytes.
const MAX_SUBJECT: usize = 300;

impl Identity {
    /// What the teams of an organisation may do with one team's subjects, by subject; at most 1,000.
    ///
    /// # Errors
    /// [`IdentityError::NotFound`], also for strangers to the organisation.
    pub async fn grants(
        &self,
        by: &Caller,
        org: &str,
        team: &str,
    ) -> Result<Vec<(String, Grant)>, IdentityError> {
        let (by, org, team) = (by.clone(), org.to_owned(), team.to_owned());
        let look = async move |tx: &mut Tx| {
            let (_, team) = find(tx, &by, &org, &team, Action::SeeOrganisation).await?;
            Ok(tx.all(&sql::LIST_GRANTS, args![team]).await?)
        };
        self.store.read(look).await
    }

    /// Lets a team do something with a subject; `None` takes it back. Whether the organisation has a say over the
    /// subject is for the caller to check: the room that owns it.
    ///
    /// # Errors
    /// [`IdentityError::NotFound`], [`IdentityError::Denied`], [`IdentityError::Invalid`].
    pub async fn set_grant(
        &self,
        by: &Caller,
        org: &str,
        team: &str,
        subject: &str,
        grant: Option<Grant>,
    ) -> Result<(), IdentityError> {
        if subject.is_empty() || subject.len() > MAX_SUBJECT {
            return Err(IdentityError::field("/subject", "Name the thing in at most 300 bytes."));
        }
        let by = by.clone();
        let (org, team, subject) = (org.to_owned(), team.to_owned(), subject.to_owned());
        let set = async move |tx: &mut Tx| {
            let (org, id) = find(tx, &by, &org, &team, Action::ManageOrganisation).await?;
            match grant {
                Some(grant) => tx.execute(&sql::SET_GRANT, args![id, subject, grant.name()]).await?,
                None => tx.execute(&sql::DELETE_GRANT, args![id, subject]).await?,
            };
            let details = json!({"team": team, "subject": subject, "permission": grant});
            audit::record(tx, &by, "organisation.grant_set", org.id.as_str(), Outcome::Done, &details)
                .await?;
            changed(tx, &by, &org, "grants").await
        };
        self.store.write(set).await
    }
}
