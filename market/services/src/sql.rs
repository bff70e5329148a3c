//! The statements of this room.

use store::{StoreError, Tx, args, sql};

use crate::DeploymentId;
use crate::deployment::{Deployment, Status};
use crate::error::ServiceError;
use kernel::Timestamp;

sql! {
    pub(crate) INSERT_TEMPLATE = "insert into service_template (digest, service, source, created_at) \
        values ($1, $2, $3, $4) on conflict (digest) do nothing";
    pub(crate) FIND_TEMPLATE = "select source from service_template where digest = $1";

    pub(crate) INSERT_DEPLOYMENT = "insert into deployment (id, owner, creator, name, service, slug, template, image, \
        plan, plan_id, pricing, region, port, wanted, generation, run, status, reason, last_lines, \
        credentials, budget_told, version, since, created_at, updated_at, restore_from) values ($1, $2, $3, $4, $5, $6, $7, '', \
        $8, $9, $10, $11, $12, 'running', 1, 1, 'provisioning', '', '', $13, 0, 1, $14, $14, $14, $15)";
    pub(crate) FIND_DEPLOYMENT = "select id, owner, creator, name, service, slug, template, image, plan, region, port, wanted, generation, run, status, reason, last_lines, credentials, next_credentials, \
        restore_from, budget_minor, version, since, undo_until, deployed_at, created_at, updated_at from deployment where id = $1";
    pub(crate) LIST_LIVE = "select id, owner, creator, name, service, slug, template, image, plan, region, port, wanted, generation, run, status, reason, last_lines, credentials, next_credentials, \
        restore_from, budget_minor, version, since, undo_until, deployed_at, created_at, updated_at from deployment \
        where status <> 'deleted' order by id";
    pub(crate) LIST_DEPLOYMENTS = "select id, owner, creator, name, service, slug, template, image, plan, region, port, wanted, generation, run, status, reason, last_lines, credentials, next_credentials, \
        restore_from, budget_minor, version, since, undo_until, deployed_at, created_at, updated_at from deployment \
        where owner in each($1) and status <> 'deleted' and ($2 = '' or status = $2) order by created_at desc, id desc limit $3 offset $4";
    pub(crate) COUNT_DEPLOYMENTS = "select count(*) from deployment \
        where owner in each($1) and status <> 'deleted' and ($2 = '' or status = $2)";
    pub(crate) COUNT_NAMED = "select count(*) from deployment \
        where owner = $1 and name = $2 and wanted <> 'deleted' and id <> $3";
    pub(crate) COUNT_FREE = "select count(*) from deployment \
        where owner = $1 and pricing = 'free' and wanted = 'running' and id <> $2";
    pub(crate) COUNT_ACTIVE = "select service, count(*) from deployment \
        where status in ('running', 'degraded') and owner <> $1 group by service";
    pub(crate) LIST_SPARES = "select id, owner, creator, name, service, slug, template, image, plan, region, port, wanted, generation, run, status, reason, last_lines, credentials, next_credentials, \
        restore_from, budget_minor, version, since, undo_until, deployed_at, created_at, updated_at from deployment \
        where owner = $1 order by id";
    pub(crate) COUNT_WAITING = "select count(*) from deployment where status = 'provisioning' and owner <> $1";
    pub(crate) LIST_READY_SPARES = "select id, version from deployment where owner = $1 and template = $2 \
        and plan_id = $3 and region = $4 and wanted = 'running' and status = 'running' order by created_at, id limit 8";
    pub(crate) TAKE_SPARE = "update deployment set owner = $4, creator = $5, name = $6, status = 'provisioning', \
        reason = '', last_lines = '', generation = generation + 1, version = version + 1, deployed_at = null, \
        since = $7, created_at = $7, updated_at = $7 where id = $1 and version = $2 and owner = $3";
    pub(crate) FORGET_SPARE_SETTINGS = "delete from deployment_settings where deployment in \
        (select id from deployment where owner = $1 and status = 'deleted')";
    pub(crate) FORGET_SPARES = "delete from deployment where owner = $1 and status = 'deleted'";
    pub(crate) SAVE_DEPLOYMENT = "update deployment set name = $3, image = $4, plan = $5, plan_id = $6, pricing = $7, \
        port = $8, wanted = $9, generation = $10, run = $11, status = $12, reason = $13, last_lines = $14, \
        credentials = $15, next_credentials = $16, budget_minor = $17, since = $18, undo_until = $19, \
        deployed_at = $20, updated_at = $21, deleted_at = $22, restore_from = $23, \
        version = version + 1 where id = $1 and version = $2";
    pub(crate) FIND_SETTINGS = "select sealed from deployment_settings where deployment = $1";
    pub(crate) SET_SETTINGS = "insert into deployment_settings (deployment, sealed, updated_at) values ($1, $2, $3) \
        on conflict (deployment) do update set sealed = excluded.sealed, updated_at = excluded.updated_at";
    pub(crate) COUNT_HAD = "select count(*) from deployment \
        where owner in each($1) and service = $2 and deployed_at is not null";
    pub(crate) SUM_RATINGS = "select service, count(*), cast(sum(stars) as bigint) from service_rating group by service";
    pub(crate) COUNT_REVIEWS = "select count(*) from service_rating where service = $1";
    pub(crate) LIST_REVIEWS = "select account, stars, words, updated_at from service_rating where service = $1 \
        order by updated_at desc, account limit $2 offset $3";
    pub(crate) FIND_REVIEW = "select account, stars, words, updated_at from service_rating \
        where service = $1 and account = $2";
    pub(crate) SET_REVIEW = "insert into service_rating (service, account, stars, words, created_at, updated_at) \
        values ($1, $2, $3, $4, $5, $5) on conflict (service, account) do update set stars = excluded.stars, \
        words = excluded.words, updated_at = excluded.updated_at";
    pub(crate) DELETE_REVIEW = "delete from service_rating where service = $1 and account = $2";
    pub(crate) COUNT_EVER = "select count(*) from deployment where owner = $1 and ($2 = '' or service = $2)";
    pub(crate) FIND_PEER = "select name from deployment_peer where deployment = $1 limit 1";
    pub(crate) CLAIM_PEER = "insert into deployment_peer (owner, name, deployment) values ($1, $2, $3) \
        on conflict (owner, name) do nothing";
    pub(crate) FREE_PEER = "delete from deployment_peer where owner = $1 and name = $2 and exists \
        (select 1 from deployment d where d.id = deployment_peer.deployment and d.wanted = 'deleted')";
    pub(crate) OWNS_PEER = "select count(*) from deployment_peer where owner = $1 and name = $2 and deployment = $3";
    pub(crate) DROP_OTHER_PEERS = "delete from deployment_peer where deployment = $1 and name <> $2";
    pub(crate) COUNT_OF_OWNER = "select count(*) from deployment where owner = $1 and status <> 'deleted'";

    pub(crate) LAST_PORT = "select port from deployment where port is not null order by created_at desc limit 1";
    pub(crate) HAS_PORT = "select count(*) from deployment where port = $1";
    /// The first port behind one that is taken that is free itself.
    pub(crate) FREE_PORT = "select d.port + 1 from deployment d where d.port >= $1 and d.port < $2 \
        and not exists (select 1 from deployment e where e.port = d.port + 1) order by d.port limit 1";

    pub(crate) FIND_NETWORK = "select number from service_network where account = $1";
    pub(crate) HAS_NETWORK = "select count(*) from service_network where number = $1";
    /// The first number behind one that is taken that is free itself.
    pub(crate) FREE_NETWORK = "select min(n.number) + 1 from service_network n where n.number >= $1 \
        and not exists (select 1 from service_network m where m.number = n.number + 1)";
    pub(crate) INSERT_NETWORK = "insert into service_network (account, number, created_at) values ($1, $2, $3)";
    pub(crate) MOVE_NETWORK = "update service_network set number = $2 where account = $1";
    pub(crate) DELETE_NETWORK = "delete from service_network where account = $1";

    pub(crate) TAKE_LEASE = "insert into service_lease (name, holder, until) values ('orchestrator', $1, $2) \
        on conflict (name) do update set holder = excluded.holder, until = excluded.until \
        where service_lease.holder = excluded.holder or service_lease.until < $3";
    pub(crate) LEAVE_LEASE = "delete from service_lease where name = 'orchestrator' and holder = $1";
    pub(crate) HOLDS_LEASE = "select count(*) from service_lease \
        where name = 'orchestrator' and holder = $1 and until >= $2";

    pub(crate) INSERT_EVENT = "insert into deployment_event (deployment, version, at, status, words) \
        values ($1, $2, $3, $4, $5) on conflict (deployment, version) do nothing";
    pub(crate) LIST_EVENTS = "select version, at, status, words from deployment_event where deployment = $1 \
        order by version desc limit $2 offset $3";
    pub(crate) INSERT_BACKUP = "insert into deployment_backup (id, deployment, owner, template, state, reason, \
        size_bytes, created_at) values ($1, $2, $3, $4, 'waiting', '', 0, $5)";
    pub(crate) COUNT_BACKUPS = "select count(*) from deployment_backup where deployment = $1 and state <> 'removed'";
    pub(crate) LIST_BACKUPS = "select id, deployment, state, reason, file, size_bytes, created_at, ended_at \
        from deployment_backup where deployment = $1 and state <> 'removed' order by id desc limit $2 offset $3";
    pub(crate) FIND_BACKUP = "select id, deployment, state, reason, file, size_bytes, created_at, ended_at \
        from deployment_backup where id = $1 and deployment = $2 and state <> 'removed'";
    pub(crate) FIND_BACKUP_ALONE = "select id, deployment, state, reason, file, size_bytes, created_at, ended_at \
        from deployment_backup where id = $1";
    pub(crate) FIND_DONE_BACKUP = "select deployment from deployment_backup where id = $1 and state = 'done'";
    pub(crate) NEXT_BACKUP = "select id, deployment, state, reason, file, size_bytes, created_at, ended_at \
        from deployment_backup where state in ('waiting', 'dumping', 'verifying') order by id limit 1";
    pub(crate) LIST_TRIALS = "select id from deployment_backup where state in ('waiting', 'dumping', 'verifying')";
    pub(crate) SET_BACKUP_STATE = "update deployment_backup set state = $2 where id = $1";
    pub(crate) KEEP_BACKUP = "update deployment_backup set state = 'verifying', file = $2, size_bytes = $3 where id = $1";
    pub(crate) END_BACKUP = "update deployment_backup set state = $2, reason = $3, ended_at = $4, \
        file = case when $2 = 'failed' then null else file end where id = $1";
    pub(crate) REMOVE_BACKUP = "update deployment_backup set state = 'removed', file = null, ended_at = $2 \
        where id = $1 and state in ('done', 'failed')";
    pub(crate) FIND_SCHEDULE = "select every, weekday, hour, minute, keep, next_at, problem from backup_schedule \
        where deployment = $1";
    pub(crate) SET_SCHEDULE = "insert into backup_schedule (deployment, every, weekday, hour, minute, keep, problem, \
        next_at, updated_at) values ($1, $2, $3, $4, $5, $6, '', $7, $8) on conflict (deployment) do update set \
        every = excluded.every, weekday = excluded.weekday, hour = excluded.hour, minute = excluded.minute, \
        keep = excluded.keep, problem = '', next_at = excluded.next_at, updated_at = excluded.updated_at";
    pub(crate) DELETE_SCHEDULE = "delete from backup_schedule where deployment = $1";
    pub(crate) LIST_DUE_SCHEDULES = "select s.deployment from backup_schedule s join deployment d on d.id = s.deployment \
        where s.next_at <= $1 and (d.status = 'running' or d.wanted = 'deleted') order by s.next_at limit $2";
    pub(crate) MOVE_SCHEDULE = "update backup_schedule set next_at = $2, problem = $3 where deployment = $1";
    pub(crate) MARK_SCHEDULED = "update deployment_backup set scheduled = 1 where id = $1";
    pub(crate) LIST_OLD_SCHEDULED = "select id from deployment_backup where deployment = $1 and scheduled = 1 \
        and state = 'done' order by created_at desc, id desc limit 100 offset $2";
    pub(crate) FIND_NOW = "select figures from deployment_now where deployment = $1";
    pub(crate) LIST_NOW = "select deployment, figures from deployment_now where deployment in each($1)";
    pub(crate) SET_NOW = "insert into deployment_now (deployment, figures, at) values ($1, $2, $3) \
        on conflict (deployment) do update set figures = excluded.figures, at = excluded.at";
    pub(crate) INSERT_SAMPLE = "insert into deployment_sample (deployment, step, at, figures) values ($1, $2, $3, $4) \
        on conflict (deployment, step, at) do nothing";
    pub(crate) DELETE_SAMPLES = "delete from deployment_sample where step = $1 and at < $2";
    pub(crate) LIST_SAMPLES = "select at, figures from deployment_sample \
        where deployment = $1 and step = $2 and at >= $3 order by at limit 2000";
    pub(crate) COUNT_TIME = "insert into deployment_usage (deployment, hour, plan_id, pricing, plan_price, there_us, \
        wanted_us, served_us) values ($1, $2, $3, $4, $5, $6, $7, $8) \
        on conflict (deployment, hour, plan_id) do update set there_us = deployment_usage.there_us + excluded.there_us, \
        wanted_us = deployment_usage.wanted_us + excluded.wanted_us, \
        served_us = deployment_usage.served_us + excluded.served_us";
    pub(crate) SUM_TIME = "select coalesce(cast(sum(wanted_us) as bigint), 0), coalesce(cast(sum(served_us) as bigint), 0) \
        from deployment_usage where deployment = $1 and hour >= $2";
    pub(crate) SUM_PRICED = "select pricing, plan_price, cast(sum(there_us) as bigint), cast(sum(served_us) as bigint) \
        from deployment_usage where deployment = $1 and hour >= $2 and hour < $3 group by pricing, plan_price";
    pub(crate) TELL_BUDGET = "update deployment set budget_told = $2 where id = $1 and budget_told < $2";
    pub(crate) COUNT_EVENTS = "select count(*) from deployment_event where deployment = $1";
}

store::row!(Deployment {
    id,
    owner,
    creator,
    name,
    service,
    slug,
    template,
    image,
    plan,
    region,
    port,
    wanted,
    generation,
    run,
    status,
    reason,
    last_lines,
    credentials,
    next_credentials,
    restore_from,
    budget_minor,
    version,
    since,
    undo_until,
    deployed_at,
    created_at,
    updated_at,
});

/// The deployment of this id, whoever's it is.
pub(crate) async fn find(tx: &mut Tx, id: &DeploymentId) -> Result<Deployment, ServiceError> {
    let found: Option<Deployment> = tx.first(&FIND_DEPLOYMENT, args![id]).await?;
    found.ok_or(ServiceError::NotFound("deployment"))
}

/// Writes everything that changes, as long as nobody else changed it since it was read; it then has the next version.
pub(crate) async fn save(tx: &mut Tx, known: &mut Deployment, now: Timestamp) -> Result<bool, StoreError> {
    let plan = serde_json::to_string(&known.plan).map_err(|error| StoreError::Database(error.to_string()))?;
    let d = &*known;
    let deleted_at = (d.status == Status::Deleted).then_some(now);
    let (pricing, port) = (d.plan.pricing.model(), d.port.map(u32::from));
    let row = args![
        d.id,
        d.version,
        d.name,
        d.image,
        plan,
        d.plan.id,
        pricing,
        port,
        d.wanted,
        d.generation,
        d.run,
        d.status,
        d.reason,
        d.last_lines,
        d.credentials,
        d.next_credentials,
        d.budget_minor,
        d.since,
        d.undo_until,
        d.deployed_at,
        now,
        deleted_at,
        d.restore_from,
    ];
    let saved = tx.execute(&SAVE_DEPLOYMENT, row).await? == 1;
    if saved {
        known.version += 1;
        known.updated_at = now;
    }
    Ok(saved)
}

/// Keeps for its owner what happened to a deployment, in the version that it has now.
pub(crate) async fn note(
    tx: &mut Tx,
    known: &Deployment,
    now: Timestamp,
    words: &str,
) -> Result<(), StoreError> {
    tx.execute(&INSERT_EVENT, args![known.id, known.version, now, known.status, words]).await.map(drop)
}
