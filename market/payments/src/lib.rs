//! Charges, methods, refunds; gateways: sandbox and Stripe.
