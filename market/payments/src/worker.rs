//! The worker: captures what is reserved, in batches; asks again about what nobody knows; heals after a kill.
//!
//! Everything that is not done stands in the database with the time at which it is due, so the worker keeps nothing
//! that may not be lost. The queue in memory only makes the usual case quick.

use std::time::Duration;

use futures_util::future::join_all;
use kernel::Timestamp;
use store::{Tx, args};
use tokio::sync::mpsc;

use crate::apply::BUYER_PATIENCE;
use crate::dispute::{Dispute, DisputeId, DisputeState};
use crate::error::PaymentError;
use crate::events::PaymentDisputed;
use crate::gateway::{Answer, Ask, DisputeNews, Outcome};
use crate::payment::{NextAction, Payment, State, WALLET};
use crate::refund::Refund;
use crate::{Payments, sql};

/// How many payments are captured in one transaction.
const BATCH: usize = 64;
/// For how long what one process has taken is not taken by another.
const LEASE: Duration = Duration::from_secs(30);
/// The pause after the database refused.
const REST: Duration = Duration::from_secs(1);

impl Payments {
    /// Runs the worker until it is dropped; at any point of that, nothing is lost. Once per process: a second call
    /// only sweeps.
    pub async fn run(&self) {
        if !self.store.is_shared()
            && let Err(error) = self.make_all_due().await
        {
            tracing::error!(%error, "payments left over by the last run could not be taken up yet");
        }
        let waiting = self.shared.waiting.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        tokio::join!(self.capture_all(waiting), self.sweep_always());
    }

    /// After a start nothing is in anybody's hands: on a database that is ours alone, all of it is due at once.
    async fn make_all_due(&self) -> Result<(), PaymentError> {
        let now = self.clock.now();
        let make = async move |tx: &mut Tx| {
            tx.execute(&sql::MAKE_ALL_DUE, args![now]).await?;
            tx.execute(&sql::MAKE_ALL_REFUNDS_DUE, args![now]).await?;
            Ok::<_, PaymentError>(())
        };
        self.store.write(make).await
    }

    async fn capture_all(&self, waiting: Option<mpsc::Receiver<Payment>>) {
        let Some(mut waiting) = waiting else { return };
        let mut batch = Vec::with_capacity(BATCH);
        while waiting.recv_many(&mut batch, BATCH).await > 0 {
            self.go_on(std::mem::take(&mut batch)).await;
        }
    }

    async fn sweep_always(&self) {
        loop {
            if let Err(error) = self.sweep().await {
                tracing::warn!(%error, "payments that are due could not be looked at; trying again");
                tokio::time::sleep(REST).await;
            }
            tokio::select! {
                () = tokio::time::sleep(self.settings.sweep_every) => {}
                () = self.shared.due.notified() => {}
            }
        }
    }

    /// Looks at everything that is due now: payments, refunds, webhooks. Answers how much there was.
    ///
    /// # Errors
    /// [`PaymentError`] when the database failed; what is due stays due.
    pub async fn sweep(&self) -> Result<usize, PaymentError> {
        let mut done = 0;
        loop {
            let (now, lease) = (self.clock.now(), self.clock.now().after(LEASE));
            let claim = async move |tx: &mut Tx| {
                let payments: Vec<Payment> =
                    tx.all(&sql::CLAIM_DUE_PAYMENTS, args![now, lease, BATCH]).await?;
                let refunds: Vec<Refund> = tx.all(&sql::CLAIM_DUE_REFUNDS, args![now, lease, BATCH]).await?;
                Ok::<_, PaymentError>((payments, refunds))
            };
            let (payments, refunds) = self.store.write(claim).await?;
            let found = payments.len().max(refunds.len());
            done += payments.len() + refunds.len();
            self.go_on(payments).await;
            self.go_on_with_refunds(refunds).await;
            let notices = self.handle_due_notices(LEASE).await?;
            done += notices;
            if found.max(notices) < BATCH {
                return Ok(done);
            }
        }
    }

    /// Takes the next step of each payment: asks their gateways at once, then records all answers in one transaction.
    pub(crate) async fn go_on(&self, payments: Vec<Payment>) {
        if payments.is_empty() {
            return;
        }
        let steps = payments.into_iter().map(|payment| async move {
            let answer = self.step(&payment).await;
            (payment, answer)
        });
        let mut answers = join_all(steps).await;
        if let Err(error) = self.record_all(&answers).await {
            if answers.len() > 1 {
                tracing::debug!(%error, "a batch of payments was refused; each is tried alone");
                for one in answers.drain(..) {
                    self.record_one(one).await;
                }
            } else {
                self.record_one(answers.remove(0)).await;
            }
        }
    }

    async fn record_one(&self, answer: (Payment, Answer)) {
        let id = answer.0.id.clone();
        if let Err(error) = self.record_all(&[answer]).await {
            tracing::error!(payment = %id, %error, "what the gateway said could not be recorded; trying again");
        }
    }

    async fn record_all(&self, answers: &[(Payment, Answer)]) -> Result<(), PaymentError> {
        let row_by_row = self.go_row_by_row(answers.iter().map(|(payment, _)| payment));
        let (room, answers, now) = (self.clone(), answers.to_vec(), self.clock.now());
        let write = async move |tx: &mut Tx| {
            let mut after = Vec::with_capacity(answers.len());
            for (payment, answer) in &answers {
                after.push(room.apply(tx, now, payment, answer).await?);
            }
            Ok::<_, PaymentError>(after)
        };
        let recorded = match row_by_row {
            true => self.store.write_row_by_row(write).await?,
            false => self.store.write(write).await?,
        };
        for payment in recorded {
            self.hand_on_if_new(&payment);
        }
        Ok(())
    }

    /// What the sweep found reserved goes to the captures; what is to be given back is asked for at once.
    fn hand_on_if_new(&self, payment: &Payment) {
        let is_fresh = payment.state == State::Authorised && payment.attempts == 0;
        if is_fresh || (payment.state == State::Captured && payment.refunding_minor > 0) {
            self.hand_on(payment);
        }
    }

    /// What the gateway says to the next step of a payment.
    async fn step(&self, payment: &Payment) -> Answer {
        let gateway = match self.gateway_of(payment) {
            Ok(gateway) => gateway,
            Err(_) if payment.gateway == WALLET => return Outcome::Captured.into(),
            Err(_) => return Outcome::Unknown(format!("{} is not set up any more", payment.gateway)).into(),
        };
        let now = self.clock.now();
        let ask = Ask::of(payment, now);
        match payment.state {
            State::Authorised if payment.is_given_back() => gateway.cancel(&ask).await,
            State::Authorised => gateway.capture(&ask).await,
            State::Captured => self.look_for_disputes(payment).await,
            _ if payment.is_given_back() || is_abandoned(payment, now) => gateway.cancel(&ask).await,
            _ => gateway.look(&ask).await,
        }
    }

    async fn look_for_disputes(&self, payment: &Payment) -> Answer {
        if let Err(error) = self.check_dispute(payment).await {
            tracing::warn!(payment = %payment.id, %error, "its dispute could not be looked at; trying again");
        }
        Outcome::Captured.into()
    }

    async fn go_on_with_refunds(&self, refunds: Vec<Refund>) {
        let asks = refunds.into_iter().map(|refund| async move {
            let answer = match self.find(&refund.payment).await {
                Ok(payment) => self.ask_refund(&refund, &payment).await,
                Err(error) => Err(error),
            };
            if let Err(error) = answer {
                tracing::error!(refund = %refund.id, %error, "a refund could not be asked for; trying again");
            }
        });
        join_all(asks).await;
    }

    /// Asks whether a captured payment is disputed, and records it.
    pub(crate) async fn check_dispute(&self, payment: &Payment) -> Result<(), PaymentError> {
        let gateway = self.gateway_of(payment)?;
        let now = self.clock.now();
        let ask = Ask::of(payment, now);
        let news = gateway.dispute(&ask).await.map_err(|_| PaymentError::Unreachable)?;
        let due = gateway.look_again_at(&ask);
        let (room, payment) = (self.clone(), payment.clone());
        let write = async move |tx: &mut Tx| {
            if let Some(news) = &news {
                room.dispute(tx, now, &payment, news).await?;
            }
            tx.execute(&sql::SET_DUE, args![payment.id, due]).await?;
            Ok::<_, PaymentError>(())
        };
        self.store.write(write).await
    }

    /// Makes news of a dispute true: each of opened, won and lost once.
    async fn dispute(
        &self,
        tx: &mut Tx,
        now: Timestamp,
        payment: &Payment,
        news: &DisputeNews,
    ) -> Result<(), PaymentError> {
        let id = DisputeId::fresh();
        let (minor, currency) = (news.amount.minor, news.amount.currency.code());
        let row = args![id, payment.id, payment.gateway, news.reference, minor, currency, news.reason, now];
        let is_new = tx.execute(&sql::INSERT_DISPUTE, row).await? == 1;
        let mut dispute: Dispute = tx.one(&sql::FIND_DISPUTE, args![payment.gateway, news.reference]).await?;
        if is_new {
            self.tell_of(tx, now, payment, &dispute).await?;
        }
        let ends = news.state != DisputeState::Opened && dispute.state.may_become(news.state);
        if ends {
            let row = args![dispute.id, dispute.version, news.state, now];
            if tx.execute(&sql::MOVE_DISPUTE, row).await? == 1 {
                (dispute.state, dispute.version, dispute.updated_at) = (news.state, dispute.version + 1, now);
                self.tell_of(tx, now, payment, &dispute).await?;
            }
        }
        Ok(())
    }

    async fn tell_of(
        &self,
        tx: &mut Tx,
        now: Timestamp,
        payment: &Payment,
        dispute: &Dispute,
    ) -> Result<(), PaymentError> {
        self.purpose(&payment.purpose)?.disputed(tx, now, payment, dispute).await?;
        ::events::append(tx, now, &PaymentDisputed::of(payment, dispute)).await?;
        Ok(())
    }
}

/// Whether the buyer has left an open payment alone for too long.
fn is_abandoned(payment: &Payment, now: Timestamp) -> bool {
    let waits = matches!(
        payment.next_action,
        Some(NextAction::Browser { .. } | NextAction::Card | NextAction::Redirect { .. })
    );
    waits && now.since(payment.created_at) > BUYER_PATIENCE
}
