-- The log of domain events. `tx` is 0 on SQLite, which has one writer; on PostgreSQL it is the writing
-- transaction's number, by which a reader knows that nothing can still appear before what it reads.
create table event (
    seq integer primary key autoincrement,
    tx integer not null,
    id text not null unique,
    type text not null,
    subject text not null,
    version integer not null,
    occurred_at integer not null,
    data text not null
) strict;
create index event_position on event (tx, seq);
create index event_subject on event (subject, seq);

-- How far each consumer has read.
create table event_cursor (
    consumer text primary key,
    tx integer not null,
    seq integer not null
) strict;
