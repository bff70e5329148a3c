//! What a policy refuses just now, of one package.

use identity::{Action, Caller, orgs};
use kernel::Timestamp;
use serde::Serialize;
use store::Tx;

use super::book::Binding;
use super::{PolicyError, change};
use crate::uplink::Uplinks;
use crate::uplink::document::Foreign;
use crate::uplink::error::UplinkError;
use crate::uplink::known::{Freshness, panicked};
use crate::uplink::policy::{OnName, Refused, Whose};
use crate::{NpmName, Registry};

/// How many refused releases are listed, the newest first.
const LISTED: usize = 50;

/// What members of an organisation get of a package, and what not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inspected {
    /// It is published here, or belongs to somebody here: policies for uplinks do not count.
    Local,
    /// No uplink has it, or may be asked for it.
    Unknown,
    /// Nothing of it is given, whatever the release.
    Blocked(Whose),
    /// What is refused of so many releases.
    Releases {
        /// How many there are.
        total: usize,
        /// How many are refused.
        refused: usize,
        /// The newest of those.
        newest: Vec<RefusedRelease>,
        /// What `latest` is for members, if anything is left.
        latest: Option<String>,
    },
}

/// A release that is not given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RefusedRelease {
    /// Its version.
    pub version: String,
    /// When it was published, as far as the uplink tells.
    pub published_at: Option<Timestamp>,
    /// Whose policy refuses it: `None` is the registry's own.
    pub organisation: Option<String>,
    /// Whether it is blocked rather than too young.
    pub is_blocked: bool,
    /// When it becomes available, if it does by itself.
    pub until: Option<Timestamp>,
}

impl Registry {
    /// What the members of an organisation get of a package just now, for its owners and admins.
    ///
    /// # Errors
    /// [`PolicyError`], as for changing the policy, and when the uplink cannot be asked.
    pub async fn inspect_upstream(
        &self,
        by: &Caller,
        org: &str,
        name: &NpmName,
    ) -> Result<Inspected, PolicyError> {
        let (caller, org, now) = (by.clone(), org.to_owned(), by.now());
        let look = async move |tx: &mut Tx| {
            let org = orgs::open(tx, &caller, &org, Action::ManageOrganisation).await?;
            let policy = change::policy_of(tx, &org).await?;
            Ok::<_, PolicyError>(Binding::alone(org.id, &policy)?)
        };
        let binding = self.store().read(look).await?;
        let Some(uplinks) = self.uplinks() else { return Ok(Inspected::Unknown) };
        Ok(uplinks.inspect(name, &binding, now).await?)
    }
}

impl Uplinks {
    async fn inspect(
        &self,
        name: &NpmName,
        binding: &Binding,
        now: Timestamp,
    ) -> Result<Inspected, UplinkError> {
        if self.is_local(name).await? || self.0.policy.on_name(name) == OnName::LocalOnly {
            return Ok(Inspected::Local);
        }
        match self.may_ask(name, binding).await {
            Ok(true) => {}
            Ok(false) => return Ok(Inspected::Unknown),
            Err(UplinkError::Blocked { by, .. }) => return Ok(Inspected::Blocked(by)),
            Err(error) => return Err(error),
        }
        let Some(known) = self.find(name, Freshness::Usual, now).await? else {
            return Ok(Inspected::Unknown);
        };
        let text = self.stored_text(&known, name, now).await?;
        let (uplinks, name, binding) = (self.clone(), name.clone(), binding.clone());
        let inspect = move || {
            let mut foreign = Foreign::parse(&name, &text.text).ok()?;
            let rules = uplinks.in_force(&binding, now);
            let total = foreign.releases().len();
            let refused = foreign.releases().iter().filter_map(|release| {
                let refused = rules.on_release(&name, &release.version, release.published_at)?;
                Some(listed(&release.key, release.published_at, refused))
            });
            let mut newest: Vec<_> = refused.collect();
            foreign.apply(rules);
            newest.sort_by_key(|release: &RefusedRelease| std::cmp::Reverse(release.published_at));
            let refused = newest.len();
            newest.truncate(LISTED);
            let latest = foreign.tag("latest").map(str::to_owned);
            Some(Inspected::Releases { total, refused, newest, latest })
        };
        let inspected = tokio::task::spawn_blocking(inspect).await.ok().flatten();
        inspected.ok_or_else(panicked)
    }
}

fn listed(version: &str, published_at: Option<Timestamp>, refused: Refused) -> RefusedRelease {
    let (whose, is_blocked, until) = match refused {
        Refused::Blocked(by) => (by, true, None),
        Refused::Withheld { by, until } => (by, false, until),
    };
    let organisation = match whose {
        Whose::Registry => None,
        Whose::Organisation(name) => Some(name.to_string()),
    };
    RefusedRelease { version: version.to_owned(), published_at, organisation, is_blocked, until }
}
