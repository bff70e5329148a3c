//! Who looks: what is not for everybody is shown to those alone who may read it.

use std::collections::HashSet;

use identity::orgs::OrgRole;
use identity::{Action, Actor, Caller, Subject};
use store::{StoreError, Tx};

use super::entry::Entry;
use crate::access::{grant_subject, operates};
use crate::package::{Access, OwnerKind};
use crate::registry::Registry;

/// Somebody who looks for packages. It decides as [`find`](crate::find) does, for many packages at once.
#[derive(Clone, Debug, Default)]
pub struct Viewer {
    pub(super) actor: Option<Actor>,
    pub(super) operates: bool,
    /// What the teams of the account were let into, see [`grant_subject`].
    pub(super) granted: HashSet<String>,
}

impl Viewer {
    /// Somebody who is not signed in.
    #[must_use]
    pub fn stranger() -> Self {
        Self::default()
    }

    /// Whether `entry` may be shown.
    #[must_use]
    pub fn sees(&self, entry: &Entry) -> bool {
        if entry.access == Access::Public {
            return true;
        }
        let Some(actor) = &self.actor else { return false };
        identity::can(actor, Action::Read, &Subject::Thing("packages", &entry.name)).is_ok()
            && (self.operates || self.belongs(actor, entry))
    }

    fn belongs(&self, actor: &Actor, entry: &Entry) -> bool {
        let standing = match entry.owner_kind {
            OwnerKind::User => None,
            OwnerKind::Organisation => actor.standing_in(&entry.owner),
        };
        let of_organisation = match standing {
            Some(OrgRole::Admin | OrgRole::Owner) => true,
            Some(OrgRole::Member) => entry.access == Access::Organisation,
            None => false,
        };
        of_organisation
            || entry.maintainers.iter().any(|person| *person.account == *actor.user.as_str())
            || (!self.granted.is_empty()
                && self.granted.contains(&grant_subject(entry.ecosystem, &entry.name)))
    }
}

impl Registry {
    /// What decides about what `by` may find.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn viewer(&self, by: &Caller) -> Result<Viewer, StoreError> {
        let Some(actor) = by.actor.clone() else { return Ok(Viewer::stranger()) };
        let user = actor.user.clone();
        let look = async move |tx: &mut Tx| identity::orgs::granted_subjects(tx, &user).await;
        let granted = self.store().read::<_, _, StoreError>(look).await?.into_iter().collect();
        Ok(Viewer { actor: Some(actor), operates: operates(by), granted })
    }
}
