//! What the index reads of the database.

use kernel::Timestamp;
use store::sql;

use crate::Ecosystem;
use crate::package::{Access, OwnerKind, PackageId};

sql! {
    /// Pages of ids, in their order.
    pub(super) LIST_FINDABLE = "select id from package \
        where id > $1 and latest is not null and deleted_at is null order by id limit $2";
    pub(super) LIST_ENTRIES = "select package.id, package.ecosystem, package.name, package.owner_kind, package.owner, \
        package.access, package.latest, package.description, release.head, release.abbreviated, release.published_by, \
        release.published_at, release.deprecated, package.created_at, package.updated_at from package \
        join release on release.package = package.id and release.version = package.latest \
        where package.id in each($1) and package.deleted_at is null and release.unpublished_at is null";
    pub(super) LIST_MAINTAINERS_OF = "select package, account, username from maintainer \
        where package in each($1) order by added_at, username";
    /// $2 and $3 are the first days of the last month and week.
    pub(super) SUM_DOWNLOADS_OF = "select package, cast(sum(count) as bigint), \
        cast(sum(case when day >= $2 then count else 0 end) as bigint), \
        cast(sum(case when day >= $3 then count else 0 end) as bigint) \
        from download_count where package in each($1) group by package";
}

/// A row of [`LIST_ENTRIES`].
pub(super) struct EntryRow {
    pub(super) id: PackageId,
    pub(super) ecosystem: Ecosystem,
    pub(super) name: String,
    pub(super) owner_kind: OwnerKind,
    pub(super) owner: String,
    pub(super) access: Access,
    pub(super) latest: String,
    pub(super) description: String,
    pub(super) head: String,
    pub(super) abbreviated: String,
    pub(super) published_by: String,
    pub(super) published_at: Timestamp,
    pub(super) deprecated: Option<String>,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
}

store::row!(EntryRow {
    id,
    ecosystem,
    name,
    owner_kind,
    owner,
    access,
    latest,
    description,
    head,
    abbreviated,
    published_by,
    published_at,
    deprecated,
    created_at,
    updated_at
});
