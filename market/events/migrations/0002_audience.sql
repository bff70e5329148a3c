-- Whom an event may be told: `*` for everybody, else account ids between spaces (` user-1 org-2 `), else operators only.
alter table event add column audience text not null default '';
