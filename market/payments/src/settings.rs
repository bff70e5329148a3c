//! How this room is set up.

use std::sync::Arc;
use std::time::Duration;

use crate::gateway::{Gateway, GatewayError};
use crate::sandbox::Sandbox;
use crate::stripe::{Stripe, StripeSettings};

/// How this room is set up.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Whether the sandbox takes payments with test cards. Stripe goes first where both are set up.
    pub sandbox: bool,
    /// Stripe, where there is a key.
    pub stripe: Option<StripeSettings>,
    /// Where browsers reach the market, without a slash at the end: for the way back from a bank's page.
    pub public_url: String,
    /// How often due work is looked for.
    pub sweep_every: Duration,
}

impl Settings {
    /// No gateway: only wallets can pay.
    pub fn new(public_url: impl Into<String>) -> Self {
        Self {
            sandbox: false,
            stripe: None,
            public_url: public_url.into().trim_end_matches('/').to_owned(),
            sweep_every: Duration::from_secs(1),
        }
    }

    /// The same, with the sandbox.
    #[must_use]
    pub const fn with_sandbox(mut self) -> Self {
        self.sandbox = true;
        self
    }

    pub(crate) fn gateways(&self) -> Result<Vec<Arc<dyn Gateway>>, GatewayError> {
        let mut gateways: Vec<Arc<dyn Gateway>> = Vec::new();
        if let Some(stripe) = &self.stripe {
            gateways.push(Arc::new(Stripe::new(stripe)?));
        }
        if self.sandbox {
            gateways.push(Arc::new(Sandbox));
        }
        Ok(gateways)
    }
}

impl crate::Payments {
    /// The key that the gateway's script in the browser needs for this payment.
    #[must_use]
    pub fn publishable_key(&self, payment: &crate::Payment) -> Option<String> {
        let stripe = self.settings().stripe.as_ref().filter(|_| payment.gateway == crate::stripe::NAME);
        stripe.and_then(|stripe| stripe.publishable_key.clone())
    }
}
