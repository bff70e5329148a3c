//! Whether what runs is still paid: looked at again and again, never at what happened in between, so that nothing that was
//! missed while this program did not run is missed for ever.

use std::collections::HashMap;
use std::time::Duration;

use billing::Subscription;
use catalog::OfferId;
use kernel::Timestamp;
use orders::{Entitlement, EntitlementId, OrderId};
use store::{StoreError, Tx, args, json_list};

use super::{Right, mails, sql};
use crate::deployment::{Deployment, Status, Wanted};
use crate::error::ServiceError;
use crate::{DeploymentId, Services, events as told, sql as rows};

/// How long an order that nobody paid is remembered: much longer than it can be held.
const FORGET: Duration = Duration::from_secs(7 * 24 * 3600);

/// What is carried by a right.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Carried {
    id: DeploymentId,
    wanted: Wanted,
    plan_id: String,
}
store::row!(Carried { id, wanted, plan_id });

/// What is to be done about a right.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// What its buyer wants with it.
    CarryOut,
    /// It is not paid any more: what it carries stops.
    Lapse,
    /// It is paid again.
    Resume,
    /// It was not paid for too long: what it carries is deleted.
    Delete,
    /// It is of another plan now.
    Become(String),
    /// It is over, and carries nothing.
    End,
}

/// What is to be done. `plan` is the plan that is paid for.
fn step(
    right: &Right,
    carried: Option<&Carried>,
    is_paid: bool,
    plan: Option<&str>,
    now: Timestamp,
    grace: Duration,
) -> Option<Step> {
    let Some(carried) = carried.filter(|carried| carried.wanted != Wanted::Deleted) else {
        return match (is_paid, right.wish.is_some()) {
            (false, _) => Some(Step::End),
            (true, true) if right.deployment.is_none() => Some(Step::CarryOut),
            (true, _) => plan.filter(|plan| *plan != right.plan_id).map(|plan| Step::Become(plan.to_owned())),
        };
    };
    match (is_paid, right.lapsed_at) {
        (false, None) => Some(Step::Lapse),
        (false, Some(at)) if at.after(grace) <= now => Some(Step::Delete),
        (false, Some(_)) => None,
        (true, Some(_)) => Some(Step::Resume),
        (true, None) => {
            let plan = plan.unwrap_or(&right.plan_id);
            (plan != right.plan_id || plan != carried.plan_id).then(|| Step::Become(plan.to_owned()))
        }
    }
}

/// All that is looked at, each by one statement.
struct Seen {
    rights: Vec<Right>,
    given: HashMap<EntitlementId, Entitlement>,
    subscriptions: HashMap<(OrderId, u32), Subscription>,
    plans: HashMap<OfferId, String>,
    carried: HashMap<DeploymentId, Carried>,
}

impl Seen {
    async fn read(tx: &mut Tx) -> Result<Self, StoreError> {
        let rights: Vec<Right> = tx.all(&sql::LIST_LIVE_RIGHTS, &[]).await?;
        let lines = rights.iter().map(|right| (right.order.as_str(), right.line));
        let given = orders::entitlement::of_lines(tx, lines).await?;
        let found = billing::subscriptions_of(tx, rights.iter().map(|right| &right.order)).await?;
        let offers = json_list(found.iter().map(|sub| &sub.plan.offer));
        let plans: Vec<(OfferId, String)> = tx.all(&sql::LIST_PLANS_OF, args![offers]).await?;
        let ids = json_list(rights.iter().filter_map(|right| right.deployment.as_ref()));
        let carried: Vec<Carried> = tx.all(&sql::LIST_CARRIED, args![ids]).await?;
        Ok(Self {
            rights,
            given,
            subscriptions: found.into_iter().map(|sub| ((sub.order.clone(), sub.line), sub)).collect(),
            plans: plans.into_iter().collect(),
            carried: carried.into_iter().map(|carried| (carried.id.clone(), carried)).collect(),
        })
    }

    /// What is to be done, and about what.
    fn steps(&self, now: Timestamp, grace: Duration) -> impl Iterator<Item = (&Right, Step)> {
        self.rights.iter().filter_map(move |right| {
            let id = orders::entitlement::id_of(right.order.as_str(), right.line);
            let is_paid = self.given.get(&id).is_some_and(|entitlement| entitlement.holds(now));
            let sub = self.subscriptions.get(&(right.order.clone(), right.line));
            let plan = sub.and_then(|sub| self.plans.get(&sub.plan.offer)).map(String::as_str);
            let carried = right.deployment.as_ref().and_then(|id| self.carried.get(id));
            Some((right, step(right, carried, is_paid, plan, now, grace)?))
        })
    }
}

impl Services {
    /// Looks once at everything that was bought, and does what is to be done. Gives how much that was.
    ///
    /// # Errors
    /// [`ServiceError::Store`]; what goes wrong with one deployment is logged, and tried again the next time.
    pub async fn settle_paid(&self) -> Result<usize, ServiceError> {
        if self.till.is_none() {
            return Ok(0);
        }
        let now = self.clock.now();
        let seen = self.store.read(async |tx: &mut Tx| Seen::read(tx).await).await?;
        let mut done = 0;
        for (right, step) in seen.steps(now, self.settings.grace) {
            let (room, of, todo) = (self.clone(), right.clone(), step.clone());
            let taken = match step {
                Step::CarryOut => self.carry_out(&right.order).await.map(drop),
                _ => self.store.write(async move |tx: &mut Tx| room.take(tx, &of, &todo, now).await).await,
            };
            match taken {
                Ok(()) => done += 1,
                Err(error) => {
                    tracing::warn!(order = %right.order, ?step, %error, "what was bought is looked at again")
                }
            }
        }
        Ok(done)
    }

    /// Forgets orders that were never paid.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn forget_unpaid(&self) -> Result<(), StoreError> {
        let before = self.clock.now().before(FORGET);
        let forget = async move |tx: &mut Tx| tx.execute(&sql::FORGET_UNPAID, args![before]).await;
        self.store.write(forget).await.map(drop)
    }

    async fn take(
        &self,
        tx: &mut Tx,
        right: &Right,
        step: &Step,
        now: Timestamp,
    ) -> Result<(), ServiceError> {
        let known = match &right.deployment {
            Some(id) => Some(rows::find(tx, id).await?).filter(|known| known.wanted != Wanted::Deleted),
            None => None,
        };
        match (step, known) {
            (Step::Lapse, Some(known)) => self.lapse(tx, right, known, now).await,
            (Step::Resume, Some(known)) => self.resume(tx, right, known, now).await,
            (Step::Delete, Some(known)) => self.delete_unpaid(tx, right, known, now).await,
            (Step::Become(plan), Some(known)) => {
                tx.execute(&sql::SET_RIGHT_PLAN, args![right.order, right.line, plan]).await?;
                self.move_to(tx, known, plan, now).await
            }
            (Step::Become(plan), None) => {
                tx.execute(&sql::SET_RIGHT_PLAN, args![right.order, right.line, plan]).await?;
                Ok(())
            }
            (Step::End, _) => {
                tx.execute(&sql::END_RIGHT, args![right.order, right.line, now]).await?;
                Ok(())
            }
            // It changed since it was looked at.
            _ => Ok(()),
        }
    }

    async fn lapse(
        &self,
        tx: &mut Tx,
        right: &Right,
        mut known: Deployment,
        now: Timestamp,
    ) -> Result<(), ServiceError> {
        let was_running = known.wanted == Wanted::Running;
        let until = now.after(self.settings.grace);
        known.reason = format!(
            "It is not paid any more, so it was stopped. What it keeps is safe until {}. Start it to pay for it \
             again; without that it is deleted then.",
            until.date()
        );
        if was_running {
            (known.wanted, known.status, known.since) = (Wanted::Stopped, Status::Stopping, now);
        }
        known.generation += 1;
        rows::save(tx, &mut known, now).await?;
        rows::note(tx, &known, now, "It is not paid any more, so it is stopped.").await?;
        tx.execute(&sql::SET_LAPSED, args![right.order, right.line, now, was_running]).await?;
        ::events::append(tx, now, &told::Lapsed::of(&known)).await?;
        mails::lapsed(tx, now, right, &known, until).await?;
        self.wake_after(tx, &known.id);
        Ok(())
    }

    async fn resume(
        &self,
        tx: &mut Tx,
        right: &Right,
        mut known: Deployment,
        now: Timestamp,
    ) -> Result<(), ServiceError> {
        known.reason.clear();
        if right.was_running && known.wanted == Wanted::Stopped {
            (known.wanted, known.status, known.since) = (Wanted::Running, Status::Provisioning, now);
        }
        known.generation += 1;
        rows::save(tx, &mut known, now).await?;
        rows::note(tx, &known, now, "It is paid again.").await?;
        let lapsed_at: Option<Timestamp> = None;
        tx.execute(&sql::SET_LAPSED, args![right.order, right.line, lapsed_at, false]).await?;
        self.wake_after(tx, &known.id);
        Ok(())
    }

    /// Nobody paid in time: it goes, and can be called back like anything that is deleted, once it is paid.
    async fn delete_unpaid(
        &self,
        tx: &mut Tx,
        right: &Right,
        mut known: Deployment,
        now: Timestamp,
    ) -> Result<(), ServiceError> {
        (known.wanted, known.status, known.since) = (Wanted::Deleted, Status::Deleting, now);
        let until = now.after(self.settings.undo);
        known.undo_until = Some(until);
        known.reason.clear();
        known.generation += 1;
        rows::save(tx, &mut known, now).await?;
        rows::note(tx, &known, now, "It was not paid in time: it goes when the time to undo that is over.")
            .await?;
        tx.execute(&sql::END_RIGHT, args![right.order, right.line, now]).await?;
        mails::deleted(tx, now, right, &known, until).await?;
        self.wake_after(tx, &known.id);
        Ok(())
    }

    /// The deployment has the plan that is paid for.
    async fn move_to(
        &self,
        tx: &mut Tx,
        mut known: Deployment,
        plan: &str,
        now: Timestamp,
    ) -> Result<(), ServiceError> {
        let template = self.template_of(tx, &known.template).await?;
        let offered = self.catalogue.find(&known.slug).unwrap_or(&template);
        let plan = match offered.plan(plan) {
            Some(plan) if plan.disk_bytes >= known.plan.disk_bytes => plan.clone(),
            // What it keeps does not fit: it keeps its size, and the price that was agreed on.
            _ => return Ok(()),
        };
        if known.plan == plan {
            return Ok(());
        }
        known.plan = plan;
        if known.wanted == Wanted::Running {
            (known.status, known.since) = (Status::Provisioning, now);
        }
        known.generation += 1;
        rows::save(tx, &mut known, now).await?;
        rows::note(tx, &known, now, "It has another plan.").await?;
        ::events::append(tx, now, &told::Updated::of(&known)).await?;
        self.wake_after(tx, &known.id);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    const GRACE: Duration = Duration::from_secs(7 * 24 * 3600);

    fn right(lapsed_at: Option<Timestamp>, wish: bool, carries: bool) -> Right {
        Right {
            order: "order-a".parse().unwrap(),
            line: 1,
            account: "user-ada".parse().unwrap(),
            placed_by: "user-ada".parse().unwrap(),
            service: "svc-x".parse().unwrap(),
            plan_id: "small".to_owned(),
            metered: false,
            wish: wish.then(String::new),
            problem: String::new(),
            deployment: carries.then(|| "deploy-a".parse().unwrap()),
            lapsed_at,
            was_running: false,
            paid_at: None,
            ended_at: None,
        }
    }

    fn carried(wanted: Wanted, plan: &str) -> Carried {
        Carried { id: "deploy-a".parse().unwrap(), wanted, plan_id: plan.to_owned() }
    }

    #[test]
    fn what_lapses_stops_goes_on_when_paid_and_is_deleted_when_it_is_not() {
        let now = Timestamp::from_secs(1_800_000_000);
        let runs = carried(Wanted::Running, "small");
        let step = |right: &Right, paid, plan, now| step(right, Some(&runs), paid, plan, now, GRACE);
        let fresh = right(None, false, true);
        assert_eq!(step(&fresh, true, Some("small"), now), None);
        assert_eq!(step(&fresh, false, Some("small"), now), Some(Step::Lapse));
        assert_eq!(step(&fresh, true, Some("big"), now), Some(Step::Become("big".to_owned())));
        let lapsed = right(Some(now), false, true);
        assert_eq!(step(&lapsed, false, None, now.after(GRACE / 2)), None);
        assert_eq!(step(&lapsed, false, None, now.after(GRACE)), Some(Step::Delete));
        assert_eq!(step(&lapsed, true, None, now.after(GRACE)), Some(Step::Resume));
    }

    #[test]
    fn wishes_are_carried_out_while_they_are_paid() {
        let now = Timestamp::from_secs(1_800_000_000);
        let step = |right: &Right, paid| step(right, None, paid, None, now, GRACE);
        assert_eq!(step(&right(None, true, false), true), Some(Step::CarryOut));
        assert_eq!(step(&right(None, false, false), true), None, "it waits for a deployment");
        assert_eq!(step(&right(None, true, false), false), Some(Step::End));
    }

    proptest! {
        #[test]
        fn nothing_that_is_paid_is_stopped_and_nothing_unpaid_runs_on(
            paid: bool, wish: bool, carries: bool, lapsed in prop::option::of(0_u64..2_000_000),
            wanted in prop::sample::select(vec![Wanted::Running, Wanted::Stopped, Wanted::Deleted]),
        ) {
            let now = Timestamp::from_secs(1_800_000_000);
            let right = right(lapsed.map(|ago| now.before(Duration::from_secs(ago))), wish, carries);
            let carried = carries.then(|| carried(wanted, "small"));
            let next = step(&right, carried.as_ref(), paid, Some("small"), now, GRACE);
            if paid {
                prop_assert!(!matches!(next, Some(Step::Lapse | Step::Delete | Step::End)), "{next:?}");
            } else if right.lapsed_at.is_none() && carries && wanted != Wanted::Deleted {
                prop_assert_eq!(next, Some(Step::Lapse));
            }
        }
    }
}
