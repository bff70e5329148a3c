//! Looking at a balance after it changed: tells of a low one, and begins automatic top-ups.
//!
//! A spend is an event in the log, written in its transaction. The consumer here moves its cursor in the transaction
//! in which it begins a top-up, so a spend is looked at exactly once, whoever is killed when. It looks at the balance
//! as it is, not at the event: two spends below the threshold are one crossing, since only one top-up may be on its
//! way (a unique index) and one top-up leads back above the threshold.

use std::time::Duration;

use ::events::{Event, Position};
use identity::AccountId;
use jobs::NewJob;
use kernel::{Currency, Timestamp};
use ledger::Account;
use payments::{PaymentError, Source, WALLET};
use serde::{Deserialize, Serialize};
use store::{StoreError, Tx, args};

use crate::error::WalletError;
use crate::events::LowBalance;
use crate::mails::{self, Mail};
use crate::rule::{AutoTopUp, DAY, MONTH, Situation, Stopped};
use crate::start::expected;
use crate::top_up::{Origin, TopUpId};
use crate::{Wallets, alert, auto, sql};

/// The name of this consumer of the log.
const CONSUMER: &str = "wallet";
/// Asks the gateway for the money of a rule's top-up.
pub(crate) const SUBMIT: &str = "wallet.submit_top_up";
/// Looks at a wallet once more, after a pause.
pub(crate) const LOOK: &str = "wallet.look";
/// How long to wait after the database failed.
const PAUSE: Duration = Duration::from_secs(1);
/// How often the cursor is moved on while nobody watches a balance.
const IDLE: Duration = Duration::from_secs(2);

/// Which top-up is to be asked for.
#[derive(Serialize, Deserialize)]
pub(crate) struct Submit {
    pub(crate) top_up: TopUpId,
}

/// Which wallet is to be looked at.
#[derive(Serialize, Deserialize)]
pub(crate) struct Look {
    pub(crate) account: String,
    pub(crate) currency: Currency,
}

/// What a look at the log came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    More,
    Waits,
    NobodyWatches,
}

impl Wallets {
    /// Follows the log and looks at each wallet that was paid from; never ends. Several processes may run it: each
    /// event takes effect once.
    pub async fn run(&self) {
        let mut follower = self.log.follow(Position::START);
        loop {
            match self.step().await {
                Ok(Step::More) => {}
                Ok(Step::Waits) => follower.wait().await,
                Ok(Step::NobodyWatches) => tokio::time::sleep(IDLE).await,
                Err(error) => {
                    tracing::warn!(%error, "wallets that were paid from could not be looked at; trying again");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    /// Looks at everything in the log that was not looked at yet. Answers how many events there were.
    ///
    /// # Errors
    /// [`WalletError`] when the database failed; nothing was passed over.
    pub async fn catch_up(&self) -> Result<usize, WalletError> {
        let mut count = 0;
        loop {
            match self.consume().await? {
                0 => return Ok(count),
                some => count += some,
            }
        }
    }

    async fn step(&self) -> Result<Step, WalletError> {
        let count =
            async |tx: &mut Tx| Ok::<_, WalletError>(tx.one::<(u32,)>(&sql::COUNT_ALL_WATCHES, &[]).await?.0);
        if self.store.read(count).await? == 0 {
            // The log need not be read. In one transaction with the count: a rule that is made just now is either
            // seen here, or looked at the balance itself when it was made.
            let skip = self.store.write(async |tx: &mut Tx| {
                let (watching,): (u32,) = tx.one(&sql::COUNT_ALL_WATCHES, &[]).await?;
                if watching == 0 { ::events::skip(tx, CONSUMER).await } else { Ok(()) }
            });
            skip.await?;
            return Ok(Step::NobodyWatches);
        }
        Ok(if self.consume().await? == 0 { Step::Waits } else { Step::More })
    }

    async fn consume(&self) -> Result<usize, WalletError> {
        let room = self.clone();
        let handle = async move |tx: &mut Tx, event: &Event| match wallet_of(event) {
            Some((account, currency)) => {
                room.look_at(tx, event.occurred_at.max(room.clock.now()), &account, currency).await
            }
            None => Ok(()),
        };
        self.log.consume(CONSUMER, handle).await
    }

    /// Looks at a wallet: tells of a low balance, begins a top-up by its rule. For what changes a balance without an
    /// event of the payments; in the transaction of that change.
    ///
    /// # Errors
    /// [`WalletError`] when the database failed.
    pub async fn look_at(
        &self,
        tx: &mut Tx,
        now: Timestamp,
        account: &AccountId,
        currency: Currency,
    ) -> Result<(), WalletError> {
        let (watches,): (u32,) = tx.one(&sql::COUNT_WATCHES, args![account, currency.code()]).await?;
        if watches == 0 {
            return Ok(());
        }
        look_at_alert(tx, now, account, currency).await?;
        match auto::find(tx, account, currency).await? {
            Some(rule) => self.apply(tx, now, &rule).await,
            None => Ok(()),
        }
    }

    async fn apply(&self, tx: &mut Tx, now: Timestamp, rule: &AutoTopUp) -> Result<(), WalletError> {
        let (account, currency) = (&rule.account, rule.currency());
        let available = ledger::balance(tx, &Account::Wallet(account.clone()), currency).await?.available();
        let (code, day, month) = (currency.code(), now.before(DAY), now.before(MONTH));
        let row = args![account, code, day, month];
        let (in_a_day, in_a_month_minor, live): (u32, i64, u32) = tx.one(&sql::SUM_AUTO, row).await?;
        let held = expected(tx, account, currency).await?;
        let seen = Situation {
            now,
            available_minor: available.minor,
            is_live: live > 0,
            in_a_day,
            in_a_month_minor,
            fits: self.settings.fits(held, rule.amount)?,
        };
        if let Err(idle) = rule.decide(&seen) {
            tracing::debug!(%account, ?idle, "no automatic top-up");
            return Ok(());
        }
        let source = Source::Method(rule.method.clone());
        let begun = self.begin(tx, now, account, &rule.set_by, Origin::Auto, rule.amount, source).await;
        match begun {
            Ok(top_up) => enqueue(tx, now, NewJob::new(SUBMIT, &Submit { top_up: top_up.id })).await,
            // Both are found before anything is written.
            Err(WalletError::Payment(PaymentError::NotFound(_) | PaymentError::NoGateway)) => {
                auto::stop(tx, now, account, currency, Stopped::NoMethod).await
            }
            Err(error) => Err(error),
        }
    }
}

/// The wallet that an event of the payments changed: a purchase from it, or a refund of one.
fn wallet_of(event: &Event) -> Option<(AccountId, Currency)> {
    let is_change = matches!(event.kind.as_str(), "charge.created" | "refund.settled");
    let data = is_change.then(|| event.data())?;
    if data.get("gateway")?.as_str()? != WALLET {
        return None;
    }
    let account = data.get("payer")?.as_str()?.parse().ok()?;
    Some((account, data.get("currency")?.as_str()?.parse().ok()?))
}

/// Tells of a low balance, once for each time that it falls below the alert's threshold.
pub(crate) async fn look_at_alert(
    tx: &mut Tx,
    now: Timestamp,
    account: &AccountId,
    currency: Currency,
) -> Result<(), WalletError> {
    let Some(mut alert) = alert::find(tx, account, currency).await?.filter(|alert| alert.enabled) else {
        return Ok(());
    };
    let available = ledger::balance(tx, &Account::Wallet(account.clone()), currency).await?.available();
    let is_low = available.minor < alert.threshold.minor;
    if is_low == alert.is_low {
        return Ok(());
    }
    alert.is_low = is_low;
    let alert = alert::update(tx, now, alert).await?;
    if !is_low {
        return Ok(());
    }
    ::events::append(tx, now, &LowBalance::of(&alert, available)).await?;
    let mail = Mail::Low {
        account: alert.account,
        to: alert.set_by,
        currency,
        available_minor: available.minor,
        threshold_minor: alert.threshold.minor,
    };
    mails::enqueue(tx, now, &mail).await
}

/// Looks at a wallet once more at `at`.
pub(crate) async fn look_later(
    tx: &mut Tx,
    now: Timestamp,
    account: &AccountId,
    currency: Currency,
    at: Timestamp,
) -> Result<(), WalletError> {
    let job = NewJob::new(LOOK, &Look { account: account.to_string(), currency });
    enqueue(tx, now, job.map(|job| job.at(at).unique(format!("{account}:{currency}")))).await
}

pub(crate) async fn enqueue(
    tx: &mut Tx,
    now: Timestamp,
    job: Result<NewJob, jobs::JobError>,
) -> Result<(), WalletError> {
    let job = job.map_err(|error| StoreError::Database(error.to_string()))?;
    jobs::enqueue(tx, &job, now).await?;
    Ok(())
}
