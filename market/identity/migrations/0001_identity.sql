-- Accounts are users and organisations; they share one namespace of names.
create table account (
    id text primary key,
    kind text not null check (kind in ('user', 'organisation')),
    name text not null unique check (length(name) between 2 and 39),
    display_name text not null default '',
    disabled_at integer,
    version integer not null default 1,
    created_at integer not null,
    updated_at integer not null,
    unique (id, kind)
) strict;

-- How a user signs in. `email_key` is the address in lower case; two accounts may claim an address, but only one
-- can have proved that it reads it, so that registration need not tell which addresses are known.
create table login (
    user_id text primary key references account (id),
    email text not null,
    email_key text not null,
    email_verified_at integer,
    password_hash text not null,
    password_changed_at integer not null
) strict;
create unique index login_verified_email on login (email_key) where email_verified_at is not null;
create index login_email on login (email_key);

create table account_role (
    user_id text not null references account (id),
    role text not null check (role in
        ('user', 'publisher', 'admin', 'cloud-user', 'cloud-provider', 'cloud-operator')),
    granted_at integer not null,
    primary key (user_id, role)
) strict;
create index account_role_role on account_role (role);

-- `secret_hash` is the SHA-256 of the cookie; sessions made over the API have none, their JWTs name the id.
create table login_session (
    id text primary key,
    user_id text not null references account (id),
    secret_hash blob unique,
    client text not null,
    user_agent text,
    created_at integer not null,
    last_seen_at integer not null,
    idle_micros integer not null,
    expires_at integer not null
) strict;
create index login_session_user on login_session (user_id);

-- `hint` is the first characters of the token, for its owner to know it by.
create table api_token (
    id text primary key,
    user_id text not null references account (id),
    session_id text references login_session (id) on delete cascade,
    name text not null,
    secret_hash blob not null unique,
    hint text not null,
    scopes text not null,
    cidrs text not null default '',
    created_at integer not null,
    expires_at integer,
    last_used_at integer,
    last_used_from text,
    revoked_at integer
) strict;
create index api_token_user on api_token (user_id);
create index api_token_session on api_token (session_id);

-- One-time links sent by mail.
create table mail_link (
    secret_hash blob primary key,
    user_id text not null references account (id),
    purpose text not null check (purpose in ('verify', 'reset')),
    email_key text not null,
    created_at integer not null,
    expires_at integer not null
) strict;
create index mail_link_user on mail_link (user_id, purpose);

-- Counted guesses. `key_hash` hides what was typed: people type passwords into the wrong field.
create table guess (
    key_hash blob primary key,
    failures integer not null check (failures >= 0),
    last_at integer not null,
    locked_until integer not null
) strict;
create index guess_last on guess (last_at);

create table membership (
    org_id text not null references account (id),
    user_id text not null references account (id),
    role text not null check (role in ('owner', 'admin', 'member')),
    created_at integer not null,
    primary key (org_id, user_id)
) strict;
create index membership_user on membership (user_id);

create table team (
    id text primary key,
    org_id text not null references account (id),
    name text not null,
    description text not null default '',
    created_at integer not null,
    unique (org_id, name)
) strict;

create table team_member (
    team_id text not null references team (id) on delete cascade,
    user_id text not null references account (id),
    primary key (team_id, user_id)
) strict;
create index team_member_user on team_member (user_id);

-- What a team may do with a subject; the room that knows the subject says what its text means.
create table team_grant (
    team_id text not null references team (id) on delete cascade,
    subject text not null,
    permission text not null check (permission in ('read', 'write')),
    primary key (team_id, subject)
) strict;
create index team_grant_subject on team_grant (subject);

-- The first-run link: at most one at a time.
create table setup_link (
    one integer primary key check (one = 1),
    secret_hash blob not null,
    expires_at integer not null
) strict;

-- Sign-ins of command lines that a person approves in a browser.
create table web_login (
    id_hash blob primary key,
    poll_hash blob not null unique,
    code text not null,
    client text not null,
    user_agent text,
    created_at integer not null,
    expires_at integer not null,
    user_id text references account (id),
    state text not null check (state in ('pending', 'approved', 'refused', 'collected'))
) strict;
create index web_login_expires on web_login (expires_at);

create table audit (
    seq integer primary key autoincrement,
    at integer not null,
    actor_id text,
    actor_name text,
    token_id text,
    session_id text,
    client text not null,
    user_agent text,
    request_id text not null,
    action text not null,
    subject text not null,
    outcome text not null check (outcome in ('done', 'refused')),
    details text not null
) strict;
create index audit_actor on audit (actor_id, seq);
create index audit_subject on audit (subject, seq);
create index audit_action on audit (action, seq);

-- What is in the trail stays as it was written.
-- sqlite only
create trigger audit_is_not_updated before update on audit
begin select raise(abort, 'audit rows are never changed'); end;
create trigger audit_is_not_deleted before delete on audit
begin select raise(abort, 'audit rows are never deleted'); end;
-- `insert or replace` would delete without asking the trigger above.
create trigger audit_is_not_replaced before insert on audit
when exists (select 1 from audit where seq = new.seq)
begin select raise(abort, 'audit rows are never replaced'); end;
-- postgres only
create function audit_refuses_change() returns trigger language plpgsql as $$
begin raise exception 'audit rows are never changed' using errcode = 'restrict_violation'; end $$;
create trigger audit_is_not_changed before update or delete or truncate on audit
for each statement execute function audit_refuses_change();
-- both
