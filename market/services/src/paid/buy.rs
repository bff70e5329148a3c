//! Ordering what a deployment needs. The wish travels sealed with the order, so that it is carried out once the order is
//! paid, whoever pays it and however.

use catalog::{OfferId, Want};
use identity::orgs::OrgRole;
use identity::{Action, Caller};
use kernel::{Money, Problem, Secret, Timestamp};
use orders::{NewOrder, OrderError, OrderId, Placed, State};
use serde::{Deserialize, Serialize};
use store::{StoreError, Tx, args};
use web::Expected;
use web::idempotency::{Key, Request};

use super::{Right, Till, sql};
use crate::change::Change;
use crate::deploy::Made;
use crate::deployment::{Deployment, NewDeployment, Wanted};
use crate::error::ServiceError;
use crate::list::own;
use crate::{DeploymentId, ServiceId, Services};

/// For what wishes are sealed.
const PURPOSE: &str = "service wish";

/// What somebody wants who orders a plan.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Wish {
    /// A new deployment.
    Deploy(Box<NewDeployment>),
    /// One that there is shall go on, with this plan.
    GoOn(DeploymentId),
}

/// An order that waits to be paid. What it is for happens by itself then.
#[derive(Clone, Debug)]
pub struct ToPay {
    /// The order.
    pub order: OrderId,
    /// What is to be paid.
    pub total: Money,
    /// Until when it is held.
    pub ends_at: Timestamp,
}

impl ToPay {
    /// The page on which people pay it.
    #[must_use]
    pub fn page(&self) -> String {
        format!("/checkout/{}", self.order)
    }
}

impl Services {
    /// Orders what the new deployment needs, once per request: gives the deployment where nothing is to be paid now.
    pub(crate) async fn order_new(
        &self,
        by: &Caller,
        new: NewDeployment,
        service: &ServiceId,
        plan: &str,
        request: Request,
    ) -> Result<Made, ServiceError> {
        let org = new.organisation.clone();
        let wish = self.sealed("", &Wish::Deploy(Box::new(new)))?;
        let (till, order) = self.order(by, service, plan, org, wish).await?;
        let stored = till.orders.place_once(by, order, request, |placed| placed.order.id.clone()).await?;
        let order: OrderId =
            serde_json::from_slice(&stored.body).map_err(|error| StoreError::Database(error.to_string()))?;
        self.after_order(by, &order).await
    }

    /// What became of an order that was placed for a new deployment.
    pub(crate) async fn after_order(&self, by: &Caller, order: &OrderId) -> Result<Made, ServiceError> {
        let (placed, right) = self.ordered(order).await?;
        if !by.account()?.speaks_for(&placed.order.buyer, OrgRole::Member) {
            return Err(ServiceError::NotFound("order"));
        }
        let to_pay = self.still_open(&placed, by.now())?;
        if let Some(to_pay) = to_pay {
            return Err(ServiceError::ToPay(Box::new(to_pay)));
        }
        let id = match right.deployment {
            Some(id) => id,
            None => self.carry_out(order).await?,
        };
        self.made(&id).await
    }

    /// Orders what an existing deployment needs to go on with a plan, or finds the order that waits already; gives the
    /// deployment's id where nothing is to be paid now.
    pub(crate) async fn order_for(
        &self,
        by: &Caller,
        id: &DeploymentId,
        plan: &str,
    ) -> Result<(), ServiceError> {
        let (caller, of, wanted) = (by.clone(), id.clone(), plan.to_owned());
        let look = async move |tx: &mut Tx| {
            let known = own(tx, &caller, &of, Action::Deploy).await?;
            let waits: Option<(OrderId,)> = tx.first(&sql::FIND_WISH_OF, args![of, wanted]).await?;
            Ok::<_, ServiceError>((known, waits.map(|(order,)| order)))
        };
        let (known, waits) = self.store.read(look).await?;
        if known.wanted == Wanted::Deleted && known.is_to_vanish(by.now()) {
            return Err(ServiceError::Gone);
        }
        if let Some(order) = waits
            && let Ok((placed, _)) = self.ordered(&order).await
            && let Ok(Some(to_pay)) = self.still_open(&placed, by.now())
        {
            return Err(ServiceError::ToPay(Box::new(to_pay)));
        }
        let actor = by.account()?;
        let org = actor.memberships.iter().find(|own| known.owner.as_str() == own.id.as_str());
        let org = org.map(|own| own.org.to_string());
        let wish = self.sealed(id.as_str(), &Wish::GoOn(id.clone()))?;
        let (till, order) = self.order(by, &known.service, plan, org, wish).await?;
        let placed = till.orders.place(by, order).await?;
        match self.still_open(&placed, by.now())? {
            Some(to_pay) => Err(ServiceError::ToPay(Box::new(to_pay))),
            None => self.carry_out(&placed.order.id).await.map(drop),
        }
    }

    /// As [`Services::change`]; where the deployment is to run and is not paid, what it needs is ordered.
    ///
    /// # Errors
    /// [`ServiceError::ToPay`]; it starts by itself once that is paid.
    pub async fn change_or_order(
        &self,
        by: &Caller,
        id: &DeploymentId,
        expected: Expected,
        change: Change,
    ) -> Result<Deployment, ServiceError> {
        match self.change(by, id, expected, change).await {
            Err(ServiceError::NotBought) => {
                let plan = self.deployment(by, id).await?.plan.id;
                self.order_for(by, id, &plan).await?;
                self.deployment(by, id).await
            }
            changed => changed,
        }
    }

    /// An order of a plan, and who takes it.
    async fn order(
        &self,
        by: &Caller,
        service: &ServiceId,
        plan: &str,
        org: Option<String>,
        wish: String,
    ) -> Result<(&Till, NewOrder), ServiceError> {
        by.may(Action::Buy, &identity::Subject::Market)?;
        let till = self.till.as_deref().ok_or(ServiceError::NotBought)?;
        let offer = match self.offer_of(service, plan).await? {
            Some(offer) => offer,
            None => {
                // Whoever sells it may have become known just now.
                self.put_on_sale().await?;
                self.offer_of(service, plan).await?.ok_or(ServiceError::NotBought)?
            }
        };
        let items = vec![Want::some(offer, 1)];
        Ok((till, NewOrder { items, on_behalf_of: org, pass: Some(wish), ..NewOrder::default() }))
    }

    async fn offer_of(&self, service: &ServiceId, plan: &str) -> Result<Option<OfferId>, StoreError> {
        let (service, plan) = (service.clone(), plan.to_owned());
        let find =
            async move |tx: &mut Tx| tx.first::<(OfferId,)>(&sql::FIND_OFFER_OF, args![service, plan]).await;
        Ok(self.store.read(find).await?.map(|(offer,)| offer))
    }

    /// The order with what it gives.
    pub(crate) async fn ordered(&self, order: &OrderId) -> Result<(Placed, Right), ServiceError> {
        let order = order.clone();
        let look = async move |tx: &mut Tx| {
            let placed = orders::find_placed(tx, &order).await?.ok_or(ServiceError::NotFound("order"))?;
            let right: Option<Right> = tx.first(&sql::FIND_RIGHT, args![order]).await?;
            Ok::<_, ServiceError>((placed, right.ok_or(ServiceError::NotFound("order of a plan"))?))
        };
        self.store.read(look).await
    }

    /// What is to be paid; none where it is paid.
    pub(crate) fn still_open(&self, placed: &Placed, now: Timestamp) -> Result<Option<ToPay>, ServiceError> {
        let order = &placed.order;
        match order.state {
            State::Paid | State::PartiallyRefunded => Ok(None),
            State::Pending if order.hold.is_live(now) => Ok(Some(ToPay {
                order: order.id.clone(),
                total: Money::new(order.amounts.total, order.currency),
                ends_at: order.hold.ends_at,
            })),
            _ => Err(ServiceError::OrderOver),
        }
    }

    fn sealed(&self, of: &str, wish: &Wish) -> Result<String, ServiceError> {
        let text = serde_json::to_string(wish).map_err(|error| StoreError::Database(error.to_string()))?;
        Ok(format!("{of} {}", self.vault.seal(PURPOSE, &Secret::new(text))?))
    }

    pub(super) fn opened(&self, sealed: &str) -> Result<Wish, ServiceError> {
        let text = self.vault.open(PURPOSE, sealed)?;
        let wish = serde_json::from_str(text.expose());
        wish.map_err(|error| StoreError::Database(error.to_string()).into())
    }
}

/// A key of its own, for what is asked once.
pub(super) fn alone() -> Request {
    Request::new(Key(None), "", &())
}

impl From<OrderError> for ServiceError {
    fn from(error: OrderError) -> Self {
        match error {
            OrderError::Store(error) => Self::Store(error),
            error => Self::Elsewhere(Box::new(Problem::from(error))),
        }
    }
}
