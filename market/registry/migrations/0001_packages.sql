-- One model for every ecosystem. A package row is never deleted: its revision goes on counting and its name stays
-- with its owner when everything in it was unpublished.
create table package (
    id text primary key,
    ecosystem text not null,
    name text not null,
    -- How the ecosystem compares names; npm: as they are.
    normalized_name text not null,
    -- The account that owns it; names of accounts never change.
    owner_kind text not null check (owner_kind in ('user', 'organisation')),
    owner text not null,
    access text not null check (access in ('public', 'private', 'organisation')),
    revision integer not null check (revision > 0),
    -- The version of the tag `latest`, null when nothing is published.
    latest text,
    -- Of the latest version, for lists and searches.
    description text not null,
    keywords text not null,
    created_at integer not null,
    updated_at integer not null,
    deleted_at integer,
    unique (ecosystem, normalized_name)
) strict;
create index package_owner on package (owner);

-- A version. The row of an unpublished one stays, emptied, so that the version can never be published again.
create table release (
    package text not null references package (id),
    version text not null,
    -- The package's revision that published it: the order of publication.
    position integer not null,
    -- JSON objects, prepared at publish: the whole manifest; what an installer needs; digests and sizes of the
    -- file without its address; what the package shows when this is its latest version.
    metadata text not null,
    abbreviated text not null,
    dist text not null,
    head text not null,
    -- One line about it, and its keywords separated by spaces: for lists and searches.
    description text not null,
    keywords text not null,
    published_by text not null,
    published_at integer not null,
    deprecated text check (deprecated <> ''),
    -- What kind of statement says how it was built, if one does; see attestation.
    provenance text,
    unpublished_at integer,
    primary key (package, version),
    unique (package, position)
) strict;

create table file (
    package text not null,
    version text not null,
    filename text not null,
    sha256 text not null,
    sha1 text not null,
    sha512 text not null,
    size_bytes integer not null,
    primary key (package, filename),
    foreign key (package, version) references release (package, version)
) strict;
create index file_version on file (package, version);

create table readme (
    package text not null,
    version text not null,
    filename text not null,
    text text not null,
    primary key (package, version),
    foreign key (package, version) references release (package, version)
) strict;

-- Statements about how a version was built, byte for byte as they were published.
create table attestation (
    package text not null,
    version text not null,
    bundle text not null,
    primary key (package, version),
    foreign key (package, version) references release (package, version)
) strict;

create table dist_tag (
    package text not null,
    tag text not null,
    version text not null,
    primary key (package, tag),
    foreign key (package, version) references release (package, version)
) strict;

-- Who may write a package beside an organisation that owns it. Owners may also say who else may. The username is
-- kept here because documents show it.
create table maintainer (
    package text not null references package (id),
    account text not null,
    username text not null,
    role text not null check (role in ('owner', 'writer')),
    added_at integer not null,
    primary key (package, account)
) strict;
create index maintainer_account on maintainer (account);

create table star (
    package text not null references package (id),
    account text not null,
    username text not null,
    starred_at integer not null,
    primary key (package, account)
) strict;
create index star_username on star (username);

-- How often each version was fetched on each UTC day (days since 1970).
create table download_count (
    package text not null references package (id),
    day integer not null,
    version text not null,
    count integer not null check (count > 0),
    primary key (package, day, version)
) strict;
create index download_count_day on download_count (day);

-- Known vulnerabilities by package name; filled from advisory data.
create table advisory (
    id integer primary key autoincrement,
    ecosystem text not null,
    package_name text not null,
    -- A version range in the ecosystem's own words, and the one that is safe.
    vulnerable_range text not null,
    patched_range text not null,
    severity text not null check (severity in ('info', 'low', 'moderate', 'high', 'critical')),
    title text not null,
    url text not null,
    -- JSON: a list of CWE names; the score and vector of CVSS.
    cwe text not null,
    cvss text not null,
    unique (ecosystem, package_name, url)
) strict;
