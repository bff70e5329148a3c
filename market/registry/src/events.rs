//! The events of this room. Their subject is the package's id, their version its revision after the change.

use events::{Audience, DomainEvent};
use identity::AccountId;
use serde::Serialize;

/// What every event of a package says.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct About {
    /// The package's id.
    pub package_id: String,
    /// Its ecosystem.
    pub ecosystem: &'static str,
    /// Its name.
    pub name: String,
    /// Its revision after the change.
    pub revision: i64,
    /// The username of who did it.
    pub by: String,
    /// The accounts that may be told; everybody where absent.
    #[serde(skip)]
    pub told: Option<Vec<AccountId>>,
}

macro_rules! package_events {
    ($($(#[$meta:meta])* $name:ident = $kind:literal, $summary:literal { $($(#[$doc:meta])* $field:ident: $type:ty),* })+) => {
        $(
            $(#[$meta])*
            #[derive(Clone, Debug, Serialize)]
            #[serde(rename_all = "camelCase")]
            pub struct $name {
                /// The package.
                #[serde(flatten)]
                pub about: About,
                $($(#[$doc])* pub $field: $type,)*
            }

            impl DomainEvent for $name {
                const TYPE: &'static str = $kind;

                fn subject(&self) -> &str {
                    &self.about.package_id
                }

                fn version(&self) -> i64 {
                    self.about.revision
                }

                fn audience(&self) -> Audience<'_> {
                    match &self.about.told {
                        None => Audience::Everybody,
                        Some(told) => Audience::Accounts(told.iter().map(AccountId::as_str).collect()),
                    }
                }
            }
        )+
        events::catalogue! { $($name = $summary;)+ }
    };
}

package_events! {
    /// A new version.
    PackagePublished = "package.published", "A new version of a package was published." {
        /// The version.
        version: String,
        /// The tags that point to it now.
        tags: Vec<String>,
        /// The SHA-256 of its file.
        sha256: String,
        /// The length of its file.
        size_bytes: u64
    }
    /// Versions were deprecated, or that was taken back.
    PackageDeprecated = "package.deprecated", "Versions of a package were deprecated, or that was taken back." {
        /// The versions.
        versions: Vec<String>,
        /// What is said of them; empty when it was taken back.
        message: String
    }
    /// Versions are gone for good.
    PackageUnpublished = "package.unpublished", "Versions of a package were removed for good." {
        /// The versions.
        versions: Vec<String>,
        /// Whether nothing is left.
        whole: bool
    }
    /// Tags point to other versions.
    PackageTagged = "package.tagged", "Tags of a package were set or removed." {
        /// All tags after the change.
        tags: std::collections::BTreeMap<String, String>
    }
    /// Others may write it.
    PackageOwnersChanged = "package.owners_changed", "The maintainers of a package changed." {
        /// The usernames after the change.
        maintainers: Vec<String>
    }
    /// Others may read it.
    PackageAccessChanged = "package.access_changed", "Who may read a package changed." {
        /// `public`, `private` or `organisation`.
        access: &'static str
    }
}

/// An organisation lets its members take other things from uplinks. Its subject is the organisation.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OrganisationUpstreamPolicyChanged {
    /// The organisation's id.
    pub org_id: String,
    /// Its name.
    pub name: String,
    /// The policy's version after the change.
    pub policy_version: i64,
    /// The username of who did it.
    pub by: String,
    /// The organisation's version after the change.
    pub account_version: i64,
}

impl DomainEvent for OrganisationUpstreamPolicyChanged {
    const TYPE: &'static str = "organisation.upstream_policy_changed";

    fn subject(&self) -> &str {
        &self.org_id
    }

    fn version(&self) -> i64 {
        self.account_version
    }

    fn audience(&self) -> Audience<'_> {
        Audience::Accounts(vec![&self.org_id])
    }
}

events::catalogue! {
    OrganisationUpstreamPolicyChanged = "What an organisation's members may take from uplinks changed.";
}
