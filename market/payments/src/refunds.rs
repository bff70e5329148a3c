//! Refunds: reserve in the caller's transaction, ask the gateway outside of any, settle or give up in one.

use std::time::Duration;

use kernel::Timestamp;
use store::{Tx, args};

use crate::apply::pause;
use crate::error::PaymentError;
use crate::events::{RefundCreated, RefundFailed, RefundSettled};
use crate::gateway::{RefundAsk, RefundOutcome};
use crate::payment::{Payment, Reason, State, WALLET};
use crate::refund::{NewRefund, Refund, RefundId, RefundState};
use crate::submit::find;
use crate::{Payments, sql};

/// How long after its start nobody but its own request asks the gateway for a refund.
const PATIENCE: Duration = Duration::from_secs(30);

impl Payments {
    /// Reserves money to be given back, in the caller's transaction; the purpose reserves its legs in the ledger.
    /// Call [`Payments::submit_refund`] after the commit; the worker does it otherwise. The same key of the same
    /// payment gives the same refund, as it is now. What came from a wallet is back there at once.
    ///
    /// # Errors
    /// [`PaymentError::TooMuch`] when less than that is left of the capture, also under races;
    /// [`PaymentError::WrongState`] for a payment that took nothing; [`PaymentError::KeyReused`].
    pub async fn begin_refund(
        &self,
        tx: &mut Tx,
        now: Timestamp,
        new: &NewRefund,
    ) -> Result<Refund, PaymentError> {
        if let Some(known) = known(tx, new).await? {
            return Ok(known);
        }
        let refund = reserve(tx, now, new, false).await?;
        let payment = find(tx, &new.payment).await?;
        self.purpose(&payment.purpose)?.refund_reserved(tx, now, &payment, &refund).await?;
        ::events::append(tx, now, &RefundCreated::of(&payment, &refund)).await?;
        if payment.gateway == WALLET {
            let settled = RefundOutcome::Settled(String::new());
            return self.apply_refund(tx, now, &refund, &settled).await;
        }
        Ok(refund)
    }

    /// Asks the gateway for a refund that was reserved, and records what it says. Safe to repeat.
    ///
    /// # Errors
    /// [`PaymentError`] when the answer could not be recorded; the worker will then.
    pub async fn submit_refund(&self, id: &RefundId) -> Result<Refund, PaymentError> {
        let id = id.clone();
        let both = async move |tx: &mut Tx| {
            let refund: Option<Refund> = tx.first(&sql::FIND_REFUND, args![id]).await?;
            let refund = refund.ok_or(PaymentError::NotFound("refund"))?;
            let payment = find(tx, &refund.payment).await?;
            Ok::<_, PaymentError>((refund, payment))
        };
        let (refund, payment) = self.store.read(both).await?;
        self.ask_refund(&refund, &payment).await
    }

    pub(crate) async fn ask_refund(
        &self,
        refund: &Refund,
        payment: &Payment,
    ) -> Result<Refund, PaymentError> {
        if matches!(refund.state, RefundState::Settled | RefundState::Failed) {
            return Ok(refund.clone());
        }
        let gateway = self.gateway_of(payment)?;
        let outcome = gateway.refund(&RefundAsk::of(refund, payment, self.clock.now())).await;
        let (room, refund, now) = (self.clone(), refund.clone(), self.clock.now());
        self.store.write(async move |tx: &mut Tx| room.apply_refund(tx, now, &refund, &outcome).await).await
    }

    /// Makes an answer about a refund true.
    pub(crate) async fn apply_refund(
        &self,
        tx: &mut Tx,
        now: Timestamp,
        before: &Refund,
        outcome: &RefundOutcome,
    ) -> Result<Refund, PaymentError> {
        let mut after = before.clone();
        match outcome {
            RefundOutcome::Settled(reference) => {
                after.reference = Some(reference.clone()).filter(|text| !text.is_empty());
                if move_to(tx, now, before, &mut after, RefundState::Settled, None).await? {
                    self.settled(tx, now, &after).await?;
                    return Ok(after);
                }
            }
            RefundOutcome::Refused(reason) => {
                after.failure = Some(reason.clone());
                if before.is_given_back {
                    return self.cannot_give_back(tx, now, before, after, reason).await;
                }
                if move_to(tx, now, before, &mut after, RefundState::Failed, None).await? {
                    self.refused(tx, now, &after).await?;
                    return Ok(after);
                }
            }
            RefundOutcome::Pending(reference) => {
                put_off(tx, now, before, Some(reference)).await?;
                after.reference = Some(reference.clone());
                return Ok(after);
            }
            RefundOutcome::Unknown(note) => {
                tracing::warn!(refund = %before.id, note, "the gateway did not answer; it is asked again");
                if before.state == RefundState::Unknown {
                    put_off(tx, now, before, None).await?;
                    return Ok(after);
                }
                let due = Some(now.after(pause(0)));
                if move_to(tx, now, before, &mut after, RefundState::Unknown, due).await? {
                    return Ok(after);
                }
            }
        }
        Ok(tx.one(&sql::FIND_REFUND, args![before.id]).await?)
    }

    async fn settled(&self, tx: &mut Tx, now: Timestamp, refund: &Refund) -> Result<(), PaymentError> {
        let amount = refund.amount.minor;
        tx.execute(&sql::END_REFUNDING, args![refund.payment, amount, amount, now]).await?;
        let payment = find(tx, &refund.payment).await?;
        if refund.is_given_back {
            self.given_back(tx, now, &payment, refund).await?;
        } else {
            self.purpose(&payment.purpose)?.refund_settled(tx, now, &payment, refund).await?;
        }
        ::events::append(tx, now, &RefundSettled::of(&payment, refund)).await?;
        Ok(())
    }

    async fn refused(&self, tx: &mut Tx, now: Timestamp, refund: &Refund) -> Result<(), PaymentError> {
        tx.execute(&sql::END_REFUNDING, args![refund.payment, refund.amount.minor, 0, now]).await?;
        let payment = find(tx, &refund.payment).await?;
        self.purpose(&payment.purpose)?.refund_failed(tx, now, &payment, refund).await?;
        ::events::append(tx, now, &RefundFailed::of(&payment, refund)).await?;
        Ok(())
    }

    /// The market owes this money to the buyer and the gateway refuses to return it: it is tried for ever, and
    /// operators see it.
    async fn cannot_give_back(
        &self,
        tx: &mut Tx,
        now: Timestamp,
        before: &Refund,
        after: Refund,
        reason: &Reason,
    ) -> Result<Refund, PaymentError> {
        tracing::error!(refund = %before.id, code = reason.code, "late money cannot be given back");
        put_off(tx, now, before, None).await?;
        Ok(after)
    }
}

/// Reserves the amount in the payment, where the database keeps the sum below the capture, and writes the refund.
pub(crate) async fn reserve(
    tx: &mut Tx,
    now: Timestamp,
    new: &NewRefund,
    is_given_back: bool,
) -> Result<Refund, PaymentError> {
    if new.amount.minor <= 0 {
        return Err(PaymentError::NothingToPay);
    }
    let before = find(tx, &new.payment).await?;
    if before.state != State::Captured {
        return Err(PaymentError::WrongState(before.state));
    }
    let too_much = || PaymentError::TooMuch { left: before.refundable() };
    if new.amount.currency != before.amount.currency {
        return Err(too_much());
    }
    if tx.execute(&sql::RESERVE_REFUND, args![new.payment, new.amount.minor, now]).await? != 1 {
        return Err(too_much());
    }
    let refund = Refund {
        id: RefundId::fresh(),
        payment: new.payment.clone(),
        amount: new.amount,
        state: RefundState::Reserved,
        reason: new.reason.clone(),
        reference: None,
        failure: None,
        is_given_back,
        version: 1,
        created_at: now,
        updated_at: now,
        attempts: 0,
    };
    let due = if is_given_back { now } else { now.after(PATIENCE) };
    let currency = refund.amount.currency.code();
    let row = args![
        refund.id,
        refund.payment,
        refund.amount.minor,
        currency,
        refund.reason,
        is_given_back,
        new.key,
        due,
        now,
    ];
    tx.execute(&sql::INSERT_REFUND, row).await?;
    Ok(refund)
}

async fn known(tx: &mut Tx, new: &NewRefund) -> Result<Option<Refund>, PaymentError> {
    let Some(key) = &new.key else { return Ok(None) };
    let known: Option<Refund> = tx.first(&sql::FIND_REFUND_BY_KEY, args![new.payment, key]).await?;
    match known {
        Some(known) if known.amount != new.amount => Err(PaymentError::KeyReused),
        known => Ok(known),
    }
}

async fn move_to(
    tx: &mut Tx,
    now: Timestamp,
    before: &Refund,
    after: &mut Refund,
    next: RefundState,
    due: Option<Timestamp>,
) -> Result<bool, PaymentError> {
    if !before.state.may_become(next) {
        return Ok(false);
    }
    let (code, message) = after.failure.as_ref().map(|reason| (&reason.code, &reason.message)).unzip();
    let asked = i64::from(due.is_some());
    let row = args![
        before.id,
        before.state,
        before.version,
        next,
        after.reference,
        code,
        message,
        due,
        asked,
        now,
    ];
    let moved = tx.execute(&sql::MOVE_REFUND, row).await? == 1;
    (after.state, after.version, after.updated_at) = (next, before.version + 1, now);
    Ok(moved)
}

async fn put_off(
    tx: &mut Tx,
    now: Timestamp,
    before: &Refund,
    reference: Option<&str>,
) -> Result<(), PaymentError> {
    let due = now.after(pause(before.attempts));
    tx.execute(&sql::PUT_OFF_REFUND, args![before.id, before.version, due, reference]).await?;
    Ok(())
}
