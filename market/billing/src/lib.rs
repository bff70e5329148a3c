//! Subscriptions, usage, invoices, receipts.
