-- (Not called "blob", which the store translates as a column type.)
-- Who needs which blob. A row is in one of four states; the check keeps them apart:
--   needed   reference_count > 0
--   idle     reference_count = 0: removed when it stays so for the grace time
--   doomed   doomed_at set: a collector is removing the bytes right now
--   removed  removed_at set: the bytes are gone; kept for a while so that a writer who saw them before knows
create table stored_blob (
    sha256 text not null primary key check (length(sha256) = 64),
    size_bytes integer not null check (size_bytes >= 0),
    reference_count integer not null check (reference_count >= 0),
    changed_at integer not null,
    doomed_at integer,
    removed_at integer,
    check (reference_count = 0 or (doomed_at is null and removed_at is null)),
    check (doomed_at is null or removed_at is null)
) strict;

create index stored_blob_idle on stored_blob (changed_at) where reference_count = 0;
