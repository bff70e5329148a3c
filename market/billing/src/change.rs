//! Another plan: at once, with the unused part of the old one credited, or from the next period on.

use std::time::Duration;

use catalog::{ListingState, OfferId, OfferState, Period, Pricing, Stock, listing};
use identity::audit::{self, Outcome};
use identity::{Action, Caller, Subject};
use kernel::{Money, Timestamp};
use orders::entitlement;
use orders::price::{self, Funded};
use payments::{Payment, Payments};
use serde::Serialize;
use store::Tx;
use web::Expected;
use web::idempotency::{self, Request};

use crate::cancel::{When, may_change};
use crate::charge::{LOOK_AGAIN, payment_of, source};
use crate::error::BillingError;
use crate::events::{About, InvoiceCreated, SubscriptionUpdated};
use crate::invoice::{Invoice, InvoiceId, InvoiceLine, Kind, Standing};
use crate::look::Side;
use crate::proration::{self, Change};
use crate::renew::{draft, free_place};
use crate::room::{Billing, Rates};
use crate::subscription::{Plan, State, Subscription, SubscriptionId};
use crate::write::{change, change_invoice, insert_invoice, lock, lock_invoice};

/// A wish for another plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangePlan {
    /// The offer: of the same listing.
    pub offer: OfferId,
    /// When. `None`: at once where it costs more, at the end of the period where it costs less.
    pub when: Option<When>,
}

/// What became of the wish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// The subscription as it is now.
    pub subscription: Subscription,
    /// The invoice of the difference, where there was one.
    pub invoice: Option<Invoice>,
    /// The page on which the buyer confirms the payment, where the bank wants that.
    pub next_page: Option<String>,
}

/// What stands under the Idempotency-Key.
#[derive(Serialize, serde::Deserialize)]
struct Kept {
    invoice: Option<InvoiceId>,
}

impl Billing {
    /// Changes the plan. What the new one costs more until the end of the period is charged first; when that fails the
    /// plan stays.
    ///
    /// # Errors
    /// [`BillingError::NotFound`] for everybody but the buyer and operators; [`BillingError::Plan`];
    /// [`BillingError::NotPaid`]; [`BillingError::InFlight`]; [`BillingError::Stale`]; [`BillingError::WrongState`].
    pub async fn change_plan(
        &self,
        by: &Caller,
        id: &SubscriptionId,
        wish: ChangePlan,
        expected: Expected,
        request: Request,
    ) -> Result<Changed, BillingError> {
        let rates = self.rates(&self.find(by, id).await?.0, by.now()).await?;
        let (room, by, of, now) = (self.clone(), by.clone(), id.clone(), by.now());
        let write = async move |tx: &mut Tx| {
            let mut begun = None;
            let effect = async |tx: &mut Tx| {
                let (invoice, payment) = decide(tx, now, &room, &rates, &by, &of, &wish, &expected).await?;
                begun = payment;
                Ok::<_, BillingError>(Kept { invoice })
            };
            let stored = idempotency::once(tx, &request, now, 200, effect).await?;
            let kept: Kept = serde_json::from_slice(&stored.body)
                .map_err(|error| store::StoreError::Database(error.to_string()))?;
            Ok::<_, BillingError>((kept.invoice, begun))
        };
        let (invoice, begun) = self.store.write(write).await?;
        let mut next_page = None;
        if let (Some(invoice), Some(payment)) = (&invoice, begun.filter(|payment| payment.state.is_open())) {
            let asked = self.submit(invoice, &payment).await?;
            if let (payments::State::Failed, Some(reason)) = (asked.state, &asked.failure) {
                return Err(BillingError::NotPaid(reason.message.clone()));
            }
            next_page = Payments::next_page(&asked);
        }
        self.changed(id, invoice, next_page).await
    }

    async fn changed(
        &self,
        id: &SubscriptionId,
        invoice: Option<InvoiceId>,
        next_page: Option<String>,
    ) -> Result<Changed, BillingError> {
        let id = id.clone();
        let read = async move |tx: &mut Tx| {
            let subscription = lock(tx, &id).await?;
            let invoice = match &invoice {
                Some(invoice) => Some(lock_invoice(tx, invoice).await?),
                None => None,
            };
            Ok::<_, BillingError>(Changed { subscription, invoice, next_page: next_page.clone() })
        };
        self.store.write(read).await
    }
}

#[allow(clippy::too_many_arguments)]
async fn decide(
    tx: &mut Tx,
    now: Timestamp,
    room: &Billing,
    rates: &Rates,
    by: &Caller,
    id: &SubscriptionId,
    wish: &ChangePlan,
    expected: &Expected,
) -> Result<(Option<InvoiceId>, Option<Payment>), BillingError> {
    let sub = lock(tx, id).await?;
    if may_change(by, &sub)? == Side::Seller {
        by.may(Action::OperateMarket, &Subject::Market)?;
    }
    expected.check(sub.version)?;
    match sub.state {
        State::Trialing | State::Active => {}
        State::PastDue => return Err(BillingError::Plan("Pay what is open first.")),
        state => return Err(BillingError::WrongState(state)),
    }
    let details = serde_json::json!({ "offer": wish.offer, "when": wish.when });
    audit::record(tx, by, "subscription.plan_changed", id.as_str(), Outcome::Done, &details).await?;
    if wish.offer == sub.plan.offer && sub.next.is_some() {
        from_next_period(tx, now, &sub, None).await?;
        return Ok((None, None));
    }
    let plan = plan(tx, &sub, &wish.offer).await?;
    let default = if is_more(&plan, &sub.plan) { When::Now } else { When::PeriodEnd };
    if wish.when.unwrap_or(default) == When::PeriodEnd {
        from_next_period(tx, now, &sub, Some(plan)).await?;
        return Ok((None, None));
    }
    let grace = room.settings.grace();
    if sub.state == State::Trialing {
        apply(tx, now, &grace, &sub, &plan, 0).await?;
        return Ok((None, None));
    }
    let cost = prorate(tx, now, &sub, &plan).await?;
    if cost.to_pay() == 0 {
        apply(tx, now, &grace, &sub, &plan, cost.left()).await?;
        return Ok((None, None));
    }
    let (invoice, payment) = charge_difference(tx, now, room, rates, &sub, plan, cost).await?;
    Ok((Some(invoice), Some(payment)))
}

async fn from_next_period(
    tx: &mut Tx,
    now: Timestamp,
    sub: &Subscription,
    next: Option<Plan>,
) -> Result<(), BillingError> {
    let after = change(tx, now, sub, Subscription { next, ..sub.clone() }).await?;
    ::events::append(tx, now, &SubscriptionUpdated { about: About::of(&after) }).await?;
    Ok(())
}

/// The plan that an offer is, if this subscription may have it.
async fn plan(tx: &mut Tx, sub: &Subscription, offer: &OfferId) -> Result<Plan, BillingError> {
    if *offer == sub.plan.offer {
        return Err(BillingError::Plan("This is the plan that you have."));
    }
    let offer = listing::find_offer(tx, offer).await?;
    let of = listing::find(tx, &offer.listing).await?;
    if offer.listing != sub.listing || sub.meter.is_some() {
        return Err(BillingError::Plan("This is no plan for what you subscribed to."));
    }
    let Pricing::Subscription { period, .. } = offer.pricing else {
        return Err(BillingError::Plan("This is no plan for what you subscribed to."));
    };
    if offer.state != OfferState::Active || of.state != ListingState::Published {
        return Err(BillingError::Plan("This plan is not on sale any more."));
    }
    if offer.price.currency != sub.currency {
        return Err(BillingError::Plan("This plan is paid in another currency."));
    }
    if offer.stock != Stock::Unlimited {
        return Err(BillingError::Plan("This plan is limited in number, and has to be ordered."));
    }
    Ok(Plan { offer: offer.id, name: offer.name, unit_price_minor: offer.price.minor, period })
}

/// Whether a plan costs more in a year than the other.
fn is_more(plan: &Plan, other: &Plan) -> bool {
    let yearly = |plan: &Plan| {
        let times = if plan.period == Period::Month { 12 } else { 1 };
        i128::from(plan.unit_price_minor) * times
    };
    yearly(plan) > yearly(other)
}

/// What the change costs now: by what the present period cost, which is less than its price where a code took off.
async fn prorate(
    tx: &mut Tx,
    now: Timestamp,
    sub: &Subscription,
    plan: &Plan,
) -> Result<Change, BillingError> {
    let mut paid = sub.price_of(&sub.plan)?.minor;
    if sub.number == 1
        && let Some(placed) = orders::find_placed(tx, &sub.order).await?
        && let Some(line) = placed.lines.iter().find(|line| line.number == sub.line)
        && line.offer == sub.plan.offer
        && line.amounts.subtotal > 0
    {
        paid = line.amounts.subtotal - line.amounts.discount - line.amounts.promotion;
    }
    let price = sub.price_of(plan)?.minor;
    let begins_anew = plan.period != sub.plan.period;
    Ok(proration::change(paid, price, sub.span.unused(now), sub.span.micros(), begins_anew))
}

async fn charge_difference(
    tx: &mut Tx,
    now: Timestamp,
    room: &Billing,
    rates: &Rates,
    sub: &Subscription,
    plan: Plan,
    cost: Change,
) -> Result<(InvoiceId, Payment), BillingError> {
    let subtotal = Money::new(cost.to_pay(), sub.currency);
    let amounts = price::amounts(subtotal, 0, Funded::BySeller, rates.fee, rates.tax())?;
    let lines = [
        InvoiceLine::new(1, format!("{}, {}", sub.title, plan.name), 1, cost.charge, cost.charge),
        InvoiceLine::new(2, format!("Unused: {}", sub.plan.name), 1, -cost.credit, -cost.credit),
    ];
    let Some(source) = source(tx, sub).await? else {
        return Err(BillingError::NotPaid("There is no saved card to charge.".to_owned()));
    };
    let invoice = Invoice {
        period: Some(sub.number),
        span: Some(crate::period::Span {
            start: now,
            end: sub.span.end.max(now.after(Duration::from_secs(1))),
        }),
        next_attempt_at: Some(now.after(LOOK_AGAIN)),
        to: Some(plan),
        ..draft(sub, rates, Kind::Change, amounts, now)
    };
    if !insert_invoice(tx, &invoice, &lines).await? {
        return Err(BillingError::InFlight);
    }
    ::events::append(tx, now, &InvoiceCreated::of(&invoice)).await?;
    let payment = room.payments.begin(tx, now, &payment_of(&invoice, source, Some(1))).await?;
    let invoice = lock_invoice(tx, &invoice.id).await?;
    if invoice.state == Standing::Open {
        let with = Invoice { attempt: Some(payment.id.clone()), attempts: 1, ..invoice.clone() };
        change_invoice(tx, now, &invoice, with).await?;
    }
    Ok((invoice.id, payment))
}

/// The subscription has the plan. One that is paid by another period begins a period of its own.
pub(crate) async fn apply(
    tx: &mut Tx,
    now: Timestamp,
    grace: &Duration,
    sub: &Subscription,
    plan: &Plan,
    credit: i64,
) -> Result<Subscription, BillingError> {
    let begins_anew = plan.period != sub.plan.period && sub.state != State::Trialing;
    let credit_minor = sub.credit_minor + credit;
    let mut after = Subscription { plan: plan.clone(), next: None, credit_minor, ..sub.clone() };
    if begins_anew {
        after.number += 1;
        (after.anchor, after.anchor_period) = (now, after.number);
        after.span = after.span_of(after.number);
        after.renews_at = Some(after.span.end);
    }
    free_place(tx, sub, plan).await?;
    let after = change(tx, now, sub, after).await?;
    if begins_anew {
        let until = if after.cancel_at_end { after.span.end } else { after.span.end.after(*grace) };
        entitlement::prolong(tx, now, after.order.as_str(), after.line, Some(until)).await?;
    }
    ::events::append(tx, now, &SubscriptionUpdated { about: About::of(&after) }).await?;
    Ok(after)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn plans_are_compared_by_the_year() {
        let plan = |unit_price_minor, period| Plan {
            offer: "offer-a".parse().unwrap(),
            name: String::new(),
            unit_price_minor,
            period,
        };
        let (monthly, yearly) = (plan(1_900, Period::Month), plan(19_000, Period::Year));
        assert!(is_more(&monthly, &yearly) && !is_more(&yearly, &monthly));
        assert!(!is_more(&monthly, &monthly));
    }
}
