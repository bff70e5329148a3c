//! Reading orders: one's own, those that one sold, all for operators.

use std::collections::HashMap;

use identity::orgs::OrgRole;
use identity::{AccountId, Action, Actor, Caller, Names, Subject};
use kernel::{Page, Paging};
use payments::Payment;
use store::{FromRow, Row, Sql, StoreError, Tx, args, json_list};

use crate::entitlement::{self, Entitlement};
use crate::order::{Line, Order, OrderId, State};
use crate::refund::{Plan, history};
use crate::{OrderError, Orders, sql};

/// An order with its lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The order.
    pub order: Order,
    /// Its lines; whoever sells sees only the own ones.
    pub lines: Vec<Line>,
}

/// An order with everything that became of it.
#[derive(Clone, Debug)]
pub struct Details {
    /// The order.
    pub placed: Placed,
    /// Its refunds, oldest first.
    pub refunds: Vec<Plan>,
    /// Its attempts to pay, oldest first; only for the buyer and operators.
    pub payments: Vec<Payment>,
    /// What the buyer got by it; only for the buyer and operators.
    pub entitlements: Vec<Entitlement>,
    /// As what the caller sees it.
    pub side: Side,
}

/// As what somebody looks at orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// As who buys.
    Buyer,
    /// As who sells.
    Seller,
    /// As who runs the market.
    Operator,
}

/// Which orders.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// In this state only.
    pub state: Option<State>,
    /// An order, a buyer or a payment, by its whole id; only for operators.
    pub text: String,
    /// Only those that were placed before this one.
    pub before: Option<OrderId>,
}

/// A line with the order that it is of.
struct Of(OrderId, Line);

impl FromRow for Of {
    fn from_row(row: &Row<'_>) -> Result<Self, StoreError> {
        Ok(Self(row.get(0)?, sql::line(row, 1)?))
    }
}

impl Orders {
    /// What the buyers and sellers of these orders are called, for the tables of who sells and operates.
    pub(crate) async fn names(&self, placed: &[Placed]) -> Result<Names, OrderError> {
        let buyers = placed.iter().map(|placed| placed.order.buyer.clone());
        let sellers = placed.iter().flat_map(|placed| &placed.lines).map(|line| line.seller.clone());
        self.names_of(buyers.chain(sellers)).await
    }

    /// What these accounts are called.
    pub(crate) async fn names_of(&self, ids: impl Iterator<Item = AccountId>) -> Result<Names, OrderError> {
        let ids: Vec<AccountId> = ids.collect();
        let read = async move |tx: &mut Tx| identity::names(tx, &ids).await;
        Ok(self.store.read(read).await?)
    }

    /// An order with its lines. The buyer sees it, the sellers of its lines their lines, an operator all.
    ///
    /// # Errors
    /// [`OrderError::NotFound`] for everybody else.
    pub async fn find(&self, by: &Caller, id: &OrderId) -> Result<Placed, OrderError> {
        let (by, id) = (by.clone(), id.clone());
        self.store.read(async move |tx: &mut Tx| Ok::<_, OrderError>(find(tx, &by, &id).await?.0)).await
    }

    /// An order with its payments, refunds and entitlements.
    ///
    /// # Errors
    /// As [`Orders::find`].
    pub async fn details(&self, by: &Caller, id: &OrderId) -> Result<Details, OrderError> {
        let (by, id) = (by.clone(), id.clone());
        let read = async move |tx: &mut Tx| {
            let (placed, side) = find(tx, &by, &id).await?;
            let (refunds, mut payments) = history(tx, &placed).await?;
            let mut entitlements = Vec::new();
            if side == Side::Seller {
                payments.clear();
            } else {
                let of = args![placed.order.id, placed.order.buyer];
                entitlements = tx.all(&sql::LIST_ENTITLEMENTS_OF_SOURCE, of).await?;
            }
            Ok::<_, OrderError>(Details { placed, refunds, payments, entitlements, side })
        };
        self.store.read(read).await
    }

    /// A page of orders, the newest first.
    ///
    /// # Errors
    /// [`OrderError::Identity`] for a stranger, and for who is no operator but asks as one.
    pub async fn list(
        &self,
        by: &Caller,
        side: Side,
        filter: Filter,
        paging: Paging,
    ) -> Result<Page<Placed>, OrderError> {
        let actor = match side {
            Side::Operator => by.may(Action::OperateMarket, &Subject::Market)?,
            Side::Buyer | Side::Seller => by.may(Action::Read, &Subject::Market)?,
        }
        .clone();
        let (ids, count): (&'static Sql, &'static Sql) = match side {
            Side::Buyer => (&sql::LIST_OF_BUYERS, &sql::COUNT_OF_BUYERS),
            Side::Seller => (&sql::LIST_OF_SELLERS, &sql::COUNT_OF_SELLERS),
            Side::Operator => (&sql::LIST_ALL, &sql::COUNT_ALL),
        };
        let who = match side {
            Side::Operator => filter.text.trim().to_owned(),
            Side::Buyer | Side::Seller => json_list(actor.accounts().map(|account| account.to_string())),
        };
        let state = filter.state.map_or("", State::as_str);
        let before = filter.before.map_or_else(String::new, |id| id.to_string());
        let read = async move |tx: &mut Tx| {
            let row = args![who, state, paging.limit, paging.offset, before];
            let found: Vec<(OrderId,)> = tx.all(ids, row).await?;
            let (total,) = tx.one(count, args![who, state]).await?;
            let items = placed(tx, found.iter().map(|(id,)| id)).await?;
            let items = items.into_iter().map(|item| seen_as(item, side, &actor)).collect();
            Ok::<_, OrderError>(Page { items, total })
        };
        self.store.read(read).await
    }

    /// What the caller may use, and once might.
    ///
    /// # Errors
    /// [`OrderError::Identity`] for a stranger.
    pub async fn entitlements(&self, by: &Caller, paging: Paging) -> Result<Page<Entitlement>, OrderError> {
        let actor = by.may(Action::Read, &Subject::Market)?;
        let accounts: Vec<_> = actor.accounts().collect();
        let read =
            async move |tx: &mut Tx| Ok::<_, OrderError>(entitlement::list(tx, &accounts, paging).await?);
        self.store.read(read).await
    }
}

async fn find(tx: &mut Tx, by: &Caller, id: &OrderId) -> Result<(Placed, Side), OrderError> {
    let actor = by.may(Action::Read, &Subject::Market)?;
    let order: Option<Order> = tx.first(&sql::FIND_ORDER, args![id]).await?;
    let order = order.ok_or(OrderError::NotFound("order"))?;
    let lines: Vec<Line> = tx.all(&sql::LIST_LINES, args![id]).await?;
    let side = if actor.speaks_for(&order.buyer, OrgRole::Member) {
        Side::Buyer
    } else if by.may(Action::OperateMarket, &Subject::Market).is_ok() {
        Side::Operator
    } else if order.paid_at.is_some()
        && lines.iter().any(|line| actor.speaks_for(&line.seller, OrgRole::Member))
    {
        Side::Seller
    } else {
        return Err(OrderError::NotFound("order"));
    };
    Ok((seen_as(Placed { order, lines }, side, actor), side))
}

/// What a list calls an order: its first thing, and how many more there are.
pub(crate) fn title(placed: &Placed) -> String {
    titled(&placed.lines).unwrap_or_else(|| placed.order.id.to_string())
}

fn titled(lines: &[Line]) -> Option<String> {
    let first = lines.first()?;
    Some(match lines.len() {
        1 if first.quantity > 1 => format!("{} × {}", first.quantity, first.title),
        1 => first.title.clone(),
        more => format!("{} and {} more", first.title, more - 1),
    })
}

/// What lists call these orders, by id, in one statement.
pub(crate) async fn titles(tx: &mut Tx, ids: &[String]) -> Result<HashMap<String, String>, StoreError> {
    let lines = lines_of(tx, &json_list(ids)).await?;
    Ok(lines.into_iter().filter_map(|(id, lines)| Some((id.to_string(), titled(&lines)?))).collect())
}

/// Whoever sells sees the own lines only.
fn seen_as(mut placed: Placed, side: Side, actor: &Actor) -> Placed {
    if side == Side::Seller {
        placed.lines.retain(|line| actor.speaks_for(&line.seller, OrgRole::Member));
    }
    placed
}

/// Orders with their lines, the newest first: two statements for all of them.
async fn placed<'a>(tx: &mut Tx, ids: impl Iterator<Item = &'a OrderId>) -> Result<Vec<Placed>, StoreError> {
    let ids = json_list(ids);
    let orders: Vec<Order> = tx.all(&sql::LIST_ORDERS, args![ids]).await?;
    let mut by_order = lines_of(tx, &ids).await?;
    let with_lines = |order: Order| Placed { lines: by_order.remove(&order.id).unwrap_or_default(), order };
    Ok(orders.into_iter().map(with_lines).collect())
}

async fn lines_of(tx: &mut Tx, ids: &str) -> Result<HashMap<OrderId, Vec<Line>>, StoreError> {
    let lines: Vec<Of> = tx.all(&sql::LIST_LINES_OF, args![ids]).await?;
    let mut by_order: HashMap<OrderId, Vec<Line>> = HashMap::new();
    for Of(id, line) in lines {
        by_order.entry(id).or_default().push(line);
    }
    Ok(by_order)
}
