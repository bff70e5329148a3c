//! Every SQL text of the room.

use store::sql;

sql! {
    /// A new event, a draft.
    pub(crate) INSERT_EVENT = "insert into ticket_event (id, organiser, title, description, place, address, zone, \
        starts_at, ends_at, sale_from, sale_until, return_until, state, hold_seconds, extension_seconds, currency, \
        listing, queue_from, queue_per_minute, queue_stay_seconds, words, version, created_at, updated_at) \
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 'draft', $13, $14, $15, $16, $17, $18, $19, $20, 1, \
        $21, $21)";
    /// Changes what an event says, if nobody did so since it was read.
    pub(crate) SET_EVENT = "update ticket_event set title = $3, description = $4, place = $5, address = $6, zone = $7, \
        starts_at = $8, ends_at = $9, sale_from = $10, sale_until = $11, return_until = $12, hold_seconds = $13, \
        extension_seconds = $14, queue_from = $15, queue_per_minute = $16, queue_stay_seconds = $17, words = $18, \
        version = version + 1, updated_at = $19 where id = $1 and version = $2 and state <> 'cancelled'";
    pub(crate) SET_EVENT_STATE = "update ticket_event set state = $3, version = version + 1, updated_at = $4 \
        where id = $1 and version = $2";
    pub(crate) FIND_EVENT = "select id, organiser, title, description, place, address, zone, starts_at, ends_at, \
        sale_from, sale_until, return_until, state, hold_seconds, extension_seconds, currency, listing, queue_from, \
        queue_per_minute, queue_stay_seconds, version, created_at, updated_at from ticket_event where id = $1";
    /// Published events that are not over, the next first. `$1` stands in the words, or is empty.
    pub(crate) LIST_EVENTS = "select id, organiser, title, description, place, address, zone, starts_at, ends_at, \
        sale_from, sale_until, return_until, state, hold_seconds, extension_seconds, currency, listing, queue_from, \
        queue_per_minute, queue_stay_seconds, version, created_at, updated_at from ticket_event \
        where state = 'published' and ends_at > $2 and words like $1 escape '!' order by starts_at, id limit $3 offset $4";
    pub(crate) COUNT_EVENTS = "select count(*) from ticket_event \
        where state = 'published' and ends_at > $2 and words like $1 escape '!'";
    /// All events of these organisers, the latest first.
    pub(crate) LIST_OWN_EVENTS = "select id, organiser, title, description, place, address, zone, starts_at, ends_at, \
        sale_from, sale_until, return_until, state, hold_seconds, extension_seconds, currency, listing, queue_from, \
        queue_per_minute, queue_stay_seconds, version, created_at, updated_at from ticket_event \
        where organiser in each($1) order by starts_at desc, id limit $2 offset $3";
    pub(crate) COUNT_OWN_EVENTS = "select count(*) from ticket_event where organiser in each($1)";
    pub(crate) LIST_EVENTS_BY_ID = "select id, organiser, title, description, place, address, zone, starts_at, ends_at, \
        sale_from, sale_until, return_until, state, hold_seconds, extension_seconds, currency, listing, queue_from, \
        queue_per_minute, queue_stay_seconds, version, created_at, updated_at from ticket_event where id in each($1)";
}

sql! {
    pub(crate) INSERT_TICKET = "insert into ticket (id, event, owner, title, category, seat, offer, unit, order_id, line, \
        buyer, price_minor, first_price_minor, currency, state, listing, generation, version, created_at, updated_at) \
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12, $13, $14, $15, 1, 1, $16, $16)";
    /// Tickets by id, for lists of scans: one statement for all.
    pub(crate) LIST_TICKETS_BY_ID = "select id, event, owner, title, category, seat, offer, unit, order_id, line, buyer, \
        price_minor, currency, state, listing, generation, checked_in_at, checked_in_by, version, created_at, updated_at \
        from ticket where id in each($1)";
    pub(crate) INSERT_SALE = "insert into ticket_sale (ticket, order_id, line, buyer, sold_at) \
        values ($1, $2, $3, $4, $5)";
    pub(crate) FIND_TICKET = "select id, event, owner, title, category, seat, offer, unit, order_id, line, buyer, price_minor, \
        currency, state, listing, generation, checked_in_at, checked_in_by, version, created_at, updated_at \
        from ticket where id = $1";
    /// Tickets of these owners, the newest first.
    pub(crate) LIST_OWN_TICKETS = "select id, event, owner, title, category, seat, offer, unit, order_id, line, buyer, \
        price_minor, currency, state, listing, generation, checked_in_at, checked_in_by, version, created_at, updated_at \
        from ticket where owner in each($1) order by created_at desc, id limit $2 offset $3";
    pub(crate) COUNT_OWN_TICKETS = "select count(*) from ticket where owner in each($1)";
    /// Tickets that their owners sell on, the newest first.
    pub(crate) LIST_LISTED = "select id, event, owner, title, category, seat, offer, unit, order_id, line, buyer, price_minor, \
        currency, state, listing, generation, checked_in_at, checked_in_by, version, created_at, updated_at \
        from ticket where state = 'listed' order by updated_at desc, id limit $1 offset $2";
    pub(crate) COUNT_LISTED = "select count(*) from ticket where state = 'listed'";
    /// Tickets of an event, in the order of their seats, at the prices for which the organiser sold them.
    pub(crate) LIST_EVENT_TICKETS = "select id, event, owner, title, category, seat, offer, unit, order_id, line, buyer, \
        coalesce(first_price_minor, price_minor), currency, state, listing, generation, checked_in_at, checked_in_by, version, created_at, updated_at \
        from ticket where event = $1 order by category, seat, id limit $2 offset $3";
    pub(crate) COUNT_EVENT_TICKETS = "select count(*) from ticket where event = $1";
    /// Tickets that one line of an order paid for, and nobody after it: those that were given back first.
    pub(crate) LIST_LINE_TICKETS = "select id, event, owner, title, category, seat, offer, unit, order_id, line, buyer, \
        price_minor, currency, state, listing, generation, checked_in_at, checked_in_by, version, created_at, updated_at \
        from ticket where order_id = $1 and line = $2 and state not in ('refunded', 'void') \
        order by case state when 'returned' then 0 when 'valid' then 1 when 'listed' then 2 else 3 end, id desc";
    /// Gives a ticket its next state, owner and terms, if nobody changed it since it was read.
    pub(crate) SET_TICKET = "update ticket set owner = $3, title = $4, order_id = $5, line = $6, buyer = $7, \
        price_minor = $8, currency = $9, state = $10, listing = $11, generation = $12, checked_in_at = $13, \
        checked_in_by = $14, version = version + 1, updated_at = $15 where id = $1 and version = $2";
    pub(crate) FIND_EARLIER_SALE = "select order_id, line from ticket_sale where ticket = $1 and buyer = $2 \
        order by sold_at desc limit 1";
    /// Every line that paid for a ticket of an event, also those whose buyer sold it on.
    pub(crate) LIST_EVENT_ORDERS = "select order_id, line from ticket \
        where event = $1 and order_id > $2 and state not in ('refunded', 'void') \
        union select s.order_id, s.line from ticket_sale s join ticket t on t.id = s.ticket \
        where t.event = $1 and s.order_id > $2 order by 1, 2 limit $3";
    pub(crate) COUNT_STATES = "select state, count(*), \
        cast(coalesce(sum(coalesce(first_price_minor, price_minor)), 0) as bigint) from ticket \
        where event = $1 group by state";
}

sql! {
    pub(crate) INSERT_CLAIM = "insert into ticket_claim (token_hash, ticket, generation, mail, expires_at) \
        values ($1, $2, $3, $4, $5)";
    pub(crate) FIND_CLAIM = "select ticket, generation from ticket_claim \
        where token_hash = $1 and claimed_at is null and expires_at > $2";
    pub(crate) SPEND_CLAIM = "update ticket_claim set claimed_at = $2 where token_hash = $1 and claimed_at is null";

    pub(crate) LIST_KEYS = "select number, public_key, sealed from ticket_key order by number desc";
    pub(crate) INSERT_KEY = "insert into ticket_key (number, public_key, sealed, created_at) \
        values ($1, $2, $3, $4) on conflict (number) do nothing";
}

sql! {
    pub(crate) INSERT_DEVICE = "insert into check_in_device (id, event, name, token_hash, created_at) \
        values ($1, $2, $3, $4, $5)";
    pub(crate) LIST_DEVICES = "select id, event, name, created_at, revoked_at from check_in_device \
        where event = $1 order by created_at, id limit 200";
    pub(crate) COUNT_DEVICES = "select count(*) from check_in_device where event = $1 and revoked_at is null";
    pub(crate) FIND_DEVICE_BY_TOKEN = "select id, event, name, created_at, revoked_at from check_in_device \
        where token_hash = $1 and revoked_at is null";
    pub(crate) REVOKE_DEVICE = "update check_in_device set revoked_at = $3 \
        where id = $2 and event = $1 and revoked_at is null";

    pub(crate) FIND_SCAN = "select device, scan, ticket, scanned_at, is_good, verdict from check_in_scan \
        where event = $1 and device = $2 and scan = $3";
    pub(crate) INSERT_SCAN = "insert into check_in_scan (event, device, scan, ticket, scanned_at, received_at, is_good, \
        verdict) values ($1, $2, $3, $4, $5, $6, $7, $8)";
    /// The scan that let a ticket in: the earliest; of two in the same microsecond, the device whose name sorts first.
    pub(crate) FIND_FIRST_SCAN = "select device, scan, ticket, scanned_at, is_good, verdict from check_in_scan \
        where ticket = $1 and is_good = 1 order by scanned_at, device, scan limit 1";
    pub(crate) SET_VERDICT = "update check_in_scan set verdict = $4 where event = $1 and device = $2 and scan = $3";
    /// All other good scans of the ticket came later than the one that let it in.
    pub(crate) SET_AGAIN = "update check_in_scan set verdict = 'again' where ticket = $1 and is_good = 1 \
        and not (device = $2 and scan = $3)";
    pub(crate) LIST_SCANS = "select device, scan, ticket, scanned_at, is_good, verdict from check_in_scan \
        where event = $1 order by received_at desc, scanned_at desc limit $2";
    /// Tickets that more than one scan would have let in.
    pub(crate) LIST_CONFLICTS = "select device, scan, ticket, scanned_at, is_good, verdict from check_in_scan \
        where event = $1 and is_good = 1 and ticket in (select ticket from check_in_scan \
        where event = $1 and is_good = 1 group by ticket having count(*) > 1) \
        order by ticket, scanned_at, device, scan limit 1000";
    pub(crate) LIST_DOOR = "select id, generation, state, category, seat, checked_in_at from ticket \
        where event = $1 and state in ('valid', 'listed', 'checked_in') and id > $2 order by id limit $3";
}

sql! {
    pub(crate) FIND_PLACE = "select place, joined_at, admitted_at, expires_at from ticket_queue_place \
        where event = $1 and account = $2";
    pub(crate) START_QUEUE = "insert into ticket_queue (event, last_place, last_admitted_at) values ($1, 0, $2) \
        on conflict (event) do nothing";
    /// The next place, and the time at which it is let in: one interval after the one before, and never in the past.
    pub(crate) NEXT_PLACE = "update ticket_queue set last_place = last_place + 1, last_admitted_at = \
        case when last_admitted_at + $2 > $3 then last_admitted_at + $2 else $3 end \
        where event = $1 returning last_place, last_admitted_at";
    pub(crate) SET_PLACE = "insert into ticket_queue_place (event, account, place, joined_at, admitted_at, expires_at) \
        values ($1, $2, $3, $4, $5, $6) on conflict (event, account) do update set place = excluded.place, \
        joined_at = excluded.joined_at, admitted_at = excluded.admitted_at, expires_at = excluded.expires_at";
}
