-- Whether this database was filled with demo data: one row from the moment the filling begins, so that a run that
-- was killed is taken up again, and a market in use is never mistaken for a demo.
create table demo (
    id integer primary key check (id = 1),
    started_at integer not null,
    finished_at integer
) strict;
