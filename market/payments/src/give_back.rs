//! Money that came too late for what was to be paid: the market returns it by itself. The purpose never saw it, so
//! its legs in the ledger are ours.

use kernel::Timestamp;
use ledger::{Account, NewTransfer};
use store::Tx;

use crate::Payments;
use crate::error::PaymentError;
use crate::payment::Payment;
use crate::refund::{NewRefund, Refund};

impl Payments {
    /// Reserves the refund of everything that was captured; the worker asks the gateway for it.
    pub(crate) async fn give_back(
        &self,
        tx: &mut Tx,
        now: Timestamp,
        mut payment: Payment,
    ) -> Result<Payment, PaymentError> {
        let into = NewTransfer::new(payment.funds(), Account::RefundReserve, payment.amount, "late success");
        ledger::post(tx, now, &format!("{}/late", payment.id), &[into]).await?;
        let reason = payment.failure.as_ref().map_or_else(String::new, |reason| reason.message.clone());
        let refund = NewRefund {
            payment: payment.id.clone(),
            amount: payment.amount,
            key: Some("given-back".to_owned()),
            reason,
        };
        crate::refunds::reserve(tx, now, &refund, true).await?;
        payment.refunding_minor += payment.amount.minor;
        payment.version += 1;
        Ok(payment)
    }

    /// The late money has left again.
    pub(crate) async fn given_back(
        &self,
        tx: &mut Tx,
        now: Timestamp,
        payment: &Payment,
        refund: &Refund,
    ) -> Result<(), PaymentError> {
        let out = NewTransfer::new(Account::RefundReserve, payment.funds(), refund.amount, "late success");
        ledger::post(tx, now, &format!("{}/late", refund.id), &[out]).await?;
        Ok(())
    }
}
