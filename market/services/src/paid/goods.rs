//! What an order of a plan means: its buyer has a right, and whoever carries out wishes is woken. Nothing that could
//! fail for another reason than the database happens within the order's transaction; a deployment is made after it.

use std::sync::Arc;

use catalog::Kind;
use kernel::{Problem, Timestamp};
use orders::{Goods, Handed, Line, Order, OrderError, OrderId};
use store::{Tx, args};

use super::sql;
use crate::{ServiceId, Services, Wake};

/// The longest sealed wish, in bytes.
const MAX_WISH: usize = 256 << 10;

/// Delivers plans.
pub(super) struct Plans {
    wake: Arc<Wake>,
}

impl Plans {
    pub(super) fn new(services: &Services) -> Self {
        Self { wake: Arc::clone(&services.wake) }
    }

    fn wake_after(&self, tx: &mut Tx) {
        let wake = Arc::clone(&self.wake);
        tx.after_commit(move || wake.paid.notify_one());
    }
}

impl Goods for Plans {
    fn kind(&self) -> Kind {
        Kind::Service
    }

    fn reserve<'a>(
        &'a self,
        tx: &'a mut Tx,
        now: Timestamp,
        order: &'a Order,
        lines: &'a [Line],
        pass: Option<&'a str>,
    ) -> Handed<'a> {
        Box::pin(async move {
            let wish = pass.filter(|wish| lines.len() == 1 && wish.len() <= MAX_WISH);
            for line in lines {
                if line.quantity != 1 {
                    return Err(one_at_a_time());
                }
                insert(tx, now, order, line, wish).await?;
            }
            Ok(())
        })
    }

    fn deliver<'a>(
        &'a self,
        tx: &'a mut Tx,
        now: Timestamp,
        order: &'a Order,
        lines: &'a [Line],
    ) -> Handed<'a> {
        Box::pin(async move {
            for line in lines {
                // What was paid very late may have been forgotten.
                insert(tx, now, order, line, None).await?;
                tx.execute(&sql::SET_RIGHT_PAID, args![order.id, line.number, now]).await?;
            }
            self.wake_after(tx);
            Ok(())
        })
    }

    fn page(&self, order: &OrderId) -> Option<String> {
        Some(format!("/deployments/bought/{order}"))
    }

    /// The orders end the entitlement; what it carried is stopped by who looks at that.
    fn revoke<'a>(&'a self, tx: &'a mut Tx, _: Timestamp, _: &'a Order, _: &'a [Line]) -> Handed<'a> {
        self.wake_after(tx);
        orders::handed()
    }
}

async fn insert(
    tx: &mut Tx,
    now: Timestamp,
    order: &Order,
    line: &Line,
    pass: Option<&str>,
) -> Result<(), OrderError> {
    let found: Option<(ServiceId, String)> = tx.first(&sql::FIND_PLAN_OF, args![line.offer]).await?;
    let Some((service, plan)) = found else { return Err(not_here()) };
    // A pass names the deployment that is to go on, before the sealed wish.
    let (of, wish) = match pass.and_then(|pass| pass.split_once(' ')) {
        Some((of, wish)) => (Some(of).filter(|of| !of.is_empty()), Some(wish)),
        None => (None, None),
    };
    let metered = line.pricing == "metered";
    let row =
        args![order.id, line.number, order.buyer, order.placed_by, service, plan, metered, wish, of, now];
    tx.execute(&sql::INSERT_RIGHT, row).await?;
    Ok(())
}

fn one_at_a_time() -> OrderError {
    let problem = Problem::conflict(
        "services.one_at_a_time",
        "Each deployment is paid by a line of its own. Nothing was ordered.",
    );
    OrderError::Goods(problem.next("Order one, and as many lines as you want deployments."))
}

fn not_here() -> OrderError {
    OrderError::Goods(Problem::conflict(
        "services.not_bought",
        "This plan is not sold here. Nothing was ordered and nothing was charged.",
    ))
}
