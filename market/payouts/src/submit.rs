//! Handing a payout to the gateway, and writing down what it says. A kill at any point leaves a payout that is due.

use kernel::Timestamp;
use payments::TransferOutcome;
use store::{Tx, args};

use crate::error::PayoutError;
use crate::events::{PayoutFailed, PayoutPaid};
use crate::payout::{Payout, PayoutId, State, pause};
use crate::room::Payouts;
use crate::sql;

/// The longest text of a gateway that is kept, in characters.
const MAX_WORDS: usize = 300;

impl Payouts {
    /// Asks the gateway, outside of any transaction, and writes the answer down in one. A payout that has ended is
    /// answered as it is. The payout's id is the gateway's idempotency key, so asking twice pays once.
    ///
    /// # Errors
    /// [`PayoutError::NotFound`], [`PayoutError::NoGateway`]; [`PayoutError::Changed`] when somebody else is asking.
    pub async fn submit(&self, id: &PayoutId) -> Result<Payout, PayoutError> {
        let payout = self.take(id).await?;
        if payout.state.has_ended() {
            return Ok(payout);
        }
        let gateway = self.payments.gateway(&payout.gateway).ok_or(PayoutError::NoGateway)?;
        let outcome = gateway.transfer(payout.id.as_str(), payout.amount, &payout.destination).await;
        self.settle(payout, outcome).await
    }

    /// Marks that the gateway is about to be asked; who was killed before the answer is followed by the worker.
    async fn take(&self, id: &PayoutId) -> Result<Payout, PayoutError> {
        let (id, now) = (id.clone(), self.clock.now());
        let write = async move |tx: &mut Tx| {
            let payout: Option<Payout> = tx.first(&sql::FIND_PAYOUT, args![id]).await?;
            let payout = payout.ok_or(PayoutError::NotFound)?;
            if payout.state.has_ended() {
                return Ok(payout);
            }
            let due = now.after(pause(payout.attempts));
            let row = args![id, payout.state, payout.version, due, now];
            let taken: Option<Payout> = tx.first(&sql::SUBMIT_PAYOUT, row).await?;
            taken.ok_or(PayoutError::Changed)
        };
        self.store.write(write).await
    }

    async fn settle(&self, payout: Payout, outcome: TransferOutcome) -> Result<Payout, PayoutError> {
        let now = self.clock.now();
        let write = async move |tx: &mut Tx| {
            let ended = record(tx, now, &payout, &outcome).await?;
            let journal = ended.id.as_str();
            match ended.state {
                State::Paid => {
                    ledger::settle(tx, now, journal).await?;
                    events::append(tx, now, &PayoutPaid::of(&ended)).await?;
                }
                State::Failed => {
                    ledger::void(tx, now, journal).await?;
                    events::append(tx, now, &PayoutFailed::of(&ended)).await?;
                }
                _ => {}
            }
            Ok::<_, PayoutError>(ended)
        };
        self.store.write(write).await
    }
}

/// The compare-and-set of what the gateway said.
async fn record(
    tx: &mut Tx,
    now: Timestamp,
    payout: &Payout,
    outcome: &TransferOutcome,
) -> Result<Payout, PayoutError> {
    let none: Option<String> = None;
    let (next, reference, code, words) = match outcome {
        TransferOutcome::Made(reference) => (State::Paid, Some(reference.clone()), none.clone(), none),
        TransferOutcome::Refused(reason) => {
            let words = reason.message.chars().take(MAX_WORDS).collect::<String>();
            (State::Failed, None, Some(reason.code.clone()), Some(words))
        }
        TransferOutcome::Unknown(words) => {
            tracing::warn!(payout = %payout.id, attempts = payout.attempts, %words, "a payout is unanswered");
            (State::Unknown, None, none.clone(), none)
        }
    };
    if !payout.state.may_become(next) {
        return Err(PayoutError::Changed);
    }
    let due = (!next.has_ended()).then(|| now.after(pause(payout.attempts)));
    let row = args![payout.id, payout.state, payout.version, next, reference, code, words, due, now];
    let moved: Option<Payout> = tx.first(&sql::MOVE_PAYOUT, row).await?;
    moved.ok_or(PayoutError::Changed)
}
