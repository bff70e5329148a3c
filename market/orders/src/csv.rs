//! Orders as a table for spreadsheets: a row for each line, sent while it is read.

use axum::response::Response;
use futures_util::{TryStreamExt, stream};
use identity::{Action, Caller, Subject};
use kernel::{Money, Paging};
use ledger::csv;

use crate::list::{Filter, Placed, Side};
use crate::{OrderError, Orders};

const HEAD: [&str; 17] = [
    "order", "status", "created", "paid", "buyer", "line", "seller", "title", "offer", "unit", "quantity",
    "currency", "total", "tax", "fee", "net", "refunded",
];

impl Orders {
    /// All orders of one side, the newest first.
    ///
    /// # Errors
    /// [`OrderError::Identity`] for who may not see them.
    pub fn export(&self, by: &Caller, side: Side, filter: Filter) -> Result<Response, OrderError> {
        match side {
            Side::Operator => by.may(Action::OperateMarket, &Subject::Market)?,
            Side::Buyer | Side::Seller => by.may(Action::Read, &Subject::Market)?,
        };
        let (room, by) = (self.clone(), by.clone());
        let pages = stream::try_unfold(Some(filter), move |at| {
            let (room, by) = (room.clone(), by.clone());
            async move {
                let Some(filter) = at else { return Ok::<_, OrderError>(None) };
                let paging = Paging { limit: Paging::MAX_LIMIT, offset: 0 };
                let page = room.list(&by, side, filter.clone(), paging).await?;
                let next =
                    page.items.last().map(|last| Filter { before: Some(last.order.id.clone()), ..filter });
                Ok(next.map(|next| (rows(&page.items), Some(next))))
            }
        });
        Ok(csv::file("orders.csv", &HEAD, pages.into_stream()))
    }
}

fn rows(page: &[Placed]) -> String {
    page.iter().flat_map(|placed| placed.lines.iter().map(move |line| row(placed, line))).collect()
}

fn row(placed: &Placed, line: &crate::Line) -> String {
    let order = &placed.order;
    let money = |minor: i64| csv::amount(Money::new(minor, order.currency));
    csv::line([
        order.id.to_string(),
        order.state.to_string(),
        order.created_at.to_string(),
        order.paid_at.map_or_else(String::new, |at| at.to_string()),
        order.buyer.to_string(),
        line.number.to_string(),
        line.seller.to_string(),
        line.title.clone(),
        line.offer_name.clone(),
        line.unit_label.clone().unwrap_or_default(),
        line.quantity.to_string(),
        order.currency.to_string(),
        money(line.amounts.total),
        money(line.amounts.tax),
        money(line.amounts.fee),
        money(line.amounts.seller),
        money(line.refunded_minor),
    ])
}
