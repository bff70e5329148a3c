//! The words every other crate uses: typed ids, time, money, secrets, problems and pages of results.
//!
//! This is the only crate that reads the system clock and the random number generator; everything
//! above receives `now` as an argument and ids from [`id!`].
#![allow(clippy::disallowed_methods)]

mod id;
pub mod money;
mod page;
mod problem;
mod problems;
mod secret;
mod time;

pub use id::{IdError, check as check_id, fresh as fresh_id};
pub use money::{Currency, Money, MoneyError};
pub use page::{Page, Paging};
pub use problem::{FieldError, Problem};
pub use problems::{PROBLEMS, ProblemKind};
pub use secret::{Secret, random_bytes, random_text};
pub use time::{Clock, TimeError, Timestamp};

#[doc(hidden)]
pub use linkme as __linkme;
#[doc(hidden)]
pub use serde as __serde;
