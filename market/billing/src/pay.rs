//! A buyer who pays an invoice by hand: with a saved card, from the wallet, or with a card that is typed in.

use identity::orgs::OrgRole;
use identity::{Action, Caller, Subject};
use payments::{Payment, Payments, Source};
use store::Tx;

use crate::charge::payment_of;
use crate::error::BillingError;
use crate::invoice::{Invoice, InvoiceId, Kind, Standing};
use crate::room::Billing;
use crate::write::{change_invoice, lock_invoice};

impl Billing {
    /// Pays an open invoice. An attempt that waits for the buyer is called off; one that the bank decides over is
    /// waited for. The same `key` is the same payment.
    ///
    /// # Errors
    /// [`BillingError::NotFound`] for who may not spend the buyer's money; [`BillingError::NotOpen`];
    /// [`BillingError::InFlight`]; [`BillingError::Payment`].
    pub async fn pay(
        &self,
        by: &Caller,
        id: &InvoiceId,
        source: Source,
        key: Option<String>,
    ) -> Result<Payment, BillingError> {
        let actor = by.may(Action::Buy, &Subject::Market)?.clone();
        let (room, of, now) = (self.clone(), id.clone(), by.now());
        let write = async move |tx: &mut Tx| {
            let invoice = lock_invoice(tx, &of).await?;
            if !actor.speaks_for(&invoice.buyer, OrgRole::Admin) {
                return Err(BillingError::NotFound("invoice"));
            }
            let all = Payments::of_subject(tx, of.as_str()).await?;
            let mut new = payment_of(&invoice, source.clone(), None);
            new.key = key.as_ref().map(|key| format!("{of}/by-hand/{key}"));
            let is_payable = matches!(invoice.kind, Kind::Period | Kind::Change);
            if invoice.state != Standing::Open || !is_payable {
                // Who sends the same again hears what became of it.
                let known = match &new.key {
                    Some(key) => Payments::of_key(tx, &invoice.buyer, key).await?,
                    None => None,
                };
                return known.ok_or(BillingError::NotOpen(invoice.state));
            }
            let is_waiting = |payment: &Payment| {
                payment.state.is_open() && payment.next_action.is_some()
                    || payment.state == payments::State::Created
            };
            let is_decided = |payment: &Payment| {
                payment.state == payments::State::Authorised
                    || payment.state.is_open() && !is_waiting(payment)
            };
            if all.iter().any(|payment| is_decided(payment) && !payment.is_given_back()) {
                return Err(BillingError::InFlight);
            }
            if all.iter().any(is_waiting) {
                payments::call_off(tx, now, of.as_str()).await?;
            }
            if invoice.attempt.is_some() {
                change_invoice(tx, now, &invoice, Invoice { attempt: None, ..invoice.clone() }).await?;
            }
            Ok(room.payments.begin(tx, now, &new).await?)
        };
        let payment = self.store.write(write).await?;
        Ok(self.payments.submit(&payment).await?)
    }
}
