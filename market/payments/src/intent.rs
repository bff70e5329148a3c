//! Intents: a payment that begins without a card; the buyer gives it on the pay page.

use identity::{Action, Caller, Subject};
use store::Tx;

use crate::Payments;
use crate::begin::{NewPayment, Source};
use crate::error::PaymentError;
use crate::gateway::{Ask, Outcome};
use crate::payment::{Payment, PaymentId};

impl Payments {
    /// Begins a payment of what is due for a subject, to be given a card in the browser.
    ///
    /// # Errors
    /// What the purpose says: there is no such thing, it is not the caller's, or nothing is due;
    /// [`PaymentError::NoGateway`].
    pub async fn create_intent(
        &self,
        by: &Caller,
        purpose: &str,
        subject: &str,
        key: Option<String>,
    ) -> Result<Payment, PaymentError> {
        by.may(Action::Buy, &Subject::Market)?;
        let purpose = self
            .purpose(purpose)
            .map_err(|_| PaymentError::field("/purpose", "Nothing of this kind is paid here."))?;
        let (room, by, subject) = (self.clone(), by.clone(), subject.to_owned());
        let write = async move |tx: &mut Tx| {
            let due = purpose.due(tx, &by, &subject).await?;
            let new = NewPayment {
                purpose: purpose.name(),
                subject: subject.clone(),
                payer: due.payer,
                amount: due.amount,
                source: Source::Browser,
                key: key.clone(),
                description: due.description,
            };
            room.begin(tx, by.now(), &new).await
        };
        let payment = self.store.write(write).await?;
        self.submit(&payment).await
    }

    /// A payment that waits for its buyer, with what the gateway's script in the browser needs: it is not stored,
    /// so the gateway is asked for it.
    ///
    /// # Errors
    /// [`PaymentError::NotFound`] for who may not pay it.
    pub async fn resume(&self, by: &Caller, id: &PaymentId) -> Result<Payment, PaymentError> {
        by.may(Action::Buy, &Subject::Market)?;
        let payment = self.payable(by, id).await?;
        if !payment.state.is_open() || payment.is_given_back() {
            return Ok(payment);
        }
        let gateway = self.gateway_of(&payment)?;
        let answer = gateway.look(&Ask::of(&payment, self.clock.now())).await;
        match answer.outcome {
            Outcome::Unknown(_) | Outcome::NeverHappened => Ok(payment),
            // A page that shows how it stands must not fail because something else does.
            _ => Ok(self.record(&payment, answer).await.unwrap_or_else(|error| {
                tracing::warn!(payment = %payment.id, %error, "its state could not be brought up to date");
                payment
            })),
        }
    }
}
