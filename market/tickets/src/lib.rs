//! Events with seats, tickets with codes, check-in, waiting room.
//!
//! The map:
//! * [`Tickets`] is the room; its methods are the use cases of organisers, owners, staff and visitors, one file each.
//! * An event is sold by one listing of the catalogue, each category of tickets by one offer of it; [`Goods`] issues
//!   tickets when an order is paid and takes them back when it is refunded.
//! * [`Code`] is what a ticket shows at the door, [`calendar`] and [`seats`] are files and plans in words.

pub mod api;
mod browse;
pub mod calendar;
mod check_in;
mod code;
mod devices;
mod error;
mod event;
pub mod events;
mod give_back;
mod goods;
mod keys;
mod organise;
mod owned;
mod page;
mod papers;
mod queue;
pub mod seats;
mod sell_on;
mod sql;
mod ticket;
mod transfer;
pub mod zone;

use std::sync::Arc;

use identity::Identity;
use mail::Mailer;
use orders::Orders;
use store::{Migrations, Store};
use vault::Vault;

pub use api::{openapi, routes};
pub use browse::EventView;
pub use check_in::{Door, Guard, Said, Scan, Verdict};
pub use code::{Code, CodeError, modules, png, svg};
pub use devices::{Device, DeviceId, NewDevice};
pub use error::TicketError;
pub use event::{Admission, Category, Event, EventId, EventState, EventText, NewCategory, WaitingRoom};
pub use give_back::WayBack;
pub use owned::{Sales, TicketView};
pub use page::pages;
pub use queue::Place;
pub use sell_on::NewTicket;
pub use ticket::{Ticket, TicketId, TicketState};

/// This room's tables.
pub const MIGRATIONS: Migrations = store::migrations!("tickets", "0001_tickets.sql", "0002_first_price.sql");

/// The room. Cheap to clone.
#[derive(Clone)]
pub struct Tickets {
    store: Store,
    identity: Identity,
    orders: Orders,
    mailer: Mailer,
    keys: Arc<keys::Keys>,
}

impl Tickets {
    /// The room on a migrated store. It delivers tickets for `orders` from now on.
    #[must_use]
    pub fn new(store: Store, identity: Identity, orders: Orders, mailer: Mailer, vault: Vault) -> Self {
        let keys = Arc::new(keys::Keys::new(store.clone(), vault));
        orders.deliver_by(Arc::new(goods::Admissions { keys: Arc::clone(&keys) }));
        Self { store, identity, orders, mailer, keys }
    }
}

impl axum::extract::FromRef<Tickets> for Identity {
    fn from_ref(tickets: &Tickets) -> Self {
        tickets.identity.clone()
    }
}
