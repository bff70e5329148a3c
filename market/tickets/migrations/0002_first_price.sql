-- What a ticket cost when it was issued: its organiser's sales count that, not what its owners ask for it later.
alter table ticket add column first_price_minor integer check (first_price_minor >= 0);
