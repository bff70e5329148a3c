//! Accounts and transfers: double entry in whole minor units.
//!
//! The map:
//! * [`Account`] is the chart of accounts; a [`NewTransfer`] debits one and credits another.
//! * [`post`] writes transfers at once; [`reserve`] writes pending ones that [`settle`] or [`void`] ends.
//! * [`balance`] and [`maturing`] say what an account has.
//!
//! Everything happens in the caller's transaction, at the caller's `now`.

mod account;
mod balance;
mod end;
mod error;
mod keys;
mod post;
mod sql;
mod transfer;

use store::Migrations;

pub use account::{Account, GATEWAYS, NoAccount, Side};
pub use balance::{balance, maturing};
pub use end::{settle, void};
pub use error::LedgerError;
pub use post::{post, reserve};
pub use transfer::{Balance, MAX_JOURNAL, MAX_LINES, NewTransfer, Phase, Sums};

/// This room's tables.
pub const MIGRATIONS: Migrations = store::migrations!("ledger", "0001_ledger.sql");
