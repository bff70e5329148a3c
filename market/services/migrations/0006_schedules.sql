-- When a deployment is saved by itself. `next_at` is the first time from now on; what was missed is made up for once.
create table backup_schedule (
    deployment text primary key references deployment (id),
    every text not null check (every in ('hour', 'day', 'week')),
    -- Of the week: 0 is Monday. Of the day. Of the hour. In UTC.
    weekday integer not null check (weekday between 0 and 6),
    hour integer not null check (hour between 0 and 23),
    minute integer not null check (minute between 0 and 59),
    -- How many of those that were made by it are kept.
    keep integer not null check (keep between 1 and 40),
    -- Why the last one could not be begun; empty where it could.
    problem text not null,
    next_at integer not null,
    updated_at integer not null
) strict;
create index backup_schedule_due on backup_schedule (next_at);

alter table deployment_backup add column scheduled integer not null default 0 check (scheduled in (0, 1));
