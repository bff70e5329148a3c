//! Balances, top-up, automatic top-up, alerts.
