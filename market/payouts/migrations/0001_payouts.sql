-- Where a gateway sends a seller's money.
create table payout_account (
    seller text not null,
    gateway text not null,
    reference text not null,
    ready integer not null check (ready in (0, 1)),
    -- What the gateway still wants to know, one per line.
    missing text not null,
    updated_at integer not null,
    primary key (seller, gateway)
) strict;

-- When a seller is paid out without asking. Who has no row asks.
create table payout_schedule (
    seller text primary key,
    every text not null check (every in ('manual', 'daily', 'weekly', 'monthly')),
    -- The least to pay out by itself, in whole major units of each currency.
    minimum integer not null check (minimum between 0 and 1000000),
    next_at integer,
    version integer not null,
    updated_at integer not null,
    check ((every = 'manual') = (next_at is null))
) strict;
create index payout_schedule_due on payout_schedule (next_at) where next_at is not null;

create table payout (
    id text primary key,
    seller text not null,
    currency text not null check (length(currency) = 3),
    amount integer not null check (amount > 0),
    gateway text not null,
    destination text not null,
    state text not null check (state in ('requested', 'submitted', 'unknown', 'paid', 'failed')),
    -- The gateway's name of the transfer.
    reference text,
    failure_code text,
    failure_message text,
    -- Who asked; none for the schedule.
    requested_by text,
    attempts integer not null check (attempts >= 0),
    -- When the gateway is asked again; none when it has ended.
    due_at integer,
    version integer not null check (version > 0),
    created_at integer not null,
    updated_at integer not null,
    check ((due_at is null) = (state in ('paid', 'failed'))),
    check ((failure_code is not null) = (state = 'failed'))
) strict;
-- A seller has one payout under way per currency, so that nothing is paid twice.
create unique index payout_under_way on payout (seller, currency) where due_at is not null;
create index payout_due on payout (due_at) where due_at is not null;
create index payout_by_seller on payout (seller, created_at);
create index payout_by_state on payout (state, created_at);
