//! What the rooms above read of orders: in their own transactions, after they checked who asks.

use std::sync::Arc;

use kernel::Timestamp;
use store::{StoreError, Tx, args};

use crate::order::{Line, Order, OrderId};
use crate::{Orders, Placed, Rules, Settings, sql};

/// An order with all of its lines, in any transaction.
///
/// # Errors
/// [`StoreError`].
pub async fn find_placed(tx: &mut Tx, id: &OrderId) -> Result<Option<Placed>, StoreError> {
    let order: Option<Order> = tx.first(&sql::FIND_ORDER, args![id]).await?;
    let Some(order) = order else { return Ok(None) };
    let lines: Vec<Line> = tx.all(&sql::LIST_LINES, args![id]).await?;
    Ok(Some(Placed { order, lines }))
}

impl Orders {
    /// The fees and taxes in force, at most a moment old: for rooms that charge by the same rules.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn rules_in_force(&self, now: Timestamp) -> Result<Arc<Rules>, StoreError> {
        self.shared.rules.get(&self.store, now).await
    }

    /// How the room is set up.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.shared.settings
    }
}
