-- Work to be done later. `unique_key` joins what is asked for twice: of one kind and key at most one job waits
-- and at most one runs.
create table job (
    id text not null primary key,
    kind text not null,
    payload text not null,
    unique_key text,
    state text not null check (state in ('waiting', 'running', 'done', 'dead', 'cancelled')),
    run_at integer not null,
    attempts integer not null check (attempts >= 0),
    worker text,
    lease_until integer,
    last_error text,
    created_at integer not null,
    finished_at integer,
    check ((state = 'running') = (worker is not null and lease_until is not null)),
    check ((state in ('waiting', 'running')) = (finished_at is null))
) strict;

create unique index job_waiting_key on job (kind, unique_key) where unique_key is not null and state = 'waiting';
create index job_running_key on job (kind, unique_key) where state = 'running';
create index job_due on job (run_at) where state = 'waiting';
create index job_leased on job (lease_until) where state = 'running';
create index job_finished on job (finished_at) where finished_at is not null;
create index job_created on job (created_at);

-- The last period in which each recurring job was enqueued.
create table job_schedule (
    name text not null primary key,
    period_starts_at integer not null
) strict;
