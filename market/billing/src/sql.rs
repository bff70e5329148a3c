//! The statements of this room.

use store::sql;

// Subscriptions.
sql! {
    pub(crate) INSERT_SUBSCRIPTION = "insert into subscription (id, order_id, line, buyer, placed_by, seller, listing, kind, title, \
        country, region, currency, quantity, created_at, offer, offer_name, unit_price_minor, period, meter, \
        state, anchor, anchor_period, current_period, period_start, period_end, renews_at, pay_by, \
        updated_at, version, cancel_at_end, credit_minor, open_quantity) values ($1, $2, $3, $4, $5, $6, $7, \
        $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, \
        $14, 1, 0, 0, 0) on conflict (order_id, line) do nothing";
    pub(crate) FIND_SUBSCRIPTION = "select id, order_id, line, buyer, placed_by, seller, listing, kind, title, country, region, \
        currency, quantity, version, created_at, offer, offer_name, unit_price_minor, period, meter, \
        next_offer, next_offer_name, next_price_minor, next_period, state, anchor, anchor_period, \
        current_period, period_start, period_end, renews_at, cancel_at_end, pay_by, credit_minor, \
        grace_ends_at, limit_minor, limit_told, open_quantity, end_reason, updated_at, ended_at from \
        subscription where id = $1";
    pub(crate) LOCK_SUBSCRIPTION = "select id, order_id, line, buyer, placed_by, seller, listing, kind, title, country, region, \
        currency, quantity, version, created_at, offer, offer_name, unit_price_minor, period, meter, \
        next_offer, next_offer_name, next_price_minor, next_period, state, anchor, anchor_period, \
        current_period, period_start, period_end, renews_at, cancel_at_end, pay_by, credit_minor, \
        grace_ends_at, limit_minor, limit_told, open_quantity, end_reason, updated_at, ended_at from \
        subscription where id = $1 for update";
    pub(crate) LIST_OF_ORDER = "select id, order_id, line, buyer, placed_by, seller, listing, kind, title, country, region, \
        currency, quantity, version, created_at, offer, offer_name, unit_price_minor, period, meter, \
        next_offer, next_offer_name, next_price_minor, next_period, state, anchor, anchor_period, \
        current_period, period_start, period_end, renews_at, cancel_at_end, pay_by, credit_minor, \
        grace_ends_at, limit_minor, limit_told, open_quantity, end_reason, updated_at, ended_at from \
        subscription where order_id = $1 order by line for update";
    pub(crate) LIST_OF_ORDERS = "select id, order_id, line, buyer, placed_by, seller, listing, kind, title, country, region, \
        currency, quantity, version, created_at, offer, offer_name, unit_price_minor, period, meter, \
        next_offer, next_offer_name, next_price_minor, next_period, state, anchor, anchor_period, \
        current_period, period_start, period_end, renews_at, cancel_at_end, pay_by, credit_minor, \
        grace_ends_at, limit_minor, limit_told, open_quantity, end_reason, updated_at, ended_at from \
        subscription where order_id in each($1)";
    /// Compare and set: state and version are what was read.
    pub(crate) MOVE_SUBSCRIPTION = "update subscription set offer = $4, offer_name = $5, unit_price_minor = $6, period = $7, next_offer \
        = $8, next_offer_name = $9, next_price_minor = $10, next_period = $11, state = $12, anchor = $13, \
        anchor_period = $14, current_period = $15, period_start = $16, period_end = $17, renews_at = $18, \
        cancel_at_end = $19, pay_by = $20, credit_minor = $21, grace_ends_at = $22, limit_minor = $23, \
        limit_told = $24, open_quantity = $25, end_reason = $26, updated_at = $27, ended_at = $28, version = \
        version + 1 where id = $1 and state = $2 and version = $3";
    pub(crate) LIST_RENEWALS_DUE = "select id from subscription where renews_at is not null and renews_at <= $1 order by renews_at limit \
        $2";
    pub(crate) LIST_LAPSED = "select id from subscription where renews_at is not null and state = 'past_due' and grace_ends_at <= \
        $1 order by grace_ends_at limit $2";
    pub(crate) LIST_OF_BUYERS = "select id, order_id, line, buyer, placed_by, seller, listing, kind, title, country, region, \
        currency, quantity, version, created_at, offer, offer_name, unit_price_minor, period, meter, \
        next_offer, next_offer_name, next_price_minor, next_period, state, anchor, anchor_period, \
        current_period, period_start, period_end, renews_at, cancel_at_end, pay_by, credit_minor, \
        grace_ends_at, limit_minor, limit_told, open_quantity, end_reason, updated_at, ended_at from \
        subscription where buyer in each($1) and ($2 = '' or state = $2) order by created_at desc, id desc \
        limit $3 offset $4";
    pub(crate) COUNT_OF_BUYERS = "select count(*) from subscription where buyer in each($1) and ($2 = '' or state = $2)";
    pub(crate) LIST_OF_SELLERS = "select id, order_id, line, buyer, placed_by, seller, listing, kind, title, country, region, \
        currency, quantity, version, created_at, offer, offer_name, unit_price_minor, period, meter, \
        next_offer, next_offer_name, next_price_minor, next_period, state, anchor, anchor_period, \
        current_period, period_start, period_end, renews_at, cancel_at_end, pay_by, credit_minor, \
        grace_ends_at, limit_minor, limit_told, open_quantity, end_reason, updated_at, ended_at from \
        subscription where seller in each($1) and ($2 = '' or state = $2) order by created_at desc, id desc \
        limit $3 offset $4";
    pub(crate) COUNT_OF_SELLERS = "select count(*) from subscription where seller in each($1) and ($2 = '' or state = $2)";
    pub(crate) LIST_ALL = "select id, order_id, line, buyer, placed_by, seller, listing, kind, title, country, region, \
        currency, quantity, version, created_at, offer, offer_name, unit_price_minor, period, meter, \
        next_offer, next_offer_name, next_price_minor, next_period, state, anchor, anchor_period, \
        current_period, period_start, period_end, renews_at, cancel_at_end, pay_by, credit_minor, \
        grace_ends_at, limit_minor, limit_told, open_quantity, end_reason, updated_at, ended_at from \
        subscription where ($1 = '' or $1 = id or $1 = buyer or $1 = seller) and ($2 = '' or state = $2) \
        order by created_at desc, id desc limit $3 offset $4";
    pub(crate) COUNT_ALL = "select count(*) from subscription where ($1 = '' or $1 = id or $1 = buyer or $1 = seller) and ($2 = \
        '' or state = $2)";
    pub(crate) COUNT_STATES = "select currency, state, period, count(*), cast(sum(case when meter is null then unit_price_minor * \
        quantity else 0 end) as bigint) from subscription where seller in each($1) group by currency, state, \
        period order by currency, state, period";
    pub(crate) COUNT_ALL_STATES = "select currency, state, period, count(*), cast(sum(case when meter is null then unit_price_minor * \
        quantity else 0 end) as bigint) from subscription group by currency, state, period order by \
        currency, state, period";
}

// Invoices, receipts, credit notes.
sql! {
    pub(crate) INSERT_INVOICE = "insert into invoice (id, kind, subscription, order_id, period, of_invoice, refund, buyer, seller, \
        title, currency, tax_name, tax_basis_points, tax_inclusive, subtotal_minor, discount_minor, \
        promotion_minor, tax_minor, fee_minor, seller_minor, total_minor, state, period_start, period_end, \
        next_attempt_at, to_offer, to_offer_name, to_price_minor, to_period, year, sequence, payment, paid_at, \
        matures_at, created_at, updated_at, version, attempts, failure) values ($1, $2, $3, $4, $5, $6, $7, \
        $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, \
        $29, $30, $31, $32, $33, $34, $35, $35, 1, 0, '') on conflict do nothing";
    pub(crate) FIND_RECEIPT = "select 1 from invoice where order_id = $1 and seller = $2 and kind = 'receipt'";
    pub(crate) INSERT_LINE = "insert into invoice_line (invoice, number, title, quantity, unit_price_minor, amount_minor) values \
        ($1, $2, $3, $4, $5, $6)";
    pub(crate) FIND_INVOICE = "select id, kind, subscription, order_id, period, of_invoice, refund, buyer, seller, title, currency, \
        tax_name, tax_basis_points, tax_inclusive, subtotal_minor, discount_minor, promotion_minor, \
        tax_minor, fee_minor, seller_minor, total_minor, refunded_minor, refunding_minor, state, year, \
        sequence, period_start, period_end, payment, attempt, attempts, next_attempt_at, failure, to_offer, \
        to_offer_name, to_price_minor, to_period, version, created_at, paid_at, matures_at, updated_at from \
        invoice where id = $1";
    pub(crate) LOCK_INVOICE = "select id, kind, subscription, order_id, period, of_invoice, refund, buyer, seller, title, currency, \
        tax_name, tax_basis_points, tax_inclusive, subtotal_minor, discount_minor, promotion_minor, \
        tax_minor, fee_minor, seller_minor, total_minor, refunded_minor, refunding_minor, state, year, \
        sequence, period_start, period_end, payment, attempt, attempts, next_attempt_at, failure, to_offer, \
        to_offer_name, to_price_minor, to_period, version, created_at, paid_at, matures_at, updated_at from \
        invoice where id = $1 for update";
    pub(crate) LIST_RECEIPTS = "select id, kind, subscription, order_id, period, of_invoice, refund, buyer, seller, title, currency, \
        tax_name, tax_basis_points, tax_inclusive, subtotal_minor, discount_minor, promotion_minor, \
        tax_minor, fee_minor, seller_minor, total_minor, refunded_minor, refunding_minor, state, year, \
        sequence, period_start, period_end, payment, attempt, attempts, next_attempt_at, failure, to_offer, \
        to_offer_name, to_price_minor, to_period, version, created_at, paid_at, matures_at, updated_at from \
        invoice where order_id = $1 and kind = 'receipt' order by id for update";
    pub(crate) LIST_CREDIT_NOTES = "select id, kind, subscription, order_id, period, of_invoice, refund, buyer, seller, title, currency, \
        tax_name, tax_basis_points, tax_inclusive, subtotal_minor, discount_minor, promotion_minor, \
        tax_minor, fee_minor, seller_minor, total_minor, refunded_minor, refunding_minor, state, year, \
        sequence, period_start, period_end, payment, attempt, attempts, next_attempt_at, failure, to_offer, \
        to_offer_name, to_price_minor, to_period, version, created_at, paid_at, matures_at, updated_at from \
        invoice where of_invoice = $1 order by created_at, id limit 200";
    pub(crate) FIND_CREDIT_NOTE = "select id, kind, subscription, order_id, period, of_invoice, refund, buyer, seller, title, currency, \
        tax_name, tax_basis_points, tax_inclusive, subtotal_minor, discount_minor, promotion_minor, \
        tax_minor, fee_minor, seller_minor, total_minor, refunded_minor, refunding_minor, state, year, \
        sequence, period_start, period_end, payment, attempt, attempts, next_attempt_at, failure, to_offer, \
        to_offer_name, to_price_minor, to_period, version, created_at, paid_at, matures_at, updated_at from \
        invoice where of_invoice = $1 and refund = $2 and kind = 'credit_note' for update";
    pub(crate) LIST_OPEN = "select id, kind, subscription, order_id, period, of_invoice, refund, buyer, seller, title, currency, \
        tax_name, tax_basis_points, tax_inclusive, subtotal_minor, discount_minor, promotion_minor, \
        tax_minor, fee_minor, seller_minor, total_minor, refunded_minor, refunding_minor, state, year, \
        sequence, period_start, period_end, payment, attempt, attempts, next_attempt_at, failure, to_offer, \
        to_offer_name, to_price_minor, to_period, version, created_at, paid_at, matures_at, updated_at from \
        invoice where subscription = $1 and state = 'open' and kind in ('period', 'change') order by \
        created_at for update";
    pub(crate) FIND_LAST_PAID = "select id, kind, subscription, order_id, period, of_invoice, refund, buyer, seller, title, currency, \
        tax_name, tax_basis_points, tax_inclusive, subtotal_minor, discount_minor, promotion_minor, \
        tax_minor, fee_minor, seller_minor, total_minor, refunded_minor, refunding_minor, state, year, \
        sequence, period_start, period_end, payment, attempt, attempts, next_attempt_at, failure, to_offer, \
        to_offer_name, to_price_minor, to_period, version, created_at, paid_at, matures_at, updated_at from \
        invoice where subscription = $1 and period = $2 and kind = 'period' and state = 'paid' for update";
    pub(crate) LIST_LINES = "select number, title, quantity, unit_price_minor, amount_minor, credited_minor from invoice_line \
        where invoice = $1 order by number";
    pub(crate) CREDIT_LINE = "update invoice_line set credited_minor = credited_minor + $3 where invoice = $1 and number = $2";
    /// Compare and set: state and version are what was read.
    pub(crate) MOVE_INVOICE = "update invoice set state = $4, year = $5, sequence = $6, payment = $7, attempt = $8, attempts = $9, \
        next_attempt_at = $10, failure = $11, refunded_minor = $12, refunding_minor = $13, paid_at = $14, \
        matures_at = $15, updated_at = $16, version = version + 1 where id = $1 and state = $2 and version = \
        $3";
    /// Taken in the transaction that pays: what is undone leaves no gap.
    pub(crate) NEXT_NUMBER = "insert into invoice_counter (seller, year, last) values ($1, $2, 1) on conflict (seller, year) do \
        update set last = invoice_counter.last + 1 returning last",
        read "select last from invoice_counter where seller = $1 and year = $2";
    pub(crate) LIST_ATTEMPTS_DUE = "select id from invoice where next_attempt_at is not null and next_attempt_at <= $1 order by \
        next_attempt_at limit $2";
    pub(crate) LIST_INVOICES_OF_BUYERS = "select id, kind, subscription, order_id, period, of_invoice, refund, buyer, seller, title, currency, \
        tax_name, tax_basis_points, tax_inclusive, subtotal_minor, discount_minor, promotion_minor, \
        tax_minor, fee_minor, seller_minor, total_minor, refunded_minor, refunding_minor, state, year, \
        sequence, period_start, period_end, payment, attempt, attempts, next_attempt_at, failure, to_offer, \
        to_offer_name, to_price_minor, to_period, version, created_at, paid_at, matures_at, updated_at from \
        invoice where buyer in each($1) and ($2 = '' or subscription = $2 or order_id = $2) and (kind <> \
        'credit_note' or state = 'paid') and ($5 = '' or id < $5) order by id desc limit $3 offset $4";
    pub(crate) COUNT_INVOICES_OF_BUYERS = "select count(*) from invoice where buyer in each($1) and ($2 = '' or subscription = $2 or order_id = \
        $2) and (kind <> 'credit_note' or state = 'paid')";
    pub(crate) LIST_INVOICES_OF_SELLERS = "select id, kind, subscription, order_id, period, of_invoice, refund, buyer, seller, title, currency, \
        tax_name, tax_basis_points, tax_inclusive, subtotal_minor, discount_minor, promotion_minor, \
        tax_minor, fee_minor, seller_minor, total_minor, refunded_minor, refunding_minor, state, year, \
        sequence, period_start, period_end, payment, attempt, attempts, next_attempt_at, failure, to_offer, \
        to_offer_name, to_price_minor, to_period, version, created_at, paid_at, matures_at, updated_at from \
        invoice where seller in each($1) and ($2 = '' or subscription = $2 or order_id = $2) and (kind <> \
        'credit_note' or state = 'paid') and ($5 = '' or id < $5) order by id desc limit $3 offset $4";
    pub(crate) COUNT_INVOICES_OF_SELLERS = "select count(*) from invoice where seller in each($1) and ($2 = '' or subscription = $2 or order_id \
        = $2) and (kind <> 'credit_note' or state = 'paid')";
}

// Usage and how sellers bill.
sql! {
    pub(crate) INSERT_USAGE = "insert into usage_record (seller, source, id, subscription, quantity, used_at, received_at) values \
        ($1, $2, $3, $4, $5, $6, $7) on conflict (seller, source, id) do nothing";
    pub(crate) FIND_USAGE = "select subscription, quantity, used_at from usage_record where seller = $1 and source = $2 and id = \
        $3";
    pub(crate) SUM_USAGE = "select cast(coalesce(sum(quantity), 0) as bigint) from usage_record where subscription = $1 and \
        invoice is null and used_at < $2";
    /// Each record is on one invoice: only what is on none is taken.
    pub(crate) BILL_USAGE = "update usage_record set invoice = $2 where subscription = $1 and invoice is null and used_at < $3";
    pub(crate) FIND_SELLER = "select refund_unused, details, version from billing_seller where seller = $1";
    pub(crate) KEEP_DETAILS = "insert into billing_former_details (seller, until, details) values ($1, $2, $3) \
        on conflict do nothing";
    pub(crate) FIND_FORMER_DETAILS = "select details from billing_former_details where seller = $1 and until > $2 \
        order by until limit 1";
    pub(crate) SET_SELLER = "insert into billing_seller (seller, refund_unused, details, version, updated_at) values ($1, $2, $3, \
        1, $4) on conflict (seller) do update set refund_unused = excluded.refund_unused, details = \
        excluded.details, version = billing_seller.version + 1, updated_at = excluded.updated_at";
}
