-- Where listings stand in the market. Operators add others.
create table category (
    slug text primary key,
    name text not null,
    -- The order in which they are shown.
    position integer not null
) strict;

insert into category (slug, name, position) values
    ('developer-tools', 'Developer tools', 10),
    ('data', 'Data and databases', 20),
    ('machine-learning', 'Machine learning', 30),
    ('security', 'Security', 40),
    ('design', 'Design', 50),
    ('learning', 'Books and courses', 60),
    ('events', 'Events', 70),
    ('support', 'Help and support', 80),
    ('other', 'Everything else', 90);

-- What somebody sells.
create table listing (
    id text primary key,
    kind text not null check (kind in ('package', 'service', 'app', 'capacity', 'ticket', 'other')),
    -- The account that sells, a user or an organisation.
    seller text not null,
    title text not null check (title <> ''),
    summary text not null,
    category text references category (slug),
    state text not null check (state in ('draft', 'published', 'archived')),
    -- The id of the thing in the room that delivers it; null where there is nothing but the listing.
    subject text check (subject <> ''),
    version integer not null check (version > 0),
    -- Title and summary in lower case, for the search of lists.
    words text not null,
    -- The currency of all its offers, and the lowest price of those that are active: for lists.
    currency text check (length(currency) = 3),
    price_from_minor integer check (price_from_minor >= 0),
    created_at integer not null,
    updated_at integer not null,
    -- When it was published first.
    published_at integer,
    -- Markdown. The last column, so that lists, which don't show it, need not read past it.
    description text not null,
    check (state <> 'published' or (published_at is not null and price_from_minor is not null)),
    check (price_from_minor is null or currency is not null)
) strict;
-- One thing is for sale once at a time.
create unique index listing_subject on listing (kind, subject) where subject is not null and state <> 'archived';
create index listing_seller on listing (seller, updated_at desc);
-- The lists of the market. Each index has all that filters look at, so that only the rows of one page are read.
create index listing_newest on listing (state, published_at desc, id, kind, category, seller, currency, price_from_minor,
    words);
create index listing_cheapest on listing (state, price_from_minor, id, kind, category, seller, currency, words);
create index listing_facets on listing (state, kind, category, seller, currency, price_from_minor, words);

-- One way to buy it: a price and a stock.
create table offer (
    id text primary key,
    listing text not null references listing (id),
    name text not null check (name <> ''),
    -- What the buyer gets, in a line.
    summary text not null,
    position integer not null,
    state text not null check (state in ('active', 'withdrawn')),
    pricing text not null check (pricing in ('free', 'one_off', 'subscription', 'metered')),
    period text check (period in ('month', 'year')),
    trial_days integer not null check (trial_days between 0 and 365),
    metered_unit text check (metered_unit <> ''),
    price_minor integer not null check (price_minor between 0 and 1000000000000000),
    currency text not null check (length(currency) = 3),
    stock text not null check (stock in ('unlimited', 'counted', 'units')),
    capacity integer check (capacity >= 0),
    -- How many are in live orders, and how many are sold. Units count themselves, see the table unit.
    held integer not null check (held >= 0),
    sold integer not null check (sold >= 0),
    -- When the last of the holds of today ends at the latest: for telling it.
    held_until integer not null,
    -- How long a hold lasts and by how much it can be prolonged; null: as the market is set.
    hold_seconds integer check (hold_seconds between 1 and 86400),
    extension_seconds integer check (extension_seconds between 0 and 86400),
    version integer not null check (version > 0),
    created_at integer not null,
    updated_at integer not null,
    check ((stock = 'counted') = (capacity is not null)),
    check (capacity is null or held + sold <= capacity),
    check (stock <> 'units' or (held = 0 and sold = 0)),
    check ((pricing = 'subscription') = (period is not null)),
    check ((pricing = 'metered') = (metered_unit is not null)),
    check (pricing = 'subscription' or trial_days = 0),
    check (pricing <> 'free' or price_minor = 0)
) strict;
create index offer_listing on offer (listing, position, id);

-- One thing that there is once: a seat. It has at most one holder.
create table unit (
    id text primary key,
    offer text not null references offer (id),
    -- As people read it, unique in its offer.
    label text not null check (label <> ''),
    section text not null,
    row_name text not null,
    seat text not null,
    -- Where it stands in its row: neighbours differ by one.
    place integer not null,
    -- Where it stands on the map, in units of the map.
    x integer not null,
    y integer not null,
    -- The best have the lowest.
    rank integer not null,
    state text not null check (state in ('available', 'held', 'sold', 'withdrawn')),
    -- Who holds it or bought it: an id of the room above.
    holder text,
    held_until integer not null,
    unique (offer, label),
    check ((state in ('held', 'sold')) = (holder is not null))
) strict;
create index unit_best on unit (offer, state, rank, id);
