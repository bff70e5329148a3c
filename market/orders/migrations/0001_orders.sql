-- An order and its hold on stock. They are one row because they live and die together: the hold of an order that waits
-- to be paid is live, and no other is. `version` grows with every change.
create table orders (
    id text primary key,
    buyer text not null,
    placed_by text not null,
    state text not null check (state in
        ('pending', 'paid', 'partially_refunded', 'refunded', 'disputed', 'cancelled', 'expired', 'failed')),
    hold_id text not null,
    hold_state text not null check (hold_state in ('live', 'consumed', 'released', 'expired')),
    hold_ends_at integer not null,
    hold_extended integer not null check (hold_extended in (0, 1)),
    extension_seconds integer not null check (extension_seconds >= 0),
    currency text not null check (length(currency) = 3),
    subtotal_minor integer not null check (subtotal_minor >= 0),
    discount_minor integer not null check (discount_minor >= 0),
    promotion_minor integer not null check (promotion_minor >= 0),
    tax_minor integer not null check (tax_minor >= 0),
    fee_minor integer not null check (fee_minor >= 0),
    seller_minor integer not null check (seller_minor >= 0),
    total_minor integer not null check (total_minor >= 0),
    refunded_minor integer not null default 0 check (refunded_minor >= 0),
    refunding_minor integer not null default 0 check (refunding_minor >= 0),
    promo text,
    country text,
    region text,
    -- The attempt to pay that is under way, or that paid it. One at a time.
    payment text,
    version integer not null,
    created_at integer not null,
    paid_at integer,
    -- From when on its sellers may have what it brought.
    matures_at integer,
    updated_at integer not null,
    check (total_minor + promotion_minor = seller_minor + fee_minor + tax_minor),
    check (refunded_minor + refunding_minor <= total_minor),
    check ((state = 'pending') = (hold_state = 'live')),
    check (state not in ('paid', 'partially_refunded', 'refunded', 'disputed', 'failed') or hold_state = 'consumed'),
    check (hold_state <> 'consumed' or paid_at is not null)
) strict;

create index orders_of_buyer on orders (buyer, id);
create index orders_due on orders (hold_ends_at) where hold_state = 'live';

-- What is bought, with its price as it was when the order was placed.
create table order_line (
    order_id text not null references orders (id),
    number integer not null,
    listing text not null,
    offer text not null,
    kind text not null,
    seller text not null,
    subject text,
    title text not null,
    offer_name text not null,
    pricing text not null,
    unit text,
    unit_label text,
    quantity integer not null check (quantity > 0),
    unit_price_minor integer not null check (unit_price_minor >= 0),
    subtotal_minor integer not null,
    discount_minor integer not null,
    promotion_minor integer not null,
    tax_minor integer not null,
    fee_minor integer not null,
    seller_minor integer not null,
    total_minor integer not null,
    refunded_minor integer not null default 0 check (refunded_minor >= 0),
    refunding_minor integer not null default 0 check (refunding_minor >= 0),
    returned integer not null default 0 check (returned between 0 and quantity),
    -- 1 while this order holds or owns the unit: there is one such order for a unit.
    has_unit integer not null check (has_unit in (0, 1)),
    primary key (order_id, number),
    check (refunded_minor + refunding_minor <= total_minor),
    check (total_minor + promotion_minor = seller_minor + fee_minor + tax_minor),
    check (unit is null or quantity = 1),
    check (has_unit = 0 or unit is not null)
) strict;

create unique index order_line_unit on order_line (unit) where has_unit = 1;
create index order_line_of_seller on order_line (seller, order_id);

-- Money of an order that goes back. `payments` keeps the refund itself; here stands which lines it is of.
-- A plan without a refund is only ever seen inside of the transaction that begins one.
create table order_refund (
    id text primary key,
    order_id text not null references orders (id),
    refund text unique,
    state text not null check (state in ('reserved', 'settled', 'failed')),
    amount_minor integer not null check (amount_minor >= 0),
    give_back integer not null check (give_back in (0, 1)),
    reason text not null,
    by_account text not null,
    created_at integer not null,
    updated_at integer not null
) strict;
create index order_refund_of_order on order_refund (order_id);
create unique index order_refund_plan on order_refund (order_id) where refund is null and state = 'reserved';

create table order_refund_line (
    plan text not null references order_refund (id),
    number integer not null,
    seller text not null,
    quantity integer not null check (quantity >= 0),
    subtotal_minor integer not null,
    discount_minor integer not null,
    promotion_minor integer not null,
    tax_minor integer not null,
    fee_minor integer not null,
    seller_minor integer not null,
    total_minor integer not null check (total_minor >= 0),
    primary key (plan, number)
) strict;

-- What an account may use: given by a paid order or a subscription, ended by a refund or a lapse.
create table entitlement (
    id text primary key,
    account text not null,
    subject text not null,
    kind text not null,
    title text not null,
    source text not null,
    started_at integer not null,
    -- Until when, where it is known beforehand.
    ends_at integer,
    ended_at integer,
    version integer not null
) strict;
create index entitlement_of_account on entitlement (account, subject);

-- Codes that take something off. `used` counts live and paid orders; the check keeps the limit under any race.
create table promo (
    code text primary key,
    -- The seller whose offers it is for, and who pays for it; null where the market does.
    seller text,
    percent_basis integer check (percent_basis between 1 and 10000),
    off_minor integer check (off_minor > 0),
    currency text check (length(currency) = 3),
    valid_from integer not null,
    valid_until integer,
    max_uses integer check (max_uses > 0),
    max_per_buyer integer check (max_per_buyer > 0),
    used integer not null check (used >= 0),
    ended_at integer,
    created_at integer not null,
    version integer not null,
    check ((percent_basis is null) = (off_minor is not null)),
    check ((off_minor is null) = (currency is null)),
    check (max_uses is null or used <= max_uses)
) strict;
create index promo_of_seller on promo (seller);

create table promo_use (
    code text not null references promo (code),
    buyer text not null,
    used integer not null check (used >= 0),
    primary key (code, buyer)
) strict;

-- The market's part of a sale. An empty kind or seller stands for all.
create table fee_rule (
    kind text not null,
    seller text not null,
    basis_points integer not null check (basis_points between 0 and 10000),
    primary key (kind, seller)
) strict;

-- An empty country, region or kind stands for all.
create table tax_rate (
    country text not null,
    region text not null,
    kind text not null,
    name text not null,
    basis_points integer not null check (basis_points between 0 and 10000),
    inclusive integer not null check (inclusive in (0, 1)),
    primary key (country, region, kind)
) strict;

-- What somebody means to buy. Nothing is held for it. `owner` is an account, or the random name of a visitor's cart.
create table cart_item (
    owner text not null,
    offer text not null,
    unit text not null,
    quantity integer not null check (quantity > 0),
    added_at integer not null,
    primary key (owner, offer, unit)
) strict;
create index cart_item_age on cart_item (added_at);
