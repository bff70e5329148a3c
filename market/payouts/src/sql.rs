//! Every statement of payouts.

use store::sql;

sql! {
    pub(crate) INSERT_PAYOUT = "insert into payout (id, seller, currency, amount, gateway, destination, state, \
        requested_by, attempts, due_at, version, created_at, updated_at) \
        values ($1, $2, $3, $4, $5, $6, 'requested', $7, 0, $8, 1, $8, $8) on conflict do nothing";
    pub(crate) FIND_PAYOUT = "select id, seller, currency, amount, gateway, destination, state, reference, \
        failure_code, failure_message, requested_by, attempts, version, created_at, updated_at \
        from payout where id = $1";
    pub(crate) LIST_OF_SELLER = "select id, seller, currency, amount, gateway, destination, state, reference, \
        failure_code, failure_message, requested_by, attempts, version, created_at, updated_at \
        from payout where seller = $1 order by created_at desc, id desc limit $2 offset $3";
    pub(crate) COUNT_OF_SELLER = "select count(*) from payout where seller = $1";
    pub(crate) LIST_ALL = "select id, seller, currency, amount, gateway, destination, state, reference, \
        failure_code, failure_message, requested_by, attempts, version, created_at, updated_at \
        from payout where $1 = '' or state = $1 order by created_at desc, id desc limit $2 offset $3";
    pub(crate) COUNT_ALL = "select count(*) from payout where $1 = '' or state = $1";
    pub(crate) LIST_DUE = "select id from payout where due_at <= $1 and due_at is not null \
        order by due_at limit $2";
    pub(crate) SUM_UNDER_WAY = "select cast(coalesce(sum(amount), 0) as bigint) from payout \
        where seller = $1 and currency = $2 and due_at is not null";
    // Compare and set: state and version are what was read.
    pub(crate) SUBMIT_PAYOUT = "update payout set state = case when state = 'requested' then 'submitted' else state end, \
        attempts = attempts + 1, due_at = $4, version = version + 1, updated_at = $5 \
        where id = $1 and state = $2 and version = $3 \
        returning id, seller, currency, amount, gateway, destination, state, reference, failure_code, \
            failure_message, requested_by, attempts, version, created_at, updated_at";
    pub(crate) MOVE_PAYOUT = "update payout set state = $4, reference = coalesce($5, reference), failure_code = $6, \
        failure_message = $7, due_at = $8, version = version + 1, updated_at = $9 \
        where id = $1 and state = $2 and version = $3 \
        returning id, seller, currency, amount, gateway, destination, state, reference, failure_code, \
            failure_message, requested_by, attempts, version, created_at, updated_at";

    pub(crate) FIND_ACCOUNT = "select gateway, reference, ready, missing, updated_at from payout_account \
        where seller = $1 and gateway = $2";
    pub(crate) SET_ACCOUNT = "insert into payout_account (seller, gateway, reference, ready, missing, updated_at) \
        values ($1, $2, $3, $4, $5, $6) on conflict (seller, gateway) do update set \
        reference = excluded.reference, ready = excluded.ready, missing = excluded.missing, \
        updated_at = excluded.updated_at";

    pub(crate) FIND_SCHEDULE = "select every, minimum, next_at, version from payout_schedule where seller = $1";
    pub(crate) SET_SCHEDULE = "insert into payout_schedule (seller, every, minimum, next_at, version, updated_at) \
        values ($1, $2, $3, $4, 1, $5) on conflict (seller) do update set every = excluded.every, \
        minimum = excluded.minimum, next_at = excluded.next_at, version = payout_schedule.version + 1, \
        updated_at = excluded.updated_at";
    pub(crate) LIST_SCHEDULES_DUE = "select seller, every, minimum, next_at from payout_schedule \
        where next_at <= $1 and next_at is not null order by next_at limit $2";
    pub(crate) ADVANCE_SCHEDULE = "update payout_schedule set next_at = $3 where seller = $1 and next_at = $2";
}
