//! Having an invoice paid by what paid before, and trying again: the attempt is written in one transaction, the gateway
//! is asked outside of any, and `purpose.rs` hears the answer.

use std::time::Duration;

use kernel::{Problem, Timestamp};
use payments::{NewPayment, Payment, PaymentError, Payments, Source};
use store::Tx;

use crate::cancel::{close, give_up};
use crate::error::BillingError;
use crate::events::{About, SubscriptionPastDue};
use crate::invoice::{Invoice, InvoiceId, Kind, Standing};
use crate::mails;
use crate::purpose::PURPOSE;
use crate::room::{Billing, Settings};
use crate::subscription::{PayBy, State, Subscription};
use crate::write::{change, change_invoice, lock, lock_invoice};

/// When an attempt is looked at again of which nothing was heard. The payments ask for it by themselves in the meantime.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_secs(3_600);

impl Billing {
    /// Tries to have an invoice paid, if that is due. Answers whether it was tried. Safe to call at any time, from any
    /// number of processes, and to be killed in: each attempt has a number, and a payment of that number is begun once.
    ///
    /// # Errors
    /// [`BillingError::Changed`] where another process was faster; [`BillingError::Store`].
    pub async fn charge(&self, id: &InvoiceId) -> Result<bool, BillingError> {
        let (room, of, now) = (self.clone(), id.clone(), self.clock.now());
        let write = async move |tx: &mut Tx| begin(tx, now, &room, &of).await;
        match self.store.write(write).await {
            Ok(None) => Ok(false),
            Ok(Some(payment)) => {
                self.submit(id, &payment).await?;
                Ok(true)
            }
            Err(BillingError::Payment(refused)) if is_final(&refused) => {
                let why = Problem::from(refused).detail;
                let (room, of) = (self.clone(), id.clone());
                let write = async move |tx: &mut Tx| refused_at_once(tx, now, &room, &of, &why).await;
                self.store.write(write).await?;
                Ok(true)
            }
            Err(error) => Err(error),
        }
    }

    /// Asks the gateway. When it does not answer, the worker of the payments goes on.
    pub(crate) async fn submit(&self, id: &InvoiceId, payment: &Payment) -> Result<Payment, BillingError> {
        let asked = match self.payments.submit(payment).await {
            Ok(asked) => asked,
            Err(error) => {
                tracing::warn!(payment = %payment.id, %error, "an invoice's payment goes on later");
                return Ok(payment.clone());
            }
        };
        if asked.state.is_open() && asked.next_action.is_some() {
            let (room, of, attempt, now) = (self.clone(), id.clone(), asked.id.clone(), self.clock.now());
            let write = async move |tx: &mut Tx| {
                let invoice = lock_invoice(tx, &of).await?;
                if invoice.state != Standing::Open || invoice.attempt.as_ref() != Some(&attempt) {
                    return Ok(());
                }
                waits(tx, now, &room.settings, &invoice).await
            };
            self.store.write(write).await?;
        }
        Ok(asked)
    }
}

/// Whether this way to pay can be said to have failed: trying the very same at once would not help.
const fn is_final(error: &PaymentError) -> bool {
    matches!(
        error,
        PaymentError::WalletTooLow { .. }
            | PaymentError::NotFound(_)
            | PaymentError::NoGateway
            | PaymentError::Gateway(_)
            | PaymentError::Invalid(_)
    )
}

/// Writes the attempt down. `None`: there is nothing to ask a gateway for, or it is done.
async fn begin(
    tx: &mut Tx,
    now: Timestamp,
    room: &Billing,
    id: &InvoiceId,
) -> Result<Option<Payment>, BillingError> {
    let invoice = lock_invoice(tx, id).await?;
    let is_due = invoice.next_attempt_at.is_some_and(|at| at <= now);
    if invoice.state != Standing::Open || !is_due {
        return Ok(None);
    }
    let Some(sub) = invoice.subscription.clone() else { return Ok(None) };
    let sub = lock(tx, &sub).await?;
    if !is_free(tx, now, room, &invoice).await? {
        return Ok(None);
    }
    let invoice = lock_invoice(tx, id).await?;
    if is_unpaid_change(&invoice, &sub) {
        close(tx, now, &invoice, Standing::Void).await?;
        return Ok(None);
    }
    if invoice.attempts > 0 && invoice.created_at.after(room.settings.grace()) <= now {
        match sub.state.is_live() {
            true => give_up(tx, now, &sub).await?,
            false => close(tx, now, &invoice, Standing::Uncollectible).await?,
        }
        return Ok(None);
    }
    let attempts = invoice.attempts + 1;
    let tried = Invoice { attempts, next_attempt_at: Some(now.after(LOOK_AGAIN)), ..invoice.clone() };
    let tried = change_invoice(tx, now, &invoice, tried).await?;
    let Some(source) = source(tx, &sub).await? else {
        let why = "There is no saved card to charge.";
        attempt_failed(tx, now, &room.settings, &tried, why).await?;
        return Ok(None);
    };
    let payment = room.payments.begin(tx, now, &payment_of(&tried, source, Some(attempts))).await?;
    if !payment.state.is_open() {
        return Ok(None);
    }
    let with = Invoice { attempt: Some(payment.id.clone()), failure: String::new(), ..tried.clone() };
    change_invoice(tx, now, &tried, with).await?;
    Ok(Some(payment))
}

/// Whether another attempt may begin. One that waits for the buyer is told of once, and then called off.
async fn is_free(
    tx: &mut Tx,
    now: Timestamp,
    room: &Billing,
    invoice: &Invoice,
) -> Result<bool, BillingError> {
    let all = Payments::of_subject(tx, invoice.id.as_str()).await?;
    let is_waiting = |payment: &Payment| payment.state.is_open() && payment.next_action.is_some();
    let is_under_way = |payment: &Payment| {
        payment.state == payments::State::Authorised || payment.state.is_open() && !is_waiting(payment)
    };
    if all.iter().any(|payment| is_under_way(payment) && !payment.is_given_back()) {
        let later = Invoice { next_attempt_at: Some(now.after(LOOK_AGAIN)), ..invoice.clone() };
        change_invoice(tx, now, invoice, later).await?;
        return Ok(false);
    }
    let ours = all.iter().find(|payment| Some(&payment.id) == invoice.attempt.as_ref());
    if ours.is_some_and(is_waiting) && invoice.failure.is_empty() {
        waits(tx, now, &room.settings, invoice).await?;
        return Ok(false);
    }
    if all.iter().any(is_waiting) {
        payments::call_off(tx, now, invoice.id.as_str()).await?;
    }
    if invoice.attempt.is_some() {
        change_invoice(tx, now, invoice, Invoice { attempt: None, ..invoice.clone() }).await?;
    }
    Ok(true)
}

/// Whether it is for a plan that the subscription does not have: that is tried once.
fn is_unpaid_change(invoice: &Invoice, sub: &Subscription) -> bool {
    let is_other = invoice.to.as_ref().is_some_and(|plan| plan.offer != sub.plan.offer);
    invoice.kind == Kind::Change && is_other
}

/// What pays: as the buyer chose, else the saved card that is charged where nothing is said.
pub(crate) async fn source(tx: &mut Tx, sub: &Subscription) -> Result<Option<Source>, BillingError> {
    if sub.pay_by == PayBy::Wallet {
        return Ok(Some(Source::Wallet));
    }
    let methods = Payments::methods_of(tx, &sub.buyer).await?;
    let chosen = methods.iter().find(|method| sub.pay_by == PayBy::Method(method.id.clone()));
    let chosen = chosen.or_else(|| methods.iter().find(|method| method.is_default));
    Ok(chosen.map(|method| Source::Method(method.id.clone())))
}

/// The payment of an invoice. An attempt of ours is named by its number, so that it is begun once.
pub(crate) fn payment_of(invoice: &Invoice, source: Source, attempt: Option<u32>) -> NewPayment {
    NewPayment {
        purpose: PURPOSE,
        subject: invoice.id.to_string(),
        payer: invoice.buyer.clone(),
        amount: invoice.total(),
        source,
        key: attempt.map(|attempt| format!("{}/{attempt}", invoice.id)),
        description: invoice.title.clone(),
    }
}

/// The way to pay was refused before a gateway was asked.
async fn refused_at_once(
    tx: &mut Tx,
    now: Timestamp,
    room: &Billing,
    id: &InvoiceId,
    why: &str,
) -> Result<(), BillingError> {
    let invoice = lock_invoice(tx, id).await?;
    if invoice.state != Standing::Open || invoice.next_attempt_at.is_none_or(|at| at > now) {
        return Ok(());
    }
    let tried = Invoice { attempts: invoice.attempts + 1, ..invoice.clone() };
    let tried = change_invoice(tx, now, &invoice, tried).await?;
    attempt_failed(tx, now, &room.settings, &tried, why).await
}

/// An attempt came to nothing: it is tried again by the schedule, the buyer hears of it, and the grace begins.
pub(crate) async fn attempt_failed(
    tx: &mut Tx,
    now: Timestamp,
    settings: &Settings,
    invoice: &Invoice,
    why: &str,
) -> Result<(), BillingError> {
    let Some(sub) = &invoice.subscription else { return Ok(()) };
    let sub = lock(tx, sub).await?;
    if is_unpaid_change(invoice, &sub) {
        return close(tx, now, invoice, Standing::Void).await;
    }
    let next = settings.next_attempt(invoice.created_at, invoice.attempts).max(now);
    let after =
        Invoice { attempt: None, next_attempt_at: Some(next), failure: why.to_owned(), ..invoice.clone() };
    let after = change_invoice(tx, now, invoice, after).await?;
    let sub = past_due(tx, now, settings, &sub, invoice).await?;
    mails::not_paid(tx, now, &sub, &after, settings).await
}

/// The buyer has to confirm at the bank: that is told, and the attempt stays open until the next one.
async fn waits(
    tx: &mut Tx,
    now: Timestamp,
    settings: &Settings,
    invoice: &Invoice,
) -> Result<(), BillingError> {
    let Some(sub) = &invoice.subscription else { return Ok(()) };
    let sub = lock(tx, sub).await?;
    let failure = "Your bank wants you to confirm the payment.".to_owned();
    let next = settings.next_attempt(invoice.created_at, invoice.attempts).max(now);
    let after = Invoice { next_attempt_at: Some(next), failure, ..invoice.clone() };
    let after = change_invoice(tx, now, invoice, after).await?;
    let sub = match invoice.kind {
        Kind::Period => past_due(tx, now, settings, &sub, invoice).await?,
        _ => sub,
    };
    mails::confirm(tx, now, &sub, &after).await
}

async fn past_due(
    tx: &mut Tx,
    now: Timestamp,
    settings: &Settings,
    sub: &Subscription,
    invoice: &Invoice,
) -> Result<Subscription, BillingError> {
    if !sub.state.may_become(State::PastDue) {
        return Ok(sub.clone());
    }
    let grace_ends_at = Some(invoice.created_at.after(settings.grace()).max(now));
    let after = Subscription { state: State::PastDue, grace_ends_at, ..sub.clone() };
    let after = change(tx, now, sub, after).await?;
    ::events::append(tx, now, &SubscriptionPastDue { about: About::of(&after) }).await?;
    Ok(after)
}
