//! All policies of organisations, ready in memory, and those that bind a reader.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use identity::{Actor, OrgId};
use kernel::Timestamp;
use nodejs_semver::Version;
use store::{Store, StoreError, Tx, args};

use super::UpstreamPolicy;
use super::sql::{LIST_POLICIES, Row};
use crate::NpmName;
use crate::uplink::policy::{OnName, OnRelease, Policy, Refused, Whose};

/// The rules of all organisations that have any.
type Rules = HashMap<OrgId, (i64, Arc<Policy>)>;

/// Keeps the rules of all organisations. A change moves the generation on: what was read before it, or is being
/// read, is not looked at again.
pub(crate) struct Book {
    generation: AtomicU64,
    rules: quick_cache::sync::Cache<u64, Arc<Rules>>,
}

impl Default for Book {
    fn default() -> Self {
        Self { generation: AtomicU64::new(0), rules: quick_cache::sync::Cache::new(2) }
    }
}

impl Book {
    /// Drops everything: a policy changed.
    pub(crate) fn forget(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
    }

    /// The policies that bind this account; where no organisation has any, this is one look into memory.
    pub(crate) async fn binding(&self, store: &Store, actor: Option<&Actor>) -> Result<Binding, StoreError> {
        let Some(actor) = actor.filter(|actor| !actor.memberships.is_empty()) else {
            return Ok(Binding::default());
        };
        let generation = self.generation.load(Ordering::Acquire);
        let rules = self.rules.get_or_insert_async(&generation, read(store)).await?;
        if rules.is_empty() {
            return Ok(Binding::default());
        }
        let found = actor.memberships.iter().filter_map(|membership| {
            let (version, policy) = rules.get(&membership.id)?;
            let organisation = Arc::clone(&membership.org);
            Some(Part {
                id: membership.id.clone(),
                organisation,
                version: *version,
                policy: Arc::clone(policy),
            })
        });
        Ok(Binding::of(found.collect()))
    }
}

async fn read(store: &Store) -> Result<Arc<Rules>, StoreError> {
    let rows: Vec<Row> = store.read(async |tx: &mut Tx| tx.all(&LIST_POLICIES, args![]).await).await?;
    let mut rules = Rules::new();
    for row in rows {
        let id = row.organisation.clone();
        let policy = row.policy(id.as_str())?;
        if !policy.is_open() {
            rules.insert(id, (policy.version, Arc::new(parsed(&policy)?)));
        }
    }
    Ok(Arc::new(rules))
}

/// The rules of a policy that was checked when it was stored.
fn parsed(policy: &UpstreamPolicy) -> Result<Policy, StoreError> {
    Policy::of_organisation(policy).map_err(|error| {
        StoreError::Database(format!("the upstream policy of {} is unreadable: {error}", policy.organisation))
    })
}

/// The policies of organisations that bind one reader: the strictest of them counts. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Binding(Option<Arc<Bound>>);

#[derive(Debug)]
struct Bound {
    /// Tells apart what differs: ids with versions.
    key: Arc<str>,
    parts: Vec<Part>,
}

#[derive(Debug)]
struct Part {
    id: OrgId,
    organisation: Arc<str>,
    version: i64,
    policy: Arc<Policy>,
}

impl Binding {
    fn of(mut parts: Vec<Part>) -> Self {
        if parts.is_empty() {
            return Self(None);
        }
        // In one order, so that members of the same organisations share what is prepared.
        parts.sort_unstable_by(|one, other| one.id.as_str().cmp(other.id.as_str()));
        let mut key = String::with_capacity(parts.len() * 48);
        for part in &parts {
            let _ = write!(key, "{}:{},", part.id, part.version);
        }
        Self(Some(Arc::new(Bound { key: key.into(), parts })))
    }

    /// The rules of one policy alone.
    pub(super) fn alone(id: OrgId, policy: &UpstreamPolicy) -> Result<Self, StoreError> {
        let organisation = policy.organisation.as_str().into();
        Ok(Self::of(vec![Part {
            id,
            organisation,
            version: policy.version,
            policy: Arc::new(parsed(policy)?),
        }]))
    }

    /// Whether no organisation has a say.
    #[must_use]
    pub const fn is_free(&self) -> bool {
        self.0.is_none()
    }

    /// What tells this binding from any other; `None` where no organisation has a say.
    pub(crate) fn key(&self) -> Option<Arc<str>> {
        self.0.as_ref().map(|bound| Arc::clone(&bound.key))
    }

    fn parts(&self) -> &[Part] {
        self.0.as_ref().map_or(&[], |bound| &bound.parts)
    }

    /// Which organisation refuses the whole name.
    pub(crate) fn on_name(&self, name: &NpmName) -> Option<Whose> {
        let blocks = |part: &&Part| part.policy.on_name(name) == OnName::Blocked;
        self.parts().iter().find(blocks).map(|part| Whose::Organisation(Arc::clone(&part.organisation)))
    }

    /// The verdict of the strictest, added to what was found before.
    pub(crate) fn on_release(
        &self,
        name: &NpmName,
        version: &Version,
        published_at: Option<Timestamp>,
        now: Timestamp,
        before: Option<Refused>,
    ) -> Option<Refused> {
        self.parts().iter().fold(before, |worst, part| {
            let whose = || Whose::Organisation(Arc::clone(&part.organisation));
            let verdict = match part.policy.on_release(name, version, published_at, now) {
                OnRelease::Open => None,
                OnRelease::Blocked => Some(Refused::Blocked(whose())),
                OnRelease::Withheld(until) => Some(Refused::Withheld { by: whose(), until }),
            };
            Refused::stricter(worst, verdict)
        })
    }
}
