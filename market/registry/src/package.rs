//! Packages as they are stored, and the words for their states.

use std::fmt;
use std::sync::Arc;

use kernel::Timestamp;
use sha2::{Digest, Sha256};

use crate::Ecosystem;

kernel::id!(
    /// Names a package of any ecosystem, for as long as the market stands.
    PackageId,
    "pkg"
);
store::id_values!(PackageId);

store::words! {
    /// Who may read a package.
    #[derive(PartialOrd, Ord)]
    Access, "expected who may read a package" {
        /// Everybody.
        Public = "public",
        /// Its owners, writers and the teams that were let in.
        Private = "private",
        /// All members of the organisation that owns it.
        Organisation = "organisation",
    }
}

store::words! {
    /// What kind of account owns a package.
    #[derive(PartialOrd, Ord)]
    OwnerKind, "expected a kind of owner" {
        /// A person; whoever is a maintainer with the role of an owner.
        User = "user",
        /// An organisation; its admins and owners.
        Organisation = "organisation",
    }
}

store::words! {
    /// What a maintainer may do.
    #[derive(PartialOrd, Ord)]
    MaintainerRole, "expected the role of a maintainer" {
        /// Publish, deprecate, unpublish, tag.
        Writer = "writer",
        /// That, and say who else may, and who may read.
        Owner = "owner",
    }
}

/// A package's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// Its id.
    pub id: PackageId,
    /// For which kind of client.
    pub ecosystem: Ecosystem,
    /// Its name.
    pub name: Arc<str>,
    /// What kind of account owns it.
    pub owner_kind: OwnerKind,
    /// The name of the account that owns it.
    pub owner: String,
    /// Who may read it.
    pub access: Access,
    /// Counts its changes.
    pub revision: i64,
    /// The version of the tag `latest`.
    pub latest: Option<String>,
    /// When it was published first.
    pub created_at: Timestamp,
    /// When it changed last.
    pub updated_at: Timestamp,
    /// When all of it was unpublished.
    pub deleted_at: Option<Timestamp>,
}

store::row!(Package {
    id,
    ecosystem,
    name,
    owner_kind,
    owner,
    access,
    revision,
    latest,
    created_at,
    updated_at,
    deleted_at
});

impl Package {
    /// The revision as clients send it back.
    #[must_use]
    pub fn rev(&self) -> Rev {
        Rev::of(&self.id, self.revision)
    }
}

/// A revision in the form that clients know from CouchDB, `12-0f3a…`: the number, and a hash that tells packages
/// apart which had the same name one after the other on different servers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rev(String);

impl Rev {
    /// The form of `revision` of a package.
    #[must_use]
    pub fn of(id: &PackageId, revision: i64) -> Self {
        let digest = Sha256::digest(format!("{id} {revision}"));
        Self(format!("{revision}-{}", hex::encode(&digest[..8])))
    }

    /// The text; it needs no encoding in a URL.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Rev {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a change answers with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// The package.
    pub package: PackageId,
    /// Its revision now.
    pub rev: Rev,
}
