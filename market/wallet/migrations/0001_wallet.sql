-- Top-ups and the rules on balances. The balances themselves are in the ledger.

-- A card's money on its way into a wallet: pending → paid | failed | cancelled; a success may come late (→ paid).
create table wallet_top_up (
    id text primary key,
    account text not null,
    currency text not null check (length(currency) = 3),
    amount integer not null check (amount > 0),
    origin text not null check (origin in ('manual', 'auto')),
    state text not null check (state in ('pending', 'paid', 'failed', 'cancelled')),
    payment text not null unique,
    -- What people see of the card: `visa 4242`; empty where it is given in the browser.
    method text not null,
    failure_code text,
    failure text,
    refunded integer not null default 0 check (refunded >= 0 and refunded <= amount),
    -- The user who asked for it, or set the rule that did.
    created_by text not null,
    version integer not null,
    created_at integer not null,
    updated_at integer not null,
    check (state = 'paid' or refunded = 0)
) strict;
create index wallet_top_up_by_account on wallet_top_up (account, currency, created_at);
-- One crossing of a threshold is topped up once, whoever sees it.
create unique index wallet_top_up_one_auto on wallet_top_up (account, currency)
    where origin = 'auto' and state = 'pending';

-- Below the threshold, top up by the amount. The amount is no smaller than the threshold, so that one top-up always
-- leads back above it: that, and the index above, keep a rule from going round in circles.
create table wallet_auto_top_up (
    id text primary key,
    account text not null,
    currency text not null check (length(currency) = 3),
    enabled integer not null check (enabled in (0, 1)),
    threshold integer not null check (threshold > 0),
    amount integer not null check (amount >= threshold),
    method text not null,
    max_per_day integer not null check (max_per_day between 1 and 24),
    -- The most of thirty days; null: no limit.
    monthly_limit integer check (monthly_limit >= amount),
    -- In a row; at the third the rule is switched off.
    failures integer not null check (failures between 0 and 3),
    retry_at integer,
    -- Why it was switched off by itself; empty where it was not.
    reason text not null check (reason in ('', 'failures', 'dispute', 'no_method')),
    set_by text not null,
    version integer not null,
    created_at integer not null,
    updated_at integer not null,
    unique (account, currency),
    check (enabled = 0 or (reason = '' and failures < 3))
) strict;

-- One mail for each time that the balance falls below the threshold.
create table wallet_alert (
    id text primary key,
    account text not null,
    currency text not null check (length(currency) = 3),
    enabled integer not null check (enabled in (0, 1)),
    threshold integer not null check (threshold > 0),
    -- 1: it was told, and the balance has not been back at the threshold since.
    is_low integer not null check (is_low in (0, 1)),
    set_by text not null,
    version integer not null,
    created_at integer not null,
    updated_at integer not null,
    unique (account, currency)
) strict;
