//! Every statement of this room.

use store::sql;

sql! {
    pub(crate) FIND_PACKAGE = "select id, ecosystem, name, owner_kind, owner, access, revision, latest, created_at, \
        updated_at, deleted_at from package where ecosystem = $1 and normalized_name = $2";
    pub(crate) INSERT_PACKAGE = "insert into package (id, ecosystem, name, normalized_name, owner_kind, owner, access, \
        revision, latest, description, keywords, created_at, updated_at) \
        values ($1, $2, $3, $3, $4, $5, $6, 1, null, '', '', $7, $7) on conflict do nothing";
    /// A change with no expectation: what it does cannot be undone by another change.
    pub(crate) BUMP_PACKAGE = "update package set revision = revision + 1, updated_at = $2, deleted_at = null \
        where id = $1 returning revision";
    /// A change of what the caller saw at this revision.
    pub(crate) BUMP_PACKAGE_FROM = "update package set revision = revision + 1, updated_at = $3 \
        where id = $1 and revision = $2 and deleted_at is null returning revision";
    pub(crate) SET_LATEST = "update package set latest = $2, \
        description = (select description from release where package = $1 and version = $2), \
        keywords = (select keywords from release where package = $1 and version = $2) where id = $1";
    pub(crate) DELETE_PACKAGE = "update package set deleted_at = $2, latest = null, description = '', keywords = '' \
        where id = $1";
    pub(crate) SET_ACCESS = "update package set access = $2 where id = $1";
    pub(crate) SET_OWNER = "update package set owner = $2 where id = $1";

    pub(crate) INSERT_RELEASE = "insert into release (package, version, position, metadata, abbreviated, dist, head, \
        description, keywords, published_by, published_at, deprecated, provenance) \
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) on conflict do nothing";
    pub(crate) FIND_RELEASE_STATE = "select unpublished_at, published_at from release where package = $1 and version = $2";
    pub(crate) LIST_RELEASE_STATES = "select version, published_at, deprecated from release \
        where package = $1 and unpublished_at is null order by position";
    pub(crate) LIST_FULL = "select version, metadata, dist, deprecated, provenance, published_at from release \
        where package = $1 and unpublished_at is null order by position";
    pub(crate) LIST_ABBREVIATED = "select version, abbreviated, dist, deprecated, provenance, published_at from release \
        where package = $1 and unpublished_at is null order by position";
    pub(crate) FIND_FULL = "select version, metadata, dist, deprecated, provenance, published_at from release \
        where package = $1 and version = $2 and unpublished_at is null";
    pub(crate) FIND_HEAD = "select release.head, readme.filename, readme.text from release \
        left join readme on readme.package = release.package and readme.version = release.version \
        where release.package = $1 and release.version = $2";
    pub(crate) SET_DEPRECATED = "update release set deprecated = $3 \
        where package = $1 and version = $2 and unpublished_at is null";
    pub(crate) UNPUBLISH_RELEASE = "update release set unpublished_at = $3, metadata = '', abbreviated = '', dist = '', \
        head = '', description = '', keywords = '', deprecated = null, provenance = null \
        where package = $1 and version = $2 and unpublished_at is null";

    pub(crate) INSERT_FILE = "insert into file (package, version, filename, sha256, sha1, sha512, size_bytes) \
        values ($1, $2, $3, $4, $5, $6, $7)";
    pub(crate) LIST_FILES = "select filename, version, sha256, size_bytes from file where package = $1";
    pub(crate) DELETE_FILES = "delete from file where package = $1 and version = $2 returning sha256";
    pub(crate) INSERT_README = "insert into readme (package, version, filename, text) values ($1, $2, $3, $4)";
    pub(crate) DELETE_README = "delete from readme where package = $1 and version = $2";
    pub(crate) INSERT_ATTESTATION = "insert into attestation (package, version, bundle) values ($1, $2, $3)";
    pub(crate) FIND_ATTESTATION = "select release.provenance, attestation.bundle from attestation \
        join release on release.package = attestation.package and release.version = attestation.version \
        where attestation.package = $1 and attestation.version = $2";
    pub(crate) DELETE_ATTESTATION = "delete from attestation where package = $1 and version = $2";

    pub(crate) LIST_TAGS = "select tag, version from dist_tag where package = $1 order by tag";
    pub(crate) FIND_TAG = "select version from dist_tag where package = $1 and tag = $2";
    pub(crate) SET_TAG = "insert into dist_tag (package, tag, version) values ($1, $2, $3) \
        on conflict (package, tag) do update set version = excluded.version";
    pub(crate) DELETE_TAG = "delete from dist_tag where package = $1 and tag = $2";
    pub(crate) DELETE_TAGS_OF = "delete from dist_tag where package = $1 and version = $2";

    pub(crate) LIST_MAINTAINERS = "select account, username, role from maintainer where package = $1 \
        order by added_at, username";
    pub(crate) FIND_MAINTAINER = "select role from maintainer where package = $1 and account = $2";
    pub(crate) SET_MAINTAINER = "insert into maintainer (package, account, username, role, added_at) \
        values ($1, $2, $3, $4, $5) on conflict (package, account) do update set role = excluded.role";
    pub(crate) DELETE_MAINTAINER = "delete from maintainer where package = $1 and account = $2";
    pub(crate) LIST_OF_MAINTAINER = "select package.id, package.ecosystem, package.name, package.owner_kind, \
        package.owner, package.access, package.revision, package.latest, package.created_at, package.updated_at, \
        package.deleted_at from maintainer join package on package.id = maintainer.package \
        where maintainer.account = $1 and package.ecosystem = $2 and package.deleted_at is null \
        order by package.name limit 1000";
    pub(crate) LIST_OF_OWNER = "select id, ecosystem, name, owner_kind, owner, access, revision, latest, created_at, \
        updated_at, deleted_at from package where owner = $1 and owner_kind = 'organisation' and ecosystem = $2 \
        and deleted_at is null order by name limit 1000";

    pub(crate) INSERT_STAR = "insert into star (package, account, username, starred_at) values ($1, $2, $3, $4) \
        on conflict do nothing";
    pub(crate) DELETE_STAR = "delete from star where package = $1 and account = $2";
    pub(crate) LIST_STARRED_BY = "select package.id, package.ecosystem, package.name, package.owner_kind, \
        package.owner, package.access, package.revision, package.latest, package.created_at, package.updated_at, \
        package.deleted_at from star join package on package.id = star.package \
        where star.username = $1 and package.ecosystem = $2 and package.deleted_at is null \
        order by package.name limit 1000";
    pub(crate) LIST_STARRERS = "select username from star where package = $1 order by username limit 1000";

    pub(crate) ADD_DOWNLOADS = "insert into download_count (package, day, version, count) values ($1, $2, $3, $4) \
        on conflict (package, day, version) do update set count = download_count.count + excluded.count";
    pub(crate) SUM_DOWNLOADS = "select day, cast(sum(count) as bigint) from download_count \
        where package = $1 and day >= $2 and day <= $3 group by day order by day";

    pub(crate) LIST_ADVISORIES = "select id, package_name, vulnerable_range, patched_range, severity, title, url, cwe, \
        cvss from advisory where ecosystem = $1 and package_name in each($2) order by id limit 10000";
}
