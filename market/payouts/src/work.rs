//! What goes on by itself: schedules that are due, payouts that were not answered.

use std::time::Duration;

use store::{Tx, args};

use crate::error::PayoutError;
use crate::payout::PayoutId;
use crate::room::Payouts;
use crate::sql;

/// How often due work is looked for, besides when this process has some.
const EVERY: Duration = Duration::from_secs(5);
/// How much is taken at once.
const BATCH: u32 = 50;

impl Payouts {
    /// Works until it is dropped. Several processes may do so.
    pub async fn run(&self) {
        loop {
            if let Err(error) = self.sweep().await {
                tracing::warn!(%error, "payouts are looked for again");
            }
            // Nothing is lost where nobody waits for this.
            let _ = tokio::time::timeout(EVERY, self.waiting.notified()).await;
        }
    }

    /// Begins scheduled payouts and asks the gateway about all that are due; answers about how many.
    ///
    /// # Errors
    /// [`PayoutError::Store`]; what one payout runs into does not keep the others from being asked about.
    pub async fn sweep(&self) -> Result<usize, PayoutError> {
        self.begin_scheduled(BATCH).await?;
        let now = self.clock.now();
        let read = async move |tx: &mut Tx| {
            Ok::<_, PayoutError>(tx.all::<(PayoutId,)>(&sql::LIST_DUE, args![now, BATCH]).await?)
        };
        let due = self.store.read(read).await?;
        for (id,) in &due {
            match self.submit(id).await {
                Ok(_) | Err(PayoutError::Changed) => {}
                Err(error) => tracing::warn!(payout = %id, %error, "a payout is tried again later"),
            }
        }
        Ok(due.len())
    }
}
