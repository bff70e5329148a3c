//! The sandbox: a gateway without an account anywhere. What happens to a payment follows from the test card and the
//! time since the payment began, and from nothing else: it has no rows, no locks, and survives a kill.

pub(crate) mod bank;
mod card;

pub use bank::{DISPUTED_AFTER, FOUND_AFTER, LATE, Sandbox};
pub use card::{CARDS, Card, TestCard};

/// Its name in payments and in the ledger.
pub const NAME: &str = "sandbox";
