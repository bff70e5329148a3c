//! The statements of this room.

use store::{FromRow, Row, StoreError, sql};

use crate::deliveries::{Attempt, Delivery};
use crate::endpoint::Endpoint;
use crate::send::Due;

sql! {
    pub(crate) INSERT_ENDPOINT = "insert into webhook (id, account, creator, url, description, events, whole_market, \
        state, reason, secret, version, created_at, updated_at) \
        values ($1, $2, $3, $4, $5, $6, $7, 'enabled', '', $8, 1, $9, $9)";
    pub(crate) COUNT_ENDPOINTS = "select count(*) from webhook where account = $1";
    pub(crate) COUNT_ENABLED = "select count(*) from webhook where state = 'enabled'";
    pub(crate) FIND_ENDPOINT = "select id, account, url, description, events, whole_market, state, reason, \
        old_secret_until, version, created_at from webhook where id = $1";
    pub(crate) LIST_ENDPOINTS = "select id, account, url, description, events, whole_market, state, reason, \
        old_secret_until, version, created_at from webhook where account in each($1) order by id limit $2 offset $3";
    pub(crate) COUNT_LISTED = "select count(*) from webhook where account in each($1)";
    pub(crate) LIST_ENABLED = "select id, account, url, description, events, whole_market, state, reason, \
        old_secret_until, version, created_at from webhook where state = 'enabled' order by id";
    pub(crate) UPDATE_ENDPOINT = "update webhook set url = $3, description = $4, events = $5, state = $6, reason = '', \
        version = version + 1, updated_at = $7 where id = $1 and version = $2";
    pub(crate) DISABLE_ENDPOINT = "update webhook set state = 'disabled', reason = $2, version = version + 1, \
        updated_at = $3 where id = $1 and state = 'enabled'";
    pub(crate) DELETE_ENDPOINT = "delete from webhook where id = $1";
    pub(crate) FIND_SECRETS = "select secret, old_secret, old_secret_until from webhook where id = $1";
    pub(crate) ROTATE_SECRET = "update webhook set old_secret = secret, old_secret_until = $2, secret = $3, \
        version = version + 1, updated_at = $4 where id = $1";

    pub(crate) INSERT_DELIVERY = "insert into webhook_delivery (id, webhook, event_id, type, subject, payload, state, \
        tries, attempts, next_at, created_at) values ($1, $2, $3, $4, $5, $6, 'waiting', 0, 0, $7, $7) \
        on conflict (webhook, event_id) do nothing";
    pub(crate) LIST_DELIVERIES = "select id, webhook, event_id, type, subject, payload, state, attempts, next_at, \
        created_at, ended_at from webhook_delivery where webhook = $1 and ($2 = '' or state = $2) \
        order by seq desc limit $3 offset $4";
    pub(crate) COUNT_DELIVERIES = "select count(*) from webhook_delivery where webhook = $1 and ($2 = '' or state = $2)";
    pub(crate) FIND_DELIVERY = "select id, webhook, event_id, type, subject, payload, state, attempts, next_at, \
        created_at, ended_at from webhook_delivery where id = $1 and webhook = $2";
    pub(crate) LIST_ATTEMPTS = "select number, began_at, took_ms, status, answer from webhook_attempt \
        where delivery = $1 order by number desc limit 100";
    /// A replay begins the schedule anew and keeps the record of earlier attempts.
    pub(crate) REPLAY_DELIVERY = "update webhook_delivery set state = 'waiting', tries = 0, next_at = $3, ended_at = null \
        where id = $1 and webhook = $2";
    pub(crate) DELETE_OLD_DELIVERIES = "delete from webhook_delivery where ended_at < $1";

    /// Of one subject the oldest goes first, until it failed three times: then the others need not wait for it.
    pub(crate) LIST_DUE = "select d.id, d.webhook, w.url, d.event_id, d.payload, d.tries, d.attempts, d.next_at \
        from webhook_delivery d join webhook w on w.id = d.webhook \
        where d.state = 'waiting' and d.next_at <= $1 and w.state = 'enabled' \
        and not exists (select 1 from webhook_delivery e where e.webhook = d.webhook and e.subject = d.subject \
        and e.state = 'waiting' and e.seq < d.seq and e.tries <= 3) order by d.next_at, d.seq limit $2";
    pub(crate) TAKE_DELIVERY = "update webhook_delivery set tries = tries + 1, attempts = attempts + 1, next_at = $3 \
        where id = $1 and next_at = $2 and state = 'waiting'";
    pub(crate) INSERT_ATTEMPT = "insert into webhook_attempt (delivery, number, began_at, took_ms, status, answer) \
        values ($1, $2, $3, $4, $5, $6)";
    pub(crate) END_DELIVERY = "update webhook_delivery set state = $3, ended_at = $4 \
        where id = $1 and attempts = $2 and state = 'waiting'";
    pub(crate) POSTPONE_DELIVERY = "update webhook_delivery set next_at = $3 \
        where id = $1 and attempts = $2 and state = 'waiting'";
    /// Whether anything has arrived since a time.
    pub(crate) COUNT_ARRIVED = "select count(*) from webhook_delivery \
        where webhook = $1 and state = 'delivered' and ended_at >= $2";
}

impl FromRow for Endpoint {
    fn from_row(row: &Row<'_>) -> Result<Self, StoreError> {
        let state: String = row.get(6)?;
        Ok(Self {
            id: row.get(0)?,
            account: row.get(1)?,
            url: row.get(2)?,
            description: row.get(3)?,
            events: row.get(4)?,
            whole_market: row.get(5)?,
            enabled: state == "enabled",
            reason: row.get(7)?,
            old_secret_until: row.get(8)?,
            version: row.get(9)?,
            created_at: row.get(10)?,
        })
    }
}

store::row!(Delivery {
    id,
    webhook,
    event_id,
    kind,
    subject,
    payload,
    state,
    attempts,
    next_at,
    created_at,
    ended_at
});
store::row!(Attempt { number, began_at, took_ms, status, answer });
store::row!(Due { id, webhook, url, event_id, payload, tries, attempts, next_at });
