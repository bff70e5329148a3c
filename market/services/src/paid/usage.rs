//! What was used of plans that are paid by use, told to the billing: a record for each deployment and whole hour, counted
//! once there by its source and id, whatever dies in between.

use std::collections::HashMap;
use std::time::Duration;

use billing::{BillingError, Usage};
use kernel::Timestamp;
use orders::OrderId;
use store::{StoreError, Tx, args};

use super::{Till, sql};
use crate::cost::THOUSAND_HOURS;
use crate::{DeploymentId, Services};

/// Who counted.
const SOURCE: &str = "services";
/// How long after its end an hour is told as of that end; what is told later counts at that time, so that the billing
/// does not find it too late.
const IN_TIME: Duration = Duration::from_secs(20 * 3600);

/// An hour of a deployment, with what it cost in minor units times the microseconds of a thousand hours.
type Hour = (DeploymentId, i64, OrderId, u32, i64);
/// The same in money, and when that was.
type Told = (DeploymentId, i64, OrderId, u32, i64, Timestamp);

impl Services {
    /// Tells the billing all whole hours that it has not heard of. Gives how many records it counted.
    ///
    /// # Errors
    /// [`BillingError`]; what was not told is told the next time.
    pub async fn tell_usage(&self) -> Result<usize, BillingError> {
        let Some(till) = &self.till else { return Ok(0) };
        let now = self.clock.now();
        self.store.write(async move |tx: &mut Tx| write_down(tx, now).await).await?;
        let list = async |tx: &mut Tx| tx.all::<Told>(&sql::LIST_USED, &[]).await;
        let open = self.store.read(list).await?;
        if open.is_empty() {
            return Ok(0);
        }
        self.tell(till, open).await
    }

    async fn tell(&self, till: &Till, open: Vec<Told>) -> Result<usize, BillingError> {
        let orders: Vec<OrderId> = open.iter().map(|told| told.2.clone()).collect();
        let find = async move |tx: &mut Tx| billing::subscriptions_of(tx, &orders).await;
        let subs: HashMap<(OrderId, u32), _> = self
            .store
            .read(find)
            .await?
            .into_iter()
            .map(|sub| ((sub.order.clone(), sub.line), sub))
            .collect();
        let mut records = Vec::new();
        let mut of = HashMap::new();
        for (deployment, hour, order, line, quantity, at) in open {
            // The billing begins a subscription a moment after its order was paid.
            let Some(sub) = subs.get(&(order, line)) else { continue };
            let id = format!("{deployment}:{hour}");
            let at = at.max(sub.created_at);
            records.push(Usage {
                source: SOURCE.to_owned(),
                id: id.clone(),
                subscription_id: sub.id.clone(),
                quantity,
                at,
            });
            of.insert(id, (deployment, hour));
        }
        if records.is_empty() {
            return Ok(0);
        }
        let counted = till.billing.count_measured(records).await?;
        for refusal in &counted.refused {
            tracing::warn!(
                id = refusal.id,
                code = refusal.code,
                "an hour of use cannot be billed: {}",
                refusal.detail
            );
            if let Some((deployment, hour)) = of.remove(&refusal.id) {
                self.mark(vec![(deployment, hour)], "refused").await?;
            }
        }
        self.mark(of.into_values().collect(), "counted").await?;
        Ok(counted.accepted)
    }

    async fn mark(&self, hours: Vec<(DeploymentId, i64)>, state: &'static str) -> Result<(), StoreError> {
        let mark = async move |tx: &mut Tx| {
            for (deployment, hour) in &hours {
                tx.execute(&sql::SET_USED, args![deployment, hour, state]).await?;
            }
            Ok::<_, StoreError>(())
        };
        self.store.write(mark).await
    }
}

/// Puts whole hours into money. What is no whole minor unit is kept for the next hour, so that the sum is that of the
/// whole time, rounded once.
async fn write_down(tx: &mut Tx, now: Timestamp) -> Result<(), StoreError> {
    let hours: Vec<Hour> = tx.all(&sql::LIST_HOURS, args![now.secs() / 3600]).await?;
    for (deployment, hour, order, line, cost) in hours {
        let (rest,): (i64,) = tx.one(&sql::FIND_REST, args![order, line]).await?;
        let (quantity, rest) = whole(rest, cost);
        let end = Timestamp::from_secs((hour + 1) * 3600 - 1);
        let at = if now.since(end) > IN_TIME { now } else { end };
        let state = if quantity == 0 { "counted" } else { "open" };
        let row = args![deployment, hour, order, line, quantity, at, state];
        if tx.execute(&sql::INSERT_USED, row).await? == 1 {
            tx.execute(&sql::SET_REST, args![order, line, rest]).await?;
        }
    }
    Ok(())
}

/// Whole minor units, and what is left.
fn whole(rest: i64, cost: i64) -> (i64, i64) {
    let unit = THOUSAND_HOURS;
    let sum = i128::from(rest) + i128::from(cost.max(0));
    let part = |number: i128| i64::try_from(number).unwrap_or(i64::MAX);
    (part(sum / unit), part(sum % unit))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Told hour by hour, it comes to the whole time's cost, rounded half up, as the page of the deployment says.
        #[test]
        fn the_sum_of_the_hours_is_the_cost_of_the_time(
            price in 1_i64..1_000_000, hours in prop::collection::vec(0_i64..=3_600_000_000, 0..800),
        ) {
            let (mut rest, mut sum, mut exact) = (1_800_000_000_000, 0_i128, 0_i128);
            for served in hours {
                let (quantity, left) = whole(rest, price * served);
                rest = left;
                sum += i128::from(quantity);
                exact += i128::from(price) * i128::from(served);
            }
            prop_assert_eq!(sum, (exact + THOUSAND_HOURS / 2) / THOUSAND_HOURS);
        }
    }
}
