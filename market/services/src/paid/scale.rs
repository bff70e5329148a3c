//! Another plan for a deployment that was bought: its subscription changes with it.

use billing::{BillingError, ChangePlan};
use catalog::OfferId;
use identity::{Action, Caller};
use kernel::{Problem, Timestamp};
use store::{Tx, args};
use web::Expected;

use super::buy::alone;
use super::{Right, right_of, sql};
use crate::change::Change;
use crate::deployment::{Deployment, Wanted};
use crate::error::ServiceError;
use crate::list::own;
use crate::template::{Plan, Pricing};
use crate::{DeploymentId, Services};

/// What became of the wish for another plan.
#[derive(Clone, Debug)]
pub enum Scaled {
    /// It moves to the plan.
    Now(Box<Deployment>),
    /// It moves when what is paid for is over: the plan costs less.
    Later(Box<Deployment>, Timestamp),
    /// The bank wants the buyer to confirm the payment on this page; it moves then.
    Confirm(Box<Deployment>, String),
}

impl Scaled {
    /// The deployment as it is now.
    #[must_use]
    pub fn deployment(&self) -> &Deployment {
        match self {
            Self::Now(known) | Self::Later(known, _) | Self::Confirm(known, _) => known,
        }
    }
}

/// What a deployment has, and the plan that it is to have.
struct Asked {
    known: Deployment,
    plan: Plan,
    /// What carries it, while that is paid.
    right: Option<Right>,
    offer: Option<OfferId>,
}

impl Services {
    /// Gives a deployment another plan of its service. Where it is paid by a subscription, that changes: what costs more
    /// is charged first, in proportion to the time that is left; what costs less begins with the next period.
    ///
    /// # Errors
    /// [`ServiceError::ToPay`] where something is to be bought first; [`ServiceError::PaidOtherwise`] where the plan is
    /// paid in another way than the present one; as [`Services::change`].
    pub async fn change_plan(
        &self,
        by: &Caller,
        id: &DeploymentId,
        expected: Expected,
        plan: String,
    ) -> Result<Scaled, ServiceError> {
        let asked = self.asked(by, id, &expected, &plan).await?;
        let now = |known| Scaled::Now(Box::new(known));
        let is_free = !self.is_sold(asked.plan.pricing);
        match (asked.right, is_free) {
            (None, true) => Ok(now(self.change(by, id, expected, Change::Scale { plan }).await?)),
            (None, false) => {
                match self.change(by, id, expected, Change::Scale { plan: plan.clone() }).await {
                    Ok(known) => Ok(now(known)),
                    Err(ServiceError::NotBought) => {
                        self.order_for(by, id, &plan).await?;
                        Ok(now(self.deployment(by, id).await?))
                    }
                    Err(error) => Err(error),
                }
            }
            (Some(right), _) if right.plan_id == plan => {
                Ok(now(self.change(by, id, expected, Change::Scale { plan }).await?))
            }
            (Some(_), true) => Err(ServiceError::PaidOtherwise("Its subscription goes on: end that first.")),
            (Some(right), false) => {
                let is_subscription = matches!(asked.plan.pricing, Pricing::Subscription { .. });
                if right.metered || !is_subscription {
                    return Err(ServiceError::PaidOtherwise(
                        "The one is paid by the month, the other by use: make a backup, and deploy it with the other plan.",
                    ));
                }
                let offer = asked.offer.ok_or(ServiceError::NotBought)?;
                self.change_subscription(by, asked.known, &right, offer, plan).await
            }
        }
    }

    async fn asked(
        &self,
        by: &Caller,
        id: &DeploymentId,
        expected: &Expected,
        plan: &str,
    ) -> Result<Asked, ServiceError> {
        let (room, by, id) = (self.clone(), by.clone(), id.clone());
        let (expected, wanted) = (expected.clone(), plan.to_owned());
        let look = async move |tx: &mut Tx| {
            let known = own(tx, &by, &id, Action::Deploy).await?;
            expected.check(known.version)?;
            if known.wanted == Wanted::Deleted {
                return Err(ServiceError::Gone);
            }
            let template = room.template_of(tx, &known.template).await?;
            let offered = room.catalogue.find(&known.slug).unwrap_or(&template);
            let plan = offered.plan(&wanted).cloned();
            let plan = plan.ok_or_else(|| ServiceError::field("/plan", "This service has no such plan."))?;
            if plan.disk_bytes < known.plan.disk_bytes {
                return Err(ServiceError::Shrinks);
            }
            let right = match right_of(tx, &id).await? {
                Some(right) if right.holds(tx, by.now()).await? => Some(right),
                _ => None,
            };
            let offer: Option<(OfferId,)> =
                tx.first(&sql::FIND_OFFER_OF, args![known.service, wanted]).await?;
            Ok(Asked { known, plan, right, offer: offer.map(|(offer,)| offer) })
        };
        self.store.read(look).await
    }

    async fn change_subscription(
        &self,
        by: &Caller,
        known: Deployment,
        right: &Right,
        offer: OfferId,
        plan: String,
    ) -> Result<Scaled, ServiceError> {
        let till = self.till.as_deref().ok_or(ServiceError::NotBought)?;
        let of = right.clone();
        let find = async move |tx: &mut Tx| of.subscription(tx).await;
        let sub = self.store.read(find).await?;
        let sub = sub.ok_or(ServiceError::PaidOtherwise(
            "Its subscription is just beginning: try again in a moment.",
        ))?;
        let wish = ChangePlan { offer: offer.clone(), when: None };
        let changed = till.billing.change_plan(by, &sub.id, wish, Expected::Whatever, alone()).await?;
        if changed.subscription.plan.offer == offer {
            let (order, line, to) = (right.order.clone(), right.line, plan.clone());
            let set = async move |tx: &mut Tx| tx.execute(&sql::SET_RIGHT_PLAN, args![order, line, to]).await;
            self.store.write(set).await?;
            let moved = self.change(by, &known.id, Expected::Whatever, Change::Scale { plan }).await?;
            return Ok(Scaled::Now(Box::new(moved)));
        }
        if let Some(page) = changed.next_page {
            return Ok(Scaled::Confirm(Box::new(known), page));
        }
        Ok(Scaled::Later(Box::new(known), changed.subscription.span.end))
    }
}

impl From<BillingError> for ServiceError {
    fn from(error: BillingError) -> Self {
        match error {
            BillingError::Store(error) => Self::Store(error),
            error => Self::Elsewhere(Box::new(Problem::from(error))),
        }
    }
}
