//! Setting the rule of automatic top-ups, and what becomes of it.

use identity::audit::{self, Outcome};
use identity::{AccountId, Action, Caller};
use kernel::{Currency, FieldError, Money, Timestamp};
use payments::{MethodId, Payments};
use store::{Tx, args};
use web::Expected;

use crate::error::WalletError;
use crate::events::AutoStopped;
use crate::mails::{self, Mail};
use crate::rule::{AutoId, AutoTopUp, MAX_FAILURES, MOST_PER_DAY, Stopped};
use crate::settings::Settings;
use crate::{Wallets, sql, watch};

/// How a rule is to be.
#[derive(Clone, Debug)]
pub struct AutoChange {
    /// Whether it is on.
    pub enabled: bool,
    /// Below this much available it tops up.
    pub threshold: Money,
    /// By this much.
    pub amount: Money,
    /// With this saved card of the account.
    pub method: MethodId,
    /// At most so often within 24 hours.
    pub max_per_day: u32,
    /// At most so much within 30 days, in minor units.
    pub monthly_limit_minor: Option<i64>,
}

impl AutoChange {
    /// What is wrong with it, every field at once.
    fn check(&self, settings: &Settings) -> Result<(), WalletError> {
        let mut errors = Vec::new();
        let mut wrong = |pointer: &'static str, detail: String| {
            errors.push(FieldError { pointer: pointer.into(), detail: detail.into() })
        };
        if self.threshold.minor <= 0 {
            wrong("/threshold", "Type an amount above zero.".to_owned());
        }
        let (min, max) = (settings.min(self.amount.currency), settings.max(self.amount.currency));
        if !(min.minor..=max.minor).contains(&self.amount.minor) {
            wrong("/amount", format!("Top up by {min} to {max}."));
        } else if self.amount.minor < self.threshold.minor {
            wrong("/amount", format!("Top up by at least the threshold, {}.", self.threshold));
        }
        let most = settings.most(self.amount.currency);
        if self.threshold.minor.saturating_add(self.amount.minor) > most.minor {
            wrong("/threshold", format!("A wallet holds at most {most}."));
        }
        if !(1..=MOST_PER_DAY).contains(&self.max_per_day) {
            wrong("/maxPerDay", format!("Choose 1 to {MOST_PER_DAY} times."));
        }
        if self.monthly_limit_minor.is_some_and(|limit| limit < self.amount.minor) {
            wrong(
                "/monthlyLimit",
                format!("A limit has to let one top-up through: at least {}.", self.amount),
            );
        }
        if errors.is_empty() { Ok(()) } else { Err(WalletError::Invalid(errors)) }
    }
}

impl Wallets {
    /// The rule of a wallet, if one was ever set.
    ///
    /// # Errors
    /// [`WalletError::NotFound`] for an organisation that the caller does not administer.
    pub async fn auto_top_up(
        &self,
        by: &Caller,
        org: Option<&str>,
        currency: Currency,
    ) -> Result<Option<AutoTopUp>, WalletError> {
        let account = self.account(by, Action::Read, org)?;
        self.store.read(async move |tx: &mut Tx| find(tx, &account, currency).await).await
    }

    /// Sets the rule of a wallet. What is below the threshold already is topped up at once. A rule that was never set
    /// has the version 0.
    ///
    /// # Errors
    /// [`WalletError::Invalid`], also for a card that is not the account's; [`WalletError::Stale`];
    /// [`WalletError::NotFound`] for an organisation that the caller does not administer.
    pub async fn set_auto_top_up(
        &self,
        by: &Caller,
        org: Option<&str>,
        change: &AutoChange,
        expected: Expected,
    ) -> Result<AutoTopUp, WalletError> {
        let account = self.account(by, Action::Buy, org)?;
        self.settings.currency(change.amount.currency.code())?;
        let (room, by, change) = (self.clone(), by.clone(), change.clone());
        let write = async move |tx: &mut Tx| {
            let currency = change.amount.currency;
            let known = find(tx, &account, currency).await?;
            expected.check(known.as_ref().map_or(0, |rule| rule.version))?;
            change.check(&room.settings)?;
            let methods = Payments::methods_of(tx, &account).await?;
            if !methods.iter().any(|method| method.id == change.method) {
                return Err(WalletError::field("/methodId", "Choose one of the saved cards."));
            }
            let rule = write(tx, &by, &account, known, &change).await?;
            let details = serde_json::json!({ "account": account, "enabled": rule.enabled, "currency": currency,
                "thresholdMinor": rule.threshold.minor, "amountMinor": rule.amount.minor });
            audit::record(tx, &by, "wallet.auto_top_up_set", rule.id.as_str(), Outcome::Done, &details)
                .await?;
            room.look_at(tx, by.now(), &account, currency).await?;
            Ok(find(tx, &account, currency).await?.unwrap_or(rule))
        };
        self.store.write(write).await
    }
}

async fn write(
    tx: &mut Tx,
    by: &Caller,
    account: &AccountId,
    known: Option<AutoTopUp>,
    change: &AutoChange,
) -> Result<AutoTopUp, WalletError> {
    let (now, user) = (by.now(), by.account()?.user.clone());
    let is_new = known.is_none();
    let new = AutoTopUp {
        id: known.as_ref().map_or_else(AutoId::fresh, |rule| rule.id.clone()),
        account: account.clone(),
        enabled: change.enabled,
        threshold: change.threshold,
        amount: change.amount,
        method: change.method.clone(),
        max_per_day: change.max_per_day,
        monthly_limit_minor: change.monthly_limit_minor,
        failures: 0,
        retry_at: None,
        reason: None,
        set_by: user,
        version: known.as_ref().map_or(1, |rule| rule.version + 1),
        created_at: known.as_ref().map_or(now, |rule| rule.created_at),
        updated_at: now,
    };
    if !is_new {
        update(tx, &new).await?;
        return Ok(new);
    }
    let (threshold, amount) = (new.threshold.minor, new.amount.minor);
    let currency = new.threshold.currency.code();
    let row = args![
        new.id,
        new.account,
        currency,
        new.enabled,
        threshold,
        amount,
        new.method,
        new.max_per_day,
        new.monthly_limit_minor,
        new.set_by,
        now,
    ];
    tx.execute(&sql::INSERT_AUTO, row).await?;
    Ok(new)
}

/// Writes a rule whose version is already the next one.
async fn update(tx: &mut Tx, rule: &AutoTopUp) -> Result<(), WalletError> {
    let (before, reason) = (rule.version - 1, rule.reason.map_or("", Stopped::as_str));
    let row = args![
        rule.id,
        before,
        rule.enabled,
        rule.threshold.minor,
        rule.amount.minor,
        rule.method,
        rule.max_per_day,
        rule.monthly_limit_minor,
        rule.failures,
        rule.retry_at,
        reason,
        rule.set_by,
        rule.version,
        rule.updated_at,
    ];
    tx.execute(&sql::UPDATE_AUTO, row).await?;
    Ok(())
}

/// The rule of a wallet, in any transaction.
pub(crate) async fn find(
    tx: &mut Tx,
    account: &AccountId,
    currency: Currency,
) -> Result<Option<AutoTopUp>, WalletError> {
    Ok(tx.first(&sql::FIND_AUTO, args![account, currency.code()]).await?)
}

/// A top-up of the rule arrived.
pub(crate) async fn succeeded(
    tx: &mut Tx,
    account: &AccountId,
    currency: Currency,
) -> Result<(), WalletError> {
    if let Some(mut rule) = find(tx, account, currency).await?
        && rule.failures > 0
        && rule.failures < MAX_FAILURES
    {
        rule.succeeded();
        tx.execute(&sql::COUNT_FAILURES, args![rule.id, rule.failures, rule.retry_at]).await?;
    }
    Ok(())
}

/// A top-up of the rule failed: it is tried again after a pause, or the rule is switched off.
pub(crate) async fn failed(
    tx: &mut Tx,
    now: Timestamp,
    account: &AccountId,
    currency: Currency,
) -> Result<(), WalletError> {
    let Some(mut rule) = find(tx, account, currency).await? else { return Ok(()) };
    if rule.failed(now) {
        return stopped(tx, now, rule).await;
    }
    tx.execute(&sql::COUNT_FAILURES, args![rule.id, rule.failures, rule.retry_at]).await?;
    if let Some(at) = rule.retry_at {
        watch::look_later(tx, now, account, currency, at).await?;
    }
    Ok(())
}

/// Switches the rule of a wallet off, if it is on.
pub(crate) async fn stop(
    tx: &mut Tx,
    now: Timestamp,
    account: &AccountId,
    currency: Currency,
    reason: Stopped,
) -> Result<(), WalletError> {
    match find(tx, account, currency).await? {
        Some(mut rule) if rule.enabled => {
            rule.stop(reason);
            stopped(tx, now, rule).await
        }
        _ => Ok(()),
    }
}

async fn stopped(tx: &mut Tx, now: Timestamp, mut rule: AutoTopUp) -> Result<(), WalletError> {
    (rule.version, rule.updated_at) = (rule.version + 1, now);
    update(tx, &rule).await?;
    events::append(tx, now, &AutoStopped::of(&rule)).await?;
    let currency = rule.currency();
    mails::enqueue(
        tx,
        now,
        &Mail::Stopped { account: rule.account, currency, to: rule.set_by, reason: rule.reason },
    )
    .await
}
