//! Reading and setting an organisation's upstream policy.

use std::sync::Arc;

use identity::audit::{self, Outcome};
use identity::{Action, Caller, orgs};
use serde_json::{Value, json};
use store::{StoreError, Tx, args};
use web::Expected;

use super::check::checked;
use super::sql::{self, Row};
use super::{Exemption, PolicyDraft, PolicyError, UpstreamPolicy};
use crate::Registry;
use crate::events::OrganisationUpstreamPolicyChanged;
use crate::uplink::Binding;

/// The policy of an organisation; an open one of version 0 where it never had any.
pub(super) async fn policy_of(tx: &mut Tx, org: &orgs::Open) -> Result<UpstreamPolicy, StoreError> {
    let row: Option<Row> = tx.first(&sql::FIND_POLICY, args![org.id]).await?;
    row.map_or_else(|| Ok(UpstreamPolicy::none(&org.name)), |row| row.policy(&org.name))
}

impl Registry {
    /// The policies of the organisations that the caller belongs to: what [`crate::uplink::Uplinks`] wants to know
    /// of a reader.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn binding(&self, by: &Caller) -> Result<Binding, StoreError> {
        self.policies().binding(self.store(), by.actor.as_ref()).await
    }

    /// An organisation's upstream policy, for its owners and admins.
    ///
    /// # Errors
    /// [`PolicyError::Identity`] for everybody else; to a stranger the organisation is not there.
    pub async fn upstream_policy(&self, by: &Caller, org: &str) -> Result<UpstreamPolicy, PolicyError> {
        let (by, org) = (by.clone(), org.to_owned());
        let look = async move |tx: &mut Tx| {
            let org = orgs::open(tx, &by, &org, Action::ManageOrganisation).await?;
            Ok(policy_of(tx, &org).await?)
        };
        self.store().read(look).await
    }

    /// Sets an organisation's upstream policy, for its owners and admins. It holds for the next read of any member.
    /// What changes nothing is no change.
    ///
    /// # Errors
    /// [`PolicyError::Invalid`], [`PolicyError::Stale`], [`PolicyError::Identity`].
    pub async fn set_upstream_policy(
        &self,
        by: &Caller,
        org: &str,
        seen: Expected,
        draft: PolicyDraft,
    ) -> Result<UpstreamPolicy, PolicyError> {
        let draft = checked(draft);
        let (by, org, registry) = (by.clone(), org.to_owned(), self.clone());
        let set = async move |tx: &mut Tx| {
            // Who may not hears nothing of what is wrong.
            let org = orgs::open(tx, &by, &org, Action::ManageOrganisation).await?;
            let before = policy_of(tx, &org).await?;
            let draft = draft.as_ref().map_err(|errors| PolicyError::Invalid(errors.clone()))?;
            seen.check(before.version)?;
            if before.draft() == *draft {
                return Ok(before);
            }
            let after = changed(&by, &before, draft)?;
            save(tx, &org, &after, &by).await?;
            tell(tx, &org, &before, &after, &by).await?;
            let registry = registry.clone();
            tx.after_commit(move || registry.policies().forget());
            Ok(after)
        };
        self.store().write(set).await
    }
}

/// Exemptions that stay keep who made them and when.
fn changed(by: &Caller, before: &UpstreamPolicy, draft: &PolicyDraft) -> Result<UpstreamPolicy, PolicyError> {
    let (username, now) = (Arc::clone(&by.account()?.username), by.now());
    let exempt = draft.exempt.iter().map(|one| {
        let known = before.exempt.iter().find(|known| known.name == one.name && known.reason == one.reason);
        known.cloned().unwrap_or_else(|| Exemption {
            name: one.name.clone(),
            reason: one.reason.clone(),
            by: username.to_string(),
            at: now,
        })
    });
    Ok(UpstreamPolicy {
        organisation: before.organisation.clone(),
        minimum_release_age_hours: draft.minimum_release_age_hours,
        allow: draft.allow.clone(),
        block: draft.block.clone(),
        exempt: exempt.collect(),
        version: before.version + 1,
        changed_by: Some(username.to_string()),
        changed_at: Some(now),
    })
}

async fn save(
    tx: &mut Tx,
    org: &orgs::Open,
    policy: &UpstreamPolicy,
    by: &Caller,
) -> Result<(), PolicyError> {
    let (allow, block) = (store::json_list(&policy.allow), store::json_list(&policy.block));
    let exempt =
        serde_json::to_string(&policy.exempt).map_err(|error| StoreError::Database(error.to_string()))?;
    let (username, now) = (&by.account()?.username, by.now());
    let age = i64::from(policy.minimum_release_age_hours);
    let row = args![org.id, age, allow, block, exempt, policy.version, username, now];
    tx.execute(&sql::SAVE_POLICY, row).await?;
    Ok(())
}

/// The audit trail keeps what was added and taken away, with the reasons; the event says that it changed.
async fn tell(
    tx: &mut Tx,
    org: &orgs::Open,
    before: &UpstreamPolicy,
    after: &UpstreamPolicy,
    by: &Caller,
) -> Result<(), PolicyError> {
    let exemptions = |these: &[Exemption], those: &[Exemption]| -> Vec<Value> {
        let these = these.iter().filter(|one| !those.contains(one));
        these.map(|one| json!({"name": one.name, "reason": one.reason})).collect()
    };
    let details = json!({
        "organisation": org.name,
        "version": after.version,
        "minimumReleaseAgeHours": {"from": before.minimum_release_age_hours, "to": after.minimum_release_age_hours},
        "allow": {"added": without(&after.allow, &before.allow), "removed": without(&before.allow, &after.allow)},
        "block": {"added": without(&after.block, &before.block), "removed": without(&before.block, &after.block)},
        "exempt": {
            "added": exemptions(&after.exempt, &before.exempt),
            "removed": exemptions(&before.exempt, &after.exempt),
        },
    });
    let (id, now) = (org.id.as_str(), by.now());
    audit::record(tx, by, "organisation.upstream_policy_changed", id, Outcome::Done, &details).await?;
    let event = OrganisationUpstreamPolicyChanged {
        org_id: org.id.to_string(),
        name: org.name.clone(),
        policy_version: after.version,
        by: by.account()?.username.to_string(),
        account_version: orgs::touch(tx, org, now).await?,
    };
    events::append(tx, now, &event).await?;
    Ok(())
}

fn without<'t>(these: &'t [String], those: &[String]) -> Vec<&'t String> {
    these.iter().filter(|one| !those.contains(one)).collect()
}
