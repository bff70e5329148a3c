-- Operators change categories; who looks at a stale one is told.
alter table category add column version integer not null default 1 check (version > 0);
