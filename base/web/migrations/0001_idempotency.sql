-- Answers to requests with an Idempotency-Key, written in the transaction of their effect.
create table idempotency (
    scope text not null,
    key text not null,
    fingerprint blob not null,
    status integer not null,
    body blob not null,
    created_at integer not null,
    primary key (scope, key)
) strict;
create index idempotency_age on idempotency (created_at);
