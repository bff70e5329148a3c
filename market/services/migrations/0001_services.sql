-- The text of every template that something was deployed from: a deployment stays with the text it was made from.
create table service_template (
    digest text primary key,
    service text not null,
    source text not null,
    created_at integer not null
) strict;

-- The network of an account: its number says which addresses it has.
create table service_network (
    account text primary key,
    number integer not null unique,
    created_at integer not null
) strict;

-- Who brings about what is wanted: one process at a time.
create table service_lease (
    name text primary key,
    holder text not null,
    until integer not null
) strict;

-- Something that runs. `wanted` and what belongs to it say what shall be; `status` and what belongs to it what was seen
-- last. `generation` counts what is wanted anew, `run` how often its container shall have been made afresh. The
-- credentials are sealed; `next_credentials` are those that are to replace them.
create table deployment (
    id text primary key,
    owner text not null,
    creator text not null,
    name text not null,
    service text not null,
    slug text not null,
    template text not null references service_template (digest),
    image text not null,
    plan text not null,
    plan_id text not null,
    pricing text not null check (pricing in ('free', 'subscription', 'usage')),
    region text not null,
    port integer unique,
    wanted text not null check (wanted in ('running', 'stopped', 'deleted')),
    generation integer not null,
    run integer not null,
    status text not null check (status in
        ('provisioning', 'running', 'degraded', 'stopping', 'stopped', 'failed', 'deleting', 'deleted')),
    reason text not null,
    last_lines text not null,
    credentials text not null,
    next_credentials text,
    restore_from text,
    budget_minor integer,
    budget_told integer not null,
    version integer not null,
    since integer not null,
    undo_until integer,
    deployed_at integer,
    created_at integer not null,
    updated_at integer not null,
    deleted_at integer,
    check (port is not null or status = 'deleted')
) strict;
create unique index deployment_name on deployment (owner, name) where wanted <> 'deleted';
create index deployment_owner on deployment (owner, id);
create index deployment_live on deployment (id) where status <> 'deleted';
create index deployment_service on deployment (service, status);

-- What a deployment used in an hour, in microseconds: how long it was there, how long it was wanted to serve, and how long
-- it did. `plan_id` says at which price: an hour in which the plan changed has two rows.
create table deployment_usage (
    deployment text not null references deployment (id),
    hour integer not null,
    plan_id text not null,
    pricing text not null,
    plan_price integer not null,
    there_us integer not null,
    wanted_us integer not null,
    served_us integer not null,
    primary key (deployment, hour, plan_id)
) strict;

-- Figures over time. `step` is for how many seconds a row stands: fine ones are thinned to coarser ones as they age.
create table deployment_sample (
    deployment text not null references deployment (id),
    step integer not null,
    at integer not null,
    figures text not null,
    primary key (deployment, step, at)
) strict;
create index deployment_sample_age on deployment_sample (step, at);

-- The latest figures, and what its counters came to over restarts.
create table deployment_now (
    deployment text primary key references deployment (id),
    figures text not null,
    at integer not null
) strict;

-- What happened to a deployment, for its owner to read.
create table deployment_event (
    deployment text not null references deployment (id),
    version integer not null,
    at integer not null,
    status text not null,
    words text not null,
    primary key (deployment, version)
) strict;

create table deployment_backup (
    id text primary key,
    deployment text not null references deployment (id),
    owner text not null,
    template text not null references service_template (digest),
    state text not null check (state in ('waiting', 'dumping', 'verifying', 'done', 'failed', 'removed')),
    reason text not null,
    file text,
    size_bytes integer not null,
    created_at integer not null,
    ended_at integer
) strict;
create index deployment_backup_of on deployment_backup (deployment, id);
create index deployment_backup_open on deployment_backup (state) where state in ('waiting', 'dumping', 'verifying');
