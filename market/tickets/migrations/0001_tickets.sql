-- What people come to. Its tickets are sold by one listing of the catalogue, a category of tickets by one offer of it.
create table ticket_event (
    id text primary key,
    -- The account that organises and sells, a user or an organisation.
    organiser text not null,
    title text not null check (title <> ''),
    description text not null,
    place text not null,
    address text not null,
    -- An IANA time zone: `Europe/Rome`. Times are instants; the zone says how they are shown.
    zone text not null,
    starts_at integer not null,
    ends_at integer not null check (ends_at > starts_at),
    -- When tickets can be bought; null: from its publication, and until it starts.
    sale_from integer,
    sale_until integer,
    -- Until when a ticket can be given back for its price; null: never.
    return_until integer,
    state text not null check (state in ('draft', 'published', 'cancelled')),
    hold_seconds integer check (hold_seconds between 30 and 86400),
    extension_seconds integer check (extension_seconds between 0 and 86400),
    currency text not null check (length(currency) = 3),
    listing text not null unique,
    -- The waiting room: from when it lets people in, how many a minute, and for how long each may order. Null: none.
    queue_from integer,
    queue_per_minute integer check (queue_per_minute between 1 and 100000),
    queue_stay_seconds integer check (queue_stay_seconds between 60 and 86400),
    -- Title, place and address in lower case, for the search of lists.
    words text not null,
    version integer not null check (version > 0),
    created_at integer not null,
    updated_at integer not null,
    check ((queue_from is null) = (queue_per_minute is null) and (queue_from is null) = (queue_stay_seconds is null))
) strict;
create index ticket_event_dates on ticket_event (state, starts_at, id);
create index ticket_event_organiser on ticket_event (organiser, starts_at);

-- Admission for one, or a ticket from elsewhere that somebody sells on.
create table ticket (
    id text primary key,
    -- Null for a ticket that was not issued here.
    event text references ticket_event (id),
    owner text not null,
    title text not null check (title <> ''),
    category text not null,
    -- What the seat is called; null for general admission.
    seat text,
    offer text,
    unit text,
    -- The order that paid for it last, the line of it, and what it cost there. Null before the first sale.
    order_id text,
    line integer,
    -- Who paid then: only who paid can give it back.
    buyer text,
    price_minor integer not null check (price_minor >= 0),
    currency text not null check (length(currency) = 3),
    state text not null check (state in ('valid', 'listed', 'checked_in', 'returned', 'refunded', 'void')),
    -- The listing by which its owner sells it on.
    listing text,
    -- Counts its owners: codes of an earlier one do not open the door.
    generation integer not null check (generation > 0),
    checked_in_at integer,
    -- The device that let it in, by name.
    checked_in_by text,
    version integer not null check (version > 0),
    created_at integer not null,
    updated_at integer not null,
    check (state <> 'checked_in' or checked_in_at is not null),
    check (state <> 'listed' or listing is not null)
) strict;
create index ticket_owner on ticket (owner, created_at desc);
create index ticket_event_state on ticket (event, state);
create index ticket_order on ticket (order_id, line);
-- Earlier sales of a ticket that was sold on, so that a cancelled event gives each buyer back what that buyer paid.
create table ticket_sale (
    ticket text not null references ticket (id),
    order_id text not null,
    line integer not null,
    buyer text not null,
    sold_at integer not null,
    primary key (ticket, order_id)
) strict;
create index ticket_sale_order on ticket_sale (order_id);
-- One seat lets in one ticket at a time.
create unique index ticket_seat on ticket (unit) where unit is not null and state in ('valid', 'listed', 'checked_in');

-- A ticket on its way to somebody by mail. It stays its owner's until it is claimed.
create table ticket_claim (
    token_hash text primary key,
    ticket text not null references ticket (id),
    generation integer not null,
    mail text not null,
    expires_at integer not null,
    claimed_at integer
) strict;
create index ticket_claim_ticket on ticket_claim (ticket);

-- The keys that sign codes. The newest signs; all verify, so that codes outlive a change of keys.
create table ticket_key (
    number integer primary key,
    public_key blob not null,
    -- Sealed by the vault.
    sealed text not null,
    created_at integer not null
) strict;

-- What may scan at one event's doors.
create table check_in_device (
    id text primary key,
    event text not null references ticket_event (id),
    name text not null check (name <> ''),
    token_hash text not null unique,
    created_at integer not null,
    revoked_at integer
) strict;
create index check_in_device_event on check_in_device (event, created_at);

-- Every scan, by the id that its device gave it: the same scan sent twice is one.
create table check_in_scan (
    event text not null references ticket_event (id),
    device text not null,
    scan text not null,
    -- Null where the code is none of this event.
    ticket text references ticket (id),
    scanned_at integer not null,
    received_at integer not null,
    -- Whether the code was good then: scans that were not never count for the first.
    is_good integer not null check (is_good in (0, 1)),
    -- What was said: admitted, again, or why not.
    verdict text not null,
    primary key (event, device, scan)
) strict;
create index check_in_scan_ticket on check_in_scan (ticket, is_good, scanned_at, device, scan);
create index check_in_scan_event on check_in_scan (event, received_at desc);

-- The end of the waiting room's line: who comes next gets the next place, and the next time to be let in.
create table ticket_queue (
    event text primary key references ticket_event (id),
    last_place integer not null,
    last_admitted_at integer not null
) strict;
-- One place for each account, however often it asks.
create table ticket_queue_place (
    event text not null references ticket_event (id),
    account text not null,
    place integer not null,
    joined_at integer not null,
    admitted_at integer not null,
    expires_at integer not null,
    primary key (event, account)
) strict;
create unique index ticket_queue_order on ticket_queue_place (event, place);
