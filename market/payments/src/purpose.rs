//! What is paid for: the rooms above say what a payment's transitions mean to them.

use std::collections::HashMap;

use futures_util::future::LocalBoxFuture;
use identity::{AccountId, Caller};
use kernel::{Money, Timestamp};
use store::Tx;

use crate::dispute::Dispute;
use crate::error::PaymentError;
use crate::payment::{Payment, Reason};
use crate::refund::Refund;

/// What becomes of money that the bank has reserved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Take it: what was paid for is delivered in this very transaction.
    Capture,
    /// Give it back: what was to be paid for is gone. The reason is shown to the buyer.
    GiveBack(Reason),
}

/// The answer of a [`Purpose`]: a future that awaits nothing but its transaction.
pub type Told<'a, T = ()> = LocalBoxFuture<'a, Result<T, PaymentError>>;

/// What is to be paid for a subject, and by whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// Whose money; that the caller may spend it was checked.
    pub payer: AccountId,
    /// How much.
    pub amount: Money,
    /// What statements and lists call it.
    pub description: String,
}

/// What is paid for. Implemented by orders (`order`), wallet (`top-up`), billing (`invoice`).
///
/// Each method is called in the transaction of the transition it tells of, exactly once per transition: what it
/// writes and the transition are durable together. An error undoes both, and the transition is tried again later.
/// `payment` is as it is after the transition.
pub trait Purpose: Send + Sync + 'static {
    /// The name that payments carry: [`NewPayment::purpose`](crate::NewPayment).
    fn name(&self) -> &'static str;

    /// Whether all that its methods decide is decided by the rows they change, so that many payments at once need not lose
    /// races against each other: see [`store::Store::write_row_by_row`].
    fn goes_row_by_row(&self) -> bool {
        false
    }

    /// What the caller has to pay for this subject now, for who pays by an intent (`POST /api/payments/intents`).
    /// Checks that the caller may. A purpose that takes no intents says that there is no such thing.
    fn due<'a>(&'a self, tx: &'a mut Tx, by: &'a Caller, subject: &'a str) -> Told<'a, Due> {
        let _ = (tx, by, subject);
        Box::pin(std::future::ready(Err(PaymentError::NotFound("thing to pay for"))))
    }

    /// The page of what is paid for, where a buyer goes on after paying.
    fn page(&self, subject: &str) -> Option<String> {
        let _ = subject;
        None
    }

    /// What people call the things of these subjects, by subject: for lists and histories. Those that are left out are
    /// called by their [`Payment::description`].
    fn names<'a>(&'a self, tx: &'a mut Tx, subjects: &'a [String]) -> Told<'a, HashMap<String, String>> {
        let _ = (tx, subjects);
        Box::pin(std::future::ready(Ok(HashMap::new())))
    }

    /// The bank reserved the money: deliver and say [`Verdict::Capture`], or give it back. It may come late, after
    /// [`Purpose::failed`] or [`Purpose::cancelled`].
    fn authorised<'a>(&'a self, tx: &'a mut Tx, now: Timestamp, payment: &'a Payment) -> Told<'a, Verdict>;

    /// The money is ours: post it to the ledger, debiting [`Payment::funds`].
    fn captured<'a>(&'a self, tx: &'a mut Tx, now: Timestamp, payment: &'a Payment) -> Told<'a>;

    /// Nothing was taken, see [`Payment::failure`]. After [`Purpose::authorised`] said capture it means that the
    /// bank let the reservation lapse: take back what was delivered.
    fn failed<'a>(&'a self, tx: &'a mut Tx, now: Timestamp, payment: &'a Payment) -> Told<'a>;

    /// It was called off, by [`Payments::cancel_live`](crate::Payments::cancel_live) or after
    /// [`Verdict::GiveBack`]. Mostly nothing is left to do.
    fn cancelled<'a>(&'a self, tx: &'a mut Tx, now: Timestamp, payment: &'a Payment) -> Told<'a> {
        let _ = (tx, now, payment);
        done()
    }

    /// A refund is to be asked for: reserve its legs in the ledger (`ledger::reserve`).
    fn refund_reserved<'a>(
        &'a self,
        tx: &'a mut Tx,
        now: Timestamp,
        payment: &'a Payment,
        refund: &'a Refund,
    ) -> Told<'a>;

    /// The refund was paid out: settle the reserved legs (`ledger::settle`).
    fn refund_settled<'a>(
        &'a self,
        tx: &'a mut Tx,
        now: Timestamp,
        payment: &'a Payment,
        refund: &'a Refund,
    ) -> Told<'a>;

    /// The gateway refused the refund: void the reserved legs (`ledger::void`).
    fn refund_failed<'a>(
        &'a self,
        tx: &'a mut Tx,
        now: Timestamp,
        payment: &'a Payment,
        refund: &'a Refund,
    ) -> Told<'a>;

    /// The buyer's bank disputes the payment, or decided: see [`Dispute::state`].
    fn disputed<'a>(
        &'a self,
        tx: &'a mut Tx,
        now: Timestamp,
        payment: &'a Payment,
        dispute: &'a Dispute,
    ) -> Told<'a>;
}

/// Nothing is left to do.
#[must_use]
pub fn done<'a>() -> Told<'a> {
    Box::pin(std::future::ready(Ok(())))
}
