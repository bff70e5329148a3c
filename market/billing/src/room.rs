//! The room, how it is set up, and what goes on by itself.

use std::sync::Arc;
use std::time::Duration;

use ::events::Log;
use axum::extract::FromRef;
use identity::{Caller, Identity};
use jobs::Runner;
use kernel::{Clock, Timestamp};
use mail::Mailer;
use orders::Orders;
use orders::price::Tax;
use payments::Payments;
use store::{Store, Tx, args};

use crate::error::BillingError;
use crate::invoice::{InvoiceId, Taxed};
use crate::purpose::ForInvoices;
use crate::subscription::{Subscription, SubscriptionId};
use crate::{follow, mails, refund, sql};

/// How often due work is looked for.
const EVERY: Duration = Duration::from_secs(1);
/// How much is taken at once.
const BATCH: u32 = 50;
const DAY: Duration = Duration::from_secs(86_400);

/// How this room is set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How many days after an invoice was made its payment is tried again.
    pub retry_days: Vec<u32>,
    /// For how many days a subscription goes on that is not paid: 1 to 27, less than any period.
    pub grace_days: u32,
    /// Whether who leaves at once gets the unused part back, where the seller did not say.
    pub refund_unused: bool,
    /// How old a usage record may be.
    pub usage_late: Duration,
    /// Where browsers reach the market, without a slash at the end.
    pub public_url: String,
    /// What the market is called, in mails and at the foot of documents.
    pub market: String,
}

impl Settings {
    /// Retries after 1, 3, 5 and 7 days, 10 days of grace, no refund of what was not used, usage at most a day late.
    pub fn new(public_url: impl Into<String>) -> Self {
        Self {
            retry_days: vec![1, 3, 5, 7],
            grace_days: 10,
            refund_unused: false,
            usage_late: DAY,
            public_url: public_url.into().trim_end_matches('/').to_owned(),
            market: "Fondaco".to_owned(),
        }
    }

    /// How long a subscription goes on that is not paid.
    #[must_use]
    pub fn grace(&self) -> Duration {
        DAY * self.grace_days.clamp(1, 27)
    }

    /// When an invoice made at `created` is tried after `attempts` vain ones; at the end of the grace nobody tries.
    #[must_use]
    pub fn next_attempt(&self, created: Timestamp, attempts: u32) -> Timestamp {
        let last = created.after(self.grace());
        let days = attempts.checked_sub(1).and_then(|index| self.retry_days.get(index as usize));
        days.map_or(last, |days| created.after(DAY * *days).min(last))
    }
}

/// The room. Cheap to clone: every clone shares all of it.
#[derive(Clone)]
pub struct Billing {
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) identity: Identity,
    pub(crate) orders: Orders,
    pub(crate) payments: Payments,
    pub(crate) settings: Arc<Settings>,
    pub(crate) log: Log,
}

impl FromRef<Billing> for Identity {
    fn from_ref(billing: &Billing) -> Self {
        billing.identity.clone()
    }
}

impl Billing {
    /// The room on a migrated store. It says to `payments` that it serves invoices.
    #[must_use]
    pub fn new(
        store: Store,
        clock: Clock,
        identity: Identity,
        orders: Orders,
        payments: Payments,
        settings: Settings,
    ) -> Self {
        let settings = Arc::new(settings);
        let maturity = orders.settings().maturity;
        payments.serve(Arc::new(ForInvoices::new(Arc::clone(&settings), maturity)));
        let log = Log::new(store.clone());
        Self { store, clock, identity, orders, payments, settings, log }
    }

    /// Adds this room's mails and refunds to the work that is done in the background.
    #[must_use]
    pub fn jobs(&self, runner: Runner, mailer: Mailer) -> Runner {
        mails::register(refund::register(runner, self), self, mailer)
    }

    /// Works until it is dropped. Several processes may do so.
    pub async fn run(&self) {
        tokio::join!(self.follow_for_ever(), self.sweep_for_ever());
    }

    async fn follow_for_ever(&self) {
        let mut follower = self.log.follow(::events::Position::START);
        loop {
            let began = tokio::time::Instant::now();
            match follow::step(self).await {
                // Receipts are written beside the sales: they take at most half of the time.
                Ok(count) if count > 0 => tokio::time::sleep(began.elapsed()).await,
                Ok(_) => follower.wait().await,
                Err(error) => {
                    tracing::warn!(%error, "billing reads what happened again");
                    tokio::time::sleep(EVERY).await;
                }
            }
        }
    }

    async fn sweep_for_ever(&self) {
        loop {
            match self.sweep().await {
                Ok(count) if count >= BATCH as usize => {}
                Ok(_) => tokio::time::sleep(EVERY).await,
                Err(error) => {
                    tracing::warn!(%error, "billing looks for what is due again");
                    tokio::time::sleep(EVERY).await;
                }
            }
        }
    }

    /// Takes in what the orders told until there is nothing new; answers how many events there were.
    ///
    /// # Errors
    /// [`BillingError::Store`].
    pub async fn follow(&self) -> Result<usize, BillingError> {
        let mut count = 0;
        loop {
            match follow::step(self).await? {
                0 => return Ok(count),
                some => count += some,
            }
        }
    }

    /// Bills periods that are due, has open invoices paid, and ends what was not paid in time; answers how much there
    /// was. What one of them runs into does not keep the others.
    ///
    /// # Errors
    /// [`BillingError::Store`].
    pub async fn sweep(&self) -> Result<usize, BillingError> {
        let now = self.clock.now();
        let read = async move |tx: &mut Tx| {
            let renewals: Vec<(SubscriptionId,)> = tx.all(&sql::LIST_RENEWALS_DUE, args![now, BATCH]).await?;
            let lapsed: Vec<(SubscriptionId,)> = tx.all(&sql::LIST_LAPSED, args![now, BATCH]).await?;
            Ok::<_, BillingError>((renewals, lapsed))
        };
        let (renewals, lapsed) = self.store.read(read).await?;
        let mut count = renewals.len() + lapsed.len();
        for (id,) in renewals {
            put_off(self.renew(&id).await, id.as_str());
        }
        let read = async move |tx: &mut Tx| {
            let due: Vec<(InvoiceId,)> = tx.all(&sql::LIST_ATTEMPTS_DUE, args![now, BATCH]).await?;
            Ok::<_, BillingError>(due)
        };
        let due = self.store.read(read).await?;
        count += due.len();
        for (id,) in due {
            put_off(self.charge(&id).await, id.as_str());
        }
        for (id,) in lapsed {
            put_off(self.lapse(&id).await, id.as_str());
        }
        Ok(count)
    }

    /// By which fee and tax this subscription is billed now.
    pub(crate) async fn rates(&self, sub: &Subscription, now: Timestamp) -> Result<Rates, BillingError> {
        let rules = self.orders.rules_in_force(now).await?;
        let fee = rules.fee(sub.kind, &sub.seller, self.orders.settings().fee_basis_points);
        let rate = rules.tax_rate(sub.kind, sub.country.as_deref(), sub.region.as_deref());
        let tax = rate.map_or_else(Taxed::default, |rate| Taxed {
            name: rate.name.clone(),
            basis_points: rate.basis_points,
            is_inclusive: rate.inclusive,
        });
        Ok(Rates { fee, tax })
    }

    /// The program itself, for what it asks of other rooms.
    pub(crate) fn itself(&self) -> Caller {
        Caller::system(self.clock.now())
    }
}

/// By which fee and tax something is billed.
#[derive(Clone, Debug)]
pub(crate) struct Rates {
    pub(crate) fee: u32,
    pub(crate) tax: Taxed,
}

impl Rates {
    pub(crate) const fn tax(&self) -> Tax {
        Tax { basis_points: self.tax.basis_points, is_inclusive: self.tax.is_inclusive }
    }
}

fn put_off<T>(outcome: Result<T, BillingError>, what: &str) {
    match outcome {
        Ok(_) | Err(BillingError::Changed) => {}
        Err(error) => tracing::warn!(what, %error, "billing tries again later"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_after_one_three_five_and_seven_days_then_the_grace_ends() {
        let settings = Settings::new("http://localhost:8080/");
        let days: Vec<i64> =
            (1..=6).map(|attempts| settings.next_attempt(Timestamp::from_secs(0), attempts).day()).collect();
        assert_eq!(days, [1, 3, 5, 7, 10, 10]);
        assert_eq!(settings.public_url, "http://localhost:8080");
        let short = Settings { grace_days: 2, ..settings };
        assert_eq!(short.next_attempt(Timestamp::from_secs(0), 2).day(), 2, "no retry after the grace");
    }
}
