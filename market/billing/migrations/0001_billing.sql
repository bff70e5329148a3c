-- What somebody pays again and again. A line of an order begins it.
create table subscription (
    id text primary key,
    order_id text not null,
    line integer not null,
    buyer text not null,
    placed_by text not null,
    seller text not null,
    listing text not null,
    kind text not null,
    title text not null,
    country text,
    region text,
    currency text not null check (length(currency) = 3),
    quantity integer not null check (quantity > 0),
    -- The plan, with its price as it was when it was chosen.
    offer text not null,
    offer_name text not null,
    unit_price_minor integer not null check (unit_price_minor >= 0),
    period text not null check (period in ('month', 'year')),
    -- What is metered; null where the price is for the whole period.
    meter text,
    -- The plan from the next period on.
    next_offer text,
    next_offer_name text,
    next_price_minor integer check (next_price_minor >= 0),
    next_period text check (next_period in ('month', 'year')),
    state text not null check (state in ('trialing', 'active', 'past_due', 'cancelled', 'ended')),
    -- Period `anchor_period` starts at `anchor`; all others follow from it by the calendar. Period 0 is the trial.
    anchor integer not null,
    anchor_period integer not null check (anchor_period >= 1),
    current_period integer not null check (current_period >= 0),
    period_start integer not null,
    period_end integer not null,
    -- When the next period is due; none when it is over.
    renews_at integer,
    -- Empty: by hand; `wallet`; or the id of a saved card.
    pay_by text not null,
    cancel_at_end integer not null check (cancel_at_end in (0, 1)),
    -- What a change of the plan left over; taken off the next invoices.
    credit_minor integer not null check (credit_minor >= 0),
    grace_ends_at integer,
    -- The buyer's limit for the cost of a period, and the period in which it was last told to be reached.
    limit_minor integer check (limit_minor > 0),
    limit_told integer,
    -- Used and on no invoice yet.
    open_quantity integer not null check (open_quantity >= 0),
    end_reason text,
    version integer not null check (version > 0),
    created_at integer not null,
    updated_at integer not null,
    ended_at integer,
    check (period_start < period_end),
    check ((renews_at is null) = (state in ('cancelled', 'ended'))),
    check ((ended_at is null) = (renews_at is not null)),
    check ((next_offer is null) = (next_price_minor is null))
) strict;
create unique index subscription_of_line on subscription (order_id, line);
create index subscription_due on subscription (renews_at) where renews_at is not null;
create index subscription_of_buyer on subscription (buyer, created_at);
create index subscription_of_seller on subscription (seller, created_at);

-- Receipts of orders, invoices of subscriptions, credit notes.
create table invoice (
    id text primary key,
    kind text not null check (kind in ('receipt', 'period', 'change', 'credit_note')),
    subscription text references subscription (id),
    order_id text,
    period integer,
    -- A credit note names what it takes back, and for which refund.
    of_invoice text references invoice (id),
    refund text,
    buyer text not null,
    seller text not null,
    title text not null,
    currency text not null check (length(currency) = 3),
    tax_name text not null,
    tax_basis_points integer not null check (tax_basis_points between 0 and 10000),
    tax_inclusive integer not null check (tax_inclusive in (0, 1)),
    subtotal_minor integer not null,
    discount_minor integer not null,
    promotion_minor integer not null,
    tax_minor integer not null,
    fee_minor integer not null,
    seller_minor integer not null,
    total_minor integer not null check (total_minor >= 0),
    refunded_minor integer not null default 0 check (refunded_minor >= 0),
    refunding_minor integer not null default 0 check (refunding_minor >= 0),
    state text not null check (state in ('open', 'paid', 'void', 'uncollectible')),
    -- Its number among those of the seller in the year; given when it is paid.
    year integer,
    sequence integer check (sequence > 0),
    period_start integer,
    period_end integer,
    -- The payment that paid it, and the attempt of ours that is under way.
    payment text,
    attempt text,
    attempts integer not null check (attempts >= 0),
    next_attempt_at integer,
    failure text not null,
    -- The plan that this invoice pays for, where it is for a change.
    to_offer text,
    to_offer_name text,
    to_price_minor integer,
    to_period text,
    version integer not null check (version > 0),
    created_at integer not null,
    paid_at integer,
    matures_at integer,
    updated_at integer not null,
    check ((year is null) = (sequence is null)),
    check (state <> 'paid' or year is not null),
    check ((state = 'paid') = (paid_at is not null)),
    check (refunded_minor + refunding_minor <= total_minor),
    check (total_minor + promotion_minor = seller_minor + fee_minor + tax_minor),
    check (next_attempt_at is null or state = 'open')
) strict;
-- A period is billed once, whoever tries.
create unique index invoice_of_period on invoice (subscription, period) where kind = 'period';
create unique index invoice_of_change on invoice (subscription) where kind = 'change' and state = 'open';
create unique index invoice_of_order on invoice (order_id, seller) where kind = 'receipt';
create unique index invoice_of_refund on invoice (of_invoice, refund) where kind = 'credit_note';
create unique index invoice_number on invoice (seller, year, sequence);
create index invoice_due on invoice (next_attempt_at) where next_attempt_at is not null;
create index invoice_of_buyer on invoice (buyer, created_at);
create index invoice_of_seller on invoice (seller, created_at);
create index invoice_of_subscription on invoice (subscription, created_at);

create table invoice_line (
    invoice text not null references invoice (id),
    number integer not null,
    title text not null,
    quantity integer not null,
    unit_price_minor integer not null,
    amount_minor integer not null,
    -- How much of it credit notes took back, of the line of an order.
    credited_minor integer not null default 0 check (credited_minor >= 0),
    primary key (invoice, number)
) strict;

-- The last number of each seller and year.
create table invoice_counter (
    seller text not null,
    year integer not null,
    last integer not null check (last > 0),
    primary key (seller, year)
) strict;

-- What was used. Each record is on one invoice at the most.
create table usage_record (
    seller text not null,
    source text not null,
    id text not null,
    subscription text not null references subscription (id),
    quantity integer not null check (quantity > 0),
    used_at integer not null,
    received_at integer not null,
    invoice text references invoice (id),
    primary key (seller, source, id)
) strict;
create index usage_open on usage_record (subscription, used_at) where invoice is null;
create index usage_of_invoice on usage_record (invoice) where invoice is not null;

-- How a seller bills.
create table billing_seller (
    seller text primary key,
    -- Whether who leaves at once gets the unused part back; null: as the market is set.
    refund_unused integer check (refund_unused in (0, 1)),
    -- Name, address, tax number: what stands on invoices.
    details text not null,
    version integer not null,
    updated_at integer not null
) strict;
