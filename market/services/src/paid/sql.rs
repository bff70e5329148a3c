//! The statements about what was bought.

use store::sql;

sql! {
    pub(crate) LIST_OFFERS_OF = "select plan_id, offer, listing from service_offer where service = $1 and current = 1";
    pub(crate) LIST_SOLD = "select distinct service, listing from service_offer where current = 1";
    pub(crate) FIND_OFFER_OF = "select offer from service_offer where service = $1 and plan_id = $2 and current = 1";
    pub(crate) FIND_PLAN_OF = "select service, plan_id from service_offer where offer = $1";
    pub(crate) LIST_PLANS_OF = "select offer, plan_id from service_offer where offer in each($1)";
    pub(crate) INSERT_OFFER = "insert into service_offer (offer, listing, service, plan_id, current) \
        values ($1, $2, $3, $4, 1)";
    pub(crate) DROP_OFFER = "update service_offer set current = 0 where service = $1 and plan_id = $2 and current = 1";

    pub(crate) INSERT_RIGHT = "insert into service_right (order_id, line, account, placed_by, service, plan_id, metered, \
        wish, wish_of, created_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) on conflict (order_id, line) do nothing";
    pub(crate) SET_RIGHT_PAID = "update service_right set paid_at = $3 where order_id = $1 and line = $2";
    pub(crate) FIND_RIGHT = "select order_id, line, account, placed_by, service, plan_id, metered, wish, problem, deployment, \
        lapsed_at, was_running, paid_at, ended_at from service_right where order_id = $1 order by line limit 1";
    pub(crate) FIND_RIGHT_OF = "select order_id, line, account, placed_by, service, plan_id, metered, wish, problem, \
        deployment, lapsed_at, was_running, paid_at, ended_at from service_right where deployment = $1";
    pub(crate) FIND_WISH_OF = "select order_id from service_right where wish_of = $1 and plan_id = $2 and paid_at is null \
        order by created_at desc limit 1";
    /// Paid, not meant for anything else, and carrying nothing, or something that was deleted.
    pub(crate) LIST_FREE_RIGHTS = "select order_id, line, account, placed_by, service, plan_id, metered, wish, problem, \
        deployment, lapsed_at, was_running, paid_at, ended_at from service_right \
        where account = $1 and service = $2 and plan_id = $3 and paid_at is not null and ended_at is null \
        and wish is null and (deployment is null or exists (select 1 from deployment \
        where deployment.id = service_right.deployment and deployment.wanted = 'deleted')) \
        order by paid_at, order_id, line limit 50";
    pub(crate) LIST_LIVE_RIGHTS = "select order_id, line, account, placed_by, service, plan_id, metered, wish, problem, \
        deployment, lapsed_at, was_running, paid_at, ended_at from service_right \
        where paid_at is not null and ended_at is null order by order_id, line";
    pub(crate) LIST_CARRIED = "select id, wanted, plan_id from deployment where id in each($1)";
    /// Compare and set: it carries what was read.
    pub(crate) CARRY = "update service_right set deployment = $3, wish = null, problem = '', lapsed_at = null, was_running = 0 \
        where order_id = $1 and line = $2 and ended_at is null and coalesce(deployment, '') = $4";
    pub(crate) LEAVE = "update service_right set deployment = null, lapsed_at = null, was_running = 0 where deployment = $1";
    pub(crate) SET_RIGHT_PLAN = "update service_right set plan_id = $3 where order_id = $1 and line = $2";
    pub(crate) SET_LAPSED = "update service_right set lapsed_at = $3, was_running = $4 where order_id = $1 and line = $2";
    pub(crate) END_RIGHT = "update service_right set ended_at = $3 where order_id = $1 and line = $2";
    pub(crate) DROP_WISH = "update service_right set wish = null, problem = $3 where order_id = $1 and line = $2";
    pub(crate) FORGET_UNPAID = "delete from service_right where paid_at is null and created_at < $1";

    /// Whole hours of what is paid by use that were not told yet.
    pub(crate) LIST_HOURS = "select u.deployment, u.hour, r.order_id, r.line, cast(sum(u.plan_price * u.served_us) as bigint) \
        from deployment_usage u join service_right r on r.deployment = u.deployment and r.metered = 1 \
        where u.pricing = 'usage' and u.hour < $1 and not exists (select 1 from service_usage t \
        where t.deployment = u.deployment and t.hour >= u.hour) \
        group by u.deployment, u.hour, r.order_id, r.line order by u.deployment, u.hour limit 500";
    pub(crate) FIND_REST = "select rest from service_right where order_id = $1 and line = $2";
    pub(crate) SET_REST = "update service_right set rest = $3 where order_id = $1 and line = $2";
    pub(crate) INSERT_USED = "insert into service_usage (deployment, hour, order_id, line, quantity, at, state) \
        values ($1, $2, $3, $4, $5, $6, $7) on conflict (deployment, hour) do nothing";
    pub(crate) LIST_USED = "select deployment, hour, order_id, line, quantity, at from service_usage \
        where state = 'open' order by at limit 500";
    pub(crate) SET_USED = "update service_usage set state = $3 where deployment = $1 and hour = $2";
}
