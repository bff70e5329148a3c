-- What was chosen for a deployment besides its plan and region: sealed, since some of it is secret. A row of its own,
-- because it can be large and those who look at all deployments do not need it.
create table deployment_settings (
    deployment text primary key references deployment (id),
    sealed text not null,
    updated_at integer not null
) strict;
