-- Double entry in whole minor units: the room's README says what the words mean.

-- One account holds one currency: `wallet:user-…` in USD and in EUR are two accounts.
create table ledger_account (
    key integer primary key autoincrement,
    name text not null,
    kind text not null,
    currency text not null check (length(currency) = 3),
    -- 1: grows by debits (assets, expenses); 0: grows by credits.
    debit_normal integer not null check (debit_normal in (0, 1)),
    -- 1: has a balance row that never goes below zero.
    guarded integer not null check (guarded in (0, 1)),
    created_at integer not null,
    unique (name, currency)
) strict;
create index ledger_account_by_kind on ledger_account (kind, currency);

-- A business event; its name makes that it is posted once.
create table ledger_journal (
    seq integer primary key autoincrement,
    name text not null unique,
    created_at integer not null
) strict;

-- `seq` is the journal's seq * 256 + the line, so that a journal's transfers lie together and need no index.
-- phase 0: posted at once; 1: pending; 2: the pending one is posted; 3: the pending one is given up.
-- No foreign keys to the accounts: on PostgreSQL each would lock the row of a busy account. The audit checks them.
create table ledger_transfer (
    seq integer primary key,
    phase integer not null check (phase between 0 and 3),
    pending integer check ((pending is not null) = (phase >= 2)),
    debit integer not null,
    credit integer not null check (credit <> debit),
    amount integer not null check (amount > 0),
    reason text not null,
    matures_at integer
) strict;
-- A pending transfer ends once.
create unique index ledger_transfer_end on ledger_transfer (pending) where pending is not null;
-- Sums read these alone.
create index ledger_transfer_by_debit on ledger_transfer (debit, seq, phase, amount);
create index ledger_transfer_by_credit on ledger_transfer (credit, seq, phase, amount);
create index ledger_transfer_maturing on ledger_transfer (credit, matures_at, amount, phase)
    where matures_at is not null and phase in (0, 2);
create index ledger_transfer_unmaturing on ledger_transfer (debit, matures_at, amount, phase)
    where matures_at is not null and phase in (0, 2);

-- Guarded accounts only: others would make every sale wait for one row.
create table ledger_balance (
    account integer primary key references ledger_account (key),
    posted integer not null,
    reserved integer not null check (reserved >= 0),
    check (posted >= reserved)
) strict;

-- Sums of each account up to the horizon, so that a balance need not add up everything there ever was.
create table ledger_checkpoint (
    account integer primary key,
    debits integer not null,
    credits integer not null,
    pending_debits integer not null,
    pending_credits integer not null
) strict;

-- All checkpoints reach up to and with the transfer `condensed`. They may go on to `next` once every transaction has
-- ended that ran when `mark` was taken: on PostgreSQL lower numbers may be committed after higher ones.
create table ledger_horizon (
    id integer primary key check (id = 1),
    condensed integer not null,
    next integer not null,
    mark integer not null
) strict;
insert into ledger_horizon (id, condensed, next, mark) values (1, 0, 0, 0);

-- Journals are searched by how their names begin, in the order of bytes on both databases.
-- postgres only
alter table ledger_journal alter column name type text collate "C";
-- both

-- What is in the books stays as it was written.
-- sqlite only
create trigger ledger_account_is_not_updated before update on ledger_account
begin select raise(abort, 'ledger accounts are never changed'); end;
create trigger ledger_account_is_not_deleted before delete on ledger_account
begin select raise(abort, 'ledger accounts are never deleted'); end;
create trigger ledger_journal_is_not_updated before update on ledger_journal
begin select raise(abort, 'ledger journals are never changed'); end;
create trigger ledger_journal_is_not_deleted before delete on ledger_journal
begin select raise(abort, 'ledger journals are never deleted'); end;
create trigger ledger_transfer_is_not_updated before update on ledger_transfer
begin select raise(abort, 'ledger transfers are never changed'); end;
create trigger ledger_transfer_is_not_deleted before delete on ledger_transfer
begin select raise(abort, 'ledger transfers are never deleted'); end;
-- `insert or replace` would delete without asking the triggers above.
create trigger ledger_account_is_not_replaced before insert on ledger_account
when exists (select 1 from ledger_account where key = new.key)
begin select raise(abort, 'ledger accounts are never replaced'); end;
create trigger ledger_journal_is_not_replaced before insert on ledger_journal
when exists (select 1 from ledger_journal where seq = new.seq)
begin select raise(abort, 'ledger journals are never replaced'); end;
create trigger ledger_transfer_is_not_replaced before insert on ledger_transfer
when exists (select 1 from ledger_transfer where seq = new.seq)
begin select raise(abort, 'ledger transfers are never replaced'); end;
-- postgres only
create function ledger_refuses_change() returns trigger language plpgsql as $$
begin raise exception '% rows are never changed', tg_table_name using errcode = 'restrict_violation'; end $$;
create trigger ledger_account_is_not_changed before update or delete or truncate on ledger_account
for each statement execute function ledger_refuses_change();
create trigger ledger_journal_is_not_changed before update or delete or truncate on ledger_journal
for each statement execute function ledger_refuses_change();
create trigger ledger_transfer_is_not_changed before update or delete or truncate on ledger_transfer
for each statement execute function ledger_refuses_change();
-- both
