//! What is not paid in time is back on sale within a second.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use kernel::Timestamp;
use store::{StoreError, Tx, args};

use crate::cancel::put_back;
use crate::events::{ExpirationComplete, OrderExpired};
use crate::order::{Line, Order, OrderId};
use crate::{OrderError, Orders, Shared, sql};

/// How many orders end in one transaction.
const BATCH: u32 = 100;
/// The longest sleep: a shorter hold may be placed meanwhile, here or in another process.
const LONGEST_SLEEP: Duration = Duration::from_millis(500);
/// The shortest sleep, so that a clock that stands still costs nothing.
const SHORTEST_SLEEP: Duration = Duration::from_millis(5);

impl Orders {
    /// Ends holds when their time is over, until it is dropped. Every process may run it: each order ends once.
    pub async fn run(&self) {
        loop {
            let sleep = match self.expire_due().await {
                Ok(_) => self.until_next().await,
                Err(error) => {
                    tracing::warn!(%error, "orders that are over could not be ended; trying again");
                    LONGEST_SLEEP
                }
            };
            tokio::time::sleep(sleep).await;
        }
    }

    /// Ends every hold whose time is over now, and calls their payments off. Answers how many there were.
    ///
    /// # Errors
    /// [`OrderError`] when the database failed; what is over stays over and is ended the next time.
    pub async fn expire_due(&self) -> Result<usize, OrderError> {
        let mut count = 0;
        loop {
            let now = self.clock.now();
            let find = async move |tx: &mut Tx| tx.all(&sql::FIND_DUE, args![now, BATCH]).await;
            let due: Vec<(OrderId,)> = self.store.read::<_, _, StoreError>(find).await?;
            let due: Vec<OrderId> = due.into_iter().map(|(id,)| id).collect();
            if due.is_empty() {
                return Ok(count);
            }
            count += self.expire_batch(&due, now).await?;
        }
    }

    async fn expire_batch(&self, due: &[OrderId], now: Timestamp) -> Result<usize, OrderError> {
        let expired = match self.expire(due.into(), now).await {
            Ok(expired) => expired,
            // One that cannot be ended must not keep the others.
            Err(error) if due.len() > 1 => {
                tracing::warn!(%error, "orders are ended one by one");
                let mut all = Vec::new();
                for id in due {
                    match self.expire([id.clone()].into(), now).await {
                        Ok(some) => all.extend(some),
                        Err(error) => tracing::error!(order = %id, %error, "an order could not be ended"),
                    }
                }
                if all.is_empty() {
                    return Err(error);
                }
                all
            }
            Err(error) => return Err(error),
        };
        // All at once: the database commits them together.
        join_all(expired.iter().map(|order| self.call_off(order))).await;
        Ok(expired.len())
    }

    /// Calls the payments of an order off that is over: one under way, and intents that nobody finished.
    pub(crate) async fn call_off(&self, order: &Order) {
        if let Err(error) = self.payments.cancel_live(order.id.as_str()).await {
            tracing::warn!(order = %order.id, %error, "a payment of an order that is over goes on");
        }
    }

    async fn expire(&self, due: Arc<[OrderId]>, now: Timestamp) -> Result<Vec<Order>, OrderError> {
        let shared = Arc::clone(&self.shared);
        let write = async move |tx: &mut Tx| {
            let mut expired = Vec::with_capacity(due.len());
            for id in &*due {
                expired.extend(expire(tx, now, &shared, id).await?);
            }
            Ok::<_, OrderError>(expired)
        };
        self.store.write(write).await
    }

    async fn until_next(&self) -> Duration {
        let find = async |tx: &mut Tx| tx.one(&sql::FIND_NEXT_DUE, args![]).await;
        let next: Result<(Option<Timestamp>,), StoreError> = self.store.read(find).await;
        match next {
            Ok((Some(next),)) => next.since(self.clock.now()).clamp(SHORTEST_SLEEP, LONGEST_SLEEP),
            _ => LONGEST_SLEEP,
        }
    }
}

/// Ends one order, unless somebody was faster.
async fn expire(
    tx: &mut Tx,
    now: Timestamp,
    shared: &Shared,
    id: &OrderId,
) -> Result<Option<Order>, OrderError> {
    let expired: Option<Order> = tx.first(&sql::EXPIRE_ORDER, args![id, now]).await?;
    let Some(order) = expired else { return Ok(None) };
    let lines: Vec<Line> = tx.all(&sql::LIST_LINES, args![id]).await?;
    put_back(tx, now, shared, &order, &lines).await?;
    events::append(tx, now, &OrderExpired::of(&order, &lines)).await?;
    events::append(tx, now, &ExpirationComplete::of(&order, &lines)).await?;
    Ok(Some(order))
}
