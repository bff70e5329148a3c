//! The upstream policies of organisations: what their members may take from uplinks. They only tighten what the
//! policy of the whole registry lets through.
//!
//! * [`UpstreamPolicy`] is what an organisation has, [`PolicyDraft`] what its owners and admins send; `check` is
//!   the rules of a good one.
//! * `change` reads and sets it, `inspect` tells what it refuses just now.
//! * `book` keeps all policies ready in memory and finds those that bind a reader.

mod book;
mod change;
mod check;
mod inspect;
mod sql;

use kernel::{FieldError, Problem, Timestamp};
use serde::{Deserialize, Serialize};
use store::StoreError;

pub use self::book::Binding;
pub(crate) use self::book::Book;
pub use self::inspect::{Inspected, RefusedRelease};

/// What an organisation lets its members take from uplinks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UpstreamPolicy {
    /// The organisation's name.
    pub organisation: String,
    /// How many hours ago a release must have been published; 0 where age does not count.
    pub minimum_release_age_hours: u32,
    /// If not empty, only these are taken: `name`, `@scope`, `@scope/name`, `prefix-*`, each with or without `@range`.
    pub allow: Vec<String>,
    /// These are never taken, also when they are allowed.
    pub block: Vec<String>,
    /// The age does not count for these.
    pub exempt: Vec<Exemption>,
    /// Counts the changes; 0 where there never was a policy.
    pub version: i64,
    /// The name of who changed it last.
    pub changed_by: Option<String>,
    /// When it was changed last.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub changed_at: Option<Timestamp>,
}

/// What the minimum age does not count for, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Exemption {
    /// As in the lists: `left-pad`, `left-pad@1.3.1`, `@scope`.
    pub name: String,
    /// Why; it stays in the audit trail.
    pub reason: String,
    /// Who said so.
    pub by: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
}

/// A policy as its owners and admins send it. What is absent is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyDraft {
    /// How many hours ago a release must have been published; at most 87,600.
    pub minimum_release_age_hours: u32,
    /// If not empty, only these are taken; at most 500.
    pub allow: Vec<String>,
    /// These are never taken; at most 500.
    pub block: Vec<String>,
    /// The age does not count for these; at most 200.
    pub exempt: Vec<ExemptionDraft>,
}

/// What the minimum age is not to count for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExemptionDraft {
    /// As in the lists.
    pub name: String,
    /// Why, 1 to 500 characters.
    pub reason: String,
}

impl UpstreamPolicy {
    fn none(organisation: &str) -> Self {
        Self {
            organisation: organisation.to_owned(),
            minimum_release_age_hours: 0,
            allow: Vec::new(),
            block: Vec::new(),
            exempt: Vec::new(),
            version: 0,
            changed_by: None,
            changed_at: None,
        }
    }

    /// Whether it refuses nothing.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.minimum_release_age_hours == 0 && self.allow.is_empty() && self.block.is_empty()
    }

    /// The same as a draft, to be changed a little and sent back.
    #[must_use]
    pub fn draft(&self) -> PolicyDraft {
        let exempt = self.exempt.iter();
        let exempt = exempt.map(|one| ExemptionDraft { name: one.name.clone(), reason: one.reason.clone() });
        PolicyDraft {
            minimum_release_age_hours: self.minimum_release_age_hours,
            allow: self.allow.clone(),
            block: self.block.clone(),
            exempt: exempt.collect(),
        }
    }
}

/// Why a policy was not shown or changed. Nothing was changed then.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The account may not, or there is no such organisation for it.
    #[error(transparent)]
    Identity(#[from] identity::IdentityError),
    /// Fields are wrong.
    #[error("The policy was not changed: check what is marked.")]
    Invalid(Vec<FieldError>),
    /// Somebody changed it since the caller saw it.
    #[error(transparent)]
    Stale(#[from] web::Stale),
    /// No uplink could be asked about a package.
    #[error(transparent)]
    Uplink(#[from] super::UplinkError),
}

impl From<PolicyError> for Problem {
    fn from(error: PolicyError) -> Self {
        let text = error.to_string();
        match error {
            PolicyError::Store(error) => error.into(),
            PolicyError::Identity(error) => error.into(),
            PolicyError::Uplink(error) => error.into(),
            PolicyError::Stale(stale) => stale.into(),
            PolicyError::Invalid(errors) => {
                let problem = Self::invalid("registry.upstream_policy_invalid", text);
                errors.into_iter().fold(problem, |problem, error| problem.field(error.pointer, error.detail))
            }
        }
    }
}
