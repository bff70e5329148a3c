//! Stripe: a thin client of the endpoints that a market needs, by PaymentIntents with manual capture.

mod client;
mod gateway;
mod objects;
mod signature;

pub use gateway::Stripe;

use kernel::Secret;

/// Its name in payments and in the ledger.
pub const NAME: &str = "stripe";

/// How Stripe is reached.
#[derive(Clone, Debug)]
pub struct StripeSettings {
    /// The secret API key, `sk_…` or `rk_…`.
    pub key: Secret,
    /// The key that browsers may know, `pk_…`.
    pub publishable_key: Option<String>,
    /// The secrets of the webhook endpoint, `whsec_…`: any of them may sign, so that one can be replaced.
    pub webhook_secrets: Vec<Secret>,
    /// The base address, for emulators; Stripe's own where there is none.
    pub url: Option<String>,
}
