//! Plans with a price: sold through the order core, and carried by what was bought.
//!
//! * `offers.rs` puts the plans on sale; `goods.rs` is told what was ordered and paid.
//! * `buy.rs` orders what a new deployment needs, `carry.rs` gives a deployment to what was bought, `scale.rs` changes
//!   the plan of both.
//! * `lapse.rs` looks again and again whether what runs is still paid, `usage.rs` tells the billing what was used.
//!
//! A *right* is what one line of an order gives: one deployment of a plan at a time. Whether it holds is said by its
//! entitlement alone, which the rooms of orders and billing begin, prolong and end.

mod buy;
mod carry;
mod goods;
mod lapse;
mod mails;
mod offers;
mod scale;
pub(crate) mod sql;
mod usage;

use std::sync::Arc;
use std::time::Duration;

use billing::{Billing, Subscription};
use identity::{AccountId, UserId};
use kernel::{Money, Timestamp};
use orders::{OrderId, Orders};
use store::{StoreError, Tx, args};

use crate::schedule::LOOK_EVERY;
use crate::template::{Plan, Pricing};
use crate::{DeploymentId, Paid, ServiceId, Services};

pub use buy::ToPay;
pub(crate) use carry::carry;
pub use scale::Scaled;

/// How often the catalogue is compared with the templates: whoever sells may have become known meanwhile.
const ON_SALE_EVERY: Duration = Duration::from_secs(60);
/// How often orders that nobody paid are forgotten.
const FORGET_EVERY: Duration = Duration::from_secs(24 * 3600);

/// The rooms through which plans are sold.
pub(crate) struct Till {
    pub(crate) orders: Orders,
    pub(crate) billing: Billing,
}

/// What a line of an order gives.
#[derive(Clone, Debug)]
pub(crate) struct Right {
    pub(crate) order: OrderId,
    pub(crate) line: u32,
    pub(crate) account: AccountId,
    pub(crate) placed_by: UserId,
    pub(crate) service: ServiceId,
    pub(crate) plan_id: String,
    pub(crate) metered: bool,
    /// Sealed: what its buyer wants with it.
    pub(crate) wish: Option<String>,
    /// Why that could not be had.
    pub(crate) problem: String,
    /// What it carries.
    pub(crate) deployment: Option<DeploymentId>,
    pub(crate) lapsed_at: Option<Timestamp>,
    pub(crate) was_running: bool,
    pub(crate) paid_at: Option<Timestamp>,
    pub(crate) ended_at: Option<Timestamp>,
}

store::row!(Right {
    order,
    line,
    account,
    placed_by,
    service,
    plan_id,
    metered,
    wish,
    problem,
    deployment,
    lapsed_at,
    was_running,
    paid_at,
    ended_at,
});

impl Right {
    /// Whether it may be used at `now`.
    async fn holds(&self, tx: &mut Tx, now: Timestamp) -> Result<bool, StoreError> {
        let given = orders::entitlement::of_lines(tx, [(self.order.as_str(), self.line)]).await?;
        Ok(self.ended_at.is_none() && given.values().any(|entitlement| entitlement.holds(now)))
    }

    /// What is paid for it again and again; none until the billing has heard of the order.
    async fn subscription(&self, tx: &mut Tx) -> Result<Option<Subscription>, StoreError> {
        let all = billing::subscriptions_of(tx, [&self.order]).await?;
        Ok(all.into_iter().find(|sub| sub.line == self.line))
    }
}

/// The right that carries a deployment.
pub(crate) async fn right_of(tx: &mut Tx, id: &DeploymentId) -> Result<Option<Right>, StoreError> {
    tx.first(&sql::FIND_RIGHT_OF, args![id]).await
}

/// The subscription by which a deployment is paid.
pub(crate) async fn subscription_of(
    tx: &mut Tx,
    id: &DeploymentId,
) -> Result<Option<Subscription>, StoreError> {
    match right_of(tx, id).await? {
        Some(right) => right.subscription(tx).await,
        None => Ok(None),
    }
}

impl Services {
    /// Sells plans with a price through these rooms. Once, at the start.
    #[must_use]
    pub fn sold_by(mut self, orders: Orders, billing: Billing) -> Self {
        orders.deliver_by(Arc::new(goods::Plans::new(&self)));
        self.till = Some(Arc::new(Till { orders, billing }));
        self
    }

    /// Adds this room's mails, the upkeep of what is on sale and the backups that are due to the work that is done in the
    /// background.
    #[must_use]
    pub fn jobs(&self, runner: jobs::Runner, mailer: mail::Mailer) -> jobs::Runner {
        let (sale, forget, schedules) = (self.clone(), self.clone(), self.clone());
        mails::register(runner, self, mailer)
            .every("services.put-on-sale", ON_SALE_EVERY, move |_| {
                let room = sale.clone();
                async move {
                    room.put_on_sale().await.map_err(|error| jobs::Failure::again(error.to_string()))
                }
            })
            .every("services.backup-schedules", LOOK_EVERY, move |_| {
                let room = schedules.clone();
                async move {
                    let begun = room.run_schedules().await;
                    begun.map(drop).map_err(|error| jobs::Failure::again(error.to_string()))
                }
            })
            .every("services.forget-unpaid", FORGET_EVERY, move |_| {
                let room = forget.clone();
                async move { Ok(room.forget_unpaid().await?) }
            })
    }

    /// Whether a deployment of this plan needs something that was bought.
    pub(crate) fn is_sold(&self, pricing: Pricing) -> bool {
        pricing != Pricing::Free && self.settings.paid == Paid::Needed
    }

    /// Whether plans with a price can be had at all: bought, or for nothing.
    pub(crate) fn can_be_had(&self) -> bool {
        self.settings.paid == Paid::Off || self.till.is_some()
    }
}

/// How a plan is paid in the catalogue: the pricing of its offer, and the price of one unit. What is paid by use is
/// counted in the smallest units of money, so that an hour may cost less than one and the sum is still exact.
fn offered(plan: &Plan) -> Option<(catalog::Pricing, Money)> {
    match plan.pricing {
        Pricing::Free => None,
        Pricing::Subscription { month_minor } => {
            let pricing = catalog::Pricing::Subscription { period: catalog::Period::Month, trial_days: 0 };
            Some((pricing, Money::new(month_minor, plan.currency)))
        }
        Pricing::Usage { .. } => {
            let one = Money::new(1, plan.currency);
            Some((catalog::Pricing::Metered { unit: format!("{one} of running time") }, one))
        }
    }
}
