//! The low-balance alert: one mail for each time that the balance falls below a threshold.

use identity::audit::{self, Outcome};
use identity::{AccountId, Action, Caller, UserId};
use kernel::{Currency, Money, Timestamp};
use ledger::Account;
use store::{Tx, args};
use web::Expected;

use crate::error::WalletError;
use crate::{Wallets, sql};

kernel::id!(
    /// The alert of one wallet.
    AlertId,
    "balancealert"
);
store::id_values!(AlertId);

/// The alert of one wallet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// Its id.
    pub id: AlertId,
    /// Whose wallet.
    pub account: AccountId,
    /// Whether it is on.
    pub enabled: bool,
    /// Below this much available it tells.
    pub threshold: Money,
    /// Whether it told, and the balance has not been back at the threshold since.
    pub is_low: bool,
    /// Who set it last: they get the mail for an organisation.
    pub set_by: UserId,
    /// Grows with every change.
    pub version: i64,
    /// When it was first set.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// How an alert is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlertChange {
    /// Whether it is on.
    pub enabled: bool,
    /// Below this much available it tells.
    pub threshold: Money,
}

impl Wallets {
    /// The alert of a wallet, if one was ever set.
    ///
    /// # Errors
    /// [`WalletError::NotFound`] for an organisation that the caller does not administer.
    pub async fn alert(
        &self,
        by: &Caller,
        org: Option<&str>,
        currency: Currency,
    ) -> Result<Option<Alert>, WalletError> {
        let account = self.account(by, Action::Read, org)?;
        self.store.read(async move |tx: &mut Tx| find(tx, &account, currency).await).await
    }

    /// Sets the alert of a wallet. A balance that is below the threshold already is no news: the mail comes when it
    /// falls below the next time. An alert that was never set has the version 0.
    ///
    /// # Errors
    /// [`WalletError::Invalid`]; [`WalletError::Stale`]; [`WalletError::NotFound`] for an organisation that the caller
    /// does not administer.
    pub async fn set_alert(
        &self,
        by: &Caller,
        org: Option<&str>,
        change: AlertChange,
        expected: Expected,
    ) -> Result<Alert, WalletError> {
        let account = self.account(by, Action::Buy, org)?;
        let currency = self.settings.currency(change.threshold.currency.code())?;
        let most = self.settings.most(currency);
        if !(1..=most.minor).contains(&change.threshold.minor) {
            return Err(WalletError::field(
                "/threshold",
                format!("Type an amount above zero, up to {most}."),
            ));
        }
        let by = by.clone();
        let write = async move |tx: &mut Tx| {
            let known = find(tx, &account, currency).await?;
            expected.check(known.as_ref().map_or(0, |alert| alert.version))?;
            let alert = write(tx, &by, &account, known, change).await?;
            let details = serde_json::json!({ "account": account, "enabled": alert.enabled, "currency": currency,
                "thresholdMinor": alert.threshold.minor });
            audit::record(tx, &by, "wallet.alert_set", alert.id.as_str(), Outcome::Done, &details).await?;
            Ok::<_, WalletError>(alert)
        };
        self.store.write(write).await
    }
}

async fn write(
    tx: &mut Tx,
    by: &Caller,
    account: &AccountId,
    known: Option<Alert>,
    change: AlertChange,
) -> Result<Alert, WalletError> {
    let (now, user, currency) = (by.now(), by.account()?.user.clone(), change.threshold.currency);
    let available = ledger::balance(tx, &Account::Wallet(account.clone()), currency).await?.available();
    let is_low = change.enabled && available.minor < change.threshold.minor;
    let is_new = known.is_none();
    let mut alert = known.unwrap_or_else(|| Alert {
        id: AlertId::fresh(),
        account: account.clone(),
        enabled: change.enabled,
        threshold: change.threshold,
        is_low,
        set_by: user.clone(),
        version: 0,
        created_at: now,
        updated_at: now,
    });
    (alert.enabled, alert.threshold, alert.is_low, alert.set_by) =
        (change.enabled, change.threshold, is_low, user);
    if is_new {
        let (threshold, code) = (alert.threshold.minor, currency.code());
        let row = args![alert.id, account, code, alert.enabled, threshold, is_low, alert.set_by, now];
        tx.execute(&sql::INSERT_ALERT, row).await?;
        (alert.version, alert.updated_at) = (1, now);
        return Ok(alert);
    }
    update(tx, now, alert).await
}

/// Writes an alert and answers with it and its new version.
pub(crate) async fn update(tx: &mut Tx, now: Timestamp, mut alert: Alert) -> Result<Alert, WalletError> {
    let threshold = alert.threshold.minor;
    let row = args![alert.id, alert.version, alert.enabled, threshold, alert.is_low, alert.set_by, now];
    tx.execute(&sql::UPDATE_ALERT, row).await?;
    (alert.version, alert.updated_at) = (alert.version + 1, now);
    Ok(alert)
}

/// The alert of a wallet, in any transaction.
pub(crate) async fn find(
    tx: &mut Tx,
    account: &AccountId,
    currency: Currency,
) -> Result<Option<Alert>, WalletError> {
    Ok(tx.first(&sql::FIND_ALERT, args![account, currency.code()]).await?)
}
