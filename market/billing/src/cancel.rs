//! Leaving: at the end of the period or at once, with or without the unused part.

use identity::audit::{self, Outcome};
use identity::orgs::OrgRole;
use identity::{Action, Caller, Subject};
use kernel::Timestamp;
use orders::entitlement;
use serde::{Deserialize, Serialize};
use store::{Tx, args};
use web::Expected;
use web::idempotency::{self, Request, Stored};

use crate::error::BillingError;
use crate::events::{About, InvoiceClosed, SubscriptionEnded, SubscriptionUpdated};
use crate::invoice::{Invoice, Kind, Standing};
use crate::look::Side;
use crate::manage::refund_unused;
use crate::period::Span;
use crate::renew::{bill_usage, prolong};
use crate::room::Billing;
use crate::subscription::{State, Subscription, SubscriptionId};
use crate::usage::AHEAD;
use crate::write::{change, change_invoice, lock};
use crate::{mails, refund, sql};

/// When a subscription is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// When what is paid for is over.
    #[default]
    PeriodEnd,
    /// Now.
    Now,
}

/// A wish to leave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cancel {
    /// When.
    pub when: When,
    /// Whether the unused part goes back; only the seller and operators say so. `None`: as the seller or the market is
    /// set.
    pub refund: Option<bool>,
}

impl Billing {
    /// Ends a subscription: its buyer, its seller or an operator. What `view` makes of it is stored under the request's
    /// Idempotency-Key.
    ///
    /// # Errors
    /// [`BillingError::NotFound`] for everybody else; [`BillingError::WrongState`] for one that is over;
    /// [`BillingError::Stale`]; [`BillingError::Identity`] for a buyer who decides over the refund.
    pub async fn cancel<V: Serialize>(
        &self,
        by: &Caller,
        id: &SubscriptionId,
        wish: Cancel,
        expected: Expected,
        request: Request,
        view: impl Fn(&Subscription) -> V + Send + 'static,
    ) -> Result<Stored, BillingError> {
        let rates = self.rates(&self.find(by, id).await?.0, by.now()).await?;
        let (room, by, id, now) = (self.clone(), by.clone(), id.clone(), by.now());
        let write = async move |tx: &mut Tx| {
            let effect = async |tx: &mut Tx| {
                let sub = lock(tx, &id).await?;
                let side = may_change(&by, &sub)?;
                if wish.refund.is_some() && side == Side::Buyer {
                    by.may(Action::OperateMarket, &Subject::Market)?;
                }
                if !sub.state.is_live() {
                    return Err(BillingError::WrongState(sub.state));
                }
                expected.check(sub.version)?;
                let details = serde_json::json!({ "when": wish.when, "refund": wish.refund });
                audit::record(tx, &by, "subscription.cancelled", id.as_str(), Outcome::Done, &details)
                    .await?;
                let after = match wish.when {
                    // An unpaid period is not waited for.
                    When::PeriodEnd if sub.state != State::PastDue => {
                        at_end(tx, now, &room, &sub, true).await?
                    }
                    _ => {
                        let refunds = refund_unused(tx, &room, &sub, wish.refund).await?;
                        at_once(tx, now, &room, &rates, &sub, refunds).await?
                    }
                };
                Ok::<_, BillingError>(view(&after))
            };
            idempotency::once(tx, &request, now, 200, effect).await
        };
        self.store.write(write).await
    }

    /// Lets a subscription go on that was to end with its period. Its buyer may.
    ///
    /// # Errors
    /// As [`Billing::cancel`].
    pub async fn resume(
        &self,
        by: &Caller,
        id: &SubscriptionId,
        expected: Expected,
    ) -> Result<Subscription, BillingError> {
        let (room, by, id, now) = (self.clone(), by.clone(), id.clone(), by.now());
        let write = async move |tx: &mut Tx| {
            let sub = lock(tx, &id).await?;
            if may_change(&by, &sub)? == Side::Seller {
                return Err(BillingError::NotFound("subscription"));
            }
            if !sub.state.is_live() {
                return Err(BillingError::WrongState(sub.state));
            }
            expected.check(sub.version)?;
            audit::record(
                tx,
                &by,
                "subscription.resumed",
                id.as_str(),
                Outcome::Done,
                &serde_json::json!({}),
            )
            .await?;
            at_end(tx, now, &room, &sub, false).await
        };
        self.store.write(write).await
    }

    /// Ends what was not paid when its grace is over.
    ///
    /// # Errors
    /// [`BillingError::Changed`] where another process was faster.
    pub(crate) async fn lapse(&self, id: &SubscriptionId) -> Result<bool, BillingError> {
        let (id, now) = (id.clone(), self.clock.now());
        let write = async move |tx: &mut Tx| {
            let sub = lock(tx, &id).await?;
            let is_over = sub.grace_ends_at.is_some_and(|at| at <= now);
            if sub.state != State::PastDue || !is_over {
                return Ok(false);
            }
            give_up(tx, now, &sub).await?;
            Ok::<_, BillingError>(true)
        };
        self.store.write(write).await
    }
}

/// As what the caller may change a subscription: whoever administers its buyer, ordered it, administers its seller, or
/// operates the market.
pub(crate) fn may_change(by: &Caller, sub: &Subscription) -> Result<Side, BillingError> {
    let actor = by.account()?;
    let placed = actor.user == sub.placed_by && actor.speaks_for(&sub.buyer, OrgRole::Member);
    if placed || actor.speaks_for(&sub.buyer, OrgRole::Admin) {
        by.may(Action::Buy, &Subject::Market)?;
        return Ok(Side::Buyer);
    }
    if actor.speaks_for(&sub.seller, OrgRole::Admin) {
        by.may(Action::Sell, &Subject::Market)?;
        return Ok(Side::Seller);
    }
    if by.may(Action::OperateMarket, &Subject::Market).is_ok() {
        return Ok(Side::Operator);
    }
    Err(BillingError::NotFound("subscription"))
}

async fn at_end(
    tx: &mut Tx,
    now: Timestamp,
    room: &Billing,
    sub: &Subscription,
    is_over: bool,
) -> Result<Subscription, BillingError> {
    if sub.cancel_at_end == is_over {
        return Ok(sub.clone());
    }
    let after = Subscription { cancel_at_end: is_over, ..sub.clone() };
    let after = change(tx, now, sub, after).await?;
    // What is still to be paid for is prolonged by its payment.
    let open: Vec<Invoice> = tx.all(&sql::LIST_OPEN, args![sub.id]).await?;
    if open.iter().all(|invoice| invoice.kind != Kind::Period) {
        prolong(tx, now, room, &after, after.span.end).await?;
    }
    ::events::append(tx, now, &SubscriptionUpdated { about: About::of(&after) }).await?;
    Ok(after)
}

async fn at_once(
    tx: &mut Tx,
    now: Timestamp,
    room: &Billing,
    rates: &crate::room::Rates,
    sub: &Subscription,
    refunds: bool,
) -> Result<Subscription, BillingError> {
    if sub.meter.is_some() {
        // What was used is owed, up to what clocks that are ahead may have told.
        let until = Span { start: sub.span.start, end: now.after(AHEAD * 2) };
        bill_usage(tx, now, room, rates, sub, until).await?;
    } else {
        close_open(tx, now, sub, &[Kind::Period, Kind::Change]).await?;
        if refunds {
            refund::unused(tx, now, room, sub).await?;
        }
    }
    let sub = lock(tx, &sub.id).await?;
    over(tx, now, &sub, State::Cancelled, "cancelled").await
}

/// It is over, and what it had of the stock is on sale again.
pub(crate) async fn over(
    tx: &mut Tx,
    now: Timestamp,
    sub: &Subscription,
    state: State,
    reason: &str,
) -> Result<Subscription, BillingError> {
    orders::restock(tx, &sub.order, &[sub.line]).await?;
    finish(tx, now, sub, state, reason).await
}

/// It is over: nobody is billed any more, and nobody may use it. Where an order was taken back, whoever did so said
/// what becomes of the stock.
pub(crate) async fn finish(
    tx: &mut Tx,
    now: Timestamp,
    sub: &Subscription,
    state: State,
    reason: &str,
) -> Result<Subscription, BillingError> {
    let after = Subscription {
        state,
        renews_at: None,
        cancel_at_end: false,
        next: None,
        grace_ends_at: None,
        end_reason: Some(reason.to_owned()),
        ended_at: Some(now),
        ..sub.clone()
    };
    let after = change(tx, now, sub, after).await?;
    entitlement::end(tx, now, sub.order.as_str(), &[sub.line]).await?;
    ::events::append(tx, now, &SubscriptionEnded { about: About::of(&after) }).await?;
    Ok(after)
}

/// Nobody tries any more: the subscription ends, and its open invoices are not collected.
pub(crate) async fn give_up(tx: &mut Tx, now: Timestamp, sub: &Subscription) -> Result<(), BillingError> {
    let open: Vec<Invoice> = tx.all(&sql::LIST_OPEN, args![sub.id]).await?;
    for invoice in open {
        close(tx, now, &invoice, Standing::Uncollectible).await?;
    }
    let ended = over(tx, now, sub, State::Ended, "not paid").await?;
    mails::ended(tx, now, &ended).await
}

/// The open invoices of these kinds are not to be paid any more.
pub(crate) async fn close_open(
    tx: &mut Tx,
    now: Timestamp,
    sub: &Subscription,
    kinds: &[Kind],
) -> Result<(), BillingError> {
    let open: Vec<Invoice> = tx.all(&sql::LIST_OPEN, args![sub.id]).await?;
    for invoice in open.iter().filter(|invoice| kinds.contains(&invoice.kind)) {
        close(tx, now, invoice, Standing::Void).await?;
    }
    Ok(())
}

/// An invoice is not to be paid any more; attempts that are under way are called off, and their money given back.
pub(crate) async fn close(
    tx: &mut Tx,
    now: Timestamp,
    invoice: &Invoice,
    state: Standing,
) -> Result<(), BillingError> {
    payments::call_off(tx, now, invoice.id.as_str()).await?;
    let after = Invoice { state, next_attempt_at: None, attempt: None, ..invoice.clone() };
    let after = change_invoice(tx, now, invoice, after).await?;
    ::events::append(tx, now, &InvoiceClosed::of(&after)).await?;
    Ok(())
}
