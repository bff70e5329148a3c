//! Giving up an order before it is paid.

use std::sync::Arc;

use catalog::stock;
use identity::orgs::OrgRole;
use identity::{Action, Caller, Subject};
use kernel::Timestamp;
use store::{Tx, args};
use web::Expected;

use crate::events::OrderCancelled;
use crate::list::Placed;
use crate::order::{Line, Order, OrderId, State, Step};
use crate::place::held;
use crate::{OrderError, Orders, Shared, promo, sql};

impl Orders {
    /// Gives up a pending order: its stock is back on sale at once, its open payments are called off. The buyer may,
    /// and an operator. An order that was given up before stays as it is.
    ///
    /// # Errors
    /// [`OrderError::NotFound`] for a stranger to it; [`OrderError::WrongState`] for what is paid or expired;
    /// [`OrderError::Stale`].
    pub async fn cancel(&self, by: &Caller, id: &OrderId, expected: Expected) -> Result<Placed, OrderError> {
        let actor = by.may(Action::Buy, &Subject::Market)?.clone();
        let operates = by.may(Action::OperateMarket, &Subject::Market).is_ok();
        let (shared, id, now) = (Arc::clone(&self.shared), id.clone(), by.now());
        let write = async move |tx: &mut Tx| {
            let order: Option<Order> = tx.first(&sql::FIND_ORDER, args![id]).await?;
            let may = |order: &Order| operates || actor.speaks_for(&order.buyer, OrgRole::Member);
            let order = order.filter(may).ok_or(OrderError::NotFound("order"))?;
            let lines: Vec<Line> = tx.all(&sql::LIST_LINES, args![id]).await?;
            if order.state == State::Cancelled {
                return Ok::<_, OrderError>(Placed { order, lines });
            }
            expected.check(order.version)?;
            let next = order.state.after(Step::Cancel).ok_or(OrderError::WrongState(order.state))?;
            let ended: Option<Order> = tx.first(&sql::END_ORDER, args![id, next, next.hold(), now]).await?;
            let order = ended.ok_or(OrderError::WrongState(order.state))?;
            put_back(tx, now, &shared, &order, &lines).await?;
            events::append(tx, now, &OrderCancelled::of(&order, &lines)).await?;
            Ok(Placed { order, lines })
        };
        let cancelled = self.store.write(write).await?;
        self.call_off(&cancelled.order).await;
        Ok(cancelled)
    }
}

/// What an order held that ended without being paid is back on sale, and the use of its code too.
pub(crate) async fn put_back(
    tx: &mut Tx,
    now: Timestamp,
    shared: &Shared,
    order: &Order,
    lines: &[Line],
) -> Result<(), OrderError> {
    stock::release(tx, &held(lines), order.id.as_str()).await?;
    if lines.iter().any(|line| line.unit.is_some()) {
        tx.execute(&sql::DROP_UNITS, args![order.id]).await?;
    }
    if let Some(code) = &order.promo {
        promo::give_back(tx, code, &order.buyer).await?;
    }
    for (goods, of_kind) in shared.by_kind(lines) {
        goods.release(tx, now, order, &of_kind).await?;
    }
    Ok(())
}
