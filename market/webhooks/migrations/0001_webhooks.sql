-- Endpoints that are told what happened. `events` is a JSON list of types, or `["*"]`; `secret` is sealed, and so is the
-- one before it, which signs too until `old_secret_until`.
create table webhook (
    id text primary key,
    account text not null,
    creator text not null,
    url text not null,
    description text not null,
    events text not null,
    whole_market integer not null check (whole_market in (0, 1)),
    state text not null check (state in ('enabled', 'disabled')),
    reason text not null,
    secret text not null,
    old_secret text,
    old_secret_until integer,
    version integer not null,
    created_at integer not null,
    updated_at integer not null
) strict;
create index webhook_account on webhook (account, id);

-- One event for one endpoint. `tries` counts since it was last put in line, `attempts` all of them. While an attempt is
-- under way `next_at` is when another process may take it over.
create table webhook_delivery (
    seq integer primary key autoincrement,
    id text not null unique,
    webhook text not null references webhook (id) on delete cascade,
    event_id text not null,
    type text not null,
    subject text not null,
    payload text not null,
    state text not null check (state in ('waiting', 'delivered', 'dead')),
    tries integer not null,
    attempts integer not null,
    next_at integer not null,
    created_at integer not null,
    ended_at integer,
    unique (webhook, event_id)
) strict;
create index webhook_delivery_due on webhook_delivery (next_at) where state = 'waiting';
create index webhook_delivery_line on webhook_delivery (webhook, subject, seq) where state = 'waiting';
create index webhook_delivery_endpoint on webhook_delivery (webhook, seq);
create index webhook_delivery_ended on webhook_delivery (ended_at) where ended_at is not null;

create table webhook_attempt (
    delivery text not null references webhook_delivery (id) on delete cascade,
    number integer not null,
    began_at integer not null,
    took_ms integer not null,
    status integer,
    answer text not null,
    primary key (delivery, number)
) strict;
