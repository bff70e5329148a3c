//! Every statement of this room, and how rows become values.

use kernel::{Currency, Money};
use store::{FromRow, Row, StoreError, sql};

use crate::dispute::Dispute;
use crate::method::{Method, MethodView};
use crate::payment::{Payment, Reason, State, Wish, gateway_name};
use crate::refund::{Refund, RefundState};

sql! {
    // Payments.
    pub(crate) INSERT_PAYMENT = "insert into payment (id, purpose, subject, payer, amount_minor, currency, \
        captured_minor, state, wish, gateway, instrument, brand, last4, description, key, due_at, version, \
        created_at, updated_at, means) \
        values ($1, $2, $3, $4, $5, $6, $7, $8, 'capture', $9, $10, $11, $12, $13, $14, $15, 1, $16, $16, $17) \
        on conflict do nothing";
    pub(crate) FIND_PAYMENT = "select id, purpose, subject, payer, amount_minor, currency, refunded_minor, \
        refunding_minor, state, wish, gateway, reference, instrument, brand, last4, failure_code, failure_message, \
        next_action, description, attempts, version, created_at, updated_at from payment where id = $1";
    pub(crate) FIND_PAYMENT_BY_KEY = "select id, purpose, subject, payer, amount_minor, currency, refunded_minor, \
        refunding_minor, state, wish, gateway, reference, instrument, brand, last4, failure_code, failure_message, \
        next_action, description, attempts, version, created_at, updated_at from payment \
        where payer = $1 and key = $2";
    pub(crate) FIND_MEANS = "select means from payment where id = $1";
    pub(crate) FIND_PAYMENT_ID_BY_REFERENCE = "select id from payment where gateway = $1 and reference = $2";
    pub(crate) LIST_PAYMENTS_OF_SUBJECT = "select id, purpose, subject, payer, amount_minor, currency, refunded_minor, \
        refunding_minor, state, wish, gateway, reference, instrument, brand, last4, failure_code, failure_message, \
        next_action, description, attempts, version, created_at, updated_at from payment where subject = $1 \
        order by id limit 100";
    pub(crate) LIST_PAYMENTS_OF_IDS = "select id, purpose, subject, payer, amount_minor, currency, refunded_minor, \
        refunding_minor, state, wish, gateway, reference, instrument, brand, last4, failure_code, failure_message, \
        next_action, description, attempts, version, created_at, updated_at from payment where id in each($1)";
    pub(crate) LIST_BEHIND = "select id, id from payment where id in each($1) \
        union all select id, payment from refund where id in each($1) \
        union all select id, payment from dispute where id in each($1)";
    pub(crate) LIST_PAYMENTS_OF_PAYER = "select id, purpose, subject, payer, amount_minor, currency, refunded_minor, \
        refunding_minor, state, wish, gateway, reference, instrument, brand, last4, failure_code, failure_message, \
        next_action, description, attempts, version, created_at, updated_at from payment where payer in each($1) \
        order by id desc limit $2 offset $3";
    pub(crate) COUNT_PAYMENTS_OF_PAYER = "select count(*) from payment where payer in each($1)";
    /// An id, a subject, a payer or a gateway's reference, whole; a state; or all.
    pub(crate) SEARCH_PAYMENTS = "select id, purpose, subject, payer, amount_minor, currency, refunded_minor, \
        refunding_minor, state, wish, gateway, reference, instrument, brand, last4, failure_code, failure_message, \
        next_action, description, attempts, version, created_at, updated_at from payment \
        where ($1 = '' or id = $1 or subject = $1 or payer = $1 or reference = $1) and ($2 = '' or state = $2) \
        order by id desc limit $3 offset $4";
    pub(crate) COUNT_SEARCHED_PAYMENTS = "select count(*) from payment \
        where ($1 = '' or id = $1 or subject = $1 or payer = $1 or reference = $1) and ($2 = '' or state = $2)";
    /// Takes payments that are due and puts them off, so that no other process takes them meanwhile.
    pub(crate) CLAIM_DUE_PAYMENTS = "update payment set due_at = $2 where id in \
        (select id from payment where due_at <= $1 order by due_at limit $3) \
        returning id, purpose, subject, payer, amount_minor, currency, refunded_minor, \
        refunding_minor, state, wish, gateway, reference, instrument, brand, last4, failure_code, failure_message, \
        next_action, description, attempts, version, created_at, updated_at";
    pub(crate) MAKE_ALL_DUE = "update payment set due_at = $1 where due_at > $1 and state <> 'captured'";
    /// A transition: only from the state and version that were looked at.
    pub(crate) MOVE_PAYMENT = "update payment set state = $4, captured_minor = $5, wish = $6, reference = $7, \
        brand = $8, last4 = $9, failure_code = $10, failure_message = $11, next_action = $12, due_at = $13, \
        attempts = 0, note = null, version = version + 1, updated_at = $14 \
        where id = $1 and state = $2 and version = $3";
    /// The verdict on money that is reserved; no transition.
    pub(crate) SET_GIVE_BACK = "update payment set wish = 'give_back', failure_code = $2, failure_message = $3 \
        where id = $1";
    pub(crate) PUT_OFF_PAYMENT = "update payment set due_at = $3, attempts = attempts + 1, note = $4, \
        reference = coalesce($5, reference) where id = $1 and version = $2 \
        and state not in ('captured', 'failed', 'cancelled')";
    pub(crate) CALL_OFF_PAYMENTS = "update payment set wish = 'give_back', due_at = $2, version = version + 1, \
        updated_at = $3 where subject = $1 and state in ('created', 'submitted', 'unknown') and wish = 'capture' \
        returning id, purpose, subject, payer, amount_minor, currency, refunded_minor, \
        refunding_minor, state, wish, gateway, reference, instrument, brand, last4, failure_code, failure_message, \
        next_action, description, attempts, version, created_at, updated_at";
    pub(crate) CALL_OFF_PAYMENT = "update payment set wish = 'give_back', due_at = $2, version = version + 1, \
        updated_at = $3 where id = $1 and state in ('created', 'submitted', 'unknown') and wish = 'capture' \
        returning id, purpose, subject, payer, amount_minor, currency, refunded_minor, \
        refunding_minor, state, wish, gateway, reference, instrument, brand, last4, failure_code, failure_message, \
        next_action, description, attempts, version, created_at, updated_at";
    /// The buyer gives or confirms a card: only what is still open and was not given before changes.
    pub(crate) SET_INSTRUMENT = "update payment set instrument = $3, brand = $4, last4 = $5, due_at = $6, \
        version = version + 1, updated_at = $7 where id = $1 and instrument = $2 \
        and state in ('created', 'submitted') and wish = 'capture'";

    // Refunds.
    pub(crate) RESERVE_REFUND = "update payment set refunding_minor = refunding_minor + $2, version = version + 1, \
        updated_at = $3 where id = $1 and state = 'captured' \
        and refunded_minor + refunding_minor + $2 <= captured_minor";
    pub(crate) INSERT_REFUND = "insert into refund (id, payment, amount_minor, currency, state, reason, given_back, \
        key, due_at, version, created_at, updated_at) values ($1, $2, $3, $4, 'reserved', $5, $6, $7, $8, 1, $9, $9)";
    pub(crate) FIND_REFUND = "select id, payment, amount_minor, currency, state, reason, reference, failure_code, \
        failure_message, given_back, version, created_at, updated_at, attempts from refund where id = $1";
    pub(crate) FIND_REFUND_BY_KEY = "select id, payment, amount_minor, currency, state, reason, reference, \
        failure_code, failure_message, given_back, version, created_at, updated_at, attempts from refund \
        where payment = $1 and key = $2";
    pub(crate) LIST_REFUNDS = "select id, payment, amount_minor, currency, state, reason, reference, failure_code, \
        failure_message, given_back, version, created_at, updated_at, attempts from refund \
        where payment = $1 order by id limit 200";
    pub(crate) CLAIM_DUE_REFUNDS = "update refund set due_at = $2 where id in \
        (select id from refund where due_at <= $1 order by due_at limit $3) \
        returning id, payment, amount_minor, currency, state, reason, reference, failure_code, \
        failure_message, given_back, version, created_at, updated_at, attempts";
    pub(crate) MAKE_ALL_REFUNDS_DUE = "update refund set due_at = $1 where due_at > $1";
    pub(crate) MOVE_REFUND = "update refund set state = $4, reference = $5, failure_code = $6, failure_message = $7, \
        due_at = $8, attempts = attempts + $9, version = version + 1, updated_at = $10 \
        where id = $1 and state = $2 and version = $3";
    pub(crate) PUT_OFF_REFUND = "update refund set due_at = $3, attempts = attempts + 1, \
        reference = coalesce($4, reference) where id = $1 and version = $2";
    pub(crate) END_REFUNDING = "update payment set refunding_minor = refunding_minor - $2, \
        refunded_minor = refunded_minor + $3, version = version + 1, updated_at = $4 where id = $1";

    // Disputes.
    pub(crate) INSERT_DISPUTE = "insert into dispute (id, payment, gateway, reference, amount_minor, currency, state, \
        reason, version, created_at, updated_at) values ($1, $2, $3, $4, $5, $6, 'opened', $7, 1, $8, $8) \
        on conflict (gateway, reference) do nothing";
    pub(crate) FIND_DISPUTE = "select id, payment, amount_minor, currency, state, reason, reference, version, \
        created_at, updated_at from dispute where gateway = $1 and reference = $2";
    pub(crate) MOVE_DISPUTE = "update dispute set state = $3, version = version + 1, updated_at = $4 \
        where id = $1 and state = 'opened' and version = $2";
    pub(crate) LIST_DISPUTES = "select id, payment, amount_minor, currency, state, reason, reference, version, \
        created_at, updated_at from dispute where payment = $1 order by id limit 50";
    pub(crate) SET_DUE = "update payment set due_at = $2 where id = $1 and state = 'captured'";

    // Methods.
    pub(crate) FIND_CUSTOMER = "select reference from payment_customer where account = $1 and gateway = $2";
    pub(crate) INSERT_CUSTOMER = "insert into payment_customer (account, gateway, reference) values ($1, $2, $3) \
        on conflict (account, gateway) do nothing";
    pub(crate) LIST_METHODS = "select id, account, gateway, brand, last4, exp_month, exp_year, is_default, created_at, \
        instrument from payment_method where account = $1 order by is_default desc, id desc limit 100";
    pub(crate) FIND_METHOD = "select id, account, gateway, brand, last4, exp_month, exp_year, is_default, created_at, \
        instrument from payment_method where id = $1";
    pub(crate) FIND_METHOD_BY_INSTRUMENT = "select id, account, gateway, brand, last4, exp_month, exp_year, \
        is_default, created_at, instrument from payment_method \
        where account = $1 and gateway = $2 and instrument = $3";
    pub(crate) COUNT_METHODS = "select count(*) from payment_method where account = $1";
    pub(crate) INSERT_METHOD = "insert into payment_method (id, account, gateway, instrument, brand, last4, exp_month, \
        exp_year, is_default, created_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    pub(crate) CLEAR_DEFAULT = "update payment_method set is_default = 0 where account = $1 and is_default = 1";
    pub(crate) SET_DEFAULT = "update payment_method set is_default = 1 where id = $1 and account = $2";
    pub(crate) DELETE_METHOD = "delete from payment_method where id = $1 and account = $2";
    pub(crate) SET_NEWEST_DEFAULT = "update payment_method set is_default = 1 where id = \
        (select max(id) from payment_method where account = $1) and not exists \
        (select 1 from payment_method where account = $1 and is_default = 1)";

    // The inbox.
    pub(crate) INSERT_NOTICE = "insert into gateway_event (gateway, id, kind, object, payment, reference, \
        received_at, due_at) values ($1, $2, $3, $4, $5, $6, $7, $7) on conflict (gateway, id) do nothing";
    pub(crate) CLAIM_DUE_NOTICES = "update gateway_event set due_at = $2, attempts = attempts + 1 \
        where due_at is not null and (gateway, id) in \
        (select gateway, id from gateway_event where due_at <= $1 order by due_at limit $3) \
        returning gateway, id, kind, object, payment, reference, attempts";
    pub(crate) END_NOTICE = "update gateway_event set handled_at = $3, due_at = null, outcome = $4 \
        where gateway = $1 and id = $2";
    pub(crate) PUT_OFF_NOTICE = "update gateway_event set due_at = $3, outcome = $4 \
        where gateway = $1 and id = $2 and handled_at is null";
    pub(crate) REPLAY_NOTICE = "update gateway_event set handled_at = null, due_at = $3, attempts = 0 \
        where gateway = $1 and id = $2";
    pub(crate) LIST_NOTICES = "select gateway, id, kind, object, payment, outcome, received_at, handled_at, attempts \
        from gateway_event where $1 = '' or payment = $1 order by received_at desc, id limit $2 offset $3";
    pub(crate) COUNT_NOTICES = "select count(*) from gateway_event where $1 = '' or payment = $1";
}

fn wrong(statement: &'static str, index: usize, reason: impl ToString) -> StoreError {
    StoreError::Decode { statement, index, reason: reason.to_string() }
}

/// A text column that is parsed.
fn parsed<T: std::str::FromStr>(row: &Row<'_>, index: usize) -> Result<T, StoreError>
where
    T::Err: ToString,
{
    row.get::<String>(index)?.parse().map_err(|error: T::Err| wrong("a row of payments", index, error))
}

fn reason(row: &Row<'_>, index: usize) -> Result<Option<Reason>, StoreError> {
    let code: Option<String> = row.get(index)?;
    let message: Option<String> = row.get(index + 1)?;
    Ok(code.map(|code| Reason { code, message: message.unwrap_or_default() }))
}

fn gateway(row: &Row<'_>, index: usize) -> Result<&'static str, StoreError> {
    gateway_name(&row.get::<String>(index)?).map_err(|error| wrong("a row of payments", index, error))
}

impl FromRow for Payment {
    fn from_row(row: &Row<'_>) -> Result<Self, StoreError> {
        let currency: Currency = parsed(row, 5)?;
        let (brand, last4): (Option<String>, Option<String>) = (row.get(13)?, row.get(14)?);
        let action: Option<String> = row.get(17)?;
        let action = action.map(|text| serde_json::from_str(&text)).transpose();
        Ok(Self {
            id: row.get(0)?,
            purpose: row.get(1)?,
            subject: row.get(2)?,
            payer: row.get(3)?,
            amount: Money::new(row.get(4)?, currency),
            refunded_minor: row.get(6)?,
            refunding_minor: row.get(7)?,
            state: parsed::<State>(row, 8)?,
            wish: if row.get::<String>(9)? == Wish::GiveBack.name() { Wish::GiveBack } else { Wish::Capture },
            gateway: gateway(row, 10)?,
            reference: row.get(11)?,
            instrument: row.get(12)?,
            method: brand.zip(last4).map(|(brand, last4)| MethodView { brand, last4 }),
            failure: reason(row, 15)?,
            next_action: action.map_err(|error| wrong("a row of payments", 17, error))?,
            description: row.get(18)?,
            attempts: row.get(19)?,
            version: row.get(20)?,
            created_at: row.get(21)?,
            updated_at: row.get(22)?,
        })
    }
}

impl FromRow for Refund {
    fn from_row(row: &Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.get(0)?,
            payment: row.get(1)?,
            amount: Money::new(row.get(2)?, parsed(row, 3)?),
            state: parsed::<RefundState>(row, 4)?,
            reason: row.get(5)?,
            reference: row.get(6)?,
            failure: reason(row, 7)?,
            is_given_back: row.get(9)?,
            version: row.get(10)?,
            created_at: row.get(11)?,
            updated_at: row.get(12)?,
            attempts: row.get(13)?,
        })
    }
}

impl FromRow for Dispute {
    fn from_row(row: &Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.get(0)?,
            payment: row.get(1)?,
            amount: Money::new(row.get(2)?, parsed(row, 3)?),
            state: parsed(row, 4)?,
            reason: row.get(5)?,
            reference: row.get(6)?,
            version: row.get(7)?,
            created_at: row.get(8)?,
            updated_at: row.get(9)?,
        })
    }
}

impl FromRow for Method {
    fn from_row(row: &Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.get(0)?,
            account: row.get(1)?,
            gateway: gateway(row, 2)?,
            view: MethodView { brand: row.get(3)?, last4: row.get(4)? },
            exp_month: row.get(5)?,
            exp_year: row.get(6)?,
            is_default: row.get(7)?,
            created_at: row.get(8)?,
            instrument: row.get(9)?,
        })
    }
}

impl store::ToValue for Wish {
    fn to_value(&self) -> store::Value<'_> {
        store::Value::Text(self.name())
    }
}
