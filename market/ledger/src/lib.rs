//! Accounts and transfers: double entry in whole minor units.
