-- What accounts say of services that they had running.
create table service_rating (
    service text not null,
    account text not null,
    stars integer not null check (stars between 1 and 5),
    words text not null,
    created_at integer not null,
    updated_at integer not null,
    primary key (service, account)
) strict;
create index service_rating_newest on service_rating (service, updated_at);
