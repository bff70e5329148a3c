//! What the transitions of a payment mean to its order.

use std::collections::HashMap;
use std::sync::Arc;

use identity::{Action, Caller, Subject};
use kernel::Timestamp;
use payments::{Dispute, Due, Payment, PaymentError, Purpose, Reason, Refund, Told, Verdict};
use store::{Tx, args};

use crate::fulfil::{self, Fulfilled};
use crate::order::{Order, State};
use crate::pay::{may_pay, payable};
use crate::{OrderError, Shared, list, refund, settle, sql};

/// The name that payments of orders carry.
pub(crate) const PURPOSE: &str = "order";

pub(crate) struct ForOrders {
    shared: Arc<Shared>,
}

impl ForOrders {
    pub(crate) const fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }
}

impl Purpose for ForOrders {
    fn name(&self) -> &'static str {
        PURPOSE
    }

    /// Each transition of an order is a compare-and-set on its state, or on its version.
    fn goes_row_by_row(&self) -> bool {
        true
    }

    fn due<'a>(&'a self, tx: &'a mut Tx, by: &'a Caller, subject: &'a str) -> Told<'a, Due> {
        Box::pin(async move {
            let actor = by.may(Action::Buy, &Subject::Market)?;
            let order: Option<Order> = tx.first(&sql::FIND_ORDER, args![subject]).await?;
            let order = order.filter(|order| may_pay(actor, order)).ok_or(OrderError::NotFound("order"))?;
            payable(&order, by.now(), None)?;
            let description = format!("Order {}", order.id);
            Ok(Due { payer: order.buyer.clone(), amount: order.total(), description })
        })
    }

    fn page(&self, subject: &str) -> Option<String> {
        Some(format!("/checkout/{subject}"))
    }

    fn names<'a>(&'a self, tx: &'a mut Tx, subjects: &'a [String]) -> Told<'a, HashMap<String, String>> {
        Box::pin(async move { Ok(list::titles(tx, subjects).await.map_err(OrderError::from)?) })
    }

    fn authorised<'a>(&'a self, tx: &'a mut Tx, now: Timestamp, payment: &'a Payment) -> Told<'a, Verdict> {
        Box::pin(async move {
            Ok(match fulfil::by_payment(tx, now, &self.shared, payment).await? {
                Fulfilled::Delivered => Verdict::Capture,
                Fulfilled::Gone(why) => {
                    Verdict::GiveBack(Reason::new("order_gone", format!("{why} You get your money back.")))
                }
            })
        })
    }

    fn captured<'a>(&'a self, tx: &'a mut Tx, now: Timestamp, payment: &'a Payment) -> Told<'a> {
        Box::pin(async move { Ok(settle::captured(tx, now, payment).await?) })
    }

    fn failed<'a>(&'a self, tx: &'a mut Tx, now: Timestamp, payment: &'a Payment) -> Told<'a> {
        Box::pin(async move {
            // An order that waits can be paid in another way, until its deadline.
            if tx.execute(&sql::CLEAR_PAYMENT, args![payment.subject, payment.id]).await? == 1 {
                return Ok(());
            }
            let order: Option<Order> = tx.first(&sql::FIND_ORDER, args![payment.subject]).await?;
            match order {
                Some(order) if order.state == State::Paid && order.payment.as_ref() == Some(&payment.id) => {
                    Ok(fulfil::undo(tx, now, &self.shared, order).await?)
                }
                _ => Ok(()),
            }
        })
    }

    fn cancelled<'a>(&'a self, tx: &'a mut Tx, _: Timestamp, payment: &'a Payment) -> Told<'a> {
        Box::pin(async move {
            tx.execute(&sql::CLEAR_PAYMENT, args![payment.subject, payment.id]).await?;
            Ok(())
        })
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
        _: &'a Payment,
        refund: &'a Refund,
    ) -> Told<'a> {
        Box::pin(async move { Ok(refund::settled(tx, now, &self.shared, refund).await?) })
    }

    fn refund_failed<'a>(
        &'a self,
        tx: &'a mut Tx,
        now: Timestamp,
        _: &'a Payment,
        refund: &'a Refund,
    ) -> Told<'a> {
        Box::pin(async move { Ok(refund::failed(tx, now, refund).await?) })
    }

    fn disputed<'a>(
        &'a self,
        tx: &'a mut Tx,
        now: Timestamp,
        payment: &'a Payment,
        dispute: &'a Dispute,
    ) -> Told<'a> {
        Box::pin(async move {
            refund::disputed(tx, now, &self.shared, payment, dispute).await.map_err(PaymentError::from)
        })
    }
}
