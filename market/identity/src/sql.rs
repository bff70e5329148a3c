//! Every statement of this room, and how rows become values.

use store::{FromRow, Row, StoreError, sql};

use crate::audit::Entry;
use crate::scope::Scopes;
use crate::tokens::{Token, parse_cidrs};

sql! {
    // Accounts.
    pub(crate) INSERT_ACCOUNT = "insert into account (id, kind, name, display_name, created_at, updated_at) \
        values ($1, $2, $3, $4, $5, $5) on conflict (name) do nothing";
    pub(crate) INSERT_LOGIN = "insert into login \
        (user_id, email, email_key, email_verified_at, password_hash, password_changed_at) \
        values ($1, $2, $3, $4, $5, $6)";
    pub(crate) FIND_LOGIN_BY_NAME = "select l.user_id, l.password_hash, a.disabled_at \
        from login l join account a on a.id = l.user_id where a.name = $1";
    /// Who has proved to read the address comes first, then who claimed it first.
    pub(crate) FIND_LOGIN_BY_EMAIL = "select l.user_id, l.password_hash, a.disabled_at \
        from login l join account a on a.id = l.user_id where l.email_key = $1 \
        order by case when l.email_verified_at is null then 1 else 0 end, a.created_at, a.id limit 1";
    pub(crate) FIND_VERIFIED_EMAIL = "select user_id from login \
        where email_key = $1 and email_verified_at is not null";
    pub(crate) FIND_USER_BY_NAME = "select id from account where name = $1 and kind = 'user'";
    pub(crate) FIND_ACTIVE_NAME = "select name from account where id = $1 and disabled_at is null";
    pub(crate) TOUCH_ACCOUNT = "update account set version = version + 1, updated_at = $2 where id = $1 \
        returning version";

    pub(crate) LIST_ACCOUNTS = "select id, kind, name, display_name from account where id in each($1)";
    /// As they were called at a moment: the first name that ended later, else the present one.
    pub(crate) LIST_ACCOUNTS_AT = "select id, kind, name, coalesce((select former_name.display_name from former_name \
        where former_name.account = account.id and former_name.until > $2 order by former_name.until limit 1), \
        display_name) from account where id in each($1)";
    pub(crate) KEEP_FORMER_NAME = "insert into former_name (account, until, display_name) \
        select id, $2, display_name from account where id = $1 and display_name <> $3 on conflict do nothing";
    pub(crate) FIND_ACCOUNT_NAMED = "select id, kind, name, display_name from account where name = $1";
    pub(crate) FIND_MAIL_ADDRESS = "select l.email from login l join account a on a.id = l.user_id \
        where l.user_id = $1 and a.disabled_at is null";
    pub(crate) FIND_NAME = "select name from account where id = $1";
    pub(crate) FIND_USER = "select a.id, a.name, a.display_name, l.email, l.email_verified_at, a.disabled_at, \
        a.version, a.created_at, a.updated_at from account a join login l on l.user_id = a.id where a.id = $1";
    pub(crate) LIST_USERS = "select a.id, a.name, a.display_name, l.email, l.email_verified_at, a.disabled_at, \
        a.version, a.created_at, a.updated_at from account a join login l on l.user_id = a.id \
        where $1 = '' or replace(a.name, $1, '') <> a.name or replace(lower(a.display_name), $1, '') <> lower(a.display_name) \
        or replace(l.email_key, $1, '') <> l.email_key order by a.created_at desc, a.id desc limit $2 offset $3";
    pub(crate) COUNT_USERS = "select count(*) from account a join login l on l.user_id = a.id \
        where $1 = '' or replace(a.name, $1, '') <> a.name or replace(lower(a.display_name), $1, '') <> lower(a.display_name) \
        or replace(l.email_key, $1, '') <> l.email_key";
    pub(crate) SET_DISPLAY_NAME = "update account set display_name = $2 where id = $1";
    pub(crate) SET_EMAIL = "update login set email = $2, email_key = $3, email_verified_at = null where user_id = $1";
    pub(crate) SET_VERIFIED = "update login set email_verified_at = $3 where user_id = $1 and email_key = $2";
    pub(crate) SET_PASSWORD = "update login set password_hash = $2, password_changed_at = $3 where user_id = $1";
    pub(crate) SET_DISABLED = "update account set disabled_at = $2 where id = $1";

    // Roles.
    pub(crate) DELETE_ROLES = "delete from account_role where user_id = $1";
    pub(crate) COUNT_OTHER_ADMINS = "select count(*) from account_role r join account a on a.id = r.user_id \
        where r.role = 'admin' and a.disabled_at is null and r.user_id <> $1";
    pub(crate) FIRST_ADMIN = "select r.user_id from account_role r join account a on a.id = r.user_id \
        where r.role = 'admin' and a.disabled_at is null order by r.granted_at, r.user_id limit 1";
    pub(crate) LIST_ROLES = "select role from account_role where user_id = $1";
    pub(crate) INSERT_ROLE = "insert into account_role (user_id, role, granted_at) values ($1, $2, $3) \
        on conflict (user_id, role) do nothing";

    // Guesses.
    pub(crate) FIND_GUESS = "select failures, last_at, locked_until from guess where key_hash = $1 for update";
    pub(crate) SET_GUESS = "insert into guess (key_hash, failures, last_at, locked_until) values ($1, $2, $3, $4) \
        on conflict (key_hash) do update set failures = excluded.failures, last_at = excluded.last_at, \
        locked_until = excluded.locked_until";
    pub(crate) DELETE_GUESS = "delete from guess where key_hash = $1";
    pub(crate) GIVE_BACK_GUESS = "update guess set failures = failures - 1, locked_until = 0 \
        where key_hash = $1 and failures > 0";
    pub(crate) DELETE_OLD_GUESSES = "delete from guess where last_at < $1";

    // Sessions.
    pub(crate) INSERT_SESSION = "insert into login_session (id, user_id, secret_hash, client, user_agent, \
        created_at, last_seen_at, idle_micros, expires_at) values ($1, $2, $3, $4, $5, $6, $6, $7, $8)";
    pub(crate) FIND_SESSION = "select id, user_id, last_seen_at, expires_at from login_session \
        where id = $1 and secret_hash is null and expires_at > $2 and last_seen_at + idle_micros > $2";
    pub(crate) FIND_SESSION_BY_HASH = "select id, user_id, last_seen_at, expires_at from login_session \
        where secret_hash = $1 and expires_at > $2 and last_seen_at + idle_micros > $2";
    pub(crate) FIND_SESSION_OWNER = "select user_id from login_session where id = $1";
    pub(crate) LIST_SESSIONS = "select id, case when secret_hash is null then 0 else 1 end, client, user_agent, \
        created_at, last_seen_at, expires_at from login_session \
        where user_id = $1 and expires_at > $2 and last_seen_at + idle_micros > $2 \
        order by last_seen_at desc, id limit 200";
    pub(crate) SET_SESSION_SEEN = "update login_session set last_seen_at = $2 where id = $1 and last_seen_at < $2";
    pub(crate) DELETE_SESSION = "delete from login_session where id = $1";
    pub(crate) DELETE_OTHER_SESSIONS = "delete from login_session where user_id = $1 and id <> $2";
    pub(crate) DELETE_ENDED_SESSIONS = "delete from login_session \
        where expires_at <= $1 or last_seen_at + idle_micros <= $1";

    // Tokens.
    pub(crate) INSERT_TOKEN = "insert into api_token (id, user_id, session_id, name, secret_hash, hint, scopes, \
        cidrs, created_at, expires_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    pub(crate) FIND_TOKEN = "select id, user_id, session_id, scopes, cidrs, expires_at, last_used_at \
        from api_token where secret_hash = $1 and revoked_at is null";
    pub(crate) FIND_TOKEN_OWNER = "select user_id from api_token where id = $1";
    pub(crate) FIND_TOKEN_BY_HASH = "select id, user_id from api_token where secret_hash = $1";
    pub(crate) FIND_TOKEN_BOUNDS = "select expires_at, cidrs from api_token where id = $1";
    pub(crate) COUNT_TOKENS = "select count(*) from api_token \
        where user_id = $1 and revoked_at is null and (expires_at is null or expires_at > $2)";
    pub(crate) LIST_TOKENS = "select id, user_id, name, hint, scopes, cidrs, created_at, expires_at, last_used_at, \
        last_used_from from api_token \
        where user_id = $1 and revoked_at is null and (expires_at is null or expires_at > $2) \
        order by created_at desc, id desc limit 200";
    pub(crate) REVOKE_TOKEN = "update api_token set revoked_at = $2 where id = $1 and revoked_at is null";
    pub(crate) SET_TOKEN_USED = "update api_token set last_used_at = $2, last_used_from = $3 \
        where id = $1 and (last_used_at is null or last_used_at < $2)";
    pub(crate) DELETE_ENDED_TOKENS = "delete from api_token where revoked_at < $1 or expires_at < $1";

    // Organisations.
    pub(crate) FIND_ORG = "select id, version from account where name = $1 and kind = 'organisation'";
    pub(crate) FIND_ORGANISATION = "select a.id, a.name, a.display_name, a.version, a.created_at, \
        (select count(*) from membership m where m.org_id = a.id) from account a where a.id = $1";
    pub(crate) LIST_ORGS = "select a.id, a.name, a.display_name, a.version, a.created_at, \
        (select count(*) from membership c where c.org_id = a.id) \
        from membership m join account a on a.id = m.org_id where m.user_id = $1 order by a.name";
    pub(crate) LIST_MEMBERSHIPS = "select a.id, a.name, m.role from membership m join account a on a.id = m.org_id \
        where m.user_id = $1 order by a.name";
    pub(crate) COUNT_MEMBERSHIPS = "select count(*) from membership where user_id = $1";
    pub(crate) FIND_STANDING = "select m.role from membership m join account a on a.id = m.org_id \
        where a.name = $1 and m.user_id = $2";
    pub(crate) SET_MEMBERSHIP = "insert into membership (org_id, user_id, role, created_at) values ($1, $2, $3, $4) \
        on conflict (org_id, user_id) do update set role = excluded.role";
    pub(crate) DELETE_MEMBERSHIP = "delete from membership where org_id = $1 and user_id = $2";
    pub(crate) COUNT_OWNERS = "select count(*) from membership where org_id = $1 and role = 'owner'";
    pub(crate) LIST_MEMBERS = "select a.id, a.name, a.display_name, m.role, m.created_at \
        from membership m join account a on a.id = m.user_id where m.org_id = $1 order by a.name limit 1000";
    pub(crate) FIND_MEMBER = "select a.id, a.name, a.display_name, m.role, m.created_at \
        from membership m join account a on a.id = m.user_id where m.org_id = $1 and m.user_id = $2";
    pub(crate) INSERT_TEAM = "insert into team (id, org_id, name, description, created_at) \
        values ($1, $2, $3, $4, $5) on conflict (org_id, name) do nothing";
    pub(crate) FIND_TEAM = "select id from team where org_id = $1 and name = $2";
    pub(crate) LIST_TEAMS = "select t.id, t.name, t.description, \
        (select count(*) from team_member m where m.team_id = t.id) from team t where t.org_id = $1 order by t.name";
    pub(crate) DELETE_TEAM = "delete from team where id = $1";
    pub(crate) INSERT_TEAM_MEMBER = "insert into team_member (team_id, user_id) values ($1, $2) \
        on conflict (team_id, user_id) do nothing";
    pub(crate) DELETE_TEAM_MEMBER = "delete from team_member where team_id = $1 and user_id = $2";
    pub(crate) DELETE_TEAM_MEMBERSHIPS = "delete from team_member where user_id = $2 \
        and team_id in (select id from team where org_id = $1)";
    pub(crate) LIST_TEAM_MEMBERS = "select a.id, a.name, a.display_name, m.role, m.created_at \
        from team_member t join team on team.id = t.team_id join account a on a.id = t.user_id \
        join membership m on m.org_id = team.org_id and m.user_id = t.user_id \
        where t.team_id = $1 order by a.name limit 1000";
    pub(crate) LIST_GRANTS = "select subject, permission from team_grant where team_id = $1 \
        order by subject limit 1000";
    pub(crate) LIST_GRANTS_OF_USER = "select g.permission from team_grant g \
        join team_member m on m.team_id = g.team_id where m.user_id = $1 and g.subject = $2";
    pub(crate) LIST_SUBJECTS_OF_USER = "select distinct g.subject from team_grant g \
        join team_member m on m.team_id = g.team_id where m.user_id = $1 limit 10000";
    pub(crate) SET_GRANT = "insert into team_grant (team_id, subject, permission) values ($1, $2, $3) \
        on conflict (team_id, subject) do update set permission = excluded.permission";
    pub(crate) DELETE_GRANT = "delete from team_grant where team_id = $1 and subject = $2";

    // Links by mail, and sign-ins of command lines.
    pub(crate) LIST_ACCOUNTS_OF_EMAIL = "select a.id, a.name, l.email from login l join account a on a.id = l.user_id \
        where l.email_key = $1 and a.disabled_at is null \
        order by case when l.email_verified_at is null then 1 else 0 end, a.created_at, a.id limit $2";
    pub(crate) LIST_UNVERIFIED = "select a.id, a.name, l.email from login l join account a on a.id = l.user_id \
        where l.email_key = $1 and l.email_verified_at is null and a.disabled_at is null \
        order by a.created_at desc, a.id limit $2";
    pub(crate) INSERT_LINK = "insert into mail_link (secret_hash, user_id, purpose, email_key, created_at, expires_at) \
        values ($1, $2, $3, $4, $5, $6)";
    pub(crate) SPEND_LINK = "delete from mail_link where secret_hash = $1 and purpose = $2 and expires_at > $3 \
        returning user_id, email_key";
    pub(crate) DELETE_LINKS = "delete from mail_link where user_id = $1 and purpose = $2";
    pub(crate) SET_SETUP_LINK = "insert into setup_link (one, secret_hash, expires_at) values (1, $1, $2) \
        on conflict (one) do update set secret_hash = excluded.secret_hash, expires_at = excluded.expires_at";
    pub(crate) FIND_SETUP_LINK = "select secret_hash, expires_at from setup_link";
    pub(crate) DELETE_SETUP_LINK = "delete from setup_link";
    pub(crate) INSERT_WEB_LOGIN = "insert into web_login (id_hash, poll_hash, code, client, user_agent, created_at, \
        expires_at, state) values ($1, $2, $3, $4, $5, $6, $7, 'pending')";
    pub(crate) FIND_WEB_LOGIN = "select code, client, user_agent, created_at from web_login \
        where id_hash = $1 and state = 'pending' and expires_at > $2";
    pub(crate) FIND_WEB_LOGIN_BY_POLL = "select state, user_id from web_login \
        where poll_hash = $1 and expires_at > $2 for update";
    pub(crate) DECIDE_WEB_LOGIN = "update web_login set user_id = $2, state = $3 \
        where id_hash = $1 and state = 'pending' and expires_at > $4";
    pub(crate) COLLECT_WEB_LOGIN = "update web_login set state = 'collected' \
        where poll_hash = $1 and state = 'approved'";
    pub(crate) DELETE_ENDED_LINKS = "delete from mail_link where expires_at <= $1";
    pub(crate) DELETE_ENDED_WEB_LOGINS = "delete from web_login where expires_at <= $1";

    // The audit trail.
    pub(crate) INSERT_AUDIT = "insert into audit (at, actor_id, actor_name, token_id, session_id, client, \
        user_agent, request_id, action, subject, outcome, details) \
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    pub(crate) LIST_AUDIT = "select seq, at, actor_id, actor_name, token_id, session_id, client, user_agent, \
        request_id, action, subject, outcome, details from audit \
        where ($1 = '' or actor_id = $1 or actor_name = $1) \
        and ($2 = '' or action = $2 or substr(action, 1, length($2) + 1) = $2 || '.') \
        and ($3 = '' or subject = $3) and ($4 = '' or outcome = $4) and at >= $5 and at < $6 \
        order by seq desc limit $7 offset $8";
    pub(crate) COUNT_AUDIT = "select count(*) from audit \
        where ($1 = '' or actor_id = $1 or actor_name = $1) \
        and ($2 = '' or action = $2 or substr(action, 1, length($2) + 1) = $2 || '.') \
        and ($3 = '' or subject = $3) and ($4 = '' or outcome = $4) and at >= $5 and at < $6";
    pub(crate) LIST_OWN_AUDIT = "select seq, at, actor_id, actor_name, token_id, session_id, client, user_agent, \
        request_id, action, subject, outcome, details from audit where actor_id = $1 \
        order by seq desc limit $2 offset $3";
    pub(crate) COUNT_OWN_AUDIT = "select count(*) from audit where actor_id = $1";
}

impl FromRow for Entry {
    fn from_row(row: &Row<'_>) -> Result<Self, StoreError> {
        let details: String = row.get(12)?;
        Ok(Self {
            seq: row.get(0)?,
            at: row.get(1)?,
            actor_id: row.get(2)?,
            actor_name: row.get(3)?,
            token_id: row.get(4)?,
            session_id: row.get(5)?,
            client: row.get(6)?,
            user_agent: row.get(7)?,
            request_id: row.get(8)?,
            action: row.get(9)?,
            subject: row.get(10)?,
            outcome: row.get(11)?,
            details: serde_json::from_str(&details).unwrap_or_default(),
        })
    }
}

impl FromRow for Token {
    fn from_row(row: &Row<'_>) -> Result<Self, StoreError> {
        let (scopes, cidrs): (String, String) = (row.get(4)?, row.get(5)?);
        Ok(Self {
            id: row.get(0)?,
            user: row.get(1)?,
            name: row.get(2)?,
            hint: row.get(3)?,
            scopes: scopes.parse().unwrap_or_else(|_| Scopes::of(&[])),
            cidrs: parse_cidrs(&cidrs),
            created_at: row.get(6)?,
            expires_at: row.get(7)?,
            last_used_at: row.get(8)?,
            last_used_from: row.get(9)?,
        })
    }
}
