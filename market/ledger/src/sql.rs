//! Every statement of the books.

use store::sql;

sql! {
    pub(crate) FIND_ACCOUNT = "select key from ledger_account where name = $1 and currency = $2";
    pub(crate) INSERT_ACCOUNT = "insert into ledger_account (name, kind, currency, debit_normal, guarded, created_at) \
        values ($1, $2, $3, $4, $5, $6) on conflict (name, currency) do nothing returning key";
    pub(crate) INSERT_JOURNAL = "insert into ledger_journal (name, created_at) values ($1, $2) \
        on conflict (name) do nothing returning seq";
    pub(crate) INSERT_TRANSFER = "insert into ledger_transfer \
        (seq, phase, pending, debit, credit, amount, reason, matures_at) values ($1, $2, $3, $4, $5, $6, $7, $8)";
    // Most journals have two or three transfers; on PostgreSQL one statement saves the ways to the server.
    pub(crate) INSERT_TWO_TRANSFERS = "insert into ledger_transfer \
        (seq, phase, pending, debit, credit, amount, reason, matures_at) values \
        ($1, $2, $3, $4, $5, $6, $7, $8), ($9, $10, $11, $12, $13, $14, $15, $16)";
    pub(crate) INSERT_THREE_TRANSFERS = "insert into ledger_transfer \
        (seq, phase, pending, debit, credit, amount, reason, matures_at) values \
        ($1, $2, $3, $4, $5, $6, $7, $8), ($9, $10, $11, $12, $13, $14, $15, $16), \
        ($17, $18, $19, $20, $21, $22, $23, $24)";

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
    pub(crate) SUM_INCOMING = "select cast(coalesce(sum(case when phase = 1 then amount \
        when phase >= 2 then -amount else 0 end), 0) as bigint) from ledger_transfer where credit = $1";

    // A checkpoint and the rows after it.
    pub(crate) SUM_ACCOUNT = "select cast(coalesce(sum(d), 0) as bigint), cast(coalesce(sum(c), 0) as bigint), \
        cast(coalesce(sum(pd), 0) as bigint), cast(coalesce(sum(pc), 0) as bigint) from ( \
        select debits as d, credits as c, pending_debits as pd, pending_credits as pc \
            from ledger_checkpoint where account = $1 \
        union all select sum(case when phase in (0, 2) then amount else 0 end), 0, \
            sum(case when phase = 1 then amount when phase >= 2 then -amount else 0 end), 0 from ledger_transfer \
            where debit = $1 and seq > coalesce((select through from ledger_checkpoint where account = $1), 0) \
        union all select 0, sum(case when phase in (0, 2) then amount else 0 end), 0, \
            sum(case when phase = 1 then amount when phase >= 2 then -amount else 0 end) from ledger_transfer \
            where credit = $1 and seq > coalesce((select through from ledger_checkpoint where account = $1), 0) \
        ) as parts";
    pub(crate) SUM_MATURING = "select cast(coalesce(sum(m), 0) as bigint) from ( \
        select sum(amount) as m from ledger_transfer \
            where credit = $1 and matures_at > $2 and matures_at is not null and phase in (0, 2) \
        union all select -sum(amount) from ledger_transfer \
            where debit = $1 and matures_at > $2 and matures_at is not null and phase in (0, 2)) as parts";
}
