-- What an organisation (by its id) lets its members take from uplinks; at most one row for each. A policy that was taken back
-- keeps its row and its version.
create table upstream_policy (
    organisation text primary key,
    minimum_age_hours integer not null check (minimum_age_hours >= 0),
    -- JSON lists of texts: names, scopes, prefixes, each with or without a range.
    allowed text not null,
    blocked text not null,
    -- A JSON list of what the age does not count for: name, reason, who said so, when.
    exempted text not null,
    version integer not null check (version > 0),
    changed_by text not null,
    changed_at integer not null
) strict;

-- When a tarball was asked for last, about: the cache is emptied from the other end.
alter table uplink_file add column used_at integer not null default 0;
update uplink_file set used_at = stored_at;
create index uplink_file_used on uplink_file (used_at);

-- Both are looked up by name on every read of a tarball.
create index uplink_file_name on uplink_file (name, version);
create index uplink_document_name on uplink_document (name);
