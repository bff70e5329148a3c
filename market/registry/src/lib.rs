//! Packages: one model for all ecosystems, and thin protocols on it.
//!
//! * [`Registry`] is the room; its methods are the use cases, one file each: publish, deprecate, unpublish, tags,
//!   owners, visibility, stars.
//! * [`npm`] is the protocol of npm's clients.
//! * What clients read most, documents and files, is kept ready to be sent: `documents`, `files`.

mod access;
mod advisories;
pub mod api;
mod deprecate;
mod documents;
mod downloads;
mod error;
mod events;
mod files;
mod lists;
mod name;
pub mod npm;
mod owners;
mod package;
pub mod page;
mod publish;
mod readme;
mod registry;
pub mod search;
pub mod show;
mod sql;
mod stars;
mod tags;
mod unpublish;
pub mod uplink;
mod version;
mod visibility;

pub use access::{Standing, find, grant_subject, require, standing};
pub use advisories::Advisory;
pub use documents::{Encoded, Encodings, Form};
pub use error::RegistryError;
pub use events::{
    About, OrganisationUpstreamPolicyChanged, PackageAccessChanged, PackageDeprecated, PackageOwnersChanged,
    PackagePublished, PackageTagged, PackageUnpublished,
};
pub use name::{Ecosystem, NameError, NpmName};
pub use owners::OwnerChange;
pub use package::{Access, Changed, MaintainerRole, OwnerKind, Package, PackageId, Rev};
pub use publish::NewRelease;
pub use registry::{Registry, Settings};
pub use tags::TagChange;

/// This room's tables.
pub const MIGRATIONS: store::Migrations = store::migrations!(
    "registry",
    "0001_packages.sql",
    "0002_uplinks.sql",
    "0003_readme_html.sql",
    "0004_upstream_policies.sql"
);
