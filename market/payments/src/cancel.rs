//! Calling payments off: what was to be paid for expired or was cancelled.

use std::time::Duration;

use kernel::Timestamp;
use store::{Tx, args};

use crate::error::PaymentError;
use crate::gateway::Ask;
use crate::payment::Payment;
use crate::{Payments, sql};

/// How long the request that calls a payment off has for it, before the sweep does.
const PATIENCE: Duration = Duration::from_secs(20);

impl Payments {
    /// Calls off every payment of a subject whose outcome is open, at the gateway too. What the bank reserves in the
    /// meantime is released; what it has already taken is the purpose's to decide. Answers how many there were.
    ///
    /// Never inside of a transaction. When the process dies in here the sweep goes on.
    ///
    /// # Errors
    /// [`PaymentError`] when the database failed. A gateway that does not answer is no error: it is asked again.
    pub async fn cancel_live(&self, subject: &str) -> Result<usize, PaymentError> {
        let (subject, now) = (subject.to_owned(), self.clock.now());
        let mark = async move |tx: &mut Tx| mark(tx, now, &subject, now.after(PATIENCE)).await;
        let live = self.store.write(mark).await?;
        for payment in &live {
            self.ask_cancel(payment).await?;
        }
        Ok(live.len())
    }

    pub(crate) async fn ask_cancel(&self, payment: &Payment) -> Result<Payment, PaymentError> {
        let gateway = self.gateway_of(payment)?;
        let answer = gateway.cancel(&Ask::of(payment, self.clock.now())).await;
        self.record(payment, answer).await
    }
}

/// [`Payments::cancel_live`] in the transaction that ends the subject: marks its open payments, and the sweep asks
/// the gateways within a second.
///
/// # Errors
/// [`PaymentError`] when the database failed.
pub async fn call_off(tx: &mut Tx, now: Timestamp, subject: &str) -> Result<Vec<Payment>, PaymentError> {
    mark(tx, now, subject, now).await
}

async fn mark(
    tx: &mut Tx,
    now: Timestamp,
    subject: &str,
    due: Timestamp,
) -> Result<Vec<Payment>, PaymentError> {
    Ok(tx.all(&sql::CALL_OFF_PAYMENTS, args![subject, due, now]).await?)
}
