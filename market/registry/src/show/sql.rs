//! What is read to show a package.

use store::sql;

sql! {
    pub(super) FIND_PACKAGE_BY_ID = "select id, ecosystem, name, owner_kind, owner, access, revision, latest, created_at, \
        updated_at, deleted_at from package where id = $1";
    pub(super) LIST_MAINTAINER_ROLES = "select username, role from maintainer where package = $1 \
        order by added_at, username";
    pub(super) COUNT_STARS = "select count(*) from star where package = $1";
    pub(super) FIND_STAR = "select 1 from star where package = $1 and account = $2";
    pub(super) LIST_RELEASE_LINES = "select release.version, release.published_at, release.published_by, \
        release.deprecated, release.provenance, coalesce(file.size_bytes, 0) from release \
        left join file on file.package = release.package and file.version = release.version \
        where release.package = $1 and release.unpublished_at is null order by release.position desc limit 10000";
    pub(super) SUM_DOWNLOADS_BY_VERSION = "select version, cast(sum(count) as bigint) from download_count \
        where package = $1 group by version";
    pub(super) FIND_MANIFEST = "select metadata, dist from release \
        where package = $1 and version = $2 and unpublished_at is null";
}
