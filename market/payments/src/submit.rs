//! Asking the gateway for the money, and writing down what it says.

use store::{Tx, args};

use crate::error::PaymentError;
use crate::gateway::{Answer, Ask};
use crate::payment::{Payment, PaymentId, State};
use crate::{Payments, sql};

impl Payments {
    /// Asks the gateway for a payment that [`Payments::begin`] wrote, outside of any transaction, and records the
    /// answer in one, with what the purpose makes of it. Safe to repeat: the gateway knows the payment by its id.
    /// A payment that has ended, such as one from a wallet, is answered as it is.
    ///
    /// The answer tells the outcome by its state: `authorised` (the money is reserved and being taken), `failed`
    /// with [`Payment::failure`], `submitted` with [`Payment::next_action`], or `unknown` (the janitor asks again).
    ///
    /// # Errors
    /// [`PaymentError`] when the answer could not be recorded; the janitor will then.
    pub async fn submit(&self, payment: &Payment) -> Result<Payment, PaymentError> {
        if !payment.state.is_open() {
            return Ok(payment.clone());
        }
        let gateway = self.gateway_of(payment)?;
        let answer = gateway.authorise(&Ask::of(payment, self.clock.now())).await;
        self.record(payment, answer).await
    }

    /// [`Payments::submit`] by id, for who no longer has the payment at hand.
    ///
    /// # Errors
    /// As [`Payments::submit`]; [`PaymentError::NotFound`].
    pub async fn submit_by_id(&self, id: &PaymentId) -> Result<Payment, PaymentError> {
        let payment = self.find(id).await?;
        self.submit(&payment).await
    }

    /// The payment as it is now. For rooms; people go by [`Payments::payment`].
    ///
    /// # Errors
    /// [`PaymentError::NotFound`].
    pub async fn find(&self, id: &PaymentId) -> Result<Payment, PaymentError> {
        let id = id.clone();
        self.store.read(async move |tx: &mut Tx| find(tx, &id).await).await
    }

    /// Writes an answer down and hands on what is left to do. Browsers get what only this answer has.
    pub(crate) async fn record(&self, payment: &Payment, answer: Answer) -> Result<Payment, PaymentError> {
        let (room, before, now) = (self.clone(), payment.clone(), self.clock.now());
        let action = match &answer.outcome {
            crate::gateway::Outcome::NeedsBuyer(action) => Some(action.clone()),
            _ => None,
        };
        let write = async move |tx: &mut Tx| room.apply(tx, now, &before, &answer).await;
        let mut after = match self.go_row_by_row([payment]) {
            true => self.store.write_row_by_row(write).await?,
            false => self.store.write(write).await?,
        };
        if after.state == State::Submitted {
            after.next_action = action.or(after.next_action);
        }
        self.hand_on(&after);
        Ok(after)
    }

    /// Whether the transitions of these may be written in one transaction that goes row by row.
    pub(crate) fn go_row_by_row<'a>(&self, payments: impl IntoIterator<Item = &'a Payment>) -> bool {
        let goes =
            |payment: &Payment| self.purpose(&payment.purpose).is_ok_and(|purpose| purpose.goes_row_by_row());
        payments.into_iter().all(goes)
    }

    /// Gives a payment whose money is reserved to the worker. When too many wait, the sweep finds it.
    pub(crate) fn hand_on(&self, payment: &Payment) {
        if payment.state == State::Authorised {
            let _ = self.shared.captures.try_send(payment.clone());
        } else if payment.is_given_back() {
            self.shared.due.notify_one();
        }
    }
}

/// The payment as it is now, in any transaction.
pub(crate) async fn find(tx: &mut Tx, id: &PaymentId) -> Result<Payment, PaymentError> {
    let payment: Option<Payment> = tx.first(&sql::FIND_PAYMENT, args![id]).await?;
    payment.ok_or(PaymentError::NotFound("payment"))
}
