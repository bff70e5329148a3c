//! What was sold is on sale again. A refund, a payment that falls through and the end of a subscription may all want it,
//! in any order; each piece goes back once.

use catalog::{Held, OfferId, UnitId, stock};
use store::{Tx, args};

use crate::order::OrderId;
use crate::{OrderError, sql};

/// What an order sold by one line, and how much of it is on sale again.
struct Sold {
    number: u32,
    offer: OfferId,
    unit: Option<UnitId>,
    quantity: u32,
    again: u32,
}

store::row!(Sold { number, offer, unit, quantity, again });

/// Puts everything that these lines of a paid order sold back on sale, but what is so already. For the rooms above,
/// when what they sold is over.
///
/// # Errors
/// [`OrderError::Catalog`] when the stock does not know of the sale; the caller's transaction must then be undone.
pub async fn restock(tx: &mut Tx, order: &OrderId, numbers: &[u32]) -> Result<(), OrderError> {
    let all: Vec<(u32, u32)> = numbers.iter().map(|number| (*number, u32::MAX)).collect();
    restock_some(tx, order, &all).await
}

/// As [`restock`], but at most so many pieces of each line.
pub(crate) async fn restock_some(
    tx: &mut Tx,
    order: &OrderId,
    wanted: &[(u32, u32)],
) -> Result<(), OrderError> {
    let sold: Vec<Sold> = tx.all(&sql::LIST_SOLD, args![order]).await?;
    let mut back = Vec::new();
    for line in sold {
        let most = wanted.iter().find(|(number, _)| *number == line.number).map_or(0, |(_, most)| *most);
        let quantity = most.min(line.quantity - line.again);
        if quantity == 0 {
            continue;
        }
        tx.execute(&sql::RESTOCK_LINE, args![order, line.number, quantity]).await?;
        back.push(Held { offer: line.offer, unit: line.unit, quantity });
    }
    Ok(stock::give_back(tx, &back, order.as_str()).await?)
}
