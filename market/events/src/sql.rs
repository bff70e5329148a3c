//! The statements of the event log.

use store::{FromRow, Row, StoreError, sql};

use crate::{Event, Position};

sql! {
    /// Two forms because only PostgreSQL has transactions that overlap.
    pub(crate) INSERT_EVENT = "insert into event (tx, id, type, subject, version, occurred_at, data, audience) \
        values (0, $1, $2, $3, $4, $5, $6, $7)",
        postgres "insert into event (tx, id, type, subject, version, occurred_at, data, audience) \
        values (cast(cast(pg_current_xact_id() as text) as bigint), $1, $2, $3, $4, $5, $6, $7)";
    /// On PostgreSQL only what is older than every running transaction: nothing can appear before it any more. On SQLite
    /// `tx` is always 0 and the order that of the rows; comparing pairs, it would pass over all that was read before.
    pub(crate) LIST_EVENTS_AFTER = "select tx, seq, id, type, subject, version, occurred_at, data, audience from event \
        where seq > $2 and tx >= $1 order by seq limit $3",
        postgres "select tx, seq, id, type, subject, version, occurred_at, data, audience from event \
        where (tx, seq) > ($1, $2) \
        and tx < cast(cast(pg_snapshot_xmin(pg_current_snapshot()) as text) as bigint) \
        order by tx, seq limit $3";
    pub(crate) FIND_LAST_POSITION = "select tx, seq from event order by seq desc limit 1",
        postgres "select tx, seq from event \
        where tx < cast(cast(pg_snapshot_xmin(pg_current_snapshot()) as text) as bigint) \
        order by tx desc, seq desc limit 1";
    pub(crate) FIND_CURSOR = "select tx, seq from event_cursor where consumer = $1 for update";
    pub(crate) READ_CURSOR = "select tx, seq from event_cursor where consumer = $1";
    pub(crate) SET_CURSOR = "insert into event_cursor (consumer, tx, seq) values ($1, $2, $3) \
        on conflict (consumer) do update set tx = excluded.tx, seq = excluded.seq";
    pub(crate) REBASE_CURSORS = "update event_cursor set tx = 0, seq = (select count(*) from event \
        where event.tx < event_cursor.tx or (event.tx = event_cursor.tx and event.seq <= event_cursor.seq))";
    /// Negative at first: a number that another row still has would be refused.
    pub(crate) REBASE_EVENTS = "update event set tx = 0, seq = ranked.number from \
        (select tx as old_tx, seq as old_seq, -row_number() over (order by tx, seq) as number from event) ranked \
        where event.tx = ranked.old_tx and event.seq = ranked.old_seq";
    pub(crate) TURN_POSITIVE = "update event set seq = -seq where seq < 0";
}

store::row!(Position { tx, seq });

impl FromRow for Event {
    fn from_row(row: &Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            position: Position { tx: row.get(0)?, seq: row.get(1)? },
            id: row.get(2)?,
            kind: row.get(3)?,
            subject: row.get(4)?,
            version: row.get(5)?,
            occurred_at: row.get(6)?,
            audience: row.get(8)?,
            data: row.get(7)?,
        })
    }
}
