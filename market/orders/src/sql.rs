//! Every statement of this room, and how rows become values.

use kernel::Currency;
use store::{FromRow, Row, StoreError, sql};

use crate::order::{Hold, Line, Order};
use crate::price::Amounts;

// Orders, their holds and lines.
sql! {
    pub(crate) INSERT_ORDER = "insert into orders (id, buyer, placed_by, state, hold_id, hold_state, hold_ends_at, hold_extended, \
        extension_seconds, currency, subtotal_minor, discount_minor, promotion_minor, tax_minor, fee_minor, \
        seller_minor, total_minor, promo, country, region, version, created_at, updated_at) values ($1, $2, $3, \
        'pending', $4, 'live', $5, 0, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, 1, $18, $18)";
    pub(crate) INSERT_LINE = "insert into order_line (order_id, number, listing, offer, kind, seller, subject, title, offer_name, \
        pricing, unit, unit_label, quantity, unit_price_minor, subtotal_minor, discount_minor, promotion_minor, \
        tax_minor, fee_minor, seller_minor, total_minor, has_unit) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, \
        $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)";
    pub(crate) FIND_ORDER = "select id, buyer, placed_by, state, hold_id, hold_state, hold_ends_at, hold_extended, extension_seconds, \
        currency, subtotal_minor, discount_minor, promotion_minor, tax_minor, fee_minor, seller_minor, \
        total_minor, refunded_minor, refunding_minor, promo, country, region, payment, version, created_at, \
        paid_at, matures_at, updated_at from orders where id = $1";
    /// [`FIND_ORDER`] for who decides by it.
    pub(crate) LOCK_ORDER = "select id, buyer, placed_by, state, hold_id, hold_state, hold_ends_at, hold_extended, extension_seconds, \
        currency, subtotal_minor, discount_minor, promotion_minor, tax_minor, fee_minor, seller_minor, \
        total_minor, refunded_minor, refunding_minor, promo, country, region, payment, version, created_at, \
        paid_at, matures_at, updated_at from orders where id = $1 for update";
    /// Orders by id, the newest first.
    pub(crate) LIST_ORDERS = "select id, buyer, placed_by, state, hold_id, hold_state, hold_ends_at, hold_extended, extension_seconds, \
        currency, subtotal_minor, discount_minor, promotion_minor, tax_minor, fee_minor, seller_minor, \
        total_minor, refunded_minor, refunding_minor, promo, country, region, payment, version, created_at, \
        paid_at, matures_at, updated_at from orders where id in each($1) order by id desc";
    pub(crate) LIST_LINES = "select number, listing, offer, kind, seller, subject, title, offer_name, pricing, unit, unit_label, \
        quantity, unit_price_minor, subtotal_minor, discount_minor, promotion_minor, tax_minor, fee_minor, \
        seller_minor, total_minor, refunded_minor, refunding_minor, returned from order_line where order_id = $1 \
        order by number";
    pub(crate) LIST_LINES_OF = "select order_id, number, listing, offer, kind, seller, subject, title, offer_name, pricing, unit, \
        unit_label, quantity, unit_price_minor, subtotal_minor, discount_minor, promotion_minor, tax_minor, \
        fee_minor, seller_minor, total_minor, refunded_minor, refunding_minor, returned from order_line where \
        order_id in each($1) order by order_id, number";
    /// From pending to paid, or nothing: whoever comes first, the payment or the end of the hold, has it.
    pub(crate) PAY_ORDER = "update orders set state = 'paid', hold_state = 'consumed', payment = $2, paid_at = $3, matures_at = $4, \
        version = version + 1, updated_at = $3 where id = $1 and state = 'pending' returning id, buyer, \
        placed_by, state, hold_id, hold_state, hold_ends_at, hold_extended, extension_seconds, currency, \
        subtotal_minor, discount_minor, promotion_minor, tax_minor, fee_minor, seller_minor, total_minor, \
        refunded_minor, refunding_minor, promo, country, region, payment, version, created_at, paid_at, \
        matures_at, updated_at",
        read "select id, buyer, placed_by, state, hold_id, hold_state, hold_ends_at, hold_extended, extension_seconds, \
        currency, subtotal_minor, discount_minor, promotion_minor, tax_minor, fee_minor, seller_minor, \
        total_minor, refunded_minor, refunding_minor, promo, country, region, payment, version, created_at, \
        paid_at, matures_at, updated_at from orders where id = $1";
    pub(crate) PAY_ORDER_LATE = "update orders set state = 'paid', hold_id = $5, hold_state = 'consumed', payment = $2, paid_at = $3, \
        matures_at = $4, version = version + 1, updated_at = $3 where id = $1 and state = 'expired' returning \
        id, buyer, placed_by, state, hold_id, hold_state, hold_ends_at, hold_extended, extension_seconds, \
        currency, subtotal_minor, discount_minor, promotion_minor, tax_minor, fee_minor, seller_minor, \
        total_minor, refunded_minor, refunding_minor, promo, country, region, payment, version, created_at, \
        paid_at, matures_at, updated_at",
        read "select id, buyer, placed_by, state, hold_id, hold_state, hold_ends_at, hold_extended, extension_seconds, \
        currency, subtotal_minor, discount_minor, promotion_minor, tax_minor, fee_minor, seller_minor, \
        total_minor, refunded_minor, refunding_minor, promo, country, region, payment, version, created_at, \
        paid_at, matures_at, updated_at from orders where id = $1";
    /// From pending to an end without payment.
    pub(crate) END_ORDER = "update orders set state = $2, hold_state = $3, version = version + 1, updated_at = $4 where id = $1 and \
        state = 'pending' returning id, buyer, placed_by, state, hold_id, hold_state, hold_ends_at, \
        hold_extended, extension_seconds, currency, subtotal_minor, discount_minor, promotion_minor, tax_minor, \
        fee_minor, seller_minor, total_minor, refunded_minor, refunding_minor, promo, country, region, payment, \
        version, created_at, paid_at, matures_at, updated_at",
        read "select id, buyer, placed_by, state, hold_id, hold_state, hold_ends_at, hold_extended, extension_seconds, \
        currency, subtotal_minor, discount_minor, promotion_minor, tax_minor, fee_minor, seller_minor, \
        total_minor, refunded_minor, refunding_minor, promo, country, region, payment, version, created_at, \
        paid_at, matures_at, updated_at from orders where id = $1";
    pub(crate) EXPIRE_ORDER = "update orders set state = 'expired', hold_state = 'expired', version = version + 1, updated_at = $2 \
        where id = $1 and state = 'pending' and hold_ends_at <= $2 returning id, buyer, placed_by, state, \
        hold_id, hold_state, hold_ends_at, hold_extended, extension_seconds, currency, subtotal_minor, \
        discount_minor, promotion_minor, tax_minor, fee_minor, seller_minor, total_minor, refunded_minor, \
        refunding_minor, promo, country, region, payment, version, created_at, paid_at, matures_at, updated_at",
        read "select id, buyer, placed_by, state, hold_id, hold_state, hold_ends_at, hold_extended, extension_seconds, \
        currency, subtotal_minor, discount_minor, promotion_minor, tax_minor, fee_minor, seller_minor, \
        total_minor, refunded_minor, refunding_minor, promo, country, region, payment, version, created_at, \
        paid_at, matures_at, updated_at from orders where id = $1";
    /// Any other transition: only from the state and version that were looked at.
    pub(crate) MOVE_ORDER = "update orders set state = $4, refunded_minor = refunded_minor + $5, refunding_minor = refunding_minor + \
        $6, version = version + 1, updated_at = $7 where id = $1 and state = $2 and version = $3 returning id, \
        buyer, placed_by, state, hold_id, hold_state, hold_ends_at, hold_extended, extension_seconds, currency, \
        subtotal_minor, discount_minor, promotion_minor, tax_minor, fee_minor, seller_minor, total_minor, \
        refunded_minor, refunding_minor, promo, country, region, payment, version, created_at, paid_at, \
        matures_at, updated_at",
        read "select id, buyer, placed_by, state, hold_id, hold_state, hold_ends_at, hold_extended, extension_seconds, \
        currency, subtotal_minor, discount_minor, promotion_minor, tax_minor, fee_minor, seller_minor, \
        total_minor, refunded_minor, refunding_minor, promo, country, region, payment, version, created_at, \
        paid_at, matures_at, updated_at from orders where id = $1";
    /// One attempt to pay at a time, and only while the hold lasts.
    pub(crate) SET_PAYMENT = "update orders set payment = $2, updated_at = $3 where id = $1 and state = 'pending' and hold_ends_at > \
        $3 and (payment is null or payment = $4)";
    pub(crate) CLEAR_PAYMENT = "update orders set payment = null where id = $1 and state = 'pending' and payment = $2";
    pub(crate) EXTEND_HOLD = "update orders set hold_ends_at = hold_ends_at + extension_seconds * 1000000, hold_extended = 1, version \
        = version + 1, updated_at = $2 where id = $1 and state = 'pending' and hold_ends_at > $2 and \
        hold_extended = 0 and extension_seconds > 0 returning id, buyer, placed_by, state, hold_id, hold_state, \
        hold_ends_at, hold_extended, extension_seconds, currency, subtotal_minor, discount_minor, \
        promotion_minor, tax_minor, fee_minor, seller_minor, total_minor, refunded_minor, refunding_minor, \
        promo, country, region, payment, version, created_at, paid_at, matures_at, updated_at";
    pub(crate) SET_TAXES = "update orders set country = $3, region = $4, tax_minor = $5, fee_minor = $6, seller_minor = $7, \
        total_minor = $8, version = version + 1, updated_at = $9 where id = $1 and version = $2 and state = \
        'pending' and hold_ends_at > $9 and payment is null returning id, buyer, placed_by, state, hold_id, \
        hold_state, hold_ends_at, hold_extended, extension_seconds, currency, subtotal_minor, discount_minor, \
        promotion_minor, tax_minor, fee_minor, seller_minor, total_minor, refunded_minor, refunding_minor, \
        promo, country, region, payment, version, created_at, paid_at, matures_at, updated_at";
    pub(crate) SET_LINE_TAXES = "update order_line set tax_minor = $3, fee_minor = $4, seller_minor = $5, total_minor = $6 where order_id \
        = $1 and number = $2";
    /// The order holds and owns these units no more.
    pub(crate) DROP_UNITS = "update order_line set has_unit = 0 where order_id = $1 and has_unit = 1";
    pub(crate) LIST_SOLD = "select number, offer, unit, quantity, on_sale_again from order_line where order_id = $1 \
        order by number";
    /// The order owns these pieces no more, nor the unit, if it is one.
    pub(crate) RESTOCK_LINE = "update order_line set on_sale_again = on_sale_again + $3, has_unit = 0 \
        where order_id = $1 and number = $2";
    pub(crate) TAKE_UNITS = "update order_line set has_unit = 1 where order_id = $1 and unit is not null";
    pub(crate) FIND_DUE = "select id from orders where hold_state = 'live' and hold_ends_at <= $1 order by hold_ends_at limit $2";
    pub(crate) FIND_NEXT_DUE = "select min(hold_ends_at) from orders where hold_state = 'live'";
    /// What a payment brings to whom.
    pub(crate) SUM_BY_SELLER = "select order_line.seller, orders.currency, orders.matures_at, cast(sum(order_line.promotion_minor) as \
        bigint), cast(sum(order_line.tax_minor) as bigint), cast(sum(order_line.fee_minor) as bigint), \
        cast(sum(order_line.seller_minor) as bigint), cast(sum(order_line.total_minor) as bigint) from orders \
        join order_line on order_line.order_id = orders.id where orders.id = $1 group by order_line.seller, \
        orders.currency, orders.matures_at order by order_line.seller";
}

// Lists of orders: each finds ids, a page of them is read by `LIST_ORDERS`.
sql! {
    pub(crate) LIST_OF_BUYERS = "select id from orders where buyer in each($1) and ($2 = '' or state = $2) and ($5 = '' or id < $5) order \
        by id desc limit $3 offset $4";
    pub(crate) COUNT_OF_BUYERS = "select count(*) from orders where buyer in each($1) and ($2 = '' or state = $2)";
    pub(crate) LIST_OF_SELLERS = "select id from orders where id in (select order_id from order_line where seller in each($1)) and paid_at \
        is not null and ($2 = '' or state = $2) and ($5 = '' or id < $5) order by id desc limit $3 offset $4";
    pub(crate) COUNT_OF_SELLERS = "select count(*) from orders where id in (select order_id from order_line where seller in each($1)) and \
        paid_at is not null and ($2 = '' or state = $2)";
    /// An id, a buyer or a payment, whole; a state; or all.
    pub(crate) LIST_ALL = "select id from orders where ($1 = '' or id = $1 or buyer = $1 or payment = $1) and ($2 = '' or state = \
        $2) and ($5 = '' or id < $5) order by id desc limit $3 offset $4";
    pub(crate) COUNT_ALL = "select count(*) from orders where ($1 = '' or id = $1 or buyer = $1 or payment = $1) and ($2 = '' or \
        state = $2)";
}

// Refunds.
sql! {
    pub(crate) INSERT_PLAN = "insert into order_refund (id, order_id, refund, state, amount_minor, give_back, reason, by_account, \
        created_at, updated_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)";
    pub(crate) INSERT_PLAN_LINE = "insert into order_refund_line (plan, number, seller, quantity, subtotal_minor, discount_minor, \
        promotion_minor, tax_minor, fee_minor, seller_minor, total_minor) values ($1, $2, $3, $4, $5, $6, $7, \
        $8, $9, $10, $11)";
    /// The plan made in this very transaction.
    pub(crate) FIND_PLAN = "select id, order_id, refund, state, amount_minor, give_back, reason, by_account, created_at, updated_at \
        from order_refund where order_id = $1 and refund is null and state = 'reserved'";
    pub(crate) SET_PLAN_REFUND = "update order_refund set refund = $2 where id = $1";
    pub(crate) FIND_PLAN_OF_REFUND = "select id, order_id, refund, state, amount_minor, give_back, reason, by_account, created_at, updated_at \
        from order_refund where refund = $1";
    pub(crate) LIST_PLANS = "select id, order_id, refund, state, amount_minor, give_back, reason, by_account, created_at, updated_at \
        from order_refund where order_id = $1 order by id limit 200";
    pub(crate) LIST_PLAN_LINES = "select number, seller, quantity, subtotal_minor, discount_minor, promotion_minor, tax_minor, fee_minor, \
        seller_minor, total_minor from order_refund_line where plan = $1 order by number";
    /// A plan ends once.
    pub(crate) END_PLAN = "update order_refund set state = $2, updated_at = $3 where id = $1 and state = 'reserved'";
    /// The check of the table refuses more than is left.
    pub(crate) RESERVE_LINE = "update order_line set refunding_minor = refunding_minor + $3 where order_id = $1 and number = $2 and \
        refunded_minor + refunding_minor + $3 <= total_minor";
    pub(crate) SETTLE_LINE = "update order_line set refunding_minor = refunding_minor - $3, refunded_minor = refunded_minor + $3, \
        returned = returned + $4 where order_id = $1 and number = $2";
    pub(crate) UNRESERVE_LINE = "update order_line set refunding_minor = refunding_minor - $3 where order_id = $1 and number = $2";
}

// Entitlements.
sql! {
    pub(crate) INSERT_ENTITLEMENT = "insert into entitlement (id, account, subject, kind, title, source, started_at, ends_at, version) values \
        ($1, $2, $3, $4, $5, $6, $7, $8, 1) on conflict (id) do nothing";
    pub(crate) FIND_WAS_OVER = "select case when ended_at is not null or (ends_at is not null and ends_at <= $2) then 1 else 0 end from \
        entitlement where id = $1";
    pub(crate) PROLONG_ENTITLEMENT = "update entitlement set ends_at = $2, ended_at = null, version = version + 1 where id = $1 returning id, \
        account, subject, kind, title, source, started_at, ends_at, ended_at, version";
    pub(crate) END_ENTITLEMENTS = "update entitlement set ended_at = $2, version = version + 1 where id in each($1) and ended_at is null \
        returning id, account, subject, kind, title, source, started_at, ends_at, ended_at, version";
    pub(crate) IS_ENTITLED = "select case when exists (select 1 from entitlement where account = $1 and subject = $2 and ended_at is \
        null and (ends_at is null or ends_at > $3)) then 1 else 0 end";
    pub(crate) LIST_ENTITLEMENTS = "select id, account, subject, kind, title, source, started_at, ends_at, ended_at, version from \
        entitlement where account in each($1) order by started_at desc, id desc limit $2 offset $3";
    pub(crate) LIST_ENTITLEMENTS_BY_ID = "select id, account, subject, kind, title, source, started_at, ends_at, ended_at, version from \
        entitlement where id in each($1)";
    pub(crate) COUNT_ENTITLEMENTS = "select count(*) from entitlement where account in each($1)";
    pub(crate) LIST_ENTITLEMENTS_OF_SOURCE = "select id, account, subject, kind, title, source, started_at, ends_at, ended_at, version from \
        entitlement where source = $1 and account = $2 order by id limit 200";
}

// Promo codes.
sql! {
    pub(crate) INSERT_PROMO = "insert into promo (code, seller, percent_basis, off_minor, currency, valid_from, valid_until, max_uses, \
        max_per_buyer, used, ended_at, created_at, version) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, null, \
        $10, 1) on conflict (code) do nothing";
    pub(crate) FIND_PROMO = "select code, seller, percent_basis, off_minor, currency, valid_from, valid_until, max_uses, \
        max_per_buyer, used, ended_at, created_at, version from promo where code = $1";
    /// The limit is checked and taken at once.
    pub(crate) USE_PROMO = "update promo set used = used + 1 where code = $1 and ended_at is null and (max_uses is null or used < \
        max_uses)";
    pub(crate) USE_PROMO_OF_BUYER = "insert into promo_use (code, buyer, used) values ($1, $2, 1) on conflict (code, buyer) do update set \
        used = promo_use.used + 1 where promo_use.used < $3";
    pub(crate) UNUSE_PROMO = "update promo set used = used - 1 where code = $1 and used > 0";
    pub(crate) UNUSE_PROMO_OF_BUYER = "update promo_use set used = used - 1 where code = $1 and buyer = $2 and used > 0";
    pub(crate) END_PROMO = "update promo set ended_at = $3, version = version + 1 where code = $1 and version = $2 and ended_at is \
        null returning code, seller, percent_basis, off_minor, currency, valid_from, valid_until, max_uses, \
        max_per_buyer, used, ended_at, created_at, version";
    pub(crate) LIST_PROMOS_OF_SELLERS = "select code, seller, percent_basis, off_minor, currency, valid_from, valid_until, max_uses, \
        max_per_buyer, used, ended_at, created_at, version from promo where seller in each($1) order by \
        created_at desc, code limit $2 offset $3";
    pub(crate) COUNT_PROMOS_OF_SELLERS = "select count(*) from promo where seller in each($1)";
    pub(crate) LIST_PROMOS = "select code, seller, percent_basis, off_minor, currency, valid_from, valid_until, max_uses, \
        max_per_buyer, used, ended_at, created_at, version from promo order by created_at desc, code limit $1 \
        offset $2";
    pub(crate) COUNT_PROMOS = "select count(*) from promo";
}

// Fees and taxes.
sql! {
    pub(crate) LIST_FEES = "select kind, seller, basis_points from fee_rule order by kind, seller limit 10000";
    pub(crate) SET_FEE = "insert into fee_rule (kind, seller, basis_points) values ($1, $2, $3) on conflict (kind, seller) do \
        update set basis_points = $3";
    pub(crate) DELETE_FEE = "delete from fee_rule where kind = $1 and seller = $2";
    pub(crate) LIST_TAXES = "select country, region, kind, name, basis_points, inclusive from tax_rate order by country, region, kind \
        limit 10000";
    pub(crate) SET_TAX = "insert into tax_rate (country, region, kind, name, basis_points, inclusive) values ($1, $2, $3, $4, $5, \
        $6) on conflict (country, region, kind) do update set name = $4, basis_points = $5, inclusive = $6";
    pub(crate) DELETE_TAX = "delete from tax_rate where country = $1 and region = $2 and kind = $3";
}

// Carts.
sql! {
    pub(crate) LIST_CART = "select offer, unit, quantity from cart_item where owner = $1 order by added_at, offer, unit limit 100";
    pub(crate) SET_CART_ITEM = "insert into cart_item (owner, offer, unit, quantity, added_at) values ($1, $2, $3, $4, $5) on conflict \
        (owner, offer, unit) do update set quantity = $4";
    pub(crate) ADD_CART_ITEM = "insert into cart_item (owner, offer, unit, quantity, added_at) values ($1, $2, $3, $4, $5) on conflict \
        (owner, offer, unit) do update set quantity = case when $3 = '' then cart_item.quantity + $4 else 1 end";
    pub(crate) COUNT_CART = "select count(*) from cart_item where owner = $1";
    pub(crate) DELETE_CART_ITEM = "delete from cart_item where owner = $1 and offer = $2 and unit = $3";
    pub(crate) CLEAR_CART = "delete from cart_item where owner = $1";
    pub(crate) DELETE_OLD_CARTS = "delete from cart_item where added_at < $1";
}

/// Reads the seven amounts that begin at `first`.
pub(crate) fn amounts(row: &Row<'_>, first: usize) -> Result<Amounts, StoreError> {
    Ok(Amounts {
        subtotal: row.get(first)?,
        discount: row.get(first + 1)?,
        promotion: row.get(first + 2)?,
        tax: row.get(first + 3)?,
        fee: row.get(first + 4)?,
        seller: row.get(first + 5)?,
        total: row.get(first + 6)?,
    })
}

/// Reads a currency.
pub(crate) fn currency(row: &Row<'_>, index: usize) -> Result<Currency, StoreError> {
    let text: String = row.get(index)?;
    text.parse().map_err(|error: kernel::MoneyError| StoreError::Decode {
        statement: "a row of orders",
        index,
        reason: error.to_string(),
    })
}

impl FromRow for Order {
    fn from_row(row: &Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.get(0)?,
            buyer: row.get(1)?,
            placed_by: row.get(2)?,
            state: row.get(3)?,
            hold: Hold {
                id: row.get(4)?,
                state: row.get(5)?,
                ends_at: row.get(6)?,
                extended: row.get(7)?,
                extension_seconds: row.get(8)?,
            },
            currency: currency(row, 9)?,
            amounts: amounts(row, 10)?,
            refunded_minor: row.get(17)?,
            refunding_minor: row.get(18)?,
            promo: row.get(19)?,
            country: row.get(20)?,
            region: row.get(21)?,
            payment: row.get(22)?,
            version: row.get(23)?,
            created_at: row.get(24)?,
            paid_at: row.get(25)?,
            matures_at: row.get(26)?,
            updated_at: row.get(27)?,
        })
    }
}

impl FromRow for Line {
    fn from_row(row: &Row<'_>) -> Result<Self, StoreError> {
        line(row, 0)
    }
}

/// Reads the line that begins at `first`.
pub(crate) fn line(row: &Row<'_>, first: usize) -> Result<Line, StoreError> {
    Ok(Line {
        number: row.get(first)?,
        listing: row.get(first + 1)?,
        offer: row.get(first + 2)?,
        kind: row.get(first + 3)?,
        seller: row.get(first + 4)?,
        subject: row.get(first + 5)?,
        title: row.get(first + 6)?,
        offer_name: row.get(first + 7)?,
        pricing: row.get(first + 8)?,
        unit: row.get(first + 9)?,
        unit_label: row.get(first + 10)?,
        quantity: row.get(first + 11)?,
        unit_price_minor: row.get(first + 12)?,
        amounts: amounts(row, first + 13)?,
        refunded_minor: row.get(first + 20)?,
        refunding_minor: row.get(first + 21)?,
        returned: row.get(first + 22)?,
    })
}
