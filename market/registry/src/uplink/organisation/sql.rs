//! Every statement about upstream policies, and how rows become values.

use identity::OrgId;
use kernel::Timestamp;
use store::sql;

use super::{Exemption, UpstreamPolicy};

sql! {
    pub(super) LIST_POLICIES = "select organisation, minimum_age_hours, allowed, blocked, exempted, version, changed_by,
        changed_at from upstream_policy";
    pub(super) FIND_POLICY = "select organisation, minimum_age_hours, allowed, blocked, exempted, version, changed_by,
        changed_at from upstream_policy where organisation = $1";
    pub(super) SAVE_POLICY = "insert into upstream_policy
        (organisation, minimum_age_hours, allowed, blocked, exempted, version, changed_by, changed_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8)
        on conflict (organisation) do update set minimum_age_hours = excluded.minimum_age_hours,
        allowed = excluded.allowed, blocked = excluded.blocked, exempted = excluded.exempted,
        version = excluded.version, changed_by = excluded.changed_by, changed_at = excluded.changed_at";
}

/// A row.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) organisation: OrgId,
    minimum_age_hours: i64,
    allowed: String,
    blocked: String,
    exempted: String,
    version: i64,
    changed_by: String,
    changed_at: Timestamp,
}

store::row!(Row {
    organisation,
    minimum_age_hours,
    allowed,
    blocked,
    exempted,
    version,
    changed_by,
    changed_at
});

impl Row {
    /// The policy of the organisation of this name. We wrote the lists ourselves; one that cannot be read is an
    /// error, never an empty one that would let everything through.
    pub(super) fn policy(self, organisation: &str) -> Result<UpstreamPolicy, store::StoreError> {
        let unreadable = |error: serde_json::Error| {
            store::StoreError::Database(format!(
                "the upstream policy of {} is unreadable: {error}",
                self.organisation
            ))
        };
        Ok(UpstreamPolicy {
            organisation: organisation.to_owned(),
            minimum_release_age_hours: u32::try_from(self.minimum_age_hours).unwrap_or(u32::MAX),
            allow: serde_json::from_str(&self.allowed).map_err(unreadable)?,
            block: serde_json::from_str(&self.blocked).map_err(unreadable)?,
            exempt: serde_json::from_str::<Vec<Exemption>>(&self.exempted).map_err(unreadable)?,
            version: self.version,
            changed_by: Some(self.changed_by),
            changed_at: Some(self.changed_at),
        })
    }
}
