//! Who brings about what is wanted: one process at a time, so that two never fight over one engine.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use kernel::{Clock, Timestamp};
use store::{Store, StoreError, Tx, args};

use crate::sql;

/// How long it holds without being renewed: after a kill, another process waits so long at the most.
pub(super) const HOLDS: Duration = Duration::from_secs(5);
/// How often it is renewed.
pub(super) const RENEW: Duration = Duration::from_secs(1);
/// How much earlier than the database the holder takes it for ended.
const MARGIN: Duration = Duration::from_millis(500);

/// The right to act on the engine.
pub(super) struct Lease {
    store: Store,
    clock: Clock,
    holder: String,
    until: AtomicI64,
}

impl Lease {
    pub(super) fn new(store: Store, clock: Clock) -> Self {
        Self { store, clock, holder: kernel::random_text::<12>(), until: AtomicI64::new(i64::MIN) }
    }

    /// Takes it, or renews it. False while another process has it.
    pub(super) async fn take(&self) -> Result<bool, StoreError> {
        let now = self.clock.now();
        let (holder, until) = (self.holder.clone(), now.after(HOLDS));
        let take = async move |tx: &mut Tx| tx.execute(&sql::TAKE_LEASE, args![holder, until, now]).await;
        let taken = self.store.write(take).await? == 1;
        let until = if taken { until.before(MARGIN).micros() } else { i64::MIN };
        self.until.store(until, Ordering::SeqCst);
        Ok(taken)
    }

    /// Gives it back, so that the next need not wait.
    pub(super) async fn leave(&self) {
        self.until.store(i64::MIN, Ordering::SeqCst);
        let holder = self.holder.clone();
        let leave = async move |tx: &mut Tx| tx.execute(&sql::LEAVE_LEASE, args![holder]).await;
        if let Err(error) = self.store.write(leave).await {
            tracing::debug!(%error, "the orchestrator's lease could not be given back; it ends by itself");
        }
    }

    /// Whether it is held now, as far as this process knows: asked before each step.
    pub(super) fn is_held(&self) -> bool {
        self.clock.now() < Timestamp::from_micros(self.until.load(Ordering::SeqCst))
    }

    /// Whether it is held as the database sees it: asked in each transaction that writes what was seen.
    pub(super) async fn check(&self, tx: &mut Tx, now: Timestamp) -> Result<bool, StoreError> {
        let (held,): (u32,) = tx.one(&sql::HOLDS_LEASE, args![self.holder, now]).await?;
        Ok(held == 1)
    }
}
