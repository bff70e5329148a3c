//! Asking for a payout: the money is reserved in the books before any gateway hears of it.

use identity::audit::{self, Outcome};
use identity::{AccountId, Caller};
use kernel::{Currency, Money, Timestamp};
use ledger::{Account, NewTransfer};
use serde_json::json;
use store::{Tx, args};
use web::idempotency::{self, Request, Stored};

use crate::account::{self, PayoutAccount};
use crate::api::PayoutView;
use crate::error::PayoutError;
use crate::payout::{Payout, PayoutId, SellerBalance};
use crate::room::Payouts;
use crate::sql;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPayout {
    /// For an organisation that the caller owns; for the caller where absent.
    pub org: Option<String>,
    /// In which currency.
    pub currency: Currency,
    /// How much; all that is available where absent.
    pub amount: Option<Money>,
}

/// Where money goes: a ready account at a gateway whose name the books know.
#[derive(Clone, Debug)]
pub(crate) struct Destination {
    pub gateway: &'static str,
    pub reference: String,
}

/// What a seller has in a currency, as the books say within this transaction.
pub(crate) async fn balance(
    tx: &mut Tx,
    now: Timestamp,
    seller: &AccountId,
    currency: Currency,
) -> Result<SellerBalance, PayoutError> {
    let account = Account::Seller(seller.clone());
    let posted = ledger::balance(tx, &account, currency).await?;
    let maturing = ledger::maturing(tx, now, &account, currency).await?;
    let owed = ledger::balance(tx, &Account::SellerDebt(seller.clone()), currency).await?.posted;
    let (under_way,) = tx.one(&sql::SUM_UNDER_WAY, args![seller, currency.code()]).await?;
    Ok(SellerBalance::of(posted.available(), maturing, Money::new(under_way, currency), owed))
}

/// Writes a payout and reserves its money: both or neither. What is owed beside the seller's account is paid first.
pub(crate) async fn begin(
    tx: &mut Tx,
    now: Timestamp,
    seller: &AccountId,
    amount: Money,
    to: &Destination,
    by: Option<&str>,
) -> Result<Payout, PayoutError> {
    let id = PayoutId::fresh();
    let currency = amount.currency;
    let code = currency.code();
    let row = args![id, seller, code, amount.minor, to.gateway, to.reference, by, now];
    if tx.execute(&sql::INSERT_PAYOUT, row).await? == 0 {
        return Err(PayoutError::UnderWay(currency));
    }
    let (from, debt) = (Account::Seller(seller.clone()), Account::SellerDebt(seller.clone()));
    let owed = ledger::balance(tx, &debt, currency).await?.posted;
    if owed.minor > 0 {
        let pay_off = NewTransfer::new(from.clone(), debt, owed, "debt");
        ledger::post(tx, now, &format!("{id}/debt"), &[pay_off]).await?;
    }
    let transfer = NewTransfer::new(from, Account::Clearing(to.gateway), amount, "payout");
    ledger::reserve(tx, now, id.as_str(), &[transfer]).await?;
    Ok(tx.one(&sql::FIND_PAYOUT, args![id]).await?)
}

impl Payouts {
    /// Reserves what is asked for and writes the payout down; [`Payouts::submit`] then hands it to the gateway. The
    /// answer, as the API shows it, is stored under the request's Idempotency-Key.
    ///
    /// # Errors
    /// [`PayoutError::Identity`] for who may not; [`PayoutError::NotConnected`], [`PayoutError::NotReady`];
    /// [`PayoutError::Nothing`], [`PayoutError::TooMuch`], [`PayoutError::TooLittle`], [`PayoutError::UnderWay`].
    pub async fn request(
        &self,
        by: &Caller,
        new: NewPayout,
        request: Request,
    ) -> Result<Stored, PayoutError> {
        let seller = self.owner(by, new.org.as_deref())?;
        let to = self.destination(&seller).await?;
        let minimum = self.minimum(new.currency);
        let (by, now) = (by.clone(), self.clock.now());
        let write = async move |tx: &mut Tx| {
            let effect = async |tx: &mut Tx| {
                let available = balance(tx, now, &seller, new.currency).await?.available;
                let amount = ask(new.amount, available, minimum)?;
                let user = by.account()?.user.as_str();
                let payout = begin(tx, now, &seller, amount, &to, Some(user)).await?;
                let detail = json!({"amount": amount.to_string(), "gateway": to.gateway});
                audit::record(tx, &by, "payout.requested", payout.id.as_str(), Outcome::Done, &detail)
                    .await?;
                Ok::<_, PayoutError>(PayoutView::from(&payout))
            };
            idempotency::once(tx, &request, now, 201, effect).await
        };
        self.store.write(write).await
    }

    /// Where a seller's money goes.
    pub(crate) async fn destination(&self, seller: &AccountId) -> Result<Destination, PayoutError> {
        let gateway = self.gateway()?.name();
        let account = self.account_of(seller).await?.ok_or(PayoutError::NotConnected)?;
        ready(gateway, account)
    }
}

pub(crate) fn ready(gateway: &'static str, account: PayoutAccount) -> Result<Destination, PayoutError> {
    if !account.ready {
        return Err(PayoutError::NotReady);
    }
    Ok(Destination { gateway, reference: account.reference })
}

/// The account at this gateway within a transaction, if money can go there.
pub(crate) async fn destination_in(
    tx: &mut Tx,
    seller: &AccountId,
    gateway: &'static str,
) -> Result<Option<Destination>, PayoutError> {
    let account = account::find(tx, seller, gateway).await?;
    Ok(account.and_then(|account| ready(gateway, account).ok()))
}

/// How much is paid out when `wanted` is asked for.
fn ask(wanted: Option<Money>, available: Money, minimum: Money) -> Result<Money, PayoutError> {
    if available.is_zero() {
        return Err(PayoutError::Nothing(available.currency));
    }
    let amount = wanted.unwrap_or(available);
    if available.minus(amount)?.minor < 0 {
        return Err(PayoutError::TooMuch { available });
    }
    if amount.minor < minimum.minor.max(1) {
        return Err(PayoutError::TooLittle { minimum });
    }
    Ok(amount)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn at_most_what_is_there_and_at_least_the_minimum() {
        let usd = |minor| Money::new(minor, Currency::USD);
        assert_eq!(ask(None, usd(5000), usd(1000)).unwrap(), usd(5000));
        assert_eq!(ask(Some(usd(1000)), usd(5000), usd(1000)).unwrap(), usd(1000));
        assert!(matches!(ask(Some(usd(5001)), usd(5000), usd(0)), Err(PayoutError::TooMuch { .. })));
        assert!(matches!(ask(Some(usd(999)), usd(5000), usd(1000)), Err(PayoutError::TooLittle { .. })));
        for wrong in [0, -1, i64::MIN + 1] {
            assert!(ask(Some(usd(wrong)), usd(5000), usd(0)).is_err(), "{wrong}");
        }
        assert!(matches!(ask(None, usd(0), usd(0)), Err(PayoutError::Nothing(_))));
        let euros = Money::new(1, Currency::EUR);
        assert!(matches!(ask(Some(euros), usd(5000), usd(0)), Err(PayoutError::Money(_))));
    }
}
