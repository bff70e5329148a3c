-- Every change writes an event: nothing is kept beside it that nobody asks for. On SQLite the order of the rows is that
-- of the log.
-- sqlite only
create table event_lean (
    seq integer primary key autoincrement,
    tx integer not null,
    id text not null,
    type text not null,
    subject text not null,
    version integer not null,
    occurred_at integer not null,
    data text not null,
    audience text not null default ''
) strict;
insert into event_lean (seq, tx, id, type, subject, version, occurred_at, data, audience)
    select seq, tx, id, type, subject, version, occurred_at, data, audience from event order by seq;
drop table event;
alter table event_lean rename to event;
-- postgres only
alter table event drop constraint event_id_key;
drop index event_subject;
-- both
