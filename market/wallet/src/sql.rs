//! The statements of this room, and how rows become values.

use kernel::{Currency, Money};
use payments::Reason;
use store::{FromRow, Row, StoreError, sql};

use crate::alert::Alert;
use crate::rule::AutoTopUp;
use crate::top_up::TopUp;

sql! {
    pub(crate) INSERT_TOP_UP = "insert into wallet_top_up (id, account, currency, amount, origin, state, payment, method, \
        created_by, version, created_at, updated_at) values ($1, $2, $3, $4, $5, 'pending', $6, $7, $8, 1, $9, $9)";
    pub(crate) FIND_TOP_UP = "select id, account, currency, amount, origin, state, payment, method, failure_code, failure, \
        refunded, created_by, version, created_at, updated_at from wallet_top_up where id = $1";
    pub(crate) FIND_TOP_UP_OF_PAYMENT = "select id, account, currency, amount, origin, state, payment, method, \
        failure_code, failure, refunded, created_by, version, created_at, updated_at from wallet_top_up where payment = $1";
    pub(crate) LIST_TOP_UPS = "select id, account, currency, amount, origin, state, payment, method, failure_code, failure, \
        refunded, created_by, version, created_at, updated_at from wallet_top_up \
        where account = $1 and currency = $2 order by created_at desc, id desc limit $3 offset $4";
    pub(crate) COUNT_TOP_UPS = "select count(*) from wallet_top_up where account = $1 and currency = $2";
    pub(crate) LIST_CURRENCIES = "select distinct currency from wallet_top_up where account = $1 order by currency";
    pub(crate) LIST_TOP_UPS_OF_PAYMENTS = "select id, account, currency, amount, origin, state, payment, method, \
        failure_code, failure, refunded, created_by, version, created_at, updated_at from wallet_top_up \
        where payment in each($1)";
    pub(crate) MOVE_TOP_UP = "update wallet_top_up set state = $3, failure_code = $4, failure = $5, \
        version = version + 1, updated_at = $6 where id = $1 and version = $2";
    pub(crate) ADD_REFUNDED = "update wallet_top_up set refunded = refunded + $2, version = version + 1, updated_at = $3 \
        where id = $1 returning version, refunded";
    pub(crate) SUM_PENDING = "select cast(coalesce(sum(amount), 0) as bigint) from wallet_top_up \
        where account = $1 and currency = $2 and state = 'pending'";
    // What an automatic top-up has done within a day and a month, and whether one is on its way.
    pub(crate) SUM_AUTO = "select \
        cast(coalesce(sum(case when created_at > $3 and state in ('pending', 'paid') then 1 else 0 end), 0) as bigint), \
        cast(coalesce(sum(case when state in ('pending', 'paid') then amount else 0 end), 0) as bigint), \
        cast(coalesce(sum(case when state = 'pending' then 1 else 0 end), 0) as bigint) \
        from wallet_top_up where account = $1 and currency = $2 and origin = 'auto' \
        and (created_at > $4 or state = 'pending')";

    pub(crate) FIND_AUTO = "select id, account, currency, enabled, threshold, amount, method, max_per_day, monthly_limit, \
        failures, retry_at, reason, set_by, version, created_at, updated_at from wallet_auto_top_up \
        where account = $1 and currency = $2";
    pub(crate) INSERT_AUTO = "insert into wallet_auto_top_up (id, account, currency, enabled, threshold, amount, method, \
        max_per_day, monthly_limit, failures, retry_at, reason, set_by, version, created_at, updated_at) \
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, null, '', $10, 1, $11, $11)";
    pub(crate) UPDATE_AUTO = "update wallet_auto_top_up set enabled = $3, threshold = $4, amount = $5, method = $6, \
        max_per_day = $7, monthly_limit = $8, failures = $9, retry_at = $10, reason = $11, set_by = $12, version = $13, \
        updated_at = $14 where id = $1 and version = $2";
    // What is counted of a rule is no change of what was set: the version stays.
    pub(crate) COUNT_FAILURES = "update wallet_auto_top_up set failures = $2, retry_at = $3 where id = $1";

    pub(crate) FIND_ALERT = "select id, account, currency, enabled, threshold, is_low, set_by, version, created_at, \
        updated_at from wallet_alert where account = $1 and currency = $2";
    pub(crate) INSERT_ALERT = "insert into wallet_alert (id, account, currency, enabled, threshold, is_low, set_by, version, \
        created_at, updated_at) values ($1, $2, $3, $4, $5, $6, $7, 1, $8, $8)";
    pub(crate) UPDATE_ALERT = "update wallet_alert set enabled = $3, threshold = $4, is_low = $5, set_by = $6, \
        version = version + 1, updated_at = $7 where id = $1 and version = $2";

    // Whether anybody watches this wallet, and whether anybody watches any.
    pub(crate) COUNT_WATCHES = "select (select count(*) from wallet_auto_top_up where account = $1 and currency = $2 \
        and enabled = 1) + (select count(*) from wallet_alert where account = $1 and currency = $2 and enabled = 1)";
    pub(crate) COUNT_ALL_WATCHES = "select (select count(*) from wallet_auto_top_up where enabled = 1) \
        + (select count(*) from wallet_alert where enabled = 1)";
}

fn currency(row: &Row<'_>, index: usize) -> Result<Currency, StoreError> {
    let wrong = |reason| StoreError::Decode { statement: "wallet", index, reason };
    row.get::<String>(index)?.parse().map_err(|error: kernel::MoneyError| wrong(error.to_string()))
}

impl FromRow for TopUp {
    fn from_row(row: &Row<'_>) -> Result<Self, StoreError> {
        let failure = match (row.get::<Option<String>>(8)?, row.get::<Option<String>>(9)?) {
            (Some(code), Some(message)) => Some(Reason::new(code, message)),
            _ => None,
        };
        Ok(Self {
            id: row.get(0)?,
            account: row.get(1)?,
            amount: Money::new(row.get(3)?, currency(row, 2)?),
            origin: row.get(4)?,
            state: row.get(5)?,
            payment: row.get(6)?,
            method: row.get(7)?,
            failure,
            refunded_minor: row.get(10)?,
            created_by: row.get(11)?,
            version: row.get(12)?,
            created_at: row.get(13)?,
            updated_at: row.get(14)?,
        })
    }
}

impl FromRow for AutoTopUp {
    fn from_row(row: &Row<'_>) -> Result<Self, StoreError> {
        let currency = currency(row, 2)?;
        let reason: String = row.get(11)?;
        Ok(Self {
            id: row.get(0)?,
            account: row.get(1)?,
            enabled: row.get(3)?,
            threshold: Money::new(row.get(4)?, currency),
            amount: Money::new(row.get(5)?, currency),
            method: row.get(6)?,
            max_per_day: row.get(7)?,
            monthly_limit_minor: row.get(8)?,
            failures: row.get(9)?,
            retry_at: row.get(10)?,
            reason: reason.parse().ok(),
            set_by: row.get(12)?,
            version: row.get(13)?,
            created_at: row.get(14)?,
            updated_at: row.get(15)?,
        })
    }
}

impl FromRow for Alert {
    fn from_row(row: &Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.get(0)?,
            account: row.get(1)?,
            enabled: row.get(3)?,
            threshold: Money::new(row.get(4)?, currency(row, 2)?),
            is_low: row.get(5)?,
            set_by: row.get(6)?,
            version: row.get(7)?,
            created_at: row.get(8)?,
            updated_at: row.get(9)?,
        })
    }
}
