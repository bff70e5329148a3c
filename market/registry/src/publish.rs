//! Publishing a version: only rows of its own, and the package's counter.

use std::sync::Arc;

use blobs::Written;
use identity::orgs::OrgRole;
use identity::{AccountId, Caller, audit};
use kernel::Timestamp;
use store::{Tx, args};

use crate::access::{NewOwner, Standing, check, may_publish, new_owner};
use crate::events::{About, PackagePublished};
use crate::package::{Access, Changed, MaintainerRole, OwnerKind, Package, PackageId};
use crate::registry::{Registry, changed};
use crate::{Ecosystem, RegistryError, sql, visibility};

/// A version that was checked and whose file is stored.
#[derive(Clone, Debug)]
pub struct NewRelease {
    /// For which kind of client.
    pub ecosystem: Ecosystem,
    /// The package's name.
    pub name: Arc<str>,
    /// The scope, of which somebody may be the owner.
    pub scope: Option<String>,
    /// Who may read it, where the publisher says so.
    pub access: Option<Access>,
    /// The version.
    pub version: String,
    /// The tags that shall point to it.
    pub tags: Vec<String>,
    /// Prepared JSON objects, see the table `release`.
    pub metadata: String,
    /// What an installer needs.
    pub abbreviated: String,
    /// Digests and sizes without the address.
    pub dist: String,
    /// What the package shows when this is its latest version.
    pub head: String,
    /// One line about it.
    pub description: String,
    /// Its keywords.
    pub keywords: String,
    /// Why it should not be used, if the manifest says so.
    pub deprecated: Option<String>,
    /// The README's name and text.
    pub readme: Option<(String, String)>,
    /// A statement about how it was built: its kind and the bundle.
    pub provenance: Option<(String, String)>,
    /// The file's name.
    pub filename: String,
    /// The file.
    pub file: Written,
}

impl Registry {
    /// Publishes a version; makes the package when there is none of this name.
    ///
    /// # Errors
    /// [`RegistryError::VersionExists`], [`RegistryError::VersionSpent`], [`RegistryError::ForeignScope`],
    /// [`RegistryError::NotYours`]; nothing is published then.
    pub async fn publish(&self, by: &Caller, new: NewRelease) -> Result<Changed, RegistryError> {
        may_publish(by, &new.name)?;
        let (registry, by) = (self.clone(), by.clone());
        self.store().write(async move |tx: &mut Tx| publish(tx, &registry, &by, &new).await).await
    }

    /// Whether the caller may publish under this name at all: asked before a body is read.
    ///
    /// # Errors
    /// As [`Registry::publish`].
    pub async fn check_publish(
        &self,
        by: &Caller,
        ecosystem: Ecosystem,
        name: &str,
        scope: Option<&str>,
    ) -> Result<(), RegistryError> {
        may_publish(by, name)?;
        let (by, name, scope) = (by.clone(), name.to_owned(), scope.map(str::to_owned));
        let look = async move |tx: &mut Tx| match tx
            .first::<Package>(&sql::FIND_PACKAGE, args![ecosystem, name])
            .await?
        {
            Some(package) => writable(tx, &by, &package).await,
            None => new_owner(tx, &by, scope.as_deref()).await.map(|_| ()),
        };
        self.store().read(look).await
    }
}

/// A package that was unpublished stays with those who had it. To others a private one looks like a taken name.
async fn writable(tx: &mut Tx, by: &Caller, package: &Package) -> Result<(), RegistryError> {
    check(tx, by, package, Standing::Writer).await
}

/// Publishes within a transaction; see [`Registry::publish`].
pub(crate) async fn publish(
    tx: &mut Tx,
    registry: &Registry,
    by: &Caller,
    new: &NewRelease,
) -> Result<Changed, RegistryError> {
    let now = by.now();
    let mut package = match tx.first::<Package>(&sql::FIND_PACKAGE, args![new.ecosystem, new.name]).await? {
        Some(package) => {
            writable(tx, by, &package).await?;
            let package = bump(tx, package, now).await?;
            visibility::on_publish(tx, by, package, new.access).await?
        }
        None => create(tx, by, new).await?,
    };
    insert_release(tx, by, new, &package).await?;
    blobs::refs::retain(tx, &new.file, now).await?;
    let tags = set_tags(tx, new, &mut package).await?;
    let event = PackagePublished {
        about: about(&package, by),
        version: new.version.clone(),
        tags,
        sha256: new.file.sha256.to_string(),
        size_bytes: new.file.size_bytes,
    };
    events::append(tx, now, &event).await?;
    let details = serde_json::json!({"version": new.version, "package": package.id});
    audit::record(tx, by, "package.published", &new.name, audit::Outcome::Done, &details).await?;
    registry.forget_after_commit(tx, new.ecosystem, &package.name);
    Ok(changed(&package))
}

/// What every event of a package says.
pub(crate) fn about(package: &Package, by: &Caller) -> About {
    // What not everybody may read is told to who changed it and to the organisation that owns it.
    let actor = by.actor.as_ref();
    let owner = actor.and_then(|actor| actor.account_in(Some(&package.owner), OrgRole::Member));
    let changed_by = actor.map(|actor| AccountId::from(&actor.user));
    About {
        told: (package.access != Access::Public).then(|| changed_by.into_iter().chain(owner).collect()),
        package_id: package.id.to_string(),
        ecosystem: package.ecosystem.as_str(),
        name: package.name.to_string(),
        revision: package.revision,
        by: by.actor.as_ref().map(|actor| actor.username.to_string()).unwrap_or_default(),
    }
}

async fn bump(tx: &mut Tx, mut package: Package, now: Timestamp) -> Result<Package, RegistryError> {
    let (revision,): (i64,) = tx.one(&sql::BUMP_PACKAGE, args![package.id, now]).await?;
    package.revision = revision;
    package.updated_at = now;
    package.deleted_at = None;
    Ok(package)
}

async fn create(tx: &mut Tx, by: &Caller, new: &NewRelease) -> Result<Package, RegistryError> {
    let now = by.now();
    let actor = by.account()?;
    let owner = new_owner(tx, by, new.scope.as_deref()).await?;
    let access = match new.access {
        Some(access) => visibility::suitable(access, owner.kind),
        None => default_access(&owner),
    };
    let package = Package {
        id: PackageId::fresh(),
        ecosystem: new.ecosystem,
        name: Arc::clone(&new.name),
        owner_kind: owner.kind,
        owner: owner.name.to_string(),
        access,
        revision: 1,
        latest: None,
        created_at: now,
        updated_at: now,
        deleted_at: None,
    };
    let row =
        args![package.id, package.ecosystem, package.name, package.owner_kind, package.owner, access, now];
    if tx.execute(&sql::INSERT_PACKAGE, row).await? == 0 {
        // Only where names are compared otherwise than they are spelled.
        return Err(RegistryError::Refused(format!("The name {} is too like one that is taken.", new.name)));
    }
    let row = args![package.id, actor.user, actor.username, MaintainerRole::Owner, now];
    tx.execute(&sql::SET_MAINTAINER, row).await?;
    Ok(package)
}

/// An organisation's packages are its own business unless it says otherwise.
fn default_access(owner: &NewOwner) -> Access {
    match owner.kind {
        OwnerKind::User => Access::Public,
        OwnerKind::Organisation => Access::Organisation,
    }
}

async fn insert_release(
    tx: &mut Tx,
    by: &Caller,
    new: &NewRelease,
    package: &Package,
) -> Result<(), RegistryError> {
    let (actor, now) = (by.account()?, by.now());
    let kind = new.provenance.as_ref().map(|(kind, _)| kind);
    let row = args![
        package.id,
        new.version,
        package.revision,
        new.metadata,
        new.abbreviated,
        new.dist,
        new.head,
        new.description,
        new.keywords,
        actor.username,
        now,
        new.deprecated,
        kind
    ];
    if tx.execute(&sql::INSERT_RELEASE, row).await? == 0 {
        let row = args![package.id, new.version];
        let state: Option<(Option<Timestamp>, Timestamp)> = tx.first(&sql::FIND_RELEASE_STATE, row).await?;
        return Err(match state {
            Some((Some(_), _)) => RegistryError::VersionSpent(new.version.clone()),
            _ => RegistryError::VersionExists(new.version.clone()),
        });
    }
    let file = &new.file;
    let sha1 = file.sha1.map(hex::encode).unwrap_or_default();
    let sha512 = file.sha512.map(hex::encode).unwrap_or_default();
    let row = args![package.id, new.version, new.filename, file.sha256, sha1, sha512, file.size_bytes];
    tx.execute(&sql::INSERT_FILE, row).await?;
    if let Some((filename, text)) = &new.readme {
        tx.execute(&sql::INSERT_README, args![package.id, new.version, filename, text]).await?;
    }
    if let Some((_, bundle)) = &new.provenance {
        tx.execute(&sql::INSERT_ATTESTATION, args![package.id, new.version, bundle]).await?;
    }
    Ok(())
}

/// Points the tags to the version; a package always has a `latest`, since installing needs it.
async fn set_tags(
    tx: &mut Tx,
    new: &NewRelease,
    package: &mut Package,
) -> Result<Vec<String>, RegistryError> {
    let mut tags = new.tags.clone();
    if package.latest.is_none() && !tags.iter().any(|tag| tag == "latest") {
        tags.push("latest".to_owned());
    }
    for tag in &tags {
        tx.execute(&sql::SET_TAG, args![package.id, tag, new.version]).await?;
    }
    if tags.iter().any(|tag| tag == "latest") {
        tx.execute(&sql::SET_LATEST, args![package.id, new.version]).await?;
        package.latest = Some(new.version.clone());
    }
    Ok(tags)
}
