//! Reading what was measured.

use billing::{Subscription, SubscriptionId};
use identity::{Action, Caller};
use kernel::Timestamp;
use store::{Tx, args};

use super::{Figures, STEPS};
use crate::cost::{Cost, Measured, Month, cost};
use crate::deployment::{Deployment, Status, Wanted};
use crate::error::ServiceError;
use crate::list::own;
use crate::paid;
use crate::template::Pricing;
use crate::{DeploymentId, Services, sql};

/// Over how many days the uptime is told.
const UPTIME_DAYS: i64 = 30;

/// A deployment with what it does and costs.
#[derive(Clone, Debug)]
pub struct Standing {
    /// The deployment.
    pub deployment: Deployment,
    /// The latest figures; none before it served.
    pub figures: Option<Figures>,
    /// Thousandths of a percent of the time of the last thirty days in which it was wanted.
    pub uptime: u32,
    /// What it costs in the present month or period.
    pub cost: Cost,
    /// By what it is paid, where it was bought.
    pub subscription: Option<SubscriptionId>,
}

/// Figures at a time.
#[derive(Clone, Debug)]
pub struct Sample {
    /// When.
    pub at: Timestamp,
    /// What.
    pub figures: Figures,
}

store::row!(Sample { at, figures });

impl Services {
    /// A deployment with what it does and costs, from the database alone.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`], also for somebody else's.
    pub async fn standing(&self, by: &Caller, id: &DeploymentId) -> Result<Standing, ServiceError> {
        let (by, id) = (by.clone(), id.clone());
        let look = async move |tx: &mut Tx| {
            let deployment = own(tx, &by, &id, Action::Read).await?;
            let now = by.now();
            let figures: Option<(Figures,)> = tx.first(&sql::FIND_NOW, args![id]).await?;
            let since = now.secs() / 3600 - UPTIME_DAYS * 24;
            let (wanted, served): (i64, i64) = tx.one(&sql::SUM_TIME, args![id, since]).await?;
            let sub = paid::subscription_of(tx, &id).await?;
            let cost = costs_by(tx, &deployment, sub.as_ref(), now).await?;
            Ok(Standing {
                figures: figures.map(|(figures,)| figures),
                uptime: share(served, wanted),
                cost,
                subscription: sub.map(|sub| sub.id),
                deployment,
            })
        };
        self.store.read(look).await
    }

    /// What was measured since a time, in the finest steps that are kept for so long; oldest first.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`], also for somebody else's.
    pub async fn samples(
        &self,
        by: &Caller,
        id: &DeploymentId,
        since: Timestamp,
    ) -> Result<(i64, Vec<Sample>), ServiceError> {
        let (by, id) = (by.clone(), id.clone());
        let look = async move |tx: &mut Tx| {
            own(tx, &by, &id, Action::Read).await?;
            let age = i64::try_from(by.now().since(since).as_secs()).unwrap_or(i64::MAX);
            let step = STEPS.iter().find(|(_, kept)| age <= *kept).map_or(3600, |(step, _)| *step);
            Ok((step, tx.all(&sql::LIST_SAMPLES, args![id, step, since]).await?))
        };
        self.store.read(look).await
    }
}

/// What a deployment costs in the present month or period.
pub(crate) async fn costs(
    tx: &mut Tx,
    known: &Deployment,
    now: Timestamp,
) -> Result<Cost, store::StoreError> {
    let sub = paid::subscription_of(tx, &known.id).await?;
    costs_by(tx, known, sub.as_ref(), now).await
}

/// The same, where it is known by what it is paid.
async fn costs_by(
    tx: &mut Tx,
    known: &Deployment,
    sub: Option<&Subscription>,
    now: Timestamp,
) -> Result<Cost, store::StoreError> {
    // What was bought is counted by the periods that are invoiced, everything else by the calendar.
    let month = match sub {
        Some(sub) => Month::of(now).spanning(sub.span.start, sub.span.end),
        None => Month::of(now),
    };
    let (from, to) = (month.from.secs() / 3600, month.to.secs() / 3600);
    let measured: Vec<Measured> = tx.all(&sql::SUM_PRICED, args![known.id, from, to]).await?;
    let goes_on = match known.plan.pricing {
        Pricing::Usage { .. } => known.wanted == Wanted::Running && known.status != Status::Failed,
        _ => known.wanted != Wanted::Deleted,
    };
    Ok(cost(&measured, month, now, goes_on.then_some(known.plan.pricing)))
}

/// Thousandths of a percent; all of it where nothing was wanted yet.
fn share(part: i64, whole: i64) -> u32 {
    if whole <= 0 {
        return 100_000;
    }
    let share = i128::from(part.clamp(0, whole)) * 100_000 / i128::from(whole);
    u32::try_from(share).unwrap_or(100_000)
}
