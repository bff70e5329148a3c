//! What the transitions of a payment mean to its invoice.

use std::sync::Arc;
use std::time::Duration;

use identity::orgs::OrgRole;
use identity::{Action, Caller, Subject};
use kernel::Timestamp;
use payments::{Dispute, DisputeState, Due, Payment, PaymentError, Purpose, Reason, Refund, Told, Verdict};
use store::{Tx, args};

use crate::cancel::over;
use crate::change::apply;
use crate::charge::attempt_failed;
use crate::error::BillingError;
use crate::invoice::{Invoice, Kind, Standing};
use crate::renew::settled;
use crate::room::Settings;
use crate::subscription::State;
use crate::write::{change_invoice, lock, lock_invoice};
use crate::{refund, settle, sql};

/// The name that payments of invoices carry.
pub(crate) const PURPOSE: &str = "invoice";

pub(crate) struct ForInvoices {
    settings: Arc<Settings>,
    maturity: Duration,
}

impl ForInvoices {
    pub(crate) const fn new(settings: Arc<Settings>, maturity: Duration) -> Self {
        Self { settings, maturity }
    }
}

/// The invoice that a payment is for, locked.
async fn of(tx: &mut Tx, payment: &Payment) -> Result<Option<Invoice>, BillingError> {
    Ok(tx.first(&sql::LOCK_INVOICE, args![payment.subject]).await?)
}

fn gone(why: &str) -> Verdict {
    Verdict::GiveBack(Reason::new("invoice_gone", format!("{why} You get your money back.")))
}

impl ForInvoices {
    async fn pay(&self, tx: &mut Tx, now: Timestamp, payment: &Payment) -> Result<Verdict, BillingError> {
        let Some(invoice) = of(tx, payment).await? else { return Ok(gone("There is no such invoice.")) };
        match invoice.state {
            Standing::Open if payment.amount == invoice.total() => {}
            Standing::Open => return Ok(gone("The invoice comes to another amount.")),
            Standing::Paid => return Ok(gone("The invoice was paid before.")),
            Standing::Void | Standing::Uncollectible => {
                return Ok(gone("The invoice is not to be paid any more."));
            }
        }
        if invoice.attempt.as_ref().is_some_and(|attempt| *attempt != payment.id) {
            payments::call_off(tx, now, invoice.id.as_str()).await?;
        }
        let matures = now.after(self.maturity);
        let grace = self.settings.grace();
        let paid = settled(tx, now, &grace, &invoice, Some(&payment.id), matures).await?;
        if let (Kind::Change, Some(plan), Some(sub)) = (paid.kind, &paid.to, &paid.subscription) {
            let sub = lock(tx, sub).await?;
            apply(tx, now, &grace, &sub, plan, 0).await?;
        }
        Ok(Verdict::Capture)
    }

    async fn not_paid(&self, tx: &mut Tx, now: Timestamp, payment: &Payment) -> Result<(), BillingError> {
        let Some(invoice) = of(tx, payment).await? else { return Ok(()) };
        let why = payment.failure.as_ref().map_or("The payment failed.", |reason| &reason.message);
        if invoice.state == Standing::Open && invoice.attempt.as_ref() == Some(&payment.id) {
            return attempt_failed(tx, now, &self.settings, &invoice, why).await;
        }
        if invoice.state != Standing::Paid || invoice.payment.as_ref() != Some(&payment.id) {
            return Ok(());
        }
        // The bank let the money go after we believed that it was ours: the invoice keeps its number and is open again.
        let attempts = invoice.attempts.max(1);
        let open = Invoice {
            state: Standing::Open,
            payment: None,
            paid_at: None,
            matures_at: None,
            attempts,
            ..invoice.clone()
        };
        let open = change_invoice(tx, now, &invoice, open).await?;
        attempt_failed(tx, now, &self.settings, &open, why).await
    }

    async fn called_off(tx: &mut Tx, now: Timestamp, payment: &Payment) -> Result<(), BillingError> {
        let Some(invoice) = of(tx, payment).await? else { return Ok(()) };
        if invoice.attempt.as_ref() == Some(&payment.id) {
            change_invoice(tx, now, &invoice, Invoice { attempt: None, ..invoice.clone() }).await?;
        }
        Ok(())
    }

    async fn disputed(
        &self,
        tx: &mut Tx,
        now: Timestamp,
        payment: &Payment,
        dispute: &Dispute,
    ) -> Result<(), BillingError> {
        refund::disputed(tx, now, payment, dispute).await?;
        let Some(invoice) = of(tx, payment).await? else { return Ok(()) };
        let Some(id) = invoice.subscription.filter(|_| dispute.state == DisputeState::Lost) else {
            return Ok(());
        };
        let sub = lock(tx, &id).await?;
        if sub.state.is_live() {
            crate::cancel::close_open(tx, now, &sub, &[Kind::Period, Kind::Change]).await?;
            over(tx, now, &sub, State::Ended, "disputed").await?;
        }
        Ok(())
    }

    async fn due(tx: &mut Tx, by: &Caller, subject: &str) -> Result<Due, BillingError> {
        let actor = by.may(Action::Buy, &Subject::Market)?;
        let id = subject.parse().map_err(|_| BillingError::NotFound("invoice"))?;
        let invoice = lock_invoice(tx, &id).await?;
        if !actor.speaks_for(&invoice.buyer, OrgRole::Admin) {
            return Err(BillingError::NotFound("invoice"));
        }
        if invoice.state != Standing::Open || !matches!(invoice.kind, Kind::Period | Kind::Change) {
            return Err(BillingError::NotOpen(invoice.state));
        }
        Ok(Due { payer: invoice.buyer.clone(), amount: invoice.total(), description: invoice.title })
    }
}

impl Purpose for ForInvoices {
    fn name(&self) -> &'static str {
        PURPOSE
    }

    fn due<'a>(&'a self, tx: &'a mut Tx, by: &'a Caller, subject: &'a str) -> Told<'a, Due> {
        Box::pin(async move { Self::due(tx, by, subject).await.map_err(PaymentError::from) })
    }

    fn authorised<'a>(&'a self, tx: &'a mut Tx, now: Timestamp, payment: &'a Payment) -> Told<'a, Verdict> {
        Box::pin(async move { Ok(self.pay(tx, now, payment).await?) })
    }

    fn captured<'a>(&'a self, tx: &'a mut Tx, now: Timestamp, payment: &'a Payment) -> Told<'a> {
        Box::pin(async move {
            let Some(invoice) = of(tx, payment).await? else { return Ok(()) };
            Ok(settle::captured(tx, now, &invoice, payment).await?)
        })
    }

    fn failed<'a>(&'a self, tx: &'a mut Tx, now: Timestamp, payment: &'a Payment) -> Told<'a> {
        Box::pin(async move { Ok(self.not_paid(tx, now, payment).await?) })
    }

    fn cancelled<'a>(&'a self, tx: &'a mut Tx, now: Timestamp, payment: &'a Payment) -> Told<'a> {
        Box::pin(async move { Ok(Self::called_off(tx, now, payment).await?) })
    }

    fn refund_reserved<'a>(
        &'a self,
        tx: &'a mut Tx,
        now: Timestamp,
        payment: &'a Payment,
        refund: &'a Refund,
    ) -> Told<'a> {
        Box::pin(async move { Ok(refund::reserved(tx, now, payment, refund).await?) })
    }

    fn refund_settled<'a>(
        &'a self,
        tx: &'a mut Tx,
        now: Timestamp,
        payment: &'a Payment,
        refund: &'a Refund,
    ) -> Told<'a> {
        Box::pin(async move { Ok(refund::ended(tx, now, payment, refund, true).await?) })
    }

    fn refund_failed<'a>(
        &'a self,
        tx: &'a mut Tx,
        now: Timestamp,
        payment: &'a Payment,
        refund: &'a Refund,
    ) -> Told<'a> {
        Box::pin(async move { Ok(refund::ended(tx, now, payment, refund, false).await?) })
    }

    fn disputed<'a>(
        &'a self,
        tx: &'a mut Tx,
        now: Timestamp,
        payment: &'a Payment,
        dispute: &'a Dispute,
    ) -> Told<'a> {
        Box::pin(async move { Ok(self.disputed(tx, now, payment, dispute).await?) })
    }
}
