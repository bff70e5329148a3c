-- What each uplink last said of a package. The bytes of its document are a blob, as they came.
create table uplink_document (
    uplink text not null,
    name text not null,
    -- The uplink's address then: what another address said under the same name is of no use.
    address text not null,
    -- Null: the uplink has no such package.
    sha256 text,
    size_bytes integer,
    etag text,
    last_modified text,
    -- When the uplink last confirmed this.
    checked_at integer not null,
    primary key (uplink, name),
    check ((sha256 is null) = (size_bytes is null))
) strict;

-- Tarballs that were fetched and are what the uplink's document promised.
create table uplink_file (
    uplink text not null,
    name text not null,
    version text not null,
    address text not null,
    sha256 text not null,
    size_bytes integer not null,
    -- When the release was published, by the uplink's own account.
    published_at integer,
    stored_at integer not null,
    primary key (uplink, name, version)
) strict;

-- How often each version was fetched through uplinks on each UTC day (days since 1970).
create table uplink_download (
    name text not null,
    version text not null,
    day integer not null,
    count integer not null check (count > 0),
    primary key (name, version, day)
) strict;
create index uplink_download_day on uplink_download (day);
