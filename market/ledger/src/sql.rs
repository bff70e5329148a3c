//! Every statement of the books.

use store::sql;

sql! {
    pub(crate) FIND_ACCOUNT = "select key from ledger_account where name = $1 and currency = $2";
    pub(crate) INSERT_ACCOUNT = "insert into ledger_account (name, kind, currency, debit_normal, guarded, created_at) \
        values ($1, $2, $3, $4, $5, $6) on conflict (name, currency) do nothing returning key";
    pub(crate) INSERT_JOURNAL = "insert into ledger_journal (name, created_at) values ($1, $2) \
        on conflict (name) do nothing returning seq",
        read "select last_insert_rowid()";
    pub(crate) INSERT_TRANSFER = "insert into ledger_transfer \
        (seq, phase, pending, debit, credit, amount, reason, matures_at) values ($1, $2, $3, $4, $5, $6, $7, $8)";

    pub(crate) LIST_RESERVED = "select t.seq, t.debit, t.credit, t.amount, t.reason, t.matures_at, d.guarded, \
        c.guarded, e.phase from ledger_journal j \
        join ledger_transfer t on t.seq between j.seq * 256 and j.seq * 256 + 255 and t.phase = 1 \
        join ledger_account d on d.key = t.debit join ledger_account c on c.key = t.credit \
        left join ledger_transfer e on e.pending = t.seq where j.name = $1 order by t.seq";

    pub(crate) RAISE_BALANCE = "insert into ledger_balance (account, posted, reserved) values ($1, $2, 0) \
        on conflict (account) do update set posted = ledger_balance.posted + excluded.posted";
    // The condition says what the row's check says, so that the caller hears of it without a failed statement.
    pub(crate) CHANGE_BALANCE = "update ledger_balance set posted = posted + $2, reserved = reserved + $3 \
        where account = $1 and posted + $2 >= reserved + $3";
    pub(crate) FIND_BALANCE = "select posted, reserved from ledger_balance where account = $1";
    pub(crate) SUM_MOVED_SINCE = "select cast(coalesce(sum(m), 0) as bigint) from ( \
        select sum(amount) as m from ledger_transfer where credit = $1 and seq >= $2 and phase in (0, 2) \
        union all select -sum(amount) from ledger_transfer where debit = $1 and seq >= $2 and phase in (0, 2)) as parts";
    pub(crate) SUM_INCOMING = "select cast(coalesce(sum(case when phase = 1 then amount \
        when phase >= 2 then -amount else 0 end), 0) as bigint) from ledger_transfer where credit = $1";

    // The checkpoint and the rows after it.
    pub(crate) SUM_ACCOUNT = "select cast(coalesce(sum(d), 0) as bigint), cast(coalesce(sum(c), 0) as bigint), \
        cast(coalesce(sum(pd), 0) as bigint), cast(coalesce(sum(pc), 0) as bigint) from ( \
        select debits as d, credits as c, pending_debits as pd, pending_credits as pc \
            from ledger_checkpoint where account = $1 \
        union all select sum(case when phase in (0, 2) then amount else 0 end), 0, \
            sum(case when phase = 1 then amount when phase >= 2 then -amount else 0 end), 0 from ledger_transfer \
            where debit = $1 and seq > (select condensed from ledger_horizon where id = 1) \
        union all select 0, sum(case when phase in (0, 2) then amount else 0 end), 0, \
            sum(case when phase = 1 then amount when phase >= 2 then -amount else 0 end) from ledger_transfer \
            where credit = $1 and seq > (select condensed from ledger_horizon where id = 1) \
        ) as parts";
    pub(crate) SUM_MATURING = "select cast(coalesce(sum(m), 0) as bigint) from ( \
        select sum(amount) as m from ledger_transfer \
            where credit = $1 and matures_at > $2 and matures_at is not null and phase in (0, 2) \
        union all select -sum(amount) from ledger_transfer \
            where debit = $1 and matures_at > $2 and matures_at is not null and phase in (0, 2)) as parts";

    pub(crate) FIND_HORIZON = "select condensed, next, mark from ledger_horizon where id = 1 for update";
    pub(crate) SET_HORIZON = "update ledger_horizon set condensed = $1, next = $2, mark = $3 where id = 1";
    pub(crate) FIND_LAST_TRANSFER = "select coalesce(max(seq), 0) * 256 + 255 from ledger_journal";
    // SQLite has one writer: what is committed is all there is below.
    pub(crate) TAKE_MARK = "select 0",
        postgres "select cast(cast(pg_snapshot_xmax(pg_current_snapshot()) as text) as bigint)";
    pub(crate) HAS_MARK_PASSED = "select cast($1 as bigint) >= 0", postgres
        "select cast(cast(pg_snapshot_xmin(pg_current_snapshot()) as text) as bigint) >= cast($1 as bigint)";
    pub(crate) CONDENSE = "insert into ledger_checkpoint (account, debits, credits, pending_debits, pending_credits) \
        select account, sum(d), sum(c), sum(pd), sum(pc) from ( \
            select debit as account, case when phase in (0, 2) then amount else 0 end as d, 0 as c, \
                case when phase = 1 then amount when phase >= 2 then -amount else 0 end as pd, 0 as pc \
                from ledger_transfer where seq > $1 and seq <= $2 \
            union all select credit, 0, case when phase in (0, 2) then amount else 0 end, 0, \
                case when phase = 1 then amount when phase >= 2 then -amount else 0 end \
                from ledger_transfer where seq > $1 and seq <= $2) as parts \
        where account is not null group by account \
        on conflict (account) do update set debits = ledger_checkpoint.debits + excluded.debits, \
            credits = ledger_checkpoint.credits + excluded.credits, \
            pending_debits = ledger_checkpoint.pending_debits + excluded.pending_debits, \
            pending_credits = ledger_checkpoint.pending_credits + excluded.pending_credits";

    // Each list: what names $1, older than $2, at most $3 after passing over $4.
    pub(crate) LIST_TRANSFERS = "select t.seq, j.name, j.created_at, t.phase, e.phase, d.name, c.name, \
        t.amount, d.currency, t.reason, t.matures_at from ledger_transfer t \
        join ledger_journal j on j.seq = t.seq / 256 \
        join ledger_account d on d.key = t.debit join ledger_account c on c.key = t.credit \
        left join ledger_transfer e on e.pending = t.seq \
        where $1 = '' and t.seq < $2 order by t.seq desc limit $3 offset $4";
    pub(crate) LIST_TRANSFERS_OF_JOURNALS = "select t.seq, j.name, j.created_at, t.phase, e.phase, d.name, c.name, \
        t.amount, d.currency, t.reason, t.matures_at from ledger_journal j \
        join ledger_transfer t on t.seq between j.seq * 256 and j.seq * 256 + 255 \
        join ledger_account d on d.key = t.debit join ledger_account c on c.key = t.credit \
        left join ledger_transfer e on e.pending = t.seq \
        where j.name >= $1 and j.name < $1 || '~' and t.seq < $2 order by t.seq desc limit $3 offset $4";
    pub(crate) LIST_TRANSFERS_OF_ACCOUNT = "select t.seq, j.name, j.created_at, t.phase, e.phase, d.name, c.name, \
        t.amount, d.currency, t.reason, t.matures_at from ( \
            select * from (select * from ledger_transfer where debit = $1 and seq < $2 \
                and ($6 = 0 or phase in (0, 2) or (phase = 1 and not exists \
                    (select 1 from ledger_transfer e where e.pending = ledger_transfer.seq))) order by seq desc limit $5) as debits \
            union all select * from (select * from ledger_transfer where credit = $1 and seq < $2 \
                and ($6 = 0 or phase in (0, 2) or (phase = 1 and not exists \
                    (select 1 from ledger_transfer e where e.pending = ledger_transfer.seq))) order by seq desc limit $5) as credits) as t \
        join ledger_journal j on j.seq = t.seq / 256 \
        join ledger_account d on d.key = t.debit join ledger_account c on c.key = t.credit \
        left join ledger_transfer e on e.pending = t.seq order by t.seq desc limit $3 offset $4";
    pub(crate) COUNT_TRANSFERS = "select count(*) from ledger_transfer where $1 = ''";
    pub(crate) COUNT_TRANSFERS_OF_JOURNALS = "select count(*) from ledger_journal j join ledger_transfer t \
        on t.seq between j.seq * 256 and j.seq * 256 + 255 where j.name >= $1 and j.name < $1 || '~'";
    pub(crate) COUNT_TRANSFERS_OF_ACCOUNT = "select (select count(*) from ledger_transfer where debit = $1 \
            and ($2 = 0 or phase in (0, 2) or (phase = 1 and not exists \
            (select 1 from ledger_transfer e where e.pending = ledger_transfer.seq)))) + (select count(*) from ledger_transfer where credit = $1 \
            and ($2 = 0 or phase in (0, 2) or (phase = 1 and not exists \
            (select 1 from ledger_transfer e where e.pending = ledger_transfer.seq))))";

    pub(crate) LIST_ACCOUNTS = "select a.name, a.kind, a.currency, a.debit_normal, \
        cast(coalesce(k.debits, 0) + coalesce((select sum(case when phase in (0, 2) then amount else 0 end) \
            from ledger_transfer where debit = a.key and seq > h.condensed), 0) as bigint), \
        cast(coalesce(k.credits, 0) + coalesce((select sum(case when phase in (0, 2) then amount else 0 end) \
            from ledger_transfer where credit = a.key and seq > h.condensed), 0) as bigint), \
        cast(coalesce(k.pending_debits, 0) + coalesce((select sum(case when phase = 1 then amount \
            when phase >= 2 then -amount else 0 end) \
            from ledger_transfer where debit = a.key and seq > h.condensed), 0) as bigint), \
        cast(coalesce(k.pending_credits, 0) + coalesce((select sum(case when phase = 1 then amount \
            when phase >= 2 then -amount else 0 end) \
            from ledger_transfer where credit = a.key and seq > h.condensed), 0) as bigint) \
        from (select key, name, kind, currency, debit_normal from ledger_account \
            where ($1 = '' or kind = $1) and ($2 = '' or currency = $2) and ($3 = '' or name = $3 \
                or name = kind || ':' || $3) order by kind, currency, key limit $4 offset $5) as a \
        join ledger_horizon h on h.id = 1 left join ledger_checkpoint k on k.account = a.key \
        order by a.kind, a.currency, a.key";
    pub(crate) COUNT_ACCOUNTS = "select count(*) from ledger_account \
        where ($1 = '' or kind = $1) and ($2 = '' or currency = $2) and ($3 = '' or name = $3 \
            or name = kind || ':' || $3)";

    pub(crate) SUM_KINDS = "select a.currency, a.kind, a.debit_normal, count(distinct a.key), \
        cast(coalesce(sum(d), 0) as bigint), cast(coalesce(sum(c), 0) as bigint), \
        cast(coalesce(sum(pd), 0) as bigint), cast(coalesce(sum(pc), 0) as bigint) from ledger_account a left join ( \
        select account, debits as d, credits as c, pending_debits as pd, pending_credits as pc from ledger_checkpoint \
        union all select debit, case when phase in (0, 2) then amount else 0 end, 0, \
            case when phase = 1 then amount when phase >= 2 then -amount else 0 end, 0 from ledger_transfer \
            where seq > (select condensed from ledger_horizon where id = 1) \
        union all select credit, 0, case when phase in (0, 2) then amount else 0 end, 0, \
            case when phase = 1 then amount when phase >= 2 then -amount else 0 end from ledger_transfer \
            where seq > (select condensed from ledger_horizon where id = 1) \
        ) as parts on parts.account = a.key group by a.currency, a.kind, a.debit_normal \
        order by a.currency, a.debit_normal desc, a.kind";

    // The audit. Each tells of at most a hundred rows: who has more to mend begins with these.
    pub(crate) AUDIT_ORPHANS = "select t.seq, t.debit, t.credit from ledger_transfer t \
        left join ledger_account d on d.key = t.debit left join ledger_account c on c.key = t.credit \
        left join ledger_journal j on j.seq = t.seq / 256 \
        where d.key is null or c.key is null or j.seq is null order by t.seq limit 100";
    pub(crate) AUDIT_CURRENCIES = "select t.seq, d.currency, c.currency from ledger_transfer t \
        join ledger_account d on d.key = t.debit join ledger_account c on c.key = t.credit \
        where d.currency <> c.currency order by t.seq limit 100";
    pub(crate) AUDIT_AMOUNTS = "select seq, amount from ledger_transfer \
        where amount <= 0 or debit = credit or phase not in (0, 1, 2, 3) order by seq limit 100";
    pub(crate) AUDIT_ENDS = "select e.seq, e.pending from ledger_transfer e \
        left join ledger_transfer p on p.seq = e.pending where (e.phase >= 2 or e.pending is not null) and \
        (e.phase < 2 or p.seq is null or p.phase <> 1 or p.debit <> e.debit or p.credit <> e.credit \
        or p.amount <> e.amount) order by e.seq limit 100";
    pub(crate) AUDIT_TWICE = "select pending, count(*) from ledger_transfer where pending is not null \
        group by pending having count(*) > 1 order by pending limit 100";
    pub(crate) AUDIT_BALANCES = "select a.name, a.currency, coalesce(b.posted, 0), coalesce(b.reserved, 0), \
        cast(coalesce(s.posted, 0) as bigint), cast(coalesce(s.reserved, 0) as bigint) from ledger_account a \
        left join ledger_balance b on b.account = a.key left join ( \
            select account, sum(p) as posted, sum(r) as reserved from ( \
                select debit as account, case when phase in (0, 2) then -amount else 0 end as p, \
                    case when phase = 1 then amount when phase >= 2 then -amount else 0 end as r from ledger_transfer \
                union all select credit, case when phase in (0, 2) then amount else 0 end, 0 from ledger_transfer \
            ) as parts group by account) as s on s.account = a.key \
        where a.guarded = 1 and (coalesce(b.posted, 0) <> coalesce(s.posted, 0) \
            or coalesce(b.reserved, 0) <> coalesce(s.reserved, 0) or coalesce(b.posted, 0) < coalesce(b.reserved, 0)) \
        order by a.key limit 100";
    pub(crate) AUDIT_CHECKPOINTS = "select k.account, k.debits, k.credits, \
        cast(coalesce(s.d, 0) as bigint), cast(coalesce(s.c, 0) as bigint) from ledger_checkpoint k left join ( \
            select account, sum(d) as d, sum(c) as c, sum(pd) as pd, sum(pc) as pc from ( \
                select debit as account, case when phase in (0, 2) then amount else 0 end as d, 0 as c, \
                    case when phase = 1 then amount when phase >= 2 then -amount else 0 end as pd, 0 as pc \
                    from ledger_transfer where seq <= (select condensed from ledger_horizon where id = 1) \
                union all select credit, 0, case when phase in (0, 2) then amount else 0 end, 0, \
                    case when phase = 1 then amount when phase >= 2 then -amount else 0 end \
                    from ledger_transfer where seq <= (select condensed from ledger_horizon where id = 1) \
            ) as parts group by account) as s on s.account = k.account \
        where k.debits <> coalesce(s.d, 0) or k.credits <> coalesce(s.c, 0) \
            or k.pending_debits <> coalesce(s.pd, 0) or k.pending_credits <> coalesce(s.pc, 0) \
        order by k.account limit 100";
}
