//! Accounts and transfers: double entry in whole minor units.
//!
//! The map:
//! * [`Account`] is the chart of accounts; a [`NewTransfer`] debits one and credits another.
//! * [`post`] writes transfers at once; [`reserve`] writes pending ones that [`settle`] or [`void`] ends.
//! * [`balance`] and [`maturing`] say what an account has; [`history`] and [`transfers`] what happened.
//! * [`trial_balance`] adds everything up, [`audit`] looks for what must never be, [`condense`] keeps sums short.
//! * [`Ledger`] is what operators do with the books; [`api`] and [`page`] are its faces; [`csv`] writes tables.
//!
//! Everything happens in the caller's transaction, at the caller's `now`.

mod account;
pub mod api;
mod audit;
mod balance;
mod books;
mod condense;
pub mod csv;
mod end;
mod error;
mod history;
mod keys;
pub mod page;
mod post;
mod sql;
mod transfer;
mod trial;

use store::Migrations;

pub use account::{Account, GATEWAYS, NoAccount, Side};
pub use audit::{Finding, audit};
pub use balance::{balance, balance_before, maturing};
pub use books::Ledger;
pub use condense::condense;
pub use end::{settle, void};
pub use error::LedgerError;
pub use history::{TransferView, Which, history, transfers, transfers_before};
pub use post::{post, reserve};
pub use transfer::{Balance, MAX_JOURNAL, MAX_LINES, NewTransfer, Phase, Sums};
pub use trial::{AccountFilter, AccountView, KindSums, TrialBalance, accounts, trial_balance};

/// This room's tables.
pub const MIGRATIONS: Migrations = store::migrations!("ledger", "0001_ledger.sql", "0002_lean.sql");
