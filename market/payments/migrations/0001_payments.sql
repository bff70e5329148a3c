-- One attempt to pay. `instrument` is what the gateway charges: an outcome code of the sandbox or the gateway's id of
-- a method; a card number never stands in any table. `due_at` is when the janitor looks at it again.
create table payment (
    id text not null primary key,
    purpose text not null,
    subject text not null,
    payer text not null,
    amount_minor integer not null check (amount_minor > 0),
    currency text not null,
    captured_minor integer not null default 0,
    refunded_minor integer not null default 0 check (refunded_minor >= 0),
    refunding_minor integer not null default 0 check (refunding_minor >= 0),
    state text not null
        check (state in ('created', 'submitted', 'unknown', 'authorised', 'captured', 'failed', 'cancelled')),
    wish text not null check (wish in ('capture', 'give_back')),
    gateway text not null,
    reference text,
    instrument text not null,
    brand text,
    last4 text,
    failure_code text,
    failure_message text,
    next_action text,
    description text not null,
    key text,
    note text,
    attempts integer not null default 0 check (attempts >= 0),
    due_at integer,
    version integer not null,
    created_at integer not null,
    updated_at integer not null,
    check (captured_minor = case when state = 'captured' then amount_minor else 0 end),
    -- Concurrent refunds can never exceed the capture.
    check (refunded_minor + refunding_minor <= captured_minor),
    -- What has not ended is looked at again.
    check (due_at is not null or state in ('captured', 'failed', 'cancelled'))
) strict;

create unique index payment_key on payment (payer, key) where key is not null;
create unique index payment_reference on payment (gateway, reference) where reference is not null;
create index payment_subject on payment (subject);
create index payment_payer on payment (payer, id);
create index payment_due on payment (due_at) where due_at is not null;

-- Money that goes back. `given_back`: the market itself returns what came too late; no purpose ever saw it.
create table refund (
    id text not null primary key,
    payment text not null references payment (id),
    amount_minor integer not null check (amount_minor > 0),
    currency text not null,
    state text not null check (state in ('reserved', 'unknown', 'settled', 'failed')),
    reason text not null,
    given_back integer not null check (given_back in (0, 1)),
    key text,
    reference text,
    failure_code text,
    failure_message text,
    attempts integer not null default 0 check (attempts >= 0),
    due_at integer,
    version integer not null,
    created_at integer not null,
    updated_at integer not null,
    check ((due_at is null) = (state in ('settled', 'failed')))
) strict;

create unique index refund_key on refund (payment, key) where key is not null;
create index refund_payment on refund (payment);
create index refund_due on refund (due_at) where due_at is not null;

create table dispute (
    id text not null primary key,
    payment text not null references payment (id),
    gateway text not null,
    reference text not null,
    amount_minor integer not null check (amount_minor > 0),
    currency text not null,
    state text not null check (state in ('opened', 'won', 'lost')),
    reason text not null,
    version integer not null,
    created_at integer not null,
    updated_at integer not null,
    unique (gateway, reference)
) strict;
create index dispute_payment on dispute (payment);

-- What a gateway calls an account of ours.
create table payment_customer (
    account text not null,
    gateway text not null,
    reference text not null,
    primary key (account, gateway)
) strict;

-- Saved cards.
create table payment_method (
    id text not null primary key,
    account text not null,
    gateway text not null,
    instrument text not null,
    brand text not null,
    last4 text not null,
    exp_month integer not null check (exp_month between 1 and 12),
    exp_year integer not null,
    is_default integer not null check (is_default in (0, 1)),
    created_at integer not null
) strict;
create index payment_method_account on payment_method (account, id);
create unique index payment_method_default on payment_method (account) where is_default = 1;

-- Webhooks of gateways, each once. Handling one means: look at what it is about.
create table gateway_event (
    gateway text not null,
    id text not null,
    kind text not null,
    object text not null,
    payment text,
    reference text,
    outcome text,
    received_at integer not null,
    handled_at integer,
    attempts integer not null default 0,
    due_at integer,
    primary key (gateway, id),
    check ((due_at is null) = (handled_at is not null))
) strict;
create index gateway_event_due on gateway_event (due_at) where due_at is not null;
create index gateway_event_received on gateway_event (received_at);
create index gateway_event_payment on gateway_event (payment) where payment is not null;
