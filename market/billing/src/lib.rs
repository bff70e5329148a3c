//! Subscriptions, usage, invoices, receipts.
//!
//! The map:
//! * [`Billing`] is the room; its methods are the use cases, one file each.
//! * [`subscription`] and [`invoice`] have the types and say what may follow what; [`period`] knows the calendar,
//!   [`proration`] divides prices.
//! * `follow.rs` begins subscriptions and writes receipts for what the orders tell; `renew.rs` bills the next period;
//!   `charge.rs` has invoices paid and tries again; `purpose.rs` says what a payment means to its invoice.
//! * [`Billing::run`] does all of that in time, in any number of processes.

mod api;
mod cancel;
mod change;
mod charge;
mod csv;
mod error;
pub mod events;
mod follow;
pub mod invoice;
mod look;
mod mails;
mod manage;
mod page;
mod paper;
mod pay;
pub mod period;
pub mod proration;
mod purpose;
mod receipt;
mod refund;
mod renew;
mod room;
mod settle;
mod sql;
pub mod subscription;
mod usage;
mod write;

pub use api::{openapi, routes};
pub use cancel::{Cancel, When};
pub use change::{ChangePlan, Changed};
pub use error::BillingError;
pub use invoice::{Invoice, InvoiceId, InvoiceLine};
pub use look::{Bill, Filter, Side, Totals};
pub use manage::{Manner, SellerSetting};
pub use page::pages;
pub use room::{Billing, Settings};
pub use subscription::{PayBy, Plan, State, Subscription, SubscriptionId};
pub use usage::{Counted, Refusal, Usage};
pub use write::subscriptions_of;

/// This room's tables.
pub const MIGRATIONS: store::Migrations =
    store::migrations!("billing", "0001_billing.sql", "0002_former_details.sql", "0003_lean.sql");
