//! The one place where a gateway's answer becomes a transition, with its purpose and its event in one transaction.
//!
//! Every transition is a compare-and-set on the state and version for which the gateway was asked: an answer that
//! something else has overtaken changes nothing, and whoever needs to know asks again.

use std::time::Duration;

use kernel::Timestamp;
use store::{Tx, args};

use crate::error::PaymentError;
use crate::events::{ChargeCreated, PaymentCancelled, PaymentFailed, PaymentUnresolved};
use crate::gateway::{Answer, Ask, Outcome};
use crate::payment::{NextAction, Payment, Reason, State, Wish};
use crate::purpose::Verdict;
use crate::submit::find;
use crate::{Payments, sql};

/// How long the worker has for a capture before the sweep looks whether it was lost.
const CAPTURE_PATIENCE: Duration = Duration::from_secs(5);
/// The first pause before a gateway is asked again; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_secs(2);
/// The longest pause: from then on it is asked for as long as it takes.
const LONGEST_PAUSE: Duration = Duration::from_secs(3_600);
/// After so many vain questions (about two hours) operators are told. The questions go on.
const UNRESOLVED_AFTER: u32 = 12;
/// How long a buyer may take to confirm before the payment is called off, where nothing else ends it earlier.
pub(crate) const BUYER_PATIENCE: Duration = Duration::from_secs(24 * 3_600);

impl Payments {
    /// Makes an answer true. `before` is the payment for which the gateway was asked. Answers with it as it is now.
    pub(crate) async fn apply(
        &self,
        tx: &mut Tx,
        now: Timestamp,
        before: &Payment,
        answer: &Answer,
    ) -> Result<Payment, PaymentError> {
        let mut after = Payment {
            reference: answer.reference.clone().or_else(|| before.reference.clone()),
            method: answer.method.clone().or_else(|| before.method.clone()),
            ..before.clone()
        };
        match &answer.outcome {
            Outcome::Authorised => self.reserved(tx, now, before, after).await,
            Outcome::Captured => self.taken(tx, now, before, after).await,
            Outcome::Declined(reason) => self.failed(tx, now, before, after, reason.clone()).await,
            Outcome::NeverHappened => self.failed(tx, now, before, after, never_happened()).await,
            Outcome::Cancelled => self.called_off(tx, now, before, after).await,
            Outcome::NeedsBuyer(action) => {
                after.next_action = Some(without_secret(action));
                self.waits(tx, now, before, after).await
            }
            Outcome::Pending => self.waits(tx, now, before, after).await,
            Outcome::Unknown(note) => self.unknown(tx, now, before, after, note).await,
        }
    }

    /// The bank reserved the money; the purpose decides what becomes of it.
    async fn reserved(
        &self,
        tx: &mut Tx,
        now: Timestamp,
        before: &Payment,
        mut after: Payment,
    ) -> Result<Payment, PaymentError> {
        after.next_action = None;
        let was_called_off = before.state.is_open() && before.is_given_back();
        after.failure = if was_called_off { before.failure.clone().or_else(|| Some(gone())) } else { None };
        after.wish = if was_called_off { Wish::GiveBack } else { Wish::Capture };
        let due = Some(now.after(CAPTURE_PATIENCE));
        if !move_to(tx, now, before, &mut after, State::Authorised, due).await? {
            return find(tx, &before.id).await;
        }
        let gateway = self.gateway_of(before)?;
        for notice in gateway.notices(&Ask::of(before, now)) {
            crate::inbox::keep(tx, now, gateway.name(), &notice).await?;
        }
        // What was called off may be gone at the bank in the next moment: nothing may be delivered for it.
        if was_called_off {
            return Ok(after);
        }
        if let Verdict::GiveBack(reason) = self.purpose(&after.purpose)?.authorised(tx, now, &after).await? {
            tx.execute(&sql::SET_GIVE_BACK, args![after.id, reason.code, reason.message]).await?;
            after.wish = Wish::GiveBack;
            after.failure = Some(reason);
        }
        Ok(after)
    }

    /// The money was taken: by our capture, or by a bank that does not wait for one.
    async fn taken(
        &self,
        tx: &mut Tx,
        now: Timestamp,
        before: &Payment,
        mut after: Payment,
    ) -> Result<Payment, PaymentError> {
        let is_decided = before.state == State::Authorised;
        after.next_action = None;
        if !is_decided {
            (after.wish, after.failure) = (Wish::Capture, None);
        }
        let gateway = self.gateway_of(before)?;
        let due = gateway.look_again_at(&Ask::of(before, now));
        if !move_to(tx, now, before, &mut after, State::Captured, due).await? {
            return find(tx, &before.id).await;
        }
        let purpose = self.purpose(&after.purpose)?;
        if !is_decided && let Verdict::GiveBack(reason) = purpose.authorised(tx, now, &after).await? {
            tx.execute(&sql::SET_GIVE_BACK, args![after.id, reason.code, reason.message]).await?;
            after.wish = Wish::GiveBack;
            after.failure = Some(reason);
        }
        if after.is_given_back() {
            return self.give_back(tx, now, after).await;
        }
        purpose.captured(tx, now, &after).await?;
        ::events::append(tx, now, &ChargeCreated::of(&after)).await?;
        Ok(after)
    }

    async fn failed(
        &self,
        tx: &mut Tx,
        now: Timestamp,
        before: &Payment,
        mut after: Payment,
        reason: Reason,
    ) -> Result<Payment, PaymentError> {
        if before.state == State::Authorised && before.is_given_back() {
            return self.called_off(tx, now, before, after).await;
        }
        (after.failure, after.next_action) = (Some(reason), None);
        if !move_to(tx, now, before, &mut after, State::Failed, None).await? {
            return find(tx, &before.id).await;
        }
        self.purpose(&after.purpose)?.failed(tx, now, &after).await?;
        ::events::append(tx, now, &PaymentFailed::of(&after)).await?;
        Ok(after)
    }

    async fn called_off(
        &self,
        tx: &mut Tx,
        now: Timestamp,
        before: &Payment,
        mut after: Payment,
    ) -> Result<Payment, PaymentError> {
        // What was delivered for a reservation that the bank let go has to be taken back.
        if before.state == State::Authorised && !before.is_given_back() {
            return Box::pin(self.failed(tx, now, before, after, lapsed())).await;
        }
        after.next_action = None;
        if !move_to(tx, now, before, &mut after, State::Cancelled, None).await? {
            return find(tx, &before.id).await;
        }
        self.purpose(&after.purpose)?.cancelled(tx, now, &after).await?;
        ::events::append(tx, now, &PaymentCancelled::of(&after)).await?;
        Ok(after)
    }

    /// The buyer or the bank is at work.
    async fn waits(
        &self,
        tx: &mut Tx,
        now: Timestamp,
        before: &Payment,
        mut after: Payment,
    ) -> Result<Payment, PaymentError> {
        let is_news = before.state != State::Submitted || after.next_action != before.next_action;
        let due = now.after(pause(before.attempts));
        if is_news && before.state.is_open() {
            let next = if before.state == State::Submitted { None } else { Some(State::Submitted) };
            let moved = match next {
                Some(next) => move_to(tx, now, before, &mut after, next, Some(due)).await?,
                None => rewrite(tx, now, before, &mut after, Some(due)).await?,
            };
            return if moved { Ok(after) } else { find(tx, &before.id).await };
        }
        put_off(tx, before, &after, due, None).await?;
        Ok(before.clone())
    }

    /// Nobody knows. What is reserved stays so; what was asked for becomes `unknown`.
    async fn unknown(
        &self,
        tx: &mut Tx,
        now: Timestamp,
        before: &Payment,
        mut after: Payment,
        note: &str,
    ) -> Result<Payment, PaymentError> {
        if before.state == State::Submitted {
            let due = Some(now.after(FIRST_PAUSE));
            let moved = move_to(tx, now, before, &mut after, State::Unknown, due).await?;
            tracing::warn!(payment = %before.id, note, "the gateway did not answer; it is asked again");
            return if moved { Ok(after) } else { find(tx, &before.id).await };
        }
        if matches!(before.state, State::Created | State::Unknown | State::Authorised) {
            put_off(tx, before, &after, now.after(pause(before.attempts)), Some(note)).await?;
            if before.attempts == UNRESOLVED_AFTER {
                tracing::error!(payment = %before.id, note, "a payment is unresolved; see /operator/payments");
                ::events::append(tx, now, &PaymentUnresolved::of(before)).await?;
            }
        }
        Ok(before.clone())
    }
}

/// The transition itself. False when the table forbids it or somebody else was first: then nothing was written.
pub(crate) async fn move_to(
    tx: &mut Tx,
    now: Timestamp,
    before: &Payment,
    after: &mut Payment,
    next: State,
    due: Option<Timestamp>,
) -> Result<bool, PaymentError> {
    if !before.state.may_become(next) {
        return Ok(false);
    }
    after.state = next;
    rewrite(tx, now, before, after, due).await
}

async fn rewrite(
    tx: &mut Tx,
    now: Timestamp,
    before: &Payment,
    after: &mut Payment,
    due: Option<Timestamp>,
) -> Result<bool, PaymentError> {
    let captured = if after.state == State::Captured { after.amount.minor } else { 0 };
    let (brand, last4) = after.method.as_ref().map(|view| (&view.brand, &view.last4)).unzip();
    let (code, message) = after.failure.as_ref().map(|reason| (&reason.code, &reason.message)).unzip();
    let action = after.next_action.as_ref().map(serde_json::to_string).transpose();
    let action = action.map_err(|error| store::StoreError::Database(error.to_string()))?;
    let row = args![
        before.id,
        before.state,
        before.version,
        after.state,
        captured,
        after.wish,
        after.reference,
        brand,
        last4,
        code,
        message,
        action,
        due,
        now,
    ];
    let moved = tx.execute(&sql::MOVE_PAYMENT, row).await? == 1;
    after.version = before.version + 1;
    after.updated_at = now;
    after.attempts = 0;
    Ok(moved)
}

async fn put_off(
    tx: &mut Tx,
    before: &Payment,
    after: &Payment,
    due: Timestamp,
    note: Option<&str>,
) -> Result<(), PaymentError> {
    let note = note.map(|note| note.chars().take(300).collect::<String>());
    tx.execute(&sql::PUT_OFF_PAYMENT, args![before.id, before.version, due, note, after.reference]).await?;
    Ok(())
}

/// How long to wait after so many vain questions.
pub(crate) fn pause(attempts: u32) -> Duration {
    FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(attempts.min(16))).min(LONGEST_PAUSE)
}

fn without_secret(action: &NextAction) -> NextAction {
    match action {
        NextAction::Browser { .. } => NextAction::Browser { client_secret: None },
        other => other.clone(),
    }
}

fn never_happened() -> Reason {
    Reason::new(
        "never_reached",
        "The payment never reached the bank. You were not charged. You can try again.",
    )
}

fn lapsed() -> Reason {
    Reason::new("reservation_lapsed", "The bank let the reservation lapse. You were not charged.")
}

fn gone() -> Reason {
    Reason::new("called_off", "What was to be paid for is no longer reserved. You were not charged.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_an_hour() {
        let pauses: Vec<u64> = (0..4).map(|attempts| pause(attempts).as_secs()).collect();
        assert_eq!(pauses, [2, 4, 8, 16]);
        assert_eq!(pause(u32::MAX), LONGEST_PAUSE);
        let told: u64 = (0..UNRESOLVED_AFTER).map(|attempts| pause(attempts).as_secs()).sum();
        assert!(
            (3_600..3 * 3_600).contains(&told),
            "operators hear of it after about two hours, not {told} s"
        );
    }
}
