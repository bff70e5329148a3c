//! Payouts that nobody asks for: by schedule, when at least the minimum is available.

use identity::audit::{self, Outcome};
use identity::{AccountId, Caller};
use kernel::{Currency, Paging, Timestamp};
use serde_json::json;
use store::{Tx, args};
use web::Expected;

use crate::error::PayoutError;
use crate::payout::{Every, PayoutId, Schedule};
use crate::request::{Destination, balance, begin, destination_in};
use crate::room::{Payouts, major};
use crate::sql;

/// The largest minimum of a schedule, in major units.
const MAX_MINIMUM: u32 = 1_000_000;
/// The most currencies that a seller is paid out in.
const MAX_CURRENCIES: u32 = 50;

/// A seller whose time has come.
struct Due {
    seller: AccountId,
    every: Every,
    minimum: u32,
    next_at: Timestamp,
}
store::row!(Due { seller, every, minimum, next_at });

/// The currencies in which a seller has ever earned something.
pub(crate) async fn currencies(tx: &mut Tx, seller: &AccountId) -> Result<Vec<Currency>, PayoutError> {
    let filter = ledger::AccountFilter {
        kind: "seller".to_owned(),
        owner: seller.to_string(),
        ..ledger::AccountFilter::default()
    };
    let found = ledger::accounts(tx, &filter, Paging { limit: MAX_CURRENCIES, offset: 0 }).await?;
    Ok(found.items.into_iter().map(|account| account.currency).collect())
}

impl Payouts {
    /// When the seller is paid out.
    ///
    /// # Errors
    /// [`PayoutError::Identity`] for who may not.
    pub async fn schedule(&self, by: &Caller, org: Option<&str>) -> Result<Schedule, PayoutError> {
        let seller = self.seller(by, org)?;
        let read = async move |tx: &mut Tx| find(tx, &seller).await;
        self.store.read(read).await
    }

    /// Sets when the seller is paid out, and the least amount for that.
    ///
    /// # Errors
    /// [`PayoutError::Identity`], [`PayoutError::Field`], [`PayoutError::Stale`].
    pub async fn set_schedule(
        &self,
        by: &Caller,
        org: Option<&str>,
        every: Every,
        minimum: u32,
        expected: Expected,
    ) -> Result<Schedule, PayoutError> {
        let seller = self.owner(by, org)?;
        if minimum > MAX_MINIMUM {
            let detail = "Write at most 1000000.".to_owned();
            return Err(PayoutError::Field { pointer: "/minimum", detail });
        }
        let (by, now) = (by.clone(), self.clock.now());
        let write = async move |tx: &mut Tx| {
            expected.check(find(tx, &seller).await?.version)?;
            tx.execute(&sql::SET_SCHEDULE, args![seller, every, minimum, every.next(now), now]).await?;
            let detail = json!({"every": every, "minimum": minimum});
            let subject = seller.as_str();
            audit::record(tx, &by, "payout_schedule.changed", subject, Outcome::Done, &detail).await?;
            find(tx, &seller).await
        };
        self.store.write(write).await
    }

    /// Begins the payouts of at most `limit` sellers whose time has come; answers which payouts to submit.
    pub(crate) async fn begin_scheduled(&self, limit: u32) -> Result<Vec<PayoutId>, PayoutError> {
        let now = self.clock.now();
        let read = async move |tx: &mut Tx| tx.all(&sql::LIST_SCHEDULES_DUE, args![now, limit]).await;
        let due: Vec<Due> =
            self.store.read::<_, _, PayoutError>(async move |tx: &mut Tx| Ok(read(tx).await?)).await?;
        let mut begun = Vec::new();
        for Due { seller, every, minimum, next_at } in due {
            let Ok(gateway) = self.gateway().map(|gateway| gateway.name()) else { break };
            // The sandbox makes accounts when they are first needed.
            if let Err(error) = self.account_of(&seller).await {
                tracing::warn!(%seller, %error, "a scheduled payout waits for the gateway");
                continue;
            }
            let payouts = self.clone();
            let write = async move |tx: &mut Tx| {
                let next = every.next(now);
                if tx.execute(&sql::ADVANCE_SCHEDULE, args![seller, next_at, next]).await? == 0 {
                    return Ok(Vec::new()); // another process was faster
                }
                let Some(to) = destination_in(tx, &seller, gateway).await? else { return Ok(Vec::new()) };
                payouts.pay_out_all(tx, now, &seller, minimum, &to).await
            };
            begun.extend(self.store.write(write).await?);
        }
        Ok(begun)
    }

    async fn pay_out_all(
        &self,
        tx: &mut Tx,
        now: Timestamp,
        seller: &AccountId,
        minimum: u32,
        to: &Destination,
    ) -> Result<Vec<PayoutId>, PayoutError> {
        let mut begun = Vec::new();
        for currency in currencies(tx, seller).await? {
            let available = balance(tx, now, seller, currency).await?.available;
            let least = major(minimum, currency).minor.max(self.minimum(currency).minor).max(1);
            if available.minor < least {
                continue;
            }
            match begin(tx, now, seller, available, to, None).await {
                Ok(payout) => begun.push(payout.id),
                Err(PayoutError::UnderWay(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(begun)
    }
}

pub(crate) async fn find(tx: &mut Tx, seller: &AccountId) -> Result<Schedule, PayoutError> {
    let found: Option<Schedule> = tx.first(&sql::FIND_SCHEDULE, args![seller]).await?;
    Ok(found.unwrap_or_default())
}
