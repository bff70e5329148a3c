//! Every statement of this room.

use store::sql;

// Listings.
sql! {
    pub(crate) INSERT_LISTING = "insert into listing (id, kind, seller, title, summary, description, category, state, \
        subject, version, words, created_at, updated_at) \
        values ($1, $2, $3, $4, $5, $6, $7, 'draft', $8, 1, $9, $10, $10)";
    pub(crate) FIND_LISTING = "select id, kind, seller, title, summary, description, category, state, subject, version, \
        price_from_minor, currency, created_at, updated_at, published_at from listing where id = $1";
    pub(crate) FIND_BY_SUBJECT = "select id, kind, seller, title, summary, description, category, state, subject, version, \
        price_from_minor, currency, created_at, updated_at, published_at from listing \
        where kind = $1 and subject = $2 and state <> 'archived'";
    // Lists leave the description out. The filters of the market: kind, category, seller, three words, price.
    pub(crate) LIST_NEWEST = "select id, kind, seller, title, summary, '', category, state, subject, version, \
        price_from_minor, currency, created_at, updated_at, published_at from listing \
        where state = 'published' and ($1 = '' or kind = $1) and ($2 = '' or category = $2) and ($3 = '' or seller = $3) \
        and words like $4 escape '!' and words like $5 escape '!' and words like $6 escape '!' \
        and ($7 = '' or (currency = $7 and price_from_minor between $8 and $9)) \
        order by published_at desc, id limit $10 offset $11";
    pub(crate) LIST_CHEAPEST = "select id, kind, seller, title, summary, '', category, state, subject, version, \
        price_from_minor, currency, created_at, updated_at, published_at from listing \
        where state = 'published' and ($1 = '' or kind = $1) and ($2 = '' or category = $2) and ($3 = '' or seller = $3) \
        and words like $4 escape '!' and words like $5 escape '!' and words like $6 escape '!' \
        and ($7 = '' or (currency = $7 and price_from_minor between $8 and $9)) \
        order by price_from_minor, id limit $10 offset $11";
    /// Every combination of kind and category with how many there are, from which all counts follow.
    pub(crate) COUNT_FACETS = "select kind, category, count(*) from listing \
        where state = 'published' and ($1 = '' or seller = $1) \
        and words like $2 escape '!' and words like $3 escape '!' and words like $4 escape '!' \
        and ($5 = '' or (currency = $5 and price_from_minor between $6 and $7)) group by kind, category";
    pub(crate) LIST_OF_SELLERS = "select id, kind, seller, title, summary, '', category, state, subject, version, \
        price_from_minor, currency, created_at, updated_at, published_at from listing \
        where seller in each($1) and ($2 = '' or state = $2) and ($3 = '' or kind = $3) and words like $4 escape '!' \
        order by updated_at desc, id limit $5 offset $6";
    pub(crate) COUNT_OF_SELLERS = "select count(*) from listing \
        where seller in each($1) and ($2 = '' or state = $2) and ($3 = '' or kind = $3) and words like $4 escape '!'";
    pub(crate) LIST_CATEGORIES = "select slug, name, position, version from category order by position, name limit 500";
    pub(crate) INSERT_CATEGORY = "insert into category (slug, name, position) values ($1, $2, $3)";
    pub(crate) SET_LISTING = "update listing set title = $3, summary = $4, description = $5, category = $6, words = $7, \
        version = version + 1, updated_at = $8 where id = $1 and version = $2";
    pub(crate) SET_STATE = "update listing set state = $3, version = version + 1, updated_at = $4, \
        published_at = case when $3 = 'published' then coalesce(published_at, $4) else published_at end \
        where id = $1 and version = $2";
    /// The listing's price in lists follows its offers.
    pub(crate) SET_PRICE_FROM = "update listing set currency = coalesce(currency, $2), updated_at = $3, price_from_minor = \
        (select min(price_minor) from offer where offer.listing = listing.id and offer.state = 'active') where id = $1";
    pub(crate) FIND_WHOLE_CATEGORY = "select slug, name, position, version from category where slug = $1";
    pub(crate) COUNT_CATEGORIES = "select count(*) from category";
    pub(crate) SET_CATEGORY = "update category set name = $2, position = $3, version = $4 where slug = $1";
    pub(crate) DELETE_CATEGORY = "delete from category where slug = $1";
    pub(crate) COUNT_IN_CATEGORY = "select count(*) from listing where category = $1";
    pub(crate) COUNT_BY_CATEGORY = "select category, count(*) from listing where category is not null group by category";
    pub(crate) FIND_CATEGORY = "select name from category where slug = $1";
}

// Offers and units. An offer of units counts them; the others count themselves.
sql! {
    pub(crate) INSERT_OFFER = "insert into offer (id, listing, name, summary, position, state, pricing, period, trial_days, \
        metered_unit, price_minor, currency, stock, capacity, held, sold, held_until, hold_seconds, extension_seconds, \
        version, created_at, updated_at) \
        values ($1, $2, $3, $4, (select coalesce(max(position), 0) + 1 from offer where listing = $2), 'active', $5, $6, \
        $7, $8, $9, $10, $11, $12, 0, 0, 0, $13, $14, 1, $15, $15)";
    pub(crate) SET_OFFER = "update offer set name = $3, summary = $4, pricing = $5, period = $6, trial_days = $7, \
        metered_unit = $8, price_minor = $9, stock = $10, capacity = $11, hold_seconds = $12, extension_seconds = $13, \
        version = version + 1, updated_at = $14 where id = $1 and version = $2";
    pub(crate) SET_OFFER_STATE = "update offer set state = $3, version = version + 1, updated_at = $4 \
        where id = $1 and version = $2";
    pub(crate) FIND_OFFER = "select id, listing, name, summary, state, pricing, period, trial_days, metered_unit, \
        price_minor, currency, stock, capacity, held, sold, held_until, \
        case when stock = 'units' then (select count(*) from unit where unit.offer = offer.id and unit.state <> 'withdrawn') end, \
        case when stock = 'units' then (select count(*) from unit where unit.offer = offer.id and unit.state = 'held') end, \
        case when stock = 'units' then (select count(*) from unit where unit.offer = offer.id and unit.state = 'sold') end, \
        case when stock = 'units' then coalesce((select max(unit.held_until) from unit \
        where unit.offer = offer.id and unit.state = 'held'), 0) end, \
        hold_seconds, extension_seconds, version from offer where id = $1";
    pub(crate) LIST_OFFERS = "select id, listing, name, summary, state, pricing, period, trial_days, metered_unit, \
        price_minor, currency, stock, capacity, held, sold, held_until, \
        case when stock = 'units' then (select count(*) from unit where unit.offer = offer.id and unit.state <> 'withdrawn') end, \
        case when stock = 'units' then (select count(*) from unit where unit.offer = offer.id and unit.state = 'held') end, \
        case when stock = 'units' then (select count(*) from unit where unit.offer = offer.id and unit.state = 'sold') end, \
        case when stock = 'units' then coalesce((select max(unit.held_until) from unit \
        where unit.offer = offer.id and unit.state = 'held'), 0) end, \
        hold_seconds, extension_seconds, version from offer where listing in each($1) order by listing, position, id";
    /// Two forms because the databases read lists of JSON objects differently; one statement for thousands of seats.
    /// The blank before `$2` keeps this from being read as a list of texts.
    pub(crate) INSERT_UNITS = "insert into unit (id, offer, label, section, row_name, seat, place, x, y, rank, state, held_until) \
        select value ->> 'id', $1, value ->> 'label', value ->> 'section', value ->> 'row', value ->> 'seat', \
        value ->> 'place', value ->> 'x', value ->> 'y', value ->> 'rank', 'available', 0 from json_each( $2)",
        postgres "insert into unit (id, offer, label, section, row_name, seat, place, x, y, rank, state, held_until) \
        select id, $1, label, section, row_name, seat, place, x, y, rank, 'available', 0 \
        from (select entry ->> 'id' as id, entry ->> 'label' as label, entry ->> 'section' as section, \
        entry ->> 'row' as row_name, entry ->> 'seat' as seat, cast(entry ->> 'place' as bigint) as place, \
        cast(entry ->> 'x' as bigint) as x, cast(entry ->> 'y' as bigint) as y, cast(entry ->> 'rank' as bigint) as rank \
        from jsonb_array_elements(cast(cast($2 as text) as jsonb)) as entry) as entries";
    pub(crate) FIND_NEXT_RANK = "select coalesce(max(rank) + 1, 0), count(*) from unit where offer = $1";
    pub(crate) LIST_UNITS = "select id, offer, label, section, row_name, seat, place, x, y, state, holder from unit \
        where offer = $1 order by rank, id limit $2 offset $3";
    pub(crate) LIST_TAKEN = "select label from unit where offer = $1 and id in each($2) \
        and state in ('held', 'sold') order by label limit 20";
    pub(crate) COUNT_UNITS = "select count(*) from unit where offer = $1";
    pub(crate) WITHDRAW_UNITS = "update unit set state = 'withdrawn' \
        where offer = $1 and id in each($2) and state = 'available'";
}

// Moving stock. What holds of a claim stands in its own statement, so that nothing can come between.
sql! {
    /// One statement for the most frequent case. The listing's columns come by subqueries because only columns of the
    /// table that is updated are returned.
    pub(crate) CLAIM_COUNTED = "update offer set held = held + $2, held_until = case \
        when held_until > $3 + (coalesce(hold_seconds, $4) + coalesce(extension_seconds, $5)) * 1000000 then held_until \
        else $3 + (coalesce(hold_seconds, $4) + coalesce(extension_seconds, $5)) * 1000000 end \
        where id = $1 and state = 'active' and stock <> 'units' and (capacity is null or held + sold + $2 <= capacity) \
        and exists (select 1 from listing where listing.id = offer.listing and listing.state = 'published') \
        returning id, listing, name, pricing, period, trial_days, metered_unit, price_minor, currency, hold_seconds, \
        extension_seconds, (select kind from listing where listing.id = offer.listing), \
        (select seller from listing where listing.id = offer.listing), \
        (select subject from listing where listing.id = offer.listing), \
        (select title from listing where listing.id = offer.listing)",
        read "select offer.id, offer.listing, offer.name, offer.pricing, offer.period, offer.trial_days, \
        offer.metered_unit, offer.price_minor, offer.currency, offer.hold_seconds, offer.extension_seconds, \
        listing.kind, listing.seller, listing.subject, listing.title \
        from offer join listing on listing.id = offer.listing where offer.id = $1";
    pub(crate) FIND_ON_SALE = "select offer.id, offer.listing, offer.name, offer.pricing, offer.period, offer.trial_days, \
        offer.metered_unit, offer.price_minor, offer.currency, offer.hold_seconds, offer.extension_seconds, \
        listing.kind, listing.seller, listing.subject, listing.title, \
        case when offer.state = 'active' and listing.state = 'published' then 1 else 0 end, offer.stock, \
        offer.capacity - offer.held - offer.sold \
        from offer join listing on listing.id = offer.listing where offer.id = $1";
    pub(crate) CLAIM_UNITS = "update unit set state = 'held', holder = $3, held_until = $4 \
        where id in each($2) and offer = $1 and state = 'available' returning id, label";
    pub(crate) LIST_LABELS = "select label from unit where offer = $1 and id in each($2) order by label";
    pub(crate) LIST_BEST = "select id, section, row_name, place from unit \
        where offer = $1 and state = 'available' order by rank, id limit $2";
    pub(crate) CONSUME_COUNTED = "update offer set held = held - $2, sold = sold + $2 where id = $1 and held >= $2";
    pub(crate) RELEASE_COUNTED = "update offer set held = held - $2 where id = $1 and held >= $2";
    pub(crate) GIVE_BACK_COUNTED = "update offer set sold = sold - $2 where id = $1 and sold >= $2";
    pub(crate) CONSUME_UNITS = "update unit set state = 'sold' \
        where id in each($1) and holder = $2 and state = 'held'";
    pub(crate) RELEASE_UNITS = "update unit set state = 'available', holder = null \
        where id in each($1) and holder = $2 and state = 'held'";
    pub(crate) GIVE_BACK_UNITS = "update unit set state = 'available', holder = null \
        where id in each($1) and holder = $2 and state = 'sold'";
}
