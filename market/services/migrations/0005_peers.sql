-- Under which name a deployment is reached by the others of its account. One that is deleted holds its name until another
-- asks for it.
create table deployment_peer (
    owner text not null,
    name text not null,
    deployment text not null references deployment (id),
    primary key (owner, name)
) strict;
create index deployment_peer_of on deployment_peer (deployment);
