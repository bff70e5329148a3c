//! Cart, hold, pay, deliver, cancel, expire, refund, entitlements.
//!
//! The map:
//! * [`Orders`] is the room; its methods are the use cases, one file each.
//! * [`order`] has the types and says what may follow what; [`price`] says who gets which part of a price.
//! * A room whose things are sold implements [`Goods`] and hands it to [`Orders::deliver_by`] at the start.
//! * [`is_entitled`] is the one question that other rooms ask of a buyer.
//! * [`Orders::run`] puts back on sale what was not paid in time.

mod api;
mod cancel;
pub mod cart;
mod csv;
pub mod entitlement;
mod error;
pub mod events;
mod expire;
mod extend;
mod fulfil;
mod goods;
mod list;
pub mod order;
mod page;
mod pay;
mod place;
pub mod price;
mod promo;
mod purpose;
mod read;
mod refund;
mod restock;
mod rules;
mod settle;
mod sql;

use std::sync::{Arc, RwLock};
use std::time::Duration;

use catalog::{HoldTerms, Kind};
use identity::Identity;
use kernel::Clock;
use payments::Payments;
use store::Store;

pub use api::{openapi, routes};
pub use entitlement::{Entitlement, EntitlementId, NewEntitlement, is_entitled};
pub use error::OrderError;
pub use goods::{Goods, Handed, handed};
pub use list::{Details, Filter, Placed, Side};
pub use order::{Hold, HoldId, HoldState, Line, Order, OrderId, State};
pub use page::pages;
pub use pay::Paid;
pub use place::NewOrder;
pub use promo::{NewPromo, Off, Promo};
pub use read::find_placed;
pub use refund::{NewRefund, Part, Plan, PlanId, PlanLine, PlanState, What};
pub use restock::restock;
pub use rules::{Change as RuleChange, FeeRule, Rules, TaxRate};

/// This room's tables.
pub const MIGRATIONS: store::Migrations =
    store::migrations!("orders", "0001_orders.sql", "0002_on_sale_again.sql");

/// How this room is set up.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How long offers are held whose seller did not say.
    pub terms: HoldTerms,
    /// The market's part where no rule says otherwise, in hundredths of a percent.
    pub fee_basis_points: u32,
    /// How long after a sale its seller may be paid out.
    pub maturity: Duration,
}

impl Default for Settings {
    /// 15 minutes and 5 more, 10 %, 7 days.
    fn default() -> Self {
        Self {
            terms: HoldTerms::default(),
            fee_basis_points: 1_000,
            maturity: Duration::from_secs(7 * 86_400),
        }
    }
}

/// The room. Cheap to clone: every clone shares all of it.
#[derive(Clone)]
pub struct Orders {
    store: Store,
    clock: Clock,
    identity: Identity,
    payments: Payments,
    shared: Arc<Shared>,
}

struct Shared {
    settings: Settings,
    goods: RwLock<Vec<Arc<dyn Goods>>>,
    rules: rules::Cache,
}

impl Orders {
    /// The room on a migrated store. It says to `payments` that it serves orders.
    #[must_use]
    pub fn new(
        store: Store,
        clock: Clock,
        identity: Identity,
        payments: Payments,
        settings: Settings,
    ) -> Self {
        let shared = Arc::new(Shared { settings, goods: RwLock::default(), rules: rules::Cache::default() });
        payments.serve(Arc::new(purpose::ForOrders::new(Arc::clone(&shared))));
        Self { store, clock, identity, payments, shared }
    }

    /// What the transitions of a payment mean to its order. The payments know it already.
    #[must_use]
    pub fn purpose(&self) -> impl payments::Purpose + use<> {
        purpose::ForOrders::new(Arc::clone(&self.shared))
    }

    /// Lets `goods` deliver what is of its kind. Once per kind, at the start; the last one counts.
    pub fn deliver_by(&self, goods: Arc<dyn Goods>) {
        let mut all = self.shared.goods.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        all.retain(|known| known.kind() != goods.kind());
        all.push(goods);
    }
}

impl axum::extract::FromRef<Orders> for Identity {
    fn from_ref(orders: &Orders) -> Self {
        orders.identity.clone()
    }
}

impl Shared {
    /// Who delivers things of this kind, if anybody has to.
    fn goods(&self, kind: Kind) -> Option<Arc<dyn Goods>> {
        let all = self.goods.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        all.iter().find(|goods| goods.kind() == kind).cloned()
    }
}
