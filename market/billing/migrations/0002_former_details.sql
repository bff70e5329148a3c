-- What sellers put on their invoices before, each up to a moment: a document that was written then says it for ever.
create table billing_former_details (
    seller text not null,
    until integer not null,
    details text not null,
    primary key (seller, until)
) strict;
