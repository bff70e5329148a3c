//! Taking a top-up back to its card, as far as it is still in the wallet.

use identity::audit::{self, Outcome};
use identity::orgs::OrgRole;
use identity::{Action, Caller, Subject};
use kernel::Money;
use ledger::{Account, LedgerError};
use payments::{NewRefund, PaymentError, Refund};
use store::Tx;

use crate::Wallets;
use crate::error::WalletError;
use crate::start::find;
use crate::top_up::TopUpId;

impl Wallets {
    /// Gives a top-up back to its card: `amount_minor` of it, or as much as is left of it and available. The amount is
    /// reserved in the wallet before the gateway is asked, so it cannot be spent meanwhile. The same `key` gives the
    /// same refund.
    ///
    /// # Errors
    /// [`WalletError::NotFound`] for somebody else's, unless the caller is an operator; [`WalletError::Spent`];
    /// [`WalletError::Payment`], e.g. when more than was captured is asked for.
    pub async fn refund_top_up(
        &self,
        by: &Caller,
        id: &TopUpId,
        amount_minor: Option<i64>,
        key: Option<String>,
    ) -> Result<Refund, WalletError> {
        let actor = by.may(Action::Buy, &Subject::Market)?.clone();
        let is_operator = by.may(Action::OperateMarket, &Subject::Market).is_ok();
        let (room, by, id) = (self.clone(), by.clone(), id.clone());
        let write = async move |tx: &mut Tx| {
            let top_up = find(tx, &id).await?;
            if !is_operator && !actor.speaks_for(&top_up.account, OrgRole::Admin) {
                return Err(WalletError::NotFound("top-up"));
            }
            let account = Account::Wallet(top_up.account.clone());
            let available = ledger::balance(tx, &account, top_up.currency()).await?.available();
            let left = top_up.amount.minor - top_up.refunded_minor;
            let minor = amount_minor.unwrap_or_else(|| left.min(available.minor));
            let new = NewRefund {
                payment: top_up.payment.clone(),
                amount: Money::new(minor, top_up.currency()),
                key: key.clone(),
                reason: "Top-up given back".to_owned(),
            };
            let refund = room.payments.begin_refund(tx, by.now(), &new).await;
            let refund = refund.map_err(|error| match error {
                PaymentError::Ledger(LedgerError::Insufficient { .. }) => WalletError::Spent { available },
                PaymentError::NothingToPay if amount_minor.is_none() => WalletError::Spent { available },
                other => other.into(),
            })?;
            let details = serde_json::json!({ "amountMinor": minor, "refund": refund.id });
            audit::record(tx, &by, "wallet.top_up_refunded", id.as_str(), Outcome::Done, &details).await?;
            Ok::<_, WalletError>(refund)
        };
        let refund = self.store.write(write).await?;
        Ok(self.payments.submit_refund(&refund.id).await?)
    }
}
