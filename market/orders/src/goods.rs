//! What is sold: the rooms that deliver say what a paid order means to them.

use catalog::Kind;
use futures_util::future::LocalBoxFuture;
use kernel::Timestamp;
use store::Tx;

use crate::error::OrderError;
use crate::order::{Line, Order, OrderId};

/// The answer of [`Goods`]: a future that awaits nothing but its transaction.
pub type Handed<'a> = LocalBoxFuture<'a, Result<(), OrderError>>;

/// Delivers things of one kind. Each method is called in the transaction of the order's transition, once per
/// transition, with the order as it is after it and with those of its lines that are of this kind. An error undoes
/// the transition. [`OrderError::Goods`] carries the room's own problem.
pub trait Goods: Send + Sync + 'static {
    /// Which lines it delivers.
    fn kind(&self) -> Kind;

    /// Stock was claimed for a new order: the last chance to refuse it. `pass` is what the buyer showed to be let in
    /// ([`NewOrder::pass`](crate::NewOrder)), such as the token of a waiting room.
    fn reserve<'a>(
        &'a self,
        tx: &'a mut Tx,
        now: Timestamp,
        order: &'a Order,
        lines: &'a [Line],
        pass: Option<&'a str>,
    ) -> Handed<'a> {
        let _ = (tx, now, order, lines, pass);
        handed()
    }

    /// An order ended without being paid: cancelled or expired. The stock is back on sale.
    fn release<'a>(
        &'a self,
        tx: &'a mut Tx,
        now: Timestamp,
        order: &'a Order,
        lines: &'a [Line],
    ) -> Handed<'a> {
        let _ = (tx, now, order, lines);
        handed()
    }

    /// An order is paid: give the buyer what was bought.
    fn deliver<'a>(
        &'a self,
        tx: &'a mut Tx,
        now: Timestamp,
        order: &'a Order,
        lines: &'a [Line],
    ) -> Handed<'a>;

    /// Where the buyer of an order goes on with what was delivered; `None`: at the order itself.
    fn page(&self, order: &OrderId) -> Option<String> {
        let _ = order;
        None
    }

    /// Lines were refunded, disputed and lost, or their payment fell through: take back what was delivered. The
    /// quantity of each line is how many are taken back now, and [`Line::returned`] holds how many are in all.
    fn revoke<'a>(
        &'a self,
        tx: &'a mut Tx,
        now: Timestamp,
        order: &'a Order,
        lines: &'a [Line],
    ) -> Handed<'a>;
}

/// Nothing is left to do.
#[must_use]
pub fn handed<'a>() -> Handed<'a> {
    Box::pin(std::future::ready(Ok(())))
}
