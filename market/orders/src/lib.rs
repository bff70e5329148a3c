//! Cart, hold, pay, cancel, expire, entitlements.
