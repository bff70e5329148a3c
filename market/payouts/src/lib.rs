//! What sellers earned and how it reaches them.
//!
//! The map:
//! * [`Payouts`] is the room; its methods are the use cases: look, request, submit, schedule, connect.
//! * [`payout`](crate::Payout) has the states and the rules without a database.
//! * [`Payouts::run`] begins what is scheduled, and asks again about what was not answered.

mod account;
mod api;
mod error;
mod events;
mod look;
mod page;
mod payout;
mod request;
mod room;
mod schedule;
mod sql;
mod submit;
mod work;

pub use account::PayoutAccount;
pub use api::{openapi, routes};
pub use error::PayoutError;
pub use look::{Line, Overview};
pub use page::pages;
pub use payout::{Every, Payout, PayoutId, Schedule, SellerBalance, State};
pub use request::NewPayout;
pub use room::{Payouts, Settings};

/// This room's tables.
pub const MIGRATIONS: store::Migrations = store::migrations!("payouts", "0001_payouts.sql");
