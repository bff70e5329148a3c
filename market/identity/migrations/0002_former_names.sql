-- What accounts were called before, each up to a moment: a document that was written then says it for ever. Who never
-- changed has no row; the name of an account itself never changes.
create table former_name (
    account text not null references account (id),
    until integer not null,
    display_name text not null,
    primary key (account, until)
) strict;
