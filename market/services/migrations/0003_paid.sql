-- The offer by which a plan is sold. Of a plan one is current; those before it stay, because somebody may still pay by them.
create table service_offer (
    offer text primary key,
    listing text not null,
    service text not null,
    plan_id text not null,
    current integer not null check (current in (0, 1))
) strict;
create unique index service_offer_current on service_offer (service, plan_id) where current = 1;

-- What a line of an order gives: one deployment of the plan at a time. Until when is said by its entitlement alone.
-- `wish` (sealed) is what its buyer wants with it; `wish_of` the deployment that is to go on by it.
create table service_right (
    order_id text not null,
    line integer not null,
    account text not null,
    placed_by text not null,
    service text not null,
    plan_id text not null,
    metered integer not null check (metered in (0, 1)),
    wish text,
    wish_of text,
    -- Why the wish could not be carried out.
    problem text not null default '',
    deployment text references deployment (id),
    -- Since when it is not paid any more, and whether its deployment was running then.
    lapsed_at integer,
    was_running integer not null default 0 check (was_running in (0, 1)),
    -- What is measured and not yet a whole minor unit, in minor units times the microseconds of a thousand hours.
    rest integer not null default 1800000000000,
    paid_at integer,
    ended_at integer,
    created_at integer not null,
    primary key (order_id, line)
) strict;
create unique index service_right_carries on service_right (deployment) where deployment is not null;
create index service_right_of on service_right (account, service);
create index service_right_live on service_right (paid_at) where ended_at is null;

-- What an hour of a deployment cost that is paid by use: told to the billing once.
create table service_usage (
    deployment text not null references deployment (id),
    hour integer not null,
    order_id text not null,
    line integer not null,
    -- In minor units.
    quantity integer not null check (quantity >= 0),
    at integer not null,
    state text not null check (state in ('open', 'counted', 'refused')),
    primary key (deployment, hour)
) strict;
create index service_usage_open on service_usage (at) where state = 'open';
