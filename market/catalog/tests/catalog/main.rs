//! The catalogue from outside, on both databases.

mod market;
mod race;
mod stock;
