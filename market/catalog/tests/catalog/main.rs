//! The catalogue from outside, on both databases.

mod api;
mod market;
mod page;
mod race;
mod room;
mod speed;
mod stock;
