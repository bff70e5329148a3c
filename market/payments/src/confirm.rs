//! The buyer's part in the sandbox: typing in a card for an intent, and answering the page of the sandbox bank.

use identity::{Action, Caller, Subject};
use store::{Tx, args};

use crate::begin::GATEWAY_PATIENCE;
use crate::error::PaymentError;
use crate::payment::{NextAction, Payment, PaymentId};
use crate::sandbox::{self, Card, bank};
use crate::{Payments, sql};

impl Payments {
    /// Gives a sandbox intent its card and asks for the money.
    ///
    /// # Errors
    /// Wrong card fields; [`PaymentError::WrongState`] when it has a card already or is over;
    /// [`PaymentError::NotFound`] for who may not pay for this account.
    pub async fn confirm_with_card(
        &self,
        by: &Caller,
        id: &PaymentId,
        card: &Card,
    ) -> Result<Payment, PaymentError> {
        by.may(Action::Buy, &Subject::Market)?;
        let payment = self.payable(by, id).await?;
        if payment.gateway != sandbox::NAME {
            return Err(PaymentError::NoGateway);
        }
        let checked = card.check("/card", by.now()).map_err(PaymentError::Invalid)?;
        let instrument = checked.card.instrument();
        let (brand, last4) = instrument.view.map(|view| (view.brand, view.last4)).unzip();
        self.give(&payment, "", instrument.code, brand, last4).await
    }

    /// The buyer's answer on the page of the sandbox bank.
    ///
    /// # Errors
    /// As [`Payments::confirm_with_card`].
    pub async fn confirm_at_bank(
        &self,
        by: &Caller,
        id: &PaymentId,
        accepts: bool,
    ) -> Result<Payment, PaymentError> {
        by.may(Action::Buy, &Subject::Market)?;
        let payment = self.payable(by, id).await?;
        let code = if accepts { bank::CONFIRMED } else { bank::REFUSED };
        let (brand, last4) = payment.method.clone().map(|view| (view.brand, view.last4)).unzip();
        self.give(&payment, bank::CONFIRM, code.to_owned(), brand, last4).await
    }

    /// Changes what is charged, once, and asks the gateway.
    async fn give(
        &self,
        payment: &Payment,
        instead_of: &'static str,
        code: String,
        brand: Option<String>,
        last4: Option<String>,
    ) -> Result<Payment, PaymentError> {
        let (id, now) = (payment.id.clone(), self.clock.now());
        let write = async move |tx: &mut Tx| {
            let due = now.after(GATEWAY_PATIENCE);
            let row = args![id, instead_of, code, brand, last4, due, now];
            let was_given = tx.execute(&sql::SET_INSTRUMENT, row).await? == 1;
            let payment = crate::submit::find(tx, &id).await?;
            Ok::<_, PaymentError>((was_given, payment))
        };
        let (was_given, payment) = self.store.write(write).await?;
        if was_given { self.submit(&payment).await } else { Err(PaymentError::WrongState(payment.state)) }
    }

    /// Where a buyer goes on: the next page of the payment, what was paid for, or the payment itself.
    #[must_use]
    pub fn page_of(&self, payment: &Payment) -> String {
        let next = Self::next_page(payment).filter(|_| payment.state.is_open());
        let thing = || self.purpose(&payment.purpose).ok().and_then(|purpose| purpose.page(&payment.subject));
        next.or_else(thing).unwrap_or_else(|| format!("/pay/{}", payment.id))
    }

    /// The page on which the buyer goes on, where there is one.
    #[must_use]
    pub fn next_page(payment: &Payment) -> Option<String> {
        match &payment.next_action {
            Some(NextAction::Redirect { url }) => Some(url.clone()),
            Some(NextAction::Card | NextAction::Browser { .. }) => Some(format!("/pay/{}", payment.id)),
            None => None,
        }
    }
}
