//! From paid to delivered, in one transaction: the hold is consumed, the order is paid, the buyer is entitled, the room
//! of the goods delivers. All of it, or none.

use std::sync::Arc;

use catalog::{CatalogError, Want, stock};
use kernel::Timestamp;
use payments::{Payment, PaymentId};
use store::{Tx, args};

use crate::entitlement::{self, give_lines};
use crate::events::{OrderFailed, OrderPaid};
use crate::list::Placed;
use crate::order::{HoldId, Line, Order, OrderId, State, Step};
use crate::place::held;
use crate::{Goods, OrderError, Shared, restock, settle, sql};

/// What became of a payment's order.
pub(crate) enum Fulfilled {
    /// It is delivered; the money is to be taken.
    Delivered,
    /// What was to be paid for is gone, for this reason.
    Gone(&'static str),
}

/// The bank promised the money for an order.
pub(crate) async fn by_payment(
    tx: &mut Tx,
    now: Timestamp,
    shared: &Shared,
    payment: &Payment,
) -> Result<Fulfilled, OrderError> {
    let Ok(id) = payment.subject.parse::<OrderId>() else {
        return Ok(Fulfilled::Gone("There is no such order."));
    };
    let matures = now.after(shared.settings.maturity);
    let paid: Option<Order> = tx.first(&sql::PAY_ORDER, args![id, payment.id, now, matures]).await?;
    if let Some(order) = paid {
        let lines: Vec<Line> = tx.all(&sql::LIST_LINES, args![id]).await?;
        deliver(tx, now, shared, &order, &lines).await?;
        // Last, because who else buys of the same offer waits from here to the commit.
        stock::consume(tx, &held(&lines), order.id.as_str()).await?;
        return Ok(Fulfilled::Delivered);
    }
    late(tx, now, shared, &id, &payment.id).await
}

/// The money came after the end of the hold. What expired is claimed again, if all of it can still be had; what the
/// buyer gave up, and what was paid before, is not.
async fn late(
    tx: &mut Tx,
    now: Timestamp,
    shared: &Shared,
    id: &OrderId,
    payment: &PaymentId,
) -> Result<Fulfilled, OrderError> {
    let order: Option<Order> = tx.first(&sql::FIND_ORDER, args![id]).await?;
    let Some(order) = order else { return Ok(Fulfilled::Gone("There is no such order.")) };
    match order.state {
        State::Expired => {}
        State::Cancelled => {
            return Ok(Fulfilled::Gone("The order was cancelled before the payment arrived."));
        }
        _ => return Ok(Fulfilled::Gone("The order was paid before.")),
    }
    let lines: Vec<Line> = tx.all(&sql::LIST_LINES, args![id]).await?;
    if !claim_again(tx, now, shared, &order, &lines).await? {
        return Ok(Fulfilled::Gone(
            "The payment arrived after the time was over, and somebody else has it now.",
        ));
    }
    let matures = now.after(shared.settings.maturity);
    let hold = HoldId::fresh();
    let row = args![id, payment, now, matures, hold];
    let paid: Order = tx.one(&sql::PAY_ORDER_LATE, row).await?;
    tx.execute(&sql::TAKE_UNITS, args![id]).await?;
    stock::consume(tx, &held(&lines), id.as_str()).await?;
    deliver(tx, now, shared, &paid, &lines).await?;
    Ok(Fulfilled::Delivered)
}

/// Claims what the lines name, each by itself, and puts all back when one is gone: the transaction goes on.
async fn claim_again(
    tx: &mut Tx,
    now: Timestamp,
    shared: &Shared,
    order: &Order,
    lines: &[Line],
) -> Result<bool, OrderError> {
    let mut sorted: Vec<&Line> = lines.iter().collect();
    sorted.sort_by(|a, b| (&a.offer, &a.unit).cmp(&(&b.offer, &b.unit)));
    let mut claimed = Vec::with_capacity(lines.len());
    for line in sorted {
        let units = line.unit.iter().cloned().collect();
        let want = Want { offer: line.offer.clone(), quantity: line.quantity, units };
        match stock::claim(tx, now, &[want], order.id.as_str(), shared.settings.terms).await {
            Ok(_) => claimed.push(line.clone()),
            Err(
                CatalogError::SoldOut { .. }
                | CatalogError::UnitTaken(_)
                | CatalogError::NotOnSale(_)
                | CatalogError::NotFound(_),
            ) => {
                stock::release(tx, &held(&claimed), order.id.as_str()).await?;
                return Ok(false);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(true)
}

/// An order that costs nothing needs no payment. What a promo code of the market pays is settled at once.
pub(crate) async fn for_free(
    tx: &mut Tx,
    now: Timestamp,
    shared: &Shared,
    placed: &Order,
) -> Result<Placed, OrderError> {
    let matures = now.after(shared.settings.maturity);
    let order: Order = tx.one(&sql::PAY_ORDER, args![placed.id, None::<PaymentId>, now, matures]).await?;
    let lines: Vec<Line> = tx.all(&sql::LIST_LINES, args![order.id]).await?;
    stock::consume(tx, &held(&lines), order.id.as_str()).await?;
    deliver(tx, now, shared, &order, &lines).await?;
    settle::free(tx, now, &order).await?;
    Ok(Placed { order, lines })
}

async fn deliver(
    tx: &mut Tx,
    now: Timestamp,
    shared: &Shared,
    order: &Order,
    lines: &[Line],
) -> Result<(), OrderError> {
    give_lines(tx, now, order, lines).await?;
    for (goods, of_kind) in shared.by_kind(lines) {
        goods.deliver(tx, now, order, &of_kind).await?;
    }
    events::append(tx, now, &OrderPaid::of(order, lines)).await?;
    Ok(())
}

/// The bank let go of money that an order was delivered for: everything is taken back.
pub(crate) async fn undo(
    tx: &mut Tx,
    now: Timestamp,
    shared: &Shared,
    order: Order,
) -> Result<(), OrderError> {
    let Some(next) = order.state.after(Step::Fail) else { return Ok(()) };
    let row = args![order.id, order.state, order.version, next, 0, 0, now];
    let failed: Order = tx.one(&sql::MOVE_ORDER, row).await?;
    let lines: Vec<Line> = tx.all(&sql::LIST_LINES, args![order.id]).await?;
    let all: Vec<u32> = lines.iter().map(|line| line.number).collect();
    take_back(tx, now, shared, &failed, &lines, &all).await?;
    restock::restock(tx, &order.id, &all).await?;
    events::append(tx, now, &OrderFailed::of(&failed, &lines)).await?;
    Ok(())
}

/// The buyer loses what these lines gave; for lines of these numbers, for good.
pub(crate) async fn take_back(
    tx: &mut Tx,
    now: Timestamp,
    shared: &Shared,
    order: &Order,
    lines: &[Line],
    over: &[u32],
) -> Result<(), OrderError> {
    entitlement::end(tx, now, order.id.as_str(), over).await?;
    for (goods, of_kind) in shared.by_kind(lines) {
        goods.revoke(tx, now, order, &of_kind).await?;
    }
    Ok(())
}

impl Shared {
    /// The lines that somebody has to deliver, by who does.
    pub(crate) fn by_kind(&self, lines: &[Line]) -> Vec<(Arc<dyn Goods>, Vec<Line>)> {
        let mut kinds: Vec<_> = lines.iter().map(|line| line.kind).collect();
        kinds.dedup();
        let mut groups: Vec<(Arc<dyn Goods>, Vec<Line>)> = Vec::new();
        for kind in kinds {
            let Some(goods) = self.goods(kind) else { continue };
            if groups.iter().all(|(known, _)| known.kind() != kind) {
                groups.push((goods, lines.iter().filter(|line| line.kind == kind).cloned().collect()));
            }
        }
        groups
    }
}
