//! Giving a deployment to what was bought.

use identity::{AccountId, Caller};
use kernel::{Problem, Timestamp};
use orders::OrderId;
use store::{Tx, args};

use super::buy::Wish;
use super::{Right, right_of, sql};
use crate::deployment::{Deployment, NewDeployment, Status, Wanted};
use crate::error::ServiceError;
use crate::template::Plan;
use crate::{DeploymentId, ServiceId, Services, events as told, sql as rows};

impl Services {
    /// What a new deployment of this plan is carried by: something bought that carries nothing else.
    ///
    /// # Errors
    /// [`ServiceError::NotBought`].
    pub(crate) async fn free_right(
        &self,
        tx: &mut Tx,
        account: &AccountId,
        service: &ServiceId,
        plan: &str,
        now: Timestamp,
    ) -> Result<Right, ServiceError> {
        if self.till.is_none() {
            return Err(ServiceError::NotBought);
        }
        let free: Vec<Right> = tx.all(&sql::LIST_FREE_RIGHTS, args![account, service, plan]).await?;
        let lines = free.iter().map(|right| (right.order.as_str(), right.line));
        let given = orders::entitlement::of_lines(tx, lines).await?;
        let holds = |right: &Right| {
            let id = orders::entitlement::id_of(right.order.as_str(), right.line);
            given.get(&id).is_some_and(|entitlement| entitlement.holds(now))
        };
        free.into_iter().find(holds).ok_or(ServiceError::NotBought)
    }

    /// Sees that a deployment may have a plan: what carries it holds and is of that plan, or something free that was bought
    /// carries it from now on. A free plan needs nothing, and leaves what is not paid any more.
    ///
    /// # Errors
    /// [`ServiceError::NotBought`]; [`ServiceError::PaidOtherwise`] for a free plan while another is paid.
    pub(crate) async fn pays_for(
        &self,
        tx: &mut Tx,
        known: &Deployment,
        plan: &Plan,
        now: Timestamp,
    ) -> Result<(), ServiceError> {
        let right = right_of(tx, &known.id).await?;
        let holds = match &right {
            Some(right) => right.holds(tx, now).await?,
            None => false,
        };
        match right {
            Some(_) if holds && !self.is_sold(plan.pricing) && plan.id != known.plan.id => {
                Err(ServiceError::PaidOtherwise("Its subscription goes on: end that first."))
            }
            Some(right) if !holds && !self.is_sold(plan.pricing) => {
                tx.execute(&sql::LEAVE, args![known.id]).await?;
                tx.execute(&sql::END_RIGHT, args![right.order, right.line, now]).await?;
                Ok(())
            }
            _ if !self.is_sold(plan.pricing) => Ok(()),
            Some(right) if holds && right.plan_id == plan.id => Ok(()),
            _ => {
                let right = self.free_right(tx, &known.owner, &known.service, &plan.id, now).await?;
                carry(tx, &right, &known.id).await
            }
        }
    }

    /// Does what the buyer of an order wants with it. Once: what it carries already is given back.
    ///
    /// # Errors
    /// [`ServiceError::NotBought`] where it is not paid or was for nothing in particular; what speaks against it, which
    /// is also written down for the buyer, who can then use what was bought otherwise.
    pub(crate) async fn carry_out(&self, order: &OrderId) -> Result<DeploymentId, ServiceError> {
        let (room, id, now) = (self.clone(), order.clone(), self.clock.now());
        let write = async move |tx: &mut Tx| room.try_carry_out(tx, &id, now).await;
        match self.store.write(write).await {
            Ok(id) => Ok(id),
            // What may pass by itself is tried again.
            Err(error @ (ServiceError::Store(_) | ServiceError::NotBought | ServiceError::NoPort)) => {
                Err(error)
            }
            Err(error) => {
                let problem = Problem::from(error);
                let (order, words) = (order.clone(), problem.detail.to_string());
                let note = async move |tx: &mut Tx| {
                    let right: Option<Right> = tx.first(&sql::FIND_RIGHT, args![order]).await?;
                    let Some(right) = right else { return Ok::<_, store::StoreError>(()) };
                    tx.execute(&sql::DROP_WISH, args![order, right.line, words]).await.map(drop)
                };
                self.store.write(note).await?;
                Err(ServiceError::Elsewhere(Box::new(problem)))
            }
        }
    }

    async fn try_carry_out(
        &self,
        tx: &mut Tx,
        order: &OrderId,
        now: Timestamp,
    ) -> Result<DeploymentId, ServiceError> {
        let right: Option<Right> = tx.first(&sql::FIND_RIGHT, args![order]).await?;
        let right = right.ok_or(ServiceError::NotFound("order of a plan"))?;
        if let Some(id) = right.deployment {
            return Ok(id);
        }
        let wish = right.wish.as_deref().ok_or(ServiceError::NotBought)?;
        if right.paid_at.is_none() || !right.holds(tx, now).await? {
            return Err(ServiceError::NotBought);
        }
        match self.opened(wish)? {
            Wish::Deploy(new) => self.carry_new(tx, &right, *new, now).await,
            Wish::GoOn(id) => self.carry_on(tx, &right, id, now).await,
        }
    }

    async fn carry_new(
        &self,
        tx: &mut Tx,
        right: &Right,
        new: NewDeployment,
        now: Timestamp,
    ) -> Result<DeploymentId, ServiceError> {
        // What was paid for counts, whatever the wish says.
        let service = right.service.to_string();
        let new = NewDeployment { service, plan: Some(right.plan_id.clone()), ..new };
        let choice = self.choose(&new)?;
        self.check_account(tx, &right.account, &new.name, &choice.plan).await?;
        let by = Caller::system(now);
        let id = self.insert(tx, &by, (&right.account, &right.placed_by), &new.name, &choice).await?;
        carry(tx, right, &id).await?;
        Ok(id)
    }

    async fn carry_on(
        &self,
        tx: &mut Tx,
        right: &Right,
        id: DeploymentId,
        now: Timestamp,
    ) -> Result<DeploymentId, ServiceError> {
        let mut known = rows::find(tx, &id).await?;
        if known.owner != right.account || known.service != right.service {
            return Err(ServiceError::NotFound("deployment"));
        }
        if known.status == Status::Deleted || known.is_to_vanish(now) {
            return Err(ServiceError::Gone);
        }
        let template = self.template_of(tx, &known.template).await?;
        let offered = self.catalogue.find(&known.slug).unwrap_or(&template);
        let plan = offered.plan(&right.plan_id).ok_or(ServiceError::NotOffered("such plan any more"))?;
        if plan.disk_bytes < known.plan.disk_bytes {
            return Err(ServiceError::Shrinks);
        }
        tx.execute(&sql::LEAVE, args![id]).await?;
        carry(tx, right, &id).await?;
        known.plan = plan.clone();
        known.wanted = Wanted::Running;
        known.status = Status::Provisioning;
        known.undo_until = None;
        (known.since, known.reason, known.last_lines) = (now, String::new(), String::new());
        known.generation += 1;
        rows::save(tx, &mut known, now).await?;
        rows::note(tx, &known, now, "It is paid, and goes on.").await?;
        ::events::append(tx, now, &told::Updated::of(&known)).await?;
        self.wake_after(tx, &id);
        Ok(id)
    }
}

/// The right carries the deployment from now on, and nothing else.
///
/// # Errors
/// [`ServiceError::NotBought`] where it carries something else by now.
pub(crate) async fn carry(tx: &mut Tx, right: &Right, id: &DeploymentId) -> Result<(), ServiceError> {
    if right.deployment.as_ref() != Some(id) {
        tx.execute(&sql::LEAVE, args![id]).await?;
    }
    let before = right.deployment.as_ref().map_or("", DeploymentId::as_str);
    let carried = tx.execute(&sql::CARRY, args![right.order, right.line, id, before]).await?;
    if carried == 1 { Ok(()) } else { Err(ServiceError::NotBought) }
}
